//! What every output file has in common.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use super::collector::MergedStep;
use super::document::{Document, Table};
use crate::demand::{Demand, Departure, VehicleType};
use crate::graph::Network;
use crate::ids::{RouteId, VehicleId};
use crate::sim::NewVehicle;
use crate::sim::report::TripRecord;

/// The names behind the ids of the reports.
#[derive(Clone)]
pub struct Names {
    pub network: Arc<Network>,
    pub demand: Arc<Demand>,
    /// Vehicles that orders added, whose ids follow those of the demand.
    pub added: BTreeMap<VehicleId, Departure>,
}

impl Names {
    pub fn new(network: Arc<Network>, demand: Arc<Demand>) -> Self {
        Self { network, demand, added: BTreeMap::new() }
    }
    pub fn departure(&self, vehicle: VehicleId) -> &Departure {
        let known = &self.demand.departures;
        known.get(vehicle.index()).unwrap_or_else(|| &self.added[&vehicle])
    }
    /// A vehicle that an order adds.
    pub fn admit(&mut self, new: &NewVehicle) {
        self.added.insert(new.vehicle, new.departure(RouteId::NONE));
    }
    pub fn vehicle_type(&self, vehicle: VehicleId) -> &VehicleType {
        &self.demand.types[self.departure(vehicle).vtype.index()]
    }
}

/// What is known when the run has ended.
#[derive(Clone, Debug, Default)]
pub struct RunEnd {
    /// Simulated time at the end.
    pub end_ms: i64,
    /// Intervals cut short by the end, of all partitions; its counts are those of the end.
    pub tail: MergedStep,
    /// Trips under way, for `tripinfo-output.write-unfinished`; `arrival_lane` is NONE.
    pub unfinished: Vec<TripRecord>,
    /// Sum of the depart delays of vehicles still waiting to be inserted, ms.
    pub waiting_delay_ms: i64,
}

/// One output file's content: turns steps into elements and leaves the file and its format to others. What it appends depends only on the
/// steps it was shown, never on a clock.
pub trait Sink: Send {
    /// What the file may consist of.
    fn table(&self) -> Table;
    /// Appends what comes before the first step.
    fn begin(&mut self, _: &mut Document) -> io::Result<()> {
        Ok(())
    }
    /// Appends what the step adds to the file. Steps come in order, each once.
    fn step(&mut self, step: &MergedStep, out: &mut Document) -> io::Result<()>;
    /// Appends what comes after the last step.
    fn finish(&mut self, _: &RunEnd, _: &mut Document) -> io::Result<()> {
        Ok(())
    }
    /// Learns of a vehicle that an order adds, before the steps that know it.
    fn admit(&mut self, _: &NewVehicle) {}
    /// What it remembers of the steps so far, beside the bytes that it gave; nothing in most cases.
    fn save(&self) -> Vec<u8> {
        Vec::new()
    }
    /// Takes over what another one [saved](Sink::save), to be shown the steps after that.
    fn restore(&mut self, state: &[u8]) -> io::Result<()> {
        if state.is_empty() { Ok(()) } else { Err(io::Error::other("there is more than an output of this kind saves")) }
    }
}
