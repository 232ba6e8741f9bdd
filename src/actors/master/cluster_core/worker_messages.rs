//! Messages of workers: who joins with which partitions, and what these report.

use super::*;

impl ClusterCore {
    pub(super) fn message(&mut self, session: SessionId, message: ToMaster, now: Instant, effects: &mut Vec<Effect>) {
        if let ToMaster::Join { name, incarnation, address, run, hosted, stored, told, horizon } = message {
            if run == Some(self.plan.run) {
                self.floor = self.floor.max(horizon);
            }
            let newest = hosted.iter().map(|hosted| hosted.epoch).max();
            if newest.is_some_and(|newest| newest > self.epoch) {
                // Another master has placed them, and this one will soon hear that it is fenced off (I4).
                tracing::warn!(
                    worker = name,
                    epoch = newest.map(|epoch| epoch.0),
                    "worker refused: it belongs to a newer master"
                );
                return effects.push(Effect::Hangup { session });
            }
            let replaced = if run.is_some_and(|run| run != self.plan.run) {
                let reason = format!(
                    "this master runs '{}'; stop the worker, which belongs to another run, and start it again",
                    self.plan.name
                );
                tracing::warn!(worker = name, error = reason, "worker refused");
                effects.push(Effect::SendToWorker { session, message: ToWorker::Refused { reason } });
                return effects.push(Effect::Hangup { session });
            } else {
                // An address is one process's at a time: who was there before is gone, although nobody said so.
                if let Some(former) = self.workers.other_at(&address, Incarnation(incarnation)) {
                    self.lose_worker(former, "another process has joined under its name", now, effects);
                }
                self.workers.join(session, Incarnation(incarnation), name.clone(), address, now)
            };
            effects.extend(replaced.map(|session| Effect::Hangup { session }));
            self.lost_workers.remove(&name);
            tracing::info!(worker = name, partitions = hosted.len(), "worker joined");
            self.joined(session, Incarnation(incarnation), &hosted, stored, now, effects);
            return self.outdate(&told, now, effects);
        }
        let Some(incarnation) = self.workers.heard(session, now) else { return };
        match message {
            ToMaster::Ready { part, epoch, steps } => {
                // It has not heard of the look that is under way.
                self.observations.give_up();
                if let Some(known) = self.present(part, epoch) {
                    known.stage = Stage::Running;
                    let took_ms = (now - known.lost_at).as_millis() as u64;
                    tracing::info!(partition = part, epoch = epoch.0, step = steps, took_ms, "partition started");
                }
            }
            ToMaster::Progress { steps } => {
                for (part, steps) in steps {
                    if let Some(known) = self.parts.get_mut(usize::from(part))
                        && known.host == Some(incarnation)
                    {
                        known.steps = known.steps.max(steps);
                        self.observations.stands(steps, now);
                        if known.behind.is_some_and(|behind| steps >= behind) {
                            known.behind = None;
                            let took_ms = (now - known.lost_at).as_millis() as u64;
                            let epoch = known.epoch.0;
                            tracing::info!(partition = part, epoch, step = steps, took_ms, "partition caught up");
                        }
                    }
                }
                // A sign of life of the master in return, by which the worker knows that it is not talking to nobody.
                let (horizon, recorded) = (self.lifecycle.granted(), self.lifecycle.recorded());
                effects.push(Effect::SendToWorker { session, message: ToWorker::Grant { horizon, recorded } });
            }
            ToMaster::Stored(stored) => self.stored(&stored, now),
            ToMaster::NotStored { part, step, reason } => {
                tracing::error!(
                    partition = part,
                    step,
                    reason,
                    "snapshot not stored; the previous commit remains valid"
                );
            }
            ToMaster::Closed { part, epoch, closing } => {
                if self.present(part, epoch).is_some() {
                    self.live(LifeEvent::PartitionClosed { part, closing }, now, effects);
                }
            }
            ToMaster::Exited { part, epoch, status } => self.exited(part, epoch, &status, now, effects),
            ToMaster::PeerSilent { part, peer, peer_epoch } => {
                self.second_opinion(part, peer, peer_epoch, now, effects)
            }
            ToMaster::Seen(seen) => self.seen(*seen, now, effects),
            ToMaster::Leaving => {
                tracing::info!(worker = self.name(incarnation), "worker asks to leave");
                self.workers.leave(incarnation);
                if !self.parts.iter().any(|part| part.host == Some(incarnation)) {
                    self.release(now, effects);
                }
            }
            // Handled above; reports go to the recorder.
            ToMaster::Join { .. } | ToMaster::Reports { .. } => {}
        }
    }

