//! Runs of a part of the network.

use super::run::Plan;

/// The middle of the example, a quarter of its area.
const MIDDLE: &str = "260,415,780,1247";

#[test]
fn a_region_over_two_workers_is_that_of_one_process_also_when_one_of_them_is_killed() {
    let mut cluster = Plan { region: Some(MIDDLE), ..Plan::new(1500, 2) }.start();
    cluster.add_worker(&[]);
    cluster.master.wait_for("simulating a region of the network", |event| event["trips"].as_u64() >= Some(1));
    cluster.committed(100);
    let host = cluster.host_of(1);
    cluster.kill_worker(host);
    cluster.ends_as_undisturbed();
    assert!(cluster.report()["recoveries"].as_u64() >= Some(1));
}
