//! The library's front: a simulation is what the program computes, whatever it is made of and on how many threads it steps.

use std::path::{Path, PathBuf};

use tessds::roles::standalone::{Division, run};
use tessds::scenario::cut_scenario;
use tessds::{
    Aspect, Demand, DetectorKind, Edit, EditedNetwork, LaneId, Network, NewEdge, NewJunction, Order, OutputPaths,
    RunConfig, Scenario, SignalId, Simulation, SimulationBuilder, SimulationError, Snapshot, SnapshotError,
    VehicleClass, VehicleId, VehicleType, Warnings, load,
};

#[path = "../examples/fork_and_compare.rs"]
mod fork_and_compare;
#[path = "../examples/junction.rs"]
mod junction;
#[path = "../examples/signal_control.rs"]
mod signal_control;
#[path = "../examples/step_and_read.rs"]
mod step_and_read;
#[path = "../examples/write_outputs.rs"]
mod write_outputs;

#[test]
fn the_example_of_a_junction_by_hand_runs() {
    junction::main().expect("the example");
}

#[test]
fn the_example_that_steps_and_reads_runs() {
    step_and_read::main().expect("the example");
}

#[test]
fn the_example_of_signal_control_runs() {
    signal_control::main().expect("the example");
}

#[test]
fn the_example_that_forks_and_compares_runs() {
    fork_and_compare::main().expect("the example");
}

#[test]
fn the_example_that_writes_outputs_runs() {
    write_outputs::main().expect("the example");
}

/// A scenario with trips that are routed by the traffic, a stop, and detectors.
struct Files {
    folder: tempfile::TempDir,
    sumocfg: PathBuf,
}

fn files() -> Files {
    let folder = tempfile::tempdir().expect("a folder");
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/two_ways");
    let (net, routes) = (data.join("two_ways.net.xml"), data.join("two_ways.rou.xml"));
    let write = |name: &str, text: String| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("a file");
        path
    };
    let additional = write(
        "add.xml",
        r#"<additional><inductionLoop id="loop" lane="in_1" pos="20" period="60" file="loop.xml"/>
           <laneAreaDetector id="area" lane="nb_0" pos="0" endPos="120" period="60" file="area.xml"/></additional>"#
            .to_owned(),
    );
    let sumocfg = write(
        "run.sumocfg",
        format!(
            r#"<configuration><net-file value="{}"/><route-files value="{}"/><additional-files value="{}"/><end value="200"/>
               <device.rerouting.probability value="0.5"/><tripinfo-output value="trips.xml"/></configuration>"#,
            net.display(),
            routes.display(),
            additional.display()
        ),
    );
    Files { folder, sumocfg }
}

fn builder(files: &Files) -> SimulationBuilder {
    Simulation::from_sumocfg(&files.sumocfg).expect("a good configuration").seed(5)
}

fn paths(folder: &Path) -> OutputPaths {
    OutputPaths {
        tripinfo: Some(folder.join("trips.xml")),
        tripinfo_unfinished: true,
        edgedata: Some(folder.join("edges.xml")),
        fcd: Some(folder.join("fcd.xml")),
        ..OutputPaths::default()
    }
}

fn contents(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let names = ["trips.xml", "edges.xml", "fcd.xml", "loop.xml", "area.xml"];
    names.map(|name| (name.to_owned(), std::fs::read(folder.join(name)).expect(name))).into()
}

#[test]
fn digest_and_files_are_those_of_the_program() {
    let files = files();
    let mut warnings = Warnings::default();
    let mut config = RunConfig::read(&files.sumocfg, &mut warnings).expect("a good configuration");
    config.settings.seed = 5;
    let scenario = load(&config, &mut warnings).expect("a good scenario");
    let cut = cut_scenario(&scenario, 1).expect("a cut");
    let paths = paths(files.folder.path());
    let recording = run(scenario, &paths, Division { cut, threads: 1, quiet: true }).expect("a run");
    let expected = contents(files.folder.path());
    for (partitions, threads) in [(1, 1), (2, 1), (2, 2), (3, 2)] {
        let built = builder(&files).partitions(partitions).threads(threads).outputs(paths.clone()).build();
        let mut simulation = built.expect("a simulation");
        simulation.run_to_end().expect("a run");
        let digest = simulation.digest();
        let finished = simulation.finish().expect("files are written");
        assert_eq!((finished.digest, finished.counts), (recording.digest, recording.counts), "{partitions} partitions");
        assert_eq!((digest, finished.steps), (recording.digest, 200));
        assert!(contents(files.folder.path()) == expected, "{partitions} partitions, {threads} threads");
    }
}

