//! Which lanes continue a route, how far, and by which link: SUMO calls these the best lanes. A plan belongs to a route
//! and a vehicle class (or to one departure when it has stops), is computed backwards from the route's end when first
//! needed, and never changes until lanes are closed or opened.

use std::collections::HashMap;

use xxhash_rust::xxh3::Xxh3Default;

use crate::demand::{Demand, Stop, VehicleClass, VehicleType};
use crate::ids::{EdgeId, LaneId, LinkId, RouteId};

use super::bounds::Bounds;
use super::models::car_following::brake_gap;
use super::prefetch::prefetch;
use super::routes::Routes;
use super::vehicle::Vehicle;
use super::world::World;

/// How far ahead lanes are compared (measured with SUMO 1.28). After [`FEW_EDGES`] edges one more is compared in any case; after more
/// than these only while they are shorter than [`FAR_M`]; after more than [`MANY_EDGES`] only while they are shorter than [`NEAR_M`] or
/// than the distance in which the class brakes from its greatest speed.
const FEW_EDGES: usize = 4;
const MANY_EDGES: usize = 8;
const FAR_M: f64 = 3000.0;
const NEAR_M: f64 = 200.0;

/// How far the lanes ahead of an edge are compared, as edges are added one by one.
#[derive(Clone, Copy, Debug)]
pub struct Horizon {
    edges: usize,
    seen_m: f64,
    brake_m: f64,
}

impl Horizon {
    /// Of a vehicle of a class that brakes from its greatest speed within `brake_m`, on an edge of `length_m`.
    #[inline]
    pub fn new(brake_m: f64, length_m: f64) -> Self {
        Self { edges: 1, seen_m: length_m, brake_m: brake_m + length_m }
    }

    /// Whether a further edge is compared.
    #[inline]
    pub fn goes_on(&self) -> bool {
        Self::goes_beyond(self.edges, self.seen_m, self.brake_m)
    }

    /// Whether a further edge is compared after `edges` edges, `seen_m` long together. Without the length of the first edge in `seen_m`
    /// and `brake_m`: whether it is for some length of the first edge.
    #[inline]
    pub fn goes_beyond(edges: usize, seen_m: f64, brake_m: f64) -> bool {
        (edges <= FEW_EDGES || seen_m < brake_m.at_least(FAR_M))
            && (edges <= MANY_EDGES || seen_m < brake_m.at_least(NEAR_M))
    }

    /// Adds an edge of `length_m`.
    #[inline]
    pub fn add(&mut self, length_m: f64) {
        self.edges += 1;
        self.seen_m += length_m;
    }
}

/// Metres in which a vehicle of a class brakes from its greatest speed, with its reaction and minimum gap.
pub fn brake_m(class: VehicleClass) -> f64 {
    let vtype = VehicleType::default_of("", class);
    let (fastest, tau) = (vtype.max_speed_mps, vtype.tau_s);
    tau * fastest + brake_gap(fastest, vtype.decel_mps2, tau, 1.0) + vtype.min_gap_m
}

/// By how much lanes beside that of a stop count as shorter than they are, at least, metres.
const BESIDE_STOP_M: f64 = 0.2;

/// One lane of one edge of a route.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LaneChoice {
    /// Metres from this lane's start that can be driven without changing lanes.
    pub length_m: f32,
    /// The link to the best lane of the next edge; NONE at the route's end or where the lane does not lead on.
    pub link: LinkId,
    /// Lanes to the left (negative: right) where the best lane is; 0 on a best lane.
    pub offset: i16,
    /// The class may use the lane.
    pub allowed: bool,
    /// The lane leads on along the route (or the route ends on this edge).
    pub continues: bool,
}

/// The choices on the lanes of an edge, rightmost first. Those of a road with one lane tell no length: it matters only to
/// who can change lanes.
#[derive(Clone, Copy, Debug)]
pub enum Choices<'a> {
    One(LaneChoice),
    Several(&'a [LaneChoice]),
}

