//! Metrics of a run with a recovery, against the documentation, the dashboards and the report.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::Value;

use super::scrape::Scrape;
use super::site::Site;

const STEPS: u64 = 400;

/// A run that has lost a worker, and waits after [`STEPS`] steps; its last commit is done.
fn recovered() -> Site {
    let mut site = Site::new();
    // It would be over before anybody could say anything.
    site.start_master(2, 2, &["--speed", "0.001"]);
    (0..3).for_each(|_| site.start_worker());
    site.until("the run has begun", |status| status["state"] == "running");
    site.simulation(r#""action":"pause""#);
    let begun = site.until("the pause", |status| status["state"] == "paused" && status["step"] == status["granted"]);
    site.simulation(r#""action":"speed","factor":"0""#);
    site.simulation(&format!(r#""action":"step","steps":"{}""#, 230 - begun["step"].as_u64().expect("a step")));
    let status = site.until("step 230", |status| status["step"] == 230 && status["committed"] == 200);
    let host = status["partitions"][1]["worker"].as_str().expect("a worker").to_owned();
    let index = site.workers.iter().position(|(worker, _)| worker.name == host).expect("a worker");
    site.workers.remove(index).0.kill();
    site.master().wait_for("partition started", |event| event["epoch"] == 2);
    site.simulation(&format!(r#""action":"step","steps":"{}""#, STEPS - 230));
    site.until("the last step", |status| {
        status["step"] == STEPS && status["committed"] == STEPS && status["partitions"][1]["stage"] == "running"
    });
    site
}

fn document() -> String {
    read("docs/metrics.md")
}

fn read(path: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).expect(path)
}

/// Name and type of every metric in the table.
fn documented() -> BTreeMap<String, String> {
    let document = document();
    let rows = document.lines().filter(|line| line.starts_with("| `")).map(|line| {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        (cells[1].trim_matches('`').to_owned(), cells[2].to_owned())
    });
    rows.filter(|(_, kind)| ["gauge", "counter", "histogram"].contains(&&**kind)).collect()
}

/// Names of metrics that are asked for in a text.
fn asked(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.filter(|word| word.starts_with("tessds_") || word.starts_with("process_")).map(str::to_owned).collect()
}

#[test]
fn all_roles_show_what_is_documented_and_it_agrees_with_the_report() {
    let mut site = recovered();
    let master = Scrape::of(site.gateway());
    let workers: Vec<Scrape> = site.workers.iter().map(|(_, address)| Scrape::of(address)).collect();

    // Every metric of the documentation, with its type.
    let shown: BTreeMap<String, String> =
        std::iter::once(&master).chain(&workers).flat_map(|scrape| scrape.types.clone()).collect();
    assert_eq!(shown, documented());
    let all: Vec<&str> = shown.keys().map(String::as_str).collect();

    // Every query finds its metric.
    let parts = ["_bucket", "_sum", "_count"];
    for path in [
        "deploy/monitoring/rules/tessds.rules.yaml",
        "deploy/monitoring/dashboards/cluster.json",
        "deploy/monitoring/dashboards/partitions.json",
        "deploy/monitoring/dashboards/recovery.json",
    ] {
        let names = asked(&read(path));
        assert!(!names.is_empty(), "{path}");
        for name in names {
            let family = parts
                .iter()
                .find_map(|part| name.strip_suffix(part))
                .filter(|f| shown.get(*f).is_some_and(|k| k == "histogram"));
            assert!(all.contains(&family.unwrap_or(&name)), "{path} asks for {name}");
        }
    }

    // What is true of this run.
    assert_eq!(master.value("tessds_run_state", r#"state="paused""#), 1.0);
    assert_eq!(master.value("tessds_workers", r#"state="hosting""#), 2.0);
    assert_eq!(master.value("tessds_workers", r#"state="lost""#), 1.0, "it has not come back");
    assert_eq!(master.value("tessds_recorded_step", ""), STEPS as f64);
    assert_eq!(master.value("tessds_committed_step", ""), STEPS as f64);
    assert_eq!(master.value("tessds_epoch", ""), 2.0);
    assert!(master.value("tessds_commands_total", r#"command="simulation step""#) >= 2.0);
    assert_eq!(master.sum("tessds_store_errors_total"), 0.0);
    let lag: BTreeMap<String, f64> =
        workers.iter().flat_map(|worker| worker.series("tessds_horizon_lag_steps")).collect();
    assert_eq!(lag.into_values().collect::<Vec<_>>(), [0.0, 0.0], "both partitions have done what they may");
    for worker in &workers {
        assert_eq!(worker.sum("tessds_steps_total"), worker.sum("tessds_step_seconds_count"));
        assert!(worker.value("process_open_fds", "") > 3.0);
    }
    // One has done all of its steps, the other one those since the commit.
    let steps: BTreeSet<u64> = workers.iter().map(|worker| worker.sum("tessds_steps_total") as u64).collect();
    assert_eq!(steps, BTreeSet::from([STEPS, STEPS - 200]));
    let traffic = |scrape: &Scrape, direction: &str| {
        let series = scrape.series("tessds_halo_bytes_total").into_iter();
        series.filter(|(labels, _)| labels.contains(direction)).map(|(_, bytes)| bytes).sum::<f64>()
    };
    assert!(workers.iter().all(|worker| traffic(worker, "out") > 0.0 && traffic(worker, "in") > 0.0));

    // The report of the run says the same.
    site.simulation(r#""action":"stop""#);
    site.master().ends_with(0);
    site.workers.iter_mut().for_each(|(worker, _)| worker.ends_with(0));
    let text = std::fs::read_to_string(site.folder.path().join("report.json")).expect("a report");
    let report: Value = serde_json::from_str(&text).expect("a good report");
    let told = |field: &str| report[field].as_u64().expect(field) as f64;
    assert_eq!(told("steps"), master.value("tessds_recorded_steps_total", ""));
    assert_eq!(told("vehicle_updates"), master.value("tessds_vehicle_updates_total", ""));
    assert_eq!(told("recoveries"), master.value("tessds_recoveries_total", r#"cause="worker""#));
    assert_eq!(told("recoveries"), master.sum("tessds_recoveries_total"));
    assert_eq!(told("replayed_steps"), master.value("tessds_replayed_steps_total", ""));
    assert!(told("recoveries") == 1.0 && told("replayed_steps") > 0.0);
    assert_eq!(told("arrived"), master.value("tessds_vehicles", r#"state="arrived""#));
}
