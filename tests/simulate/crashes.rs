//! Processes that are lost, a second master, and what bad hardware does to the store meanwhile.

use std::time::Duration;

use futures_util::FutureExt;
use tessds::persist::{Manifest, RunName, SnapshotStore};
use turmoil::Sim;

use super::cluster::{MASTERS, RUN};
use super::faults::{End, Faults};

impl Faults {
    /// Damages a part of the newest commit, when there is one before it to fall back to.
    pub(super) fn damage(&mut self, sim: &Sim) {
        let run = RunName::new(RUN).expect("a good name");
        let mut store = self.site.memory.clone();
        let commits = store.commits(&run).now_or_never().expect("memory answers at once").unwrap_or_default();
        let mut is_whole = |commit: &Manifest| {
            let mut is_readable = |part| matches!(store.get_part(&run, part).now_or_never(), Some(Ok(_)));
            commit.parts.iter().all(&mut is_readable)
        };
        let [newest, before, ..] = &commits[..] else { return };
        if !is_whole(newest) || !is_whole(before) {
            return;
        }
        let part = self.bad_hardware.pick(&newest.parts).id;
        let (kind, place) = (self.bad_hardware.below(3), self.bad_hardware.next() as usize);
        let is_done = self.site.memory.damage_part(&run, part, |bytes| match (kind, place % bytes.len().max(1)) {
            (0, at) => bytes.truncate(at),
            (1, _) => bytes.clear(),
            (_, at) => bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= 0x10),
        });
        if is_done {
            self.note(sim, "damaged snapshots", "store");
            self.hub().judge().damaged(part);
        }
    }

    pub(super) fn crash(&mut self, host: &str, lasting: Duration, sim: &mut Sim) {
        if self.down.contains(host) || !sim.is_host_running(host) {
            return;
        }
        self.note(sim, if MASTERS.contains(&host) { "crashes of the master" } else { "crashes" }, host);
        // A host without power says no good-bye to its peers.
        let others: Vec<String> = self.workers.iter().cloned().chain(MASTERS.map(str::to_owned)).collect();
        // Without heartbeats nobody would miss it.
        let silent: Vec<&String> = if self.site.plan.cluster.heartbeat && self.random.below(3) == 0 {
            others.iter().filter(|other| *other != host && !self.is_busy(host, other)).collect()
        } else {
            Vec::new()
        };
        silent.iter().for_each(|other| sim.partition(host, other.as_str()));
        sim.crash(host);
        silent.iter().for_each(|other| sim.repair(host, other.as_str()));
        self.down.insert(host.to_owned());
        self.later(sim.elapsed() + lasting, End::Restart { host: host.to_owned() });
    }

    fn is_busy(&self, a: &str, b: &str) -> bool {
        let pair = if a < b { (a.to_owned(), b.to_owned()) } else { (b.to_owned(), a.to_owned()) };
        self.busy.contains(&pair)
    }

    /// A second master takes over while the first one lives and perhaps is cut off.
    pub(super) fn usurp(&mut self, lasting: Duration, sim: &mut Sim) {
        let [first, second] = MASTERS;
        let (old, new) = if self.hub().people().master == first { (first, second) } else { (second, first) };
        if sim.is_host_running(new) || self.down.contains(old) {
            return;
        }
        self.note(sim, "second masters", new);
        let is_cut_off = self.random.below(3) > 0;
        for worker in self.workers.clone() {
            let pair = (old.to_owned(), worker);
            if is_cut_off && self.busy.insert(pair.clone()) {
                // What it says arrives later, as from a process that was stopped for a while.
                sim.hold(pair.0.as_str(), pair.1.as_str());
                self.later(sim.elapsed() + lasting, End::Release { pair });
            }
        }
        self.later(sim.elapsed() + 2 * lasting, End::Kill { host: old });
        new.clone_into(&mut self.hub().people().master);
        sim.bounce(new);
    }
}
