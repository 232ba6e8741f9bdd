//! Who is let in between processes, and what both sides hear when somebody is not.

use std::cell::Cell;
use std::io::{Read, Write};
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tessds::actors::accept_all;
use tessds::protocol::{
    Listener, LocalNetwork, Networking, Purpose, Stream, TcpNetwork, TlsNetwork, accept, answer, open,
};
use tessds::tls::{client_config, server_name};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::{LocalSet, spawn_local};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::certificates::{Authority, Files, HERE};

pub fn tls(files: &Files) -> TlsNetwork {
    TlsNetwork::new(Arc::new(TcpNetwork), files.tls()).expect("good files")
}

/// One side's end of a connection that was opened, or why there is none.
type End = Result<Box<dyn Stream>, String>;

/// Both ends of a connection: the caller's, and that of who is called.
async fn ends(listener: &mut dyn Listener, network: &dyn Networking) -> (End, End) {
    let address = listener.address();
    let calling = async {
        let mut stream = network.connect(&address).await.map_err(|error| error.to_string())?;
        open(&mut *stream, Purpose::Work).await.map_err(|error| error.to_string())?;
        Ok(stream)
    };
    tokio::join!(calling, called(listener))
}

async fn called(listener: &mut dyn Listener) -> End {
    let (mut stream, _) = listener.accept().await.map_err(|error| error.to_string())?;
    accept(&mut *stream).await.map_err(|error| error.to_string())?;
    answer(&mut *stream, Ok(())).await.map_err(|error| error.to_string())?;
    Ok(stream)
}

/// What both sides of a call hear: the caller, and who is called.
pub async fn meet(listener: &mut dyn Listener, network: &dyn Networking) -> (Result<(), String>, Result<(), String>) {
    let (caller, called) = ends(listener, network).await;
    (caller.map(drop), called.map(drop))
}

/// Both ends of a connection between two who accept each other.
pub async fn connected(listener: &mut dyn Listener, network: &dyn Networking) -> (Box<dyn Stream>, Box<dyn Stream>) {
    let (caller, called) = ends(listener, network).await;
    (caller.expect("a welcome"), called.expect("a caller"))
}

/// The same for a caller with certificates that no process of ours would start with.
async fn meet_odd(
    files: &Files,
    ca: &Path,
    own: Option<(&Path, &Path)>,
) -> (Result<Vec<u8>, String>, Result<(), String>) {
    let mut listener = tls(files).listen("127.0.0.1:0").await.expect("a free port");
    let address = listener.address();
    let calling = async {
        let connector = TlsConnector::from(client_config(ca, own).expect("good files"));
        let stream = TcpStream::connect(&address).await.expect("a listener");
        let name = server_name(&address).expect("an address");
        let mut stream = connector.connect(name, stream).await.map_err(|error| error.to_string())?;
        let mut heard = Vec::new();
        stream.read_to_end(&mut heard).await.map_err(|error| error.to_string())?;
        Ok(heard)
    };
    let (caller, called) = tokio::join!(calling, called(&mut *listener));
    (caller, called.map(drop))
}

fn says<T: std::fmt::Debug>(result: Result<T, String>, expected: &str) {
    let error = result.expect_err(expected);
    assert!(error.contains(expected), "{error}");
}

#[tokio::test]
async fn processes_of_one_authority_meet() {
    let authority = Authority::new("ours");
    let (one, other) = (
        Files::new(&authority.issue(HERE), &authority.pem()),
        Files::new(&authority.issue(&["localhost"]), &authority.pem()),
    );
    let mut listener = tls(&one).listen("127.0.0.1:0").await.expect("a free port");
    assert_eq!(meet(&mut *listener, &tls(&other)).await, (Ok(()), Ok(())));
}

#[tokio::test]
async fn a_caller_without_a_certificate_is_refused() {
    let authority = Authority::new("ours");
    let files = Files::new(&authority.issue(HERE), &authority.pem());
    let (caller, called) = meet_odd(&files, &files.path("ca.crt"), None).await;
    says(caller, "CertificateRequired");
    says(called, "the client presents no certificate");
}

