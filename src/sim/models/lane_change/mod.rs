//! Lane changing on one edge, after the model of Erdmann (*Lane-Changing Model in SUMO*, 2014): strategic changes to
//! follow the route, cooperative changes to let others in, changes to gain speed, and the return to the right. Decided
//! from the places after the move, front to back over the whole edge; a change takes effect at once.

mod negotiation;
pub mod neighbour;
mod roundabout;

use std::cell::OnceCell;

use crate::ids::{LaneId, LinkId};

use crate::sim::bounds::Bounds;
use crate::sim::lane_plan::LaneChoice;
use crate::sim::models::car_following::Driver;
use crate::sim::report::{ChangeMotive, ChangeReason, GapTo};
use crate::sim::vehicle::{HALTING_SPEED, Vehicle, flags};
use crate::sim::view::View;
use negotiation::negotiate;
use neighbour::{Neighbour, are_siblings};
use roundabout::{roundabout_bonus, roundabouts_ahead};

/// Seconds of driving that a vehicle looks ahead for lanes of its route.
const LOOK_FORWARD_S: f64 = 10.0;
/// Share of the remembered look-ahead speed that is kept per second.
const LOOK_AHEAD_MEMORY: f64 = 0.9;
/// Seconds of free driving on the right that make returning there certain.
const KEEP_RIGHT_S: f64 = 5.0;
/// Gains are taken relative to at least this speed, m/s.
const GAIN_BASE_SPEED: f64 = 10.0;
/// Nobody leaves a best lane for one that ends within this, metres.
const TURN_LANE_M: f64 = 200.0;
/// Stopped leaders within this distance are overtaken, metres.
const STOPPED_LEADER_M: f64 = 100.0;
const GAIN_THRESHOLD: f64 = 0.2;

/// An accepted change: vehicle `index` of `from` goes to `to`.
#[derive(Clone, Copy, Debug)]
pub struct Change {
    pub from: LaneId,
    pub to: LaneId,
    pub index: usize,
    pub pos: f64,
    pub back: f64,
    pub speed: f64,
    pub vtype: u16,
    /// Only when lane changes are recorded.
    pub motive: Option<ChangeMotive>,
}

/// Why somebody wants to be on another lane.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Wish {
    change: bool,
    stay: bool,
    strategic: bool,
    urgent: bool,
    keep_right: bool,
}

impl Wish {
    const NONE: Self = Self { change: false, stay: false, strategic: false, urgent: false, keep_right: false };
    const STAY: Self = Self { stay: true, strategic: true, ..Self::NONE };
    const GAIN: Self = Self { change: true, ..Self::NONE };
    const KEEP_RIGHT: Self = Self { keep_right: true, ..Self::GAIN };
    const STRATEGIC: Self = Self { strategic: true, ..Self::GAIN };
    const URGENT: Self = Self { urgent: true, ..Self::STRATEGIC };
    const HELP: Self = Self { urgent: true, ..Self::GAIN };

    fn reason(self) -> ChangeReason {
        match self {
            Self { strategic: true, .. } => ChangeReason::Strategic,
            Self { urgent: true, .. } => ChangeReason::Cooperative,
            Self { keep_right: true, .. } => ChangeReason::KeepRight,
            _ => ChangeReason::SpeedGain,
        }
    }
}

/// What a vehicle changes of itself while it considers lanes.
#[derive(Clone, Copy, Debug)]
pub(in crate::sim) struct Mind {
    /// As the fields of [`Vehicle`].
    pub(in crate::sim) look_ahead_speed: f32,
    pub(in crate::sim) speed_gain: f32,
    pub(in crate::sim) keep_right: f32,
    pub(in crate::sim) advice: f32,
    flags: u16,
}

impl Mind {
    fn of(vehicle: &Vehicle) -> Self {
        let Vehicle { look_ahead_speed, speed_gain, keep_right, advice, flags, .. } = *vehicle;
        Self { look_ahead_speed, speed_gain, keep_right, advice, flags }
    }

    fn keep(self, vehicle: &mut Vehicle) {
        let Self { look_ahead_speed, speed_gain, keep_right, advice, flags } = self;
        *vehicle = Vehicle { look_ahead_speed, speed_gain, keep_right, advice, flags, ..*vehicle };
    }

