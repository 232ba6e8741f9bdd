//! Runs that are driven.

use std::process::Command;

use serde_json::Value;

use super::program::Program;

fn tessds(folder: &std::path::Path, arguments: &[&str]) -> String {
    let done =
        Command::new(env!("CARGO_BIN_EXE_tessds")).current_dir(folder).args(arguments).output().expect("the program");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8(done.stdout).expect("text")
}

#[test]
fn a_run_is_paused_stepped_kept_to_a_speed_and_goes_on() {
    let program = Program::start(&["--partitions", "2"]);
    program.begin(r#","paused":true"#);
    program.reaches("paused");
    assert_eq!(program.simulation(r#""action":"step","steps":"25""#)["data"]["until"], 25);
    while program.status()["step"] != 25 {}
    assert_eq!(program.status()["state"], "paused");
    assert_eq!(program.simulation(r#""action":"speed","factor":"100""#)["code"], 200);
    assert_eq!(program.simulation(r#""action":"resume""#)["code"], 200);
    let before = std::time::Instant::now();
    while program.status()["step"].as_u64() < Some(100) {}
    assert!(before.elapsed().as_millis() > 500, "75 steps at a hundred times real time");
    assert_eq!(program.simulation(r#""action":"speed","factor":"0""#)["code"], 200);
    let end = program.reaches("finished");
    assert_eq!(end["step"], 4500);
    assert!(end["vehicles"]["arrived"].as_u64() > Some(3000), "{end}");
}

#[test]
fn orders_go_to_the_partitions_that_know_the_road_and_to_no_other() {
    let program = Program::start(&["--partitions", "6"]);
    program.begin(r#","paused":true"#);
    program.reaches("paused");
    let net = program.done(r#"{"type1":"load","type2":"net"}"#);
    let edges = net["edges"].as_array().expect("edges");
    let mut few = 6;
    for edge in edges.iter().step_by(40) {
        let name = edge["id"].as_str().expect("a name");
        let speed = format!(
            r#"{{"type1":"up","type2":"edge","ds":"true","param":[{{"action":"speed","edge":"{name}","speed":"5"}}]}}"#
        );
        let told = program.done(&speed)["partitions"].as_array().expect("a list").len();
        few = few.min(told);
    }
    assert!(few < 6, "some road is known to fewer than all");
    let given: u64 = program.status()["partitions"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|part| part["orders"].as_u64().unwrap_or(0))
        .sum();
    assert!(given < 6 * edges.len().div_ceil(40) as u64);
}

#[test]
fn a_run_that_was_driven_by_hand_can_be_repeated() {
    let program =
        Program::start(&["--partitions", "3", "--store", "dir:kept", "--run-id", "by-hand", "--speed", "2000"]);
    program.begin("");
    program.reaches("running");
    for command in [
        r#"{"type1":"up","type2":"edge","param":[{"action":"close","edge":"30288182#0"}]}"#,
        r#"{"type1":"up","type2":"vehicle","param":[{"action":"add","vehicle":"mine","type":"car","edges":"155987296,24449353"}]}"#,
        r#"{"type1":"up","type2":"edge","param":[{"action":"speed","edge":"35062275","speed":"4"}]}"#,
        r#"{"type1":"up","type2":"edge","param":[{"action":"open","edge":"30288182#0"}]}"#,
    ] {
        program.done(command);
        std::thread::sleep(std::time::Duration::from_millis(30));
    }
    let digest = program.reaches("finished")["digest"].clone();
    let folder = program.folder.path();
    let log = tessds(folder, &["snapshot", "commands", "by-hand", "--store", "dir:kept"]);
    assert_eq!(log.lines().count(), 4, "{log}");
    std::fs::write(folder.join("commands.jsonl"), log).expect("room");
    let again = [
        "run",
        "-c",
        "297/sz/run.sumocfg",
        "--partitions",
        "1",
        "--store",
        "memory",
        "--command-log",
        "commands.jsonl",
        "-q",
    ];
    tessds(folder, &[&again[..], &["--report-json", "again.json"]].concat());
    let report: Value =
        serde_json::from_slice(&std::fs::read(folder.join("again.json")).expect("a report")).expect("JSON");
    assert_eq!(report["digest"], digest);
}

#[test]
fn a_program_that_was_given_a_run_ends_with_it_also_when_a_command_has_started_it() {
    let mut program =
        Program::start(&["-c", "297/sz/run.sumocfg", "--paused", "-e", "100", "--report-json", "report.json"]);
    program.reaches("netLoaded");
    assert_eq!(program.simulation(r#""action":"start""#)["code"], 200);
    assert_eq!(program.ends(), Some(0));
    let report = std::fs::read(program.folder.path().join("report.json")).expect("a report");
    let report: Value = serde_json::from_slice(&report).expect("JSON");
    assert_eq!(report["steps"], 100);
}

#[test]
fn ctl_drives_a_run() {
    let program = Program::start(&[]);
    let folder = program.folder.path();
    let ctl = |arguments: &[&str]| tessds(folder, &[&["ctl", "--http", &program.address], arguments].concat());
    ctl(&["load", "297/sz/run.sumocfg"]);
    ctl(&["start", "--paused"]);
    program.reaches("paused");
    ctl(&["step", "10"]);
    assert!(ctl(&["send", r#"{"type1":"down","type2":"partitions"}"#]).contains("partitions"));
    ctl(&["resume"]);
    assert!(ctl(&["status"]).contains("step"));
    ctl(&["stop"]);
    program.reaches("stopped");
}
