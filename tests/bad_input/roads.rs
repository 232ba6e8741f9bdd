//! Damaged frames of neighbours and damaged snapshots whose checksums are right: each is refused with a reason that names the
//! field, and nothing panics.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;
use tessds::graph::partition::random_cut;
use tessds::ids::{LaneId, RouteId, VehicleId};
use tessds::sim::{HaloError, Mirror, Partition, PartitionState, ReportOptions, Scope, StateError, Vehicle, World};
use xxhash_rust::xxh3::xxh3_64;

use crate::common::demand::{Random, random_world};
use crate::common::exchange::Exchanging;

const STEPS: u64 = 90;

/// The receiver of a frame, as it was stored after [`STEPS`], and the frame for it.
struct Case {
    world: Arc<World>,
    scope: Scope,
    state: PartitionState,
    roads: Mirror,
    /// Without the checksum.
    content: Vec<u8>,
}

impl Case {
    fn new(net: &str) -> Self {
        let (world, _) = random_world(net, 150, 1000, &mut Random(4));
        let cut = random_cut(&world.network, 2, 3).expect("a cut");
        let mut run = Exchanging::new(&world, &cut);
        (0..STEPS).for_each(|_| run.step());
        run.export();
        let exchange = run.exchanges.into_iter().find(|exchange| exchange.to == 1).expect("a neighbour");
        let receiver = &run.partitions[1];
        let content = exchange.bytes[..exchange.bytes.len() - 8].to_vec();
        let (scope, state) = (receiver.scope().clone(), receiver.save());
        Self { world, scope, state, roads: exchange.roads, content }
    }

    /// A receiver that has taken the frame over is stepped.
    fn import(&self, content: &[u8]) -> Result<(), HaloError> {
        let frame = [content, &xxh3_64(content).to_le_bytes()].concat();
        let mut receiver = Partition::new(Arc::clone(&self.world), self.scope.clone());
        receiver.restore(&self.state).expect("its own state");
        receiver.import(&self.roads, &frame)?;
        receiver.step(ReportOptions::default());
        Ok(())
    }

    /// The frame with the first vehicle on a lane changed.
    fn with(&self, change: impl Fn(&mut Vehicle)) -> Vec<u8> {
        let mut content = self.content.clone();
        let mut at = 0;
        while content[at..at + 4] == [0; 4] {
            at += 4;
        }
        let record = &mut content[at + 4..at + 4 + size_of::<Vehicle>()];
        let mut vehicle: Vehicle = bytemuck::pod_read_unaligned(record);
        change(&mut vehicle);
        record.copy_from_slice(bytemuck::bytes_of(&vehicle));
        content
    }
}

#[test]
fn a_frame_with_an_impossible_vehicle_is_refused() {
    let case = Case::new("lights");
    assert_eq!(case.import(&case.with(|_| {})), Ok(()));
    let refused = |change: fn(&mut Vehicle), expected: &str| {
        let error = case.import(&case.with(change)).expect_err(expected);
        let HaloError::BadVehicle { field, .. } = error else { panic!("{expected}: {error}") };
        assert_eq!(field, expected);
    };
    refused(|v| v.id = VehicleId(150), "id");
    refused(|v| v.id = VehicleId::NONE, "id");
    refused(|v| v.vtype = 9, "vtype");
    refused(|v| v.route = RouteId(1_000_000), "route");
    refused(|v| v.route_index = u16::MAX, "route_index");
    refused(|v| v.route_index += 1, "route_index");
    refused(|v| v.stops_done = 9, "stops_done");
    refused(|v| v.came_from = LaneId(1_000_000), "came_from");
    refused(|v| v.depart_lane = LaneId::NONE, "depart_lane");
    refused(|v| v.flags |= 1 << 15, "flags");
    refused(|v| v.pos_m = f64::NAN, "pos");
    refused(|v| v.pos_m = -1.0, "pos");
    refused(|v| v.pos_m = 1e6, "pos");
    refused(|v| v.speed_mps = f64::INFINITY, "speed");
    refused(|v| v.speed_mps = -1.0, "speed");
    refused(|v| v.speed_factor = 1.25, "speed_factor");
    refused(|v| v.accel_mps2 = f32::NAN, "number");
    refused(|v| v.advice_mps = f32::NAN, "advice");
    refused(|v| v.time_loss_s = f64::NAN, "number");
    refused(|v| v.waiting_total_ms = u32::MAX, "waiting or stopping time");
    // What is derived is never read.
    let derived = case.with(|v| (v.plan, v.link) = (u32::MAX, tessds::ids::LinkId(7)));
    assert_eq!(case.import(&derived), Ok(()));
}