impl std::ops::Deref for Choices<'_> {
    type Target = [LaneChoice];
    #[inline]
    fn deref(&self) -> &[LaneChoice] {
        match self {
            Self::One(choice) => std::slice::from_ref(choice),
            Self::Several(choices) => choices,
        }
    }
}

/// The routes, and the plans by route and class, computed on demand. A plan is known by where its first edge is in `edges`.
#[derive(Debug, Default)]
pub struct LanePlans {
    pub routes: Routes,
    /// Per plan and edge: where its `choices` begin, or where the edge has one lane the choice itself, [packed](pack).
    edges: Vec<u32>,
    /// Equal choices on an edge are stored once where the route goes on beyond the horizon: most of those who turn the same
    /// way share them. Nearer to its end nearly every route has its own lengths.
    choices: Vec<LaneChoice>,
    /// Hash of an edge and its choices → where they are in `choices`. Short: what is found is compared.
    known: HashMap<u32, u32>,
    /// By class, and then by route: its plan. Classes that nobody has take no room.
    of_route: Vec<Vec<u32>>,
    /// (departure, stops already made) → plan.
    of_departure: HashMap<(u32, u16), u32>,
}

const UNKNOWN: u32 = u32::MAX;

impl LanePlans {
    pub fn new(demand: &Demand) -> Self {
        // Reserved, not used: lists that grow leave their old places behind.
        let count = demand.route_edges.len();
        let (edges, choices) = (Vec::with_capacity(count), Vec::with_capacity(count));
        Self { routes: Routes::new(demand), edges, choices, ..Self::default() }
    }

    /// Forgets all plans: lanes were closed or opened.
    pub fn forget(&mut self) {
        let Self { edges, choices, known, of_route, of_departure, routes: _ } = self;
        edges.clear();
        choices.clear();
        known.clear();
        of_route.clear();
        of_departure.clear();
    }

    /// The plan of a vehicle.
    pub fn plan_of(&mut self, world: &World, vehicle: u32, route: RouteId, vtype: u16, stops_done: u16) -> u32 {
        let slot = world.types[usize::from(vtype)].class_slot;
        let departure = &world.demand.departures[vehicle as usize];
        if departure.stops.len > u32::from(stops_done) && departure.route == route {
            if let Some(plan) = self.of_departure.get(&(vehicle, stops_done)) {
                return *plan;
            }
            let stops = &world.demand.stops[departure.stops.range()][usize::from(stops_done)..];
            let plan = self.compute(world, route, slot, stops);
            self.of_departure.insert((vehicle, stops_done), plan);
            return plan;
        }
        let class = usize::from(slot);
        if self.of_route.len() <= class {
            self.of_route.resize(class + 1, Vec::new());
        }
        let plans = &mut self.of_route[class];
        if plans.len() <= route.index() {
            plans.resize(self.routes.count(), UNKNOWN);
        }
        match plans[route.index()] {
            UNKNOWN => {
                let plan = self.compute(world, route, slot, &[]);
                self.of_route[class][route.index()] = plan;
                plan
            }
            plan => plan,
        }
    }

