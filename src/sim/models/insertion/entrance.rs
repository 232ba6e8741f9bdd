//! The lanes of one edge as vehicles find them that come onto the road there: after the moves, the lane changes and the
//! insertions of the step. SUMO has the same order: move, change lanes, insert. Other edges are seen without the lane changes
//! of the step, so that no partition has to know what its neighbours decide.

use crate::ids::{EdgeId, LaneId};

use crate::sim::lanes::Lanes;
use crate::sim::models::lane_change::Change;
use crate::sim::random::{Purpose, uniform};
use crate::sim::vehicle::Vehicle;
use crate::sim::world::World;

/// A vehicle on a lane of the edge.
#[derive(Clone, Copy, Debug)]
pub struct Body {
    /// Front bumper along the lane, metres.
    pub pos_m: f64,
    pub speed_mps: f64,
    pub vtype: u16,
}

impl Body {
    pub fn of(vehicle: &Vehicle) -> Self {
        Self { pos_m: vehicle.pos_m, speed_mps: vehicle.speed_mps, vtype: vehicle.vtype }
    }
}

/// On which lane of its edge a vehicle departs. Sets of lanes are bits, that of the rightmost lane the lowest.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum LaneWish {
    /// Not looked up yet.
    #[default]
    Unknown,
    /// The lane with this index.
    Only(u32),
    /// Of these lanes that with the longest free way from this position on, metres, behind the hindmost vehicle; where all
    /// hindmost vehicles are behind that position, that with the fewest metres taken by vehicles.
    Freest { lanes: u64, from_m: f64 },
    /// One of these lanes, drawn anew at each attempt.
    Drawn(u64),
}

/// One lane of the edge.
#[derive(Debug, Default)]
struct Lane {
    /// The foremost first.
    bodies: Vec<Body>,
    length_m: f64,
    occupied_m: f64,
    /// A departure was refused in this step.
    refused: bool,
}

#[derive(Debug, Default)]
pub struct Entrance {
    first_lane: u32,
    /// Those of the edge, and unused ones kept for wider edges.
    lanes: Vec<Lane>,
    count: usize,
    /// Lanes without a refused departure.
    open: usize,
}

impl Entrance {
    /// Goes to another edge; `changes` are the lane changes there.
    pub fn open(&mut self, world: &World, edge: EdgeId, lanes: &Lanes, changes: &[Change]) {
        let network = &world.network;
        let e = network.edge(edge);
        self.first_lane = e.first_lane.0;
        self.count = e.lane_count as usize;
        self.open = self.count;
        if self.lanes.len() < self.count {
            self.lanes.resize_with(self.count, Lane::default);
        }
        for (lane, id) in self.lanes.iter_mut().zip(e.lanes()) {
            lane.bodies.clear();
            lane.length_m = network.lane(id).length_m;
            lane.occupied_m = lanes.occupied_m[id.index()];
            lane.refused = false;
            let stays = |index: usize| !changes.iter().any(|change| change.from == id && change.index == index);
            let here = lanes.on(id).iter().enumerate().filter(|(index, _)| changes.is_empty() || stays(*index));
            lane.bodies.extend(here.map(|(_, vehicle)| Body::of(vehicle)));
        }
        for change in changes {
            let taken_m = world.types[usize::from(change.vtype)].driver.length_with_gap();
            self.lane_mut(change.from).occupied_m -= taken_m;
            self.insert(world, change.to, Body { pos_m: change.pos, speed_mps: change.speed, vtype: change.vtype });
        }
    }

    fn lane(&self, lane: LaneId) -> &Lane {
        &self.lanes[(lane.0 - self.first_lane) as usize]
    }

    fn lane_mut(&mut self, lane: LaneId) -> &mut Lane {
        &mut self.lanes[(lane.0 - self.first_lane) as usize]
    }

    /// The vehicles of a lane of the edge, the foremost first.
    pub fn on(&self, lane: LaneId) -> &[Body] {
        &self.lane(lane).bodies
    }

    pub fn insert(&mut self, world: &World, lane: LaneId, body: Body) {
        let lane = self.lane_mut(lane);
        lane.occupied_m += world.types[usize::from(body.vtype)].driver.length_with_gap();
        let at = lane.bodies.partition_point(|other| other.pos_m >= body.pos_m);
        lane.bodies.insert(at, body);
    }

    /// Whether a departure on the lane was refused in this step: those behind it on the same lane are not tried.
    pub fn is_refused(&self, lane: LaneId) -> bool {
        self.lane(lane).refused
    }

    pub fn refuse(&mut self, lane: LaneId) {
        self.open -= usize::from(!self.lane(lane).refused);
        self.lane_mut(lane).refused = true;
    }

    /// Whether departures on all lanes were refused.
    pub fn is_closed(&self) -> bool {
        self.open == 0
    }

    /// The lane on which a vehicle would depart now. `key` is the step's.
    pub fn choose(&self, wish: LaneWish, vehicle: u32, key: u64) -> Option<LaneId> {
        let members = |set: u64| (0..self.count.min(64)).filter(move |index| set >> index & 1 == 1);
        let index = match wish {
            LaneWish::Unknown => None,
            LaneWish::Only(index) => (index < self.count as u32).then_some(index as usize),
            LaneWish::Freest { lanes, from_m } => {
                let free_m = |index: usize| {
                    let lane = &self.lanes[index];
                    lane.bodies.last().map_or(lane.length_m, |hindmost| hindmost.pos_m) - from_m
                };
                let taken_m = |index: usize| self.lanes[index].occupied_m;
                // Of equal lanes the rightmost.
                let longest =
                    members(lanes).reduce(|best, other| if free_m(other) > free_m(best) { other } else { best });
                longest.filter(|index| free_m(*index) > 0.0).or_else(|| {
                    members(lanes).reduce(|best, other| if taken_m(other) < taken_m(best) { other } else { best })
                })
            }
            LaneWish::Drawn(set) => {
                let draw = uniform(key, vehicle, Purpose::DepartLane);
                members(set).nth((draw * f64::from(set.count_ones())) as usize)
            }
        };
        index.map(|index| LaneId(self.first_lane + index as u32))
    }
}
