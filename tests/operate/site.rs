//! A cluster whose processes can be looked at.

use std::net::TcpListener;
use std::path::Path;

use serde_json::Value;
use tempfile::TempDir;

use super::process::{Process, wait_until};
use super::scrape::{ask, get};

/// Processes of one run, each with the address of its health and metrics.
pub struct Site {
    master_address: String,
    /// Of all processes, besides those that every test needs.
    pub settings: Vec<(&'static str, String)>,
    pub master: Option<(Process, String)>,
    pub workers: Vec<(Process, String)>,
    /// Goes last, when nobody writes into it any more.
    pub folder: TempDir,
}

pub fn example() -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/helsinki/run.sumocfg").display().to_string()
}

/// Starts a process that shows its health, and finds out where.
pub fn start(folder: &Path, name: &str, arguments: &[&str], settings: &[(&str, String)]) -> (Process, String) {
    let mut arguments: Vec<String> = arguments.iter().map(|&argument| argument.to_owned()).collect();
    arguments.extend(["--name", name, "--http", "127.0.0.1:0"].map(str::to_owned));
    let process = Process::start(folder, name, &arguments, settings);
    let address = wait_until(&format!("the address of {name}"), || {
        let is_it = |event: &Value| {
            event["message"] == "gateway listens for commands"
                || event["message"] == "gateway serves health and metrics"
        };
        process.events().into_iter().find(is_it).map(|event| event["address"].as_str().expect("text").to_owned())
    });
    (process, address)
}

impl Site {
    pub fn new() -> Self {
        let free = TcpListener::bind("127.0.0.1:0").expect("a free port").local_addr().expect("an address");
        let folder = tempfile::tempdir().expect("a folder");
        Self { master_address: free.to_string(), settings: Vec::new(), master: None, workers: Vec::new(), folder }
    }

    pub fn store(&self) -> String {
        format!("dir:{}", self.folder.path().join("store").display())
    }

    /// A master that begins its run so slowly (`--speed`), or waits for the command to start (`--paused`).
    pub fn start_master(&mut self, partitions: u32, workers: u32, how: &[&str]) {
        let (store, example) = (self.store(), example());
        let report = self.folder.path().join("report.json").display().to_string();
        let (partitions, workers) = (partitions.to_string(), workers.to_string());
        let arguments = [
            "--role",
            "master",
            "-c",
            &example,
            "--listen",
            &self.master_address,
            "--store",
            &store,
            "--report-json",
            &report,
            "--partitions",
            &partitions,
            "--workers",
            &workers,
            "--run-id",
            "seen",
        ];
        let mut settings = vec![
            ("CLUSTER__SNAPSHOT_INTERVAL", "50".to_owned()),
            ("CLUSTER__HEARTBEAT_MS", "100".to_owned()),
            ("CLUSTER__TIMEOUT_MS", "60000".to_owned()),
        ];
        settings.extend(self.settings.clone());
        self.master = Some(start(self.folder.path(), "master", &[&arguments, how].concat(), &settings));
    }

    pub fn start_worker(&mut self) {
        let (name, store) = (format!("worker-{}", self.workers.len()), self.store());
        let arguments = ["--role", "worker", "--master", &self.master_address, "--store", &store];
        self.workers.push(start(self.folder.path(), &name, &arguments, &self.settings));
    }

    pub fn master(&mut self) -> &mut Process {
        &mut self.master.as_mut().expect("a master").0
    }

    /// Where the master shows itself.
    pub fn gateway(&self) -> &str {
        &self.master.as_ref().expect("a master").1
    }

    /// A command of the subject `simulation`, which is carried out.
    pub fn simulation(&self, param: &str) {
        let message = format!(r#"{{"type1":"up","type2":"simulation","param":[{{{param}}}]}}"#);
        let answer = ask(self.gateway(), "POST", "/command", "", &message);
        assert_eq!(answer.status, 200, "{message}: {}", answer.body);
    }

    pub fn status(&self) -> Value {
        let answer: Value = serde_json::from_str(&get(self.gateway(), "/status").body).expect("JSON");
        answer["data"].clone()
    }

    /// Waits until the status is as it should be.
    pub fn until(&self, what: &str, fits: impl Fn(&Value) -> bool) -> Value {
        wait_until(what, || Some(self.status()).filter(&fits))
    }
}
