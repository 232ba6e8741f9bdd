//! What goes wrong, when, and for how long.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::Duration;

use turmoil::Sim;

use super::cluster::Site;
use super::hub::Hub;
use super::store::Planted;
use crate::common::demand::Random;

/// Pairs of hosts and hosts that something is wrong with already.
type Pair = (String, String);

pub(super) enum End {
    Repair {
        pair: Pair,
        both: bool,
    },
    Release {
        pair: Pair,
    },
    Losses {
        pair: Pair,
    },
    Restart {
        host: String,
    },
    /// A master that another one has replaced ends at last.
    Kill {
        host: &'static str,
    },
    Latency,
    Store,
}

pub struct Faults {
    pub(super) site: Rc<Site>,
    pub(super) random: Random,
    /// Decides about damage alone.
    pub(super) bad_hardware: Random,
    pub(super) workers: Vec<String>,
    pub(super) busy: BTreeSet<Pair>,
    /// Hosts that are down and have a time at which they come back.
    pub(super) down: BTreeSet<String>,
    due: BTreeMap<(Duration, u64), End>,
    planned: u64,
    next_fault: Duration,
    is_quiet: bool,
}

impl Faults {
    pub fn new(site: Rc<Site>, workers: Vec<String>) -> Self {
        let mut random = Random(site.plan.seed ^ 0xfa17);
        let bad_hardware = Random(site.plan.seed ^ 0xbad);
        let next_fault = Duration::from_millis(random.next() % 500);
        let (busy, down, due) = (BTreeSet::new(), BTreeSet::new(), BTreeMap::new());
        Self { site, random, bad_hardware, workers, busy, down, due, planned: 0, next_fault, is_quiet: false }
    }

    pub(super) fn hub(&self) -> &Hub {
        &self.site.hub
    }

    fn millis(&mut self, low: u64, high: u64) -> Duration {
        Duration::from_millis(low + self.random.next() % (high - low + 1))
    }

    pub(super) fn later(&mut self, at: Duration, end: End) {
        self.planned += 1;
        self.due.insert((at, self.planned), end);
    }

    pub(super) fn note(&self, sim: &Sim, kind: &'static str, who: &str) {
        tracing::info!(kind, who, at = ?sim.elapsed(), "FAULT");
        let mut judge = self.hub().judge();
        judge.count(kind);
        judge.note(sim.elapsed().as_millis() as u64, who, kind, b"");
    }

    /// To be called after every step of the simulation, until the run is over.
    pub fn go_on(&mut self, sim: &mut Sim) {
        let now = sim.elapsed();
        while let Some(entry) = self.due.first_entry().filter(|entry| entry.key().0 <= now) {
            let end = entry.remove();
            self.undo(end, sim);
        }
        if now >= self.site.plan.quiet_from {
            if !self.is_quiet {
                self.is_quiet = true;
                self.end(sim);
            }
        } else if now >= self.next_fault {
            let every = self.site.plan.fault_every.as_millis() as u64;
            self.next_fault = now + self.millis(1, 2 * every);
            self.strike(sim);
        }
        self.restart_ended(sim);
    }

    /// Processes that ended while the run goes on are started again, as a cluster manager does.
    fn restart_ended(&mut self, sim: &mut Sim) {
        let master = self.hub().people().master.clone();
        let hosts: Vec<String> = self.workers.iter().cloned().chain([master]).collect();
        for host in hosts {
            if !self.down.contains(&host) && !sim.is_host_running(host.as_str()) {
                let at = sim.elapsed() + self.millis(5, 400);
                self.down.insert(host.clone());
                self.later(at, End::Restart { host });
            }
        }
    }

    /// No faults any more.
    pub fn end(&mut self, sim: &mut Sim) {
        for ((at, number), end) in std::mem::take(&mut self.due) {
            match end {
                // Whoever is down comes back in its time.
                End::Restart { host } => drop(self.due.insert((at, number), End::Restart { host })),
                end => self.undo(end, sim),
            }
        }
    }

    fn undo(&mut self, end: End, sim: &mut Sim) {
        let slowest = self.site.plan.latency.1;
        match end {
            End::Repair { pair, both } => {
                sim.repair(pair.0.as_str(), pair.1.as_str());
                self.note(sim, "repaired links", &pair.0);
                self.hub().sever(&pair.0, &pair.1, both);
                self.busy.remove(&pair);
            }
            End::Release { pair } => {
                sim.release(pair.0.as_str(), pair.1.as_str());
                self.busy.remove(&pair);
            }
            End::Losses { pair } => {
                sim.set_link_fail_rate(pair.0.as_str(), pair.1.as_str(), 0.0);
                sim.repair(pair.0.as_str(), pair.1.as_str());
                self.hub().sever(&pair.0, &pair.1, true);
                self.busy.remove(&pair);
            }
            End::Restart { host } => {
                self.down.remove(&host);
                self.note(sim, "restarts", &host);
                sim.bounce(host.as_str());
            }
            End::Kill { host } => {
                if self.hub().people().master != host && sim.is_host_running(host) {
                    self.note(sim, "replaced masters killed", host);
                    sim.crash(host);
                }
            }
            End::Latency => sim.set_max_message_latency(slowest),
            End::Store => {
                let mut weather = self.site.weather.lock().expect("no panic");
                (weather.failing, weather.delay_ms, weather.outage) = (0, self.site.plan.store_delay_ms, false);
            }
        }
    }

