//! What documents and files of deploy/ say about security is what the program does.

use std::collections::BTreeSet;
use std::path::Path;

use tessds::tls::TlsFiles;

fn text(path: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
}

fn sources(folder: &Path, all: &mut String) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            sources(&path, all);
        } else {
            all.push_str(&std::fs::read_to_string(&path).expect("a source"));
        }
    }
}

/// What stands between the quotation mark after `before` and the next one.
fn quoted_after<'a>(text: &'a str, before: &str) -> impl Iterator<Item = &'a str> {
    text.match_indices(before).filter_map(|(at, found)| {
        let rest = &text[at + found.len()..];
        let mark = rest.chars().next().filter(|c| matches!(c, '"' | '\''))?;
        rest[1..].split(mark).next()
    })
}

#[test]
fn the_user_of_redis_may_do_what_the_program_does_and_nothing_else() {
    let mut all = String::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/persist/redis"), &mut all);
    let mut used: BTreeSet<String> =
        ["cmd(", "redis.call("].iter().flat_map(|call| quoted_after(&all, call)).map(str::to_lowercase).collect();
    assert!(used.len() > 15, "only {used:?} were found");
    // How the scripts get there.
    used.extend(["evalsha", "script|load"].map(str::to_owned));
    for path in ["deploy/redis/users.acl.example", "deploy/kubernetes/overlays/dev/users.acl"] {
        let users = text(path);
        let line = users.lines().find(|line| line.starts_with("user tessds ")).expect("the program's user");
        let allowed: BTreeSet<String> =
            line.split(' ').filter_map(|word| word.strip_prefix('+')).map(str::to_owned).collect();
        assert_eq!(allowed, used, "{path}");
        assert!(line.contains(" -@all ") && line.contains(" ~tessds:* "), "{path}: {line}");
        assert!(users.lines().any(|line| line == "user default off"), "{path}");
    }
}

/// Each row of the table of limits names a constant or a setting, and the file it stands in.
#[test]
fn every_limit_that_is_listed_stands_where_the_list_says() {
    let document = text("SECURITY.md");
    let limits = document.split("\n## ").find(|part| part.starts_with("Limits")).expect("a section of limits");
    let mut checked = 0;
    for row in limits.lines().filter(|line| line.starts_with("| ") && line.contains('`')) {
        let terms: Vec<&str> = row.split('`').skip(1).step_by(2).collect();
        let (files, names): (Vec<&str>, Vec<&str>) = terms.iter().partition(|term| term.contains('/'));
        assert!(!files.is_empty() && !names.is_empty(), "no name or no file in: {row}");
        let found: String = files.iter().map(|file| text(file)).collect();
        for name in names {
            let last = name.rsplit('.').next().expect("a name");
            assert!(found.contains(last), "{name} is not in {files:?}");
            checked += 1;
        }
    }
    assert!(checked >= 25, "only {checked} limits were checked");
}

/// The script that operators are told to use makes what the program takes.
#[test]
fn the_script_makes_certificates_that_the_program_takes() {
    let folder = tempfile::tempdir().expect("a folder");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tools/make_certificates.sh");
    let make = || {
        let mut script = std::process::Command::new(&script);
        let done = script.arg(folder.path()).args(["127.0.0.1", "localhost", "*.tessds-worker.x.svc"]).output();
        let done = done.expect("the script");
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        let said = String::from_utf8_lossy(&done.stderr).into_owned();
        assert!(said.contains("IP:127.0.0.1,DNS:localhost,DNS:*.tessds-worker.x.svc"), "{said}");
        std::fs::read(folder.path().join("ca.crt")).expect("an authority")
    };
    let path = |name| folder.path().join(name);
    let files = TlsFiles { certificate: path("tls.crt"), key: path("tls.key"), ca: Some(path("ca.crt")) };
    let authority = make();
    files.credentials().expect("good files");
    // Once more: renewed, by the same authority.
    assert_eq!(make(), authority);
    files.credentials().expect("good files");
}
