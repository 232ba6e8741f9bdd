//! The real program: its commands about cuts, regions and scenarios, and what it says about bad ones.

use std::path::Path;
use std::process::{Command, Output};

use tempfile::TempDir;

pub struct Said {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

/// Runs `tessds` with a line in which `DIR` stands for a folder and `HELSINKI` for the example.
pub fn tessds(folder: &TempDir, line: &str) -> Said {
    let folder = folder.path().display().to_string();
    let helsinki = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/helsinki/run.sumocfg");
    let words = line.split_whitespace().map(|word| word.replace("DIR", &folder).replace("HELSINKI", helsinki));
    let Output { status, stdout, stderr } =
        Command::new(env!("CARGO_BIN_EXE_tessds")).args(words).output().expect("the program");
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).replace(&format!("{folder}/"), "");
    Said { code: status.code(), out: text(stdout), err: text(stderr) }
}

/// A run that ends well; gives its digest.
pub fn digest(folder: &TempDir, line: &str) -> String {
    let said = tessds(folder, &format!("run --no-step-log --report-json DIR/report.json {line}"));
    assert_eq!(said.code, Some(0), "{line}: {}", said.err);
    let report = std::fs::read_to_string(folder.path().join("report.json")).unwrap();
    let report: serde_json::Value = serde_json::from_str(&report).unwrap();
    format!("{} after {}", report["digest"], report["steps"])
}

