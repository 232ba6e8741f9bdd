//! Processes that stay when their run is finished, as in a StatefulSet, which starts again whatever ends.

use super::health::becomes;
use super::process::Process;
use super::scrape::{Scrape, get};
use super::site::Site;

const STAYS: &str = "the run has ended; the process stays up until it is terminated";
const SHORT: [&str; 2] = ["-e", "60"];

fn stay(process: &mut Process, address: &str) {
    process.wait_for(STAYS, |_| true);
    becomes(address, 200, "finished");
    assert_eq!(get(address, "/healthz").status, 200);
}

fn end(process: &mut Process) {
    process.signal("TERM");
    process.ends_with(0);
}

#[test]
fn who_lingers_shows_the_end_of_its_run_until_it_is_told_to_end() {
    let mut site = Site::new();
    site.settings.push(("CLUSTER__LINGER", "true".to_owned()));
    (0..2).for_each(|_| site.start_worker());
    site.start_master(2, 2, &SHORT);
    let report = site.folder.path().join("report.json");
    let (master, address) = site.master.as_mut().expect("a master");
    stay(master, address);
    assert_eq!(Scrape::of(address).value("tessds_run_state", r#"state="finished""#), 1.0);
    assert_eq!(Scrape::of(address).value("tessds_recorded_step", ""), 60.0);
    let told = std::fs::read(&report).expect("a report, at once");
    site.workers.iter_mut().for_each(|(worker, address)| stay(worker, address));

    // A pod that is started again, on another node for example, finds everything over.
    site.start_worker();
    let (late, address) = site.workers.last_mut().expect("a worker");
    stay(late, address);

    site.master().kill();
    site.start_master(2, 2, &SHORT);
    let (master, address) = site.master.as_mut().expect("a master");
    stay(master, address);
    assert_eq!(master.count("run is already finished and is not repeated; choose another --run-id to repeat it"), 1);
    assert_eq!(Scrape::of(address).value("tessds_run_state", r#"state="finished""#), 1.0);
    assert_eq!(std::fs::read(&report).expect("a report"), told);

    end(site.master());
    site.workers.iter_mut().for_each(|(worker, _)| end(worker));
}

#[test]
fn a_worker_that_is_told_to_leave_does_not_linger() {
    let mut site = Site::new();
    site.settings.push(("CLUSTER__LINGER", "true".to_owned()));
    site.start_master(1, 1, &["--paused"]);
    site.start_worker();
    becomes(&site.workers[0].1, 503, "this worker has not joined a master");
    end(&mut site.workers[0].0);
}

#[cfg(not(feature = "otel"))]
#[test]
fn a_program_without_traces_says_so_when_it_is_asked_for_them() {
    let folder = tempfile::tempdir().expect("a folder");
    let settings = [("OTEL__ENDPOINT", "http://127.0.0.1:4318".to_owned())];
    let mut process = Process::start(folder.path(), "alone", &[], &settings);
    process.ends_with(2);
    assert!(process.lines().join("").contains("was built without traces"), "{}", process.tail());
}
