//! Vehicles that came to overlap on a lane. The rules of driving avoid it, but not where several streams meet behind a
//! junction, or where a leader brakes harder than anyone expects. As in SUMO (`collision.action`), the rear vehicle is then taken
//! off the lane, or both are taken out, or they drive on and are counted.

use crate::ids::LaneId;

use crate::sim::partition::Partition;
use crate::sim::report::{Collision, TeleportCause, Vaporized};
use crate::sim::settings::{CollisionAction, Settings};
use crate::sim::vehicle::Vehicle;
use crate::sim::world::{TypeParams, World};

/// Overlaps up to this are rounding, metres.
const OVERLAP_EPS_M: f64 = 1e-6;

/// Gap below which two vehicles may have collided, metres; whether they have is decided for the few pairs that are so close.
pub(in crate::sim) fn widest_collision_gap_m(settings: &Settings, types: &[TypeParams]) -> f64 {
    let factor = settings.collisions.min_gap_factor.unwrap_or(0.0);
    types.iter().map(|t| t.driver.min_gap_m * factor).fold(0.0, f64::max) - OVERLAP_EPS_M
}

/// Whether two vehicles that follow each other on a lane are close enough to have collided.
#[inline]
pub(in crate::sim) fn may_collide(world: &World, leader: &Vehicle, follower: &Vehicle) -> bool {
    leader.pos_m - world.types[usize::from(leader.vtype)].driver.length_m < follower.pos_m + world.collision_gap_m
}

/// Whether a gap in metres is a collision for the driver of the rear vehicle: without `collision.mingap-factor` an overlap, with
/// it also a gap below that share of the minimum gap.
fn is_collision(world: &World, gap_m: f64, follower: &Vehicle) -> bool {
    let factor = world.settings.collisions.min_gap_factor.unwrap_or(0.0);
    gap_m < world.types[usize::from(follower.vtype)].driver.min_gap_m * factor - OVERLAP_EPS_M
}

impl Partition {
    /// Settles the overlaps on the lanes that are noted as crowded.
    pub(in crate::sim) fn settle_collisions(&mut self, now_ms: i64) {
        let mut crowded = std::mem::take(&mut self.scratch.crowded);
        if self.world.settings.collisions.action != CollisionAction::Ignore {
            crowded.sort_unstable();
            crowded.dedup();
            crowded.iter().for_each(|lane| self.settle_on(*lane, now_ms));
        }
        crowded.clear();
        self.scratch.crowded = crowded;
    }

    fn settle_on(&mut self, lane: LaneId, now_ms: i64) {
        let own = self.scope.owned[lane.index()];
        let world = std::sync::Arc::clone(&self.world);
        let mut at = 1;
        while let [leader, follower] = self.lanes.on(lane)[at - 1..(at + 1).min(self.lanes.on(lane).len())] {
            let gap_m = leader.pos_m - world.types[usize::from(leader.vtype)].driver.length_m - follower.pos_m;
            if !is_collision(&world, gap_m, &follower) {
                at += 1;
                continue;
            }
            match world.settings.collisions.action {
                CollisionAction::Ignore => return,
                CollisionAction::Warn => {
                    if own && self.collides_first(gap_m, &leader, &follower, now_ms) {
                        self.counts.collisions += 1;
                        self.tell_collision(lane, &leader, &follower);
                    }
                    at += 1;
                }
                CollisionAction::Teleport => {
                    self.lanes.vehicles.remove(lane, at);
                    if own {
                        self.tell_collision(lane, &leader, &follower);
                    }
                    self.take_off(follower, lane, TeleportCause::Collision, own, now_ms);
                }
                CollisionAction::Remove => {
                    self.lanes.vehicles.remove(lane, at);
                    self.lanes.vehicles.remove(lane, at - 1);
                    if own {
                        self.counts.collisions += 1;
                        self.tell_collision(lane, &leader, &follower);
                    }
                    for vehicle in [leader, follower] {
                        self.vaporize(&vehicle, lane, Vaporized::Collision, own, now_ms);
                    }
                    // Those that come together now are looked at, too.
                    at = (at - 1).max(1);
                }
            }
        }
    }

    /// Reports a collision if somebody wants to know.
    fn tell_collision(&mut self, lane: LaneId, leader: &Vehicle, follower: &Vehicle) {
        if self.world.measures.events.collisions {
            self.report.collisions.push(Collision {
                lane,
                collider: follower.id,
                victim: leader.id,
                collider_speed_mps: follower.speed_mps,
                victim_speed_mps: leader.speed_mps,
                collider_pos_m: follower.pos_m,
                victim_pos_m: leader.pos_m,
            });
        }
    }

    /// Whether two vehicles that go on after their collision have come together in this step: before it they were apart, or one
    /// of them was not there.
    fn collides_first(&self, gap_m: f64, leader: &Vehicle, follower: &Vehicle, now_ms: i64) -> bool {
        let gap_before_m = gap_m - (leader.speed_mps - follower.speed_mps) * self.world.dt;
        let last_step_ms = now_ms - self.world.settings.step_ms;
        let is_new = |vehicle: &Vehicle| i64::from(vehicle.depart_ms) >= last_step_ms;
        is_new(leader) || is_new(follower) || !is_collision(&self.world, gap_before_m, follower)
    }
}
