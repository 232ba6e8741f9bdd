//! Lane changing on one edge, after the model of Erdmann (*Lane-Changing Model in SUMO*, 2014): strategic changes to
//! follow the route, cooperative changes to let others in, changes to gain speed, and the return to the right. Decided
//! from the places after the move, front to back over the whole edge; a change takes effect at once.

mod cooperative;
mod keep_right;
mod negotiation;
pub mod neighbour;
mod roundabout;
mod speed_gain;
mod strategic;

use std::cell::OnceCell;

use crate::graph::Lane;
use crate::ids::{LaneId, LinkId};
use crate::sim::bounds::Bounds;
use crate::sim::lane_plan::LaneChoice;
use crate::sim::models::car_following::Driver;
use crate::sim::report::{ChangeMotive, ChangeReason, GapTo};
use crate::sim::vehicle::{HALTING_SPEED, Vehicle, flags};
use crate::sim::view::View;

use neighbour::{Neighbour, are_siblings};
use roundabout::{roundabout_bonus, roundabouts_ahead};

/// Up to this speed vehicles pass those on the lane to the left, m/s.
const OVERTAKING_RIGHT_MPS: f64 = 60.05 / 3.6;
/// Less of an inclination is none.
const LEAST_INCLINATION: f32 = 1e-3;
/// Share of the remembered look-ahead speed that is kept per second.
const LOOK_AHEAD_MEMORY: f64 = 0.9;

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
struct Mind {
    /// As the fields of [`Vehicle`].
    look_ahead_speed: f32,
    speed_gain_left: f32,
    speed_gain_right: f32,
    keep_right: f32,
    advice: f32,
    flags: u16,
}

impl Mind {
    fn of(vehicle: &Vehicle) -> Self {
        let Vehicle { speed_gain_left, speed_gain_right, keep_right, flags, .. } = *vehicle;
        let (look_ahead_speed, advice) = (vehicle.look_ahead_speed_mps, vehicle.advice_mps);
        Self { look_ahead_speed, speed_gain_left, speed_gain_right, keep_right, advice, flags }
    }

    fn keep(self, vehicle: &mut Vehicle) {
        let Self { look_ahead_speed, speed_gain_left, speed_gain_right, keep_right, advice, flags } = self;
        *vehicle = Vehicle {
            look_ahead_speed_mps: look_ahead_speed,
            speed_gain_left,
            speed_gain_right,
            keep_right,
            advice_mps: advice,
            flags,
            ..*vehicle
        };
    }

    /// The look-ahead grows at once and shrinks slowly; a vehicle with lanes on both sides does this twice in a step (SUMO 1.28).
    fn look_ahead(&mut self, speed_mps: f64, dt_s: f64) {
        let memory = 1.0 - (1.0 - LOOK_AHEAD_MEMORY) * dt_s;
        let remembered = f64::from(self.look_ahead_speed);
        self.look_ahead_speed = if speed_mps > remembered {
            speed_mps as f32
        } else {
            (memory * remembered + (1.0 - memory) * speed_mps) as f32
        };
    }

