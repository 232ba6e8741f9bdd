//! That docs/metrics.md tells what is shown.

use super::*;
use crate::observe::{RunStatus, WorkerStatus};

/// A series as a scrape shows it: name and labels, value.
fn value(text: &str, series: &str) -> Option<f64> {
    let line = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '))?;
    line.parse().ok()
}

/// Something of every kind, so that all families are there.
fn used(instruments: &Instruments) -> String {
    let mut partition = instruments.partition(3, &[4]);
    partition.stepped(Duration::from_millis(2));
    partition.stands(12, |_| true);
    partition.count_waits();
    partition.stands(11, |_| false);
    let mut link = instruments.link(3, 4);
    link.sent(100);
    link.received(50);
    link.keeps(7);
    instruments.stored_snapshot(3, 1000, Duration::from_millis(20));
    instruments.recorder(600, 5000).recorded(610, 5300);
    instruments.run(Tallies::default()).committed(std::time::UNIX_EPOCH + Duration::from_secs(5));
    instruments.gateway().answered("status", 200, Duration::from_millis(1));
    let worker = |connected, partitions: &[u16]| WorkerStatus {
        name: "w".to_owned(),
        address: "a:1".to_owned(),
        connected,
        partitions: partitions.to_vec(),
    };
    instruments.show(&RunStatus {
        epoch: 2,
        workers: vec![worker(true, &[0]), worker(true, &[]), worker(false, &[1])],
        lost_workers: vec!["v".to_owned()],
        ..RunStatus::default()
    });
    let text = instruments.text();
    drop(link);
    text
}

#[test]
fn what_is_counted_is_shown() {
    let (instruments, _pulse) = Instruments::new(Role::Standalone);
    let text = used(&instruments);
    for (series, expected) in [
        (r#"tessds_steps_total{partition="3"}"#, 1.0),
        (r#"tessds_horizon_lag_steps{partition="3"}"#, 11.0),
        (r#"tessds_halo_bytes_total{direction="out",neighbour="4",partition="3"}"#, 100.0),
        (r#"tessds_queue_length{queue="sent_frames"}"#, 7.0),
        ("tessds_recorded_steps_total", 10.0),
        ("tessds_vehicle_updates_total", 300.0),
        ("tessds_last_commit_timestamp_seconds", 5.0),
        (r#"tessds_workers{state="hosting"}"#, 1.0),
        (r#"tessds_workers{state="standby"}"#, 1.0),
        (r#"tessds_workers{state="lost"}"#, 2.0),
        (r#"tessds_run_state{state="idle"}"#, 1.0),
        (r#"tessds_run_state{state="net_loaded"}"#, 0.0),
        (r#"tessds_recoveries_total{cause="worker"}"#, 0.0),
        (r#"tessds_commands_total{code="200",command="status"}"#, 1.0),
        ("tessds_epoch", 2.0),
    ] {
        assert_eq!(value(&text, series), Some(expected), "{series} in\n{text}");
    }
    assert!(value(&text, r#"tessds_halo_wait_seconds_total{neighbour="4",partition="3"}"#) > Some(0.0));
    assert_eq!(
        value(&instruments.text(), r#"tessds_queue_length{queue="sent_frames"}"#),
        Some(0.0),
        "the link is gone"
    );
}

#[test]
fn a_partition_that_has_left_leaves_its_counters_and_nothing_that_is_not_true_any_more() {
    let (instruments, _pulse) = Instruments::new(Role::Worker);
    used(&instruments);
    instruments.forget(3);
    let text = instruments.text();
    assert_eq!(value(&text, r#"tessds_steps_total{partition="3"}"#), Some(1.0));
    assert!(!text.contains("tessds_horizon_lag_steps{") && !text.contains("tessds_snapshot_bytes{"), "{text}");
}

#[test]
fn before_the_first_commit_nothing_is_said_of_its_time() {
    let (instruments, _pulse) = Instruments::new(Role::Master);
    assert!(!instruments.text().contains("tessds_last_commit_timestamp_seconds"));
}

#[test]
fn the_table_of_the_documentation_is_what_is_shown() {
    let (all, _pulse) = Instruments::new(Role::Standalone);
    let text = used(&all);
    let shown: Vec<(&str, &str)> =
        text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' ')).collect();
    let document = include_str!("../../../docs/metrics.md");
    let mut listed: Vec<(&str, &str)> = Vec::new();
    for line in document.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let (name, labels) = (cells[1].trim_matches('`'), cells[3]);
        listed.push((name, cells[2]));
        for label in labels.split('`').skip(1).step_by(2) {
            let has_label = |line: &str| {
                line.starts_with(name)
                    && (line.contains(&format!("{{{label}=")) || line.contains(&format!(",{label}=")))
            };
            assert!(text.lines().any(has_label), "{name} has no label {label}");
        }
    }
    listed.retain(|(_, kind)| ["gauge", "counter", "histogram"].contains(kind));
    listed.sort_unstable();
    let mut shown = shown;
    shown.sort_unstable();
    assert_eq!(shown, listed);
}

#[test]
fn what_only_one_role_knows_only_that_role_shows() {
    let (master, _pulse) = Instruments::new(Role::Master);
    let (worker, _pulse) = Instruments::new(Role::Worker);
    let (master, worker) = (used(&master), used(&worker));
    assert!(master.contains("tessds_run_state") && !master.contains("tessds_steps_total"));
    assert!(worker.contains("tessds_steps_total") && !worker.contains("tessds_run_state"));
    assert!(!worker.contains("tessds_clients") && worker.contains("process_open_fds"));
}
