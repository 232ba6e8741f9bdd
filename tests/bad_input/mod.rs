//! Bad input to the real program: each is an error with file, line and element and exit code 2, or a warning and a run;
//! never a panic, a hang, or unbounded memory (I9).

mod damaged;
mod demand;
mod files;
mod hostile;
mod networks;
mod roads;
mod sumo_line;

use std::fs;
use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

/// `tests/data/loading/small.net.xml`, drawn in `tests/loading/mod.rs`.
const NET: &str = include_str!("../data/loading/small.net.xml");
const GOOD_ROUTES: &str = r#"<routes><trip id="t" from="a" to="d" depart="0"/></routes>"#;
/// Far more than any of these runs takes, even on a busy machine.
const TIME_LIMIT: Duration = Duration::from_secs(120);
/// Far less than what the hostile files unpack to.
const MEMORY_LIMIT_KIB: u64 = 1 << 20;

/// Files to write, and the command line; `DIR` in it stands for their folder. Later files replace earlier ones of that name.
struct Input<'a> {
    files: Vec<(&'a str, Vec<u8>)>,
    line: String,
}

impl<'a> Input<'a> {
    fn new(line: &str) -> Self {
        Self { files: Vec::new(), line: line.to_owned() }
    }
    /// A run of the small network with these files of demand.
    fn routes(text: impl AsRef<str>) -> Self {
        let routes = format!("<routes>\n{}</routes>", text.as_ref());
        Self::new("-n DIR/n.net.xml -r DIR/r.rou.xml --end 300").with("n.net.xml", NET).with("r.rou.xml", routes)
    }
    /// A run of another network, with a trip from `a` to `d`.
    fn net(text: impl Into<Vec<u8>>) -> Self {
        Self::new("-n DIR/n.net.xml -r DIR/r.rou.xml --end 300").with("n.net.xml", text).with("r.rou.xml", GOOD_ROUTES)
    }
    fn with(mut self, name: &'a str, content: impl Into<Vec<u8>>) -> Self {
        self.files.push((name, content.into()));
        self
    }
    fn options(mut self, more: &str) -> Self {
        self.line = format!("{} {more}", self.line);
        self
    }
    fn instead_of(mut self, old: &str, new: &str) -> Self {
        assert!(self.line.contains(old), "{old} in {}", self.line);
        self.line = self.line.replace(old, new);
        self
    }
}

enum Expected<'a> {
    /// The program ends with code 2 and says all of this in one message.
    Error(&'a [&'a str]),
    /// The run is finished; one line of the log has all of this.
    Warning(&'a [&'a str]),
}

/// What the program has said and how it ended.
struct Outcome {
    code: Option<i32>,
    /// Standard error, with `DIR/` cut out.
    said: String,
    /// The report as JSON; empty when there is none.
    report: String,
}

fn run(input: &Input<'_>) -> Outcome {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (name, content) in &input.files {
        fs::write(folder.path().join(name), content).expect("writing");
    }
    let report = folder.path().join("report.json");
    let line = input.line.replace("DIR", &folder.path().display().to_string());
    // The shell sets the bound of memory and then becomes the program.
    let mut child = Command::new("sh")
        .args(["-c", r#"ulimit -v "$1"; shift; exec "$@""#, "sh", &MEMORY_LIMIT_KIB.to_string()])
        .args([env!("CARGO_BIN_EXE_tessds"), "run", "--log-format", "text", "--partitions", "1", "--report-json"])
        .arg(&report)
        .args(line.split_whitespace())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut stderr = child.stderr.take().expect("it is piped");
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let mut said = Vec::new();
        let _ = stderr.read_to_end(&mut said);
        let _ = sender.send(said);
    });
    let said = receiver.recv_timeout(TIME_LIMIT).unwrap_or_else(|_| {
        let _ = child.kill();
        panic!("tessds run {} has not ended after {TIME_LIMIT:?}", input.line)
    });
    let code = child.wait().expect("the program has ended").code();
    let said = String::from_utf8_lossy(&said).replace(&format!("{}/", folder.path().display()), "");
    Outcome { code, said, report: read(&report) }
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

fn check(input: &Input<'_>, expected: &Expected<'_>) {
    let Outcome { code, said, .. } = run(input);
    let context = format!("tessds run {}: {said}", input.line);
    assert!(!said.contains("panicked"), "{context}");
    let (wanted_code, start, parts) = match expected {
        Expected::Error(parts) => (2, "error: ", parts),
        Expected::Warning(parts) => (0, "", parts),
    };
    let is_it = |line: &str| line.starts_with(start) && parts.iter().all(|part| line.contains(part));
    assert!(said.lines().any(is_it), "no line has {parts:?}\n{context}");
    assert_eq!(code, Some(wanted_code), "{context}");
}

fn error(input: &Input<'_>, parts: &[&str]) {
    check(input, &Expected::Error(parts));
}

fn warning(input: &Input<'_>, parts: &[&str]) {
    check(input, &Expected::Warning(parts));
}

#[test]
fn the_good_scenario_gives_neither_errors_nor_warnings() {
    let outcome = run(&Input::net(NET));
    assert_eq!((outcome.code, outcome.said.as_str()), (Some(0), ""));
    assert!(outcome.report.contains("\"arrived\": 1"), "{}", outcome.report);
}
