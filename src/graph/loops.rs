//! Induction loops by which an actuated signal sees vehicles: where they lie, and in which phases each of them counts.
//! (SUMO user documentation, "Traffic Lights", type 'actuated'; details from experiments with SUMO 1.28.)

use super::network::{Lane, Link, Network, Permissions, Turn};
use super::signal::{Aspect, LaneParameter, Phase, Program, ProgramKind};
use crate::graph::VehicleClass;
use crate::ids::LaneId;

/// Length of road that a vehicle takes in a queue, metres: bounds how far before the line a loop lies.
const QUEUED_VEHICLE_M: f64 = 7.5;
/// Lanes that a loop is moved back over at most.
const MAX_MOVES: usize = 100;

/// One loop of an actuated program.
#[derive(Clone, Debug, PartialEq)]
pub struct DetectorLoop {
    /// The lane that it lies on: `approach` or one before it.
    pub lane: LaneId,
    /// Where it begins, metres from the start of the lane, and how long it is.
    pub pos_m: f64,
    pub length_m: f64,
    /// The lane before the stop line.
    pub approach: LaneId,
    /// Vehicles that follow each other within this time are one stream, microseconds.
    pub max_gap_us: i64,
    /// A vehicle that stands on the loop longer does not count, microseconds; `None`: it always does.
    pub jam_us: Option<i64>,
    /// By phase: the loop can extend it.
    pub serves: Box<[bool]>,
}

/// By signal: the lanes before its stop lines with the link indices that they lead to, in the order of these.
pub fn signal_approaches(network: &Network) -> Vec<Vec<(u32, LaneId)>> {
    let mut found = vec![Vec::new(); network.signals.len()];
    for link in network.links.iter().filter(|link| link.signal.is_some() && link.is_entry(network)) {
        found[link.signal.index()].push((link.signal_index, link.from));
    }
    found.iter_mut().for_each(|approaches| approaches.sort_unstable());
    found
}

/// The loops of one program, by the link index of their lanes; none unless it is actuated. `jam_ms` is the threshold where
/// the program gives none.
pub fn loops_of(
    network: &Network,
    approaches: &[(u32, LaneId)],
    program: &Program,
    jam_ms: Option<i64>,
) -> Vec<DetectorLoop> {
    if program.kind != ProgramKind::Actuated {
        return Vec::new();
    }
    let mut lanes: Vec<LaneId> = Vec::new();
    for (_, lane) in approaches {
        if !lanes.contains(lane) {
            lanes.push(*lane);
        }
    }
    lanes.into_iter().filter_map(|lane| loop_of(network, approaches, program, lane, jam_ms)).collect()
}

fn loop_of(
    network: &Network,
    approaches: &[(u32, LaneId)],
    program: &Program,
    approach: LaneId,
    jam_ms: Option<i64>,
) -> Option<DetectorLoop> {
    let lane = network.lane(approach);
    let actuation = &program.actuation;
    let given = |parameter| actuation.of_lane(parameter, || network.lane_name(approach));
    let jam_s = given(LaneParameter::JamThreshold).or(actuation.jam_threshold_s);
    let jam_us = jam_s.map_or(jam_ms.map(|ms| ms * 1000), |s| Some(micros(s))).filter(|us| *us > 0);
    let max_gap_s = given(LaneParameter::MaxGap).unwrap_or(actuation.max_gap_s);
    let length_m = given(LaneParameter::DetectorLength).unwrap_or(actuation.detector_length_m);
    let links = approaches.iter().filter(|(_, from)| *from == approach).map(|(index, _)| *index);
    let is_green = |phase: &Phase| links.clone().any(|index| shows_green(phase, index));
    let shortest_ms =
        program.phases.iter().filter(|p| p.is_actuated() && is_green(p)).map(|p| p.min_duration_ms).min()?;
    let queue_m = (shortest_ms as f64 / 1000.0 / actuation.passing_time_s.max(0.1) + 0.5) * QUEUED_VEHICLE_M;
    let (lane_of_loop, pos_m) = place(network, approach, (actuation.detector_gap_s * lane.speed_mps).min(queue_m));
    let serves = program.phases.iter().map(|phase| match jam_us {
        Some(_) => is_green(phase),
        None => serves(network, program, phase, lane),
    });
    Some(DetectorLoop {
        lane: lane_of_loop,
        pos_m,
        length_m,
        approach,
        max_gap_us: micros(max_gap_s),
        jam_us,
        serves: serves.collect(),
    })
}

/// Where the point `before_m` metres before the end of a lane is. Where the lane is shorter, the point is on the lane from
/// which alone it is reached, if there is such a lane; else it is the start of the lane.
fn place(network: &Network, approach: LaneId, before_m: f64) -> (LaneId, f64) {
    let mut at = approach;
    let mut pos_m = network.lane(at).length_m - before_m;
    for _ in 0..MAX_MOVES {
        let incoming = &network.incoming[network.lane(at).incoming.range()];
        let &[into] = incoming else { break };
        if pos_m >= 0.0 {
            break;
        }
        // The way through the junction counts as well.
        let mut previous = network.link(into).from;
        let mut between_m = 0.0;
        while network.lane(previous).internal {
            let entry = network.lane(previous).entry;
            if entry.is_none() {
                return (at, 0.0);
            }
            between_m += network.lane(previous).length_m;
            previous = network.link(entry).from;
        }
        pos_m += between_m + network.lane(previous).length_m;
        at = previous;
    }
    (at, pos_m.clamp(0.0, network.lane(at).length_m))
}

/// Whether a loop before a stop line can extend a phase: everyone on its lane can drive then. A link that shows `g` while
/// links that it conflicts with are green holds its lane up; it is put up with beside a link with `G` when it never gets
/// `G` itself, or when it turns around beside a left turn that has `G`.
fn serves(network: &Network, program: &Program, phase: &Phase, lane: &Lane) -> bool {
    let links = &network.links[lane.links.range()];
    let letter = |index: u32| phase.aspects.get(index as usize).copied();
    let mut links = links.iter().filter(|link| link.signal.is_some()).peekable();
    if links.peek().is_none() || links.clone().any(|link| !shows_green(phase, link.signal_index)) {
        return false;
    }
    let edge = network.edge(lane.edge);
    let walkers = Permissions(VehicleClass::Pedestrian.bit());
    if edge.lanes().filter(|lane| network.lane(*lane).allowed != walkers).count() == 1 {
        return true;
    }
    let is_major = |index: u32| letter(index) == Some(Aspect::GreenMajor);
    let is_free = |link: &&Link| {
        let mut foes = network.foe_links[link.foes.range()].iter().map(|foe| network.link(*foe));
        is_major(link.signal_index)
            || !foes.any(|foe| foe.signal == link.signal && shows_green(phase, foe.signal_index))
    };
    if links.clone().all(|link| is_free(&link)) {
        return true;
    }
    let has_major = links.clone().any(|link| is_major(link.signal_index));
    let is_ever_major =
        |index: u32| program.phases.iter().any(|phase| phase.aspects.get(index as usize) == Some(&Aspect::GreenMajor));
    has_major
        && links.filter(|link| !is_free(link)).all(|link| {
            let index = link.signal_index;
            !is_ever_major(index) || link.turn == Turn::Turnaround && index > 0 && is_major(index - 1)
        })
}

fn shows_green(phase: &Phase, index: u32) -> bool {
    matches!(phase.aspects.get(index as usize), Some(Aspect::Green | Aspect::GreenMajor))
}

fn micros(seconds: f64) -> i64 {
    (seconds * 1e6 + 0.5) as i64
}
