//! Exactly-once outputs: a recorder that crashes and is resumed from a checkpoint writes the files of an undisturbed run, and
//! gives out the same routes.

use std::collections::BTreeMap;
use std::num::NonZeroU64;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::common::demand::Random;
use crate::common::saved_form;
use crate::common::scenarios::root;
use tessds::actors::recorder::{Core, Effect, Event, RecorderState, Recording, ReportBatch};
use tessds::diagnostics::{Location, Warnings};
use tessds::ids::{EdgeId, VehicleId};
use tessds::output::{Names, Outputs, Reporting};
use tessds::protocol::{Epoch, FencingToken, OrderNotice, RouteNotice, RunId};
use tessds::scenario::{OutputPaths, OutputRequests, RunConfig, load};
use tessds::sim::report::{RouteCause, StepReport};
use tessds::sim::{Closing, RunRules};
use tessds::sim::{NewVehicle, Order, Partition, ReportOptions, RouteGuidance, Scope, World};

const END_S: u64 = 700;
const RULES: RunRules = RunRules { begin_ms: 0, step_ms: 1000, steps: Some(END_S), departures: 0 };
/// Steps that a partition may be ahead.
const AHEAD: usize = 64;

fn token(epoch: u64) -> FencingToken {
    FencingToken { run: RunId(3), epoch: Epoch(epoch) }
}

/// Trips that ask for routes while a vehicle blocks the faster way.
fn world() -> Arc<World> {
    let data = root().join("tests/data/two_ways");
    let mut warnings = Warnings::default();
    let mut config = RunConfig::default();
    let options = [
        ("net-file", "two_ways.net.xml"),
        ("route-files", "two_ways.rou.xml"),
        ("device.rerouting.probability", "1"),
        ("device.rerouting.period", "60"),
        ("end", "700"),
    ];
    for (option, value) in options {
        config.set(option, value, &data, Location::default(), &mut warnings).expect("a good option");
    }
    let scenario = load(&config, &mut warnings).expect("a good scenario");
    Arc::new(World::new(scenario.network, scenario.demand, scenario.settings, scenario.requests))
}

/// A road is closed and opened again; a vehicle is added, and one taken away.
fn orders(world: &World) -> Vec<OrderNotice> {
    let network = &world.network;
    let edge = |name: &str| {
        EdgeId::new(network.edges.iter().position(|edge| &*edge.name == name).expect("an edge of the network"))
    };
    let lanes = || network.edge(edge("sb")).lanes().collect();
    let edges = ["in", "as", "sb", "out"].map(edge).to_vec();
    let next = VehicleId::new(world.demand.departures.len());
    let new = NewVehicle::new(next, "added", world.demand.departures[1].vtype, edges);
    let notice = |at_step, orders| OrderNotice { token: token(1), number: at_step, at_step, orders, snapshot: false };
    vec![
        notice(120, vec![Order::AddVehicle(Box::new(new))]),
        notice(200, vec![Order::Close { lanes: lanes() }, Order::RemoveVehicle { vehicle: VehicleId(9999) }]),
        notice(330, vec![Order::Open { lanes: lanes() }, Order::RemoveVehicle { vehicle: VehicleId(0) }]),
    ]
}

fn paths(folder: &Path) -> OutputPaths {
    let file = |name: &str| Some(folder.join(name));
    OutputPaths {
        tripinfo: file("tripinfo.xml"),
        summary: file("summary.xml.gz"),
        fcd: file("fcd.xml"),
        statistic: file("statistic.xml"),
        ..OutputPaths::default()
    }
}

fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = std::fs::read_dir(folder).expect("the folder").map(|entry| entry.expect("a file").path());
    let name = |path: &Path| path.file_name().expect("a name").to_string_lossy().into_owned();
    entries.map(|path| (name(&path), std::fs::read(&path).expect("a file"))).collect()
}

fn open(world: &Arc<World>, folder: &Path, interval: Option<NonZeroU64>, state: Option<&[u8]>, epoch: u64) -> Core {
    let names = Names::new(Arc::clone(&world.network), Arc::clone(&world.demand));
    let reporting =
        Reporting { partitions: 1, begin_ms: 0, step_ms: 1000, capacity: AHEAD, checkpoints: interval.is_some() };
    let (paths, requests) = (paths(folder), OutputRequests::default());
    let core = match state {
        None => {
            let outputs = Outputs::open(&names, &paths, &requests, reporting).expect("new files");
            Core::new(token(epoch), RULES, outputs, RouteGuidance::new(world))
        }
        Some(bytes) => {
            let state = RecorderState::decode(bytes).expect("an encoded state");
            let outputs = Outputs::resume(&names, &paths, &requests, reporting, &state.outputs).expect("the files");
            let guidance = RouteGuidance::restored(world, state.guidance).expect("its own state");
            Core::resumed(token(epoch), RULES, outputs, guidance, state.notices)
        }
    };
    match interval {
        Some(interval) => core.with_checkpoints(interval),
        None => core,
    }
}

