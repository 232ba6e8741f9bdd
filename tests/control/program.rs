//! A program that takes commands, and clients of it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Message, WebSocket, client};

const PATIENCE: Duration = Duration::from_secs(60);

/// Runs in a folder with the example as scenario `297/sz`; ends with the test.
pub struct Program {
    pub address: String,
    pub folder: TempDir,
    child: Child,
}

impl Program {
    /// `tessds run` with these options and a gateway on a free port.
    pub fn start(options: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let scenario = folder.path().join("297/sz");
        std::fs::create_dir_all(&scenario).expect("room");
        let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/helsinki");
        for entry in std::fs::read_dir(example).expect("the example") {
            let path = entry.expect("a file").path();
            std::fs::copy(&path, scenario.join(path.file_name().expect("a name"))).expect("room");
        }
        let mut child = Command::new(env!("CARGO_BIN_EXE_tessds"))
            .current_dir(folder.path())
            .args(["run", "--http", "127.0.0.1:0", "--no-step-log", "--log-format", "json", "--scenario-folder", "."])
            .args(options)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program");
        let mut log = BufReader::new(child.stderr.take().expect("a log"));
        let address = loop {
            let mut line = String::new();
            assert!(log.read_line(&mut line).expect("a log") > 0, "the program has ended");
            let event: Value = serde_json::from_str(&line).unwrap_or_default();
            if event["message"] == "gateway listens for commands" {
                break event["address"].as_str().expect("an address").to_owned();
            }
        };
        // Who does not read the log holds the program up.
        std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
        Self { address, folder, child }
    }

    /// Posts a message; status and reply.
    pub fn post(&self, path: &str, headers: &str, body: &[u8]) -> (u16, Value) {
        let mut stream = TcpStream::connect(&self.address).expect("the gateway");
        stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
        let length = body.len();
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: {}\r\nContent-Length: {length}\r\nConnection: close\r\n{headers}\r\n",
            self.address
        );
        stream.write_all(head.as_bytes()).expect("the gateway");
        // It may answer before it has read all.
        let _ = stream.write_all(body);
        answer(stream)
    }

    pub fn get(&self, path: &str, headers: &str) -> (u16, Value) {
        let mut stream = TcpStream::connect(&self.address).expect("the gateway");
        let head = format!("GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n{headers}\r\n", self.address);
        stream.write_all(head.as_bytes()).expect("the gateway");
        answer(stream)
    }

    pub fn command(&self, text: &str) -> Value {
        self.post("/command", "", text.as_bytes()).1
    }

    /// A command that is carried out; its data.
    pub fn done(&self, text: &str) -> Value {
        let reply = self.command(text);
        assert_eq!(reply["code"], 200, "{text}: {reply}");
        reply["data"].clone()
    }

    pub fn simulation(&self, param: &str) -> Value {
        self.command(&format!(r#"{{"type1":"up","type2":"simulation","param":[{{{param}}}]}}"#))
    }

    pub fn status(&self) -> Value {
        self.get("/status", "").1["data"].clone()
    }

    /// Waits until the run is in this state.
    pub fn reaches(&self, state: &str) -> Value {
        let until = Instant::now() + PATIENCE;
        loop {
            let status = self.status();
            if status["state"] == state {
                return status;
            }
            assert!(Instant::now() < until, "not {state}: {status}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits for its end, and gives its exit code.
    pub fn ends(&mut self) -> Option<i32> {
        let until = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().expect("a process") {
                return status.code();
            }
            assert!(Instant::now() < until, "the program does not end");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Loads the example and starts it.
    pub fn begin(&self, param: &str) {
        self.done(r#"{"type1":"up","type2":"loadNet","param":[{"projId":"297","netKey":"sz"}]}"#);
        let started = self.simulation(&format!(r#""action":"start"{param}"#));
        assert_eq!(started["code"], 200, "{started}");
    }

    pub fn client(&self, path: &str, header: Option<(&'static str, &str)>) -> Result<Client, u16> {
        let mut request = format!("ws://{}{path}", self.address).into_client_request().expect("an address");
        if let Some((name, value)) = header {
            request.headers_mut().insert(name, value.parse().expect("a value"));
        }
        let stream = TcpStream::connect(&self.address).expect("the gateway");
        stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
        match client(request, stream) {
            Ok((socket, _)) => Ok(Client { socket }),
            Err(tokio_tungstenite::tungstenite::HandshakeError::Failure(
                tokio_tungstenite::tungstenite::Error::Http(response),
            )) => Err(response.status().as_u16()),
            Err(error) => panic!("{error}"),
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn answer(mut stream: TcpStream) -> (u16, Value) {
    let mut bytes = Vec::new();
    // A connection that is reset has said all before.
    let _ = stream.read_to_end(&mut bytes);
    let text = String::from_utf8_lossy(&bytes);
    let (head, body) = text.split_once("\r\n\r\n").expect("a head");
    let status = head.split(' ').nth(1).expect("a status").parse().expect("a number");
    (status, serde_json::from_str(body).unwrap_or_default())
}

/// A WebSocket.
pub struct Client {
    pub socket: WebSocket<TcpStream>,
}

impl Client {
    pub fn say(&mut self, text: &str) {
        self.socket.send(Message::text(text)).expect("the gateway");
    }

    pub fn hear(&mut self) -> Value {
        loop {
            match self.socket.read().expect("a message") {
                Message::Text(text) => return serde_json::from_str(&text).expect("JSON"),
                Message::Close(frame) => panic!("closed: {frame:?}"),
                _ => {}
            }
        }
    }

    pub fn ask(&mut self, text: &str) -> Value {
        self.say(text);
        self.hear()
    }
}
