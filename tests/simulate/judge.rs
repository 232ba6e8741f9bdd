//! Sees every message and every change of the store, and holds them against the invariants.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use tessds::persist::ContentHash;
use tessds::protocol::{PeerMessage, ToMaster, ToWorker};
use tessds::scenario::CompiledScenario;
use tessds::sim::report::{Counts, StepReport};
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

use super::ledger::Ledger;
use super::worlds::Worlds;

use crate::common::invariants::conserved;

/// What is known of all that was said and stored so far.
pub struct Judge {
    pub(super) partitions: u16,
    worlds: Worlds,
    trace: Xxh3,
    print: bool,
    faults: Vec<String>,
    /// How often things happened, against vacuous passes.
    pub seen: BTreeMap<&'static str, u64>,
    /// Hash of the frame of (edits before, from, to, step): the last one before an edit is sent in both networks.
    frames: BTreeMap<(usize, u16, u16, u64), u64>,
    /// By step and partition: hash of the report, and its counts.
    reports: BTreeMap<u64, BTreeMap<u16, (u64, Counts)>>,
    /// Which process was told to host a partition in an epoch, and how often its network was edited.
    placements: BTreeMap<(u16, u64), (u64, usize)>,
    /// Of what scenario a worker was told on a connection.
    welcomes: BTreeMap<SocketAddr, ContentHash>,
    pub(super) store: Ledger,
}

impl Judge {
    pub fn new(scenario: &CompiledScenario) -> Self {
        Self {
            partitions: scenario.cut.parts as u16,
            worlds: Worlds::new(scenario),
            trace: Xxh3::new(),
            print: std::env::var_os("TRACE").is_some(),
            faults: Vec::new(),
            seen: BTreeMap::new(),
            frames: BTreeMap::new(),
            reports: BTreeMap::new(),
            placements: BTreeMap::new(),
            welcomes: BTreeMap::new(),
            store: Ledger::default(),
        }
    }

    /// Adds to the trace, by which two runs of a seed are compared.
    pub fn note(&mut self, at_ms: u64, who: &str, what: &str, bytes: &[u8]) {
        if self.print {
            eprintln!("{at_ms} {who} {what} {:016x}", xxh3_64(bytes));
        }
        self.trace.update(&at_ms.to_le_bytes());
        self.trace.update(who.as_bytes());
        self.trace.update(what.as_bytes());
        self.trace.update(bytes);
    }

    pub fn trace(&self) -> u64 {
        self.trace.digest()
    }

    pub fn count(&mut self, what: &'static str) {
        *self.seen.entry(what).or_default() += 1;
    }

    /// An invariant is broken.
    pub fn accuse(&mut self, fault: String) {
        self.faults.push(fault);
    }

    pub fn verdict(&self) -> Result<(), String> {
        if self.faults.is_empty() { Ok(()) } else { Err(self.faults.join("; ")) }
    }

    // Messages.

    /// A scenario is in the store.
    pub fn scenario(&mut self, hash: ContentHash, bytes: &[u8]) {
        let before = self.worlds.newest();
        if let Err(fault) = self.worlds.stored(hash, bytes) {
            self.accuse(fault);
        }
        if self.worlds.newest() > before {
            self.count("edits");
        }
    }

    /// I1: whoever computes a step, and however often, says the same of it.
    pub fn peer(&mut self, from: u16, to: u16, message: &PeerMessage) {
        if let PeerMessage::Frame(frame) = message {
            self.count("frames");
            let (step, epoch) = (frame.step, frame.token.epoch);
            let Some((_, edits)) = self.placements.get(&(frame.from, epoch.0)).copied() else {
                return self.accuse(format!(
                    "I4: a frame is of partition {from} in epoch {}, where nobody placed it",
                    epoch.0
                ));
            };
            let hash = self.worlds.hash(edits, to, frame);
            let first = *self.frames.entry((edits, from, to, step)).or_insert(hash);
            if first != hash || frame.from != from {
                self.accuse(format!("I1: the frame of step {step} from {from} to {to} differs from the first one"));
            }
        }
    }

    pub fn hear_worker(&mut self, message: &ToMaster) {
        match message {
            ToMaster::Reports { part, until, reports, .. } => {
                let first = until - reports.len() as u64;
                for (step, report) in (first..).zip(reports) {
                    self.report(*part, step, report);
                }
            }
            ToMaster::Leaving => self.count("leaving workers"),
            ToMaster::PeerSilent { .. } => self.count("second opinions"),
            _ => {}
        }
    }

    fn report(&mut self, part: u16, step: u64, report: &StepReport) {
        let bytes = rmp_serde::to_vec(report).expect("plain data");
        let hash = xxh3_64(&bytes);
        let step_reports = self.reports.entry(step).or_default();
        let is_complete = step_reports.len() == usize::from(self.partitions);
        let (first, _) = *step_reports.entry(part).or_insert((hash, report.counts));
        let mut fault = (first != hash).then(|| format!("I1: the report of step {step} of partition {part} differs"));
        let mut again = first == hash && is_complete;
        if !is_complete && step_reports.len() == usize::from(self.partitions) {
            let mut counts = Counts::default();
            step_reports.values().for_each(|(_, share)| counts += *share);
            fault = fault.or(conserved(&counts).err().map(|lost| format!("I2: step {step}: {lost}")));
            again = false;
        }
        if again {
            self.count("repeated reports");
        }
        fault.into_iter().for_each(|fault| self.accuse(fault));
    }

    /// What process `from` tells process `to` on the connection of this caller.
    pub fn hear_master(&mut self, from: u64, to: u64, caller: SocketAddr, message: &ToWorker) {
        match message {
            ToWorker::Host { part, epoch, from } => {
                self.count(if from.is_some() { "placements from a commit" } else { "placements from the beginning" });
                let edits = self.welcomes.get(&caller).and_then(|scenario| self.worlds.edits(*scenario));
                let Some(edits) = edits else {
                    return self
                        .accuse(format!("partition {part} is placed on a worker that does not know its scenario"));
                };
                let (host, _) = *self.placements.entry((*part, epoch.0)).or_insert((to, edits));
                if host != to {
                    self.accuse(format!("I4: partition {part} was placed twice in epoch {}", epoch.0));
                }
                if epoch.0 > self.store.epoch {
                    self.accuse(format!("I4: partition {part} was placed in epoch {}, which nobody has", epoch.0));
                }
            }
            ToWorker::Committed { step } if self.store.known_to(from) < Some(*step) => {
                self.accuse(format!("I5: step {step} was announced, committed is {:?}", self.committed()));
            }
            ToWorker::Welcome(welcome) => {
                self.welcomes.insert(caller, welcome.scenario);
                if welcome.committed > self.store.known_to(from).unwrap_or(0) {
                    let (said, is) = (welcome.committed, self.committed());
                    self.accuse(format!("I5: a worker was told of commit {said}, committed is {is:?}"));
                }
            }
            _ => {}
        }
    }

    pub fn committed(&self) -> Option<u64> {
        self.store.committed()
    }
}
