//! Fault tolerance and heartbeats, on and off.

use super::process::Process;
use super::run::{Plan, steady_port};

#[test]
fn all_four_combinations_of_fault_tolerance_and_heartbeat_run() {
    for (fault_tolerance, heartbeat) in [(false, false), (false, true), (true, false), (true, true)] {
        let plan =
            Plan::new(150, 2).with("CLUSTER__FAULT_TOLERANCE", fault_tolerance).with("CLUSTER__HEARTBEAT", heartbeat);
        let mut cluster = plan.start();
        cluster.ends_as_undisturbed();
        assert_eq!(cluster.master.count("snapshot committed") > 0, fault_tolerance);
    }
}

#[test]
fn without_heartbeat_a_killed_worker_is_replaced_all_the_same() {
    let mut cluster = Plan::new(1500, 2).with("CLUSTER__HEARTBEAT", false).start();
    cluster.committed(100);
    cluster.kill_worker(1);
    cluster.ends_as_undisturbed();
}

#[test]
fn without_fault_tolerance_a_killed_worker_ends_the_run_everywhere() {
    let mut cluster = Plan::new(4500, 3).with("CLUSTER__FAULT_TOLERANCE", false).start();
    cluster.master.wait_for("partition started", |_| true);
    cluster.kill_worker(0);
    cluster.master.ends_with(1);
    cluster.workers.iter_mut().for_each(|worker| worker.ends_with(1));
    for process in cluster.workers.iter().chain([&cluster.master]) {
        let lines = process.lines();
        let last = lines.iter().rfind(|line| line.starts_with("error: ")).expect("a last word");
        let is_clear = last.contains("is lost (worker 'worker-0': its connection is lost)")
            && last.contains("fault tolerance is off, so it cannot be recovered");
        assert!(is_clear, "{}: {last}", process.name);
    }
}

#[test]
fn without_fault_tolerance_a_restarted_master_begins_again_with_the_same_workers() {
    // Found by this test: the master went on with partitions whose reports nobody had any more, and waited for ever.
    let mut cluster = Plan::new(1000, 2).with("CLUSTER__FAULT_TOLERANCE", false).start();
    (0..2).for_each(|part| drop(cluster.master.wait_for("partition started", |event| event["partition"] == part)));
    cluster.master.kill();
    cluster.restart_master(2, 2);
    cluster.ends_as_undisturbed();
}

/// Setting of a worker that has little patience.
const IMPATIENT: (&str, &str) = ("CLUSTER__MASTER_PATIENCE_S", "1");

fn has_lost_patience(worker: &mut Process) {
    worker.ends_with(1);
    let lines = worker.lines();
    let last = lines.iter().rfind(|line| line.starts_with("error: ")).expect("a last word");
    assert!(last.contains("no master at") && last.contains("cluster.master_patience_s"), "{last}");
}

#[test]
fn a_worker_that_finds_no_master_looks_for_one_only_so_long() {
    let folder = tempfile::tempdir().expect("a folder");
    let (master, store) = (format!("127.0.0.1:{}", steady_port()), format!("dir:{}", folder.path().display()));
    let arguments = ["--role", "worker", "--master", &master, "--store", &store].map(str::to_owned);
    let settings = [(IMPATIENT.0, IMPATIENT.1.to_owned())];
    has_lost_patience(&mut Process::start(folder.path(), "worker", &arguments, &settings));
}

#[test]
fn workers_that_host_partitions_wait_for_their_master_beyond_all_patience_and_standbys_do_not() {
    let mut plan = Plan::new(1500, 2);
    plan.common.push((IMPATIENT.0, IMPATIENT.1.to_owned()));
    let mut cluster = plan.start();
    cluster.add_worker(&[]);
    for index in 0..3 {
        cluster.master.wait_for("worker joined", |event| event["worker"] == format!("worker-{index}"));
    }
    cluster.committed(100);
    let hosts = [0, 1].map(|part| cluster.host_of(part));
    let standby = (0..3).find(|worker| !hosts.contains(worker)).expect("two of three host something");
    cluster.master.kill();
    has_lost_patience(&mut cluster.workers.remove(standby));
    assert!(cluster.workers.iter_mut().all(Process::is_running));
    cluster.restart_master(2, 2);
    cluster.ends_as_undisturbed();
}
