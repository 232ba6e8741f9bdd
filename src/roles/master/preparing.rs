//! From a launched run to the cores of its master and its recorder.

use std::num::NonZeroU64;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::time::Instant;

use super::stored_control::{pace_of, scheduled, timed_commands};
use super::{MasterOptions, RunControl, TimedFile};
use crate::actors::master::{ClusterCore, Horizon, Pace, Plan, Resumed, ScheduledCommand, Tenure, of_network};
use crate::actors::recorder;
use crate::control::NameResolver;
use crate::control::timed::TimedCommand;
use crate::observe::metrics::RunMeter;
use crate::output::{Alerts, Names, Outputs, Reporting};
use crate::persist::{RunName, SnapshotStore};
use crate::protocol::{FencingToken, OrderNotice, Policy, RunId};
use crate::roles::launch::{Launch, ResumePoint};
use crate::roles::standalone::{RunError, WINDOW};
use crate::roles::timed_check::check;
use crate::scenario::{CompiledScenario, OutputPaths, OutputRequests};
use crate::settings::OnOutage;
use crate::sim::{ReportOptions, RouteGuidance, RunRules, Scope, World, check_routes};

/// Steps beyond the last commit that may be done, in intervals: the bound of the logs (I7).
const UNCOMMITTED_INTERVALS: u64 = 8;

/// How a run is to be driven, besides what the store says.
pub(super) struct Wanted<'a> {
    pub options: &'a MasterOptions,
    pub workers: usize,
    pub gather: Option<Duration>,
    pub pace: Option<Pace>,
    pub control: Option<&'a RunControl>,
    pub timed: Option<TimedFile>,
}

/// What the actors of a run are started with.
pub(super) struct Prepared {
    pub tenure: Tenure,
    pub token: FencingToken,
    pub horizon: Horizon,
    pub master: ClusterCore,
    pub recorder: recorder::Core,
    /// Orders of the command log that the recorder has to know first.
    pub orders: Vec<OrderNotice>,
    /// For a run that takes commands: its names and its timed commands.
    pub commands: Option<(NameResolver, Vec<TimedCommand>)>,
    /// `None`: nobody asks.
    pub meter: Option<RunMeter>,
}

/// # Errors
/// [`RunError::Input`] when an output cannot be opened or a timed command is misspelt, [`RunError::Failed`] when the store or the
/// snapshot is of no use.
pub(super) async fn prepare(
    store: &mut dyn SnapshotStore,
    wanted: Wanted<'_>,
    launch: Launch,
) -> Result<Prepared, RunError> {
    let Wanted { options, workers, gather, pace, control, timed } = wanted;
    let Launch { tenure, compiled, outputs: paths, standing, placed, tallies, recut, log, pace: kept } = launch;
    let world = Arc::new(World::new(
        Arc::clone(&compiled.network),
        Arc::clone(&compiled.demand),
        compiled.settings.clone(),
        &compiled.requests,
    ));
    let requests = compiled.requests.clone();
    let rules = RunRules::of(&world);
    let is_driven = control.is_some_and(|control| control.requests.is_some());
    let horizon = Horizon { window: WINDOW, end: rules.steps, is_driven };
    let token = FencingToken { run: RunId::of(tenure.run.as_str()), epoch: tenure.epoch };
    let bounds = Bounds::of(options, &horizon);
    let start = standing.as_ref().map_or(0, |standing| standing.step);
    let meter = options.instruments.as_ref().map(|instruments| {
        let meter = instruments.run(tallies);
        if bounds.interval.is_some() {
            // What is not committed yet is at risk since the run began.
            meter.committed(standing.as_ref().map_or_else(SystemTime::now, |standing| standing.committed_at));
        }
        meter
    });
    let pace = match pace {
        Some(pace) => pace,
        None => pace_of(store, &tenure, kept, control, start, &rules).await?,
    };
    let policy = bounds.policy(options, paths.report_options(&requests));
    let plan = Plan {
        pace,
        begin_ms: rules.begin_ms,
        step_ms: rules.step_ms,
        run: token.run,
        name: tenure.run.clone(),
        scenario: tenure.scenario,
        partitions: compiled.cut.parts as u16,
        preferred: compiled.cut.workers.clone(),
        workers,
        gather,
        policy,
        grace: Duration::from_millis(options.cluster.grace_ms),
        adoption_grace: Duration::from_millis(options.cluster.adoption_ms),
        horizon,
    };
    let is_new = standing.is_none() && log.is_empty() && placed.is_empty();
    let timed = timed_commands(store, &tenure, timed, is_new).await?;
    if is_new {
        // What is misspelt should be said before the run begins.
        check(&timed, &rules, &compiled)?;
    }
    let edits = compiled.revision.edits;
    let needs_names = control.is_some() || !log.is_empty() || !timed.is_empty();
    let mut resolver = needs_names.then(|| resolver(&world, &compiled));
    let log = resolver.as_mut().map_or_else(Vec::new, |resolver| scheduled(log, edits, resolver));
    let orders = orders_from(start, &log, edits, token);
    let steps = timed.iter().map(|command| command.step(|ms| rules.step_of(ms))).collect();
    let since = compiled.revision.epoch;
    // Names keep what they need of the scenario.
    drop(compiled);
    let resumed = Resumed { placed, recut, since, edits, log, timed: steps, tallies, ..Resumed::default() };
    let still_since = standing.as_ref().and_then(|standing| standing.recorder.still_since);
    let names = Names::new(Arc::clone(&world.network), Arc::clone(&world.demand));
    let alerts = Alerts::new(names.clone(), &world.settings, is_driven || !resumed.timed.is_empty());
    let reporting = bounds.reporting(plan.partitions, &rules, &horizon);
    let files = OutputFiles { run: &tenure.run, names, paths, requests, reporting };
    let (recorder, resumed) = files.open(standing, &world, token, resumed)?;
    let recorder = recorder.with_alerts(alerts.resumed(still_since));
    let recorder = match bounds.interval {
        Some(interval) => recorder.with_checkpoints(interval),
        None => recorder,
    };
    let resumed = Resumed { notices: recorder.notices().to_vec(), hold: recorder.hold(), ..resumed };
    let master = ClusterCore::new(plan, tenure.epoch, resumed, Instant::now());
    let commands = resolver.map(|resolver| (resolver, timed));
    Ok(Prepared { tenure, token, horizon, master, recorder, orders, commands, meter })
}

