//! Processes that are killed, or told to end.

use std::process::Command;

use super::process::{Process, wait_until};
use super::run::{Cluster, Plan};

const STEPS: u64 = 1500;

#[test]
fn a_killed_worker_is_replaced() {
    let mut cluster = Plan::new(STEPS, 4).start();
    cluster.committed(100);
    cluster.kill_worker(1);
    cluster.ends_as_undisturbed();
    assert!(cluster.report()["recoveries"].as_u64() >= Some(1));
}

#[test]
fn two_workers_killed_one_after_the_other_are_replaced_by_those_that_are_left() {
    let mut cluster = Plan::new(STEPS, 4).start();
    cluster.committed(100);
    cluster.kill_worker(3);
    cluster.master.wait_for("worker lost", |_| true);
    cluster.kill_worker(0);
    cluster.ends_as_undisturbed();
    assert!(cluster.report()["recoveries"].as_u64() >= Some(2));
}

#[test]
fn what_was_recovered_under_an_earlier_master_counts_in_the_report() {
    let mut cluster = Plan::new(STEPS, 2).start();
    cluster.add_worker(&[]);
    cluster.committed(100);
    let host = cluster.host_of(0);
    cluster.kill_worker(host);
    cluster.master.wait_for("partition caught up", |_| true);
    // By then it is stored; commits come after it over the same connection.
    cluster.committed(cluster.newest_commit() + 1);
    cluster.master.kill();
    cluster.restart_master(2, 2);
    cluster.ends_as_undisturbed();
    let report = cluster.report();
    assert_eq!(report["recoveries"], 1, "{report}");
}

fn kill_and_restart_master(cluster: &mut Cluster) {
    cluster.master.kill();
    cluster.restart_master(4, 4);
    cluster.master.wait_for("run resumed from its last snapshot", |_| true);
}

#[test]
fn a_killed_master_is_restarted_and_adopts_its_workers() {
    let mut cluster = Plan::new(STEPS, 4).start();
    cluster.committed(100);
    kill_and_restart_master(&mut cluster);
    cluster.ends_as_undisturbed();
    assert_eq!(cluster.report()["recoveries"], 0, "the partitions stayed where they were");
}

#[test]
fn a_master_that_is_killed_before_the_first_commit_starts_from_the_beginning_with_the_workers_it_finds() {
    let mut cluster = Plan::new(STEPS, 4).with("CLUSTER__SNAPSHOT_INTERVAL", 400).start();
    cluster.master.wait_for("partition started", |_| true);
    cluster.master.kill();
    cluster.restart_master(4, 4);
    cluster.ends_as_undisturbed();
}

#[test]
fn master_and_worker_killed_together_are_replaced() {
    // The worker does not come back: the sooner that is taken for sure, the sooner the test is over.
    let mut cluster = Plan::new(STEPS, 4).with("CLUSTER__ADOPTION_MS", 2000).start();
    cluster.committed(100);
    cluster.kill_worker(2);
    kill_and_restart_master(&mut cluster);
    cluster.ends_as_undisturbed();
    assert!(cluster.report()["recoveries"].as_u64() >= Some(1));
}

#[test]
fn a_worker_that_is_told_to_end_hands_over_to_a_standby() {
    let mut cluster = Plan::new(STEPS, 4).start();
    cluster.master.wait_for("worker joined", |_| true);
    cluster.add_worker(&[]);
    cluster.master.wait_for("worker joined", |event| event["worker"] == "worker-4");
    cluster.committed(100);
    let index = cluster.host_of(1);
    let mut leaving = cluster.workers.remove(index);
    leaving.signal("TERM");
    leaving.ends_with(0);
    cluster.ends_as_undisturbed();
    assert_eq!(cluster.master.count("worker lost"), 0, "it has handed over, and is not missed");
    let placed = cluster.master.events();
    let anew = placed.iter().rfind(|event| event["message"] == "partition placed").expect("a placement");
    assert!(anew["step"].as_u64() > Some(0), "its partition goes on from a snapshot: {anew}");
}

/// Its signals were not listened to before; in a container nothing at all came of them then.
#[test]
fn a_master_that_is_told_to_end_while_it_reads_ends_at_once() {
    let folder = tempfile::tempdir().expect("a folder");
    // A file of routes that nobody ever writes to: it reads for ever.
    let endless = folder.path().join("endless.rou.xml");
    assert!(Command::new("mkfifo").arg(&endless).status().expect("mkfifo").success());
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/helsinki/run.sumocfg");
    let (store, routes) = (format!("dir:{}", folder.path().display()), endless.display().to_string());
    let arguments = ["--role", "master", "--listen", "127.0.0.1:0", "--store", &store, "-c", example, "-r", &routes];
    let mut master = Process::start(folder.path(), "master", &arguments.map(str::to_owned), &[]);
    let status = format!("/proc/{}/status", master.pid());
    wait_until("a master that listens to SIGTERM", || {
        let status = std::fs::read_to_string(&status).ok()?;
        let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"))?;
        (u64::from_str_radix(caught.trim(), 16).ok()? & 1 << 14 != 0).then_some(())
    });
    master.signal("TERM");
    master.ends_with(0);
    assert_eq!(master.count("terminated before the run started"), 1, "{}", master.tail());
}