fn read(folder: &TempDir, name: &str) -> String {
    std::fs::read_to_string(folder.path().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn check_error(folder: &TempDir, line: &str, expected: &str) {
    let said = tessds(folder, line);
    assert_eq!(said.code, Some(2), "{line}: {}", said.err);
    assert!(said.err.contains(expected), "{line}: {}", said.err);
}

#[test]
fn a_cut_is_shown_written_edited_and_given_back() {
    let folder = tempfile::tempdir().unwrap();
    let said = tessds(
        &folder,
        "partition -c HELSINKI --partitions 3 --write-assignment DIR/a.txt --svg DIR/p.svg --geojson DIR/p.geojson --json",
    );
    assert_eq!(said.code, Some(0), "{}", said.err);
    let report: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    let lines = report["partitions"].as_array().unwrap();
    assert_eq!(lines.len(), 3);
    for line in lines {
        assert!(line["edges"].as_u64().unwrap() > 0 && line["lane_m"].as_f64().unwrap() > 100.0, "{line}");
        assert!(
            line["halo_lanes"].as_u64().unwrap() > 0 && !line["neighbours"].as_array().unwrap().is_empty(),
            "{line}"
        );
    }
    let edges = read(&folder, "a.txt").lines().filter(|line| line.starts_with("edge:")).count();
    assert_eq!(report["edges"].as_u64(), Some(edges as u64));

    let geojson: serde_json::Value = serde_json::from_str(&read(&folder, "p.geojson")).unwrap();
    assert_eq!(geojson["features"].as_array().unwrap().len(), edges);
    assert!(geojson["features"][0]["properties"]["partition"].is_u64());
    let svg = read(&folder, "p.svg");
    assert!(svg.len() < 4 << 20, "{} bytes", svg.len());
    let mut reader = tessds::xml::XmlReader::new("p.svg", svg.as_bytes());
    let mut groups = 0;
    while let Some(node) = reader.next().unwrap_or_else(|error| panic!("{error}")) {
        groups += usize::from(matches!(node, tessds::xml::Node::Start(element) if element.name == "g"));
    }
    assert_eq!(groups, 5, "one for each partition and two around");

    // Given back it is the same cut, also as JSON; a name and an open edge make it another one.
    let again = tessds(&folder, "partition -c HELSINKI --assignment DIR/a.txt --write-assignment DIR/b.json --json");
    assert_eq!(again.out, said.out);
    let text = read(&folder, "a.txt").replace("[partition 1]", "[partition 1 on harbour]");
    let open = text.lines().filter(|line| !line.starts_with("edge:")).count();
    let every_third: Vec<&str> = text
        .lines()
        .enumerate()
        .filter(|(at, line)| !line.starts_with("edge:") || at % 3 == 0)
        .map(|(_, l)| l)
        .collect();
    assert!(every_third.len() > open + 10);
    std::fs::write(folder.path().join("c.txt"), every_third.join("\n")).unwrap();
    let named = tessds(&folder, "partition -c HELSINKI --assignment DIR/c.txt");
    assert!(named.out.contains("on harbour") && named.out.starts_with("3 partitions"), "{}", named.out);
    let whole = digest(&folder, "-c HELSINKI --end 300 --partitions 1");
    for cut in ["--assignment DIR/b.json", "--assignment DIR/c.txt", "--assignment DIR/c.txt --partitions 5"] {
        assert_eq!(digest(&folder, &format!("-c HELSINKI --end 300 {cut}")), whole, "{cut}");
    }
}

#[test]
fn bad_cuts_and_regions_end_with_code_2_and_say_where_and_why() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("bad.txt", "[partition 0]\nedge:nowhere\n");
    write("gap.json", "{\"partitions\": [\n{\"number\": 1, \"edges\": [\"x\"]}]}");
    let check = |line: &str, expected: &str| check_error(&folder, &format!("run -c HELSINKI {line}"), expected);
    check("--assignment DIR/bad.txt", "bad.txt:2: edge 'nowhere' is not in the network");
    check("--assignment DIR/gap.json", "gap.json:2: partition 1 is there, but 0 is not");
    check("--assignment DIR/none.txt", "none.txt: file not found");
    check("--partition-min 5 --partition-max 4", "partition.min is 5 and partition.max 4");
    check("--partition-max 4 --partitions 5", "partition.count is 5, which is not within");
    check("--partitions 4096", "partitions, not 4096; ask for fewer");
    check("--region 1,2,3", "is no box");
    check("--region -9,-9,-8,-8", "no edge is in the region");
    check("--region DIR/none.txt", "file not found");
    check("--crossings DIR/none.txt", "set one with region.edges");
    check("--region 0,0,1000,1000 --crossings DIR/bad.txt", "bad.txt:1: this is no file of crossings");
    check_error(&folder, "partition -c HELSINKI --svg DIR/no/folder.svg", "folder.svg: cannot be written");
}

#[test]
fn a_region_runs_alone_by_itself_and_with_a_store_and_gives_one_result() {
    let folder = tempfile::tempdir().unwrap();
    let options = "-c HELSINKI --end 300 --region 1000,1000,3000,3000";
    let region = middle_of_the_example();
    let options = options.replace("1000,1000,3000,3000", &region);
    digest(&folder, &format!("{options} --record-crossings DIR/c.jsonl"));
    assert!(read(&folder, "c.jsonl").lines().count() > 20);
    for crossings in ["", "--crossings DIR/c.jsonl"] {
        let alone = digest(&folder, &format!("{options} {crossings}"));
        assert_eq!(digest(&folder, &format!("{options} {crossings} --partitions 3")), alone);
        let run = if crossings.is_empty() { "a" } else { "b" };
        let stored = format!("{options} {crossings} --partitions 2 --store dir:DIR/store --run-id {run}");
        assert_eq!(digest(&folder, &stored), alone);
    }
}

fn middle_of_the_example() -> String {
    let scenario = crate::common::scenarios::scenario(&crate::common::scenarios::helsinki(), 1);
    let [x0, y0, x1, y1] = scenario.network.location.boundary;
    let between = |a: f64, b: f64, share: f64| a + (b - a) * share;
    let corners = [between(x0, x1, 0.25), between(y0, y1, 0.25), between(x0, x1, 0.75), between(y0, y1, 0.75)];
    corners.map(|value| value.to_string()).join(",")
}

/// For the errors of compiled scenarios.
pub fn fails_with(folder: &TempDir, line: &str, expected: &str) {
    check_error(folder, line, expected);
}

pub fn exists(folder: &TempDir, name: &str) -> bool {
    Path::new(&folder.path().join(name)).exists()
}
