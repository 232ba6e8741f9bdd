//! What a vehicle that considers another lane sees there: the leader and the follower, on its own edge or beyond its ends.

use crate::graph::{Lane, Network};
use crate::ids::{LaneId, LinkId};

use crate::sim::bounds::Bounds;
use crate::sim::lane_plan::{Horizon, LaneChoice};
use crate::sim::models::car_following::Driver;
use crate::sim::vehicle::Vehicle;
use crate::sim::view::View;

/// Another vehicle, seen along one lane.
#[derive(Clone, Copy, Debug)]
pub struct Neighbour<'a> {
    /// Bumper to bumper less the minimum gap of the rear vehicle, metres.
    pub gap: f64,
    pub speed: f64,
    pub accel: f64,
    pub driver: &'a Driver,
    /// Index on its lane when it is on the same edge.
    pub index: Option<usize>,
    /// Stands at a stop.
    pub stopped: bool,
    /// Its [`flags`](crate::sim::vehicle::flags); 0 when it is on another edge.
    pub flags: u16,
}

impl<'a> View<'a> {
    /// The leader that `vehicle` would have beyond the end of `lane` (of its current edge).
    pub fn leader_beyond(&self, vehicle: &Vehicle, lane: LaneId) -> Option<Neighbour<'a>> {
        let driver = self.driver(vehicle);
        let over = self.lanes.overhang(lane);
        if over.back < f64::INFINITY {
            return Some(self.body(over.back - vehicle.pos_m - driver.min_gap_m, over, driver));
        }
        let mut lane_id = lane;
        let mut index = usize::from(vehicle.route_index);
        let mut seen = self.lane(lane).length_m - vehicle.pos_m;
        // As far as matters to a vehicle that drives as fast as it may.
        let speed = self.allowed(vehicle, driver, self.lane(lane)).at_least(vehicle.speed_mps);
        let look = self.look_beyond_lane(driver, speed, seen);
        while seen < look {
            let link = self.next_link(vehicle, lane_id, index);
            if link.is_none() {
                return None;
            }
            lane_id = self.link(link).next;
            let rear = self.lanes.last(lane_id);
            if rear.back < f64::INFINITY {
                return Some(self.body(seen + rear.back - driver.min_gap_m, rear, driver));
            }
            let l = self.lane(lane_id);
            if !l.internal {
                index += 1;
            }
            seen += l.length_m;
        }
        None
    }

    /// Replaces `leader` by the blocked section of `lane` if that is nearer: like somebody who stands at a stop. Who is in the
    /// section drives out of it, but nobody changes into it.
    #[inline]
    pub fn consider_block(
        &self,
        vehicle: &Vehicle,
        lane: LaneId,
        is_on_lane: bool,
        leader: &mut Option<Neighbour<'a>>,
    ) {
        let Some(block) = self.world.overlay.block_on(lane, self.now_ms) else { return };
        let driver = self.driver(vehicle);
        let gap = block.from_m - vehicle.pos_m - driver.min_gap_m;
        let is_past =
            if is_on_lane { vehicle.pos_m >= block.from_m } else { vehicle.pos_m - driver.length_m >= block.to_m };
        if !is_past && leader.as_ref().is_none_or(|n| n.gap > gap) {
            *leader = Some(Neighbour { gap, speed: 0.0, accel: 0.0, driver, index: None, stopped: true, flags: 0 });
        }
    }

    /// A body of which only the rear is known; it is taken to brake like the vehicle that looks at it.
    fn body(&self, gap: f64, rear: crate::sim::lanes::Rear, driver: &'a Driver) -> Neighbour<'a> {
        Neighbour {
            gap,
            speed: rear.speed,
            accel: f64::from(rear.accel),
            driver,
            index: None,
            stopped: false,
            flags: 0,
        }
    }

    /// The nearest vehicle that comes onto `lane` from behind its start and is within reach of a body whose back is at
    /// `back_m`.
    pub fn follower_behind(&self, back_m: f64, lane: LaneId) -> Option<Neighbour<'a>> {
        if back_m > self.world.reach_m {
            return None;
        }
        let network = &self.world.network;
        let mut nearest: Option<Neighbour<'a>> = None;
        let mut consider = |vehicle: &Vehicle, distance_m: f64| {
            let driver = self.driver(vehicle);
            let gap = distance_m - driver.min_gap_m;
            if gap < self.world.reach_m && nearest.as_ref().is_none_or(|n| gap < n.gap) {
                nearest = Some(Neighbour {
                    gap,
                    speed: vehicle.speed_mps,
                    accel: f64::from(vehicle.accel_mps2),
                    driver,
                    index: None,
                    stopped: self.is_stopped(vehicle),
                    flags: 0,
                });
            }
        };
        for link in &network.incoming[self.lane(lane).incoming.range()] {
            let mut from = self.link(*link).from;
            let mut distance = back_m;
            // Through the junction, then the front vehicle of the lane before it, if it comes here.
            loop {
                let l = self.lane(from);
                if let Some(first) = self.lanes.on(from).first() {
                    let comes = l.internal || {
                        let next = self.own_link(first, from);
                        next.is_some() && (self.link(next).to == lane || self.link(next).next == lane)
                    };
                    if comes {
                        consider(first, distance + l.length_m - first.pos_m);
                    }
                    break;
                }
                distance += l.length_m;
                if !l.internal || l.entry.is_none() || distance > self.world.reach_m {
                    break;
                }
                from = self.link(l.entry).from;
            }
        }
        nearest
    }

    /// The lane of the road that counts for a vehicle on (or beside) `lane`, and the index of that road in the route: inside
    /// a junction it is the road behind it.
    #[inline]
    pub fn road_ahead(&self, vehicle: &Vehicle, lane: LaneId) -> (usize, LaneId) {
        let index = usize::from(vehicle.route_index);
        let l = self.lane(lane);
        if l.internal { (index + 1, self.link(l.only_link()).to) } else { (index, lane) }
    }

    /// What a way through a junction is worth for the vehicle's route: as much as the lane that it leads to, as far as the vehicle
    /// looked when it was before the junction.
    pub fn choice_behind(&self, vehicle: &Vehicle, way: LaneId) -> LaneChoice {
        let (index, road) = self.road_ahead(vehicle, way);
        let mut choice = self.plans.choice(self.world, vehicle.plan, index, road);
        let before = self.world.network.edge(self.lane(self.entry_of(self.lane(way)).from).edge);
        if before.lane_count > 1 {
            let lanes = self.plans.edge(vehicle.plan, usize::from(vehicle.route_index), before.lane_count as usize);
            let farthest_m = lanes.iter().map(|lane| lane.length_m).fold(0.0, f32::max);
            choice.length_m = choice.length_m.min(farthest_m - before.length_m as f32);
        }
        choice
    }

    /// Metres taken by vehicles on the lanes that continue behind `link`, as far as lanes are compared: after the move on near ones, at
    /// the end of the last step on farther ones. The lane before the link is `own_m` long.
    #[inline]
    pub fn occupied_beyond(&self, vehicle: &Vehicle, own_m: f64, link: LinkId) -> f64 {
        let slot = self.world.types[usize::from(vehicle.vtype)].class_slot;
        let mut horizon = Horizon::new(self.world.brake_m[usize::from(slot)], own_m);
        let (mut taken, mut seen) = (0.0, 0.0);
        let mut index = usize::from(vehicle.route_index);
        let mut link = link;
        while link.is_some() && horizon.goes_on() {
            let to = self.link(link).to;
            let lane = self.lane(to);
            taken += if seen < self.world.scan_m { self.lanes.occupied_m[to.index()] } else { self.lanes.taken_m(to) };
            seen += lane.length_m;
            horizon.add(lane.length_m);
            index += 1;
            link = self.plans.choice(self.world, vehicle.plan, index, to).link;
        }
        taken
    }
}

/// Whether two ways through a junction part at their starts or meet at their ends: nobody changes between such.
pub fn are_siblings(network: &Network, lane: &Lane, other: &Lane) -> bool {
    let source = |l: &Lane| network.link(l.entry).from;
    let target = |l: &Lane| network.link(l.only_link()).to;
    source(lane) == source(other) || target(lane) == target(other)
}
