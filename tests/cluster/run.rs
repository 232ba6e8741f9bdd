//! A run of the example: undisturbed, or over processes to which a test does something.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU16, Ordering};

use serde_json::Value;
use tempfile::TempDir;

use super::process::Process;

/// The name of the run in its store.
pub const RUN: &str = "rush-hour";
const OUTPUTS: [&str; 4] = ["tripinfo", "summary", "edgedata", "fcd"];

/// What must be equal.
#[derive(PartialEq)]
pub struct Outcome {
    digest: String,
    outputs: BTreeMap<&'static str, Vec<u8>>,
}

impl Outcome {
    fn read(folder: &Path) -> Self {
        let outputs =
            OUTPUTS.iter().map(|name| (*name, std::fs::read(folder.join(name)).expect("an output"))).collect();
        Self { digest: report(folder)["digest"].as_str().expect("a digest").to_owned(), outputs }
    }
}

fn report(folder: &Path) -> Value {
    let text = std::fs::read_to_string(folder.join("report.json")).expect("a report");
    serde_json::from_str(&text).expect("a good report")
}

/// What is run of the example.
#[derive(Clone, Copy, Default)]
pub struct Task {
    pub steps: u64,
    /// Timed commands, JSON lines.
    commands: Option<&'static str>,
    /// Of this box alone.
    region: Option<&'static str>,
}

/// Options for the example, with outputs into a folder.
fn options(task: Task, folder: &Path) -> Vec<String> {
    let Task { steps, commands, region } = task;
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/helsinki/run.sumocfg");
    let mut options = vec!["-c".to_owned(), example.display().to_string(), "-e".to_owned(), steps.to_string()];
    options.extend(["--device.fcd.period".to_owned(), "50".to_owned()]);
    for name in OUTPUTS {
        options.extend([format!("--{name}-output"), folder.join(name).display().to_string()]);
    }
    if let Some(commands) = commands {
        let path = folder.join("commands.jsonl");
        std::fs::write(&path, commands).expect("room");
        options.extend(["--command-log".to_owned(), path.display().to_string()]);
    }
    if let Some(region) = region {
        options.extend(["--region".to_owned(), region.to_owned()]);
    }
    options
}

/// The run without any cluster.
fn undisturbed(task: Task) -> Outcome {
    let folder = tempfile::tempdir().expect("a folder");
    let mut arguments = options(task, folder.path());
    if task.commands.is_some() {
        arguments.extend(["--store", "memory"].map(str::to_owned));
    }
    arguments.extend(["--partitions", "1", "--report-json"].map(str::to_owned));
    arguments.push(folder.path().join("report.json").display().to_string());
    Process::start(folder.path(), "standalone", &arguments, &[]).ends_with(0);
    Outcome::read(folder.path())
}