    /// A new lane, a new mind.
    fn forget(&mut self) {
        let flags = self.flags & !(flags::MESSAGES | flags::WANTS_LEFT | flags::WANTS_RIGHT);
        *self = Self {
            look_ahead_speed: 0.0,
            speed_gain_left: 0.0,
            speed_gain_right: 0.0,
            keep_right: 0.0,
            advice: f32::INFINITY,
            flags,
        };
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
    leader: Option<&'n Neighbour<'a>>,
    current: LaneChoice,
    target: LaneChoice,
    /// The current, the target and the best lane.
    current_jam: Jam,
    target_jam: Jam,
    best_jam: Jam,
    /// Metres by which the lanes count as longer because they go round a roundabout.
    bonus: f64,
}

/// Vehicles ahead on a lane and its continuation; added up only when they matter.
struct Jam {
    /// Metres taken by those ahead on the edge.
    here_m: f64,
    /// Length of the lane, metres.
    length_m: f64,
    link: LinkId,
}

impl Jam {
    /// Whether it is so long that `what` is true of the metres taken ahead; what is true of some metres is true of more. Later
    /// roads are looked at only where the own one is not enough.
    fn is(&self, view: &View<'_>, vehicle: &Vehicle, what: impl Fn(f64) -> bool) -> bool {
        what(self.here_m) || what(self.here_m + view.occupied_beyond(vehicle, self.length_m, self.link))
    }
}

/// The gap on the target lane that a vehicle would change into.
struct Slot<'a, 'n> {
    leader: Option<&'n Neighbour<'a>>,
    follower: Option<Neighbour<'a>>,
    blocked_leader: bool,
    blocked_follower: bool,
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
        let back = vehicle.pos_m - driver.length_m;
        let follower = match target.get(head) {
            Some(follower) => {
                let d = view.driver(follower);
                Some(Neighbour {
                    gap: back - follower.pos_m - d.min_gap_m,
                    speed: follower.speed_mps,
                    accel: f64::from(follower.accel_mps2),
                    driver: d,
                    index: Some(head),
                    stopped: view.is_stopped(follower),
                    flags: follower.flags,
                })
            }
            None => view.follower_behind(back, target_id),
        };
        let factor = 1.0 / view.params(vehicle).lane_change.assertive.at_least(0.01);
        let (speed, accel) = (vehicle.speed_mps, f64::from(vehicle.accel_mps2));
        let is_blocked = |n: &Neighbour<'_>, secure_m: f64| n.gap < 0.0 || n.gap < factor * secure_m;
        let blocked_leader = leader
            .is_some_and(|n| is_blocked(n, driver.secure_gap_now(speed, accel, n.speed, n.driver.apparent_decel_mps2)));
        let blocked_follower = follower.as_ref().is_some_and(|n| {
            is_blocked(n, n.driver.secure_gap_now(n.speed, n.accel, speed, driver.apparent_decel_mps2))
        });
        Self { leader, follower, blocked_leader, blocked_follower }
    }
}

/// One edge and what has been decided on it so far: changes from index `start` on.
struct Traffic<'e> {
    first: LaneId,
    lanes: &'e mut [Vec<Vehicle>],
    changes: &'e mut Vec<Change>,
    start: usize,
}

/// The lane of a vehicle and the one beside that it considers, among the `count` lanes of an edge.
#[derive(Clone, Copy)]
struct Sides {
    first: LaneId,
    count: usize,
    own: usize,
    other: usize,
}

