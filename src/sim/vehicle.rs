//! The complete state of one vehicle: plain bytes, so that copying a lane to a neighbour or into a snapshot is a `memcpy`.

use bytemuck::{Pod, Zeroable};

use crate::graph::Lane;
use crate::ids::{LaneId, LinkId, RouteId, VehicleId};

/// Below this speed a vehicle counts as standing, m/s.
pub const HALTING_SPEED: f64 = 0.1;

/// A running vehicle. Everything that its future depends on is here, except immutable network and demand.
///
/// Two cache lines: in the first what decisions, its own and those of others, read in every step; in the second what is
/// only kept up to date.
#[derive(Clone, Copy, Debug, PartialEq, Pod, Zeroable)]
#[repr(C, align(64))]
pub struct Vehicle {
    /// Front bumper along the lane.
    pub pos_m: f64,
    pub speed_mps: f64,
    pub id: VehicleId,
    pub vtype: u16,
    pub flags: u16,
    pub speed_factor: f32,
    /// Change of speed in the last step.
    pub accel_mps2: f32,
    /// The link by which it leaves its lane, kept so that no step has to look into the plan; NONE at the end of its route,
    /// where its lane does not lead on, and on internal lanes. Derived: no part of the state or the digest, and computed
    /// anew by who receives the vehicle.
    pub link: LinkId,
    /// Index of the lane plan in its partition; derived like `link`.
    pub plan: u32,
    /// Index of the current edge in the route; on an internal lane that of the edge it came from.
    pub route_index: u16,
    /// Number of stops already made.
    pub stops_done: u16,
    /// Time since it last moved, ms; 0 while it moves or stands at a stop.
    pub waiting_ms: u32,
    /// Speed advised by vehicles that want to change lanes, for one step; infinite when there is none.
    pub advice_mps: f32,
    /// Internal lane over which it came onto its lane, or NONE.
    pub came_from: LaneId,
    /// When it entered the junction that it is in, ms.
    pub junction_entry_ms: i32,
    /// Lane change: slowly decaying speed that sets how far it looks ahead.
    pub look_ahead_speed_mps: f32,

    /// Sum of time lost against the wished speed.
    pub time_loss_s: f64,
    /// Way driven.
    pub odometer_m: f64,
    /// Lane change: inclinations to gain speed to the left and to the right; grow with the relative gain, 1.
    pub speed_gain_left: f32,
    pub speed_gain_right: f32,
    /// Lane change: inclination to return to the right (negative grows stronger).
    pub keep_right: f32,
    pub route: RouteId,
    /// Sum of waiting times, ms.
    pub waiting_total_ms: u32,
    pub depart_ms: i32,
    pub depart_lane: LaneId,
    pub depart_pos_m: f32,
    pub depart_speed_mps: f32,
    /// At a stop: when that began; afterwards: when the last stop ended. ms.
    pub stop_ms: i32,
    /// Sum of stopping times, ms.
    pub stop_total_ms: u32,
    /// Number of times that it came to wait.
    pub waiting_count: u16,
    pub reroutes: u16,
}

/// Bits of [`Vehicle::flags`].
pub mod flags {
    /// Stands at a stop.
    pub const STOPPED: u16 = 1;
    /// Wants to change to the left (right) for its route and could not yet.
    pub const WANTS_LEFT: u16 = 2;
    pub const WANTS_RIGHT: u16 = 4;
    /// Another vehicle needs it to speed up.
    pub const BLOCKS_AS_LEADER: u16 = 8;
    /// Another vehicle needs room before it.
    pub const BLOCKS_AS_FOLLOWER: u16 = 16;
    /// Has to wait before the next link.
    pub const WAITS_AT_LINK: u16 = 32;
    /// Will be put back on the road after a teleport.
    pub const TELEPORTING: u16 = 64;
    /// Was pressed to brake harder than comfortable; only for counting.
    pub const EMERGENCY: u16 = 128;
    /// Urgently wants to change lanes and is blocked.
    pub const BLOCKED: u16 = 256;
    /// Somebody wants to change onto its lane from the right (left): it could give way to the left (right).
    pub const MAY_HELP_LEFT: u16 = 512;
    pub const MAY_HELP_RIGHT: u16 = 1024;
    /// An order limits its speed.
    pub const LIMITED: u16 = 2048;
    /// So slow behind a leader that it will hardly pass the next junction soon.
    pub const CRAWLS: u16 = 4096;
    /// Stands inside a junction because of one that will not move soon: others may go first.
    pub const STUCK: u16 = 8192;
    /// Its cruise control keeps a gap, not its speed.
    pub const KEEPS_GAP: u16 = 16384;
    /// All bits that have a meaning.
    pub const ALL: u16 = (KEEPS_GAP << 1) - 1;
    /// What every step decides anew of its way ahead.
    pub const OF_STEP: u16 = WAITS_AT_LINK | CRAWLS | EMERGENCY | KEEPS_GAP;
    /// All that lane changers tell each other for one step.
    pub const MESSAGES: u16 = BLOCKS_AS_LEADER | BLOCKS_AS_FOLLOWER | BLOCKED | MAY_HELP_LEFT | MAY_HELP_RIGHT;
}

impl Vehicle {
    /// Forgets what lane changing remembers: on a road with one lane there is nothing to choose.
    #[inline]
    pub fn forget_lane_changing(&mut self) {
        (self.speed_gain_left, self.speed_gain_right, self.keep_right) = (0.0, 0.0, 0.0);
        self.look_ahead_speed_mps = 0.0;
    }

    /// The link by which it leaves `lane`, which it is on; NONE at the end of its route or where the lane does not lead on.
    #[inline]
    pub fn own_link(&self, lane: &Lane) -> LinkId {
        if lane.internal { lane.only_link() } else { self.link }
    }
    #[inline]
    pub fn is(&self, flag: u16) -> bool {
        self.flags & flag != 0
    }
    #[inline]
    pub fn set(&mut self, flag: u16, on: bool) {
        if on {
            self.flags |= flag;
        } else {
            self.flags &= !flag;
        }
    }
}
