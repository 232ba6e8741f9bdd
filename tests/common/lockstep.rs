//! A run over a cut in one thread, step by step, without actors: finds the first difference between two cuts.

use std::collections::BTreeMap;
use std::sync::Arc;

use tessds::demand::keep_places;
use tessds::graph::edit::EditedNetwork;
use tessds::graph::join_actuated_signals;
use tessds::graph::partition::Cut;
use tessds::ids::{LaneId, VehicleId};
use tessds::output::MergedStep;
use tessds::sim::{
    EditTally, EditedWorld, GuidanceState, Mirror, Order, Partition, PartitionState, ReportOptions, RouteGuidance,
    RouteOrders, Scope, Vehicle, World,
};

use super::invariants::{conserved, no_overlap};

/// Every cut goes on in new partitions twice in so many steps.
const RESTORE_EVERY: u64 = 60;

/// Orders by the step before which they are applied.
pub type Script = BTreeMap<u64, Vec<Order>>;

/// The stored state of a run.
pub struct Snapshot {
    states: Vec<Vec<u8>>,
    guidance: Option<GuidanceState>,
    routes: Vec<RouteOrders>,
}

/// All partitions of one cut.
pub struct Lockstep {
    world: Arc<World>,
    partitions: Vec<Partition>,
    /// (from, to, roads).
    mirrors: Vec<(usize, usize, Mirror)>,
    guidance: RouteGuidance,
    /// Given out for steps to come.
    routes: Vec<RouteOrders>,
    script: Arc<Script>,
}

impl Lockstep {
    pub fn new(world: &Arc<World>, cut: &Cut) -> Self {
        let mut cut = cut.clone();
        join_actuated_signals(&world.network, &mut cut);
        let partition =
            |part: u32| Partition::new(Arc::clone(world), Scope::new(world, part as u16, &cut.part_of_edge));
        let partitions: Vec<Partition> = (0..cut.parts).map(partition).collect();
        let mut mirrors = Vec::new();
        for (from, sender) in partitions.iter().enumerate() {
            for (to, receiver) in partitions.iter().enumerate().filter(|(to, _)| *to != from) {
                mirrors.push((from, to, sender.mirror_for(receiver.scope())));
            }
        }
        let guidance = RouteGuidance::new(world);
        Self { world: Arc::clone(world), partitions, mirrors, guidance, routes: Vec::new(), script: Arc::default() }
    }

    /// The same with orders to come.
    #[must_use]
    pub fn with_orders(mut self, script: &Arc<Script>) -> Self {
        let step_ms = self.world.settings.step_ms;
        for (step, orders) in &**script {
            let at_ms = self.world.settings.begin_ms + *step as i64 * step_ms;
            self.guidance.order(at_ms, 0, orders.clone());
        }
        self.script = Arc::clone(script);
        self
    }

    /// The uncut network.
    pub fn whole(world: &Arc<World>) -> Self {
        Self::new(world, &Cut::whole(&world.network))
    }

