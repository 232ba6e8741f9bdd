//! Pause and speed outlive the master: how a run is driven is stored, and who changed it is answered then. A store that takes
//! nothing keeps nobody waiting, for what was said holds at once. Pure.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use super::instruction::Ticket;
use super::schedule::MAX_UNDER_WAY;

/// Who waits longer is answered that it is not stored.
const PATIENCE: Duration = Duration::from_secs(2);

#[derive(Debug)]
struct Waiting {
    ticket: Ticket,
    answer: Value,
    since: Instant,
    /// What it changed is on its way to the store.
    is_sent: bool,
}

/// Changes of how a run is driven that are not stored.
#[derive(Debug, Default)]
pub struct PaceKeeping {
    waiting: Vec<Waiting>,
    /// Something is on its way to the store.
    is_under_way: bool,
    /// Something was changed since.
    is_changed: bool,
}

impl PaceKeeping {
    /// So many changes wait for the store that no more are taken (I7).
    pub fn is_full(&self) -> bool {
        self.waiting.len() >= MAX_UNDER_WAY
    }

    /// Nobody waits.
    pub fn is_idle(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Somebody has changed it, and is to be told this.
    pub fn changed(&mut self, ticket: Ticket, answer: Value, now: Instant) {
        self.is_changed = true;
        self.waiting.push(Waiting { ticket, answer, since: now, is_sent: false });
    }

    /// Whether the present state is to be stored now: one after the other.
    pub fn is_due(&mut self) -> bool {
        let is_due = self.is_changed && !self.is_under_way;
        if is_due {
            (self.is_changed, self.is_under_way) = (false, true);
            self.waiting.iter_mut().for_each(|waiting| waiting.is_sent = true);
        }
        is_due
    }

    /// What was on its way is stored, or cannot be.
    pub fn done(&mut self, is_stored: bool) -> Vec<(Ticket, Value)> {
        self.is_under_way = false;
        self.take(is_stored, |waiting| waiting.is_sent)
    }

    /// Who has waited too long.
    pub fn late(&mut self, now: Instant) -> Vec<(Ticket, Value)> {
        self.take(false, |waiting| now - waiting.since >= PATIENCE)
    }

    fn take(&mut self, is_stored: bool, which: impl Fn(&Waiting) -> bool) -> Vec<(Ticket, Value)> {
        let taken = self.waiting.extract_if(.., |waiting| which(waiting));
        let answer = |waiting: Waiting| {
            let Waiting { ticket, mut answer, .. } = waiting;
            if let Some(answer) = answer.as_object_mut().filter(|_| !is_stored) {
                answer.insert("stored".to_owned(), json!(false));
            }
            (ticket, answer)
        };
        taken.map(answer).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_changes_how_a_run_is_driven_is_answered_when_that_is_stored() {
        let (mut keeping, now) = (PaceKeeping::default(), Instant::now());
        assert!(!keeping.is_due());
        keeping.changed(Ticket(1), json!({"step": 5}), now);
        assert!(keeping.is_due() && !keeping.is_due(), "once");
        keeping.changed(Ticket(2), json!({"step": 6}), now);
        assert!(!keeping.is_due(), "one after the other");
        assert_eq!(keeping.done(true), [(Ticket(1), json!({"step": 5}))]);
        assert!(!keeping.is_idle());
        assert!(keeping.is_due());
        assert_eq!(keeping.done(false), [(Ticket(2), json!({"step": 6, "stored": false}))]);
        assert!(keeping.is_idle() && !keeping.is_due());
    }

    #[test]
    fn a_store_that_takes_nothing_keeps_nobody_waiting() {
        let (mut keeping, now) = (PaceKeeping::default(), Instant::now());
        for i in 0..MAX_UNDER_WAY as u64 {
            assert!(!keeping.is_full());
            keeping.changed(Ticket(i), json!({}), now);
        }
        assert!(keeping.is_due() && keeping.is_full());
        assert_eq!(keeping.late(now), []);
        let late = keeping.late(now + PATIENCE);
        assert!(late.len() == MAX_UNDER_WAY && late.iter().all(|(_, answer)| answer["stored"] == false));
        assert!(!keeping.is_full() && keeping.done(true).is_empty());
    }
}
