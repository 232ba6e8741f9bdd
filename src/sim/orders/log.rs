//! The orders as who finds routes for all sees them: those to come, and what is left of those that were applied.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::{Order, Standing};

/// Orders by step, and what lasts of those before.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct OrderLog {
    /// For steps that are not recorded yet, by time.
    to_come: VecDeque<OrdersOfStep>,
    /// Time of the last step with orders.
    until_ms: Option<i64>,
    /// Of the orders of recorded steps. Signals are not in it.
    pub standing: Standing,
    /// Orders whose vehicle or signal was gone.
    pub missed: u64,
}

/// The orders before one step.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct OrdersOfStep {
    pub at_ms: i64,
    pub orders: Vec<Order>,
    /// Partitions may not go beyond this step before the ways that come of it are found.
    pub is_touching: bool,
}

impl OrderLog {
    /// No orders were ever given.
    pub fn is_empty(&self) -> bool {
        self.until_ms.is_none()
    }

    /// Returns whether the orders are new. They close no roads, and none are closed: nobody's way is touched.
    pub fn push(&mut self, at_ms: i64, orders: Vec<Order>, has_closures: bool) -> bool {
        if self.until_ms.is_some_and(|until_ms| at_ms <= until_ms) {
            return false;
        }
        let closes = |order: &Order| matches!(order, Order::Close { .. });
        let before = self.to_come.iter().flat_map(|step| &step.orders);
        let has_closures = has_closures || before.chain(&orders).any(closes);
        let is_touching = has_closures && orders.iter().any(Order::touches_ways);
        self.until_ms = Some(at_ms);
        self.to_come.push_back(OrdersOfStep { at_ms, orders, is_touching });
        true
    }

    /// Takes out the orders of the step that computes `now_ms`.
    pub fn take_due(&mut self, now_ms: i64) -> Option<OrdersOfStep> {
        let is_due = self.to_come.front().is_some_and(|step| step.at_ms <= now_ms);
        if is_due { self.to_come.pop_front() } else { None }
    }

    /// All orders for steps that are not recorded yet.
    pub fn to_come(&self) -> impl Iterator<Item = &OrdersOfStep> {
        self.to_come.iter()
    }

    /// Time of the first step after which ways have to be found.
    pub fn first_touching_ms(&self) -> Option<i64> {
        self.to_come.iter().find(|step| step.is_touching).map(|step| step.at_ms)
    }
}