#[test]
fn a_frame_whose_bytes_changed_on_the_way_is_refused() {
    let case = Case::new("lights");
    let frame = [&case.content[..], &xxh3_64(&case.content).to_le_bytes()].concat();
    let mut receiver = Partition::new(Arc::clone(&case.world), case.scope.clone());
    receiver.restore(&case.state).expect("its own state");
    for at in (0..frame.len()).step_by(7) {
        let mut damaged = frame.clone();
        damaged[at] ^= 1 << (at % 8);
        assert_eq!(receiver.import(&case.roads, &damaged), Err(HaloError::Checksum), "byte {at}");
    }
    assert_eq!(receiver.import(&case.roads, &[]), Err(HaloError::CutOff(0)));
    assert_eq!(receiver.import(&case.roads, &frame), Ok(()));
}

#[test]
fn a_frame_of_another_length_is_refused() {
    let case = Case::new("lights");
    for length in (0..case.content.len()).step_by(5) {
        let error = case.import(&case.content[..length]).expect_err("a part of the frame");
        assert!(matches!(error, HaloError::CutOff(_)), "{length}: {error}");
    }
    let longer = [&case.content[..], &[0; 3]].concat();
    assert_eq!(case.import(&longer), Err(HaloError::TooLong(3)));
    let mut endless = case.content.clone();
    endless[..4].fill(0xff);
    assert!(matches!(case.import(&endless), Err(HaloError::CutOff(_))));
}

/// Signals are at the end of a frame: program, phase, three times, and how many switches were made.
#[test]
fn a_frame_with_an_impossible_signal_is_refused() {
    let case = Case::new("actuated");
    assert_eq!(case.import(&case.content), Ok(()));
    assert!(!case.roads.signals.is_empty(), "signals are exchanged");
    let signals = case.roads.signals.iter().map(|signal| {
        let loops = case.world.loops.of(*signal).map_or(0, |loops| loops.loops.len());
        (6 + 3 * loops) * 8
    });
    let start = case.content.len() - signals.sum::<usize>();
    let refused = |word: usize, number: i64, expected: &str| {
        let mut content = case.content.clone();
        content[start + 8 * word..][..8].copy_from_slice(&number.to_le_bytes());
        let error = case.import(&content).expect_err(expected);
        let HaloError::BadSignal { field, .. } = error else { panic!("{expected}: {error}") };
        assert_eq!(field, expected);
    };
    refused(0, 77, "program");
    refused(0, -1, "program");
    refused(1, 77, "phase");
    refused(2, i64::MIN, "since_ms or cycle_ms");
    refused(3, i64::MIN, "until_ms");
    refused(4, 77, "switched");
    refused(5, i64::MAX, "since_ms or cycle_ms");
    refused(6, i64::MIN, "loops");
}

/// By edge the vehicles that wait; new routes; vehicles that were taken away.
type Departures = (Vec<(u32, Vec<u32>)>, Vec<(u32, u32, u16)>, Vec<u32>);
type Signal = (u32, (u32, u32, i64, i64, u32, i64, Vec<(i64, i64, i64)>));

/// A [`PartitionState`] of a run without orders and measurements, with all that is private in the original.
#[derive(Clone, Serialize, Deserialize)]
struct Stored {
    part: u16,
    steps: u64,
    digest: u128,
    lanes: Vec<u32>,
    edges: Vec<u32>,
    vehicles: ByteBuf,
    transfers: ByteBuf,
    taken_dm: Vec<(u32, u16)>,
    signals: Vec<Signal>,
    other_signals: Vec<Signal>,
    standing: Orders,
    departures: Departures,
    /// Spans, how many are the demand's, and the edges of the others.
    routes: (Vec<(u32, u32)>, u64, Vec<u32>),
    measures: (Vec<(u32, i64, Vec<()>)>,),
    edge_speeds: (Vec<i64>,),
    counts: Vec<i64>,
    past: u128,
    ordered: (u32, Vec<()>, bool, Vec<()>),
}

#[derive(Clone, Serialize, Deserialize)]
struct Orders {
    limits: BTreeMap<u32, f64>,
    closed: BTreeSet<u32>,
    blocks: BTreeMap<u32, (f64, f64, i64)>,
    steered: BTreeSet<u32>,
    fixed: BTreeMap<u32, Vec<()>>,
    paces: BTreeMap<u32, f64>,
    added: Vec<()>,
}

