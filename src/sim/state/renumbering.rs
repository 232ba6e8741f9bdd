//! A saved state in a network whose lanes have other numbers.

use super::{PartitionState, StateError};
use crate::sim::edited::Renumbering;
use crate::sim::halo::{Reader, Writer};

impl PartitionState {
    /// Names everything as in the new network, before the step that computes `now_ms`. Nobody may be on a lane that was taken
    /// out. The digest is another one then, and is left to who restores the state and saves it again.
    pub(in crate::sim) fn renumber(&mut self, to: &Renumbering<'_>, now_ms: i64) -> Result<(), StateError> {
        let mut reader = Reader::new(&self.vehicles);
        let (mut writer, mut vehicles) = (Writer::default(), Vec::new());
        for lane in &mut self.lanes {
            reader.vehicles(*lane, &mut vehicles)?;
            vehicles.iter_mut().for_each(|vehicle| to.vehicle(vehicle));
            writer.vehicles(&vehicles);
            *lane = to.lane(*lane);
        }
        reader.finish()?;
        self.vehicles = writer.bytes;
        let mut reader = Reader::new(&self.transfers);
        let (mut writer, mut transfers) = (Writer::default(), Vec::new());
        for _ in &self.edges {
            reader.transfers(&mut transfers)?;
            transfers.iter_mut().for_each(|transfer| to.vehicle(&mut transfer.vehicle));
            writer.transfers(&transfers);
        }
        reader.finish()?;
        self.transfers = writer.bytes;
        for (signal, state) in self.signals.iter_mut().chain(&mut self.other_signals) {
            to.signal(*signal, state, now_ms);
        }
        self.standing.renumber(to);
        self.measures.renumber(to);
        self.ordered.removals.iter_mut().for_each(|trip| to.trip(trip));
        Ok(())
    }
}
