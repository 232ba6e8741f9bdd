//! Vehicles that came to overlap on a lane. The rules of driving avoid it, but not where several streams meet behind a
//! junction, or where a leader brakes harder than anyone expects. As in SUMO (`collision.action`, default `teleport`), the
//! rear vehicle is then taken off the lane.

use crate::ids::LaneId;

use super::partition::Partition;
use super::report::{Collision, TeleportCause};
use super::vehicle::Vehicle;
use super::world::World;

/// Overlaps up to this are rounding, metres.
const OVERLAP_EPS_M: f64 = 1e-6;

/// Whether the front of `follower` is beyond the back of the vehicle before it.
#[inline]
pub(super) fn overlap(world: &World, leader: &Vehicle, follower: &Vehicle) -> bool {
    leader.pos - world.types[usize::from(leader.vtype)].driver.length < follower.pos - OVERLAP_EPS_M
}

impl Partition {
    /// Settles the overlaps on the lanes that are noted as crowded.
    pub(super) fn settle_collisions(&mut self, now_ms: i64) {
        let mut crowded = std::mem::take(&mut self.crowded);
        if !self.world.settings.collisions_ignored {
            crowded.sort_unstable();
            crowded.dedup();
            crowded.iter().for_each(|lane| self.settle_on(*lane, now_ms));
        }
        crowded.clear();
        self.crowded = crowded;
    }

    fn settle_on(&mut self, lane: LaneId, now_ms: i64) {
        let own = self.scope.owned[lane.index()];
        let mut at = 1;
        while let [leader, follower] = self.lanes.on(lane)[at - 1..(at + 1).min(self.lanes.on(lane).len())] {
            if overlap(&self.world, &leader, &follower) {
                self.lanes.vehicles.remove(lane, at);
                if own && self.world.requests.events.collisions {
                    self.report.collisions.push(Collision {
                        lane,
                        collider: follower.id,
                        victim: leader.id,
                        collider_speed_mps: follower.speed,
                        victim_speed_mps: leader.speed,
                        collider_pos_m: follower.pos,
                        victim_pos_m: leader.pos,
                    });
                }
                self.take_off(follower, lane, TeleportCause::Collision, own, now_ms);
            } else {
                at += 1;
            }
        }
    }
}
