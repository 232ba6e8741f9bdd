//! A Redis of the test's own, on a free port of the loopback, in a folder of its own.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use redis::{Client, Connection};
use tempfile::TempDir;

pub struct RedisServer {
    process: Child,
    port: u16,
    folder: TempDir,
    arguments: Vec<String>,
    password: Option<String>,
}

pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port").port()
}

fn spawn(port: u16, folder: &Path, arguments: &[String]) -> Child {
    Command::new("redis-server")
        .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", ""])
        .arg("--dir")
        .arg(folder)
        .args(arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap_or_else(|error| {
            panic!("cannot start redis-server ({error}): install it with 'tools/setup.sh system' or 'apt-get install redis-server'")
        })
}

impl RedisServer {
    /// With further arguments of redis-server.
    pub fn start(arguments: &[&str]) -> Self {
        Self::start_in(tempfile::tempdir().expect("a folder"), arguments, None)
    }

    /// With a folder that holds what the arguments name, and the password that it takes to look at it.
    pub fn start_in(folder: TempDir, arguments: &[&str], password: Option<&str>) -> Self {
        let arguments: Vec<String> = arguments.iter().map(|&argument| argument.to_owned()).collect();
        let port = free_port();
        let process = spawn(port, folder.path(), &arguments);
        let password = password.map(str::to_owned);
        let server = Self { process, port, folder, arguments, password };
        server.wait();
        server
    }

    pub fn port(&self) -> u16 {
        self.port
    }
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }
    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    pub fn client(&self) -> Client {
        let login = self.password.as_ref().map(|password| format!(":{password}@")).unwrap_or_default();
        Client::open(format!("redis://{login}127.0.0.1:{}", self.port)).expect("an address")
    }
    pub fn link(&self) -> Connection {
        self.client().get_connection().expect("redis")
    }
    /// `CONFIG SET`.
    pub fn configure(&self, name: &str, value: &str) {
        redis::cmd("CONFIG").arg("SET").arg(name).arg(value).exec(&mut self.link()).expect("a setting of redis");
    }
    /// A number of `INFO`.
    pub fn info(&self, name: &str) -> u64 {
        let info: String = redis::cmd("INFO").query(&mut self.link()).expect("redis");
        let line = info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        line.and_then(|value| value.trim().parse().ok()).expect("a number")
    }

    /// As by `kill -9`.
    pub fn kill(&mut self) {
        self.process.kill().expect("a process");
        self.process.wait().expect("its end");
    }
    /// Again, on the same port and folder.
    pub fn restart(&mut self) {
        self.process = spawn(self.port, self.folder.path(), &self.arguments);
        self.wait();
    }

    fn wait(&self) {
        let since = Instant::now();
        loop {
            let answer = self.client().get_connection_with_timeout(Duration::from_millis(200));
            if answer.and_then(|mut link| redis::cmd("PING").exec(&mut link)).is_ok() {
                return;
            }
            assert!(since.elapsed() < Duration::from_secs(20), "redis-server does not answer on port {}", self.port);
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
