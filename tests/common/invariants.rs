//! What holds at every step of every run.

use std::collections::BTreeMap;

use tessds::ids::LaneId;
use tessds::sim::report::Counts;
use tessds::sim::{Vehicle, World};

/// I2: nothing lost, nothing twice.
pub fn conserved(counts: &Counts) -> Result<(), String> {
    let there = counts.waiting + counts.running + counts.arrived + counts.discarded;
    if counts.loaded == there {
        return Ok(());
    }
    Err(format!("{} vehicles were loaded, but {there} are there: {counts:?}", counts.loaded))
}

/// Each vehicle is on one lane only, where it belongs, and none overlaps another on its lane.
pub fn no_overlap<'v>(world: &World, vehicles: impl Iterator<Item = &'v (LaneId, Vehicle)>) -> Result<(), String> {
    let mut by_lane: BTreeMap<LaneId, Vec<&Vehicle>> = BTreeMap::new();
    for (lane, vehicle) in vehicles {
        by_lane.entry(*lane).or_default().push(vehicle);
    }
    for (lane, mut vehicles) in by_lane {
        vehicles.sort_by(|a, b| b.pos_m.total_cmp(&a.pos_m).then(a.id.cmp(&b.id)));
        let name = || world.network.lane_name(lane);
        let vehicle_name = |v: &Vehicle| &world.demand.departures[v.id.index()].name;
        for v in &vehicles {
            if !(v.pos_m >= 0.0 && v.pos_m <= world.network.lane(lane).length_m + 1e-6 && v.speed_mps >= 0.0) {
                return Err(format!("{} is at {} m of {} with {} m/s", vehicle_name(v), v.pos_m, name(), v.speed_mps));
            }
        }
        for pair in vehicles.windows(2) {
            let (leader, follower) = (pair[0], pair[1]);
            let back = leader.pos_m - world.types[usize::from(leader.vtype)].driver.length_m;
            if back < follower.pos_m - 1e-6 {
                return Err(format!(
                    "on {} the back of {} is at {back} m ({} m/s), behind the front of {} at {} m ({} m/s)",
                    name(),
                    vehicle_name(leader),
                    leader.speed_mps,
                    vehicle_name(follower),
                    follower.pos_m,
                    follower.speed_mps
                ));
            }
        }
    }
    Ok(())
}