#[tokio::test]
async fn a_caller_of_another_authority_is_refused() {
    let (ours, theirs) = (Authority::new("ours"), Authority::new("theirs"));
    let files = Files::new(&ours.issue(HERE), &ours.pem());
    // It trusts both, so that it is not the one who refuses.
    let stranger = Files::new(&theirs.issue(HERE), &(ours.pem() + &theirs.pem()));
    let mut listener = tls(&files).listen("127.0.0.1:0").await.expect("a free port");
    let (caller, called) = meet(&mut *listener, &tls(&stranger)).await;
    says(caller, "the peer does not accept the certificate of this process");
    says(called, "the certificate of the client is not accepted: UnknownIssuer");
}

#[tokio::test]
async fn a_listener_of_another_authority_is_refused() {
    let (ours, theirs) = (Authority::new("ours"), Authority::new("theirs"));
    let files = Files::new(&ours.issue(HERE), &ours.pem());
    let stranger = Files::new(&theirs.issue(HERE), &(ours.pem() + &theirs.pem()));
    let mut listener = tls(&stranger).listen("127.0.0.1:0").await.expect("a free port");
    let (caller, called) = meet(&mut *listener, &tls(&files)).await;
    says(caller, "the certificate of the server is not accepted: UnknownIssuer");
    says(called, "the peer does not accept the certificate of this process");
}

#[tokio::test]
async fn an_expired_certificate_is_refused_on_both_sides_and_by_its_owner() {
    let authority = Authority::new("ours");
    let files = Files::new(&authority.issue(HERE), &authority.pem());
    let expired = Files::new(&authority.issue_expired(HERE), &authority.pem());
    let own = (expired.path("tls.crt"), expired.path("tls.key"));
    let (caller, called) = meet_odd(&files, &files.path("ca.crt"), Some((&own.0, &own.1))).await;
    says(caller, "CertificateExpired");
    says(called, "the certificate of the client is not accepted: certificate expired");
    // A listener whose certificate expired while it ran.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address").to_string();
    let acceptor = TlsAcceptor::from(expired.tls().gateway().expect("good files"));
    let ours = tls(&files);
    let serving = async { acceptor.accept(listener.accept().await.expect("a caller").0).await.map(drop) };
    let (caller, _) = tokio::join!(ours.connect(&address), serving);
    says(
        caller.map(drop).map_err(|error| error.to_string()),
        "the certificate of the server is not accepted: certificate expired",
    );
    let refused = TlsNetwork::new(Arc::new(TcpNetwork), expired.tls());
    says(refused.map(drop).map_err(|error| error.to_string()), "other processes would refuse this one");
}

#[tokio::test]
async fn a_certificate_of_another_host_is_refused() {
    let authority = Authority::new("ours");
    let files = Files::new(&authority.issue(&["elsewhere.example"]), &authority.pem());
    let mut listener = tls(&files).listen("127.0.0.1:0").await.expect("a free port");
    let (caller, called) = meet(&mut *listener, &tls(&files)).await;
    says(caller, "not valid for name \"127.0.0.1\"; certificate is only valid for DnsName(\"elsewhere.example\")");
    says(called, "the peer does not accept the certificate of this process");
}

#[tokio::test]
async fn who_speaks_no_tls_is_refused_and_both_sides_are_told_what_to_do() {
    let authority = Authority::new("ours");
    let files = Files::new(&authority.issue(HERE), &authority.pem());
    let mut listener = tls(&files).listen("127.0.0.1:0").await.expect("a free port");
    let (caller, called) = meet(&mut *listener, &TcpNetwork).await;
    says(caller, "the peer uses TLS, and this process does not; set [tls] for all");
    says(called, "the client does not use TLS");
    let mut listener = TcpNetwork.listen("127.0.0.1:0").await.expect("a free port");
    let (caller, called) = meet(&mut *listener, &tls(&files)).await;
    says(called, "the peer uses TLS, and this process does not; set [tls] for all");
    says(caller, "set [tls] there, too");
}

