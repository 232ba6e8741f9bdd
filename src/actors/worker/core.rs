//! What a worker hosts, and what it owes its master. Knows no socket and no partition: it says what is to be built, sent and
//! kept, and hears what came of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::report_log::ReportLog;
use crate::actors::ExitStatus;
use crate::actors::recorder::ReportBatch;
use crate::persist::{ContentHash, PartRef};
use crate::planted::planted;
use crate::protocol::{Epoch, Hosted, OrderNotice, Place, RouteNotice, RunId, Stored, ToMaster, ToWorker, Welcome};
use crate::protocol::{ObservationRequest, Observed};
use crate::sim::Closing;

/// Who this worker is.
#[derive(Clone, Debug)]
pub struct Identity {
    pub name: String,
    /// Drawn anew by every process.
    pub incarnation: u64,
    /// Where other workers reach it.
    pub address: String,
}

#[derive(Debug)]
pub enum Event {
    /// A connection to a master stands; steps done by the partitions.
    Connected(Vec<(u16, u64)>),
    Disconnected,
    FromMaster(ToWorker),
    /// A partition that was to be built is there, after `steps` steps.
    Built {
        part: u16,
        epoch: Epoch,
        steps: u64,
    },
    NotBuilt {
        part: u16,
        epoch: Epoch,
        reason: String,
    },
    Reported(ReportBatch),
    Stored(Stored),
    NotStored {
        part: u16,
        step: u64,
        reason: String,
    },
    Closed {
        part: u16,
        epoch: Epoch,
        closing: Box<Closing>,
    },
    Exited {
        part: u16,
        epoch: Epoch,
        status: ExitStatus,
    },
    PeerSilent {
        part: u16,
        peer: u16,
        peer_epoch: Epoch,
    },
    Seen(Box<Observed>),
    /// The process is to end.
    Terminate,
}

#[derive(Debug, PartialEq)]
pub enum Effect {
    /// To the master.
    SendToMaster(Arc<ToMaster>),
    /// The run is known: learn its scenario.
    Prepare(Box<Welcome>),
    Build {
        part: u16,
        epoch: Epoch,
        from: Option<PartRef>,
    },
    /// Tear down, if it is there.
    Drop {
        part: u16,
        epoch: Epoch,
    },
    /// To one partition, right after it was built, or to all.
    Grant {
        part: Option<u16>,
        horizon: u64,
    },
    Routes {
        part: Option<u16>,
        notice: Arc<RouteNotice>,
    },
    /// To one partition.
    Orders {
        part: u16,
        notices: Vec<Arc<OrderNotice>>,
    },
    /// To all partitions.
    Look(Arc<ObservationRequest>),
    Finish {
        part: Option<u16>,
        steps: u64,
    },
    /// To all links.
    Committed {
        step: u64,
    },
    /// Where the partitions are now.
    Link(Vec<Place>),
    /// The worker has nothing left to do.
    End(Result<(), String>),
}

#[derive(Clone, Copy, Debug)]
struct PartitionSlot {
    epoch: Epoch,
    steps: u64,
    is_up: bool,
}

/// One worker.
#[derive(Debug)]
pub struct Core {
    identity: Identity,
    run: Option<RunId>,
    /// As the run's master said last.
    scenario: Option<ContentHash>,
    connected: bool,
    /// The master has said on this connection what it has.
    welcome: bool,
    fault_tolerant: bool,
    /// Steps of which reports are kept at most.
    kept_steps: Option<u64>,
    slots: BTreeMap<u16, PartitionSlot>,
    /// As the present master has granted it.
    horizon: u64,
    /// The farthest that any master has granted: partitions that were here then may have got there.
    farthest: u64,
    committed: u64,
    finish: Option<u64>,
    notices: Vec<Arc<RouteNotice>>,
    /// By number; with the partitions that they concern, here or elsewhere.
    orders: BTreeMap<u64, (Vec<u16>, Arc<OrderNotice>)>,
    reports: ReportLog,
    stored: Vec<Stored>,
    /// The newest placement of each partition.
    told: BTreeMap<u16, Epoch>,
    leaving: bool,
}

