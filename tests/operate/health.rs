//! What probes are told.

use serde_json::Value;

use super::process::{Process, wait_until};
use super::scrape::get;
use super::site::{Site, example, start};

/// Waits until a process says this of its readiness.
pub fn becomes(address: &str, status: u16, reason: &str) {
    wait_until(&format!("{status} {reason} at {address}"), || {
        let answer = get(address, "/readyz");
        (answer.status == status && answer.body.contains(reason)).then_some(())
    });
}

#[test]
fn a_worker_is_ready_while_it_has_a_master_and_a_master_when_it_takes_workers() {
    let mut site = Site::new();
    site.start_worker();
    let worker = site.workers[0].1.clone();
    assert_eq!(get(&worker, "/healthz").status, 200);
    becomes(&worker, 503, "this worker has not joined a master");
    assert_eq!(get(&worker, "/command").status, 404, "a worker takes no commands");

    site.start_master(1, 1, &["--paused"]);
    becomes(site.gateway(), 200, "netLoaded");
    site.simulation(r#""action":"start","paused":"true""#);
    becomes(&worker, 200, "worker");
    becomes(site.gateway(), 200, "paused");
    assert_eq!(get(site.gateway(), "/healthz").status, 200);
    site.master().kill();
    becomes(&worker, 503, "this worker has not joined a master");
}

#[test]
fn a_master_that_waits_for_the_lease_or_the_store_says_so() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = format!("dir:{}", folder.path().join("store").display());
    let example = example();
    let master = |name: &str, store: &str| {
        let arguments =
            ["--role", "master", "-c", &example, "--listen", "127.0.0.1:0", "--store", store, "--run-id", "wanted"];
        start(folder.path(), name, &arguments, &[("CLUSTER__LEASE_MS", "60000".to_owned())])
    };
    let (_first, address) = master("first", &store);
    // It waits for workers, which have to find it.
    becomes(&address, 200, "building");
    let (_second, address) = master("second", &store);
    becomes(&address, 503, "another master holds the lease");
    assert_eq!(get(&address, "/healthz").status, 200, "waiting is no fault");
    let (_third, address) = master("third", "redis://127.0.0.1:1");
    becomes(&address, 503, "store outage");
    let metrics = get(&address, "/metrics").body;
    assert!(!metrics.contains("tessds_store_errors_total{operation=\"acquire\"} 0\n"), "its errors are counted");
}

#[test]
fn a_run_that_is_resumed_shows_itself_too() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = format!("dir:{}", folder.path().join("store").display());
    let example = example();
    let run = ["-c", &example, "--store", &store, "--run-id", "long", "--snapshot-interval", "50", "--partitions", "2"];
    // The second one waits until the lease of the first has lapsed.
    let settings = [("CLUSTER__LEASE_MS", "1000".to_owned())];
    let (mut first, _) = start(folder.path(), "first", &run, &settings);
    first.wait_for("snapshot committed", |_| true);
    first.kill();
    let (_second, address) = start(folder.path(), "second", &["--resume", "long", "--store", &store], &settings);
    becomes(&address, 200, "running");
    let text = get(&address, "/metrics").body;
    assert!(text.contains("tessds_run_state{state=\"running\"} 1") && text.contains("role=\"standalone\""), "{text}");
}

#[test]
fn probes_may_be_open_to_other_machines_and_commands_not_without_a_token() {
    let folder = tempfile::tempdir().expect("a folder");
    let open = |role: &str| {
        let arguments = ["--role", role, "--http", "0.0.0.0:0", "--listen", "127.0.0.1:0", "--store", "dir:store"];
        Process::start(folder.path(), role, &arguments.map(str::to_owned), &[])
    };
    let mut worker = open("worker");
    let event: Value = worker.wait_for("gateway serves health and metrics", |_| true);
    let port = event["address"].as_str().expect("an address").rsplit(':').next().expect("a port").to_owned();
    assert_eq!(get(&format!("127.0.0.1:{port}"), "/metrics").status, 200);
    open("master").ends_with(2);
}