/// Streams are opened on one thread and served by another.
#[test]
fn a_connection_goes_on_after_it_has_moved_to_other_threads() {
    fn run<T>(work: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(work)
    }
    let authority = Authority::new("ours");
    let files = Files::new(&authority.issue(HERE), &authority.pem());
    // These runtimes end before the connections do.
    let (caller, called) = run(async {
        let network = tls(&files);
        let mut listener = network.listen("127.0.0.1:0").await.expect("a free port");
        connected(&mut *listener, &network).await
    });
    const BYTES: usize = 3_000_000;
    let exchange = |stream: Box<dyn Stream>, own: u8| {
        run(async move {
            let stream = stream.rehomed().expect("a socket");
            let (mut reading, mut writing) = tokio::io::split(stream);
            let write = async {
                writing.write_all(&vec![own; BYTES]).await.expect("room");
                writing.shutdown().await.expect("an end");
            };
            let mut heard = Vec::new();
            let read = reading.read_to_end(&mut heard);
            let ((), read) = tokio::join!(write, read);
            read.expect("all of it");
            heard
        })
    };
    let other = std::thread::spawn(move || exchange(called, 1));
    let heard = exchange(caller, 2);
    assert_eq!(heard, vec![1; BYTES]);
    assert_eq!(other.join().expect("no panic"), vec![2; BYTES]);
}

#[tokio::test]
async fn tls_goes_over_any_network() {
    let authority = Authority::new("ours");
    let files = Files::new(&authority.issue(&["host"]), &authority.pem());
    let network = TlsNetwork::new(Arc::new(LocalNetwork::default()), files.tls()).expect("good files");
    let mut listener = network.listen("host:0").await.expect("a free port");
    assert_eq!(meet(&mut *listener, &network).await, (Ok(()), Ok(())));
}

/// More than may wait at once, some of which say a byte now and then: whoever is one of us is let in all the same.
#[test]
fn callers_that_do_not_go_on_with_the_handshake_hold_nobody_up() {
    let authority = Authority::new("ours");
    let files = Files::new(&authority.issue(HERE), &authority.pem());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    LocalSet::new().block_on(&runtime, async {
        let network = tls(&files);
        let listener = network.listen("127.0.0.1:0").await.expect("a free port");
        let address = listener.address();
        let welcomed = Rc::new(Cell::new(0));
        let count = Rc::clone(&welcomed);
        let serve = move |_, mut stream: Box<dyn Stream>| {
            let count = Rc::clone(&count);
            drop(spawn_local(async move {
                answer(&mut *stream, Ok(())).await.expect("a caller");
                count.set(count.get() + 1);
            }));
        };
        let accepting = spawn_local(accept_all(listener, serve));
        let mut nuisances = Vec::new();
        for number in 0..400 {
            let address = address.clone();
            let mut stream =
                std::net::TcpStream::connect_timeout(&address.parse().expect("an address"), Duration::from_secs(10))
                    .expect("a listener");
            // The beginning of a greeting, of which more never comes.
            if number % 2 == 0 {
                stream.write_all(&[0x16, 3, 1, 2]).expect("room");
            }
            nuisances.push(stream);
            // The listener is on this thread, too.
            tokio::task::yield_now().await;
        }
        for _ in 0..5 {
            let calling = async {
                let mut stream = network.connect(&address).await.expect("a connection");
                open(&mut *stream, Purpose::Work).await.expect("a welcome");
            };
            tokio::time::timeout(Duration::from_secs(2), calling).await.expect("at once");
            for stream in nuisances.iter_mut().rev().take(50) {
                // Some have been thrown out.
                let _ = stream.write_all(&[0]);
            }
        }
        assert_eq!(welcomed.get(), 5);
        // The first were thrown out to make room.
        let oldest = &mut nuisances[1];
        oldest.set_nonblocking(true).expect("a socket");
        assert!(matches!(oldest.read(&mut [0]), Ok(0)), "it still waits");
        accepting.abort();
    });
}

#[test]
fn keys_are_in_no_debug_text() {
    let authority = Authority::new("ours");
    let pair = authority.issue(HERE);
    let files = Files::new(&pair, &authority.pem());
    let credentials = files.tls().credentials().expect("good files");
    let secret = pair.key.lines().nth(1).expect("a key");
    assert!(!format!("{credentials:?} {:?}", files.tls()).contains(secret));
    std::fs::write(files.path("tls.key"), pair.key.replace("PRIVATE KEY", "PRIVATE")).expect("room");
    let error = files.tls().credentials().expect_err("no key");
    assert!(!format!("{error} {error:?}").contains(secret));
}