impl Core {
    pub fn new(identity: Identity) -> Self {
        Self {
            identity,
            run: None,
            scenario: None,
            connected: false,
            welcome: false,
            fault_tolerant: false,
            kept_steps: None,
            slots: BTreeMap::new(),
            horizon: 0,
            farthest: 0,
            committed: 0,
            finish: None,
            notices: Vec::new(),
            orders: BTreeMap::new(),
            reports: ReportLog::default(),
            stored: Vec::new(),
            told: BTreeMap::new(),
            leaving: false,
        }
    }

    /// Batches of reports that are kept for another master.
    pub fn kept_reports(&self) -> usize {
        self.reports.kept()
    }

    pub fn handle(&mut self, event: Event, effects: &mut Vec<Effect>) {
        match event {
            Event::Connected(steps) => {
                for (part, steps) in steps {
                    if let Some(slot) = self.slots.get_mut(&part) {
                        slot.steps = steps;
                    }
                }
                self.join(effects);
            }
            Event::Disconnected => (self.connected, self.welcome) = (false, false),
            Event::FromMaster(message) => self.told(message, effects),
            Event::Built { part, epoch, steps } => self.built(part, epoch, steps, effects),
            Event::NotBuilt { part, epoch, reason } => {
                if self.forget(part, epoch) {
                    let status = ExitStatus::Failed { reason };
                    self.say(ToMaster::Exited { part, epoch, status }, effects);
                }
            }
            Event::Reported(batch) => self.reported(batch, effects),
            Event::Stored(stored) => {
                if stored.reference.id.step > self.committed && self.hosts(stored.part, stored.epoch) {
                    self.stored.push(stored);
                    self.say(ToMaster::Stored(stored), effects);
                }
            }
            Event::NotStored { part, step, reason } => self.say(ToMaster::NotStored { part, step, reason }, effects),
            Event::Closed { part, epoch, closing } => {
                if self.hosts(part, epoch) {
                    self.say(ToMaster::Closed { part, epoch, closing }, effects);
                }
            }
            Event::Exited { part, epoch, status } => {
                if self.forget(part, epoch) {
                    self.say(ToMaster::Exited { part, epoch, status }, effects);
                }
            }
            Event::PeerSilent { part, peer, peer_epoch } => {
                self.say(ToMaster::PeerSilent { part, peer, peer_epoch }, effects);
            }
            // Only the newest is of use.
            Event::Seen(seen) if self.welcome => self.say(ToMaster::Seen(seen), effects),
            Event::Seen(_) => {}
            Event::Terminate => {
                self.leaving = true;
                if self.slots.is_empty() {
                    effects.push(Effect::End(Ok(())));
                } else if !self.fault_tolerant {
                    let text = "shutdown requested while fault tolerance is off: its partitions cannot be moved, so the run fails";
                    effects.push(Effect::End(Err(text.to_owned())));
                } else {
                    self.say(ToMaster::Leaving, effects);
                }
            }
        }
    }

    fn join(&mut self, effects: &mut Vec<Effect>) {
        (self.connected, self.welcome) = (true, false);
        let Identity { name, incarnation, address } = self.identity.clone();
        let hosted = self.slots.iter().map(|(part, slot)| Hosted { part: *part, epoch: slot.epoch, steps: slot.steps });
        let join = ToMaster::Join {
            name,
            incarnation,
            address,
            run: self.run,
            hosted: hosted.collect(),
            stored: self.stored.clone(),
            told: self.told.iter().map(|(part, epoch)| (*part, *epoch)).collect(),
            horizon: self.farthest,
        };
        effects.push(Effect::SendToMaster(Arc::new(join)));
    }