/// How often snapshots are taken, and how far the run may get without one, in steps.
struct Bounds {
    interval: Option<NonZeroU64>,
    uncommitted: Option<u64>,
}

impl Bounds {
    fn of(options: &MasterOptions, horizon: &Horizon) -> Self {
        let cluster = &options.cluster;
        let interval = cluster.fault_tolerance.then_some(cluster.snapshot_interval).and_then(NonZeroU64::new);
        let uncommitted = interval.map(|interval| (UNCOMMITTED_INTERVALS * interval.get()).max(2 * horizon.ahead()));
        Self { interval, uncommitted }
    }

    fn policy(&self, options: &MasterOptions, report: ReportOptions) -> Policy {
        let cluster = &options.cluster;
        Policy {
            snapshot_interval: self.interval.map(NonZeroU64::get),
            uncommitted_steps: self.uncommitted,
            outlive_store: cluster.on_outage == OnOutage::Continue,
            heartbeat_ms: cluster.heartbeat.then_some(cluster.heartbeat_ms),
            timeout_ms: cluster.timeout_ms,
            report,
        }
    }

    fn reporting(&self, partitions: u16, rules: &RunRules, horizon: &Horizon) -> Reporting {
        Reporting {
            partitions: usize::from(partitions),
            begin_ms: rules.begin_ms,
            step_ms: rules.step_ms,
            capacity: self.uncommitted.unwrap_or(0).max(horizon.ahead()) as usize + 1,
            checkpoints: self.interval.is_some(),
        }
    }
}

/// Names of a run that takes commands, and which partitions know what.
fn resolver(world: &Arc<World>, compiled: &CompiledScenario) -> NameResolver {
    let scopes =
        (0..compiled.cut.parts as u16).map(|part| Scope::new(world, part, &compiled.cut.part_of_edge)).collect();
    NameResolver::new(Arc::clone(world), compiled.requests.clone(), Arc::new(scopes))
}

/// Orders of the log for steps after `start`, as far as they are for the present network.
fn orders_from(start: u64, log: &[ScheduledCommand], edits: u32, token: FencingToken) -> Vec<OrderNotice> {
    of_network(log.to_vec(), edits)
        .iter()
        .filter(|command| command.entry.at_step >= start)
        .filter_map(|command| command.notice(token.run, token.epoch))
        .collect()
}

/// The output files of a run.
struct OutputFiles<'a> {
    run: &'a RunName,
    names: Names,
    paths: OutputPaths,
    requests: OutputRequests,
    reporting: Reporting,
}

impl OutputFiles<'_> {
    /// Opens the files, or cuts them back to where the recorder stood; a run that is resumed goes on from there.
    fn open(
        self,
        standing: Option<ResumePoint>,
        world: &Arc<World>,
        token: FencingToken,
        resumed: Resumed,
    ) -> Result<(recorder::Core, Resumed), RunError> {
        let Self { run, names, paths, requests, reporting } = self;
        let rules = RunRules::of(world);
        let Some(standing) = standing else {
            let outputs = Outputs::open(&names, &paths, &requests, reporting)?;
            return Ok((recorder::Core::new(token, rules, outputs, RouteGuidance::new(world)), resumed));
        };
        let outputs = Outputs::resume(&names, &paths, &requests, reporting, &standing.recorder.outputs)?;
        let damaged = |error| RunError::Failed(format!("snapshot of step {}: {error}", standing.step));
        let ways = standing.recorder.notices.iter().flat_map(|notice| &notice.updates);
        check_routes(&world.network, ways).map_err(damaged)?;
        let guidance = RouteGuidance::restored(world, standing.recorder.guidance).map_err(damaged)?;
        let core = recorder::Core::resumed(token, rules, outputs, guidance, standing.recorder.notices);
        tracing::info!(%run, step = standing.step, "run resumed from its last snapshot");
        Ok((core, Resumed { steps: standing.step, parts: Some(standing.parts), ..resumed }))
    }
}
