//! What the loops of actuated signals feel. Only vehicles on lanes with loops, or hanging over such lanes, cost anything.

use crate::demand::Demand;
use crate::graph::{DetectorLoop, Network, loops_of, signal_approaches};
use crate::ids::{LaneId, SignalId};

use crate::sim::marks::Marks;
use crate::sim::models::signals::OCCUPIED;
use crate::sim::partition::Partition;
use crate::sim::settings::Settings;
use crate::sim::vehicle::Vehicle;

/// All loops of the network.
#[derive(Clone, Debug, Default)]
pub struct SignalLoops {
    by_signal: Vec<Loops>,
    /// The loops that lie on lanes, ordered by lane.
    on_lane: Vec<(LaneId, SignalId, u32)>,
    /// Lanes with loops; empty where there are none.
    pub lanes: Marks,
}

/// The loops of one signal.
#[derive(Clone, Debug, Default)]
pub struct Loops {
    pub loops: Vec<DetectorLoop>,
    /// By program: where its loops begin, and by which indices of types it detects (empty: by all).
    programs: Vec<(u32, Vec<u16>)>,
}

impl Loops {
    #[cfg(test)]
    pub fn from_programs(programs: impl IntoIterator<Item = Vec<DetectorLoop>>) -> Self {
        let mut here = Self::default();
        for loops in programs {
            here.programs.push((here.loops.len() as u32, Vec::new()));
            here.loops.extend(loops);
        }
        here
    }

    /// The loops of a program with the number of the first.
    pub fn of(&self, program: u32) -> (usize, &[DetectorLoop]) {
        let start = self.programs.get(program as usize).map_or(self.loops.len(), |(start, _)| *start as usize);
        let end = self.programs.get(program as usize + 1).map_or(self.loops.len(), |(start, _)| *start as usize);
        (start, &self.loops[start..end])
    }

    /// Whether a loop detects vehicles of a type.
    fn detects(&self, at: u32, vtype: u16) -> bool {
        let program = self.programs.partition_point(|(start, _)| *start <= at) - 1;
        let types = &self.programs[program].1;
        types.is_empty() || types.contains(&vtype)
    }
}

impl SignalLoops {
    pub fn new(network: &Network, demand: &Demand, settings: &Settings) -> Self {
        let mut found = Self::default();
        if !network.signals.iter().any(|signal| signal.is_actuated()) {
            return found;
        }
        found.lanes = Marks::new(network.lanes.len());
        for (id, (signal, approaches)) in network.signals.iter().zip(signal_approaches(network)).enumerate() {
            let mut here = Loops::default();
            for program in &signal.programs {
                let index_of = |name: &str| demand.types.iter().position(|vtype| *vtype.name == *name);
                // A name that no type has detects nothing.
                let types = program.actuation.vtypes.iter().map(|name| index_of(name).map_or(u16::MAX, |at| at as u16));
                here.programs.push((here.loops.len() as u32, types.collect()));
                here.loops.extend(loops_of(network, &approaches, program, settings.actuated_jam_threshold_ms));
            }
            for (at, detector) in (0..).zip(&here.loops) {
                found.on_lane.push((detector.lane, SignalId::new(id), at));
                found.lanes.set(detector.lane.index());
            }
            found.by_signal.push(here);
        }
        found.on_lane.sort_unstable();
        found
    }

    pub fn is_empty(&self) -> bool {
        self.on_lane.is_empty()
    }

    /// The loops of a signal; `None` where no signal is actuated.
    pub fn of(&self, signal: SignalId) -> Option<&Loops> {
        self.by_signal.get(signal.index())
    }

    fn on(&self, lane: LaneId) -> &[(LaneId, SignalId, u32)] {
        let start = self.on_lane.partition_point(|(at, ..)| *at < lane);
        let length = self.on_lane[start..].iter().take_while(|(at, ..)| *at == lane).count();
        &self.on_lane[start..start + length]
    }

