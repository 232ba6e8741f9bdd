//! Lost workers and partitions, and where partitions are placed.

use super::*;

impl ClusterCore {
    pub(super) fn watch(&mut self, now: Instant, effects: &mut Vec<Effect>) {
        // Who is back is given no more time than others when it is lost again.
        if self.begun || self.adopting_until.is_some_and(|until| now >= until) {
            self.adopting_until = None;
        }
        let grace = if self.adopting_until.is_some() { self.plan.adoption_grace } else { self.plan.grace };
        let timeout = self.plan.policy.heartbeat_ms.map(|_| Duration::from_millis(self.plan.policy.timeout_ms));
        for (incarnation, reason) in self.workers.overdue(now, grace, timeout) {
            self.lose_worker(incarnation, reason, now, effects);
        }
    }

    pub(super) fn lose_worker(
        &mut self,
        incarnation: Incarnation,
        reason: &str,
        now: Instant,
        effects: &mut Vec<Effect>,
    ) {
        let Some((worker, session)) = self.workers.remove(incarnation) else { return };
        effects.extend(session.map(|session| Effect::Hangup { session }));
        let hosted: Vec<u16> =
            (0..self.plan.partitions).filter(|p| self.parts[usize::from(*p)].host == Some(incarnation)).collect();
        tracing::warn!(worker = worker.name, partitions = hosted.len(), reason, "worker lost");
        if !worker.leaving && self.lost_workers.len() < MAX_LOST {
            self.lost_workers.insert(worker.name.clone());
        }
        for part in hosted {
            self.lose(part, &format!("worker '{}': {reason}", worker.name), false, now, effects);
        }
    }

    /// `itself`: the partition failed, not its worker; it is not started again at once.
    pub(super) fn lose(&mut self, part: u16, reason: &str, itself: bool, now: Instant, effects: &mut Vec<Effect>) {
        if self.plan.policy.snapshot_interval.is_none() {
            let text =
                format!("partition {part} is lost ({reason}), and fault tolerance is off, so it cannot be recovered");
            return self.fail(text, effects);
        }
        self.commits.lost(part);
        let known = &mut self.parts[usize::from(part)];
        (known.host, known.stage, known.lost_at) = (None, Stage::Lost, now);
        if itself {
            known.failures += 1;
            known.cause = Cause::Partition;
            known.not_before = now + FIRST_PAUSE * 2u32.pow(known.failures.min(6) - 1);
        } else {
            known.losses += 1;
            known.cause = Cause::Worker;
        }
        if known.failures > MAX_FAILURES || known.losses > MAX_LOSSES {
            let (failures, losses, step) = (known.failures, known.losses, self.commits.committed());
            let text = format!(
                "partition {part} is broken: since the snapshot of step {step} it failed {failures} times and lost its worker \
                 {losses} times, last because of {reason}; look into the logs of its workers, then resume the run '{}'",
                self.plan.name
            );
            self.fail(text, effects);
        }
    }

    pub(super) fn second_opinion(
        &mut self,
        part: u16,
        peer: u16,
        epoch: Epoch,
        now: Instant,
        effects: &mut Vec<Effect>,
    ) {
        let Some(host) = self.present(peer, epoch).and_then(|known| known.host) else { return };
        tracing::warn!(partition = part, peer, "no frames from neighbour partition");
        // The worker is away, and those who depend on it miss it: there is nothing to wait for.
        if self.adopting_until.is_none() && self.workers.get(host).is_some_and(|worker| worker.session.is_none()) {
            self.lose_worker(host, "its connection is lost, and its neighbours receive no frames either", now, effects);
        }
    }

    /// Places partitions that nobody hosts, as soon as the epoch is raised.
    pub(super) fn recover(&mut self, now: Instant, effects: &mut Vec<Effect>) {
        let is_due = |part: &Part| part.stage == Stage::Lost && part.not_before <= now;
        let does_with_few = self.placed || self.gathered_at.is_some_and(|at| now >= at);
        let enough = if does_with_few { 1 } else { self.plan.workers.max(1) };
        if self.raising || !self.parts.iter().any(is_due) || self.workers.available().count() < enough {
            return;
        }
        if self.placed {
            self.raising = true;
            effects.push(Effect::RaiseEpoch { epoch: self.epoch });
        } else {
            self.place_all(now, effects);
        }
    }

