//! Edits of the network while the run goes on.

use super::run::{Cluster, Plan};

/// Roads come and go, lanes, connections and programs change; orders in between.
const COMMANDS: &str = r#"{"step": 60, "command": {"type1":"up","type2":"edge","param":[{"action":"close","lane":"30259739#0_0"}]}}
{"step": 120, "command": {"type1":"up","type2":"edit","param":[{"action":"removeEdge","edge":"30288182#0"},{"action":"addLane","edge":"35062275"}]}}
{"step": 121, "command": {"type1":"up","type2":"vehicle","param":[{"action":"add","vehicle":"new.1","type":"car","edges":"155987296,24449353"}]}}
{"step": 200, "command": {"type1":"up","type2":"edge","param":[{"action":"speed","edge":"35062275","speed":"4"}]}}
{"step": 200, "command": {"type1":"up","type2":"edit","param":[{"action":"changeEdge","edge":"155987296","speed":"5"},{"action":"removeEdge","edge":"24336602"}]}}
{"step": 300, "command": {"type1":"up","type2":"edge","param":[{"action":"open","lane":"30259739#0_0"}]}}
"#;

fn plan(workers: usize) -> Plan {
    Plan { commands: Some(COMMANDS), ..Plan::new(420, workers) }
}

fn ends_with_edits(cluster: &mut Cluster) {
    cluster.ends_as_undisturbed();
}

#[test]
fn a_run_that_is_edited_has_one_result_on_three_workers() {
    let mut cluster = plan(3).start();
    ends_with_edits(&mut cluster);
    let edits = cluster.master.events();
    let edits: Vec<_> = edits.iter().filter(|event| event["message"] == "network edited").collect();
    assert_eq!(edits.iter().map(|event| event["step"].as_u64()).collect::<Vec<_>>(), [Some(120), Some(201)]);
    assert!(edits.iter().any(|event| event["discarded"].as_u64() > Some(0)), "{edits:?}");
}

#[test]
fn a_worker_that_is_killed_in_the_middle_of_an_edit_changes_nothing() {
    let mut cluster = plan(3).start();
    cluster.master.wait_for("command executed", |event| event["step"] == 120);
    cluster.kill_worker(1);
    ends_with_edits(&mut cluster);
}

#[test]
fn a_master_that_is_killed_in_the_middle_of_an_edit_changes_nothing() {
    for message in ["command executed", "network edited"] {
        let mut cluster = plan(2).start();
        cluster.master.wait_for(message, |event| event["step"] == 120);
        cluster.master.kill();
        cluster.restart_master(2, 2);
        ends_with_edits(&mut cluster);
    }
}
