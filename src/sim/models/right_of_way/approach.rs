//! Who approaches which link, and whether a link with foes is open: right of way by the times at which vehicles enter and
//! leave the junction. The rules follow the intersection model of SUMO (Erdmann, Krajzewicz, 2013).

use crate::graph::{Aspect, Link, RightOfWay};
use crate::ids::{LaneId, LinkId, VehicleId};

use crate::sim::bounds::Bounds;
use crate::sim::marks::Marks;
use crate::sim::models::car_following::Driver;
use crate::sim::prefetch::prefetch;

/// A vehicle that will pass a link unless something changes. Times are seconds from now.
#[derive(Clone, Copy, Debug)]
pub struct Approach {
    pub vehicle: VehicleId,
    pub arrival_s: f64,
    pub leave_s: f64,
    /// Least speed on arrival when it brakes from now on; 0 when it can still halt.
    pub braked_speed: f64,
    pub leave_speed: f64,
    /// Metres to the link.
    pub dist_m: f64,
    pub speed: f64,
    pub length_m: f64,
    pub decel: f64,
    pub waiting_ms: u32,
    /// It stands before the link because it has to give way.
    pub waits: bool,
}

/// A vehicle near a link, with what its [`Approach`] is computed from when somebody asks for it.
#[derive(Clone, Copy, Debug)]
pub struct NearApproach {
    pub vehicle: VehicleId,
    pub vtype: u16,
    pub waits: bool,
    pub waiting_ms: u32,
    /// Metres to the link.
    pub dist_m: f64,
    pub speed: f64,
    /// The speeds with which it goes on and arrives, and the limit behind the link.
    pub goes_on: f64,
    pub arrival_speed: f64,
    pub limit: f64,
}

/// A vehicle that is still far from the end of its lane. What it would tell is found out when somebody asks.
#[derive(Clone, Copy, Debug)]
pub struct FarApproach {
    pub lane: LaneId,
    /// Among the vehicles of the lane.
    pub index: u32,
    /// Of its [`FollowPlan`](crate::sim::phases::following::FollowPlan).
    pub speed: f64,
    pub is_led: bool,
    pub ahead_m: f64,
}

/// A vehicle that is announced at a link.
#[derive(Clone, Copy, Debug)]
pub enum ApproachEntry {
    Near(NearApproach),
    Far(FarApproach),
}

/// Approaching vehicles of all links that somebody yields to. Those of a link are a set: nothing depends on their order.
#[derive(Clone, Debug, Default)]
pub struct Approaches {
    /// Each with the one before it at the same link.
    notices: Vec<(ApproachEntry, u32)>,
    /// By link: the last notice; meaningful where `approached` has the link.
    last: Vec<u32>,
    approached: Marks,
}

const NOBODY: u32 = u32::MAX;

impl Approaches {
    /// `vehicles`: how many are to be expected at once.
    pub fn new(links: usize, vehicles: usize) -> Self {
        Self { notices: Vec::with_capacity(vehicles), last: vec![NOBODY; links], approached: Marks::new(links) }
    }

    pub fn clear(&mut self) {
        self.notices.clear();
        self.approached.clear();
    }

    #[inline]
    pub fn add(&mut self, link: LinkId, notice: ApproachEntry) {
        let before = if self.is_approached(link) { self.last[link.index()] } else { NOBODY };
        self.approached.set(link.index());
        self.last[link.index()] = self.notices.len() as u32;
        self.notices.push((notice, before));
    }

    /// Somebody may be coming.
    #[inline]
    pub fn is_approached(&self, link: LinkId) -> bool {
        self.approached.has(link.index())
    }

    /// Asks for the first notice at a link that is approached.
    #[inline]
    pub fn prefetch(&self, link: LinkId) {
        prefetch(&self.notices, self.last[link.index()] as usize);
    }

    #[inline]
    pub fn of(&self, link: LinkId) -> impl Iterator<Item = &ApproachEntry> {
        let mut at = if self.is_approached(link) { self.last[link.index()] } else { NOBODY };
        std::iter::from_fn(move || {
            let (notice, before) = self.notices.get(at as usize)?;
            at = *before;
            Some(notice)
        })
    }
}

/// What a link means to a vehicle before it, now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Priority {
    /// Closed by a red light.
    Red,
    /// Closing: who can brake comfortably must.
    Yellow,
    /// Open, before all foes.
    Major,
    /// Open, after the foes.
    Minor,
    /// Right before left.
    Equal,
    /// As minor, after a full stop.
    Stop,
    /// First come, first served, after a full stop.
    AllwayStop,
    /// Alternating merge.
    Zipper,
}

impl Priority {
    /// Of a link that shows `aspect` (None: no signal).
    #[inline]
    pub fn of(link: &Link, aspect: Option<Aspect>) -> Self {
        match aspect {
            Some(Aspect::Red) => Self::Red,
            Some(Aspect::Yellow | Aspect::YellowMajor) => Self::Yellow,
            Some(Aspect::GreenMajor) => Self::Major,
            Some(Aspect::Green | Aspect::OffBlinking) => Self::Minor,
            Some(Aspect::StopThenGo) => Self::Stop,
            Some(Aspect::Off) | None => match link.right_of_way {
                RightOfWay::Major | RightOfWay::DeadEnd => Self::Major,
                RightOfWay::Minor | RightOfWay::OffBlinking => Self::Minor,
                RightOfWay::Equal => Self::Equal,
                RightOfWay::Stop => Self::Stop,
                RightOfWay::AllwayStop => Self::AllwayStop,
                RightOfWay::Zipper => Self::Zipper,
            },
        }
    }

