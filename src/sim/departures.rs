//! Vehicles of a partition that have not departed yet: those to come, and per edge the queue of those that wait.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde::{Deserialize, Serialize};

use crate::demand::{Demand, Departure};
use crate::ids::{EdgeId, RouteId, VehicleId};

use super::models::insertion::entrance::LaneWish;
use super::routes::Routes;
use super::scope::Scope;
use super::world::World;

/// A vehicle whose departure time has come.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Waiting {
    pub id: VehicleId,
    /// Where it may depart: derived from its route, and looked up when it is first tried.
    pub wish: LaneWish,
}

impl Waiting {
    fn new(id: VehicleId) -> Self {
        Self { id, wish: LaneWish::Unknown }
    }
}

/// Departures on own edges.
#[derive(Debug, Default)]
pub struct Departures {
    /// All of the demand's that depart here, by time.
    all: Vec<VehicleId>,
    /// How many of `all` have reached their time.
    reached: usize,
    /// By edge, in the order in which they are tried.
    waiting: BTreeMap<EdgeId, VecDeque<Waiting>>,
    waiting_count: u64,
    /// Empty queues, whose memory is used again.
    spare: Vec<VecDeque<Waiting>>,
    /// Routes of trips that do not take the one found at load, and how often it was changed while they waited.
    routes: BTreeMap<VehicleId, (RouteId, u16)>,
    /// Vehicles that orders added here, with the edges on which they depart. Their ids are not in order of time.
    added: BTreeMap<VehicleId, EdgeId>,
    /// Those of them whose time has not come, by time.
    added_to_come: BTreeSet<(i64, VehicleId)>,
    /// Vehicles to come that an order took away.
    removed: BTreeSet<VehicleId>,
}

/// What cannot be told from the time alone.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SavedDepartures {
    waiting: Vec<(EdgeId, Vec<VehicleId>)>,
    routes: Vec<(VehicleId, RouteId, u16)>,
    removed: Vec<VehicleId>,
}

impl SavedDepartures {
    /// Whether the vehicles are of the demand (with those that orders added), wait where their routes begin, and their time has
    /// come; `last_ms` is the time of the last step done.
    pub(super) fn fit(&self, demand: &Demand, routes: &Routes, last_ms: Option<i64>) -> bool {
        let first_edge = |route: RouteId| routes.get(demand, route).and_then(|edges| edges.first());
        let departure = |vehicle: VehicleId| demand.departures.get(vehicle.index());
        let waits = |vehicle: &VehicleId, edge: &EdgeId| {
            departure(*vehicle).is_some_and(|departure| {
                first_edge(departure.route) == Some(edge) && last_ms.is_some_and(|ms| departure.depart_ms <= ms)
            })
        };
        let begins_there = |(vehicle, route, _): &(VehicleId, RouteId, u16)| {
            departure(*vehicle).is_some_and(|departure| {
                let edge = first_edge(*route);
                edge.is_some() && edge == first_edge(departure.route)
            })
        };
        self.waiting.iter().all(|(edge, queue)| !queue.is_empty() && queue.iter().all(|vehicle| waits(vehicle, edge)))
            && self.routes.iter().all(begins_there)
            && self.removed.iter().all(|vehicle| departure(*vehicle).is_some())
    }
}

impl Departures {
    pub fn new(world: &World, scope: &Scope) -> Self {
        let end = world.settings.end_ms.unwrap_or(i64::MAX);
        let all = world
            .demand
            .departures
            .iter()
            .enumerate()
            .filter(|(_, d)| {
                let first = world.network.edge(world.route(d.route)[0]).first_lane;
                scope.owned[first.index()] && d.depart_ms >= world.settings.begin_ms && d.depart_ms < end
            })
            .map(|(i, _)| VehicleId::new(i))
            .collect();
        Self { all, ..Self::default() }
    }

    /// A vehicle that departs on an own edge, and that the demand did not know.
    pub fn add(&mut self, world: &World, vehicle: VehicleId, edge: EdgeId) {
        self.added.insert(vehicle, edge);
        self.added_to_come.insert((world.demand.departures[vehicle.index()].depart_ms, vehicle));
    }

