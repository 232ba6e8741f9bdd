//! Sees every message and every change of the store, and holds them against the invariants.

use std::collections::BTreeMap;

use tessds::protocol::{Epoch, PeerMessage, ToMaster, ToWorker};
use tessds::scenario::CompiledScenario;
use tessds::sim::report::{Counts, StepReport};
use tessds::sim::{Mirror, Scope, Vehicle, World};
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

use crate::common::invariants::conserved;

/// What is known of all that was said and stored so far.
pub struct Judge {
    partitions: u16,
    /// Roads that the first partition shows the second.
    mirrors: BTreeMap<(u16, u16), Mirror>,
    trace: Xxh3,
    print: bool,
    faults: Vec<String>,
    /// How often things happened, against vacuous passes.
    pub seen: BTreeMap<&'static str, u64>,
    /// Hash of the frame of (from, to, step).
    frames: BTreeMap<(u16, u16, u64), u64>,
    /// By step and partition: hash of the report, and its counts.
    reports: BTreeMap<u64, BTreeMap<u16, (u64, Counts)>>,
    /// Which process was told to host a partition in an epoch.
    placements: BTreeMap<(u16, u64), u64>,
    store: Ledger,
}

/// What the store has promised.
#[derive(Default)]
struct Ledger {
    epoch: u64,
    /// The process that acquired last.
    owner: Option<u64>,
    committed: Option<u64>,
    commit_epoch: u64,
}

impl Judge {
    pub fn new(scenario: &CompiledScenario) -> Self {
        let CompiledScenario { network, demand, settings, requests, cut, .. } = scenario.clone();
        let world = World::new(network, demand, settings, requests);
        let partitions = cut.parts as u16;
        let scopes: Vec<Scope> = (0..partitions).map(|part| Scope::new(&world, part, &cut.part_of_edge)).collect();
        let pairs = (0..partitions).flat_map(|from| (0..partitions).map(move |to| (from, to)));
        let mirror = |(from, to)| Mirror::between(&world, &scopes[usize::from(from)], &scopes[usize::from(to)]);
        Self {
            partitions,
            mirrors: pairs.map(|pair| (pair, mirror(pair))).collect(),
            trace: Xxh3::new(),
            print: std::env::var_os("TRACE").is_some(),
            faults: Vec::new(),
            seen: BTreeMap::new(),
            frames: BTreeMap::new(),
            reports: BTreeMap::new(),
            placements: BTreeMap::new(),
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

    /// I1: whoever computes a step, and however often, says the same of it.
    pub fn peer(&mut self, from: u16, to: u16, message: &PeerMessage) {
        if let PeerMessage::Frame(frame) = message {
            let hash = xxh3_64(&without_derived(&frame.bytes, &self.mirrors[&(from, to)]));
            self.count("frames");
            let first = *self.frames.entry((from, to, frame.step)).or_insert(hash);
            if first != hash || frame.from != from {
                self.accuse(format!(
                    "I1: the frame of step {} from {from} to {to} differs from the first one",
                    frame.step
                ));
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

    /// `process`: the one that is told.
    pub fn hear_master(&mut self, process: u64, message: &ToWorker) {
        match message {
            ToWorker::Host { part, epoch, from } => {
                self.count(if from.is_some() { "placements from a commit" } else { "placements from the beginning" });
                let host = *self.placements.entry((*part, epoch.0)).or_insert(process);
                if host != process {
                    self.accuse(format!("I4: partition {part} was placed twice in epoch {}", epoch.0));
                }
                if epoch.0 > self.store.epoch {
                    self.accuse(format!("I4: partition {part} was placed in epoch {}, which nobody has", epoch.0));
                }
            }
            ToWorker::Committed { step } if self.store.committed < Some(*step) => {
                self.accuse(format!("I5: step {step} was announced, committed is {:?}", self.store.committed));
            }
            ToWorker::Welcome(welcome) if welcome.committed > self.store.committed.unwrap_or(0) => {
                let (said, is) = (welcome.committed, self.store.committed);
                self.accuse(format!("I5: a worker was told of commit {said}, committed is {is:?}"));
            }
            _ => {}
        }
    }

    // The store.

    pub fn committed(&self) -> Option<u64> {
        self.store.committed
    }

    pub fn acquired(&mut self, by: u64, epoch: Epoch) {
        if epoch.0 <= self.store.epoch {
            self.accuse(format!("I4: epoch {} was given out after {}", epoch.0, self.store.epoch));
        }
        if self.store.owner.replace(by).is_some_and(|before| before != by) {
            self.count("changes of the master");
        }
        self.store.epoch = epoch.0;
    }

    pub fn raised(&mut self, by: u64, epoch: Epoch) {
        self.changed(by, Epoch(self.store.epoch), "raise_epoch");
        if epoch.0 != self.store.epoch + 1 {
            self.accuse(format!("I4: epoch {} was raised to {}", self.store.epoch, epoch.0));
        }
        self.store.epoch = epoch.0;
    }

    /// A call that is fenced has succeeded.
    pub fn changed(&mut self, by: u64, epoch: Epoch, what: &str) {
        if self.store.owner != Some(by) || epoch.0 != self.store.epoch {
            let (owner, current) = (self.store.owner, self.store.epoch);
            self.accuse(format!(
                "I4: {what} by process {by} in epoch {} while process {owner:?} drives the run in epoch {current}",
                epoch.0
            ));
        }
    }

    pub fn commit(&mut self, by: u64, step: u64, epoch: Epoch, parts: usize, unreadable: Option<String>) {
        self.count("commits");
        self.changed(by, epoch, "commit");
        if self.store.committed == Some(step) {
            return self.count("repeated commits");
        }
        if self.store.committed > Some(step) || epoch.0 < self.store.commit_epoch {
            self.accuse(format!("I5: commit of step {step} after {:?}", self.store.committed));
        }
        if parts != usize::from(self.partitions) + 1 {
            self.accuse(format!("I5: the commit of step {step} has {parts} parts"));
        }
        if let Some(error) = unreadable {
            self.accuse(format!("I5: the commit of step {step} cannot be read: {error}"));
        }
        (self.store.committed, self.store.commit_epoch) = (Some(step), epoch.0);
    }
}

/// A frame without what its receiver computes anew: where in a partition's tables a vehicle's plan is depends on its history.
fn without_derived(frame: &[u8], mirror: &Mirror) -> Vec<u8> {
    /// What a vehicle beside the road has in addition.
    const BESIDE: usize = 64;
    let mut bytes = frame.to_vec();
    let mut at = 0;
    let lanes = mirror.lanes.iter().map(|_| size_of::<Vehicle>());
    let edges = mirror.edges.iter().map(|_| size_of::<Vehicle>() + BESIDE);
    for size in lanes.chain(edges) {
        let Some(count) = bytes.get(at..at + 4) else { return bytes };
        let count = u32::from_le_bytes(count.try_into().expect("four bytes")) as usize;
        at += 4;
        for _ in 0..count {
            for field in [std::mem::offset_of!(Vehicle, plan), std::mem::offset_of!(Vehicle, link)] {
                if let Some(derived) = bytes.get_mut(at + field..at + field + size_of::<u32>()) {
                    derived.fill(0);
                }
            }
            at += size;
        }
    }
    bytes
}
