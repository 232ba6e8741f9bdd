//! The simulation: its step, its orders, and how it is saved.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, OnceLock};

use super::builder::SimulationBuilder;
use super::engine::{Engine, Plan};
use super::error::{SimulationError, SnapshotError};
use super::snapshot::{RunState, ScheduledOrder, Snapshot, fingerprint};
use super::views::Place;
use crate::demand::{Demand, keep_places};
use crate::graph::edit::EditedNetwork;
use crate::graph::partition::Cut;
use crate::graph::sumo::NetworkIndex;
use crate::graph::{Network, join_actuated_signals};
use crate::ids::{EdgeId, TypeId, VehicleId};
use crate::output::{Alerts, LaneShapes, MergedStep, Names, Outputs, TripTotals};
use crate::scenario::{OutputRequests, Scenario};
use crate::sim::report::Counts;
use crate::sim::{
    EditTally, EditedWorld, NewVehicle, Order, Partition, ReportOptions, RouteGuidance, RouteOrders, RunRules, Scope,
    StateError, World, check_routes,
};

/// What is made of the scenario once, shared by a simulation and its forks.
pub(super) struct Base {
    pub world: Arc<World>,
    pub requests: OutputRequests,
    fingerprint: OnceLock<u128>,
    pub index: OnceLock<NetworkIndex>,
    pub shapes: OnceLock<LaneShapes>,
    /// Vehicles of the demand by name.
    vehicles: OnceLock<HashMap<Box<str>, VehicleId>>,
}

impl Base {
    fn new(world: Arc<World>, requests: OutputRequests) -> Arc<Self> {
        Arc::new(Self {
            world,
            requests,
            fingerprint: OnceLock::new(),
            index: OnceLock::new(),
            shapes: OnceLock::new(),
            vehicles: OnceLock::new(),
        })
    }

    fn fingerprint(&self) -> u128 {
        *self.fingerprint.get_or_init(|| fingerprint(&self.world))
    }

    pub fn vehicles(&self) -> &HashMap<Box<str>, VehicleId> {
        let departures = &self.world.demand.departures;
        let named = || departures.iter().zip(0..).map(|(departure, id)| (departure.name.clone(), VehicleId(id)));
        self.vehicles.get_or_init(|| named().collect())
    }
}

/// What a step did ([`Simulation::add_sink`]).
pub trait StepSink: Send {
    /// Takes a step; steps come in order, each once.
    fn step(&mut self, step: &MergedStep);
}

impl<F: FnMut(&MergedStep) + Send> StepSink for F {
    fn step(&mut self, step: &MergedStep) {
        self(step);
    }
}

/// A run, step by step. See the [crate's documentation](crate) for a tour.
///
/// Equal scenarios with equal orders give equal simulations, to the last bit, whatever the number of partitions and threads is.
/// A simulation owns its threads and nothing else: any number of them can live in one process, and each can be moved to another
/// thread.
pub struct Simulation {
    pub(super) base: Arc<Base>,
    cut: Cut,
    threads: usize,
    pub(super) engine: Engine,
    guidance: RouteGuidance,
    /// Given out for steps to come.
    routes: Vec<RouteOrders>,
    /// For steps to come, ascending by time and number.
    orders: Vec<ScheduledOrder>,
    numbered: u64,
    rules: RunRules,
    report: ReportOptions,
    steps: u64,
    pub(super) last: MergedStep,
    counts: Counts,
    trips: TripTotals,
    outputs: Option<Outputs>,
    sinks: Vec<Box<dyn StepSink>>,
    alerts: Alerts,
    messages: Vec<String>,
    warnings: Vec<String>,
    /// Where vehicles are, of the present step; made when a vehicle is looked up.
    pub(super) places: OnceLock<HashMap<VehicleId, Place>>,
}

/// What a [`Simulation`] is made of.
pub(super) struct Setup {
    pub world: Arc<World>,
    pub requests: OutputRequests,
    pub cut: Cut,
    pub threads: usize,
    pub report: ReportOptions,
    pub outputs: Option<Outputs>,
    pub warnings: Vec<String>,
}

