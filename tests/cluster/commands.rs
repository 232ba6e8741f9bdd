//! Commands that change the simulated world, at definite steps.

use std::process::Command;

use super::run::{Cluster, Plan, RUN};

/// Of every kind.
const COMMANDS: &str = r#"{"step": 0, "command": {"type1":"up","type2":"edge","param":[{"action":"speed","edge":"35062275","speed":"4"}]}}
{"time": "00:02:00", "command": {"type1":"up","type2":"edge","param":[{"action":"close","edge":"30288182#0"},{"action":"close","lane":"30259739#0_0"}]}}
{"step": 150, "command": {"type1":"up","type2":"signal","param":[{"action":"state","signal":"1371708589","state":"rrrrrrrrrrrr"}]}}
{"step": 160, "command": {"type1":"up","type2":"signal","param":[{"action":"phase","signal":"1376293699","phase":2,"duration":"30"}]}}
{"step": 200, "command": {"type1":"up","type2":"vehicle","param":[{"action":"add","vehicle":"new.1","type":"car","edges":"155987296,24449353"},{"action":"add","vehicle":"new.2","type":"taxi","edges":["75507125","24336602"],"departSpeed":"max"}]}}
{"step": 210, "command": {"type1":"up","type2":"vehicle","param":[{"action":"remove","vehicle":"20"},{"action":"speed","vehicle":"new.1","speed":"3"}]}}
{"step": 230, "command": {"type1":"up","type2":"incident","param":[{"action":"block","lane":"30967467#0_0","from":"5","to":"20","duration":"120"}]}}
{"step": 260, "command": {"type1":"up","type2":"signal","param":[{"action":"program","signal":"1371708589","program":"0"}]}}
{"step": 300, "command": {"type1":"up","type2":"edge","param":[{"action":"open","edge":"30288182#0"},{"action":"open","lane":"30259739#0_0"}]}}
{"step": 330, "command": {"type1":"up","type2":"snapshot","param":[{"action":"take"}]}}
"#;

fn plan(workers: usize) -> Plan {
    Plan { commands: Some(COMMANDS), ..Plan::new(600, workers) }
}

#[test]
fn the_same_commands_give_one_result_on_four_workers() {
    plan(4).start().ends_as_undisturbed();
}

#[test]
fn several_partitions_on_a_worker_get_the_same_commands() {
    Plan { partitions: 5, ..plan(2) }.start().ends_as_undisturbed();
}

#[test]
fn a_worker_that_is_killed_between_commands_changes_nothing() {
    let mut cluster = plan(4).start();
    cluster.committed(150);
    cluster.kill_worker(1);
    cluster.ends_as_undisturbed();
    assert!(cluster.report()["recoveries"].as_u64() >= Some(1));
}

#[test]
fn a_master_that_is_killed_between_commands_changes_nothing() {
    let mut cluster = plan(3).start();
    cluster.committed(150);
    cluster.master.kill();
    cluster.restart_master(3, 3);
    cluster.ends_as_undisturbed();
}

fn interrupted(step: u64) -> Cluster {
    // Its workers do not come back.
    let mut cluster = plan(3).with("CLUSTER__ADOPTION_MS", 500).start();
    cluster.committed(step);
    cluster.master.kill();
    cluster.workers.drain(..).for_each(|mut worker| worker.kill());
    cluster
}

#[test]
fn commands_that_were_given_survive_a_resume() {
    let mut cluster = interrupted(250);
    cluster.resume("standalone");
    cluster.ends_as_undisturbed();
    // They are in the log as they were given, and make the same run again.
    let done = Command::new(env!("CARGO_BIN_EXE_tessds"))
        .args(["snapshot", "commands", RUN, "--store", &cluster.store])
        .output()
        .expect("the program");
    let log = String::from_utf8(done.stdout).expect("text");
    assert_eq!(log.lines().count(), COMMANDS.lines().count(), "{log}");
    let again = Plan { commands: Some(log.leak()), ..Plan::new(600, 2) };
    again.start().ends_as_undisturbed();
}

#[test]
fn a_command_that_names_nothing_is_an_error_before_the_run() {
    let mut cluster = Plan {
        commands: Some(
            r#"{"step": 9, "command": {"type1":"up","type2":"edge","param":[{"action":"close","edge":"nowhere"}]}}"#,
        ),
        ..Plan::new(600, 1)
    }
    .master();
    cluster.master.ends_with(2);
    let said = cluster.master.tail();
    assert!(said.contains("commands.jsonl:1") && said.contains("there is no edge 'nowhere'"), "{said}");
}

#[test]
fn what_an_edit_takes_away_no_later_command_can_name() {
    let removed = r#"{"step": 9, "command": {"type1":"up","type2":"edit","param":[{"action":"removeEdge","edge":"30288182#0"}]}}
{"step": 20, "command": {"type1":"up","type2":"edge","param":[{"action":"close","edge":"30288182#0"}]}}
"#;
    let mut cluster = Plan { commands: Some(removed), ..Plan::new(600, 1) }.master();
    cluster.master.ends_with(2);
    let said = cluster.master.tail();
    assert!(said.contains("commands.jsonl:2") && said.contains("there is no edge '30288182#0'"), "{said}");
}
