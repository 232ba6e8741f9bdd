//! Whoever changes the form of what is stored of a run has to give it another version: the bytes stored of a small run are
//! those that they were when the version was raised last. (What is stored of the recorder: `tests/recorder.rs`.)

use std::sync::Arc;

use crate::common::demand::{Random, random_world};
use crate::common::orders::random_orders;
use crate::common::runs::Run;
use crate::common::saved_form::check;
use tessds::graph::partition::random_cut;
use tessds::ids::{EdgeId, TypeId};
use tessds::scenario::{
    CompiledScenario, DetectorRequest, EmptyEdges, MeanDataLevel, MeanDataRequest, OutputRequests, Revision,
};
use tessds::sim::{Vehicle, World};
use tessds::simulation::Simulation;

const STEPS: u64 = 150;

/// Signals, stops, rerouting, and measurements of both kinds.
fn world() -> (Arc<World>, OutputRequests) {
    let (world, _) = random_world("lights", 150, 1000, &mut Random(5));
    let requests = OutputRequests {
        detectors: vec![DetectorRequest {
            name: "loop".into(),
            lane: world.network.edge(EdgeId(0)).first_lane,
            pos_m: 3.0,
            period_ms: Some(60_000),
            file: "loop.xml".into(),
            vtypes: [TypeId(0)].into(),
        }],
        mean_data: vec![MeanDataRequest {
            empty: EmptyEdges::Defaults,
            edges: [EdgeId(0), EdgeId(1)].into(),
            ..MeanDataRequest::new("means", MeanDataLevel::Lane, "means.xml".into())
        }],
        ..OutputRequests::default()
    };
    let (network, demand) = ((*world.network).clone(), (*world.demand).clone());
    (Arc::new(World::new(network, demand, world.settings.clone(), &requests)), requests)
}

#[test]
fn states_of_partitions_have_the_form_of_their_version() {
    let (world, _) = world();
    let script = Arc::new(random_orders(&world, STEPS, 30, &mut Random(7)));
    let cut = random_cut(&world.network, 3, 11).expect("a cut");
    let mut run = Simulation::from_world(&world, &cut).with_orders(&script);
    for _ in 0..STEPS {
        run.stepped();
    }
    let mut bytes = Vec::new();
    for partition in run.partitions() {
        let mut state = rmp_serde::to_vec(&partition.save()).expect("plain data");
        // How plans are numbered is nobody else's business.
        partition.each_vehicle(|_, vehicle| {
            let record = bytemuck::bytes_of(vehicle);
            if let Some(at) = memchr::memmem::find(&state, record) {
                let without_plan = Vehicle { plan: 0, ..*vehicle };
                state[at..at + record.len()].copy_from_slice(bytemuck::bytes_of(&without_plan));
            }
        });
        bytes.extend(state);
    }
    check("partitions", &bytes, 0x414a_d4b6_b203_46b9_d81d_93b9_97db_86c8, "VERSION in src/persist/envelope.rs");
}

#[test]
fn compiled_scenarios_have_the_form_of_their_format() {
    let (world, requests) = world();
    let World { network, demand, settings, .. } = &*world;
    let cut = random_cut(network, 3, 11).expect("a cut");
    let (network, demand, settings, requests) =
        (Arc::clone(network), Arc::clone(demand), settings.clone(), requests.clone());
    let compiled = CompiledScenario { network, demand, settings, requests, cut, revision: Revision::default() };
    let bytes = compiled.encode();
    // Behind magic, format, version of the program and checksum.
    let body = &bytes[8 + 4 + 1 + env!("CARGO_PKG_VERSION").len() + 8..];
    check("scenarios", body, 0x5cba_d60d_1786_a030_25ec_f22a_0958_9664, "FORMAT in src/scenario/compiled.rs");
}