    pub(super) fn joined(
        &mut self,
        session: SessionId,
        incarnation: Incarnation,
        hosted: &[Hosted],
        stored: Vec<Stored>,
        now: Instant,
        effects: &mut Vec<Effect>,
    ) {
        let mut tell = |message| effects.push(Effect::SendToWorker { session, message });
        // First of all, what was replaced has to go: it has missed routes, and would step on without them when it is granted
        // more steps.
        let mut outdone = Vec::new();
        for Hosted { part, epoch, steps } in hosted {
            let Some(known) = self.parts.get_mut(usize::from(*part)) else { continue };
            // An epoch is given to one placement only, so who has a newer one was placed by a master that could not say so.
            let is_newer = self.adopts && *epoch > known.epoch;
            if is_newer {
                outdone.push((*part, known.host, known.epoch));
            }
            if is_newer || (*epoch == known.epoch && known.host == Some(incarnation)) {
                (known.epoch, known.host, known.stage) = (*epoch, Some(incarnation), Stage::Running);
                known.steps = *steps;
            } else {
                tell(ToWorker::Drop { part: *part, epoch: *epoch });
            }
        }
        tell(ToWorker::Welcome(Box::new(Welcome {
            run: self.plan.run,
            name: self.plan.name.clone(),
            epoch: self.epoch,
            scenario: self.plan.scenario,
            policy: self.plan.policy,
            committed: self.commits.committed(),
            recorded: self.lifecycle.recorded(),
            // Not what is granted: partitions would go past the steps that the notices are for before these are here.
            horizon: self.commits.committed(),
        })));
        self.notices.iter().for_each(|notice| tell(ToWorker::Routes(notice.clone())));
        let (run, master_epoch) = (self.plan.run, self.epoch);
        for told in self.schedule.standing().filter(|told| hosted.iter().any(|h| told.parts.contains(&h.part))) {
            let parts = told.parts.clone();
            told.notice(run, master_epoch)
                .into_iter()
                .for_each(|notice| tell(ToWorker::Orders { parts: parts.clone(), notice }));
        }
        tell(ToWorker::Grant { horizon: self.lifecycle.granted(), recorded: self.lifecycle.recorded() });
        if let Some(steps) = self.lifecycle.finished_at() {
            tell(ToWorker::Finish { steps });
        }
        for (part, host, epoch) in &outdone {
            self.commits.lost(*part);
            if let Some(session) = host.and_then(|host| self.workers.session(host)) {
                effects.push(Effect::SendToWorker { session, message: ToWorker::Drop { part: *part, epoch: *epoch } });
            }
        }
        let missing = self.parts.iter().enumerate().filter(|(part, known)| {
            let is_there = hosted.iter().any(|h| usize::from(h.part) == *part && h.epoch == known.epoch);
            known.host == Some(incarnation) && !is_there
        });
        let missing: Vec<(u16, Epoch, Stage)> =
            missing.map(|(part, known)| (part as u16, known.epoch, known.stage)).collect();
        let places = ToWorker::Places(self.places());
        if outdone.is_empty() {
            effects.push(Effect::SendToWorker { session, message: places });
        } else {
            self.tell_all(&places, effects);
        }
        for (part, epoch, stage) in missing {
            if stage == Stage::Loading && self.plan.policy.snapshot_interval.is_none() {
                // It was under way to the worker when the connection broke, and nobody has heard of it.
                self.host(session, part, epoch, effects);
            } else {
                // The worker had it, or may have had it, and it ended while nobody heard of that. What it had stored must not
                // count any more, nor may its neighbours take the next one for it: that needs a new epoch.
                self.lose(part, "its worker reconnected without it", stage == Stage::Running, now, effects);
            }
        }
        stored.iter().for_each(|stored| self.stored(stored, now));
    }

    /// A master may tell where it places a partition and be gone before that is stored. Those who have heard of it wait for
    /// this placement and refuse the one that was adopted instead; so there has to be a newer one.
    pub(super) fn outdate(&mut self, told: &[(u16, Epoch)], now: Instant, effects: &mut Vec<Effect>) {
        for &(part, epoch) in told {
            let Some(known) = self.parts.get(usize::from(part)).filter(|known| known.epoch < epoch) else { continue };
            if self.plan.policy.snapshot_interval.is_none() || known.stage == Stage::Lost {
                continue;
            }
            if let Some(session) = known.host.and_then(|host| self.workers.session(host)) {
                effects.push(Effect::SendToWorker { session, message: ToWorker::Drop { part, epoch: known.epoch } });
            }
            self.lose(part, "its worker does not host the newest placement", false, now, effects);
        }
    }

    pub(super) fn stored(&mut self, stored: &Stored, now: Instant) {
        self.snapshot_began(stored.reference.id.step, now);
        let count = self.parts.len();
        if self.present(stored.part, stored.epoch).is_some() {
            self.commits.stored(stored.part, count, stored.reference);
        }
    }

    pub(super) fn snapshot_began(&mut self, step: u64, now: Instant) {
        if step > self.commits.committed() {
            self.snapshots_since.entry(step).or_insert(now);
        }
    }

    /// The partition, if this is its present placement; what an older one says changes nothing (I4).
    pub(super) fn present(&mut self, part: u16, epoch: Epoch) -> Option<&mut Part> {
        self.parts.get_mut(usize::from(part)).filter(|known| known.epoch == epoch && known.stage != Stage::Lost)
    }

    pub(super) fn exited(
        &mut self,
        part: u16,
        epoch: Epoch,
        status: &ExitStatus,
        now: Instant,
        effects: &mut Vec<Effect>,
    ) {
        if self.present(part, epoch).is_none() || matches!(status, ExitStatus::Finished | ExitStatus::Stopped) {
            return;
        }
        tracing::error!(partition = part, epoch = epoch.0, %status, "partition ended");
        self.lose(part, &status.to_string(), true, now, effects);
    }
}
