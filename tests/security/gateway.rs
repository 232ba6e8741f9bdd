//! Who is let in by a gateway with certificates.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustls::{ClientConnection, StreamOwned};
use tessds::tls::{client_config, server_name};

use super::certificates::{Authority, Files, HERE, Pair};
use super::program::Program;

fn gateway(files: &Files) -> Program {
    let settings = files.path("control.toml");
    let path = |name| files.path(name).display().to_string();
    let (certificate, key, ca) = (path("tls.crt"), path("tls.key"), path("ca.crt"));
    let text = format!("[control]\ncertificate = {certificate:?}\nkey = {key:?}\nclient_ca = {ca:?}\n");
    std::fs::write(&settings, text).expect("room");
    Program::start(&["--config", &settings.display().to_string()])
}

/// The status of the gateway's answer to a client with these files, or why there is none.
fn ask(program: &Program, ca: &Path, own: Option<(&Path, &Path)>) -> Result<u16, String> {
    let config = client_config(ca, own).expect("good files");
    let name = server_name(&program.address).expect("an address");
    let connection = ClientConnection::new(config, name).expect("a good configuration");
    let stream = TcpStream::connect(&program.address).expect("the gateway");
    stream.set_read_timeout(Some(Duration::from_secs(60))).expect("a socket");
    let mut stream = StreamOwned::new(connection, stream);
    let head = format!("GET /status HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", program.address);
    stream.write_all(head.as_bytes()).map_err(|error| error.to_string())?;
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).map_err(|error| error.to_string())?;
    Ok(String::from_utf8_lossy(&answer[9..]).parse().expect("a status"))
}

/// Files of a client.
struct Client {
    files: Files,
}

impl Client {
    fn new(pair: &Pair, ca: &str) -> Self {
        Self { files: Files::new(pair, ca) }
    }

    fn ask(&self, program: &Program) -> Result<u16, String> {
        let [ca, certificate, key]: [PathBuf; 3] = ["ca.crt", "tls.crt", "tls.key"].map(|name| self.files.path(name));
        ask(program, &ca, Some((&certificate, &key)))
    }
}

#[test]
fn a_gateway_lets_in_clients_of_its_authority_alone() {
    let (ours, theirs) = (Authority::new("ours"), Authority::new("theirs"));
    let files = Files::new(&ours.issue(HERE), &ours.pem());
    let program = gateway(&files);
    let says = |result: Result<u16, String>, expected: &str| {
        let error = result.expect_err(expected);
        // What a client says before it hears that it was refused may reset the connection.
        assert!(error.contains(expected) || error.contains("reset"), "{error}");
    };
    assert_eq!(Client::new(&ours.issue(&["a client"]), &ours.pem()).ask(&program), Ok(200));
    says(ask(&program, &files.path("ca.crt"), None), "CertificateRequired");
    says(Client::new(&theirs.issue(HERE), &ours.pem()).ask(&program), "UnknownCA");
    says(Client::new(&ours.issue_expired(HERE), &ours.pem()).ask(&program), "CertificateExpired");
    let not_ours = Client::new(&ours.issue(HERE), &theirs.pem()).ask(&program);
    says(not_ours, "UnknownIssuer");
    // Without TLS.
    let mut stream = TcpStream::connect(&program.address).expect("the gateway");
    stream.write_all(b"GET /status HTTP/1.1\r\nHost: x\r\n\r\n").expect("room");
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    assert!(!answer.starts_with(b"HTTP"), "{}", String::from_utf8_lossy(&answer));
    assert_eq!(Client::new(&ours.issue(&["a client"]), &ours.pem()).ask(&program), Ok(200));
}

#[test]
fn certificates_of_a_gateway_are_replaced_while_it_runs() {
    let (first, second) = (Authority::new("first"), Authority::new("second"));
    let files = Files::new(&first.issue(HERE), &first.pem());
    let program = gateway(&files);
    let (before, after) =
        (Client::new(&first.issue(HERE), &first.pem()), Client::new(&second.issue(HERE), &second.pem()));
    assert_eq!((before.ask(&program), after.ask(&program).is_err()), (Ok(200), true));
    files.replace(&second.issue(HERE), &second.pem());
    assert_eq!((before.ask(&program).is_err(), after.ask(&program)), (true, Ok(200)));
    std::fs::write(files.path("tls.key"), "nonsense").expect("room");
    assert_eq!(after.ask(&program), Ok(200));
}

#[test]
fn clients_that_do_not_go_on_with_the_handshake_hold_nobody_up() {
    let authority = Authority::new("ours");
    let files = Files::new(&authority.issue(HERE), &authority.pem());
    let program = gateway(&files);
    let client = Client::new(&authority.issue(HERE), &authority.pem());
    // More than the gateway has places for.
    let mut silent = Vec::new();
    for number in 0..1500 {
        let mut stream = TcpStream::connect(&program.address).expect("the gateway");
        if number % 2 == 0 {
            // It may have been thrown out.
            let _ = stream.write_all(&[0x16, 3, 1, 2]);
        }
        silent.push(stream);
    }
    assert_eq!(client.ask(&program), Ok(200));
}