fn handle(core: &mut Core, event: Event) -> Vec<Effect> {
    let mut effects = Vec::new();
    core.handle(event, &mut effects);
    for effect in &effects {
        if let Effect::Fail(reason) = effect {
            panic!("{reason}");
        }
    }
    effects
}

fn report(core: &mut Core, reports: Vec<StepReport>) -> Vec<Effect> {
    // Not the recorder's epoch: partitions are placed anew more often than recorders.
    handle(core, Event::Reported(ReportBatch { token: token(7), part: 0, until: 0, reports }))
}

fn routes(effects: &[Effect]) -> impl Iterator<Item = &RouteNotice> {
    effects.iter().filter_map(|effect| if let Effect::Routes(notice) = effect { Some(notice) } else { None })
}

fn close(core: &mut Core, closing: &Closing) -> Recording {
    let effects = handle(core, Event::Close { closings: vec![closing.clone()], wall: Duration::ZERO });
    match effects.into_iter().next() {
        Some(Effect::Closed(recording)) => *recording,
        other => panic!("the files are not closed: {other:?}"),
    }
}

/// Orders for this step and later ones, as they are in a log.
fn order(core: &mut Core, orders: &[OrderNotice], step: u64) {
    for notice in orders.iter().filter(|notice| notice.at_step >= step) {
        handle(core, Event::Ordered(notice.clone()));
    }
}

/// An undisturbed run without checkpoints.
struct Run {
    reports: Vec<StepReport>,
    notices: Vec<RouteNotice>,
    closing: Closing,
    recording: Recording,
    files: BTreeMap<String, Vec<u8>>,
}

impl Run {
    fn new(world: &Arc<World>, orders: &[OrderNotice]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let mut core = open(world, folder.path(), None, None, 1);
        order(&mut core, orders, 0);
        let scope = Scope::new(world, 0, &vec![0; world.network.edges.len()]);
        let mut partition = Partition::new(Arc::clone(world), scope);
        let (mut reports, mut notices) = (Vec::new(), Vec::<RouteNotice>::new());
        for step in 0..END_S {
            orders.iter().filter(|n| n.at_step == step).for_each(|n| partition.apply_orders(&n.orders));
            for cause in [RouteCause::Traffic, RouteCause::Closure] {
                let due = notices.iter().filter(|n| (n.at_step, n.cause) == (step, cause));
                due.for_each(|n| partition.apply_routes(&n.updates));
            }
            let told = partition.step(ReportOptions { fcd: true, digest: true, unfinished: true });
            notices.extend(routes(&report(&mut core, vec![told.clone()])).cloned());
            reports.push(told);
        }
        let intervals = partition.close_intervals();
        let closing = Closing { intervals, ..Closing::default() };
        let recording = close(&mut core, &closing);
        assert!(notices.iter().any(|notice| !notice.updates.is_empty()), "nobody is given a route");
        Self { reports, notices, closing, recording, files: files(folder.path()) }
    }
}

#[test]
fn files_and_routes_after_crashes_are_those_of_an_undisturbed_run() {
    let world = world();
    check_crashes(&world, &[]);
}