    /// A new lane, a new mind.
    fn forget(&mut self) {
        let flags = self.flags & !(flags::MESSAGES | flags::WANTS_LEFT | flags::WANTS_RIGHT);
        *self = Self { look_ahead_speed: 0.0, speed_gain: 0.0, keep_right: 0.0, advice: f32::INFINITY, flags };
    }

    fn is(&self, flag: u16) -> bool {
        self.flags & flag != 0
    }

    fn set(&mut self, flag: u16, on: bool) {
        if on {
            self.flags |= flag;
        } else {
            self.flags &= !flag;
        }
    }
}

/// What is ahead of a vehicle that considers a change. Neighbours are referred to and not copied: a copy right after they
/// were written field by field makes the processor wait.
struct Surroundings<'a, 'n> {
    pub(in crate::sim) leader: Option<&'n Neighbour<'a>>,
    pub(in crate::sim) current: LaneChoice,
    pub(in crate::sim) target: LaneChoice,
    /// The current, the target and the best lane.
    pub(in crate::sim) current_jam: Jam,
    pub(in crate::sim) target_jam: Jam,
    pub(in crate::sim) best_jam: Jam,
    /// Metres by which the lanes count as longer because they go round a roundabout.
    pub(in crate::sim) bonus: f64,
}

/// Vehicles ahead on a lane and its continuation; added up only when they matter.
pub(in crate::sim) struct Jam {
    /// Metres taken by those ahead on the edge.
    pub(in crate::sim) here_m: f64,
    pub(in crate::sim) link: LinkId,
}

impl Jam {
    /// Whether it is so long that `what` is true of the metres taken ahead; what is true of some metres is true of more. Later
    /// roads are looked at only where the own one is not enough.
    fn is(&self, view: &View<'_>, vehicle: &Vehicle, what: impl Fn(f64) -> bool) -> bool {
        what(self.here_m) || what(self.here_m + view.occupied_beyond(vehicle, self.link))
    }
}

/// The gap on the target lane that a vehicle would change into.
pub(in crate::sim) struct Slot<'a, 'n> {
    pub(in crate::sim) leader: Option<&'n Neighbour<'a>>,
    pub(in crate::sim) follower: Option<Neighbour<'a>>,
    pub(in crate::sim) blocked_leader: bool,
    pub(in crate::sim) blocked_follower: bool,
}

impl<'a, 'n> Slot<'a, 'n> {
    /// `head`: index of the first vehicle on the target lane that is not ahead.
    fn look(
        view: &View<'a>,
        vehicle: &Vehicle,
        leader: Option<&'n Neighbour<'a>>,
        target: &[Vehicle],
        head: usize,
        target_id: LaneId,
    ) -> Self {
        let driver = view.driver(vehicle);
        let back = vehicle.pos - driver.length;
        let follower = match target.get(head) {
            Some(follower) => {
                let d = view.driver(follower);
                Some(Neighbour {
                    gap: back - follower.pos - d.min_gap,
                    speed: follower.speed,
                    accel: f64::from(follower.accel),
                    driver: d,
                    index: Some(head),
                    stopped: view.is_stopped(follower),
                    flags: follower.flags,
                })
            }
            None => view.follower_behind(back, target_id),
        };
        // How both would drive in a moment.
        let tau = driver.tau.at_most(1.0);
        let next_speed = |n: &Neighbour<'_>| (n.speed + tau * n.accel).at_least(0.0);
        let own_next = (vehicle.speed + tau * f64::from(vehicle.accel).at_least(0.0)).at_least(vehicle.speed);
        let factor = 1.0 / view.params(vehicle).lane_change.assertive.at_least(0.01);
        let blocked_leader = leader.is_some_and(|n| {
            n.gap < 0.0
                || n.gap
                    < factor
                        * driver.secure_gap(
                            own_next.at_least(vehicle.speed),
                            next_speed(n).at_most(n.speed),
                            n.driver.apparent_decel,
                        )
        });
        let blocked_follower = follower.as_ref().is_some_and(|n| {
            n.gap < 0.0
                || n.gap
                    < factor
                        * n.driver.secure_gap(next_speed(n).at_least(n.speed), vehicle.speed, driver.apparent_decel)
        });
        Self { leader, follower, blocked_leader, blocked_follower }
    }
}

/// Scratch space for one edge at a time.
#[derive(Debug, Default)]
pub struct LaneChanger {
    heads: Vec<usize>,
    taken_m: Vec<f64>,
}

