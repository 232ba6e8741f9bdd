//! Runs over several cuts side by side: finds the first difference between two cuts.

use std::collections::BTreeMap;
use std::sync::Arc;

use tessds::graph::partition::Cut;
use tessds::ids::{LaneId, VehicleId};
use tessds::output::MergedStep;
use tessds::sim::{Order, Partition, Vehicle, World};
use tessds::simulation::{Simulation, Snapshot};

use super::invariants::{conserved, no_overlap};

/// Every cut goes on in new partitions twice in so many steps.
const RESTORE_EVERY: u64 = 60;

/// Orders by the step before which they are applied.
pub type Script = BTreeMap<u64, Vec<Order>>;

/// The uncut network.
pub fn whole(world: &Arc<World>) -> Simulation {
    Simulation::from_world(world, &Cut::whole(&world.network))
}

/// What tests ask of a run.
pub trait Run: Sized {
    /// The same with orders to come.
    #[must_use]
    fn with_orders(self, script: &Script) -> Self;
    /// What happened in the next step.
    fn stepped(&mut self) -> MergedStep;
    /// Goes on in new partitions from the bytes of a snapshot.
    fn resume(&mut self, snapshot: &Snapshot);
    fn first(&self) -> &Partition;
    /// Lane and state of every vehicle on a lane.
    fn by_id(&self) -> BTreeMap<VehicleId, (LaneId, Vehicle)>;
    /// What must hold after every step.
    fn check(&self, step: &MergedStep) -> Result<(), String>;
}

impl Run for Simulation {
    fn with_orders(mut self, script: &Script) -> Self {
        let (now_ms, step_ms) = (self.now_ms(), self.first().world().settings.step_ms);
        for (step, orders) in script {
            for order in orders {
                let at_ms = now_ms + *step as i64 * step_ms;
                self.order_at(at_ms, order.clone()).unwrap_or_else(|error| panic!("{order:?}: {error}"));
            }
        }
        self
    }

    fn stepped(&mut self) -> MergedStep {
        self.step().unwrap_or_else(|error| panic!("{error}")).clone()
    }

    fn resume(&mut self, snapshot: &Snapshot) {
        let snapshot = Snapshot::from_bytes(&snapshot.to_bytes()).unwrap_or_else(|error| panic!("{error}"));
        self.restore(&snapshot).unwrap_or_else(|error| panic!("{error}"));
    }

    fn first(&self) -> &Partition {
        self.partitions().first().expect("there is one at least")
    }

    fn by_id(&self) -> BTreeMap<VehicleId, (LaneId, Vehicle)> {
        let mut all = BTreeMap::new();
        for (lane, vehicle) in self.partitions().iter().flat_map(Partition::vehicles) {
            // The plan's index is no state.
            let twice = all.insert(vehicle.id, (lane, Vehicle { plan: 0, ..*vehicle }));
            assert!(twice.is_none(), "vehicle {} is on two lanes", vehicle.id.0);
        }
        all
    }

    fn check(&self, step: &MergedStep) -> Result<(), String> {
        conserved(&step.counts)?;
        no_overlap(self.first().world(), self.by_id().values())
    }
}

/// Steps the whole network and every cut of it side by side, and lets the cuts go on from snapshots now and then; tells where they first differ, or where an invariant breaks.
pub fn compare(world: &Arc<World>, cuts: &[Cut], steps: u64, script: &Script) -> Result<(), String> {
    let mut whole = whole(world).with_orders(script);
    let mut others: Vec<Simulation> =
        cuts.iter().map(|cut| Simulation::from_world(world, cut).with_orders(script)).collect();
    for step in 0..steps {
        let is_taken = (0..cuts.len() as u64).any(|index| (step + index) % RESTORE_EVERY == 40);
        let before = is_taken.then(|| whole.save());
        let expected = whole.stepped();
        whole.check(&expected).map_err(|broken| format!("step {step}: {broken}"))?;
        for (index, other) in others.iter_mut().enumerate() {
            match (step + index as u64) % RESTORE_EVERY {
                // Go on in new partitions from what these saved, and from what the uncut network saved.
                20 => other.resume(&other.save()),
                40 => other.resume(before.as_ref().expect("taken before every such step")),
                _ => {}
            }
            let found = other.stepped();
            if found == expected && other.by_id() == whole.by_id() {
                continue;
            }
            let what = difference(&whole, other)
                .unwrap_or_else(|| format!("the reports differ beside the road:\n{expected:?}\n{found:?}"));
            return Err(format!("step {step}, cut {index} into {}: {what}", cuts[index].parts));
        }
    }
    Ok(())
}

fn difference(whole: &Simulation, cut: &Simulation) -> Option<String> {
    let world = whole.first().world();
    let (expected, found) = (whole.by_id(), cut.by_id());
    let text = |at: Option<&(LaneId, Vehicle)>| match at {
        Some((lane, vehicle)) => format!("{}: {vehicle:?}", world.network.lane_name(*lane)),
        None => "not on a lane".to_owned(),
    };
    expected.keys().chain(found.keys()).find_map(|id| {
        let (a, b) = (expected.get(id), found.get(id));
        let name = &world.demand.departures[id.index()].name;
        (a != b).then(|| format!("vehicle {name}\n  expected {}\n  found    {}", text(a), text(b)))
    })
}
