//! Frames of roads and stored states of partitions: their checksums are right, what they hold may be anything. What is taken
//! over is stepped.

use std::cell::RefCell;
use std::sync::Arc;

use tessds::graph::partition::random_cut;
use tessds::sim::report::StepReport;
use tessds::sim::{
    GuidanceState, Mirror, Partition, PartitionState, ReportOptions, RouteGuidance, Scope, StateError, World,
};
use xxhash_rust::xxh3::xxh3_64;

use crate::common::demand::{Random, random_world};
use crate::common::exchange::Exchanging;

/// Steps after which frames and states are kept.
const KEPT: std::ops::Range<u64> = 60..76;

/// A run of two partitions, of which the second receives frames.
struct Run {
    world: Arc<World>,
    scope: Scope,
    roads: Mirror,
    /// Without their checksums.
    frames: Vec<Vec<u8>>,
    states: Vec<PartitionState>,
    /// Takes one frame after the other.
    receiver: Partition,
}

impl Run {
    fn new() -> Self {
        // The generator decides about rerouting; these runs have it.
        let (world, _) = (0..)
            .map(|seed| random_world("actuated", 60, 1000, &mut Random(seed)))
            .find(|(world, _)| world.routing.is_some())
            .expect("some have it");
        let cut = random_cut(&world.network, 2, 3).expect("a cut");
        let mut run = Exchanging::new(&world, &cut);
        let (mut frames, mut states) = (Vec::new(), Vec::new());
        for step in 0..KEPT.end {
            if KEPT.contains(&step) {
                run.export();
                let exchange = run.exchanges.iter().find(|exchange| exchange.to == 1).expect("a neighbour");
                frames.push(exchange.bytes[..exchange.bytes.len() - size_of::<u64>()].to_vec());
                states.push(run.partitions[1].save());
            }
            run.step();
        }
        let exchange = run.exchanges.into_iter().find(|exchange| exchange.to == 1).expect("a neighbour");
        let receiver = run.partitions.pop().expect("two partitions");
        let scope = receiver.scope().clone();
        Self { world, scope, roads: exchange.roads, frames, states, receiver }
    }

    fn new_partition(&self) -> Partition {
        Partition::new(Arc::clone(&self.world), self.scope.clone())
    }
}

thread_local! {
    static RUN: RefCell<Run> = RefCell::new(Run::new());
}

fn step(mut partition: Partition) {
    for _ in 0..2 {
        partition.step(ReportOptions { fcd: true, digest: true, unfinished: true });
    }
    partition.unfinished();
    partition.save();
}

pub fn frames() -> Vec<Vec<u8>> {
    RUN.with_borrow(|run| run.frames.clone())
}

/// Every eighth frame that is taken over is taken over by a partition of its own, and stepped.
pub fn frame(bytes: &[u8]) -> bool {
    RUN.with_borrow_mut(|run| {
        let frame = [bytes, &xxh3_64(bytes).to_le_bytes()].concat();
        let is_good = run.receiver.import(&run.roads, &frame).is_ok();
        if is_good && xxh3_64(bytes).is_multiple_of(8) {
            let mut partition = run.new_partition();
            partition.restore(run.states.last().expect("states")).expect("its own state");
            partition.import(&run.roads, &frame).expect("it was taken over before");
            step(partition);
        }
        is_good
    })
}

pub fn snapshots() -> Vec<Vec<u8>> {
    let states: Vec<PartitionState> = RUN.with_borrow(|run| run.states.clone());
    let guidance = RUN.with_borrow(|run| {
        let mut guidance = RouteGuidance::new(&run.world);
        guidance.observe(&StepReport::default());
        rmp_serde::to_vec(&guidance.state()).expect("plain data")
    });
    let bytes = states.iter().map(|state| rmp_serde::to_vec(state).expect("plain data"));
    bytes.chain([guidance]).collect()
}

pub fn snapshot(bytes: &[u8]) -> bool {
    RUN.with_borrow(|run| partition(run, bytes) | guidance(run, bytes))
}

/// A state is given the digest that it should have: else hardly one that was changed would be taken over.
fn partition(run: &Run, bytes: &[u8]) -> bool {
    let Ok(mut state) = rmp_serde::from_slice::<PartitionState>(bytes) else { return false };
    let mut partition = run.new_partition();
    let mut restored = partition.restore(&state);
    if let Err(StateError::Digest { found, .. }) = restored {
        state.digest = found;
        partition = run.new_partition();
        restored = partition.restore(&state);
    }
    let mut share = run.new_partition();
    if share.restore_share(std::slice::from_ref(&state)).is_ok() {
        step(share);
    }
    if restored.is_ok() {
        step(partition);
    }
    restored.is_ok()
}

fn guidance(run: &Run, bytes: &[u8]) -> bool {
    let Ok(Some(state)) = rmp_serde::from_slice::<Option<GuidanceState>>(bytes) else { return false };
    let Ok(mut guidance) = RouteGuidance::restored(&run.world, Some(state)) else { return false };
    for time_ms in (0..90_000).step_by(1000) {
        guidance.observe(&StepReport { time_ms, ..StepReport::default() });
        while guidance.take_orders().is_some() {}
    }
    true
}