impl LaneChanger {
    /// Decides the changes of all vehicles of an edge with several lanes. `lanes` holds its vehicles (rightmost lane
    /// first), taken out of the view. Accepted changes are appended to `changes`; states of mind are updated in place.
    #[inline(always)]
    pub fn decide(&mut self, view: &View<'_>, first: LaneId, lanes: &mut [Vec<Vehicle>], changes: &mut Vec<Change>) {
        let count = lanes.len();
        self.heads.clear();
        self.heads.resize(count, 0);
        self.taken_m.clear();
        self.taken_m.resize(count, 0.0);
        let start = changes.len();
        loop {
            // The foremost vehicle that is not done; ties go to the right.
            let mut at: Option<(usize, f64)> = None;
            for (l, lane) in lanes.iter().enumerate() {
                if let Some(v) = lane.get(self.heads[l])
                    && at.is_none_or(|(_, pos)| v.pos > pos)
                {
                    at = Some((l, v.pos));
                }
            }
            let Some((l, _)) = at else { break };
            let index = self.heads[l];
            if lanes[l][index].flags & flags::STOPPED == 0 {
                self.consider(view, first, lanes, l, index, start, changes);
            }
            let driver = view.driver(&lanes[l][index]);
            self.taken_m[l] += driver.length_with_gap();
            self.heads[l] += 1;
        }
    }

    #[allow(clippy::too_many_arguments)] // one vehicle in the context of its edge
    fn consider(
        &self,
        view: &View<'_>,
        first: LaneId,
        lanes: &mut [Vec<Vehicle>],
        l: usize,
        index: usize,
        start: usize,
        changes: &mut Vec<Change>,
    ) {
        let vehicle = lanes[l][index];
        let mut mind = Mind::of(&vehicle);
        let driver = view.driver(&vehicle);
        // The look-ahead grows at once and shrinks slowly.
        let memory = 1.0 - (1.0 - LOOK_AHEAD_MEMORY) * driver.dt;
        let remembered = f64::from(mind.look_ahead_speed);
        mind.look_ahead_speed = if vehicle.speed > remembered {
            vehicle.speed as f32
        } else {
            (memory * remembered + (1.0 - memory) * vehicle.speed) as f32
        };
        let lane = view.lane(LaneId(first.0 + l as u32));
        let class = view.params(&vehicle).class;
        let seen: OnceCell<Option<Neighbour<'_>>> = OnceCell::new();
        for right in [true, false] {
            let t = if right { l.wrapping_sub(1) } else { l + 1 };
            if t >= lanes.len() {
                continue;
            }
            let target_id = LaneId(first.0 + t as u32);
            let beside = view.lane(target_id);
            if lane.internal && (vehicle.pos >= beside.length_m || are_siblings(&view.world.network, lane, beside)) {
                // Ways through a junction differ in length: nobody changes onto one that has ended already.
                continue;
            }
            let may = if right { lane.change_right } else { lane.change_left };
            if !may.allows(class) || !beside.allowed.allows(class) || view.world.overlay.is_closed(target_id) {
                continue;
            }
            let own_lane = LaneId(first.0 + l as u32);
            let leader = seen.get_or_init(|| {
                let mut leader = match ahead_of(index, own_lane, &changes[start..]) {
                    Some(ahead) => Some(seen_leader(view, &vehicle, &lanes[l][ahead], ahead)),
                    None => view.leader_beyond(&vehicle, own_lane),
                };
                view.consider_block(&vehicle, own_lane, true, &mut leader);
                leader
            });
            // Looked for when it matters: often a vehicle stays on its lane whoever is beside.
            let found: OnceCell<Option<Neighbour<'_>>> = OnceCell::new();
            let target_leader = |lanes: &[Vec<Vehicle>]| {
                let look = || self.leader_on(view, &vehicle, target_id, &lanes[t], self.heads[t], &changes[start..]);
                found.get_or_init(look).as_ref()
            };
            let around = self.look_around(view, &vehicle, leader, first, lanes.len(), l, t);
            let slot = |lanes: &[Vec<Vehicle>]| {
                Slot::look(view, &vehicle, target_leader(lanes), &lanes[t], self.heads[t], target_id)
            };
            let wish = wish(view, &mut mind, &vehicle, lane, right, &around, lanes, t, target_leader, slot);
            let gap = wish.change.then(|| slot(lanes));
            let blocked = gap.as_ref().is_some_and(|slot| slot.blocked_leader || slot.blocked_follower);
            if let Some(gap) = gap.filter(|_| !blocked) {
                let records = view.world.measures.events.lane_changes;
                changes.push(Change {
                    from: LaneId(first.0 + l as u32),
                    to: target_id,
                    index,
                    pos: vehicle.pos,
                    back: vehicle.pos - driver.length,
                    speed: vehicle.speed,
                    vtype: vehicle.vtype,
                    motive: records.then(|| motive(wish, &vehicle, driver, &gap, leader.as_ref())),
                });
                mind.forget();
                mind.keep(&mut lanes[l][index]);
                return;
            }
            mind.set(if right { flags::WANTS_RIGHT } else { flags::WANTS_LEFT }, wish.change);
            mind.set(
                flags::BLOCKED,
                mind.is(flags::BLOCKED) || (wish.change && wish.strategic && wish.urgent && blocked),
            );
        }
        mind.keep(&mut lanes[l][index]);
    }

