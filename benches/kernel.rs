//! Speed of the kernel: `cargo bench --bench kernel`.

#[path = "../tests/common/mod.rs"]
mod common;

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput};
use tessds::demand::{VehicleClass, VehicleType};
use tessds::scenario::{OutputRequests, Settings};
use tessds::sim::{Driver, Partition, ReportOptions, Scope, World};

/// Steps that fill the network first, and those that are measured then.
const WARM_UP: u64 = 600;
const MEASURED: u64 = 100;

fn partition(world: &Arc<World>) -> Partition {
    let scope = Scope::new(world, 0, &vec![0; world.network.edges.len()]);
    let mut partition = Partition::new(Arc::clone(world), scope);
    for _ in 0..WARM_UP {
        partition.step(ReportOptions::default());
    }
    partition
}

/// Measures steps of a filled network; the throughput is in vehicle updates.
fn steps(criterion: &mut Criterion, name: &str, world: &Arc<World>) {
    let run = || {
        let mut partition = partition(world);
        let begin = Instant::now();
        for _ in 0..MEASURED {
            black_box(partition.step(ReportOptions::default()));
        }
        begin.elapsed()
    };
    let updates = {
        let mut partition = partition(world);
        let mut so_far = || partition.step(ReportOptions::default()).counts.vehicle_updates;
        let before = so_far();
        (1..MEASURED).for_each(|_| {
            so_far();
        });
        so_far() - before
    };
    let mut group = criterion.benchmark_group("step");
    group.sample_size(10).throughput(Throughput::Elements(updates));
    group.bench_function(name, |b| b.iter_custom(|rounds| (0..rounds).map(|_| run()).sum::<Duration>()));
    group.finish();
}

fn car_following(criterion: &mut Criterion) {
    let driver = Driver::new(&VehicleType::default_of("car", VehicleClass::Passenger), 1.0);
    criterion.bench_function("car following", |b| {
        b.iter(|| driver.follow_speed(black_box(13.0), black_box(21.5), black_box(11.0), black_box(4.5)));
    });
    criterion.bench_function("secure gap for a lane change", |b| {
        b.iter(|| driver.secure_gap(black_box(13.0), black_box(11.0), black_box(4.5)));
    });
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    car_following(&mut criterion);
    let town = common::scenarios::scenario(&common::scenarios::helsinki(), 3600);
    let town = World::new(town.network, town.demand, town.settings, town.requests);
    steps(&mut criterion, "town", &Arc::new(town));
    // Turn lanes: much of the work is changing lanes.
    let network = common::scenarios::net("turn_lanes");
    let demand = common::demand::random_walks(&network, 600, 900, 1);
    let settings = Settings::default();
    let lanes = World::new(network, demand, settings, OutputRequests::default());
    steps(&mut criterion, "turn lanes", &Arc::new(lanes));
    criterion.final_summary();
}