    /// Queues the vehicles whose time has come. Returns how many of them an order took away before.
    pub fn advance(&mut self, world: &World, now_ms: i64) -> u64 {
        let mut removed = 0;
        while let Some(id) = self.all.get(self.reached) {
            let departure = &world.demand.departures[id.index()];
            if departure.depart_ms > now_ms {
                break;
            }
            self.reached += 1;
            if !self.removed.is_empty() && self.removed.remove(id) {
                removed += 1;
                continue;
            }
            Self::queue(&mut self.waiting, &mut self.spare, world.route(departure.route)[0], *id);
            self.waiting_count += 1;
        }
        while let Some((_, id)) = self.added_to_come.first().copied().filter(|(depart_ms, _)| *depart_ms <= now_ms) {
            self.added_to_come.pop_first();
            if self.removed.remove(&id) {
                removed += 1;
            } else if let Some(edge) = self.added.get(&id) {
                Self::queue(&mut self.waiting, &mut self.spare, *edge, id);
                self.waiting_count += 1;
            }
        }
        removed
    }

    fn queue(
        waiting: &mut BTreeMap<EdgeId, VecDeque<Waiting>>,
        spare: &mut Vec<VecDeque<Waiting>>,
        edge: EdgeId,
        vehicle: VehicleId,
    ) {
        waiting.entry(edge).or_insert_with(|| spare.pop().unwrap_or_default()).push_back(Waiting::new(vehicle));
    }

    /// Where a vehicle departs that is to depart here and has not done so.
    pub fn edge_of(&self, world: &World, vehicle: VehicleId) -> Option<EdgeId> {
        if self.removed.contains(&vehicle) {
            return None;
        }
        if let Some(edge) = self.added.get(&vehicle) {
            let depart_ms = world.demand.departures[vehicle.index()].depart_ms;
            let is_there = self.added_to_come.contains(&(depart_ms, vehicle)) || self.is_waiting(*edge, vehicle);
            return is_there.then_some(*edge);
        }
        let at = self.all.binary_search(&vehicle).ok()?;
        let edge = world.route(world.demand.departures[vehicle.index()].route)[0];
        (at >= self.reached || self.is_waiting(edge, vehicle)).then_some(edge)
    }

    fn is_waiting(&self, edge: EdgeId, vehicle: VehicleId) -> bool {
        let Some(queue) = self.waiting.get(&edge) else { return false };
        place_in(queue, vehicle, self.added.is_empty()).is_some()
    }

    /// Takes a vehicle away; `None`: it is not to depart here any more. Returns whether it waited; else it is gone when
    /// its time comes.
    pub fn remove(&mut self, world: &World, vehicle: VehicleId) -> Option<bool> {
        let edge = self.edge_of(world, vehicle)?;
        self.routes.remove(&vehicle);
        if !self.is_waiting(edge, vehicle) {
            self.removed.insert(vehicle);
            return Some(false);
        }
        if let Some(queue) = self.waiting.get_mut(&edge) {
            queue.retain(|waiting| waiting.id != vehicle);
            self.waiting_count -= 1;
            if queue.is_empty() {
                self.waiting.remove(&edge);
            }
        }
        Some(true)
    }