    /// The leader that the vehicle would have on the lane beside. `head`: index of the first vehicle there that is not ahead.
    fn leader_on<'a>(
        &self,
        view: &View<'a>,
        vehicle: &Vehicle,
        target_id: LaneId,
        target: &[Vehicle],
        head: usize,
        accepted: &[Change],
    ) -> Option<Neighbour<'a>> {
        let mut leader = match ahead_of(head, target_id, accepted) {
            Some(ahead) => Some(seen_leader(view, vehicle, &target[ahead], ahead)),
            None => view.leader_beyond(vehicle, target_id),
        };
        view.consider_block(vehicle, target_id, false, &mut leader);
        for change in accepted.iter().filter(|c| c.to == target_id) {
            let gap = change.back - vehicle.pos - view.driver(vehicle).min_gap;
            if leader.as_ref().is_none_or(|n| gap < n.gap) {
                let driver = &view.world.types[usize::from(change.vtype)].driver;
                leader = Some(Neighbour {
                    gap,
                    speed: change.speed,
                    accel: 0.0,
                    driver,
                    index: None,
                    stopped: false,
                    flags: 0,
                });
            }
        }
        leader
    }

    #[inline(always)]
    #[allow(clippy::too_many_arguments)] // two lanes of an edge, seen by one vehicle
    fn look_around<'a, 'n>(
        &self,
        view: &View<'a>,
        vehicle: &Vehicle,
        leader: &'n Option<Neighbour<'a>>,
        first: LaneId,
        count: usize,
        l: usize,
        t: usize,
    ) -> Surroundings<'a, 'n> {
        let lane = |lane: usize| LaneId(first.0 + lane as u32);
        // Inside a junction the lanes of the road behind it count.
        let index = usize::from(vehicle.route_index);
        let road = (!view.lane(lane(t)).internal).then(|| view.plans.edge(vehicle.plan, index, count));
        let choice = |at: usize| match &road {
            Some(road) => road[at],
            None => view.choice_behind(vehicle, lane(at)),
        };
        let (current, target) = (choice(l), choice(t));
        let best = (l as i64 + i64::from(current.offset)).clamp(0, count as i64 - 1) as usize;
        let link = |at: usize| match &road {
            Some(road) => road[at].link,
            None => view.lane(lane(at)).only_link(),
        };
        let jam = |at: usize| Jam { here_m: self.taken_m[at], link: link(at) };
        let bonus = if view.world.has_roundabouts && current.continues && roundabouts_ahead(view, vehicle) {
            let (index, here) = view.road_ahead(vehicle, lane(l));
            let outer = LaneId(here.0.wrapping_add_signed(i32::from(current.offset)));
            let inner = view.road_ahead(vehicle, lane(l.max(t))).1;
            roundabout_bonus(view, vehicle, index, outer, inner) * view.params(vehicle).lane_change.cooperative
        } else {
            0.0
        };
        Surroundings {
            leader: leader.as_ref(),
            current,
            target,
            current_jam: jam(l),
            target_jam: jam(t),
            best_jam: jam(best),
            bonus,
        }
    }
}