/// One vehicle that considers one lane beside its own.
struct Case<'c, 'a, 'n> {
    view: &'c View<'a>,
    vehicle: &'c Vehicle,
    driver: &'c Driver,
    /// Its lane.
    lane: &'c Lane,
    /// The lane beside is to the right.
    right: bool,
    /// Index of the lane beside on the edge.
    beside: usize,
    around: &'c Surroundings<'a, 'n>,
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
                    && at.is_none_or(|(_, pos)| v.pos_m > pos)
                {
                    at = Some((l, v.pos_m));
                }
            }
            let Some((l, _)) = at else { break };
            let index = self.heads[l];
            if lanes[l][index].flags & flags::STOPPED == 0 {
                let mut edge = Traffic { first, lanes: &mut *lanes, changes: &mut *changes, start };
                self.consider(view, &mut edge, l, index);
            }
            let driver = view.driver(&lanes[l][index]);
            self.taken_m[l] += driver.length_with_gap();
            self.heads[l] += 1;
        }
    }

    /// Decides for vehicle `index` on lane `l` of the edge.
    fn consider(&self, view: &View<'_>, edge: &mut Traffic<'_>, l: usize, index: usize) {
        let Traffic { first, lanes, changes, start } = edge;
        let (first, start) = (*first, *start);
        let vehicle = lanes[l][index];
        let mut mind = Mind::of(&vehicle);
        let driver = view.driver(&vehicle);
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
            if lane.internal && (vehicle.pos_m >= beside.length_m || are_siblings(&view.world.network, lane, beside)) {
                // Ways through a junction differ in length: nobody changes onto one that has ended already.
                continue;
            }
            let may = if right { lane.change_right } else { lane.change_left };
            if !may.allows(class) || !beside.allowed.allows(class) || view.world.overlay.is_closed(target_id) {
                continue;
            }
            mind.look_ahead(vehicle.speed_mps, driver.dt_s);
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
            let sides = Sides { first, count: lanes.len(), own: l, other: t };
            let around = self.look_around(view, &vehicle, leader, sides);
            let slot = |lanes: &[Vec<Vehicle>]| {
                Slot::look(view, &vehicle, target_leader(lanes), &lanes[t], self.heads[t], target_id)
            };
            let case = Case { view, vehicle: &vehicle, driver, lane, right, beside: t, around: &around };
            if !right && vehicle.speed_mps > OVERTAKING_RIGHT_MPS {
                case.stay_behind_left(&mut mind, target_leader(lanes));
            }
            let wish = case.wish(&mut mind, lanes, target_leader, slot);
            let gap = wish.change.then(|| slot(lanes));
            let blocked = gap.as_ref().is_some_and(|slot| slot.blocked_leader || slot.blocked_follower);
            if let Some(gap) = gap.filter(|_| !blocked) {
                let records = view.world.measures.events.lane_changes;
                changes.push(Change {
                    from: LaneId(first.0 + l as u32),
                    to: target_id,
                    index,
                    pos: vehicle.pos_m,
                    back: vehicle.pos_m - driver.length_m,
                    speed: vehicle.speed_mps,
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
            let gap = change.back - vehicle.pos_m - view.driver(vehicle).min_gap_m;
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
    fn look_around<'a, 'n>(
        &self,
        view: &View<'a>,
        vehicle: &Vehicle,
        leader: &'n Option<Neighbour<'a>>,
        Sides { first, count, own: l, other: t }: Sides,
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
        let jam = |at: usize| Jam { here_m: self.taken_m[at], length_m: view.lane(lane(at)).length_m, link: link(at) };
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
        gap_m: n.gap + driver.min_gap_m,
        secure_gap_m: driver.secure_gap_now(
            vehicle.speed_mps,
            f64::from(vehicle.accel_mps2),
            n.speed,
            n.driver.apparent_decel_mps2,
        ),
        speed_mps: n.speed,
    };
    let behind = |n: &Neighbour<'_>| GapTo {
        gap_m: n.gap + n.driver.min_gap_m,
        secure_gap_m: n.driver.secure_gap_now(n.speed, n.accel, vehicle.speed_mps, driver.apparent_decel_mps2),
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
        gap: leader.pos_m - d.length_m - vehicle.pos_m - view.driver(vehicle).min_gap_m,
        speed: leader.speed_mps,
        accel: f64::from(leader.accel_mps2),
        driver: d,
        index: Some(index),
        stopped: view.is_stopped(leader),
        flags: leader.flags,
    }
}

impl<'a: 'n, 'n> Case<'_, 'a, 'n> {
    /// What the vehicle wants with the lane beside, motive by motive. Updates its inclinations and tells blockers. `leader_there`
    /// finds the leader on that lane, `slot` the gap there.
    fn wish(
        &self,
        mind: &mut Mind,
        lanes: &mut [Vec<Vehicle>],
        leader_there: impl Fn(&[Vec<Vehicle>]) -> Option<&'n Neighbour<'a>>,
        slot: impl Fn(&[Vec<Vehicle>]) -> Slot<'a, 'n>,
    ) -> Wish {
        let ways = self.ways(mind, lanes, &leader_there);
        if let Some(wish) = self.strategic(&ways, mind, lanes, &leader_there, slot) {
            return wish;
        }
        if self.around.bonus > 0.0 {
            // Use the inner lanes of a roundabout.
            return if self.right { Wish::STAY } else { Wish::GAIN };
        }
        let target_leader = leader_there(lanes);
        let promise = self.promise(&ways, target_leader);
        if self.right && ways.offset == 0 && self.lane.speed_mps > 80.0 / 3.6 && ways.look_speed > HALTING_SPEED {
            // Do not get stranded on the on-ramp of a motorway.
            return Wish::STAY;
        }
        if self.helps(&ways, mind, &promise) {
            return Wish::HELP;
        }
        let is_worth_it = if self.right {
            self.gains_right(&ways, mind, &promise, target_leader)
        } else {
            self.gains_left(&ways, mind, &promise)
        };
        if let Some(wish) = is_worth_it {
            return wish;
        }
        let gain = if self.right { mind.speed_gain_right } else { mind.speed_gain_left } > LEAST_INCLINATION;
        let params = &self.view.params(self.vehicle).lane_change;
        if ways.to_best && ways.offset == self.around.current.offset && params.strategic >= 0.0 && gain {
            return Wish::STRATEGIC;
        }
        Wish::NONE
    }
}
