//! Read-only view of state(t) from which all moves of a step are decided.

use crate::graph::{Aspect, Lane, Link};
use crate::ids::{EdgeId, LaneId, LinkId};

use super::bounds::Bounds;
use super::lane_plan::LanePlans;
use super::lanes::Lanes;
use super::models::car_following::Driver;
use super::models::right_of_way::approach::{Approaches, Priority};
use super::models::signals::Signals;
use super::prefetch::prefetch;
use super::transfer::Transfer;
use super::vehicle::{Vehicle, flags};
use super::world::{TypeParams, World};

/// What a decision may read.
#[derive(Clone, Copy)]
pub struct View<'a> {
    pub world: &'a World,
    pub lanes: &'a Lanes,
    pub signals: &'a Signals,
    pub plans: &'a LanePlans,
    /// By edge: vehicles beside the road.
    pub transfers: &'a [Vec<Transfer>],
    /// `None` while they are being collected.
    pub approaches: Option<&'a Approaches>,
    pub now_ms: i64,
}

impl<'a> View<'a> {
    #[inline]
    pub fn lane(&self, id: LaneId) -> &'a Lane {
        &self.world.network.lanes[id.index()]
    }
    /// Asks for what a vehicle at the end of a lane reads first: its lane's record, and then its link.
    #[inline]
    pub fn prefetch_link(&self, lane: LaneId) {
        if let Some(link) = self.link_of_first(lane) {
            prefetch(&self.world.network.links, link.index());
        }
    }
    /// Asks for the lane behind that link.
    #[inline]
    pub fn prefetch_next(&self, lane: LaneId) {
        if let Some(link) = self.link_of_first(lane) {
            let link = self.link(link);
            for next in [link.next, link.to] {
                prefetch(&self.world.network.lanes, next.index());
                prefetch(&self.lanes.rear, next.index());
            }
            if let Some(first) = self.lanes.on(lane).first() {
                self.plans.prefetch(first.plan, usize::from(first.route_index) + 1);
            }
        }
    }
    /// Asks for what is read in and behind the junction: once the lane behind the link is there.
    #[inline]
    pub fn prefetch_junction(&self, lane: LaneId) {
        if let Some(link) = self.link_of_first(lane) {
            let next = self.lane(self.link(link).next);
            prefetch(&self.world.network.links, next.links.start as usize);
            if !next.conflicts.is_empty() {
                prefetch(&self.world.conflict_foes, next.conflicts.start as usize);
            }
        }
    }
    /// Asks for what a vehicle that yields at a link reads again in pass two, once the link is there.
    #[inline]
    pub fn prefetch_yielding(&self, link: LinkId) {
        if let Some(link) = self.world.network.links.get(link.index()) {
            prefetch(&self.world.network.lanes, link.next.index());
            prefetch(&self.lanes.rear, link.next.index());
            prefetch(&self.world.network.foe_links, link.yields_to.start as usize);
        }
    }
    /// Asks for the links that those at `link` yield to, where somebody comes.
    #[inline]
    pub fn prefetch_foes(&self, link: LinkId) {
        let (Some(link), Some(approaches)) = (self.world.network.links.get(link.index()), self.approaches) else {
            return;
        };
        for foe in &self.world.network.foe_links[link.yields_to.range()] {
            if approaches.is_approached(*foe) {
                prefetch(&self.world.network.links, foe.index());
                approaches.prefetch(*foe);
            }
        }
    }
    /// The link of a lane's foremost vehicle, if it may be near enough to look beyond.
    #[inline]
    fn link_of_first(&self, lane: LaneId) -> Option<LinkId> {
        let first = self.lanes.on(lane).first()?;
        let near = self.lane(lane).length_m - first.pos_m < self.world.reach_m;
        let link = if near { self.own_link(first, lane) } else { LinkId::NONE };
        link.is_some().then_some(link)
    }
    #[inline]
    pub fn link(&self, id: LinkId) -> &'a Link {
        &self.world.network.links[id.index()]
    }
    #[inline]
    pub fn params(&self, vehicle: &Vehicle) -> &'a TypeParams {
        &self.world.types[usize::from(vehicle.vtype)]
    }
    #[inline]
    pub fn driver(&self, vehicle: &Vehicle) -> &'a Driver {
        &self.world.types[usize::from(vehicle.vtype)].driver
    }
    #[inline]
    pub fn allowed(&self, vehicle: &Vehicle, driver: &Driver, lane: &Lane) -> f64 {
        let limit = self.world.overlay.limit_mps(&self.world.network, lane, driver.class);
        self.world.overlay.pace(vehicle, driver.desired_speed(limit, vehicle.speed_factor))
    }
    #[inline]
    pub fn in_roundabout(&self, lane: LaneId) -> bool {
        self.world.has_roundabouts && self.world.network.edge_of(lane).roundabout
    }
    #[inline]
    pub fn aspect(&self, link: &Link) -> Option<Aspect> {
        self.signals.aspect(link)
    }
    #[inline]
    pub fn priority(&self, link: &Link) -> Priority {
        if self.world.overlay.bars(&self.world.network, link) {
            return Priority::Red;
        }
        Priority::of(link, self.aspect(link))
    }

    /// The link by which a vehicle leaves `lane`, on its way over the `index`-th edge of its route; NONE at the end of
    /// the route or where the lane does not lead on.
    #[inline]
    pub fn next_link(&self, vehicle: &Vehicle, lane: LaneId, index: usize) -> LinkId {
        self.plans.next_link(self.world, vehicle, lane, index)
    }

    /// The link by which a vehicle leaves the lane that it is on.
    #[inline]
    pub fn own_link(&self, vehicle: &Vehicle, lane: LaneId) -> LinkId {
        vehicle.own_link(self.lane(lane))
    }

    /// Whether `index` is the last edge of the route.
    #[inline]
    pub fn is_last_edge(&self, vehicle: &Vehicle, index: usize) -> bool {
        index + 1 >= self.plans.routes.len(vehicle.route)
    }

    /// The edges of a vehicle's route.
    #[inline]
    pub fn route(&self, vehicle: &Vehicle) -> &'a [EdgeId] {
        self.plans.routes.edges(&self.world.demand, vehicle.route)
    }

    /// How far ahead a vehicle looks, metres: what it drives in a step at full acceleration and then needs to halt.
    #[inline]
    pub fn look_ahead(&self, driver: &Driver, speed: f64) -> f64 {
        let fastest = driver.max_next_speed(speed);
        (fastest * driver.dt_s + driver.brake_gap(fastest)).at_most(self.world.reach_m)
    }

    /// Willingness to press into a junction, 0…1.
    #[inline]
    pub fn impatience(&self, vehicle: &Vehicle) -> f64 {
        let grown = if self.world.settings.time_to_impatience_ms > 0 {
            f64::from(vehicle.waiting_ms) / self.world.settings.time_to_impatience_ms as f64
        } else {
            0.0
        };
        (self.params(vehicle).impatience + grown).clamp(0.0, 1.0)
    }

    #[inline]
    pub fn is_stopped(&self, vehicle: &Vehicle) -> bool {
        vehicle.is(flags::STOPPED)
    }
}