/// How a run ended ([`Simulation::finish`]).
#[derive(Clone, Debug, PartialEq)]
pub struct Finished {
    pub steps: u64,
    /// Simulated time at the end, ms.
    pub end_ms: i64,
    pub counts: Counts,
    /// Sums over finished trips.
    pub trips: TripTotals,
    /// Names the whole state: equal runs have equal digests.
    pub digest: u128,
    /// Orders whose vehicle or signal was gone.
    pub orders_missed: u64,
}

impl Simulation {
    /// A simulation of a SUMO configuration. Output files that it names are written only where
    /// [`SimulationBuilder::with_configured_outputs`] asks for them.
    ///
    /// # Errors
    /// The file cannot be read, or is wrong.
    pub fn from_sumocfg(path: impl AsRef<std::path::Path>) -> Result<SimulationBuilder, SimulationError> {
        SimulationBuilder::read(path.as_ref())
    }

    /// A simulation of values. They are checked when it is built.
    pub fn from_parts(network: impl Into<Arc<Network>>, demand: impl Into<Arc<Demand>>) -> SimulationBuilder {
        SimulationBuilder::of_parts(network.into(), demand.into())
    }

    /// A simulation of a scenario that was loaded.
    pub fn from_scenario(scenario: Scenario) -> SimulationBuilder {
        let Scenario { network, demand, settings, requests } = scenario;
        Self::from_parts(network, demand).settings(settings).requests(requests)
    }

    /// A simulation of a world, cut by hand.
    #[doc(hidden)]
    pub fn from_world(world: &Arc<World>, cut: &Cut) -> Self {
        let report = ReportOptions { fcd: true, digest: true, unfinished: true };
        let (world, cut) = (Arc::clone(world), cut.clone());
        let requests = OutputRequests::default();
        Self::new(Setup { world, requests, cut, threads: 1, report, outputs: None, warnings: Vec::new() })
    }

    pub(super) fn new(setup: Setup) -> Self {
        let base = Base::new(Arc::clone(&setup.world), setup.requests.clone());
        Self::on(base, setup, None)
    }

    fn on(base: Arc<Base>, setup: Setup, scopes: Option<Vec<Scope>>) -> Self {
        let Setup { world, mut cut, threads, report, outputs, warnings, .. } = setup;
        join_actuated_signals(&world.network, &mut cut);
        let scopes = scopes
            .unwrap_or_else(|| (0..cut.parts).map(|part| Scope::new(&world, part as u16, &cut.part_of_edge)).collect());
        Self {
            base,
            engine: Engine::new(&world, scopes, threads),
            cut,
            threads,
            guidance: RouteGuidance::new(&world),
            routes: Vec::new(),
            orders: Vec::new(),
            numbered: 0,
            rules: RunRules::of(&world),
            report,
            steps: 0,
            last: MergedStep::default(),
            counts: Counts::default(),
            trips: TripTotals::default(),
            outputs,
            sinks: Vec::new(),
            alerts: alerts(&world),
            messages: Vec::new(),
            warnings,
            places: OnceLock::new(),
        }
    }

    /// What the files of the scenario ask for and is not simulated, or is simulated differently.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// What a user should hear of since this was asked last: vehicles that can never depart, and that nothing moves any more.
    pub fn take_messages(&mut self) -> Vec<String> {
        std::mem::take(&mut self.messages)
    }

    /// Shows every further step to `sink`. Sinks are not part of snapshots and forks.
    pub fn add_sink(&mut self, sink: impl StepSink + 'static) {
        self.sinks.push(Box::new(sink));
    }

    /// Steps done.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// Time that the next step computes, ms.
    pub fn now_ms(&self) -> i64 {
        self.rules.ms_of(self.steps)
    }

    /// The end time is reached; without one, all vehicles have left, or none will ever move again.
    pub fn is_over(&self) -> bool {
        let added = self.guidance.added().count() as u64;
        self.rules.is_over(self.steps, &self.counts, added)
            || (self.orders.is_empty() && self.alerts.end().is_some_and(|end| self.steps >= end))
    }