#[test]
fn a_snapshot_that_does_not_fit_is_refused_although_its_checksum_is_right() {
    let case = Case::new("actuated");
    let stored: Stored = rmp_serde::from_slice(&rmp_serde::to_vec(&case.state).expect("plain data")).expect("its form");
    let restore = |stored: &Stored| {
        let state: PartitionState =
            rmp_serde::from_slice(&rmp_serde::to_vec(stored).expect("plain data")).expect("the same form");
        let mut partition = Partition::new(Arc::clone(&case.world), case.scope.clone());
        let own = partition.restore(&state);
        let mut whole = Partition::new(Arc::clone(&case.world), case.scope.clone());
        // Another cut refuses it, too; only who owns what does not matter there.
        let share = whole.restore_share(&[state]);
        (own, share)
    };
    assert_eq!(restore(&stored), (Ok(()), Ok(())));
    let refused = |change: &dyn Fn(&mut Stored), expected: &'static str| {
        let mut damaged = stored.clone();
        change(&mut damaged);
        let (own, share) = restore(&damaged);
        for result in [own, share] {
            match result.expect_err(expected) {
                StateError::Content(what) => assert_eq!(what, expected),
                StateError::Roads(HaloError::BadVehicle { field, .. }) => assert_eq!(field, expected),
                error => panic!("{expected}: {error}"),
            }
        }
    };
    refused(&|s| s.steps = u64::MAX, "number of steps");
    refused(&|s| s.steps = 1 << 59, "number of steps");
    refused(&|s| s.lanes[0] = 1_000_000, "lanes");
    refused(&|s| s.taken_dm = vec![(1_000_000, 75)], "lanes");
    refused(&|s| s.edges = vec![1_000_000], "edges");
    refused(&|s| s.edges = vec![1, 1], "edges");
    refused(&|s| s.vehicles[4 + 16] = 0xff, "id");
    refused(&|s| s.signals[0].0 = 99, "signals");
    refused(&|s| s.signals[0].1.0 = 99, "signals");
    refused(&|s| s.signals[0].1.1 = 99, "signals");
    refused(&|s| s.signals[0].1.6.truncate(0), "signals");
    refused(
        &|s| {
            s.standing.limits.insert(1_000_000, 3.0);
        },
        "speed limits",
    );
    refused(
        &|s| {
            s.standing.limits.insert(0, f64::NAN);
        },
        "speed limits",
    );
    refused(
        &|s| {
            s.standing.closed.insert(1_000_000);
        },
        "closed lanes",
    );
    refused(
        &|s| {
            s.standing.blocks.insert(1_000_000, (1.0, 2.0, 3));
        },
        "blocked sections",
    );
    refused(
        &|s| {
            s.standing.steered.insert(99);
        },
        "signals with orders",
    );
    refused(
        &|s| {
            s.standing.fixed.insert(0, Vec::new());
        },
        "aspects of signals",
    );
    refused(
        &|s| {
            s.standing.paces.insert(0, f64::NAN);
        },
        "speeds of vehicles",
    );
    refused(&|s| s.departures.0.push((0, vec![1_000_000])), "departures");
    refused(&|s| s.departures.0.push((1_000_000, Vec::new())), "departures");
    refused(&|s| s.departures.1.push((1_000_000, 0, 0)), "departures");
    refused(&|s| s.departures.1.push((0, 1_000_000, 0)), "departures");
    refused(&|s| s.departures.2.push(1_000_000), "departures");
    refused(&|s| s.routes.0[0].1 += 1, "routes");
    refused(&|s| s.routes.0.push((0, 1)), "routes");
    refused(&|s| (s.routes.0.push((0, 1)), s.routes.2.push(1_000_000)).1, "routes");
    refused(&|s| s.routes.1 = 0, "routes");
    refused(&|s| s.measures.0.push((0, 0, Vec::new())), "measurements");
    refused(&|s| s.edge_speeds.0 = vec![1; 1_000_000], "edge speeds");
    refused(&|s| s.counts[1] = i64::MAX, "counts");
    refused(&|s| s.ordered.0 = u32::MAX, "replaced routes");
    // What else is wrong shows in the digest.
    let mut another = stored.clone();
    another.past ^= 1;
    assert!(matches!(restore(&another).0, Err(StateError::Digest { .. })));
    another.part = 0;
    assert_eq!(restore(&another).0, Err(StateError::Part { saved: 0, expected: 1 }));
}
