//! The workers of a run, as the master knows them.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

/// One connection of a worker; a worker that comes back has another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SessionId(pub u64);

/// One process, drawn by itself when it starts. A worker that is started again is another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Incarnation(pub u64);

#[derive(Debug)]
pub struct Worker {
    pub name: String,
    /// Where other workers reach it.
    pub address: String,
    /// `None`: the connection is lost, and it may come back.
    pub session: Option<SessionId>,
    /// When it was last heard of, or the connection was lost.
    pub since: Instant,
    /// It has asked for its partitions to be taken off it.
    pub leaving: bool,
}

/// All workers that are connected, or may come back.
#[derive(Debug, Default)]
pub struct Workers {
    known: BTreeMap<Incarnation, Worker>,
    sessions: BTreeMap<SessionId, Incarnation>,
}

impl Workers {
    /// A worker of which only an earlier master has heard.
    pub fn expect(&mut self, incarnation: Incarnation, name: String, address: String, now: Instant) {
        let worker = Worker { name, address, session: None, since: now, leaving: false };
        self.known.insert(incarnation, worker);
    }

    /// A worker has come, for the first time or again. Gives the connection that this one replaces.
    pub fn join(
        &mut self,
        session: SessionId,
        incarnation: Incarnation,
        name: String,
        address: String,
        now: Instant,
    ) -> Option<SessionId> {
        let worker = Worker { name, address, session: Some(session), since: now, leaving: false };
        let before = self.known.insert(incarnation, worker).and_then(|before| before.session);
        if let Some(before) = before {
            self.sessions.remove(&before);
        }
        self.sessions.insert(session, incarnation);
        before
    }

    /// Another process that was at this address.
    pub fn other_at(&self, address: &str, incarnation: Incarnation) -> Option<Incarnation> {
        let is_former = |(other, worker): &(&Incarnation, &Worker)| **other != incarnation && worker.address == address;
        self.known.iter().find(is_former).map(|(other, _)| *other)
    }

    /// A connection has ended. Gives whose it was, unless that worker has another one by now.
    pub fn disconnect(&mut self, session: SessionId, now: Instant) -> Option<Incarnation> {
        let incarnation = self.sessions.remove(&session)?;
        if let Some(worker) = self.known.get_mut(&incarnation) {
            (worker.session, worker.since) = (None, now);
        }
        Some(incarnation)
    }

    /// Forgets a worker. Gives its connection, if it has one.
    pub fn remove(&mut self, incarnation: Incarnation) -> Option<(Worker, Option<SessionId>)> {
        let worker = self.known.remove(&incarnation)?;
        let session = worker.session;
        if let Some(session) = session {
            self.sessions.remove(&session);
        }
        Some((worker, session))
    }

    /// Notes a sign of life. Gives whose it is.
    pub fn heard(&mut self, session: SessionId, now: Instant) -> Option<Incarnation> {
        let incarnation = *self.sessions.get(&session)?;
        self.known.get_mut(&incarnation)?.since = now;
        Some(incarnation)
    }

    pub fn get(&self, incarnation: Incarnation) -> Option<&Worker> {
        self.known.get(&incarnation)
    }

    pub fn leave(&mut self, incarnation: Incarnation) {
        if let Some(worker) = self.known.get_mut(&incarnation) {
            worker.leaving = true;
        }
    }

    pub fn session(&self, incarnation: Incarnation) -> Option<SessionId> {
        self.known.get(&incarnation)?.session
    }

    /// Workers that can host partitions, in a fixed order.
    pub fn available(&self) -> impl Iterator<Item = Incarnation> + '_ {
        self.known.iter().filter(|(_, w)| w.session.is_some() && !w.leaving).map(|(incarnation, _)| *incarnation)
    }

    /// Workers that have asked to leave.
    pub fn leaving(&self) -> impl Iterator<Item = Incarnation> + '_ {
        self.known.iter().filter(|(_, worker)| worker.leaving).map(|(incarnation, _)| *incarnation)
    }

    pub fn all(&self) -> impl Iterator<Item = (Incarnation, &Worker)> {
        self.known.iter().map(|(incarnation, worker)| (*incarnation, worker))
    }

    pub fn sessions(&self) -> impl Iterator<Item = SessionId> + '_ {
        self.sessions.keys().copied()
    }

    /// Workers that have been away for longer than `grace`, and connected ones that have been silent for longer than
    /// `timeout`.
    pub fn overdue(
        &self,
        now: Instant,
        grace: Duration,
        timeout: Option<Duration>,
    ) -> Vec<(Incarnation, &'static str)> {
        let is_overdue = |worker: &Worker| match worker.session {
            None => (now - worker.since > grace).then_some("its connection is lost"),
            Some(_) => {
                timeout.filter(|timeout| now - worker.since > *timeout).map(|_| "no heartbeat within the time-out")
            }
        };
        self.known.iter().filter_map(|(incarnation, worker)| Some((*incarnation, is_overdue(worker)?))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A host lost power and came back, and heartbeats were off: the master waited for the former process for ever (simulated
    /// seed 1443).
    #[test]
    fn a_process_at_the_address_of_another_one_replaces_it() {
        let (mut workers, now) = (Workers::default(), Instant::now());
        for (number, address) in [(1, "a:7"), (2, "b:7")] {
            workers.join(SessionId(number), Incarnation(number), "w".to_owned(), address.to_owned(), now);
        }
        assert_eq!(workers.other_at("a:7", Incarnation(3)), Some(Incarnation(1)));
        assert_eq!(workers.other_at("a:7", Incarnation(1)), None);
        assert_eq!(workers.other_at("c:7", Incarnation(3)), None);
    }
}
