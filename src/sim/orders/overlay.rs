//! The standing orders as the kernel asks for them in every step: nothing is looked up while there are none.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::standing::{Section, Standing};
use super::{NewVehicle, Order};
use crate::demand::{ArrivalLane, ArrivalSpeed, Departure, RouteOrigin, VehicleClass, is_equipped};
use crate::graph::{Lane, Link, Network, Span};
use crate::ids::{EdgeId, LaneId, RouteId};
use crate::sim::marks::Marks;
use crate::sim::vehicle::{Vehicle, flags};
use crate::sim::world::World;

/// What orders lay over network and demand of a [`World`].
#[derive(Clone, Debug, Default)]
pub struct Overlay {
    pub standing: Standing,
    any_closed: bool,
    any_limited: bool,
    closed: Marks,
    limited: Marks,
    /// Speed limits of the network where another one holds, m/s.
    original_mps: BTreeMap<LaneId, f64>,
}

impl Overlay {
    /// Nobody enters the lane.
    #[inline]
    pub fn is_closed(&self, lane: LaneId) -> bool {
        self.any_closed && self.closed.has(lane.index())
    }

    /// Speed limit of a lane for a driver's class, m/s. The limit of an order holds for every class.
    #[inline]
    pub fn limit_mps(&self, network: &Network, lane: &Lane, class: VehicleClass) -> f64 {
        if lane.class_limits == 0 { lane.speed_mps } else { self.class_limit_mps(network, lane, class) }
    }

    #[cold]
    fn class_limit_mps(&self, network: &Network, lane: &Lane, class: VehicleClass) -> f64 {
        let limit = network.limit_mps(lane, class);
        let id = network.edge(lane.edge).first_lane.0 + lane.index;
        if self.is_limited(LaneId(id)) { limit.min(lane.speed_mps) } else { limit }
    }

    /// The limit of the lane is that of an order.
    #[inline]
    pub fn is_limited(&self, lane: LaneId) -> bool {
        self.any_limited && self.limited.has(lane.index())
    }

    /// Nobody passes the link, which leads onto a closed lane. Who is in the junction already drives on.
    #[inline]
    pub fn bars(&self, network: &Network, link: &Link) -> bool {
        self.is_closed(link.to) && !network.lane(link.from).internal
    }

    /// Some lane is closed.
    #[inline]
    pub fn has_closures(&self) -> bool {
        self.any_closed
    }

    /// All lanes of the road are closed.
    pub fn is_road_closed(&self, network: &Network, edge: EdgeId) -> bool {
        self.any_closed && network.edge(edge).lanes().all(|lane| self.closed.has(lane.index()))
    }

    /// Index of the first closed road of a way.
    pub fn first_closed(&self, network: &Network, edges: &[EdgeId]) -> Option<usize> {
        if !self.any_closed {
            return None;
        }
        edges.iter().position(|edge| self.is_road_closed(network, *edge))
    }

    /// The section of a lane that nobody passes now.
    #[inline]
    pub fn block_on(&self, lane: LaneId, now_ms: i64) -> Option<&Section> {
        if self.standing.blocks.is_empty() {
            return None;
        }
        self.standing.blocks.get(&lane).filter(|section| now_ms < section.until_ms)
    }

    /// `speed`, or what an order leaves of it for this vehicle, m/s.
    #[inline]
    pub fn pace(&self, vehicle: &Vehicle, speed: f64) -> f64 {
        if !vehicle.is(flags::LIMITED) {
            return speed;
        }
        self.standing.paces.get(&vehicle.id).map_or(speed, |mps| speed.min(*mps))
    }
}

impl World {
    /// Takes over an order about lanes, and greatest speeds of vehicles. Returns whether lanes were closed or opened.
    pub(in crate::sim) fn take_order(&mut self, order: &Order) -> bool {
        match order {
            Order::LimitSpeed { lanes, mps } => lanes.iter().for_each(|lane| self.limit_lane(*lane, *mps)),
            Order::Close { lanes } => return self.close(lanes, true),
            Order::Open { lanes } => return self.close(lanes, false),
            Order::Block { lane, from_m, to_m, until_ms } => {
                let section = Section { from_m: *from_m, to_m: *to_m, until_ms: *until_ms };
                self.overlay.standing.blocks.insert(*lane, section);
            }
            Order::Unblock { lane } => {
                self.overlay.standing.blocks.remove(lane);
            }
            Order::LimitVehicle { vehicle, mps } => {
                let paces = &mut self.overlay.standing.paces;
                match mps {
                    Some(mps) => paces.insert(*vehicle, *mps),
                    None => paces.remove(vehicle),
                };
            }
            Order::ShowPhase { .. }
            | Order::RunProgram { .. }
            | Order::ShowAspects { .. }
            | Order::AddVehicle(_)
            | Order::RemoveVehicle { .. }
            | Order::Reroute { .. } => {}
        }
        false
    }