    /// Choices for the lanes of the `index`-th edge of the route; it has `lanes` lanes.
    #[inline]
    pub fn edge(&self, plan: u32, index: usize, lanes: usize) -> Choices<'_> {
        let word = self.edges[plan as usize + index];
        if lanes > 1 { Choices::Several(&self.choices[word as usize..][..lanes]) } else { Choices::One(unpack(word)) }
    }

    /// The choice for `lane`, which is on the `index`-th edge of the route.
    #[inline]
    pub fn choice(&self, world: &World, plan: u32, index: usize, lane: LaneId) -> LaneChoice {
        let word = self.edges[plan as usize + index];
        if world.wide.has(lane.index()) {
            self.choices[word as usize + world.network.lane(lane).index as usize]
        } else {
            unpack(word)
        }
    }

    /// Asks for what tells the choices on the `index`-th edge; for those of an edge with several lanes, once that is there,
    /// again by [`LanePlans::prefetch_choices`].
    #[inline]
    pub fn prefetch(&self, plan: u32, index: usize) {
        prefetch(&self.edges, plan as usize + index);
    }

    /// Asks for the choices on the `index`-th edge, which has several lanes.
    #[inline]
    pub fn prefetch_choices(&self, plan: u32, index: usize) {
        let first = self.edges.get(plan as usize + index).map_or(0, |first| *first as usize);
        prefetch(&self.choices, first);
        prefetch(&self.choices, first + 2);
    }

    /// The link by which a vehicle leaves `lane`, on its way over the `index`-th edge of its route; NONE at the end of the
    /// route or where the lane does not lead on.
    #[inline]
    pub fn next_link(&self, world: &World, vehicle: &Vehicle, lane: LaneId, index: usize) -> LinkId {
        let l = world.network.lane(lane);
        if l.internal { l.only_link() } else { self.choice(world, vehicle.plan, index, lane).link }
    }

    /// Looks up the link by which a vehicle leaves the lane that it has come to.
    #[inline]
    pub fn settle(&self, world: &World, vehicle: &mut Vehicle, lane: LaneId) {
        let l = world.network.lane(lane);
        vehicle.link = if l.internal {
            LinkId::NONE
        } else {
            self.choice(world, vehicle.plan, usize::from(vehicle.route_index), lane).link
        };
    }

    fn compute(&mut self, world: &World, route: RouteId, slot: u16, stops: &[Stop]) -> u32 {
        let plan = self.edges.len();
        let count = self.routes.len(route);
        // Small steps: what was reserved and copied over is memory that is used.
        if self.edges.capacity() < plan + count {
            self.edges.reserve_exact((plan / 8).max(count));
        }
        self.edges.resize(plan + count, UNKNOWN);
        let (mut here, mut next) = (Vec::new(), Vec::new());
        let mut next_offsets = Vec::new();
        let length_m = |edge: EdgeId| world.network.edge(edge).length_m;
        for index in (0..count).rev() {
            let edges = self.routes.edges(&world.demand, route);
            prefetch_before(world, edges, index);
            let mut horizon = Horizon::new(world.brake_m[usize::from(slot)], length_m(edges[index]));
            let mut last = index;
            while last + 1 < count && horizon.goes_on() {
                last += 1;
                horizon.add(length_m(edges[last]));
            }
            for at in (index..=last).rev() {
                let stop = stops.iter().find(|s| s.route_index as usize == at).map(|s| (s.lane, s.end_m));
                let onward = (at < last).then(|| edges[at + 1]);
                let road = Road { edge: edges[at], next_edge: onward, slot, stop };
                choices_of(world, road, &next, &mut here, &mut next_offsets);
                std::mem::swap(&mut here, &mut next);
            }
            let is_shared = last + 1 < count;
            self.edges[plan + index] =
                if let [only] = next[..] { pack(only) } else { self.store(edges[index], &next, is_shared) };
        }
        plan as u32
    }

    /// Where the choices on an edge are in `choices`.
    fn store(&mut self, edge: EdgeId, here: &[LaneChoice], is_shared: bool) -> u32 {
        let new = self.choices.len() as u32;
        if self.choices.capacity() < self.choices.len() + here.len() {
            self.choices.reserve_exact((self.choices.len() / 8).max(here.len()));
        }
        if !is_shared {
            self.choices.extend_from_slice(here);
            return new;
        }
        let mut hasher = Xxh3Default::new();
        hasher.update(&edge.0.to_le_bytes());
        for choice in here {
            let bits = u64::from(choice.length_m.to_bits()) << 32 | u64::from(choice.link.0);
            let rest = [choice.offset as u16, u16::from(choice.allowed), u16::from(choice.continues)];
            hasher.update(&bits.to_le_bytes());
            hasher.update(bytemuck::cast_slice(&rest));
        }
        let at = *self.known.entry(hasher.digest() as u32).or_insert(new);
        if at != new && self.choices[at as usize..].starts_with(here) {
            return at;
        }
        self.choices.extend_from_slice(here);
        new
    }
}

