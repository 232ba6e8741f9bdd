//! A saved state in a network whose lanes have other numbers.

use super::{PartitionState, StateError};
use crate::sim::edited::Renumbering;
use crate::sim::halo::{Reader, Writer, each};
use crate::sim::transfer::Transfer;
use crate::sim::vehicle::Vehicle;

impl PartitionState {
    /// Names everything as in the new network, before the step that computes `now_ms`. Nobody may be on a lane that was taken
    /// out. The digest is another one then, and is left to who restores the state and saves it again.
    pub(in crate::sim) fn renumber(&mut self, to: &Renumbering<'_>, now_ms: i64) -> Result<(), StateError> {
        let (mut reader, mut vehicles) = (Reader::new(&self.vehicles), Vec::new());
        let mut moved = Vec::with_capacity(self.vehicles.len());
        for lane in &mut self.lanes {
            vehicles.clear();
            vehicles.extend(each::<Vehicle>(reader.records::<Vehicle>()?));
            vehicles.iter_mut().for_each(|vehicle| to.vehicle(vehicle));
            Writer::new(&mut moved).vehicles(&vehicles);
            *lane = to.lane(*lane);
        }
        reader.finish()?;
        self.vehicles = moved;
        let (mut reader, mut transfers) = (Reader::new(&self.transfers), Vec::new());
        let mut moved = Vec::with_capacity(self.transfers.len());
        for _ in &self.edges {
            transfers.clear();
            transfers.extend(each::<Transfer>(reader.records::<Transfer>()?));
            transfers.iter_mut().for_each(|transfer| to.vehicle(&mut transfer.vehicle));
            Writer::new(&mut moved).transfers(&transfers);
        }
        reader.finish()?;
        self.transfers = moved;
        for (lane, _) in &mut self.taken_dm {
            *lane = to.lane(*lane);
        }
        self.taken_dm.retain(|(lane, _)| lane.is_some());
        for (signal, state) in self.signals.iter_mut().chain(&mut self.other_signals) {
            to.signal(*signal, state, now_ms);
        }
        self.standing.renumber(to);
        self.probes.renumber(to);
        self.ordered.removals.iter_mut().for_each(|trip| to.trip(trip));
        Ok(())
    }
}
