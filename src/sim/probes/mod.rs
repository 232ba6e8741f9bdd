//! Everything that measures on the own lanes of a partition. A probe hears of each way that a vehicle makes on a lane in a step, of bodies
//! that hang over the end of a lane, and of events; it adds what it has measured to the report of the step. Where no probe is in use
//! nothing is computed for them.
//!
//! A new probe is a type with a file here that implements [`Probe`], a field of [`Probes`] and a line in `each!`.

mod mean_data;
mod passages;
mod spec;

use serde::{Deserialize, Serialize};

use crate::ids::{LaneId, VehicleId};
use crate::sim::edited::Renumbering;
use crate::sim::report::{IntervalReport, StepReport};
use crate::sim::vehicle::{Vehicle, flags};
use crate::sim::world::World;

use mean_data::MeanDataProbe;
pub use mean_data::SavedMeanData;
use passages::PassageProbe;
pub use spec::{MeanDataSpec, MeasureSpec, RecordedEvents};

/// How a vehicle used one lane during one step.
#[derive(Clone, Copy, Debug)]
pub struct Passage {
    pub lane: LaneId,
    /// Front at the beginning and the end of the passage, metres along the lane.
    pub from_m: f64,
    pub to_m: f64,
    /// Seconds on the lane in this step.
    pub time_s: f64,
    pub speed: f64,
    /// Allowed speed for this vehicle, m/s.
    pub allowed: f64,
    /// It stands at a stop: it neither waits nor loses time.
    pub stopped: bool,
    pub length_m: f64,
    pub vtype: u16,
    pub vehicle: VehicleId,
    pub entered: bool,
    pub left: bool,
}

/// What happens to a vehicle on a lane beside driving.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LaneEvent {
    Departed,
    Arrived,
    Teleported,
    Vaporized,
    ChangedFrom,
    ChangedTo,
}

/// What measures on the own lanes of a partition.
pub trait Probe {
    /// Nothing is to be measured.
    fn is_idle(&self) -> bool;

    /// A vehicle drove (or stood) on an own lane.
    fn pass(&mut self, world: &World, passage: &Passage, now_ms: i64);

    /// A body hangs over the end of a lane: its front is `from_m` to `to_m` of the passage beyond the end in this step.
    fn overhang(&mut self, world: &World, lane: LaneId, passage: &Passage, now_ms: i64);

    /// Something happened to a vehicle of a type.
    fn note(&mut self, _world: &World, _lane: LaneId, _vtype: u16, _event: LaneEvent, _now_ms: i64) {}

    /// Adds to the report of the step at `now_ms` what is complete with it; `lanes`: those that are known.
    fn report(&mut self, world: &World, lanes: &[LaneId], now_ms: i64, report: &mut StepReport);
}

/// The probes of a partition.
#[derive(Clone, Debug, Default)]
pub struct Probes {
    mean_data: MeanDataProbe,
    passages: PassageProbe,
}

/// What probes have measured and not reported yet.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SavedProbes {
    mean_data: SavedMeanData,
}

/// Evaluates an expression for each probe of `self`; which they are is said here alone.
macro_rules! each {
    ($probes:expr, $probe:ident => $call:expr) => {{
        let $probe = &mut $probes.mean_data;
        $call;
        let $probe = &mut $probes.passages;
        $call;
    }};
}

impl Probes {
    pub fn new(world: &World) -> Self {
        Self { mean_data: MeanDataProbe::new(world), passages: PassageProbe::new(world) }
    }

    /// No probe measures anything.
    #[inline]
    pub fn is_idle(&self) -> bool {
        self.mean_data.is_idle() && self.passages.is_idle()
    }

    pub fn pass(&mut self, world: &World, passage: &Passage, now_ms: i64) {
        each!(self, probe => probe.pass(world, passage, now_ms));
    }

    pub fn overhang(&mut self, world: &World, lane: LaneId, passage: &Passage, now_ms: i64) {
        if passage.from_m < passage.length_m && passage.to_m.min(passage.length_m) >= passage.from_m.max(0.0) {
            each!(self, probe => probe.overhang(world, lane, passage, now_ms));
        }
    }

    pub fn note(&mut self, world: &World, lane: LaneId, vtype: u16, event: LaneEvent, now_ms: i64) {
        each!(self, probe => probe.note(world, lane, vtype, event, now_ms));
    }

    pub fn report(&mut self, world: &World, lanes: &[LaneId], now_ms: i64, report: &mut StepReport) {
        each!(self, probe => probe.report(world, lanes, now_ms, report));
    }

    /// The intervals that are open after the last step, at `now_ms`.
    pub fn close(&mut self, world: &World, lanes: &[LaneId], now_ms: i64) -> Vec<IntervalReport> {
        self.mean_data.finish(world, lanes, now_ms, true)
    }

    pub fn save(&self) -> SavedProbes {
        SavedProbes { mean_data: self.mean_data.save() }
    }

    /// Adds what was measured on the lanes that are wanted.
    pub fn take(&mut self, saved: &SavedProbes, wants: impl Fn(LaneId) -> bool) {
        self.mean_data.take(&saved.mean_data, wants);
    }
}

impl SavedProbes {
    /// Whether this is what probes of the world may have measured, on lanes that there are.
    pub(in crate::sim) fn fit(&self, world: &World, is_lane: impl Fn(LaneId) -> bool) -> bool {
        self.mean_data.fit(world.measures.mean_data.len(), is_lane)
    }

    /// Names lanes as in another network; what was measured on lanes that were taken out is gone.
    pub(in crate::sim) fn renumber(&mut self, to: &Renumbering<'_>) {
        self.mean_data.renumber(to);
    }
}

/// The passage of a vehicle that stays on its lane the whole step.
#[inline]
pub fn stay(vehicle: &Vehicle, lane: LaneId, from_m: f64, speed: f64, allowed: f64, length_m: f64, dt: f64) -> Passage {
    Passage {
        lane,
        from_m,
        to_m: vehicle.pos_m,
        time_s: dt,
        speed,
        allowed,
        stopped: vehicle.is(flags::STOPPED),
        length_m,
        vtype: vehicle.vtype,
        vehicle: vehicle.id,
        entered: false,
        left: false,
    }
}
