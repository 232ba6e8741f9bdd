//! Lane changes on own edges, decided from the places after the move.

use crate::graph::{Lane, Network, Turn};
use crate::ids::{EdgeId, LaneId};

use crate::sim::models::lane_change::neighbour::are_siblings;
use crate::sim::models::right_of_way::approach::Priority;
use crate::sim::partition::Partition;
use crate::sim::partition::scratch::Scratch;
use crate::sim::prefetch::{Ahead, prefetch};
use crate::sim::probes::LaneEvent;
use crate::sim::report::LaneChange;
use crate::sim::view::View;
use crate::sim::world::World;

impl Partition {
    pub(in crate::sim) fn decide_changes(&mut self, now_ms: i64) {
        let Self { world, lanes, signals, plans, transfers, wide_edges, scratch, .. } = self;
        let Scratch { changer, changes, changes_on, edge_lanes, busy_wide, .. } = scratch;
        changes.clear();
        changes_on.clear();
        let has_vehicles = |edge: &EdgeId| world.network.edge(*edge).lanes().any(|l| !lanes.vehicles.is_empty(l));
        busy_wide.clear();
        busy_wide.extend(wide_edges.iter().copied().filter(has_vehicles));
        let coming = Ahead::new(busy_wide, world.network.lanes.len());
        for (at, &edge) in busy_wide.iter().enumerate() {
            let soon = |ahead: usize| coming.get(at + ahead).into_iter().flat_map(|e| world.network.edge(*e).lanes());
            for lane in soon(8) {
                lanes.vehicles.prefetch_whole(lane);
                prefetch(&world.network.lanes, lane.index());
            }
            for vehicle in soon(5).flat_map(|lane| lanes.on(lane)) {
                plans.prefetch(vehicle.plan, usize::from(vehicle.route_index));
            }
            for vehicle in soon(3).flat_map(|lane| lanes.on(lane)) {
                plans.prefetch_choices(vehicle.plan, usize::from(vehicle.route_index));
                prefetch(&world.network.links, vehicle.link.index());
            }
            for vehicle in soon(1).flat_map(|lane| lanes.on(lane)) {
                if let Some(link) = world.network.links.get(vehicle.link.index()) {
                    lanes.prefetch_occupied(link.to);
                    prefetch(&world.network.lanes, link.next.index());
                }
            }
            let e = world.network.edge(edge);
            let count = e.lane_count as usize;
            edge_lanes.resize(count.max(edge_lanes.len()), Vec::new());
            for (taken, lane) in edge_lanes.iter_mut().zip(e.lanes()) {
                lanes.take(lane, taken);
            }
            let view = View { world, lanes, signals, plans, transfers, approaches: None, now_ms };
            let before = changes.len();
            changer.decide(&view, e.first_lane, &mut edge_lanes[..count], changes);
            if changes.len() > before {
                changes_on.push((edge, before as u32));
            }
            for (taken, lane) in edge_lanes.iter().zip(e.lanes()) {
                lanes.vehicles.replace(lane, taken);
            }
        }
    }

    pub(in crate::sim) fn apply_changes(&mut self, now_ms: i64) {
        let changes = std::mem::take(&mut self.scratch.changes);
        // Take all out first, the hindmost of a lane first, so that indices stay valid.
        let mut order = std::mem::take(&mut self.scratch.change_order);
        order.clear();
        order.extend(0..changes.len() as u32);
        order.sort_unstable_by(|a, b| {
            let (a, b) = (&changes[*a as usize], &changes[*b as usize]);
            a.from.cmp(&b.from).then(b.index.cmp(&a.index))
        });
        for i in order.iter().map(|i| *i as usize) {
            let change = &changes[i];
            let mut vehicle = self.lanes.vehicles.remove(change.from, change.index);
            vehicle.came_from = beside(&self.world, vehicle.came_from, change.to);
            self.plans.settle(&self.world, &mut vehicle, change.to);
            self.scratch.changed.push((change.to, vehicle));
            if let Some(motive) = change.motive {
                self.report.lane_changes.push(LaneChange {
                    vehicle: vehicle.id,
                    from: change.from,
                    to: change.to,
                    pos_m: vehicle.pos_m,
                    speed_mps: vehicle.speed_mps,
                    motive,
                });
            }
            if !self.probes.is_idle() {
                let world = &self.world;
                self.probes.note(world, change.from, change.vtype, LaneEvent::ChangedFrom, now_ms);
                self.probes.note(world, change.to, change.vtype, LaneEvent::ChangedTo, now_ms);
            }
        }
        for (lane, vehicle) in self.scratch.changed.drain(..) {
            self.lanes.place(lane, vehicle);
        }
        (self.scratch.changes, self.scratch.change_order) = (changes, order);
    }

    /// The lane changes of the step on an edge, among all.
    pub(super) fn changes_of(&self, edge: EdgeId) -> std::ops::Range<usize> {
        let start = |at: usize| {
            self.scratch.changes_on.get(at).map_or(self.scratch.changes.len(), |(_, start)| *start as usize)
        };
        match self.scratch.changes_on.binary_search_by_key(&edge, |(edge, _)| *edge) {
            Ok(at) => start(at)..start(at + 1),
            Err(_) => 0..0,
        }
    }
}

/// After a lane change the rear may still be on the way that the vehicle came by; it is then taken to hang over the lane
/// that leads to its new one, if there is such a lane beside.
fn beside(world: &World, came_from: LaneId, to: LaneId) -> LaneId {
    if came_from.is_none() {
        return came_from;
    }
    let network = &world.network;
    let old = network.lane(came_from);
    network.incoming[network.lane(to).incoming.range()]
        .iter()
        .map(|l| network.link(*l).from)
        .find(|from| {
            let f = network.lane(*from);
            f.internal == old.internal && f.edge == old.edge
        })
        .unwrap_or(LaneId::NONE)
}

/// Lanes can be changed on roads, and inside a junction between ways that lead straight on, lie beside each other from end to end,
/// give way to nobody or are led by a signal (in SUMO 1.28: 708 changes on 180 straight edges inside junctions, none on 16 that turn).
pub(in crate::sim) fn may_change_on(network: &Network, edge: EdgeId) -> bool {
    let edge = network.edge(edge);
    let leads_on = |lane: &Lane| {
        lane.entry.is_some() && !lane.links.is_empty() && {
            let link = network.link(lane.entry);
            link.turn == Turn::Straight && (link.signal.is_some() || !Priority::of(link, None).gives_way())
        }
    };
    let lanes = &network.lanes[edge.first_lane.index()..][..edge.lane_count as usize];
    !edge.is_internal()
        || lanes.iter().all(leads_on) && lanes.windows(2).any(|pair| !are_siblings(network, &pair[0], &pair[1]))
}
