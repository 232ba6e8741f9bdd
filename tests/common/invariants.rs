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
        vehicles.sort_by(|a, b| b.pos.total_cmp(&a.pos).then(a.id.cmp(&b.id)));
        let name = || world.network.lane_name(lane);
        let vehicle_name = |v: &Vehicle| &world.demand.departures[v.id.index()].name;
        for v in &vehicles {
            if !(v.pos >= 0.0 && v.pos <= world.network.lane(lane).length_m + 1e-6 && v.speed >= 0.0) {
                return Err(format!("{} is at {} m of {} with {} m/s", vehicle_name(v), v.pos, name(), v.speed));
            }
        }
        for pair in vehicles.windows(2) {
            let (leader, follower) = (pair[0], pair[1]);
            let back = leader.pos - world.types[usize::from(leader.vtype)].driver.length;
            if back < follower.pos - 1e-6 {
                return Err(format!(
                    "on {} the back of {} is at {back} m ({} m/s), behind the front of {} at {} m ({} m/s)",
                    name(),
                    vehicle_name(leader),
                    leader.speed,
                    vehicle_name(follower),
                    follower.pos,
                    follower.speed
                ));
            }
        }
    }
    Ok(())
}
