//! A partition's state together with what it exchanges with each of its neighbours.

use std::sync::Arc;

use super::core::Kernel;
use crate::actors::worker::PlannedPanic;
use crate::sim::report::{RouteUpdate, StepReport};
use crate::sim::{
    Closing, HaloError, Mirror, Observation, Order, Partition, PartitionState, ReportOptions, Scope, StateError, Watch,
    World,
};

/// Roads that go to and come from one neighbour.
#[derive(Debug)]
struct Border {
    outgoing: Mirror,
    incoming: Mirror,
}

/// The [`Kernel`] of a run.
#[derive(Debug)]
pub struct Region {
    partition: Partition,
    /// By neighbour.
    borders: Vec<Border>,
    report: ReportOptions,
    /// For tests.
    pub planned_panic: Option<PlannedPanic>,
}

/// A partition with the numbers of those that it exchanges roads with.
#[derive(Debug)]
pub struct Neighbourhood {
    pub region: Region,
    pub neighbours: Vec<u16>,
}

impl Region {
    /// Builds a partition before its first step, or as it was saved. `scopes` are those of all partitions.
    ///
    /// # Errors
    /// `from` is not a state of this partition.
    pub fn build(
        world: &Arc<World>,
        scopes: &[Scope],
        part: u16,
        report: ReportOptions,
        from: Option<&PartitionState>,
    ) -> Result<Neighbourhood, StateError> {
        let own = &scopes[usize::from(part)];
        let mut partition = Partition::new(Arc::clone(world), own.clone());
        if let Some(state) = from {
            partition.restore(state)?;
        }
        let (mut borders, mut neighbours) = (Vec::new(), Vec::new());
        for other in scopes.iter().filter(|other| other.part != part) {
            let (outgoing, incoming) = (Mirror::between(world, own, other), Mirror::between(world, other, own));
            if !outgoing.is_empty() || !incoming.is_empty() {
                borders.push(Border { outgoing, incoming });
                neighbours.push(other.part);
            }
        }
        Ok(Neighbourhood { region: Self { partition, borders, report, planned_panic: None }, neighbours })
    }
}

impl Kernel for Region {
    fn steps(&self) -> u64 {
        self.partition.steps()
    }
    fn step(&mut self) -> StepReport {
        if let Some(plan) = &self.planned_panic {
            plan.strike(self.partition.steps());
        }
        self.partition.step(self.report)
    }
    fn export(&self, neighbour: usize, bytes: &mut Vec<u8>) {
        self.partition.export_into(&self.borders[neighbour].outgoing, bytes);
    }
    fn import(&mut self, neighbour: usize, bytes: &[u8]) -> Result<(), HaloError> {
        self.partition.import(&self.borders[neighbour].incoming, bytes)
    }
    fn apply_routes(&mut self, updates: &[RouteUpdate]) {
        self.partition.apply_routes(updates);
    }
    fn apply_orders(&mut self, orders: &[Order]) {
        self.partition.apply_orders(orders);
    }
    fn observe(&self, watch: &Watch) -> Observation {
        self.partition.observe(watch)
    }
    fn save(&self) -> PartitionState {
        self.partition.save()
    }
    fn close(&mut self) -> Closing {
        self.partition.close(self.report.unfinished)
    }
}
