//! The program under the name that takes SUMO's command line: exit codes, what is printed, and the files for messages.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Output};

use super::{GOOD_ROUTES, NET};

/// A folder with the small network, routes, a configuration, and the program as `tessds-sumo`.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).expect("writing");
    write("n.net.xml", NET);
    write("r.rou.xml", GOOD_ROUTES);
    write(
        "run.sumocfg",
        r#"<configuration><net-file value="n.net.xml"/><route-files value="r.rou.xml"/></configuration>"#,
    );
    symlink(env!("CARGO_BIN_EXE_tessds"), folder.path().join("tessds-sumo")).expect("a link");
    folder
}

fn sumo(folder: &Path, line: &str) -> Output {
    Command::new(folder.join("tessds-sumo"))
        .args(line.split_whitespace())
        .current_dir(folder)
        .output()
        .expect("the program starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn exit_codes_and_printed_texts_are_those_of_sumo() {
    let folder = folder();
    let check = |line: &str, code: i32, out: &str, error: &str| {
        let output = sumo(folder.path(), line);
        let (said, failed) = (text(&output.stdout), text(&output.stderr));
        assert_eq!(output.status.code(), Some(code), "{line}: {said}{failed}");
        assert!(said.contains(out) && (!out.is_empty() || said.is_empty()), "{line}: {said}");
        assert!(failed.contains(error) && (!error.is_empty() || failed.is_empty()), "{line}: {failed}");
    };
    check("--version", 0, "Eclipse SUMO sumo 1.28.0", "");
    check("run.sumocfg", 0, "", "");
    check("run.sumocfg --verbose --duration-log.disable", 0, "Inserted: 1", "");
    check("-c run.sumocfg --duration-log.statistics", 0, "Statistics (avg of 1)", "");
    check("run.sumocfg --no-such-option", 1, "", "unknown option --no-such-option");
    check("rum.sumocfg", 1, "", "file not found; did you mean 'run.sumocfg'?");
    fs::write(folder.path().join("x.rou.xml"), r#"<routes><trip id="t" from="buswya" to="d" depart="0"/></routes>"#)
        .expect("writing");
    check("-n n.net.xml -r x.rou.xml", 1, "", "edge 'buswya' is not in the network; did you mean 'busway'?");
    check("run.sumocfg --remote-port 8813", 1, "", "no TraCI server");
    check("run.sumocfg --no-warnings -a none.add.xml", 1, "", "none.add.xml");
    check("-n n.net.xml --no-warnings", 0, "", "no vehicle departed in this run");
    check("-n n.net.xml -r r.rou.xml --save-configuration saved.sumocfg", 0, "", "");
    check("saved.sumocfg -v", 0, "Inserted: 1", "");
    check("--save-template all.sumocfg", 0, "", "");
    check("all.sumocfg -n n.net.xml -r r.rou.xml -v", 0, "Inserted: 1", "");
}

#[test]
fn messages_go_to_the_files_that_are_named() {
    let folder = folder();
    let read = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap_or_default();
    let line = "run.sumocfg --max-num-vehicles 5 --log l.txt --error-log e.txt --message-log m.txt";
    let output = sumo(folder.path(), line);
    assert_eq!(output.status.code(), Some(0));
    assert!(text(&output.stderr).contains("max-num-vehicles") && output.stdout.is_empty());
    let warning = "Warning: option 'max-num-vehicles' is not supported";
    assert!(read("l.txt").contains(warning) && read("l.txt").contains("Inserted: 1"), "{}", read("l.txt"));
    assert!(read("e.txt").starts_with(warning) && !read("e.txt").contains("Inserted"), "{}", read("e.txt"));
    assert!(!read("m.txt").contains(warning) && read("m.txt").contains("Inserted: 1"), "{}", read("m.txt"));
    // As in SUMO, warnings that are not wished stay in the file that is for them.
    let output = sumo(folder.path(), &format!("{line} --no-warnings"));
    assert!(output.stderr.is_empty(), "{}", text(&output.stderr));
    assert!(read("e.txt").starts_with(warning) && !read("l.txt").contains(warning));
    let output = sumo(folder.path(), "run.sumocfg --begin 5 --end 3 --error-log e.txt");
    assert_eq!(output.status.code(), Some(1));
    assert!(read("e.txt").starts_with("Error: ") && read("e.txt").contains("before the begin"), "{}", read("e.txt"));
}

#[test]
fn variables_prefix_and_suffix_make_the_names_of_outputs() {
    let folder = folder();
    let output = Command::new(folder.path().join("tessds-sumo"))
        .args([
            "run.sumocfg",
            "--tripinfo-output",
            "trips${TOWN}.xml",
            "--output-prefix",
            "TIME_",
            "--output-suffix",
            "_s",
        ])
        .env("TOWN", "-a,b c")
        .current_dir(folder.path())
        .output()
        .expect("the program starts");
    assert!(output.status.success(), "{}", text(&output.stderr));
    let names = fs::read_dir(folder.path()).expect("a folder").flatten();
    let name = names.filter_map(|entry| entry.file_name().into_string().ok()).find(|name| name.contains("trips"));
    let name = name.expect("an output");
    let date = name.strip_suffix("_trips-a,b c_s.xml").unwrap_or_else(|| panic!("{name}"));
    assert_eq!((date.len(), &date[..2]), ("2026-01-31-12-00-00".len(), "20"));
}