    /// What is stored of a run between two steps, with the states encoded as they are stored.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot {
            states: self.partitions.iter().map(|p| rmp_serde::to_vec(&p.save()).expect("plain data")).collect(),
            guidance: self.guidance.state().cloned(),
            routes: self.routes.clone(),
        }
    }

    /// New partitions that go on from a snapshot, of the same cut or of another one.
    pub fn resumed(world: &Arc<World>, cut: &Cut, snapshot: &Snapshot, same_cut: bool, script: &Arc<Script>) -> Self {
        let mut resumed = Self::new(world, cut);
        let decode = |bytes: &Vec<u8>| rmp_serde::from_slice::<PartitionState>(bytes).expect("as it was encoded");
        let states: Vec<PartitionState> = snapshot.states.iter().map(decode).collect();
        for (partition, own) in resumed.partitions.iter_mut().enumerate().map(|(i, p)| (p, states.get(i))) {
            match own {
                Some(own) if same_cut => partition.restore(own).expect("its own state"),
                _ => partition.restore_share(&states).expect("states of one step"),
            }
        }
        let bytes = rmp_serde::to_vec(&snapshot.guidance).expect("plain data");
        let guidance = rmp_serde::from_slice(&bytes).expect("as it was encoded");
        resumed.guidance = RouteGuidance::restored(world, guidance);
        resumed.routes.clone_from(&snapshot.routes);
        // What the guidance has already it ignores.
        resumed.with_orders(script)
    }

    /// The run from here on in an edited network; `cut` is the present one.
    pub fn edited(&self, cut: &Cut, edited: &EditedNetwork) -> (Self, EditTally) {
        let before = &self.world;
        let EditedNetwork { network, lanes } = edited;
        let mut demand = (*before.demand).clone();
        keep_places(&mut demand, &before.network, network, lanes);
        let after = World::new(network.clone(), demand, before.settings.clone(), before.requests.clone());
        let after = Arc::new(after);
        let mut cuts = [cut.clone(), cut.clone()];
        join_actuated_signals(&before.network, &mut cuts[0]);
        cuts[1].grow(network);
        join_actuated_signals(network, &mut cuts[1]);
        let states: Vec<PartitionState> = self.partitions.iter().map(Partition::save).collect();
        let (parts_before, parts_after) = (&cuts[0].part_of_edge[..], &cuts[1].part_of_edge[..]);
        let world = EditedWorld { before, after: &after, lanes, signals: &[], parts_before, parts_after };
        let carried = world.carry(&states, self.guidance.state().cloned()).expect("its own states");
        let mut run = Self::new(&after, &cuts[1]);
        for (partition, state) in run.partitions.iter_mut().zip(&carried.states) {
            partition.restore(state).expect("its own state");
        }
        run.guidance = RouteGuidance::restored(&after, carried.guidance);
        run.routes.clone_from(&self.routes);
        run.routes.iter_mut().for_each(|routes| world.keep(&mut routes.updates));
        (run, carried.tally)
    }

    pub fn step(&mut self) -> MergedStep {
        for (from, to, mirror) in &self.mirrors {
            let bytes = self.partitions[*from].export(mirror);
            self.partitions[*to].import(mirror, &bytes).expect("an export of the same mirror");
        }
        let now_ms = self.partitions[0].now_ms();
        assert!(self.guidance.hold_ms().is_none_or(|hold_ms| now_ms < hold_ms), "routes come in time");
        if let Some(orders) = self.script.get(&self.partitions[0].steps()) {
            for partition in &mut self.partitions {
                let concerns = |order: &&Order| order.concerns(&self.world.network, partition.scope());
                let orders: Vec<Order> = orders.iter().filter(concerns).cloned().collect();
                partition.apply_orders(&orders);
            }
        }
        let (mut due, later): (Vec<_>, Vec<_>) = self.routes.drain(..).partition(|routes| routes.at_ms <= now_ms);
        self.routes = later;
        due.sort_by_key(|routes| routes.cause);
        for routes in due {
            assert_eq!(routes.at_ms, now_ms, "no step is left out");
            self.partitions.iter_mut().for_each(|p| p.apply_routes(&routes.updates));
        }
        let options = ReportOptions { fcd: true, digest: true, unfinished: true };
        let merged = MergedStep::of(self.partitions.iter_mut().map(|p| p.step(options)));
        self.guidance.observe(&merged);
        self.routes.extend(std::iter::from_fn(|| self.guidance.take_orders()));
        merged
    }

    pub fn partitions(&self) -> &[Partition] {
        &self.partitions
    }

    /// Lane and state of every vehicle on a lane.
    pub fn vehicles(&self) -> BTreeMap<VehicleId, (LaneId, Vehicle)> {
        let mut all = BTreeMap::new();
        for partition in &self.partitions {
            partition.each_vehicle(|lane, vehicle| {
                // The plan's index is no state.
                let twice = all.insert(vehicle.id, (lane, Vehicle { plan: 0, ..*vehicle }));
                assert!(twice.is_none(), "vehicle {} is on two lanes", vehicle.id.0);
            });
        }
        all
    }

    /// What must hold after every step.
    pub fn check(&self, step: &MergedStep) -> Result<(), String> {
        conserved(&step.counts)?;
        no_overlap(self.partitions[0].world(), self.vehicles().values())
    }
}

/// Steps the whole network and every cut of it side by side, and lets the cuts go on from snapshots now and then; tells where they first differ, or where an invariant breaks.
pub fn compare(world: &Arc<World>, cuts: &[Cut], steps: u64, script: Script) -> Result<(), String> {
    let script = Arc::new(script);
    let mut whole = Lockstep::whole(world).with_orders(&script);
    let mut others: Vec<Lockstep> = cuts.iter().map(|cut| Lockstep::new(world, cut).with_orders(&script)).collect();
    for step in 0..steps {
        let is_taken = (0..cuts.len() as u64).any(|index| (step + index) % RESTORE_EVERY == 40);
        let before = is_taken.then(|| whole.snapshot());
        let expected = whole.step();
        whole.check(&expected).map_err(|broken| format!("step {step}: {broken}"))?;
        for (index, other) in others.iter_mut().enumerate() {
            match (step + index as u64) % RESTORE_EVERY {
                // Go on in new partitions from what these saved, and from what the uncut network saved.
                20 => *other = Lockstep::resumed(world, &cuts[index], &other.snapshot(), true, &script),
                40 => {
                    let snapshot = before.as_ref().expect("taken before every such step");
                    *other = Lockstep::resumed(world, &cuts[index], snapshot, false, &script);
                }
                _ => {}
            }
            let found = other.step();
            if found == expected && other.vehicles() == whole.vehicles() {
                continue;
            }
            let what = difference(&whole, other)
                .unwrap_or_else(|| format!("the reports differ beside the road:\n{expected:?}\n{found:?}"));
            return Err(format!("step {step}, cut {index} into {}: {what}", cuts[index].parts));
        }
    }
    Ok(())
}

fn difference(whole: &Lockstep, cut: &Lockstep) -> Option<String> {
    let world = whole.partitions[0].world();
    let (expected, found) = (whole.vehicles(), cut.vehicles());
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