/// What is recorded of a change: the gaps are those from bumper to bumper.
fn motive(
    wish: Wish,
    vehicle: &Vehicle,
    driver: &Driver,
    gap: &Slot<'_, '_>,
    old_leader: Option<&Neighbour<'_>>,
) -> ChangeMotive {
    let ahead = |n: &Neighbour<'_>| GapTo {
        gap_m: n.gap + driver.min_gap,
        secure_gap_m: driver.secure_gap(vehicle.speed, n.speed, n.driver.apparent_decel),
        speed_mps: n.speed,
    };
    let behind = |n: &Neighbour<'_>| GapTo {
        gap_m: n.gap + n.driver.min_gap,
        secure_gap_m: n.driver.secure_gap(n.speed, vehicle.speed, driver.apparent_decel),
        speed_mps: n.speed,
    };
    ChangeMotive {
        reason: wish.reason(),
        urgent: wish.urgent,
        leader: gap.leader.map(ahead),
        follower: gap.follower.as_ref().map(behind),
        old_leader: old_leader.map(ahead),
    }
}

/// Index of the next vehicle ahead of the one at `index` that stays on `lane`: who has changed away in this step, further
/// ahead, leads nobody there any more.
#[inline]
fn ahead_of(index: usize, lane: LaneId, accepted: &[Change]) -> Option<usize> {
    let mut ahead = index.checked_sub(1);
    while let Some(at) = ahead.filter(|at| accepted.iter().any(|c| c.from == lane && c.index == *at)) {
        ahead = at.checked_sub(1);
    }
    ahead
}

fn seen_leader<'a>(view: &View<'a>, vehicle: &Vehicle, leader: &Vehicle, index: usize) -> Neighbour<'a> {
    let d = view.driver(leader);
    Neighbour {
        gap: leader.pos - d.length - vehicle.pos - view.driver(vehicle).min_gap,
        speed: leader.speed,
        accel: f64::from(leader.accel),
        driver: d,
        index: Some(index),
        stopped: view.is_stopped(leader),
        flags: leader.flags,
    }
}

