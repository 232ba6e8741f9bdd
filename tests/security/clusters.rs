//! Whole clusters over TLS, with the real program.

use std::process::Command;

use super::certificates::{Authority, Files, HERE};
use super::peers::tls;
use super::run::{Cluster, Plan};
use tessds::protocol::{Networking, Purpose, open};

fn over_tls(steps: u64, files: &Files) -> Cluster {
    Plan { common: files.settings(), ..Plan::new(steps, 3) }.start()
}

/// Whether somebody with these files is let in by the master; without a word, if not.
fn is_welcome(cluster: &Cluster, files: &Files) -> bool {
    let network = tls(files);
    let calling = async {
        let mut stream = network.connect(&cluster.address).await.ok()?;
        open(&mut *stream, Purpose::Work).await.ok()
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(calling).is_some()
}

#[test]
fn a_worker_that_is_killed_under_tls_is_replaced() {
    let authority = Authority::new("ours");
    let files = Files::new(&authority.issue(HERE), &authority.pem());
    let mut cluster = over_tls(1200, &files);
    cluster.committed(100);
    // Those that are left meet again with other certificates than before.
    let next = Authority::new("next");
    files.replace(&next.issue(HERE), &next.pem());
    cluster.kill_worker(1);
    cluster.ends_as_undisturbed();
    assert!(cluster.report()["recoveries"].as_u64() >= Some(1));
}

#[test]
fn certificates_that_are_replaced_while_a_run_goes_on_cost_no_step() {
    let (first, second) = (Authority::new("first"), Authority::new("second"));
    let files = Files::new(&first.issue(HERE), &first.pem());
    let of_before = Files::new(&first.issue(HERE), &first.pem());
    let mut cluster = over_tls(2500, &files);
    cluster.committed(100);
    assert!(is_welcome(&cluster, &of_before));
    // The run is held here, so that it does not end meanwhile.
    cluster.workers[0].signal("STOP");
    // Another authority for all: who calls from now on needs a certificate of it.
    files.replace(&second.issue(HERE), &second.pem());
    cluster.add_worker(&[]);
    cluster.master.wait_for("worker joined", |event| event["worker"] == "worker-3");
    assert!(!is_welcome(&cluster, &of_before));
    cluster.master.wait_for("certificates reloaded; new connections use them", |_| true);
    cluster
        .master
        .wait_for("connection refused", |event| event["error"].as_str().is_some_and(|e| e.contains("certificate")));
    // Nonsense for all: nobody takes it.
    std::fs::write(files.path("tls.crt"), "nonsense").expect("room");
    cluster.add_worker(&[]);
    cluster.workers.pop().expect("a worker").ends_with(2);
    cluster.workers[0].signal("CONT");
    cluster.ends_as_undisturbed();
    assert_eq!((&cluster.report()["recoveries"], &cluster.report()["replayed_steps"]), (&0.into(), &0.into()));
}

#[test]
fn a_worker_without_tls_does_not_get_into_a_run_with_it() {
    let authority = Authority::new("ours");
    let files = Files::new(&authority.issue(HERE), &authority.pem());
    let mut cluster = over_tls(600, &files);
    cluster.workers[0].signal("STOP");
    let settings = std::mem::take(&mut cluster.common);
    cluster.add_worker(&[]);
    let mut stranger = cluster.workers.pop().expect("a worker");
    stranger.wait_for("cannot connect to the master; retrying", |event| {
        event["reason"].as_str().is_some_and(|reason| reason.contains("the peer uses TLS"))
    });
    cluster.master.wait_for("connection refused", |event| {
        event["error"].as_str().is_some_and(|error| error.contains("the client does not use TLS"))
    });
    drop(stranger);
    cluster.common = settings;
    cluster.workers[0].signal("CONT");
    cluster.ends_as_undisturbed();
}

#[test]
fn certificates_that_cannot_be_used_are_said_before_anything_else() {
    let (ours, theirs) = (Authority::new("ours"), Authority::new("theirs"));
    let check = |files: &Files, expected: &str| {
        for role in ["master", "worker"] {
            let mut program = Command::new(env!("CARGO_BIN_EXE_tessds"));
            program.args(["run", "--role", role, "-c", "no-such.sumocfg", "--store"]);
            program.arg(format!("dir:{}", files.path("store").display()));
            program.envs(files.settings().into_iter().map(|(key, value)| (format!("TESSDS__{key}"), value)));
            let done = program.output().expect("the program");
            let said = String::from_utf8_lossy(&done.stderr).into_owned();
            assert_eq!(done.status.code(), Some(2), "{said}");
            assert!(said.contains(expected), "{said}");
        }
    };
    check(&Files::new(&ours.issue(HERE), &theirs.pem()), "UnknownIssuer; other processes would refuse this one");
    check(&Files::new(&ours.issue_expired(HERE), &ours.pem()), "certificate expired");
    let files = Files::new(&ours.issue(HERE), &ours.pem());
    std::fs::write(files.path("tls.key"), ours.issue(HERE).key).expect("room");
    check(&files, "tls.key");
    std::fs::remove_file(files.path("ca.crt")).expect("a file");
    check(&files, "ca.crt");
}
