//! One process of the program, and what it logs.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// Nothing that is waited for takes so long, on whatever machine; it is then missing for good.
const PATIENCE: Duration = Duration::from_secs(180);
const POLL: Duration = Duration::from_millis(3);

/// Waits for an event.
pub fn wait_until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let since = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(since.elapsed() < PATIENCE, "{what}: not within {} s", PATIENCE.as_secs());
        std::thread::sleep(POLL);
    }
}

pub struct Process {
    pub name: String,
    child: Child,
    log: PathBuf,
    /// Where the log of this process begins: an earlier one of the same name may have written to it, too.
    from: u64,
}

impl Process {
    /// Starts the program; what it logs goes to `NAME.log` in the folder.
    pub fn start(folder: &Path, name: &str, arguments: &[String], settings: &[(&str, String)]) -> Self {
        let log = folder.join(format!("{name}.log"));
        let file = OpenOptions::new().create(true).append(true).open(&log).expect("a log file");
        let from = file.metadata().expect("a log file").len();
        let child = Command::new(env!("CARGO_BIN_EXE_tessds"))
            .arg("run")
            .args(arguments)
            .args(["--log-format", "json", "--no-step-log"])
            .envs(settings.iter().map(|(key, value)| (format!("TESSDS__{key}"), value)))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(file)
            .spawn()
            .expect("the program");
        Self { name: name.to_owned(), child, log, from }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Complete lines of the log so far: JSON, or what the program says at its end.
    pub fn lines(&self) -> Vec<String> {
        let mut file = File::open(&self.log).expect("the log");
        file.seek(SeekFrom::Start(self.from)).expect("the log");
        BufReader::new(file).lines().map_while(Result::ok).collect()
    }

    pub fn events(&self) -> Vec<Value> {
        self.lines().iter().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    pub fn count(&self, message: &str) -> usize {
        self.events().iter().filter(|event| event["message"] == message).count()
    }

    /// The first event of this kind that fits, as soon as it is logged.
    pub fn wait_for(&mut self, message: &str, fits: impl Fn(&Value) -> bool) -> Value {
        let what = format!("'{message}' of {}", self.name);
        wait_until(&what, || {
            let ended = self.child.try_wait().expect("a process");
            let found = self.events().into_iter().find(|event| event["message"] == message && fits(event));
            assert!(found.is_some() || ended.is_none(), "{what}: it has ended ({ended:?}):\n{}", self.tail());
            found
        })
    }

    /// The end of the log, for people.
    pub fn tail(&self) -> String {
        let lines = self.lines();
        lines[lines.len().saturating_sub(25)..].join("\n")
    }

    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("a process").is_none()
    }

    /// As by `kill -9`.
    pub fn kill(&mut self) {
        self.child.kill().expect("a process");
        self.child.wait().expect("its end");
    }

    /// `TERM`, `STOP` or `CONT`.
    pub fn signal(&self, signal: &str) {
        let sent = Command::new("kill").args([format!("-{signal}"), self.pid().to_string()]).status();
        assert!(sent.expect("kill").success(), "no signal to {}", self.name);
    }

    /// Waits until all of its threads have stopped, after `STOP`.
    pub fn is_stopped(&self) {
        let is_stopped = |task: PathBuf| {
            let stat = std::fs::read_to_string(task.join("stat")).unwrap_or_default();
            stat.rsplit(") ").next().is_some_and(|rest| rest.starts_with('T'))
        };
        wait_until(&format!("{} to stop", self.name), || {
            let tasks = std::fs::read_dir(format!("/proc/{}/task", self.pid())).expect("a running process");
            tasks.map_while(Result::ok).all(|task| is_stopped(task.path())).then_some(())
        });
    }

    pub fn wait(&mut self) -> ExitStatus {
        let since = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("a process") {
                return status;
            }
            assert!(since.elapsed() < PATIENCE, "{} does not end:\n{}", self.name, self.tail());
            std::thread::sleep(POLL);
        }
    }

    /// Waits for its end, which has to be this one.
    pub fn ends_with(&mut self, code: i32) {
        let status = self.wait();
        assert_eq!(status.code(), Some(code), "{} ended with {status}:\n{}", self.name, self.tail());
    }

    // What the operating system knows of it.

    pub fn open_files(&self) -> usize {
        self.entries("fd")
    }

    pub fn threads(&self) -> usize {
        self.entries("task")
    }

    fn entries(&self, folder: &str) -> usize {
        std::fs::read_dir(format!("/proc/{}/{folder}", self.pid())).expect("a running process").count()
    }

    /// Memory in use, MiB.
    pub fn memory_mib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).expect("a running process");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("VmRSS");
        line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") / 1024
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended, as it should.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- {}\n{}", self.name, self.tail());
        }
    }
}
