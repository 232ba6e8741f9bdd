//! Departures, and returns to the road from beside it: on own edges, decided from the places after the move.

use std::sync::Arc;

use crate::demand::RouteOrigin;
use crate::ids::{EdgeId, LaneId, RouteId, VehicleId};

use crate::sim::departures::Departures;
use crate::sim::models::insertion::Attempt;
use crate::sim::models::insertion::entrance::{Body, LaneWish};
use crate::sim::partition::Partition;
use crate::sim::partition::scratch::Scratch;
use crate::sim::probes::LaneEvent;
use crate::sim::random;
use crate::sim::report::Discard;
use crate::sim::settings::Settings;
use crate::sim::vehicle::{Vehicle, flags};
use crate::sim::view::View;

impl Partition {
    pub(in crate::sim) fn decide_insertions(&mut self, now_ms: i64) {
        self.counts.discarded += self.departures.advance(&self.world, now_ms);
        let mut departures = std::mem::take(&mut self.departures);
        let mut edges = std::mem::take(&mut self.scratch.entered_edges);
        edges.clear();
        edges.extend(departures.waiting_edges());
        edges.extend(self.busy_transfers.iter().copied());
        edges.sort_unstable();
        edges.dedup();
        for &edge in &edges {
            let changes = self.changes_of(edge);
            self.scratch.entrance.open(&self.world, edge, &self.lanes, &self.scratch.changes[changes]);
            self.return_transfers(edge, now_ms);
            self.depart_on(edge, &mut departures, now_ms);
        }
        (self.departures, self.scratch.entered_edges) = (departures, edges);
    }

    /// Puts teleported and parked vehicles back where there is room.
    fn return_transfers(&mut self, edge: EdgeId, now_ms: i64) {
        let mut rest = std::mem::take(&mut self.transfers[edge.index()]);
        let Self { world, lanes, signals, plans, transfers, scratch, .. } = self;
        let Scratch { entrance, inserted, .. } = scratch;
        let view = View { world, lanes, signals, plans, transfers, approaches: None, now_ms };
        // Who has parked drives on in the first step after its stop.
        let next_ms = now_ms + world.settings.step_ms;
        let first = inserted.len();
        rest.retain_mut(|transfer| {
            let mut vehicle = transfer.vehicle;
            let lane = if vehicle.is(flags::TELEPORTING) {
                view.try_return(&mut vehicle, entrance)
            } else if next_ms >= transfer.ready_ms {
                let lane = vehicle.came_from;
                view.try_leave_parking(&mut vehicle, lane, entrance).then_some(lane)
            } else {
                None
            };
            let Some(lane) = lane else { return true };
            vehicle.came_from = LaneId::NONE;
            entrance.insert(world, lane, Body::of(&vehicle));
            inserted.push((lane, vehicle));
            false
        });
        self.transfers[edge.index()] = rest;
        for at in first..self.scratch.inserted.len() {
            let (lane, mut vehicle) = self.scratch.inserted[at];
            if vehicle.is(flags::TELEPORTING) {
                vehicle.set(flags::TELEPORTING, false);
            } else {
                self.end_parking(&mut vehicle, lane, now_ms);
            }
            self.scratch.inserted[at].1 = vehicle;
        }
    }