/// What the vehicle wants with the lane to its right or left. Updates its inclinations and tells blockers. `leader_there` finds
/// the leader on that lane, `slot` the gap there.
#[allow(clippy::too_many_arguments)]
fn wish<'a: 'n, 'n>(
    view: &View<'a>,
    mind: &mut Mind,
    vehicle: &Vehicle,
    lane: &crate::graph::Lane,
    right: bool,
    around: &Surroundings<'a, 'n>,
    lanes: &mut [Vec<Vehicle>],
    t: usize,
    leader_there: impl Fn(&[Vec<Vehicle>]) -> Option<&'n Neighbour<'a>>,
    slot: impl Fn(&[Vec<Vehicle>]) -> Slot<'a, 'n>,
) -> Wish {
    let driver = view.driver(vehicle);
    let params = &view.params(vehicle).lane_change;
    let step: i16 = if right { -1 } else { 1 };
    let (mut current_dist, target_dist) = (f64::from(around.current.length_m), f64::from(around.target.length_m));
    current_dist += around.bonus;
    let target_dist = target_dist + around.bonus;
    let both_best = around.current.offset == 0 && around.target.offset == 0;
    let offset = if both_best { step } else { around.current.offset };
    let to_best = (right && offset < 0) || (!right && offset > 0);
    let rest = current_dist - vehicle.pos;

    let look_speed = f64::from(mind.look_ahead_speed);
    let mut look = look_speed * LOOK_FORWARD_S * params.strategic * if right { 1.0 } else { params.lookahead_left };
    look += driver.length_with_gap() * 2.0;
    let halts_before = |n: &&Neighbour<'_>| n.stopped && n.gap < rest;
    if offset == 0
        && let Some(n) = around.leader.filter(halts_before)
    {
        look = 0.5 * (driver.length_with_gap() + n.driver.length_with_gap() + n.gap);
    } else if offset == step
        && let Some(n) = leader_there(lanes).filter(halts_before)
    {
        look = driver.length_with_gap() + n.driver.length_with_gap() + n.gap;
    }
    if params.strategic < 0.0 {
        look = -1e3;
    }
    let too_short = |dist: f64, changes: i16| dist / f64::from(changes.max(1)) < look;

    let allowed = view.allowed(vehicle, driver, lane);
    let target_lane = LaneId((lane_id_of(lane, view)).0.wrapping_add_signed(i32::from(step)));
    let target_allowed = view.allowed(vehicle, driver, view.lane(target_lane));

    let is_short = |taken_m: f64| too_short(rest - taken_m, offset.abs());
    let urgent = if to_best && offset == around.current.offset && around.best_jam.is(view, vehicle, is_short) {
        true
    } else {
        let overtake = around.leader.map_or(-1.0, |n| n.gap + driver.length + n.driver.length_with_gap());
        let passes_stopped = around.leader.is_some_and(|n| n.stopped && n.gap < STOPPED_LEADER_M)
            && target_dist.at_most(current_dist) - vehicle.pos > overtake
            && leader_there(lanes).is_none_or(|n| !n.stopped || n.gap > overtake);
        if passes_stopped {
            current_dist = vehicle.pos + around.leader.map_or(0.0, |n| n.gap);
        } else if offset == 0
            && around.leader.is_none_or(|n| !n.stopped)
            && target_dist < TURN_LANE_M
            && around.bonus == 0.0
        {
            return Wish::STAY;
        } else if !to_best || offset == 0 {
            let leaves_no_room = |taken_m: f64| {
                let room = (target_dist - vehicle.pos - taken_m).at_least(0.0);
                (!to_best && too_short(room, offset.abs() + 2)) || (offset == 0 && room * 2.0 < look)
            };
            let jams = [&around.current_jam, &around.target_jam];
            if jams.iter().any(|jam| jam.is(view, vehicle, leaves_no_room)) {
                return Wish::STAY;
            }
        }
        passes_stopped
    };
    if urgent {
        let space = current_dist - vehicle.pos;
        let mut reserve: f64 = if to_best && offset.abs() > 1 { if right { 20.0 } else { 40.0 } } else { 0.0 };
        // A leader there that has to come over here needs room before us.
        let counter = if right { flags::WANTS_LEFT } else { flags::WANTS_RIGHT };
        if let Some(n) = leader_there(lanes).filter(|n| n.flags & counter != 0) {
            let room = space - driver.brake_gap_with(vehicle.speed, driver.decel, 0.0);
            let relief = around.current.continues && around.current.link.is_some();
            if n.driver.length_with_gap() <= room || !relief {
                reserve = reserve.at_least(n.driver.length_with_gap());
            }
        }
        let place = space - reserve - driver.min_gap - 1.0;
        if reserve > 0.0 && place > 0.0 {
            let halt =
                driver.stop_speed(vehicle.speed, place, driver.decel).at_least(driver.min_next_speed(vehicle.speed));
            mind.advice = mind.advice.min(halt as f32);
        }
        let slot = slot(lanes);
        negotiate(view, mind, vehicle, lane, right, &slot, lanes, t, space, reserve, offset);
        return Wish::URGENT;
    }

    if around.bonus > 0.0 {
        // Use the inner lanes of a roundabout.
        return if right { Wish::STAY } else { Wish::GAIN };
    }
    if lane.internal {
        // Inside a junction nobody changes for speed or to keep right.
        return Wish::NONE;
    }

    // Speeds to be expected on both lanes.
    let target_leader = leader_there(lanes);
    let accelerating = |n: Option<&Neighbour<'_>>| n.is_some_and(|n| n.accel > 0.0);
    let accelerating = accelerating(around.leader) || accelerating(target_leader);
    let target_safe = anticipate(driver, vehicle.speed, target_leader, target_dist, target_allowed, accelerating);
    let here_safe = anticipate(driver, vehicle.speed, around.leader, current_dist, allowed, accelerating);
    let left_threshold = GAIN_THRESHOLD / params.speed_gain.at_least(1e-3);
    let right_threshold = left_threshold / params.speed_gain_right.at_least(1e-3);
    let gain = f64::from(mind.speed_gain);

    if right && offset == 0 && lane.speed_mps > 80.0 / 3.6 && look_speed > HALTING_SPEED {
        // Do not get stranded on the on-ramp of a motorway.
        return Wish::STAY;
    }

    let mut inconvenience = if right { gain / right_threshold } else { -gain / left_threshold };
    inconvenience = inconvenience.at_least(here_safe / target_safe.at_least(1e-3) - 1.0).at_most(1.0);
    let asked = mind.is(if right { flags::MAY_HELP_RIGHT } else { flags::MAY_HELP_LEFT });
    if mind.is(flags::BLOCKS_AS_FOLLOWER)
        && asked
        && inconvenience <= params.cooperative
        && (to_best || target_dist / f64::from(offset.abs() + 1) > look)
    {
        return Wish::HELP;
    }

    let relative = (target_safe - here_safe) / target_safe.at_least(GAIN_BASE_SPEED);
    let dt = driver.dt;
    let half_life = if dt == 1.0 { 0.5 } else { halved(dt) };
    if right {
        if here_safe - 5.0 / 3.6 > target_safe {
            if mind.speed_gain < 0.0 {
                mind.speed_gain *= half_life as f32;
            }
        } else {
            if mind.speed_gain < 0.0 || relative > 0.0 {
                mind.speed_gain -= (dt * relative) as f32;
            }
            let road_factor = allowed / lane.speed_mps;
            let accept_s = 7.0 * road_factor * vehicle.speed.at_least(1.0);
            let mut free_m = (target_dist - driver.brake_gap(allowed)).at_least(0.0);
            // Who may not drive at all has no time for nothing: 0/0.
            let mut free_s = accept_s.min(free_m / allowed);
            if let Some(n) = target_leader.filter(|n| n.speed < allowed) {
                let secure = driver.secure_gap(allowed, n.speed, n.driver.apparent_decel);
                free_m = free_m.at_most(n.gap - secure).at_least(0.0);
                free_s = free_s.at_most(free_m / (allowed - n.speed));
            }
            // Nobody wants to return behind one that stands at a stop.
            if target_leader.is_none_or(|n| !n.stopped) {
                mind.keep_right -= (dt * right_threshold * (free_s / accept_s) / KEEP_RIGHT_S) as f32;
            }
            if f64::from(mind.keep_right) * params.keep_right < -right_threshold {
                return Wish::KEEP_RIGHT;
            }
        }
        if f64::from(mind.speed_gain) < -right_threshold && target_dist / vehicle.speed.at_least(0.1) > 20.0 {
            return Wish::GAIN;
        }
    } else {
        if here_safe > target_safe {
            if mind.speed_gain > 0.0 {
                mind.speed_gain *= half_life as f32;
            }
        } else if mind.speed_gain > 0.0 || relative > 0.0 {
            mind.speed_gain += (dt * relative) as f32;
        }
        if f64::from(mind.speed_gain) > left_threshold && relative > 1e-3 {
            return Wish::GAIN;
        }
    }
    if to_best
        && offset == around.current.offset
        && params.strategic >= 0.0
        && (if right { mind.speed_gain < 0.0 } else { mind.speed_gain > 0.0 })
    {
        return Wish::STRATEGIC;
    }
    Wish::NONE
}