#[test]
fn a_snapshot_goes_on_in_any_cut_and_a_fork_disturbs_nothing() {
    let files = files();
    let mut plain = builder(&files).build().expect("a simulation");
    plain.run_until(60_000).expect("steps");
    let (snapshot, mut fork) = (plain.save(), plain.fork().expect("a fork"));
    let lane = fork.find_lane("in_0").expect("the lane");
    fork.order(Order::Block { lane, from_m: 50.0, to_m: 60.0, until_ms: 100_000 }).expect("a good order");
    fork.run_until(120_000).expect("steps");
    plain.run_until(120_000).expect("steps");
    assert_ne!(fork.digest(), plain.digest());
    let read = Snapshot::from_bytes(&snapshot.to_bytes()).expect("a snapshot");
    let mut others = [
        builder(&files).partitions(3).restore(&read).expect("a simulation"),
        builder(&files).restore(&snapshot).expect("a simulation"),
    ];
    fork.restore(&snapshot).expect("a snapshot of the same scenario");
    for other in others.iter_mut().chain([&mut fork]) {
        assert_eq!((other.now_ms(), other.counts().running), (60_000, snapshot_running(&snapshot, &files)));
        other.run_until(120_000).expect("steps");
        assert_eq!(other.digest(), plain.digest());
        assert_eq!((other.counts(), other.trips()), (plain.counts(), plain.trips()));
    }
}

fn snapshot_running(snapshot: &Snapshot, files: &Files) -> u64 {
    builder(files).restore(snapshot).expect("a simulation").vehicles().count() as u64
}

#[test]
fn snapshots_of_others_and_damaged_ones_are_refused() {
    let files = files();
    let mut simulation = builder(&files).build().expect("a simulation");
    simulation.run_until(30_000).expect("steps");
    let snapshot = simulation.save();
    let bytes = snapshot.to_bytes();
    assert_eq!(Snapshot::from_bytes(b"TessDS").err(), Some(SnapshotError::NotASnapshot));
    let mut newer = bytes.clone();
    newer[8] += 1;
    assert!(matches!(Snapshot::from_bytes(&newer), Err(SnapshotError::OtherVersion { .. })));
    for length in [9, 20, bytes.len() - 1] {
        assert!(matches!(Snapshot::from_bytes(&bytes[..length]), Err(SnapshotError::Damaged(_))), "{length} bytes");
    }
    let other = builder(&files).seed(6).restore(&snapshot).err();
    assert!(matches!(other, Some(SimulationError::Snapshot(SnapshotError::OtherScenario))), "{other:?}");
    let writing = builder(&files).outputs(paths(files.folder.path())).restore(&snapshot).err();
    assert!(matches!(writing, Some(SimulationError::OutputsOpen)), "{writing:?}");
}

/// Within a step vehicles are inserted flow by flow, here not in the order of their times.
#[test]
fn flows_whose_vehicles_depart_out_of_order_within_a_step_are_taken() {
    let folder = tempfile::tempdir().expect("a folder");
    let net = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/two_ways/two_ways.net.xml");
    let flows = r#"<routes><route id="north" edges="in an nb out"/><flow id="late" route="north" begin="20.1" end="60" period="9.6"/>
        <flow id="early" route="north" begin="20.4" end="60" period="9"/></routes>"#;
    std::fs::write(folder.path().join("flows.rou.xml"), flows).expect("a file");
    let sumocfg = folder.path().join("run.sumocfg");
    let text = format!(
        r#"<configuration><net-file value="{}"/><route-files value="flows.rou.xml"/></configuration>"#,
        net.display()
    );
    std::fs::write(&sumocfg, text).expect("a file");
    let mut simulation =
        Simulation::from_sumocfg(&sumocfg).expect("a good configuration").build().expect("a simulation");
    let times: Vec<i64> = simulation.demand().departures.iter().map(|departure| departure.depart_ms).collect();
    assert!(!times.is_sorted(), "{times:?}");
    simulation.run_to_end().expect("steps");
    assert_eq!(simulation.counts().arrived, times.len() as u64);
}