    fn limit_lane(&mut self, lane: LaneId, mps: Option<f64>) {
        let count = self.network.lanes.len();
        let Overlay { standing, any_limited, limited, original_mps, .. } = &mut self.overlay;
        if mps.is_none() && !original_mps.contains_key(&lane) {
            return;
        }
        let speed = &mut Arc::make_mut(&mut self.network).lanes[lane.index()].speed_mps;
        let original = *original_mps.entry(lane).or_insert(*speed);
        *speed = mps.unwrap_or(original);
        match mps {
            Some(mps) => standing.limits.insert(lane, mps),
            None => standing.limits.remove(&lane),
        };
        *any_limited = !standing.limits.is_empty();
        *limited = marks_of(count, standing.limits.keys());
    }

    fn close(&mut self, lanes: &[LaneId], close: bool) -> bool {
        let count = self.network.lanes.len();
        let Overlay { standing, any_closed, closed, .. } = &mut self.overlay;
        let mut changed = false;
        for lane in lanes {
            changed |= if close { standing.closed.insert(*lane) } else { standing.closed.remove(lane) };
        }
        *any_closed = !standing.closed.is_empty();
        *closed = marks_of(count, standing.closed.iter());
        changed
    }

    /// Drops the sections that can be passed again.
    pub(in crate::sim) fn end_blocks(world: &mut Arc<Self>, now_ms: i64) {
        if world.overlay.standing.blocks.values().any(|section| section.until_ms <= now_ms) {
            Arc::make_mut(world).overlay.standing.blocks.retain(|_, section| now_ms < section.until_ms);
        }
    }

    /// Adds a vehicle whose departure time is set. Returns whether its id is the next free one; else nothing changes.
    pub(in crate::sim) fn add_vehicle(&mut self, new: &NewVehicle, route: RouteId) -> bool {
        if new.vehicle.index() != self.demand.departures.len() {
            return false;
        }
        let share = self.settings.rerouting.as_ref().map_or(0.0, |rerouting| rerouting.probability);
        let has_rerouting_device = is_equipped(self.settings.seed, &new.name, share);
        Arc::make_mut(&mut self.demand).departures.push(Departure { has_rerouting_device, ..new.departure(route) });
        self.stopping.push(false);
        self.overlay.standing.added.push(new.clone());
        true
    }

    /// Lays saved orders over the world of network and demand; added vehicles are added by who knows their routes.
    pub(in crate::sim) fn lay_over(&mut self, standing: &Standing) {
        standing.limits.iter().for_each(|(lane, mps)| self.limit_lane(*lane, Some(*mps)));
        self.close(&standing.closed.iter().copied().collect::<Vec<_>>(), true);
        let added = std::mem::take(&mut self.overlay.standing.added);
        self.overlay.standing = Standing { added, ..standing.clone() };
    }
}

impl NewVehicle {
    /// As an entry of the demand, without a rerouting device.
    pub fn departure(&self, route: RouteId) -> Departure {
        Departure {
            name: self.name.clone(),
            depart_ms: self.depart_ms.unwrap_or_default(),
            vtype: self.vtype,
            route,
            speed_factor: self.speed_factor,
            depart_lane: self.depart_lane,
            depart_pos: self.depart_pos,
            depart_speed: self.depart_speed,
            arrival_lane: ArrivalLane::Current,
            arrival_pos: self.arrival_pos,
            arrival_speed: ArrivalSpeed::Current,
            stops: Span::default(),
            route_origin: RouteOrigin::Given,
            has_rerouting_device: false,
            via: Span::default(),
        }
    }

    /// With the time at which it departs when the order is applied at `now_ms`.
    pub fn departing(&self, now_ms: i64) -> Self {
        Self { depart_ms: Some(self.depart_ms.map_or(now_ms, |ms| ms.max(now_ms))), ..self.clone() }
    }
}

fn marks_of<'a>(count: usize, lanes: impl Iterator<Item = &'a LaneId>) -> Marks {
    let mut marks = Marks::new(count);
    lanes.for_each(|lane| marks.set(lane.index()));
    marks
}