    fn pair(&mut self) -> Option<Pair> {
        let mut hosts = self.workers.clone();
        let master = self.hub().people().master.clone();
        // The master takes part in many of the connections.
        hosts.extend([master.clone(), master]);
        let (a, b) = (self.random.pick(&hosts).clone(), self.random.pick(&hosts).clone());
        let pair = if a < b { (a, b) } else { (b, a) };
        (pair.0 != pair.1 && self.busy.insert(pair.clone())).then_some(pair)
    }

    fn strike(&mut self, sim: &mut Sim) {
        let now = sim.elapsed();
        // Short and long compared with the time-outs.
        let lasting = if self.random.below(3) > 0 { self.millis(5, 300) } else { self.millis(200, 2500) };
        // Without heartbeats nobody looks after a connection of which one end is lost.
        let both = !self.site.plan.cluster.heartbeat || self.random.below(2) == 0;
        // Two masters at once are rare, and what this bug is about.
        let is_unfenced = self.site.planted == Planted::UnfencedCommit;
        match if is_unfenced { 15 } else { self.random.below(16) } {
            0 => {
                let Some(pair) = self.pair() else { return };
                self.note(sim, "partitions", &pair.0);
                sim.partition(pair.0.as_str(), pair.1.as_str());
                self.later(now + lasting, End::Repair { pair, both });
            }
            1 => {
                let Some(pair) = self.pair() else { return };
                self.note(sim, "one-way partitions", &pair.0);
                if self.random.below(2) == 0 {
                    sim.partition_oneway(pair.0.as_str(), pair.1.as_str());
                } else {
                    sim.partition_oneway(pair.1.as_str(), pair.0.as_str());
                }
                self.later(now + lasting, End::Repair { pair, both });
            }
            2 | 3 => {
                let Some(pair) = self.pair() else { return };
                self.note(sim, "holds", &pair.0);
                sim.hold(pair.0.as_str(), pair.1.as_str());
                self.later(now + lasting, End::Release { pair });
            }
            4 => {
                let Some(pair) = self.pair() else { return };
                self.note(sim, "broken connections", &pair.0);
                self.hub().sever(&pair.0, &pair.1, both);
                self.busy.remove(&pair);
            }
            5 => {
                let Some(pair) = self.pair() else { return };
                self.note(sim, "losses", &pair.0);
                let rate = 0.005 * (1 + self.random.below(20)) as f64;
                sim.set_link_fail_rate(pair.0.as_str(), pair.1.as_str(), rate);
                self.later(now + lasting, End::Losses { pair });
            }
            6..=8 => {
                if self.bad_hardware.below(4) == 0 {
                    self.damage(sim);
                }
                let worker = self.random.pick(&self.workers).clone();
                self.crash(&worker, lasting, sim);
            }
            9 => {
                if self.bad_hardware.below(2) == 0 {
                    self.damage(sim);
                }
                let master = self.hub().people().master.clone();
                self.crash(&master, lasting, sim);
            }
            10 => {
                let hosts: Vec<String> =
                    self.workers.iter().cloned().chain([self.hub().people().master.clone()]).collect();
                for host in hosts {
                    if self.random.below(2) == 0 {
                        self.crash(&host, lasting, sim);
                    }
                }
            }
            11 => {
                self.note(sim, "slow networks", "all");
                sim.set_max_message_latency(lasting.min(Duration::from_millis(400)).max(self.site.plan.latency.1));
                self.later(now + 2 * lasting, End::Latency);
            }
            12 => {
                self.note(sim, "store outages", "store");
                self.site.weather.lock().expect("no panic").outage = true;
                self.later(now + lasting, End::Store);
            }
            13 => {
                self.note(sim, "bad stores", "store");
                let (failing, delay_ms) = (50 + self.random.next() % 500, self.random.next() % 80);
                {
                    let mut weather = self.site.weather.lock().expect("no panic");
                    (weather.failing, weather.delay_ms) = (failing, delay_ms);
                }
                self.later(now + 3 * lasting, End::Store);
            }
            14 => {
                let worker = self.random.pick(&self.workers).clone();
                self.note(sim, "terminations", &worker);
                let leave = self.hub().people().leave.get(&worker).cloned();
                leave.iter().for_each(|leave| leave.notify_one());
            }
            _ => self.usurp(lasting, sim),
        }
    }
}
