//! Callers that are none of ours, or no more: each is refused with a line in the log, and nobody else notices.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use serde::Serialize;
use tessds::persist::{PartId, PartName, PartRef};
use tessds::protocol::{
    Epoch, Generation, Hosted, Purpose, RunId, Stored, ToMaster, ToWorker, VERSION, decode, encode,
};

use super::process::{Process, wait_until};
use super::run::{Plan, RUN};

fn framed(message: &impl Serialize) -> Vec<u8> {
    let message = encode(message).expect("a message");
    [&(message.len() as u32).to_le_bytes()[..], &message].concat()
}

fn opening(magic: &str, version: u32, purpose: Purpose) -> Vec<u8> {
    framed(&(magic, version, purpose))
}

fn to_partition(run: RunId, epoch: u64) -> Vec<u8> {
    let (from_epoch, to_epoch) = (Epoch(epoch), Epoch(epoch));
    let generation = Generation::new(Epoch(1 << 20), 1);
    // Every worker is asked for every partition, so whoever has it is among them.
    opening("TESSDS", VERSION, Purpose::Neighbour { run, from: 0, from_epoch, to: 1, to_epoch, generation })
}

struct Caller(TcpStream);

impl Caller {
    fn new(address: &str, bytes: &[u8]) -> Self {
        let mut stream = TcpStream::connect(address).expect("a listener");
        stream.set_read_timeout(Some(Duration::from_secs(60))).expect("a socket");
        stream.write_all(bytes).expect("room");
        Self(stream)
    }

    fn say(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).expect("room");
    }

    fn message(&mut self) -> Option<Vec<u8>> {
        let mut length = [0; 4];
        self.0.read_exact(&mut length).ok()?;
        let mut message = vec![0; u32::from_le_bytes(length) as usize];
        self.0.read_exact(&mut message).ok()?;
        Some(message)
    }

    /// What the other side answers to an opening.
    fn verdict(&mut self) -> Result<(), String> {
        decode(&self.message().expect("an answer")).expect("a verdict")
    }

    fn is_hung_up(&mut self) {
        let mut rest = Vec::new();
        match self.0.read_to_end(&mut rest) {
            Ok(_) => {}
            Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset, "{error}"),
        }
    }
}

fn work() -> Vec<u8> {
    opening("TESSDS", VERSION, Purpose::Work)
}

/// Lines that say so; each caller gets one of its own.
fn refusals(process: &Process, reason: &str) -> usize {
    let is_such = |line: &&String| {
        (line.contains("\"connection refused") || line.contains("\"worker refused")) && line.contains(reason)
    };
    process.lines().iter().filter(is_such).count()
}

fn is_refused(process: &Process, reason: &str) {
    wait_until(&format!("'{reason}' in the log of {}", process.name), || {
        (refusals(process, reason) == 1).then_some(())
    });
}

/// What any listener refuses, whoever it is.
fn strangers(process: &Process, address: &str) {
    let mut caller = Caller::new(address, &opening("TESSDS", VERSION + 99, Purpose::Work));
    assert!(caller.verdict().expect_err("another version").contains("run the same release everywhere"));
    caller.is_hung_up();
    is_refused(process, &format!("the peer uses protocol version {}", VERSION + 99));
    Caller::new(address, &opening("HELLO!", VERSION, Purpose::Work)).is_hung_up();
    is_refused(process, "the peer is not a TessDS process");
    Caller::new(address, b"GET / HTTP/1.1\r\n\r\n").is_hung_up();
    is_refused(process, "handshake of 542393671 bytes");
    Caller::new(address, &[255; 64]).is_hung_up();
    is_refused(process, "handshake of 4294967295 bytes");
    Caller::new(address, &[16, 0, 0, 0, 193, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7]).is_hung_up();
    is_refused(process, "malformed message");
}

/// Keeps silent, or says one byte a second; calls again when it is thrown out.
fn nuisance(address: String, drips: bool, over: Arc<AtomicBool>) -> thread::JoinHandle<()> {
    thread::spawn(move || {
        while !over.load(Ordering::SeqCst) {
            let Ok(mut stream) = TcpStream::connect(&address) else { return };
            stream.set_read_timeout(Some(Duration::from_secs(1))).expect("a socket");
            let opening = work();
            for byte in opening {
                let said = if drips { stream.write_all(&[byte]) } else { Ok(()) };
                // Nothing comes within a second, or the end.
                let is_open =
                    matches!(stream.read(&mut [0]), Err(error) if error.kind() == std::io::ErrorKind::WouldBlock);
                if said.is_err() || !is_open || over.load(Ordering::SeqCst) {
                    break;
                }
            }
        }
    })
}

