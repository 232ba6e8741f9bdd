//! What all hosts of a simulation share outside of the simulated network: the judge, and who is who.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};

use tessds::actors::recorder::Recording;
use tessds::protocol::Purpose;
use tessds::scenario::CompiledScenario;
use tokio::sync::Notify;

use super::judge::Judge;
use super::network::Wire;

/// Milliseconds of simulated time, the same on all hosts.
pub fn now_ms() -> u64 {
    turmoil::sim_elapsed().map_or(0, |elapsed| elapsed.as_millis() as u64)
}

/// What a run comes to.
#[derive(Debug, PartialEq)]
pub enum Outcome {
    Finished(Box<Recording>),
    /// A timed command cannot be carried out, which is said before the run begins.
    Refused(String),
}

/// How the run ended, as a master told.
pub struct Ended {
    pub outcome: Outcome,
    pub recoveries: u64,
}

#[derive(Default)]
pub struct People {
    /// Which host is behind the name `master`.
    pub master: String,
    /// The process that runs on a host at present.
    pub processes: BTreeMap<String, u64>,
    pub started: u64,
    /// Tells the worker on a host to leave.
    pub leave: BTreeMap<String, Arc<Notify>>,
    /// What connections are for, by the address of who made them.
    pub purposes: BTreeMap<SocketAddr, Purpose>,
    pub wires: Vec<Arc<Wire>>,
    pub ended: Option<Ended>,
}

pub struct Hub {
    judge: Mutex<Judge>,
    people: Mutex<People>,
}

impl Hub {
    pub fn new(scenario: &CompiledScenario) -> Self {
        Self { judge: Mutex::new(Judge::new(scenario)), people: Mutex::default() }
    }
    pub fn judge(&self) -> MutexGuard<'_, Judge> {
        self.judge.lock().expect("no panic")
    }
    pub fn people(&self) -> MutexGuard<'_, People> {
        self.people.lock().expect("no panic")
    }

    /// A process starts on a host: gives its number, which no other process has.
    pub fn start(&self, host: &str) -> u64 {
        let mut people = self.people();
        people.started += 1;
        let process = people.started;
        people.processes.insert(host.to_owned(), process);
        process
    }

    pub fn process_on(&self, host: &str) -> u64 {
        self.people().processes.get(host).copied().unwrap_or(0)
    }

    /// Connections between two hosts end as after too many retransmissions, on the side of `a` or on both.
    pub fn sever(&self, a: &str, b: &str, both: bool) {
        let wires: Vec<_> = self.people().wires.clone();
        for wire in wires {
            if (wire.local == a && wire.remote == b) || (both && wire.local == b && wire.remote == a) {
                wire.sever();
            }
        }
        self.people().wires.retain(|wire| Arc::strong_count(wire) > 1);
    }
}
