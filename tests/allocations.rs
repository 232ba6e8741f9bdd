//! A step allocates nothing once all lists have their size: neither the kernel nor the exchange between partitions. The
//! allocator of this program counts, for the thread that steps.

mod common;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::Arc;

use tessds::demand::{
    ArrivalLane, ArrivalPos, ArrivalSpeed, Demand, DepartLane, DepartPos, DepartSpeed, Departure, RouteOrigin,
    VehicleClass, VehicleType,
};
use tessds::graph::partition::{Cut, random_cut};
use tessds::graph::{EdgeKind, Network, Span};
use tessds::ids::{EdgeId, RouteId, TypeId};
use tessds::sim::{MeasureSpec, RecordedEvents, Settings, World};

use common::demand::{Random, walk};
use common::exchange::Exchanging;

struct Counting;

thread_local! {
    /// Allocations of this thread since it began to count; `None`: it does not.
    static COUNTED: Cell<Option<u64>> = const { Cell::new(None) };
}

fn count() {
    // Threads that end have no cell any more.
    let _ = COUNTED.try_with(|counted| counted.set(counted.get().map(|allocations| allocations + 1)));
}

// SAFETY: everything is done by the allocator of the system.
#[allow(unsafe_code, reason = "an allocator cannot be had without")]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        unsafe { System.alloc(layout) }
    }
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count();
        unsafe { System.alloc_zeroed(layout) }
    }
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        unsafe { System.realloc(block, layout, size) }
    }
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        unsafe { System.dealloc(block, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Allocations while `work` is done.
fn allocations(work: impl FnOnce()) -> u64 {
    COUNTED.set(Some(0));
    work();
    COUNTED.take().unwrap_or_default()
}

/// Steps until all lists have their size, and steps that are counted.
const WARM_UP: u64 = 1300;
const COUNTED_STEPS: u64 = 300;
/// A list may come to a length that it never had. What allocates in every step, or for every departure, lane change or arrival,
/// does so at least 20 times.
const GROWTH: u64 = 3;

/// On each of a few roads a car departs every few seconds, on one of two ways: vehicles queue, change lanes, arrive.
fn steady_traffic(network: &Network) -> Demand {
    let mut random = Random(3);
    let mut demand =
        Demand { types: vec![VehicleType::default_of("car", VehicleClass::Passenger)], ..Demand::default() };
    let roads: Vec<EdgeId> = (0..network.edges.len())
        .map(EdgeId::new)
        .filter(|edge| network.edge(*edge).kind == EdgeKind::Normal && network.edge(*edge).length_m > 40.0)
        .collect();
    for _ in 0..12 {
        let start = *random.pick(&roads);
        let route = walk(network, start, 4, &mut random);
        demand.routes.push(Span::new(demand.route_edges.len(), route.len()));
        demand.route_edges.extend(route);
    }
    for second in 0..(WARM_UP + COUNTED_STEPS + 100) as i64 {
        if second % 8 > 0 {
            continue;
        }
        let route = RouteId::new((second / 8) as usize % demand.routes.len());
        demand.departures.push(Departure {
            name: format!("v{second}").into(),
            depart_ms: second * 1000,
            vtype: TypeId(0),
            route,
            speed_factor: 1.0,
            depart_lane: DepartLane::Given((second / 8 % 2) as u32),
            depart_pos: DepartPos::Base,
            depart_speed: DepartSpeed::Max,
            arrival_lane: ArrivalLane::Current,
            arrival_pos: ArrivalPos::Max,
            arrival_speed: ArrivalSpeed::Current,
            stops: Span::default(),
            route_origin: RouteOrigin::Given,
            has_rerouting_device: false,
            via: Span::default(),
        });
    }
    demand
}

fn check(parts: u32) {
    let network = common::scenarios::net("lights");
    let demand = steady_traffic(&network);
    let settings = Settings { time_to_teleport_ms: Some(60_000), ..Settings::default() };
    let events = RecordedEvents { lane_changes: true, ..RecordedEvents::default() };
    let measures = MeasureSpec { events, ..MeasureSpec::default() };
    let world = Arc::new(World::new(network, demand, settings, measures));
    let cut = if parts > 1 { random_cut(&world.network, parts, 5).expect("a cut") } else { Cut::whole(&world.network) };
    let mut run = Exchanging::new(&world, &cut);
    for _ in 0..WARM_UP {
        run.step();
    }
    // Departures, lane changes and arrivals.
    let mut seen = [0; 3];
    let mut counted = 0;
    for _ in 0..COUNTED_STEPS {
        counted += allocations(|| run.step());
        for report in &run.reports {
            seen[0] += report.departed.len();
            seen[1] += report.lane_changes.len();
            seen[2] += report.arrivals.len();
        }
    }
    assert!(counted <= GROWTH, "{counted} allocations in {COUNTED_STEPS} steps of {parts} partitions");
    assert!(seen.iter().all(|count| *count > 20), "too little happened: {seen:?}");
}

#[test]
fn a_step_of_one_partition_allocates_nothing() {
    check(1);
}

#[test]
fn a_step_of_two_partitions_with_their_exchange_allocates_nothing() {
    check(2);
}

#[test]
fn a_step_of_three_partitions_with_their_exchange_allocates_nothing() {
    check(3);
}

#[test]
fn allocations_are_counted() {
    assert_eq!(allocations(|| drop(std::hint::black_box(Box::new(1)))), 1);
}
