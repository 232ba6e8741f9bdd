//! The orders as who finds routes for all sees them: those to come, and what is left of those that were applied.

use serde::{Deserialize, Serialize};

use super::{Order, Standing};

/// Orders by step, and what lasts of those before.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct OrderLog {
    /// For steps that are not recorded yet, by time and number.
    to_come: Vec<Numbered>,
    /// Time of the last recorded step: its orders and those before were applied.
    recorded_ms: Option<i64>,
    /// There were orders.
    is_used: bool,
    /// Of the orders of recorded steps. Signals are not in it.
    pub standing: Standing,
    /// Orders whose vehicle or signal was gone.
    pub missed: u64,
}

/// Orders before one step.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Numbered {
    pub at_ms: i64,
    /// Place in the log of commands.
    pub number: u64,
    pub orders: Vec<Order>,
}

impl OrderLog {
    /// No orders were ever given.
    pub fn is_empty(&self) -> bool {
        !self.is_used
    }

    /// The state cannot be made anew of network and demand any more.
    pub fn mark_used(&mut self) {
        self.is_used = true;
    }

    /// Returns whether the orders are new. They may come in any order before the report of their step; afterwards they are
    /// repetitions, as of a log that is read again.
    pub fn push(&mut self, at_ms: i64, number: u64, orders: Vec<Order>) -> bool {
        if self.recorded_ms.is_some_and(|recorded_ms| at_ms <= recorded_ms) {
            return false;
        }
        let at = self.to_come.binary_search_by_key(&(at_ms, number), |other| (other.at_ms, other.number));
        self.is_used = true;
        match at {
            Ok(_) => false,
            Err(at) => {
                self.to_come.insert(at, Numbered { at_ms, number, orders });
                true
            }
        }
    }

    /// Takes out the orders of the step that computes `now_ms`.
    pub fn take_due(&mut self, now_ms: i64) -> Vec<Numbered> {
        self.recorded_ms = Some(now_ms);
        let due = self.to_come.partition_point(|orders| orders.at_ms <= now_ms);
        self.to_come.drain(..due).collect()
    }

    /// All orders for steps that are not recorded yet.
    pub fn to_come(&self) -> impl Iterator<Item = &Order> {
        self.to_come.iter().flat_map(|numbered| &numbered.orders)
    }

    /// Time of the first step after which ways have to be found, if lanes are closed now or not.
    pub fn first_touching_ms(&self, has_closures: bool) -> Option<i64> {
        let mut has_closures = has_closures;
        let touching = self.to_come.iter().find(|numbered| {
            has_closures |= numbered.orders.iter().any(|order| matches!(order, Order::Close { .. }));
            has_closures && numbered.orders.iter().any(Order::touches_ways)
        });
        touching.map(|numbered| numbered.at_ms)
    }
}
