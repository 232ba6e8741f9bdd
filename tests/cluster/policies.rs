//! Fault tolerance and heartbeats, on and off.

use crate::run::Plan;

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
    cluster.master.wait_for("partition is up", |_| true);
    cluster.kill_worker(0);
    cluster.master.ends_with(1);
    cluster.workers.iter_mut().for_each(|worker| worker.ends_with(1));
    for process in cluster.workers.iter().chain([&cluster.master]) {
        let lines = process.lines();
        let last = lines.iter().rfind(|line| line.starts_with("error: ")).expect("a last word");
        let is_clear = last.contains("is lost (worker 'worker-0': its connection is lost)")
            && last.contains("fault tolerance is off: nothing can be recovered");
        assert!(is_clear, "{}: {last}", process.name);
    }
}

#[test]
fn without_fault_tolerance_a_restarted_master_begins_again_with_the_same_workers() {
    // Found by this test: the master went on with partitions whose reports nobody had any more, and waited for ever.
    let mut cluster = Plan::new(1000, 2).with("CLUSTER__FAULT_TOLERANCE", false).start();
    (0..2).for_each(|part| drop(cluster.master.wait_for("partition is up", |event| event["partition"] == part)));
    cluster.master.kill();
    cluster.restart_master(2, 2);
    cluster.ends_as_undisturbed();
}