#[test]
fn orders_are_checked_before_they_are_taken() {
    let files = files();
    let (mut simulation, mut undisturbed) =
        (builder(&files).build().expect("one"), builder(&files).build().expect("two"));
    simulation.run_until(20_000).expect("steps");
    undisturbed.run_until(20_000).expect("steps");
    let unknown = simulation.order(Order::Close { lanes: vec![LaneId::new(9999)] }).err();
    assert!(matches!(unknown, Some(SimulationError::Order(_))), "{unknown:?}");
    let past = simulation.order_at(19_000, Order::RemoveVehicle { vehicle: VehicleId::new(0) }).err();
    assert!(matches!(past, Some(SimulationError::Past { at_ms: 19_000, now_ms: 20_000 })), "{past:?}");
    simulation.run_until(30_000).expect("steps");
    undisturbed.run_until(30_000).expect("steps");
    assert_eq!(simulation.digest(), undisturbed.digest());
    let edges = ["in", "an"].map(|name| simulation.find_edge(name).expect("an edge")).to_vec();
    let car = simulation.demand().departures[0].vtype;
    let added = simulation.add_vehicle("guest", car, edges.clone()).expect("a good order");
    let second = simulation.add_vehicle("guest 2", car, edges).expect("a good order");
    assert_eq!((added.index() + 1, simulation.next_vehicle().index()), (second.index(), second.index() + 1));
    simulation.run_until(34_000).expect("steps");
    assert_eq!(simulation.find_vehicle("guest"), Some(added));
    let guest = simulation.vehicle(added).expect("it drives");
    assert_eq!((guest.name(), guest.id(), guest.route().len()), ("guest", added, 2));
    assert_eq!(simulation.demand().departures.len(), second.index() + 1);
}

#[test]
fn roads_vehicles_and_detectors_tell_the_same() {
    let files = files();
    let mut simulation = builder(&files).partitions(2).build().expect("a simulation");
    let (mut passed, mut seen, mut departed) = (0, 0, 0);
    for _ in 0..160 {
        departed += simulation.step().expect("a step").departed.len();
        let detectors: Vec<_> = simulation.detectors().collect();
        let [on_loop, area] = &detectors[..] else { panic!("{detectors:?}") };
        assert_eq!(
            (on_loop.name, on_loop.kind, area.name, area.kind),
            ("loop", DetectorKind::Loop, "area", DetectorKind::Area)
        );
        passed += on_loop.passed as usize;
        seen += area.vehicles;
        let nb = simulation.edge(simulation.find_edge("nb").expect("an edge")).expect("an edge");
        let behind = nb.vehicles().filter(|vehicle| vehicle.position_m() > 120.0).count();
        assert_eq!(area.vehicles as usize, nb.lanes().next().map_or(0, |lane| lane.vehicle_count()) - behind);
        for vehicle in simulation.vehicles() {
            let same = simulation.vehicle(vehicle.id()).expect("it is on a lane");
            assert_eq!((same.lane(), same.position_m()), (vehicle.lane(), vehicle.position_m()));
            assert_eq!(simulation.find_vehicle(vehicle.name()), Some(vehicle.id()));
        }
        let on_edges: usize = simulation.edges().map(|edge| edge.vehicle_count()).sum();
        assert_eq!(on_edges, simulation.vehicles().count());
    }
    // Vehicles depart before the loop, some on the other lane.
    assert!(passed > 10 && seen > 0 && passed <= departed, "{passed} of {departed}");
}

#[test]
fn a_signal_shows_what_it_is_ordered_to() {
    let net = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/nets/lights.net.xml.gz");
    let config = RunConfig { net: Some(net), ..RunConfig::default() };
    let scenario = load(&config, &mut Warnings::default()).expect("a network");
    let mut simulation = Simulation::from_scenario(scenario).end_ms(Some(60_000)).partitions(2).build().expect("one");
    let id = SignalId::new(3);
    let links = simulation.signal(id).expect("a signal").aspects().len();
    simulation.order(Order::ShowAspects { signal: id, aspects: vec![Aspect::Red; links] }).expect("a good order");
    simulation.step().expect("a step");
    let signal = simulation.signal(id).expect("a signal");
    assert_eq!((signal.state(), signal.is_fixed()), ("r".repeat(links), true));
    assert_eq!(simulation.signals().filter(|signal| signal.is_fixed()).count(), 1);
}

