//! The longitudinal decisions of all vehicles from state(t): what [`following`](crate::sim::phases::following) and
//! [`deciding`](crate::sim::phases::deciding) say of each, and the announcements at the junctions in between.

use crate::ids::LaneId;

use crate::sim::models::right_of_way::approach::{ApproachEntry, FarApproach};
use crate::sim::partition::Partition;
use crate::sim::partition::scratch::{Scratch, Yielding};
use crate::sim::phases::following::FollowPlan;
use crate::sim::prefetch::{Ahead, prefetch};
use crate::sim::random;
use crate::sim::vehicle::Vehicle;
use crate::sim::view::View;

impl Partition {
    /// Decides the motion of every vehicle that is moved here, from state(t).
    pub(in crate::sim) fn plan_moves(&mut self, now_ms: i64) {
        let Self { world, scope, lanes, signals, plans, transfers, scratch, .. } = self;
        let Scratch { approaches, first, yielding, moves, .. } = scratch;
        let key = random::step_key(world.settings.seed, now_ms as u64);
        approaches.clear();
        moves.clear();
        yielding.clear();
        let view = View { world, lanes, signals, plans, transfers, approaches: None, now_ms };
        let coming = Ahead::new(&lanes.busy, world.network.lanes.len());
        for (at, &lane) in lanes.busy.iter().enumerate() {
            // What the next lanes need comes while this one is worked on.
            if let Some(&soon) = coming.get(at + 12) {
                lanes.vehicles.prefetch(soon);
                prefetch(&world.network.lanes, soon.index());
            }
            if let Some(&soon) = coming.get(at + 6) {
                view.prefetch_link(soon);
            }
            if let Some(&soon) = coming.get(at + 4) {
                view.prefetch_next(soon);
            }
            if let Some(&soon) = coming.get(at + 2) {
                view.prefetch_junction(soon);
            }
            let is_moved = scope.is_moved[lane.index()];
            first[lane.index()] = moves.len() as u32;
            let length = world.network.lane(lane).length_m;
            let mut ahead: Option<&Vehicle> = None;
            let mut ahead_m = 0.0;
            for (index, vehicle) in lanes.on(lane).iter().enumerate() {
                let index = index as u32;
                let driver = view.driver(vehicle);
                let seen = length - vehicle.pos_m;
                let (speed, is_led) = view.follow(vehicle, ahead, lane);
                let mut plan = FollowPlan {
                    speed,
                    is_led,
                    ahead_m,
                    look_m: view.look_beyond_lane(driver, vehicle.speed_mps, seen),
                    ..FollowPlan::default()
                };
                let is_near = seen < plan.look_m;
                if seen < world.announce_m {
                    plan.link = view.own_link(vehicle, lane);
                    if is_near || world.network.lane(lane).internal {
                        view.announce(vehicle, lane, &mut plan, |link, coming| {
                            approaches.add(link, ApproachEntry::Near(coming));
                        });
                    } else if plan.link.is_some() && world.watched.has(plan.link.index()) {
                        let FollowPlan { speed, is_led, ahead_m, .. } = plan;
                        approaches
                            .add(plan.link, ApproachEntry::Far(FarApproach { lane, index, speed, is_led, ahead_m }));
                    }
                }
                if is_moved {
                    let decided = view.decide(vehicle, lane, &plan, key);
                    if decided.is_none() {
                        yielding.push(Yielding { lane, index, at: moves.len() as u32, plan });
                    }
                    moves.push(decided.unwrap_or_default());
                }
                ahead_m += driver.length_with_gap();
                ahead = Some(vehicle);
            }
        }
        let view = View { approaches: Some(approaches), ..view };
        let coming = Ahead::new(yielding, world.network.lanes.len());
        for (turn, Yielding { lane, index, at, plan }) in yielding.iter().enumerate() {
            if let Some(soon) = coming.get(turn + 9) {
                lanes.vehicles.prefetch_at(soon.lane, soon.index);
                prefetch(&world.network.lanes, soon.lane.index());
                prefetch(&world.network.links, soon.plan.link.index());
            }
            if let Some(soon) = coming.get(turn + 6) {
                view.prefetch_yielding(soon.plan.link);
            }
            if let Some(soon) = coming.get(turn + 3) {
                view.prefetch_foes(soon.plan.link);
            }
            moves[*at as usize] = view.decide(&lanes.on(*lane)[*index as usize], *lane, plan, key).unwrap_or_default();
        }
    }

    /// Where the moves of a lane's vehicles begin.
    pub(in crate::sim) fn first_move(&self, lane: LaneId) -> usize {
        self.scratch.first[lane.index()] as usize
    }
}