    /// Computes the next step, whether the run [is over](Self::is_over) or not, and says what happened in it.
    ///
    /// # Errors
    /// A file cannot be written, or the simulation failed before or in this step.
    pub fn step(&mut self) -> Result<&MergedStep, SimulationError> {
        let now_ms = self.now_ms();
        debug_assert!(self.guidance.hold_ms().is_none_or(|hold_ms| now_ms < hold_ms), "routes come in time");
        if self.engine.partitions().is_empty() {
            let reason = "an earlier step failed".to_owned();
            return Err(SimulationError::Failed { step: self.steps, reason });
        }
        let plan = self.plan(now_ms);
        let reports = self.engine.step(&plan).map_err(|reason| SimulationError::Failed { step: self.steps, reason })?;
        self.places = OnceLock::new();
        self.steps += 1;
        self.last = match &mut self.outputs {
            None => MergedStep::of(reports),
            Some(outputs) => {
                for (part, report) in reports.into_iter().enumerate() {
                    outputs.add(part, report).map_err(crate::output::OutputError::from)?;
                }
                outputs.write_next().map_err(crate::output::OutputError::from)?.unwrap_or_default()
            }
        };
        self.counts = self.last.counts;
        self.last.arrivals.iter().for_each(|trip| self.trips.add(trip));
        self.guidance.observe(&self.last);
        self.routes.extend(std::iter::from_fn(|| self.guidance.take_orders()));
        self.alerts.observe(self.steps, &self.last, |message| self.messages.push(message));
        self.sinks.iter_mut().for_each(|sink| sink.step(&self.last));
        Ok(&self.last)
    }

    /// Takes out what is due before a step.
    fn plan(&mut self, now_ms: i64) -> Plan {
        let due = self.orders.partition_point(|scheduled| scheduled.at_ms <= now_ms);
        let orders = self.orders.drain(..due).map(|scheduled| scheduled.order).collect();
        let (mut routes, later): (Vec<_>, Vec<_>) = self.routes.drain(..).partition(|routes| routes.at_ms <= now_ms);
        self.routes = later;
        routes.sort_by_key(|routes| routes.cause);
        Plan { orders, routes: routes.into(), options: self.report }
    }

    /// Steps until the next step would compute `until_ms`, or the run is over.
    ///
    /// # Errors
    /// As [`step`](Self::step).
    pub fn run_until(&mut self, until_ms: i64) -> Result<(), SimulationError> {
        while self.now_ms() < until_ms && !self.is_over() {
            self.step()?;
        }
        Ok(())
    }

    /// Steps until the run is over.
    ///
    /// # Errors
    /// As [`step`](Self::step).
    pub fn run_to_end(&mut self) -> Result<(), SimulationError> {
        self.run_until(i64::MAX)
    }

    /// Gives an order for the next step.
    ///
    /// # Errors
    /// It can never be carried out; nothing is changed.
    pub fn order(&mut self, order: Order) -> Result<(), SimulationError> {
        self.order_at(self.now_ms(), order)
    }

    /// Gives an order for the step that computes `at_ms`, or the next time that a step computes.
    ///
    /// # Errors
    /// As [`order`](Self::order), or that time is past.
    pub fn order_at(&mut self, at_ms: i64, order: Order) -> Result<(), SimulationError> {
        let now_ms = self.now_ms();
        if at_ms < now_ms {
            return Err(SimulationError::Past { at_ms, now_ms });
        }
        order.check(&self.base.world)?;
        if let Order::AddVehicle(new) = &order
            && new.vehicle != self.next_vehicle()
        {
            return Err(SimulationError::VehicleId { expected: self.next_vehicle(), found: new.vehicle });
        }
        self.schedule(self.rules.ms_of(self.rules.step_of(at_ms)), order);
        Ok(())
    }

    fn schedule(&mut self, at_ms: i64, order: Order) {
        if let Order::AddVehicle(new) = &order {
            self.alerts.admit(new);
            self.outputs.iter_mut().for_each(|outputs| outputs.admit(new));
        }
        self.numbered += 1;
        self.guidance.order(at_ms, self.numbered, vec![order.clone()]);
        let at = self.orders.partition_point(|other| other.at_ms <= at_ms);
        self.orders.insert(at, ScheduledOrder { at_ms, number: self.numbered, order });
    }

    /// The id of the next vehicle that an order adds.
    pub fn next_vehicle(&self) -> VehicleId {
        VehicleId::new(self.base.world.demand.departures.len() + self.guidance.added().count())
    }

