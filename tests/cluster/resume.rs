//! Runs that are gone on with by hand.

use std::process::Command;

use serde_json::Value;

use super::run::{Cluster, Plan, RUN};

/// The workers do not come back: the sooner that is taken for sure, the sooner the test is over.
fn plan(workers: usize) -> Plan {
    Plan::new(2000, workers).with("CLUSTER__ADOPTION_MS", 500)
}

/// All processes are killed, after a commit of so many steps or more.
fn interrupt(cluster: &mut Cluster, step: u64) {
    cluster.committed(step);
    cluster.master.kill();
    cluster.workers.drain(..).for_each(|mut worker| worker.kill());
}

#[test]
fn a_run_is_gone_on_with_on_other_workers_and_then_in_one_process() {
    let mut cluster = plan(4).start();
    interrupt(&mut cluster, 100);
    cluster.resume("master");
    (0..2).for_each(|_| cluster.add_worker(&[]));
    cluster.master.wait_for("run resumed from its last snapshot", |event| event["step"].as_u64() >= Some(100));
    interrupt(&mut cluster, 300);
    cluster.resume("standalone");
    cluster.ends_as_undisturbed();

    // It is finished, and nobody goes on with it.
    cluster.resume("standalone");
    cluster.master.ends_with(0);
    assert!(
        cluster.master.tail().contains("already finished and is not repeated; choose another --run-id"),
        "{}",
        cluster.master.tail()
    );
}

#[test]
fn another_scenario_under_the_name_of_a_run_is_an_error() {
    let mut cluster = plan(2).start();
    interrupt(&mut cluster, 50);
    cluster.task.steps = 300;
    cluster.restart_master(2, 2);
    cluster.master.ends_with(2);
    let said = cluster.master.tail();
    assert!(said.contains("another scenario, seed, number of partitions") && said.contains("--run-id"), "{said}");
    // Another number of partitions is another run, too.
    cluster.task.steps = 2000;
    cluster.restart_master(3, 2);
    cluster.master.ends_with(2);
    // The run itself is none the worse for it.
    cluster.resume("standalone");
    cluster.ends_as_undisturbed();
}

#[test]
fn a_run_that_nobody_knows_cannot_be_resumed() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = format!("dir:{}", folder.path().display());
    let done = Command::new(env!("CARGO_BIN_EXE_tessds"))
        .args(["run", "--resume", "nobody", "--store", &store])
        .output()
        .expect("the program");
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    assert_eq!(done.status.code(), Some(2), "{said}");
    assert!(said.contains("the store holds no run of this name; see 'tessds snapshot ls'"), "{said}");
}

fn commits(cluster: &Cluster) -> Vec<u64> {
    let done = Command::new(env!("CARGO_BIN_EXE_tessds"))
        .args(["snapshot", "show", RUN, "--json", "--store", &cluster.store])
        .output()
        .expect("the program");
    let commits: Value = serde_json::from_slice(&done.stdout).expect("commits");
    commits.as_array().expect("a list").iter().map(|commit| commit["step"].as_u64().expect("a step")).collect()
}

#[test]
fn a_damaged_snapshot_is_passed_over_for_the_one_before() {
    let mut cluster = plan(2).start();
    interrupt(&mut cluster, 150);
    let commits = damage(&cluster);
    cluster.resume("standalone");
    cluster.ends_as_undisturbed();
    passed_over(&cluster, &commits);
}

/// The workers have forgotten what they reported before the commit that counts no more.
#[test]
fn workers_that_heard_of_a_damaged_snapshot_compute_it_again() {
    let mut cluster = plan(2).with("CLUSTER__ADOPTION_MS", 60_000).start();
    cluster.committed(150);
    cluster.master.kill();
    let commits = damage(&cluster);
    cluster.restart_master(2, 2);
    cluster.ends_as_undisturbed();
    passed_over(&cluster, &commits);
}

/// Damages the newest commit; gives the steps of all, newest first.
fn damage(cluster: &Cluster) -> Vec<u64> {
    let commits = commits(cluster);
    assert!(commits.len() >= 2 && commits[0] > commits[1], "{commits:?}");
    let parts = std::fs::read_dir(cluster.parts()).expect("the parts").map(|part| part.expect("a part").path());
    let newest = format!("{:012}-", commits[0]);
    let damaged = parts.filter(|path| path.file_name().is_some_and(|n| n.to_string_lossy().starts_with(&newest)));
    for path in damaged {
        let mut bytes = std::fs::read(&path).expect("a part");
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        std::fs::write(&path, bytes).expect("room");
    }
    commits
}

fn passed_over(cluster: &Cluster, commits: &[u64]) {
    let warned = cluster.master.events();
    assert!(
        warned.iter().any(|e| e["message"] == "damaged snapshot; using the previous one" && e["step"] == commits[0])
    );
    let from = warned.iter().find(|event| event["message"] == "run resumed from its last snapshot").expect("a start");
    assert_eq!(from["step"], commits[1]);
}