    /// Those who wait, and those to come.
    pub fn yet_to_depart(&self) -> impl Iterator<Item = VehicleId> + '_ {
        let to_come = self.all[self.reached..].iter().chain(self.added_to_come.iter().map(|(_, id)| id));
        let waiting = self.waiting.values().flatten().map(|waiting| &waiting.id);
        waiting.chain(to_come).copied().filter(|id| !self.removed.contains(id))
    }

    pub fn waiting_edges(&self) -> impl Iterator<Item = EdgeId> + '_ {
        self.waiting.keys().copied()
    }

    /// Takes the queue of an edge out, to be put back by [`Departures::put_back`].
    pub fn take_queue(&mut self, edge: EdgeId) -> VecDeque<Waiting> {
        self.waiting.get_mut(&edge).map(std::mem::take).unwrap_or_default()
    }

    /// Puts back what is left of the queue of an edge.
    pub fn put_back(&mut self, edge: EdgeId, queue: VecDeque<Waiting>) {
        if queue.is_empty() {
            self.waiting.remove(&edge);
            if queue.capacity() > 0 {
                self.spare.push(queue);
            }
        } else {
            self.waiting.insert(edge, queue);
        }
    }

    /// A vehicle has left the queue that was taken out.
    pub fn forget(&mut self, vehicle: VehicleId) {
        self.waiting_count -= 1;
        self.routes.remove(&vehicle);
    }

    /// Lanes were closed or opened: where vehicles may depart is looked up anew.
    pub fn forget_wishes(&mut self) {
        self.waiting.values_mut().flatten().for_each(|waiting| waiting.wish = LaneWish::Unknown);
    }

    /// The present route of a vehicle that has not departed, and how often it changed while the vehicle waited.
    pub fn route_of(&self, vehicle: VehicleId, departure: &Departure) -> (RouteId, u16) {
        self.routes.get(&vehicle).copied().unwrap_or((departure.route, 0))
    }

    /// Gives another route to a vehicle that departs on an own edge and has not done so; ignores all other vehicles.
    pub fn set_route(&mut self, world: &World, vehicle: VehicleId, route: RouteId, is_change: bool) {
        if let Some(edge) = self.edge_of(world, vehicle) {
            let departure = &world.demand.departures[vehicle.index()];
            let changes = self.route_of(vehicle, departure).1.saturating_add(u16::from(is_change));
            self.routes.insert(vehicle, (route, changes));
            if let Some(queue) = self.waiting.get_mut(&edge)
                && let Some(at) = place_in(queue, vehicle, self.added.is_empty())
            {
                queue[at].wish = LaneWish::Unknown;
            }
        }
    }

    pub fn each_waiting(&self, mut visit: impl FnMut(VehicleId)) {
        self.waiting.values().flatten().for_each(|waiting| visit(waiting.id));
    }

    pub fn save(&self) -> SavedDepartures {
        let waiting =
            self.waiting.iter().map(|(edge, queue)| (*edge, queue.iter().map(|waiting| waiting.id).collect()));
        let routes = self.routes.iter().map(|(vehicle, (route, changes))| (*vehicle, *route, *changes));
        let removed = self.removed.iter().copied().collect();
        SavedDepartures { waiting: waiting.collect(), routes: routes.collect(), removed }
    }

    fn departs_here(&self, vehicle: VehicleId) -> bool {
        self.all.binary_search(&vehicle).is_ok() || self.added.contains_key(&vehicle)
    }

    /// Takes over the queues of the edges that are wanted, and the new routes of those who depart here.
    pub fn take(&mut self, saved: &SavedDepartures, wants: impl Fn(EdgeId) -> bool) {
        for (edge, queue) in saved.waiting.iter().filter(|(edge, _)| wants(*edge)) {
            self.waiting_count += queue.len() as u64;
            self.waiting.entry(*edge).or_default().extend(queue.iter().copied().map(Waiting::new));
        }
        for &(vehicle, route, changes) in &saved.routes {
            if self.departs_here(vehicle) {
                self.routes.insert(vehicle, (route, changes));
            }
        }
        for &vehicle in &saved.removed {
            if self.departs_here(vehicle) {
                self.removed.insert(vehicle);
            }
        }
    }

    /// To be called after [`take`](Self::take): the last step done was that at `last_ms`, if there was one.
    pub fn restored(&mut self, world: &World, last_ms: Option<i64>) {
        let has_come = |id: &VehicleId| last_ms.is_some_and(|ms| world.demand.departures[id.index()].depart_ms <= ms);
        self.reached = self.all.partition_point(has_come);
        self.added_to_come.retain(|(_, id)| !has_come(id));
    }

    pub fn waiting(&self) -> u64 {
        self.waiting_count
    }

    pub fn loaded(&self) -> u64 {
        (self.reached + self.added.len() - self.added_to_come.len()) as u64
    }

    /// The first vehicle of each queue.
    pub fn first_waiting(&self) -> impl Iterator<Item = (EdgeId, VehicleId)> + '_ {
        self.waiting.iter().filter_map(|(edge, queue)| Some((*edge, queue.front()?.id)))
    }

    /// The time of every vehicle has come.
    pub fn have_all_come(&self) -> bool {
        self.reached == self.all.len() && self.added_to_come.is_empty()
    }

    pub fn is_done(&self) -> bool {
        self.have_all_come() && self.waiting_count == 0
    }
}

/// Where a vehicle is in a queue. Queues are in order of departure, and so are the ids of those that the demand knows.
fn place_in(queue: &VecDeque<Waiting>, vehicle: VehicleId, is_sorted: bool) -> Option<usize> {
    if is_sorted {
        queue.binary_search_by_key(&vehicle, |waiting| waiting.id).ok()
    } else {
        queue.iter().position(|waiting| waiting.id == vehicle)
    }
}