    /// Adds a vehicle before the next step: departs at once, on the route `edges`. For other departures see [`NewVehicle`] and
    /// [`Order::AddVehicle`].
    ///
    /// # Errors
    /// As [`order`](Self::order).
    pub fn add_vehicle(&mut self, name: &str, vtype: TypeId, edges: Vec<EdgeId>) -> Result<VehicleId, SimulationError> {
        let vehicle = self.next_vehicle();
        self.order(Order::AddVehicle(Box::new(NewVehicle::new(vehicle, name, vtype, edges))))?;
        Ok(vehicle)
    }

    /// Counts after the last step.
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// Sums over the trips that have ended.
    pub fn trips(&self) -> &TripTotals {
        &self.trips
    }

    /// What happened in the last step; empty before the first one and after a [`restore`](Self::restore).
    pub fn last_step(&self) -> &MergedStep {
        &self.last
    }

    /// Names the whole state: equal simulations have equal digests.
    pub fn digest(&self) -> u128 {
        self.engine.partitions().iter().fold(0, |sum, partition| partition.digest().0.wrapping_add(sum))
    }

    /// How many partitions there are.
    pub fn partition_count(&self) -> usize {
        self.cut.parts as usize
    }

    /// The partitions of the kernel, by number.
    #[doc(hidden)]
    pub fn partitions(&self) -> &[Partition] {
        self.engine.partitions()
    }

    #[doc(hidden)]
    pub fn cut(&self) -> &Cut {
        &self.cut
    }

    pub(super) fn part_of(&self, edge: EdgeId) -> Option<&Partition> {
        let part = *self.cut.part_of_edge.get(edge.index())?;
        self.engine.partitions().get(usize::from(part))
    }

    fn state(&self) -> RunState {
        RunState {
            steps: self.steps,
            cut: self.cut.clone(),
            partitions: self.engine.partitions().iter().map(|partition| partition.save()).collect(),
            guidance: self.guidance.state().cloned(),
            routes: self.routes.clone(),
            orders: self.orders.clone(),
            numbered: self.numbered,
            counts: self.counts,
            trips: self.trips,
            still_since: self.alerts.still_since(),
        }
    }

    /// All that the rest of the run depends on, beside the scenario.
    pub fn save(&self) -> Snapshot {
        Snapshot { scenario: self.base.fingerprint(), run: self.state() }
    }

    /// Goes on from a snapshot, in the present number of partitions.
    ///
    /// # Errors
    /// The snapshot is of another scenario or damaged, or the simulation writes output files; then nothing is changed.
    pub fn restore(&mut self, snapshot: &Snapshot) -> Result<(), SimulationError> {
        if self.outputs.is_some() {
            return Err(SimulationError::OutputsOpen);
        }
        if snapshot.scenario != self.base.fingerprint() {
            return Err(SnapshotError::OtherScenario.into());
        }
        let restored = self.resumed(&snapshot.run)?;
        let sinks = std::mem::take(&mut self.sinks);
        *self = Self { sinks, ..restored };
        Ok(())
    }

    /// A second simulation that goes on from here. It writes no output files and has no sinks.
    ///
    /// # Errors
    /// The simulation failed.
    pub fn fork(&self) -> Result<Self, SimulationError> {
        if self.engine.partitions().is_empty() {
            let reason = "an earlier step failed".to_owned();
            return Err(SimulationError::Failed { step: self.steps, reason });
        }
        self.resumed(&self.state())
    }

