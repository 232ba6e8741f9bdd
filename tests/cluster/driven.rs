//! Runs that are driven from outside outlive their master.

use std::process::Command;

use serde_json::Value;

use super::process::wait_until;
use super::run::{Plan, steady_port};

/// What `tessds ctl` says; `None`: nobody answers.
fn ctl(address: &str, words: &[&str]) -> Option<Value> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tessds"));
    let done = command.args(["ctl", "--http", address, "--json"]).args(words).output().expect("the program");
    done.status.success().then(|| serde_json::from_slice(&done.stdout).expect("JSON"))
}

/// A run that an operator had paused went on by itself when its master was restarted.
#[test]
fn a_paused_run_stays_paused_and_at_its_speed_when_its_master_is_restarted() {
    let address = format!("127.0.0.1:{}", steady_port());
    let mut cluster = Plan::new(600, 2).with("CONTROL__HTTP", &address).with("CONTROL__SPEED", 80).start();
    cluster.committed(100);
    ctl(&address, &["speed", "150"]).expect("an answer");
    let paused = ctl(&address, &["pause"]).expect("an answer");
    let step = paused["step"].as_u64().expect("a step");
    assert!(step < 600, "it was paused too late: {paused}");
    cluster.master.kill();
    cluster.restart_master(2, 2);
    let status = wait_until("the pause", || {
        let status = ctl(&address, &["status"])?;
        (status["state"] == "paused" && status["step"] == step).then_some(status)
    });
    assert_eq!((status["granted"].as_u64(), status["speed"].as_f64()), (Some(step), Some(150.0)), "{status}");
    ctl(&address, &["resume"]).expect("an answer");
    cluster.ends_as_undisturbed();
}
