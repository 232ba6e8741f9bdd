//! Sixty workers with a partition each, and one more. Once a worker that connected while a snapshot was being saved broke the
//! save, and one that came back to a restarted master raced another thread for its socket.

use std::collections::BTreeSet;

use super::process::wait_until;
use super::run::{Cluster, Plan};

const WORKERS: usize = 60;
const STEPS: u64 = 300;

/// Partitions of which a snapshot of this step is stored; the parts are called `STEP-EPOCH-pPART-ATTEMPT`.
fn stored(cluster: &Cluster, step: u64) -> BTreeSet<u64> {
    let prefix = format!("{step:012}-");
    let names = std::fs::read_dir(cluster.parts()).into_iter().flatten().filter_map(|entry| {
        let name = entry.ok()?.file_name().into_string().ok()?;
        name.strip_prefix(&prefix)?.split('-').nth(1)?.strip_prefix('p')?.parse().ok()
    });
    names.collect()
}

/// Stops a worker in the middle of a snapshot: some partitions have stored theirs, its own has not. Gives the step.
fn stop_in_a_snapshot(cluster: &mut Cluster, worker: usize, part: u64, interval: u64) -> u64 {
    let mut step = interval;
    loop {
        wait_until("a snapshot", || (!stored(cluster, step).is_empty()).then_some(()));
        cluster.workers[worker].signal("STOP");
        cluster.workers[worker].is_stopped();
        if !stored(cluster, step).contains(&part) {
            return step;
        }
        cluster.workers[worker].signal("CONT");
        step += interval;
    }
}

#[test]
fn the_sixty_first_worker_disturbs_nothing_and_takes_over() {
    let interval = 10;
    let plan = Plan::new(STEPS, WORKERS).with("CLUSTER__SNAPSHOT_INTERVAL", interval).with("CLUSTER__GRACE_MS", 200);
    let mut cluster = plan.start();
    for part in 0..WORKERS as u64 {
        cluster.master.wait_for("partition started", |event| event["partition"] == part);
    }

    // While a snapshot is being written.
    let stopped = cluster.host_of(7);
    let step = stop_in_a_snapshot(&mut cluster, stopped, 7, interval);
    cluster.add_worker(&[]);
    cluster.master.wait_for("worker joined", |event| event["worker"] == "worker-60");
    let committed = |cluster: &Cluster| {
        let events = cluster.master.events();
        events.iter().filter(|e| e["message"] == "snapshot committed").filter_map(|e| e["step"].as_u64()).max()
    };
    assert!(committed(&cluster) < Some(step), "it came while the snapshot was being written");
    cluster.workers[stopped].signal("CONT");
    cluster.committed(step);
    assert_eq!(cluster.master.count("partition placed"), WORKERS, "nobody was moved");

    // While the master is being restarted.
    cluster.master.kill();
    cluster.add_worker(&[]);
    cluster.workers[61].wait_for("cannot connect to the master; retrying", |_| true);
    cluster.restart_master(WORKERS, WORKERS);
    for worker in 0..62 {
        let name = format!("worker-{worker}");
        cluster.master.wait_for("worker joined", |event| event["worker"] == name.as_str());
    }

    // They take over.
    cluster.kill_worker(stopped);
    let placed = cluster.master.wait_for("partition placed", |event| event["partition"] == 7);
    let by = placed["worker"].as_str().expect("a name").to_owned();
    assert!(by == "worker-60" || by == "worker-61", "a standby takes over, not {by}");
    cluster.ends_as_undisturbed();
    assert_eq!(cluster.report()["recoveries"], 1);
}