#[test]
fn orders_are_in_the_files_once_whatever_crashes() {
    let world = world();
    let run = check_crashes(&world, &orders(&world));
    let tripinfo = String::from_utf8_lossy(&run.files["tripinfo.xml"]).into_owned();
    assert!(tripinfo.contains(r#"id="added""#) && tripinfo.contains(r#"id="blocker""#));
    assert_eq!(tripinfo.matches(r#"vaporized="traci""#).count(), 1);
    assert_eq!(run.recording.orders_missed, 1);
    assert!(run.notices.iter().any(|n| n.cause == RouteCause::Closure && n.at_step == 201 && !n.updates.is_empty()));
}

fn check_crashes(world: &Arc<World>, orders: &[OrderNotice]) -> Run {
    let run = Run::new(world, orders);
    let mut remembered = 0;
    for seed in 0..12 {
        let mut random = Random(seed);
        let interval = NonZeroU64::new(1 + random.next() % 60).expect("at least 1");
        let folder = tempfile::tempdir().expect("a folder");
        let mut core = open(world, folder.path(), Some(interval), None, 1);
        order(&mut core, orders, 0);
        let mut saved: Option<(usize, Vec<u8>)> = None;
        let (mut next, mut crashes) = (0, 0);
        // At step → updates, as partitions would hold them.
        let mut given: BTreeMap<(u64, RouteCause), RouteNotice> = BTreeMap::new();
        while next < run.reports.len() {
            let batch = run.reports[next..].iter().take(1 + random.below(AHEAD)).cloned().collect::<Vec<_>>();
            next += batch.len();
            let mut effects = report(&mut core, batch);
            given.extend(routes(&effects).map(|notice| ((notice.at_step, notice.cause), notice.clone())));
            for effect in effects.drain(..) {
                if let Effect::Checkpoint { step, state } = effect {
                    assert!(step.is_multiple_of(interval.get()) && step < END_S, "a checkpoint at step {step}");
                    saved = Some((step as usize, state));
                }
            }
            if crashes < 5 && random.below(6) == 0 {
                crashes += 1;
                drop(core);
                let (step, state) = saved.clone().map_or((0, None), |(step, state)| (step, Some(state)));
                core = open(world, folder.path(), Some(interval), state.as_deref(), 1 + crashes);
                order(&mut core, orders, step as u64);
                // Routes that the checkpoint does not know are found again.
                given.retain(|(at_step, _), _| (*at_step as usize) < step);
                let known: Vec<_> = core.notices().to_vec();
                assert!(known.iter().all(|n| n.at_step as usize >= step && n.token == token(1 + crashes)), "{known:?}");
                remembered += known.len();
                given.extend(known.into_iter().map(|notice| ((notice.at_step, notice.cause), notice)));
                // Some partitions repeat more than what was lost.
                next = step.saturating_sub(random.below(20));
            }
        }
        let recording = close(&mut core, &run.closing);
        assert_eq!(recording, run.recording, "seed {seed}");
        for (name, bytes) in files(folder.path()) {
            assert!(run.files[&name] == bytes, "seed {seed}, {crashes} crashes: {name} differs");
        }
        assert_eq!(files(folder.path()).len(), run.files.len(), "seed {seed}: a file is left behind");
        let found: Vec<_> = given.into_values().map(|n| (n.at_step, n.cause, n.updates)).collect();
        let mut expected: Vec<_> = run.notices.iter().map(|n| (n.at_step, n.cause, n.updates.clone())).collect();
        expected.sort_by_key(|(at_step, cause, _)| (*at_step, *cause));
        assert_eq!(found, expected, "seed {seed}: routes");
    }
    assert!(remembered > 0, "no checkpoint held routes that were given out before");
    run
}

#[test]
fn a_checkpoint_shows_its_step_although_later_ones_are_reported_with_it() {
    let world = world();
    let run = Run::new(&world, &[]);
    let state_at = |batch: usize| {
        let folder = tempfile::tempdir().expect("a folder");
        let mut core = open(&world, folder.path(), NonZeroU64::new(40), None, 1);
        let mut states = Vec::new();
        for reports in run.reports[..120].chunks(batch) {
            for effect in report(&mut core, reports.to_vec()) {
                if let Effect::Checkpoint { step, state } = effect {
                    let state = RecorderState::decode(&state).expect("a state");
                    states.push((step, state.outputs.steps(), state.notices));
                }
            }
        }
        states
    };
    let one_by_one = state_at(1);
    assert_eq!(
        one_by_one.iter().map(|(step, recorded, _)| (*step, *recorded)).collect::<Vec<_>>(),
        [(40, 40), (80, 80), (120, 120)]
    );
    assert_eq!(state_at(60), one_by_one);
}

#[test]
fn the_state_of_a_recorder_has_the_form_of_its_version() {
    let world = world();
    let run = Run::new(&world, &orders(&world));
    let folder = tempfile::tempdir().expect("a folder");
    let mut core = open(&world, folder.path(), NonZeroU64::new(300), None, 1);
    order(&mut core, &orders(&world), 0);
    let effects = run.reports[..310].chunks(AHEAD).flat_map(|reports| report(&mut core, reports.to_vec()));
    let states =
        effects.filter_map(|effect| if let Effect::Checkpoint { state, .. } = effect { Some(state) } else { None });
    let mut state = states.last().expect("a checkpoint");
    // The files are elsewhere each time.
    for name in ["tripinfo.xml", "summary.xml.gz", "fcd.xml", "statistic.xml"] {
        let encode = |text: &str| rmp_serde::to_vec(text).expect("text");
        let long = encode(&folder.path().join(name).to_string_lossy());
        let at = state.windows(long.len()).position(|bytes| bytes == long).expect("the path of an output");
        state.splice(at..at + long.len(), encode(name));
    }
    let expected = 0x9c5b_79b4_8bb9_eb89_0726_7189_711d_6c25;
    saved_form::check("the recorder", &state, expected, "VERSION in src/persist/envelope.rs");
}

#[test]
fn reports_of_another_run_are_not_recorded() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut core = open(&world(), folder.path(), None, None, 1);
    let other = FencingToken { run: RunId(4), epoch: Epoch(1) };
    let reports = vec![StepReport::default()];
    assert!(handle(&mut core, Event::Reported(ReportBatch { token: other, part: 0, until: 0, reports })).is_empty());
    assert_eq!(core.progress().0, 0);
}

#[test]
fn bytes_that_are_no_checkpoint_are_an_error() {
    for bytes in [&b""[..], b"\x93", b"<net/>", &[0xdd, 0xff, 0xff, 0xff, 0xff]] {
        assert!(RecorderState::decode(bytes).is_err());
    }
}