    pub(super) fn place_all(&mut self, now: Instant, effects: &mut Vec<Effect>) {
        let available: Vec<Incarnation> = self.workers.available().collect();
        if available.is_empty() {
            return;
        }
        let mut load: BTreeMap<Incarnation, usize> = available.iter().map(|worker| (*worker, 0)).collect();
        for host in self.parts.iter().filter_map(|part| part.host) {
            load.entry(host).and_modify(|count| *count += 1);
        }
        let (count, recorded) = (self.parts.len(), self.lifecycle.recorded());
        let mut moved: Vec<u16> = Vec::new();
        for (i, part) in self.parts.iter_mut().enumerate() {
            if part.stage != Stage::Lost || part.not_before > now {
                continue;
            }
            let wanted = part.wanted.take().filter(|wanted| available.contains(wanted));
            let preferred = self.plan.preferred.get(i).and_then(Option::as_deref);
            let is_preferred = |worker: &&Incarnation| {
                preferred.is_some() && self.workers.get(**worker).map(|worker| &*worker.name) == preferred
            };
            let host = if let Some(wanted) = wanted.or_else(|| available.iter().find(is_preferred).copied()) {
                wanted
            } else if self.placed {
                // A standby has no load.
                load.iter()
                    .min_by_key(|(worker, count)| (**count, **worker))
                    .map_or(available[0], |(worker, _)| *worker)
            } else {
                // Neighbouring numbers are often neighbours on the road.
                available[i * available.len() / count]
            };
            load.entry(host).and_modify(|count| *count += 1);
            (part.epoch, part.host, part.stage) = (self.epoch, Some(host), Stage::Loading);
            if self.placed {
                // What is recorded was done, although it may not have said so yet.
                part.steps = part.steps.max(recorded);
                self.tallies.recovered(part.cause, part.steps.saturating_sub(self.commits.committed()));
                part.behind = Some(part.steps);
            }
            moved.push(i as u16);
        }
        self.placed = true;
        self.save_places(effects);
        self.tell_all(&ToWorker::Places(self.places()), effects);
        for part in moved {
            let known = &self.parts[usize::from(part)];
            let Some(host) = known.host else { continue };
            let (worker, step) = (self.name(host), self.commits.committed());
            tracing::info!(partition = part, epoch = known.epoch.0, worker, step, "partition placed");
            if let Some(session) = self.workers.session(host) {
                self.host(session, part, known.epoch, effects);
            }
        }
    }

    /// The orders that it may have to be given again come first.
    pub(super) fn host(&self, session: SessionId, part: u16, epoch: Epoch, effects: &mut Vec<Effect>) {
        for told in self.schedule.standing().filter(|told| told.parts.contains(&part)) {
            let parts = told.parts.clone();
            let notice = told.notice(self.plan.run, self.epoch);
            effects.extend(
                notice.map(|notice| Effect::SendToWorker { session, message: ToWorker::Orders { parts, notice } }),
            );
        }
        effects.push(Effect::SendToWorker {
            session,
            message: ToWorker::Host { part, epoch, from: self.commits.part(part) },
        });
    }

    /// Right after a commit: takes the partitions off workers that want to leave, when others are there to take them.
    pub(super) fn release(&mut self, now: Instant, effects: &mut Vec<Effect>) {
        let leaving: Vec<Incarnation> = self.workers.leaving().collect();
        let can_move = self.workers.available().next().is_some() && self.plan.policy.snapshot_interval.is_some();
        for incarnation in leaving {
            let Some(session) = self.workers.session(incarnation) else { continue };
            if can_move {
                for (i, part) in self.parts.iter_mut().enumerate().filter(|(_, part)| part.host == Some(incarnation)) {
                    self.commits.lost(i as u16);
                    (part.host, part.stage, part.lost_at, part.cause) = (None, Stage::Lost, now, Cause::Leave);
                }
            }
            if !self.parts.iter().any(|part| part.host == Some(incarnation)) {
                effects.push(Effect::SendToWorker { session, message: ToWorker::End { failure: None } });
                self.workers.remove(incarnation);
            }
        }
    }

    pub(super) fn save_places(&self, effects: &mut Vec<Effect>) {
        let place = |part: &Part| {
            let host = part.host?;
            let worker = self.workers.get(host)?;
            Some(PlacedPart {
                epoch: part.epoch,
                incarnation: host.0,
                worker: worker.name.clone(),
                address: worker.address.clone(),
            })
        };
        let places = self.parts.iter().map(place).collect();
        effects.push(Effect::SavePlaces { epoch: self.epoch, places, tallies: self.tallies });
    }

    pub(super) fn places(&self) -> Vec<Place> {
        let place = |(i, part): (usize, &Part)| {
            let address = self.workers.get(part.host?)?.address.clone();
            Some(Place { part: i as u16, epoch: part.epoch, address })
        };
        self.parts.iter().enumerate().filter_map(place).collect()
    }
}