/// A port for a master, which is taken again when the master is restarted: none that connections are made from.
pub fn steady_port() -> u16 {
    static NEXT: OnceLock<AtomicU16> = OnceLock::new();
    let next = NEXT.get_or_init(|| AtomicU16::new((std::process::id() % 200) as u16 * 100));
    loop {
        let port = 10_000 + next.fetch_add(1, Ordering::Relaxed) % 20_000;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// A master, workers, and where they keep the run.
pub struct Cluster {
    pub address: String,
    pub store: String,
    pub task: Task,
    /// Cluster settings of the master, by their names.
    settings: Vec<(&'static str, String)>,
    /// Settings of all processes, by their names.
    pub common: Vec<(&'static str, String)>,
    pub master: Process,
    pub workers: Vec<Process>,
    /// Goes last, when nobody writes into it any more.
    folder: TempDir,
}

/// How a cluster is made.
pub struct Plan {
    pub steps: u64,
    pub partitions: usize,
    pub workers: usize,
    /// `None`: a directory.
    pub store: Option<String>,
    /// Cluster settings of the master, by their names.
    pub settings: Vec<(&'static str, String)>,
    /// Settings of all processes, by their names.
    pub common: Vec<(&'static str, String)>,
    /// Timed commands, JSON lines.
    pub commands: Option<&'static str>,
    /// `x0,y0,x1,y1`; `None`: the whole network.
    pub region: Option<&'static str>,
}

impl Plan {
    /// One partition for each worker.
    pub fn new(steps: u64, workers: usize) -> Self {
        // Nobody is lost for being slow: the machine may be busy with other tests.
        let settings = vec![
            ("CLUSTER__SNAPSHOT_INTERVAL", "50".to_owned()),
            ("CLUSTER__HEARTBEAT_MS", "100".to_owned()),
            ("CLUSTER__TIMEOUT_MS", "600000".to_owned()),
            ("CLUSTER__ADOPTION_MS", "600000".to_owned()),
        ];
        Self {
            steps,
            partitions: workers,
            workers,
            store: None,
            settings,
            common: Vec::new(),
            commands: None,
            region: None,
        }
    }

    pub fn with(mut self, setting: &'static str, value: impl ToString) -> Self {
        self.settings.retain(|(name, _)| *name != setting);
        self.settings.push((setting, value.to_string()));
        self
    }

    /// Starts the master alone.
    pub fn master(self) -> Cluster {
        let Self { steps, partitions, workers, store, mut settings, common, commands, region } = self;
        let task = Task { steps, commands, region };
        settings.extend(common.clone());
        let folder = tempfile::tempdir().expect("a folder");
        let address = format!("127.0.0.1:{}", steady_port());
        let store = store.unwrap_or_else(|| format!("dir:{}", folder.path().join("store").display()));
        let mut arguments = master_arguments(folder.path(), &address, &store);
        arguments.extend(given(task, folder.path(), partitions, workers));
        let master = Process::start(folder.path(), "master", &arguments, &settings);
        Cluster { address, store, task, settings, common, master, workers: Vec::new(), folder }
    }

    /// Starts master and workers.
    pub fn start(self) -> Cluster {
        let workers = self.workers;
        let mut cluster = self.master();
        (0..workers).for_each(|_| cluster.add_worker(&[]));
        cluster
    }
}

fn master_arguments(folder: &Path, address: &str, store: &str) -> Vec<String> {
    let report = folder.join("report.json").display().to_string();
    ["--role", "master", "--listen", address, "--store", store, "--report-json", &report].map(str::to_owned).to_vec()
}

fn given(task: Task, folder: &Path, partitions: usize, workers: usize) -> Vec<String> {
    let mut arguments = options(task, folder);
    arguments.extend(["--run-id".to_owned(), RUN.to_owned()]);
    arguments.extend(["--partitions".to_owned(), partitions.to_string(), "--workers".to_owned(), workers.to_string()]);
    arguments
}

impl Cluster {
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Where a directory store keeps the parts of snapshots.
    pub fn parts(&self) -> PathBuf {
        self.folder().join("store/runs").join(RUN).join("parts")
    }

    /// Starts another worker, with further options.
    pub fn add_worker(&mut self, options: &[&str]) {
        let name = format!("worker-{}", self.workers.len());
        let mut arguments = ["--role", "worker", "--name", &name, "--master", &self.address, "--store", &self.store]
            .map(str::to_owned)
            .to_vec();
        arguments.extend(options.iter().map(|&option| option.to_owned()));
        let mut settings = vec![("LOG__FILTER", "info,tessds=debug".to_owned())];
        settings.extend(self.common.clone());
        self.workers.push(Process::start(self.folder.path(), &name, &arguments, &settings));
    }

    /// Starts the master again, as it was started first.
    pub fn restart_master(&mut self, partitions: usize, workers: usize) {
        let mut arguments = master_arguments(self.folder.path(), &self.address, &self.store);
        arguments.extend(given(self.task, self.folder.path(), partitions, workers));
        self.master = Process::start(self.folder.path(), "master", &arguments, &self.settings);
    }

    /// Starts a master, or a whole run in one process, that goes on with the run.
    pub fn resume(&mut self, role: &str) {
        let mut arguments = master_arguments(self.folder.path(), &self.address, &self.store);
        arguments[1] = role.to_owned();
        arguments.extend(["--resume".to_owned(), RUN.to_owned()]);
        self.master = Process::start(self.folder.path(), "resumed", &arguments, &self.settings);
    }

    /// Waits for a commit of so many steps or more, and gives its step.
    pub fn committed(&mut self, step: u64) -> u64 {
        let event = self.master.wait_for("snapshot committed", |event| event["step"].as_u64() >= Some(step));
        event["step"].as_u64().expect("a step")
    }

    /// The step of the last commit so far.
    pub fn newest_commit(&self) -> u64 {
        let events = self.master.events();
        let commit = events.iter().rfind(|event| event["message"] == "snapshot committed");
        commit.and_then(|event| event["step"].as_u64()).expect("a commit")
    }

    /// The worker that hosts a partition, as an index.
    pub fn host_of(&mut self, part: u64) -> usize {
        self.master.wait_for("partition placed", |event| event["partition"] == part);
        let events = self.master.events();
        let placed = events.iter().rfind(|e| e["message"] == "partition placed" && e["partition"] == part);
        let name = placed.expect("placed")["worker"].as_str().expect("a name").to_owned();
        self.workers.iter().position(|worker| worker.name == name).expect("a worker")
    }

    /// Kills a worker and forgets it.
    pub fn kill_worker(&mut self, index: usize) {
        self.workers.remove(index).kill();
    }

    /// The report of the run, which is over.
    pub fn report(&self) -> Value {
        report(self.folder.path())
    }

    /// Everybody ends well, and the result is that of a run that nothing was done to.
    pub fn ends_as_undisturbed(&mut self) {
        self.master.ends_with(0);
        self.workers.iter_mut().for_each(|worker| worker.ends_with(0));
        let (found, expected) = (Outcome::read(self.folder.path()), undisturbed(self.task));
        assert_eq!(found.digest, expected.digest);
        for (name, bytes) in &expected.outputs {
            assert!(!bytes.is_empty() && found.outputs[name] == *bytes, "{name} differs");
        }
    }
}