    #[inline]
    pub fn is_red_or_yellow(self) -> bool {
        matches!(self, Self::Red | Self::Yellow)
    }

    /// Has to give way before entering.
    #[inline]
    pub fn gives_way(self) -> bool {
        matches!(self, Self::Minor | Self::Equal | Self::Stop | Self::AllwayStop)
    }
}

/// A vehicle that asks whether a link is open, with what it would do there.
#[derive(Clone, Copy, Debug)]
pub struct Claim {
    pub vehicle: VehicleId,
    pub arrival_s: f64,
    pub leave_s: f64,
    pub arrival_speed: f64,
    pub leave_speed: f64,
    pub decel: f64,
    pub waiting_ms: u32,
    /// 0…1.
    pub impatience: f64,
    /// Gap in time that is kept to foes with priority, seconds.
    pub time_gap_s: f64,
    /// Step length, seconds.
    pub dt: f64,
}

/// Whether `foe` keeps the claimant from entering.
#[inline]
pub fn blocks(claim: &Claim, foe: &Approach, same_target: bool, priority: Priority) -> bool {
    if foe.vehicle == claim.vehicle {
        return false;
    }
    if priority == Priority::AllwayStop {
        if claim.waiting_ms > foe.waiting_ms {
            return false;
        }
        if claim.waiting_ms == foe.waiting_ms
            && (claim.arrival_s < foe.arrival_s || (claim.arrival_s == foe.arrival_s && claim.vehicle < foe.vehicle))
        {
            return false;
        }
    }
    let (mut foe_arrival, mut braked_speed) = (foe.arrival_s, foe.braked_speed);
    if claim.impatience > 0.0 && claim.arrival_s < foe.arrival_s {
        let (braked_arrival, speed) = braking_foe(claim, foe);
        foe_arrival = (1.0 - claim.impatience) * foe.arrival_s + claim.impatience * braked_arrival;
        braked_speed = speed;
    }
    if foe.leave_s < claim.arrival_s {
        // The foe is gone before; when merging, keep the distance and do not run into it.
        same_target
            && (claim.arrival_s - foe.leave_s < claim.time_gap_s
                || unsafe_merge(foe.leave_speed, claim.arrival_speed, foe.decel, claim.decel))
    } else if foe_arrival > claim.leave_s + claim.time_gap_s {
        same_target && unsafe_merge(claim.leave_speed, braked_speed, claim.decel, foe.decel)
    } else {
        true
    }
}

/// The follower could not stop behind the leader.
fn unsafe_merge(leader_speed: f64, follower_speed: f64, leader_decel: f64, follower_decel: f64) -> bool {
    leader_speed * leader_speed / leader_decel <= follower_speed * follower_speed / follower_decel
}

/// When the back of a vehicle has left the junction, seconds from now.
#[inline]
pub fn leave_time(arrival_s: f64, arrival_speed: f64, leave_speed: f64, way_m: f64) -> f64 {
    if arrival_speed <= 0.0 {
        return 1e6;
    }
    arrival_s + way_m / (0.5 * (arrival_speed + leave_speed)).at_least(1e-3)
}

/// Arrival time and speed of a foe that brakes for an impatient claimant, with the part of its deceleration that the
/// claimant's impatience expects of it, from the moment when it sees the claimant enter.
fn braking_foe(claim: &Claim, foe: &Approach) -> (f64, f64) {
    let dt = claim.dt;
    // Both move in whole steps, the first of which is this one.
    let (mine, theirs) = (claim.arrival_s - dt, foe.arrival_s - dt);
    if (mine / dt).floor() == (theirs / dt).floor() {
        return (foe.arrival_s, foe.braked_speed);
    }
    let entry = (mine / dt).ceil() * dt;
    let m = foe.decel * claim.impatience;
    let braking_s = theirs - entry;
    let drop = braking_s * m;
    let saved_m = braking_s * drop * 0.5;
    let v = foe.dist_m / foe.arrival_s.at_least(1e-3);
    let left_m = foe.dist_m - v * entry;
    if 0.5 * v * v / m <= left_m {
        return (foe.arrival_s + HALTED_S, 0.0);
    }
    let slow = v - drop;
    let extra_s = ((slow - (slow * slow - 2.0 * m * saved_m).at_least(0.0).sqrt()) / m).at_least(0.0);
    (foe.arrival_s + extra_s, (v - (braking_s + extra_s) * m).at_least(0.0))
}

/// Delay of a foe that can halt, seconds.
const HALTED_S: f64 = 30.0;

/// Least speed with which a vehicle that cannot halt any more arrives, m/s.
#[inline]
pub fn braked_speed(driver: &Driver, seen_m: f64, v: f64, arrival_speed: f64) -> f64 {
    if seen_m >= driver.brake_gap(v) {
        return 0.0;
    }
    let square = v * v - 2.0 * seen_m * driver.decel_mps2;
    let slowest = if square > 0.0 { square.sqrt() } else { driver.decel_mps2 * driver.dt_s * 0.5 };
    slowest.at_most(arrival_speed)
}