    /// Lets waiting vehicles depart, in the order of their departure times. A vehicle that finds no room holds up those behind
    /// it that would take the same lane, as in SUMO.
    fn depart_on(&mut self, edge: EdgeId, departures: &mut Departures, now_ms: i64) {
        let world = Arc::clone(&self.world);
        let key = random::step_key(world.settings.seed, now_ms as u64);
        let mut queue = departures.take_queue(edge);
        if let Some(patience_ms) = world.settings.max_depart_delay_ms {
            let is_late = |id: VehicleId| now_ms - world.demand.departures[id.index()].depart_ms > patience_ms;
            while let Some(late) = queue.front().map(|first| first.id).filter(|id| is_late(*id)) {
                queue.pop_front();
                departures.forget(late);
                self.counts.discarded += 1;
            }
        }
        let mut at = 0;
        while let Some(waiting) = queue.get_mut(at).filter(|_| !self.scratch.entrance.is_closed()) {
            let id = waiting.id;
            let departure = &world.demand.departures[id.index()];
            let mut spawn = None;
            if waiting.wish == LaneWish::Unknown {
                let vehicle = self.spawn(id, departures.route_of(id, departure), now_ms);
                waiting.wish = self.view(now_ms).lane_wish(&vehicle, departure);
                spawn = Some(vehicle);
            }
            let lane = self
                .scratch
                .entrance
                .choose(waiting.wish, id.0, key)
                .filter(|lane| !self.scratch.entrance.is_refused(*lane));
            let Some(lane) = lane else {
                at += 1;
                continue;
            };
            let mut vehicle = spawn.unwrap_or_else(|| self.spawn(id, departures.route_of(id, departure), now_ms));
            match self.view(now_ms).try_depart(&mut vehicle, departure, lane, &self.scratch.entrance) {
                Attempt::Refused => {
                    self.scratch.entrance.refuse(lane);
                    at += 1;
                    continue;
                }
                Attempt::Never(cause) => {
                    self.counts.discarded += 1;
                    self.report.discards.push(Discard { vehicle: id, lane, cause });
                }
                Attempt::Fits => self.depart(vehicle, lane, edge, now_ms),
            }
            queue.remove(at);
            departures.forget(id);
        }
        departures.put_back(edge, queue);
    }

    /// A vehicle begins its trip; place and speed were found for it.
    fn depart(&mut self, mut vehicle: Vehicle, lane: LaneId, edge: EdgeId, now_ms: i64) {
        vehicle.depart_lane = lane;
        vehicle.depart_pos_m = vehicle.pos_m as f32;
        vehicle.depart_speed_mps = vehicle.speed_mps as f32;
        self.scratch.entrance.insert(&self.world, lane, Body::of(&vehicle));
        self.scratch.inserted.push((lane, vehicle));
        self.counts.inserted += 1;
        let depart_ms = self.world.demand.departures[vehicle.id.index()].depart_ms;
        // As in SUMO, from the step before its time on.
        let Settings { begin_ms, step_ms, .. } = self.world.settings;
        self.counts.depart_delay_ms += now_ms - (depart_ms - (depart_ms - begin_ms).rem_euclid(step_ms));
        self.report.departed.push((vehicle.id, edge));
        if !self.probes.is_idle() {
            self.probes.note(&self.world, lane, vehicle.vtype, LaneEvent::Departed, now_ms);
        }
    }

    /// A vehicle about to depart on a route, which was changed so often while it waited.
    fn spawn(&mut self, id: VehicleId, (route, changes): (RouteId, u16), now_ms: i64) -> Vehicle {
        let departure = &self.world.demand.departures[id.index()];
        let vtype = departure.vtype.0 as u16;
        let mut vehicle: Vehicle = bytemuck::Zeroable::zeroed();
        vehicle.id = id;
        vehicle.route = route;
        // As in SUMO, a route counts that is in the place of the file's, which for a trip is its ends and the edges to pass.
        let found = match departure.route_origin {
            RouteOrigin::Given => departure.has_rerouting_device && changes == 0 && route != departure.route,
            RouteOrigin::Replaced => true,
            RouteOrigin::Found => self.plans.routes.len(route) != 2 + departure.via.len as usize,
        };
        vehicle.reroutes = changes + u16::from(found);
        vehicle.vtype = vtype;
        vehicle.speed_factor = departure.speed_factor;
        vehicle.came_from = LaneId::NONE;
        vehicle.advice_mps = f32::INFINITY;
        vehicle.depart_ms = now_ms as i32;
        vehicle.set(flags::LIMITED, self.world.overlay.standing.paces.contains_key(&id));
        if route != departure.route {
            // Stops are places on the route that it does not take.
            vehicle.stops_done = departure.stops.len as u16;
        }
        vehicle.plan = self.plans.plan_of(&self.world, id.0, route, vtype, vehicle.stops_done);
        vehicle
    }
}