/// Asks for the roads that are looked at next, towards the beginning of the route.
fn prefetch_before(world: &World, edges: &[EdgeId], index: usize) {
    let network = &world.network;
    let before = |steps: usize| index.checked_sub(steps).map(|at| edges[at]);
    if let Some(edge) = before(6) {
        prefetch(&network.edges, edge.index());
    }
    if let Some(edge) = before(4) {
        network.edge(edge).lanes().for_each(|lane| prefetch(&network.lanes, lane.index()));
    }
    if let Some(edge) = before(2) {
        for link in network.edge(edge).lanes().flat_map(|lane| network.links_of(lane)) {
            prefetch(&network.links, link.index());
        }
    }
    if let Some(edge) = before(1) {
        for link in network.edge(edge).lanes().flat_map(|lane| network.links_of(lane)) {
            prefetch(&network.lanes, network.link(link).next.index());
        }
    }
}

/// An edge in the context of a route.
struct Road {
    edge: EdgeId,
    next_edge: Option<EdgeId>,
    /// Of the vehicle's class.
    slot: u16,
    /// Where it stops on this edge: lane and metres along it.
    stop: Option<(LaneId, f64)>,
}

/// Puts the choices on a road into `choices`; `next` are those on the edge behind it, `next_offsets` is a list used again.
fn choices_of(
    world: &World,
    road: Road,
    next: &[LaneChoice],
    choices: &mut Vec<LaneChoice>,
    next_offsets: &mut Vec<i16>,
) {
    let Road { edge, next_edge, slot, stop } = road;
    let network = &world.network;
    let class = world.classes[usize::from(slot)];
    // A stop inside the junction asks for a way, one on the road for a lane.
    let through = stop.map(|(lane, _)| lane).filter(|lane| network.lane(*lane).internal);
    let stop = stop.filter(|_| through.is_none());
    choices.clear();
    // Offset that is still needed on the next edge, to prefer lanes that lead straight to its best lane.
    next_offsets.clear();
    for lane in network.edge(edge).lanes() {
        let l = network.lane(lane);
        let may_drive = l.allowed.allows(class);
        // Nobody comes onto a closed lane, but who is on it drives on.
        let allowed = may_drive && !world.overlay.is_closed(lane);
        let mut choice =
            LaneChoice { length_m: l.length_m as f32, link: LinkId::NONE, offset: 0, allowed, continues: false };
        let mut best_next: i16 = 0;
        if !may_drive {
            // Drivable for who is there already, but it leads nowhere.
        } else if let Some((_, stop_m)) = stop.filter(|(s, _)| *s != lane) {
            // Useful only as far as the stop, which is beside it; never as far as the lane of the stop.
            choice.length_m = stop_m.at_most(l.length_m - BESIDE_STOP_M).at_least(0.0) as f32;
        } else if next_edge.is_none() {
            choice.continues = true;
        } else if let Some((link, target)) = best_link(world, lane, next_edge, next, class, through) {
            choice.link = link;
            // Behind a link onto a closed lane is only who could not halt before it.
            if world.overlay.is_closed(network.link(link).to) {
                choices.push(choice);
                next_offsets.push(best_next);
                continue;
            }
            choice.continues = true;
            choice.length_m = (l.length_m + f64::from(target.length_m)) as f32;
            best_next = target.offset;
        }
        choices.push(choice);
        next_offsets.push(best_next);
    }
    // A lane alone is the best one.
    if choices.len() > 1 {
        set_offsets(choices, next_offsets);
    }
}

/// A choice without its length and offset, in one word: the link's number and two marks.
fn pack(choice: LaneChoice) -> u32 {
    let link = if choice.link.is_none() { NO_LINK } else { choice.link.0 };
    assert!(link <= NO_LINK, "a network with 2^30 links does not fit into lane plans");
    link | u32::from(choice.allowed) << 30 | u32::from(choice.continues) << 31
}

