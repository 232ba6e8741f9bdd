//! The vehicles of every lane, and what of them others may read across lanes while a step is computed.

use crate::ids::LaneId;

use super::vehicle::Vehicle;
use super::world::World;

/// The last (hindmost) body on a lane, as those behind it see it. Bodies that hang over the start of a following lane
/// count on the lane that they cover.
#[derive(Clone, Copy, Debug)]
pub struct Rear {
    /// Back bumper along the lane, metres; infinite when the lane is empty.
    pub back: f64,
    pub speed: f64,
    pub decel: f64,
    /// Change of speed in the last step, m/s².
    pub accel: f64,
}

impl Rear {
    pub const FREE: Self = Self { back: f64::INFINITY, speed: 0.0, decel: 1.0, accel: 0.0 };
}

/// Vehicles by lane, the foremost first.
#[derive(Clone, Debug, Default)]
pub struct Lanes {
    pub vehicles: Vec<Vec<Vehicle>>,
    /// The hindmost vehicle that is itself on the lane.
    pub rear: Vec<Rear>,
    /// The hindmost body that reaches back onto the lane from a later one.
    pub overhang: Vec<Rear>,
    /// Lanes with an overhang, to reset.
    overhung: Vec<LaneId>,
    /// Metres taken by vehicles with their gaps.
    pub occupied_m: Vec<f64>,
    /// Lanes of the last [`refresh`](Self::refresh) that had vehicles then, in its order.
    pub busy: Vec<LaneId>,
    /// Lanes whose `rear` and `occupied_m` are not those of an empty lane, to reset.
    shown: Vec<LaneId>,
}

impl Lanes {
    pub fn new(count: usize) -> Self {
        Self {
            vehicles: vec![Vec::new(); count],
            rear: vec![Rear::FREE; count],
            overhang: vec![Rear::FREE; count],
            overhung: Vec::new(),
            occupied_m: vec![0.0; count],
            busy: Vec::new(),
            shown: Vec::new(),
        }
    }

    #[inline]
    pub fn on(&self, lane: LaneId) -> &[Vehicle] {
        &self.vehicles[lane.index()]
    }

    /// The hindmost body on the lane, its own or hanging over.
    #[inline]
    pub fn last(&self, lane: LaneId) -> Rear {
        let (own, over) = (self.rear[lane.index()], self.overhang[lane.index()]);
        if own.back <= over.back { own } else { over }
    }

    /// Derives `rear`, `overhang` and `occupied_m` from the vehicles of the given lanes.
    pub fn refresh(&mut self, world: &World, lanes: &[LaneId]) {
        for lane in self.overhung.drain(..) {
            self.overhang[lane.index()] = Rear::FREE;
        }
        let Self { vehicles, rear, occupied_m, shown, busy, .. } = self;
        shown.retain(|lane| {
            let i = lane.index();
            let keep = !vehicles[i].is_empty();
            if !keep {
                rear[i] = Rear::FREE;
                occupied_m[i] = 0.0;
            }
            keep
        });
        busy.clear();
        busy.extend(lanes.iter().copied().filter(|lane| !vehicles[lane.index()].is_empty()));
        for at in 0..self.busy.len() {
            let lane = self.busy[at];
            let i = lane.index();
            let Some(last) = self.vehicles[i].last() else { continue };
            let driver = &world.types[usize::from(last.vtype)].driver;
            let rear = Rear {
                back: last.pos - driver.length,
                speed: last.speed,
                decel: driver.apparent_decel,
                accel: f64::from(last.accel),
            };
            if self.rear[i].back == f64::INFINITY {
                self.shown.push(lane);
            }
            self.rear[i] = rear;
            self.occupied_m[i] =
                self.vehicles[i].iter().map(|v| world.types[usize::from(v.vtype)].driver.length_with_gap()).sum();
            if rear.back < 0.0 {
                self.cover_upstream(world, lane, last.came_from, rear);
            }
        }
    }

    /// Marks the lanes that a body covers behind the start of its own.
    fn cover_upstream(&mut self, world: &World, lane: LaneId, came_from: LaneId, rear: Rear) {
        let mut behind = rear.back;
        let mut at = lane;
        let mut from = came_from;
        while behind < 0.0 {
            let l = world.network.lane(at);
            let previous = if l.internal { world.network.link(l.entry).from } else { from };
            if previous.is_none() {
                break;
            }
            // Beyond the lane before a junction the way is not known; no vehicle that fits its lanes reaches so far.
            from = LaneId::NONE;
            behind += world.network.lane(previous).length_m;
            let over = &mut self.overhang[previous.index()];
            if over.back == f64::INFINITY {
                self.overhung.push(previous);
            }
            if behind < over.back {
                *over = Rear { back: behind, ..rear };
            }
            at = previous;
        }
    }
}