#[test]
fn bad_peers_are_refused_and_disturb_nobody() {
    let mut cluster = Plan::new(3000, 2).start();
    let placed = cluster.master.wait_for("partition started", |event| event["partition"] == 1);
    let epoch = placed["epoch"].as_u64().expect("an epoch");
    let host = cluster.host_of(1);
    let event = cluster.workers[host].wait_for("worker connects to its master", |_| true);
    let (master, worker) = (cluster.address.clone(), event["address"].as_str().expect("an address").to_owned());
    cluster.committed(50);
    // The run is held here, so that it does not end meanwhile.
    let held = 1 - host;
    cluster.workers[held].signal("STOP");
    let before = [&cluster.master, &cluster.workers[host]].map(Process::memory_mib);

    strangers(&cluster.master, &master);
    strangers(&cluster.workers[host], &worker);

    // At the wrong door.
    let mut caller = Caller::new(&worker, &work());
    assert_eq!(caller.verdict(), Err("this is a worker, not a master".to_owned()));
    is_refused(&cluster.workers[host], "this is a worker, not a master");
    let mut caller = Caller::new(&master, &to_partition(RunId::of(RUN), epoch));
    assert_eq!(caller.verdict(), Err("this is a master, not a worker".to_owned()));
    is_refused(&cluster.master, "this is a master, not a worker");

    // Of another run, or of another time.
    let mut caller = Caller::new(&worker, &to_partition(RunId::of("another"), epoch));
    assert_eq!(caller.verdict(), Err("this worker belongs to another run".to_owned()));
    is_refused(&cluster.workers[host], "this worker belongs to another run");
    let mut caller = Caller::new(&worker, &to_partition(RunId::of(RUN), 0));
    assert_eq!(caller.verdict(), Err(format!("link of epochs 0 and 0, expected {epoch} and {epoch}")));
    is_refused(&cluster.workers[host], "link of epochs 0 and 0");
    let join = |name: &str, run: &str, epoch: u64| ToMaster::Join {
        name: name.to_owned(),
        incarnation: epoch + 77,
        address: "127.0.0.1:1".to_owned(),
        run: Some(RunId::of(run)),
        hosted: vec![Hosted { part: 1, epoch: Epoch(epoch), steps: 1 }],
        stored: Vec::new(),
        told: Vec::new(),
        horizon: 0,
    };
    let mut caller = Caller::new(&master, &[work(), framed(&join("stranger", "another", 1))].concat());
    assert_eq!(caller.verdict(), Ok(()));
    let refused: ToWorker = decode(&caller.message().expect("an answer")).expect("a message");
    assert!(matches!(refused, ToWorker::Refused { reason } if reason.contains("this master runs 'rush-hour'")));
    caller.is_hung_up();
    is_refused(&cluster.master, "this master runs 'rush-hour'");
    Caller::new(&master, &[work(), framed(&join("prophet", RUN, 1 << 40))].concat()).is_hung_up();
    is_refused(&cluster.master, "it belongs to a newer master");
    // What somebody says of a placement that is over changes nothing; it is welcome as a worker, as long as it stays.
    let mut caller = Caller::new(&master, &[work(), framed(&join("ghost", RUN, 0))].concat());
    assert_eq!(caller.verdict(), Ok(()));
    let id = PartId { step: 999, epoch: Epoch(0), part: PartName::Partition(1), attempt: 0 };
    let stored = Stored { part: 1, epoch: Epoch(0), reference: PartRef::new(id, b"nothing") };
    caller.say(&framed(&ToMaster::Stored(stored)));
    let mut hear = || decode::<ToWorker>(&caller.message().expect("a message")).expect("a message");
    // What was replaced has to go before anything is granted.
    assert_eq!(hear(), ToWorker::Drop { part: 1, epoch: Epoch(0) });
    let next = hear();
    assert!(matches!(next, ToWorker::Welcome(_)), "{next:?}");
    caller.say(&[&9u32.to_le_bytes()[..], b"\xc1nonsense"].concat());
    caller.is_hung_up();
    wait_until("the nonsense", || (cluster.master.count("malformed message from worker") == 1).then_some(()));

    // After the opening: too long, or nothing at all.
    let mut caller = Caller::new(&master, &[&work()[..], &u32::MAX.to_le_bytes()].concat());
    assert_eq!(caller.verdict(), Ok(()));
    caller.is_hung_up();
    is_refused(&cluster.master, "message of 4294967295 bytes, at most 268435456 are allowed");
    let mut caller = Caller::new(&master, &work());
    assert_eq!(caller.verdict(), Ok(()));
    caller.is_hung_up();
    is_refused(&cluster.master, "no handshake within");

    // Many that say nothing, and some that take their time. A worker that comes meanwhile is not held up by them.
    let over = Arc::new(AtomicBool::new(false));
    let doors = [(&master, false), (&master, true), (&worker, false)];
    let crowd: Vec<_> = doors
        .iter()
        .flat_map(|(address, drips)| (0..if *drips { 10 } else { 300 }).map(move |_| ((*address).clone(), *drips)))
        .map(|(address, drips)| nuisance(address, drips, Arc::clone(&over)))
        .collect();
    wait_until("a crowd", || (refusals(&cluster.master, "too many connections without a handshake") > 0).then_some(()));
    wait_until("a crowd", || {
        (refusals(&cluster.workers[host], "too many connections without a handshake") > 0).then_some(())
    });
    cluster.add_worker(&[]);
    cluster.master.wait_for("worker joined", |event| event["worker"] == "worker-2");
    cluster.workers[held].signal("CONT");
    cluster.committed(200);
    let after = [&cluster.master, &cluster.workers[host]].map(Process::memory_mib);
    over.store(true, Ordering::SeqCst);
    crowd.into_iter().for_each(|caller| caller.join().expect("a caller"));

    for (before, after) in before.into_iter().zip(after) {
        assert!(after < before + 100, "{before} MiB before, {after} MiB after");
    }
    cluster.ends_as_undisturbed();
    assert_eq!(cluster.report()["recoveries"], 0);
}