    fn told(&mut self, message: ToWorker, effects: &mut Vec<Effect>) {
        match message {
            ToWorker::Welcome(welcome) => self.welcomed(welcome, effects),
            ToWorker::Refused { reason } => {
                effects.push(Effect::End(Err(format!("the master refused this worker: {reason}"))))
            }
            ToWorker::Places(places) => {
                self.told = places.iter().map(|place| (place.part, place.epoch)).collect();
                effects.push(Effect::Link(places));
            }
            // An older placement, or this one, told twice.
            ToWorker::Host { part, epoch, .. } if self.slots.get(&part).is_some_and(|slot| slot.epoch >= epoch) => {}
            ToWorker::Host { part, epoch, from } => {
                // A newer placement replaces an older one here, too.
                let slot = PartitionSlot { epoch, steps: from.map_or(0, |from| from.id.step), is_up: false };
                if let Some(old) = self.slots.insert(part, slot) {
                    effects.push(Effect::Drop { part, epoch: old.epoch });
                }
                self.reports.forget(part);
                self.stored.retain(|stored| stored.part != part);
                effects.push(Effect::Build { part, epoch, from });
            }
            ToWorker::Drop { part, epoch } => {
                if self.forget(part, epoch) {
                    effects.push(Effect::Drop { part, epoch });
                }
            }
            ToWorker::Grant { horizon, recorded } => {
                if !self.fault_tolerant {
                    self.reports.cut_before(recorded);
                }
                self.farthest = self.farthest.max(horizon);
                // A worker that was frozen gets the answers to all its signs of life at once, and they say the same.
                if horizon != self.horizon {
                    self.horizon = horizon;
                    effects.push(Effect::Grant { part: None, horizon });
                }
            }
            ToWorker::Routes(notice) => {
                let notice = Arc::new(notice);
                let key = |notice: &RouteNotice| (notice.at_step, notice.cause);
                if let Err(at) = self.notices.binary_search_by_key(&key(&notice), |other| key(other)) {
                    self.notices.insert(at, Arc::clone(&notice));
                }
                effects.push(Effect::Routes { part: None, notice });
            }
            ToWorker::Orders { parts, notice } => self.ordered(parts, notice, effects),
            ToWorker::Look(look) => effects.push(Effect::Look(Arc::new(look))),
            ToWorker::Committed { step } => self.commit(step, effects),
            ToWorker::Finish { steps } => {
                self.finish = Some(steps);
                effects.push(Effect::Finish { part: None, steps });
            }
            ToWorker::End { failure } => effects.push(Effect::End(failure.map_or(Ok(()), Err))),
        }
    }

    fn welcomed(&mut self, welcome: Box<Welcome>, effects: &mut Vec<Effect>) {
        self.welcome = true;
        self.run = Some(welcome.run);
        if self.scenario.replace(welcome.scenario).is_some_and(|before| before != welcome.scenario) {
            // Routes and orders name roads of a network that is no more.
            self.notices.clear();
            self.orders.clear();
        }
        self.fault_tolerant = welcome.policy.snapshot_interval.is_some();
        self.kept_steps = welcome.policy.uncommitted_steps.filter(|_| welcome.policy.outlive_store);
        let (committed, recorded, horizon) = (welcome.committed, welcome.recorded, welcome.horizon);
        effects.push(Effect::Prepare(welcome));
        let lacking = if self.committed > recorded && !planted("keep-partitions") {
            // The commit was taken back for which their reports were forgotten.
            self.committed = committed;
            self.slots.keys().copied().collect()
        } else {
            self.reports.lacking(recorded)
        };
        self.commit(committed, effects);
        self.horizon = horizon;
        self.farthest = self.farthest.max(horizon);
        effects.push(Effect::Grant { part: None, horizon });
        // The outputs cannot be completed from here: the partition has to be computed again.
        for part in lacking {
            if let Some(epoch) = self.slots.get(&part).map(|slot| slot.epoch)
                && self.forget(part, epoch)
            {
                effects.push(Effect::Drop { part, epoch });
                let reason = format!("its reports since step {recorded} are no longer in the report log");
                self.say(ToMaster::Exited { part, epoch, status: ExitStatus::Failed { reason } }, effects);
            }
        }
        // What was lost with the last connection, and what a new master has never seen.
        effects.extend(self.reports.since(recorded).map(|reports| Effect::SendToMaster(Arc::clone(reports))));
        for (part, slot) in self.slots.iter().filter(|(_, slot)| slot.is_up) {
            let ready = ToMaster::Ready { part: *part, epoch: slot.epoch, steps: slot.steps };
            effects.push(Effect::SendToMaster(Arc::new(ready)));
        }
        if self.leaving {
            self.say(ToMaster::Leaving, effects);
        }
    }