    /// A simulation like this one, in the given state.
    fn resumed(&self, run: &RunState) -> Result<Self, SimulationError> {
        let world = Arc::clone(&self.base.world);
        let warnings = self.warnings.clone();
        let setup = Setup {
            world: Arc::clone(&world),
            requests: self.base.requests.clone(),
            cut: self.cut.clone(),
            threads: self.threads,
            report: self.report,
            outputs: None,
            warnings,
        };
        let partitions = self.engine.partitions();
        let scopes = partitions.iter().map(|partition| partition.scope().clone()).collect();
        let scopes = Some(scopes).filter(|_| !partitions.is_empty());
        // Ids in damaged bytes may point nowhere.
        let resumed = catch_unwind(AssertUnwindSafe(|| {
            let mut resumed = Self::on(Arc::clone(&self.base), setup, scopes);
            resumed.engine.restore(&run.partitions, run.cut == self.cut).map(|()| resumed)
        }));
        let damaged = |reason: String| SimulationError::from(SnapshotError::Damaged(reason));
        let mut resumed = resumed
            .map_err(|_| damaged("an id points to nothing".to_owned()))?
            .map_err(|error| damaged(error.to_string()))?;
        let unfit = |error: StateError| damaged(error.to_string());
        check_routes(&world.network, run.routes.iter().flat_map(|routes| &routes.updates)).map_err(unfit)?;
        resumed.guidance = RouteGuidance::restored(&world, run.guidance.clone()).map_err(unfit)?;
        resumed.guidance.added().for_each(|new| resumed.alerts.admit(new));
        let alerts = std::mem::replace(&mut resumed.alerts, alerts(&world));
        resumed.alerts = alerts.resumed(run.still_since);
        resumed.routes.clone_from(&run.routes);
        resumed.orders.clone_from(&run.orders);
        resumed.numbered = run.numbered;
        resumed.steps = run.steps;
        resumed.counts = run.counts;
        resumed.trips = run.trips;
        Ok(resumed)
    }

    /// The simulation from here on in an edited network, without output files and sinks, and what became of vehicles on roads
    /// that are gone. `edited` begins with the present network.
    ///
    /// # Errors
    /// Something is measured on a lane that is gone, or the simulation failed.
    pub fn edited(&self, edited: &EditedNetwork) -> Result<(Self, EditTally), SimulationError> {
        let before = &self.base.world;
        let EditedNetwork { network, lanes } = edited;
        let mut demand = (*before.demand).clone();
        keep_places(&mut demand, &before.network, network, lanes);
        let mut requests = self.base.requests.clone();
        requests.follow(network, lanes).map_err(SimulationError::Measured)?;
        let after = Arc::new(World::new(network.clone(), demand, before.settings.clone(), &requests));
        let mut cut = self.cut.clone();
        cut.grow(network);
        join_actuated_signals(network, &mut cut);
        let state = self.state();
        let (parts_before, parts_after) = (&self.cut.part_of_edge[..], cut.part_of_edge.clone());
        let world = EditedWorld { before, after: &after, lanes, signals: &[], parts_before, parts_after: &parts_after };
        let failed =
            |error: crate::sim::StateError| SimulationError::Failed { step: self.steps, reason: error.to_string() };
        let carried = world.carry(&state.partitions, state.guidance).map_err(failed)?;
        let mut routes = state.routes;
        routes.iter_mut().for_each(|routes| world.keep(&mut routes.updates));
        let run = RunState {
            cut: cut.clone(),
            partitions: carried.states,
            guidance: carried.guidance,
            routes,
            still_since: None,
            ..state
        };
        let setup = Setup {
            world: Arc::clone(&after),
            requests,
            cut,
            threads: self.threads,
            report: self.report,
            outputs: None,
            warnings: self.warnings.clone(),
        };
        let simulation = Self::new(setup).resumed(&run)?;
        Ok((simulation, carried.tally))
    }

    /// Ends the run after the last step: writes what output files say of its end, and closes them.
    ///
    /// # Errors
    /// A file cannot be written.
    pub fn finish(mut self) -> Result<Finished, SimulationError> {
        let end_ms = self.now_ms();
        let unfinished = self.report.unfinished;
        let closings: Vec<_> =
            self.engine.partitions_mut().iter_mut().map(|partition| partition.close(unfinished)).collect();
        let digest = closings.iter().fold(0u128, |sum, closing| sum.wrapping_add(closing.digest));
        if let Some(outputs) = &mut self.outputs {
            outputs.close(closings, end_ms)?;
        }
        Ok(Finished {
            steps: self.steps,
            end_ms,
            counts: self.counts,
            trips: self.trips,
            digest,
            orders_missed: self.guidance.orders_missed(),
        })
    }
}

fn alerts(world: &World) -> Alerts {
    Alerts::new(Names::new(Arc::clone(&world.network), Arc::clone(&world.demand)), &world.settings, false)
}