#[inline]
fn unpack(word: u32) -> LaneChoice {
    let link = word & NO_LINK;
    LaneChoice {
        length_m: 0.0,
        link: if link == NO_LINK { LinkId::NONE } else { LinkId(link) },
        offset: 0,
        allowed: word >> 30 & 1 == 1,
        continues: word >> 31 == 1,
    }
}

/// The packed form of no link.
const NO_LINK: u32 = (1 << 30) - 1;

/// The link from `lane` to the lane of `next_edge` that goes on farthest, over the internal lane `through` if there is one.
fn best_link(
    world: &World,
    lane: LaneId,
    next_edge: Option<EdgeId>,
    next: &[LaneChoice],
    class: crate::demand::VehicleClass,
    through: Option<LaneId>,
) -> Option<(LinkId, LaneChoice)> {
    let network = &world.network;
    let next_edge = next_edge?;
    let mut best: Option<(LinkId, LaneChoice)> = None;
    for link in network.links_of(lane) {
        let l = network.link(link);
        let to = network.lane(l.to);
        if to.edge != next_edge || !to.allowed.allows(class) || !network.lane(l.next).allowed.allows(class) {
            continue;
        }
        if through.is_some_and(|way| !network.leads_through(link, way)) {
            continue;
        }
        let target = next[to.index as usize];
        let is_open = !world.overlay.is_closed(l.to);
        let better = match best {
            None => true,
            Some((known, _)) if is_open == world.overlay.is_closed(network.link(known).to) => is_open,
            Some((_, b)) => {
                target.length_m > b.length_m
                    || (target.length_m == b.length_m && target.offset.unsigned_abs() < b.offset.unsigned_abs())
            }
        };
        if better {
            best = Some((link, target));
        }
    }
    best
}

/// Best lanes are those that lead farthest and, among these, need the fewest changes on the next edge.
fn set_offsets(choices: &mut [LaneChoice], next_offsets: &[i16]) {
    let usable = |c: &LaneChoice| c.allowed && c.continues;
    let any = choices.iter().any(usable);
    let longest = choices.iter().filter(|c| !any || usable(c)).map(|c| c.length_m).fold(0.0f32, f32::max);
    let fewest = choices
        .iter()
        .zip(next_offsets)
        .filter(|(c, _)| (!any || usable(c)) && c.length_m >= longest)
        .map(|(_, o)| o.unsigned_abs())
        .min()
        .unwrap_or(0);
    let is_best = |c: &LaneChoice, o: &i16| (!any || usable(c)) && c.length_m >= longest && o.unsigned_abs() == fewest;
    for i in 0..choices.len() {
        // Ties go to the right.
        let best = choices.iter().zip(next_offsets).enumerate().filter(|(_, (c, o))| is_best(c, o)).map(|(j, _)| j);
        choices[i].offset = best.min_by_key(|j| (j.abs_diff(i), *j)).map_or(0, |j| j as i16 - i as i16);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Edges that SUMO 1.28 compares for a car where all are equally long.
    #[test]
    fn lanes_are_compared_over_as_many_edges_as_in_sumo() {
        for (length_m, edges) in [(20.0, 23), (100.0, 9), (300.0, 9), (700.0, 5), (1000.0, 5)] {
            let mut horizon = Horizon::new(brake_m(VehicleClass::Passenger), length_m);
            let mut count = 1;
            while horizon.goes_on() {
                horizon.add(length_m);
                count += 1;
            }
            assert_eq!(count, edges, "{length_m} m");
        }
    }

    #[test]
    fn a_packed_choice_keeps_its_link_and_marks() {
        for link in [LinkId(0), LinkId(77), LinkId(NO_LINK - 1), LinkId::NONE] {
            for (allowed, continues) in [(false, false), (true, false), (false, true), (true, true)] {
                let choice = LaneChoice { length_m: 0.0, link, offset: 0, allowed, continues };
                assert_eq!(unpack(pack(choice)), choice);
            }
        }
    }
}
