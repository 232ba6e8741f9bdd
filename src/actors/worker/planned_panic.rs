//! A test hook: the kernel of one partition panics at one step. The chaos harness sets it (docs/chaos.md), nobody else.

use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// `panic:PART:STEP:TIMES`: partition PART panics in step STEP, the first TIMES times that this process gets there.
#[derive(Clone, Debug)]
pub struct PlannedPanic {
    part: u16,
    step: u64,
    left: Arc<AtomicU32>,
}

impl PlannedPanic {
    /// To be called before a step is computed.
    ///
    /// # Panics
    /// When it is planned.
    pub fn strike(&self, step: u64) {
        let is_planned = step == self.step
            && self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok();
        assert!(!is_planned, "planned by TESSDS_FAULT");
    }

    /// The plan for one partition, if it is meant.
    pub fn of(&self, part: u16) -> Option<Self> {
        (part == self.part).then(|| self.clone())
    }
}

impl FromStr for PlannedPanic {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let fields: Vec<&str> = text.split(':').collect();
        let parsed = match fields[..] {
            ["panic", part, step, times] => {
                part.parse().ok().zip(step.parse().ok()).zip(times.parse().ok().map(AtomicU32::new))
            }
            _ => None,
        };
        let ((part, step), left) = parsed.ok_or_else(|| format!("'{text}' is not panic:PART:STEP:TIMES"))?;
        Ok(Self { part, step, left: Arc::new(left) })
    }
}

#[cfg(test)]
mod tests {
    use std::panic::catch_unwind;

    use super::*;

    #[test]
    fn strikes_the_planned_partition_at_the_planned_step_as_often_as_planned() {
        let plan: PlannedPanic = "panic:2:7:2".parse().expect("a plan");
        assert!(plan.of(1).is_none());
        let copies = [plan.of(2), plan.of(2)].map(|copy| copy.expect("it is meant"));
        copies[0].strike(6);
        let struck = |i: usize| catch_unwind(std::panic::AssertUnwindSafe(|| copies[i].strike(7))).is_err();
        assert_eq!([struck(0), struck(1), struck(0)], [true, true, false]);
    }

    #[test]
    fn what_is_no_plan_is_refused() {
        for text in ["", "panic", "panic:1:2", "panic:1:2:-1", "abort:1:2:3", "panic:1:2:3:4"] {
            assert!(text.parse::<PlannedPanic>().is_err(), "{text}");
        }
    }
}