fn road() -> Network {
    Network::made_of(&[
        Edit::AddJunction(NewJunction::new("west", 0.0, 0.0)),
        Edit::AddJunction(NewJunction::new("east", 500.0, 0.0)),
        Edit::AddEdge(Box::new(NewEdge::new("road", "west", "east"))),
    ])
    .expect("a network")
}

fn one_car() -> Demand {
    let mut demand = Demand::default();
    let car = demand.add_type(VehicleType::default_of("car", VehicleClass::Passenger));
    demand.add_vehicle("late", car, &[tessds::EdgeId::new(0)], 5_000);
    demand.add_vehicle("early", car, &[tessds::EdgeId::new(0)], 0);
    demand
}

#[test]
fn parts_that_do_not_fit_each_other_are_refused() {
    let mut demand = one_car();
    assert_eq!(&*demand.departures[0].name, "early");
    demand.route_edges[0] = tessds::EdgeId::new(7);
    let error = Simulation::from_parts(road(), demand).build().err();
    assert!(matches!(error, Some(SimulationError::Parts(_))), "{error:?}");
    let error = Simulation::from_parts(road(), one_car()).partitions(9).build().err();
    assert!(matches!(error, Some(SimulationError::Input(_))), "{error:?}");
}

#[test]
fn a_run_without_an_end_is_over_when_all_have_left() {
    let mut simulation = Simulation::from_parts(road(), one_car()).build().expect("a simulation");
    simulation.run_to_end().expect("a run");
    assert_eq!((simulation.counts().arrived, simulation.trips().count), (2, 2));
    assert!(simulation.now_ms() < 100_000);
}

#[test]
fn a_network_is_edited_while_a_vehicle_drives() {
    let mut simulation = Simulation::from_parts(road(), one_car()).build().expect("a simulation");
    simulation.run_until(10_000).expect("steps");
    let mut edited = EditedNetwork::new(simulation.network());
    edited.apply(&[Edit::RemoveEdge { edge: "road".to_owned() }]).expect("a road");
    let (mut after, tally) = simulation.edited(&edited).expect("nothing is measured");
    assert_eq!(tally.discarded, 2);
    after.run_until(20_000).expect("steps");
    assert_eq!((after.counts().discarded, after.vehicles().count()), (2, 0));
    assert_eq!(simulation.vehicles().count(), 2);
}

#[test]
fn simulations_are_moved_to_threads_and_live_beside_each_other() {
    let files = files();
    let threads: Vec<_> = (0..4)
        .map(|seed| {
            let mut simulation = builder(&files).seed(seed % 2).partitions(2).build().expect("a simulation");
            std::thread::spawn(move || simulation.run_until(50_000).map(|()| simulation.digest()))
        })
        .collect();
    let digests: Vec<u128> = threads.into_iter().map(|t| t.join().expect("no panic").expect("a run")).collect();
    assert_eq!((digests[0], digests[1]), (digests[2], digests[3]));
    assert_ne!(digests[0], digests[1]);
}

#[test]
fn a_scenario_is_kept_by_who_loaded_it() {
    let files = files();
    let mut config = RunConfig::read(&files.sumocfg, &mut Warnings::default()).expect("a good configuration");
    config.settings.seed = 5;
    let scenario: Scenario = load(&config, &mut Warnings::default()).expect("a good scenario");
    let mut of_scenario = Simulation::from_scenario(scenario).build().expect("a simulation");
    let mut of_files = builder(&files).build().expect("a simulation");
    assert!(of_files.warnings().is_empty(), "{:?}", of_files.warnings());
    of_scenario.run_until(40_000).expect("steps");
    of_files.run_until(40_000).expect("steps");
    assert_eq!(of_scenario.digest(), of_files.digest());
    assert_eq!(of_files.take_messages(), Vec::<String>::new());
}