    fn ordered(&mut self, parts: Vec<u16>, notice: OrderNotice, effects: &mut Vec<Effect>) {
        let notice = Arc::new(notice);
        // One that is being built gets it when it is there.
        for part in parts.iter().filter(|part| self.slots.get(part).is_some_and(|slot| slot.is_up)) {
            effects.push(Effect::Orders { part: *part, notices: vec![Arc::clone(&notice)] });
        }
        self.orders.insert(notice.number, (parts, notice));
    }

    fn commit(&mut self, step: u64, effects: &mut Vec<Effect>) {
        if step <= self.committed {
            return;
        }
        self.committed = step;
        self.reports.cut_before(step);
        self.stored.retain(|stored| stored.reference.id.step > step);
        self.notices.retain(|notice| notice.at_step >= step);
        self.orders.retain(|_, (_, notice)| notice.at_step >= step);
        effects.push(Effect::Committed { step });
    }

    fn built(&mut self, part: u16, epoch: Epoch, steps: u64, effects: &mut Vec<Effect>) {
        let Some(slot) = self.slots.get_mut(&part).filter(|slot| slot.epoch == epoch) else { return };
        (slot.is_up, slot.steps) = (true, steps);
        let orders = self.orders.values().filter(|(parts, _)| parts.contains(&part));
        let notices: Vec<_> = orders.map(|(_, notice)| Arc::clone(notice)).collect();
        if !notices.is_empty() {
            effects.push(Effect::Orders { part, notices });
        }
        let part = Some(part);
        effects.extend(self.notices.iter().map(|notice| Effect::Routes { part, notice: Arc::clone(notice) }));
        effects.extend(self.finish.map(|steps| Effect::Finish { part, steps }));
        effects.push(Effect::Grant { part, horizon: self.horizon });
        if let Some(part) = part {
            self.say(ToMaster::Ready { part, epoch, steps }, effects);
        }
    }

    fn reported(&mut self, batch: ReportBatch, effects: &mut Vec<Effect>) {
        let ReportBatch { token, part, until, reports } = batch;
        // What a partition reports that was replaced is nobody's business.
        if !self.hosts(part, token.epoch) {
            return;
        }
        let message = Arc::new(ToMaster::Reports { part, epoch: token.epoch, until, reports });
        if !planted("forget-reports") {
            self.reports.push(part, until, Arc::clone(&message));
        }
        if let Some(kept) = self.kept_steps {
            self.reports.give_up_before(part, until.saturating_sub(kept));
        }
        if self.welcome {
            effects.push(Effect::SendToMaster(message));
        }
    }

    /// Whether this is the placement that is here; nothing is said of another one (I4).
    fn hosts(&self, part: u16, epoch: Epoch) -> bool {
        self.slots.get(&part).is_some_and(|slot| slot.epoch == epoch)
    }

    fn forget(&mut self, part: u16, epoch: Epoch) -> bool {
        let is_present = self.hosts(part, epoch);
        if is_present {
            self.slots.remove(&part);
            self.reports.forget(part);
            self.stored.retain(|stored| stored.part != part);
        }
        is_present
    }

    /// Says it now or not at all: what a master must know is said again when the next connection stands.
    fn say(&self, message: ToMaster, effects: &mut Vec<Effect>) {
        if self.connected {
            effects.push(Effect::SendToMaster(Arc::new(message)));
        }
    }
}

#[cfg(test)]
#[path = "core_tests.rs"]
mod tests;