    /// Signals with a loop of which something is to be known, ascending.
    pub fn signals(&self) -> impl Iterator<Item = (SignalId, &Loops)> {
        self.by_signal.iter().enumerate().filter(|(_, l)| !l.loops.is_empty()).map(|(at, l)| (SignalId::new(at), l))
    }
}

impl Partition {
    /// Tells the loops that a vehicle drove over in this step that its front came onto them, or its rear left them. `lane` is
    /// where its front is now.
    pub(in crate::sim) fn pass_loops(&mut self, vehicle: &Vehicle, lane: LaneId, now_ms: i64) {
        let Self { world, signals, .. } = self;
        let speed = vehicle.speed_mps;
        let length = world.types[usize::from(vehicle.vtype)].driver.length_m;
        let (mut from_m, mut to_m) = (vehicle.pos_m - speed * world.dt, vehicle.pos_m);
        let mut at = lane;
        let mut came_from = vehicle.came_from;
        loop {
            if world.loops.lanes.has(at.index()) {
                for &(_, signal, index) in world.loops.on(at) {
                    let Some(loops) = world.loops.of(signal) else { continue };
                    if !loops.detects(index, vehicle.vtype) {
                        continue;
                    }
                    let detector = &loops.loops[index as usize];
                    let state = &mut signals.states[signal.index()].loops[index as usize];
                    let when_us = |metres: f64| now_ms * 1000 + (metres / speed * 1e6) as i64;
                    if from_m < detector.pos_m && to_m >= detector.pos_m {
                        state.entered_us = state.entered_us.max(when_us(detector.pos_m - from_m));
                    }
                    let end_m = detector.pos_m + detector.length_m + length;
                    if from_m <= end_m && to_m > end_m {
                        let when_us = when_us(end_m - from_m);
                        state.left_us = if state.left_us == OCCUPIED { when_us } else { state.left_us.max(when_us) };
                    }
                }
            }
            // The rear may have been on the lanes behind.
            if from_m >= length {
                return;
            }
            let l = world.network.lane(at);
            let previous = if l.internal { world.network.lane_before(l) } else { came_from };
            if previous.is_none() {
                return;
            }
            came_from = LaneId::NONE;
            let metres = world.network.lane(previous).length_m;
            from_m += metres;
            to_m += metres;
            at = previous;
        }
    }

    /// Finds out after a step which loops of own signals are occupied, and since when the others are not.
    pub(in crate::sim) fn read_loops(&mut self, now_ms: i64) {
        let Self { world, signals, lanes, scope, .. } = self;
        let after_us = (now_ms + world.settings.step_ms) * 1000;
        for (signal, loops) in world.loops.signals() {
            if !scope.owns_signal(&world.network, signal) {
                continue;
            }
            let states = &mut signals.states[signal.index()].loops;
            for ((at, detector), state) in (0..).zip(&loops.loops).zip(states) {
                let covers = |back_m: f64, front_m: f64| {
                    front_m >= detector.pos_m && back_m <= detector.pos_m + detector.length_m
                };
                let is_over = |v: &Vehicle| {
                    let length = world.types[usize::from(v.vtype)].driver.length_m;
                    covers(v.pos_m - length, v.pos_m) && loops.detects(at, v.vtype)
                };
                let over = lanes.overhang(detector.lane);
                let mut before = lanes.on(detector.lane).iter().take_while(|v| v.pos_m >= detector.pos_m);
                if covers(over.back, f64::INFINITY) || before.any(is_over) {
                    // One that did not drive onto it changed lanes, or began its trip there.
                    if state.left_us != OCCUPIED && state.entered_us < now_ms * 1000 {
                        state.entered_us = after_us;
                    }
                    state.left_us = OCCUPIED;
                } else if state.left_us == OCCUPIED {
                    // The vehicle changed lanes, or was taken off the road.
                    state.left_us = after_us;
                }
            }
        }
    }
}
