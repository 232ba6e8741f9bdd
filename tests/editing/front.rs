//! Load, edit, start, with the real program.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};

use super::program::Program;

fn tessds(folder: &Path, arguments: &[&str]) -> (bool, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tessds"));
    let done = command.current_dir(folder).args(arguments).output().expect("the program");
    let text = [done.stdout, done.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    (done.status.success(), text)
}

fn edit(params: &[Value]) -> String {
    json!({"type1": "up", "type2": "edit", "param": params}).to_string()
}

const LOAD: &str = r#"{"type1":"up","type2":"loadNet","param":[{"projId":"297","netKey":"sz"}]}"#;
const NET: &str = r#"{"type1":"load","type2":"net"}"#;

/// A way back beside the first edge, and the removal of the one after it.
fn edits(program: &Program) -> String {
    let edges = program.done(NET)["edges"].clone();
    let (first, gone) = (&edges[0], &edges[1]);
    edit(&[
        json!({"action": "addEdge", "id": "new", "from": first["to"], "to": first["from"], "lanes": "2", "speed": "13.9"}),
        json!({"action": "removeEdge", "edge": gone["id"]}),
    ])
}

#[test]
fn an_edit_between_load_and_start_is_in_the_simulated_network_and_in_the_cut() {
    let program = Program::start(&["--partitions", "3", "-e", "400"]);
    program.done(LOAD);
    let edits = edits(&program);
    let before = program.done(NET);
    let loaded = program.done(&edits);
    assert!(loaded["edges"].as_u64() > before["edgeCount"].as_u64(), "{loaded}");
    let shown = program.done(NET);
    assert_eq!(shown["edgeCount"], before["edgeCount"], "one more and one less");
    let names = |net: &Value| -> Vec<String> {
        let edges = net["edges"].as_array().expect("edges").iter();
        edges.map(|edge| edge["id"].as_str().expect("a name").to_owned()).collect()
    };
    assert!(names(&shown).contains(&"new".to_owned()) && !names(&before).contains(&"new".to_owned()));
    assert_eq!(program.done(r#"{"type1":"down","type2":"edit"}"#)["edits"][0].to_string(), edits);
    assert_eq!(program.simulation(r#""action":"start""#)["code"], 200);
    let end = program.reaches("finished");
    assert!(end["vehicles"]["arrived"].as_u64() > Some(0), "{end}");

    // The same from the command line, on one partition; the cut has the new edge, and the removed one is in none.
    let folder = program.folder.path();
    std::fs::write(folder.join("edits.jsonl"), format!("{edits}\n")).expect("room");
    let given = ["-c", "297/sz/run.sumocfg", "--edits", "edits.jsonl"];
    let run = ["-e", "400", "--quiet", "--partitions", "1", "--report-json", "report.json"];
    let (done, text) = tessds(folder, &[&["run"], &given[..], &run].concat());
    assert!(done, "{text}");
    let report: Value =
        serde_json::from_slice(&std::fs::read(folder.join("report.json")).expect("a report")).expect("JSON");
    assert_eq!(report["digest"], end["digest"]);
    let cut = ["--partitions", "3", "--write-assignment", "cut.txt"];
    let (done, text) = tessds(folder, &[&["partition"], &given[..], &cut].concat());
    assert!(done, "{text}");
    let cut = std::fs::read_to_string(folder.join("cut.txt")).expect("a cut");
    let gone = names(&before).into_iter().find(|name| !names(&shown).contains(name)).expect("one less");
    let has = |edge: &str| cut.lines().any(|line| line == format!("edge:{edge}"));
    assert!(has("new") && !has(&gone));
}

#[test]
fn an_edit_that_cannot_be_made_changes_nothing_and_says_why() {
    let program = Program::start(&["-e", "100"]);
    assert_eq!(
        program.command(&edit(&[json!({"action": "removeEdge", "edge": "x"})]))["code"],
        409,
        "nothing is loaded"
    );
    program.done(LOAD);
    let before = program.done(NET);
    let check = |message: &str, code: u64, expected: &str| {
        let reply = program.command(message);
        assert_eq!(reply["code"], code, "{reply}");
        assert!(reply["msg"].as_str().expect("a text").contains(expected), "{reply}");
    };
    let good = json!({"action": "removeEdge", "edge": before["edges"][0]["id"]});
    check(&edit(&[good.clone(), json!({"action": "removeEdge", "edge": "nowhere"})]), 404, "no edge 'nowhere'");
    check(&edit(&[json!({"action": "addEdge", "id": "new"})]), 400, "'from' is missing");
    check(&edit(&[json!({"action": "fold"})]), 400, "'edit' takes");
    check(&edit(&[good.clone(), json!({"action": "reset"})]), 400, "must be the only object");
    assert_eq!(program.done(NET), before);
    program.done(&edit(&[good]));
    assert_ne!(program.done(NET), before);
    program.done(&edit(&[json!({"action": "reset"})]));
    assert_eq!(program.done(NET), before);
}

#[test]
fn a_bad_file_of_edits_is_an_error_that_names_the_line() {
    let program = Program::start(&[]);
    let folder = program.folder.path();
    let check = |text: &str, expected: &str| {
        std::fs::write(folder.join("edits.jsonl"), text).expect("room");
        let arguments = ["run", "-c", "297/sz/run.sumocfg", "-e", "10", "--edits", "edits.jsonl"];
        let (done, said) = tessds(folder, &arguments);
        assert!(!done && said.contains(expected), "{said}");
    };
    check("\n{\n", "edits.jsonl:2");
    let edits = edit(&[json!({"action": "removeEdge", "edge": "nowhere"})]);
    check(&edits, "edits.jsonl:1: there is no edge 'nowhere'");
}

#[test]
fn a_network_is_edited_while_the_run_is_paused_and_the_log_repeats_it() {
    let program = Program::start(&["--partitions", "2", "-e", "300", "--store", "dir:store", "--run-id", "edited"]);
    program.begin(r#","paused":true"#);
    program.reaches("paused");
    program.simulation(r#""action":"step","steps":"50""#);
    while program.status()["step"] != 50 {}
    let gone = program.done(NET)["edges"][1]["id"].clone();
    let said = program.done(&edits(&program));
    assert_eq!(said["step"], 50, "{said}");
    // The same, while the first is being made or when it is there.
    let again = program.command(&edit(&[json!({"action": "removeEdge", "edge": gone})]));
    assert!(again["code"] == 404 || again["code"] == 503, "{again}");
    let is_shown = || program.done(NET)["edges"].as_array().expect("edges").iter().all(|edge| edge["id"] != gone);
    while !is_shown() {}
    assert_eq!(program.reaches("paused")["step"], 50, "it is still paused");
    assert_eq!(program.simulation(r#""action":"resume""#)["code"], 200);
    let end = program.reaches("finished");
    let folder = program.folder.path();
    let (done, log) = tessds(folder, &["snapshot", "commands", "edited", "--store", "dir:store"]);
    assert!(done && log.lines().count() == 1, "{log}");
    std::fs::write(folder.join("commands.jsonl"), log).expect("room");
    let given = ["run", "-c", "297/sz/run.sumocfg", "-e", "300", "--quiet", "--command-log", "commands.jsonl"];
    let rest = ["--store", "memory", "--partitions", "3", "--report-json", "report.json"];
    let (done, text) = tessds(folder, &[&given[..], &rest].concat());
    assert!(done, "{text}");
    let report: Value =
        serde_json::from_slice(&std::fs::read(folder.join("report.json")).expect("a report")).expect("JSON");
    assert_eq!(report["digest"], end["digest"]);
}

/// Who sent a command in the moment in which one network was exchanged for the next was told that the run had ended.
#[test]
fn nobody_is_told_that_the_run_is_gone_when_its_network_is_edited() {
    let program = Program::start(&["--partitions", "2", "--speed", "100"]);
    program.begin("");
    let edges = program.done(NET)["edges"].clone();
    let over = AtomicBool::new(false);
    std::thread::scope(|threads| {
        let ask = || {
            let mut codes = BTreeSet::new();
            while !over.load(Ordering::Relaxed) {
                let reply = program.simulation(r#""action":"speed","factor":"100""#);
                codes.insert(reply["code"].as_u64());
            }
            codes
        };
        let asking: Vec<_> = (0..4).map(|_| threads.spawn(ask)).collect();
        for edge in edges.as_array().expect("edges").iter().take(4) {
            let slower = edit(&[json!({"action": "changeEdge", "edge": edge["id"], "speed": "5"})]);
            while program.command(&slower)["code"] == 503 {}
        }
        over.store(true, Ordering::Relaxed);
        for codes in asking {
            let codes = codes.join().expect("answers");
            assert!(codes.iter().all(|code| matches!(code, Some(200 | 503))), "{codes:?}");
        }
    });
}

#[test]
fn a_run_of_which_nothing_is_kept_is_edited_too() {
    let program = Program::start(&["--partitions", "2", "-e", "200"]);
    program.begin(r#","paused":true"#);
    program.reaches("paused");
    program.done(&edits(&program));
    assert_eq!(program.simulation(r#""action":"resume""#)["code"], 200);
    program.reaches("finished");
}