fn lane_id_of(lane: &crate::graph::Lane, view: &View<'_>) -> LaneId {
    LaneId(view.world.network.edge(lane.edge).first_lane.0 + lane.index)
}

/// ½ to the power of a step length below or above one second, by square roots.
fn halved(dt: f64) -> f64 {
    let (mut result, mut factor, mut rest) = (1.0, 0.5f64, dt);
    while rest >= 1.0 {
        result *= 0.5;
        rest -= 1.0;
    }
    for _ in 0..12 {
        factor = factor.sqrt();
        rest *= 2.0;
        if rest >= 1.0 {
            result *= factor;
            rest -= 1.0;
        }
    }
    result
}

/// The speed that a lane promises in the near future.
fn anticipate(
    driver: &crate::sim::models::car_following::Driver,
    speed: f64,
    leader: Option<&Neighbour<'_>>,
    dist: f64,
    allowed: f64,
    accelerating: bool,
) -> f64 {
    let future = match (leader, accelerating) {
        (Some(n), true) => {
            let soon = speed + driver.accel - driver.accel * driver.dt;
            let most = driver.promised_speed(soon, allowed);
            driver.at_most_following(most, soon, n.gap, n.speed, n.driver.apparent_decel)
        }
        (Some(n), false) => driver.at_most_safe_behind(allowed, n.gap, n.speed, n.driver.apparent_decel),
        (None, true) => driver.at_most_halting(driver.max_next_speed(speed).at_most(allowed), dist),
        (None, false) => driver.at_most_halting(allowed, dist),
    };
    future.at_least(0.0)
}
