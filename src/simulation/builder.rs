//! From files or values to a [`Simulation`].

use std::path::Path;
use std::sync::Arc;

use super::core::{Setup, Simulation};
use super::error::SimulationError;
use super::snapshot::Snapshot;
use crate::demand::Demand;
use crate::diagnostics::Warnings;
use crate::graph::partition::Cut;
use crate::graph::{Network, join_actuated_signals};
use crate::output::{Names, Outputs, Reporting, add_whole_run_requests};
use crate::scenario::{
    OutputPaths, OutputRequests, RunConfig, Scenario, Settings, check_indices, cut_by_traffic, load,
};
use crate::sim::World;

/// Where network and demand come from.
enum Source {
    Files(Box<RunConfig>),
    Parts { network: Arc<Network>, demand: Arc<Demand>, settings: Box<Settings>, requests: Box<OutputRequests> },
}

/// What a [`Simulation`] is made of; begins with [`Simulation::from_sumocfg`], [`Simulation::from_parts`] or
/// [`Simulation::from_scenario`], ends with [`build`](Self::build).
#[must_use]
pub struct SimulationBuilder {
    source: Source,
    /// Of reading the configuration.
    warnings: Warnings,
    partitions: u32,
    cut: Option<Cut>,
    threads: Option<usize>,
    outputs: Option<OutputPaths>,
    every_vehicle: bool,
}

impl SimulationBuilder {
    fn new(source: Source, warnings: Warnings) -> Self {
        Self { source, warnings, partitions: 1, cut: None, threads: None, outputs: None, every_vehicle: false }
    }

    pub(super) fn read(path: &Path) -> Result<Self, SimulationError> {
        let mut warnings = Warnings::default();
        let config = RunConfig::read(path, &mut warnings)?;
        Ok(Self::new(Source::Files(Box::new(config)), warnings))
    }

    pub(super) fn of_parts(network: Arc<Network>, demand: Arc<Demand>) -> Self {
        let (settings, requests) = (Box::default(), Box::default());
        Self::new(Source::Parts { network, demand, settings, requests }, Warnings::default())
    }

    fn settings_mut(&mut self) -> &mut Settings {
        match &mut self.source {
            Source::Files(config) => &mut config.settings,
            Source::Parts { settings, .. } => settings,
        }
    }

    /// All settings of the run, instead of those of the configuration or of SUMO.
    pub fn settings(mut self, settings: Settings) -> Self {
        *self.settings_mut() = settings;
        self
    }

    /// Changes some settings.
    pub fn with_settings(mut self, change: impl FnOnce(&mut Settings)) -> Self {
        change(self.settings_mut());
        self
    }

    /// Seed of all random numbers; runs with different seeds differ as two days do.
    pub fn seed(self, seed: u64) -> Self {
        self.with_settings(|settings| settings.seed = seed)
    }

    /// Simulated time at which the run is over, ms; `None`: when all vehicles have left.
    pub fn end_ms(self, end_ms: Option<i64>) -> Self {
        self.with_settings(|settings| settings.end_ms = end_ms)
    }

    /// Length of a step, ms.
    pub fn step_ms(self, step_ms: i64) -> Self {
        self.with_settings(|settings| settings.step_ms = step_ms)
    }

    /// What is measured: detectors and mean data. Additional files of a configuration say it themselves.
    pub fn requests(mut self, wanted: OutputRequests) -> Self {
        if let Source::Parts { requests, .. } = &mut self.source {
            **requests = wanted;
        }
        self
    }

    /// Number of parts into which the network is cut, each stepped by a thread of its own; 1 where nothing is said. The result
    /// does not depend on it.
    pub fn partitions(mut self, partitions: u32) -> Self {
        self.partitions = partitions;
        self
    }

    /// A cut that was made elsewhere.
    pub fn cut(mut self, cut: Cut) -> Self {
        self.cut = Some(cut);
        self
    }

    /// Threads that step, that of the caller among them; as many as partitions where nothing is said.
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = Some(threads);
        self
    }

    /// Writes these files, and those of detectors and mean data.
    pub fn outputs(mut self, paths: OutputPaths) -> Self {
        self.outputs = Some(paths);
        self
    }

    /// Writes the files that the configuration names, and those of its additional files.
    pub fn with_configured_outputs(mut self) -> Self {
        if let Source::Files(config) = &self.source {
            self.outputs = Some(config.outputs.clone());
        }
        self
    }

    /// Every step says where every vehicle is ([`StepReport::fcd`](crate::sim::report::StepReport::fcd)).
    pub fn every_vehicle(mut self) -> Self {
        self.every_vehicle = true;
        self
    }

    /// Reads the files, checks all parts, and opens the output files.
    ///
    /// # Errors
    /// A file is missing or wrong, parts do not fit each other, the network cannot be cut like this, or an output file cannot be
    /// created.
    pub fn build(self) -> Result<Simulation, SimulationError> {
        let Self { source, mut warnings, partitions, cut, threads, outputs, every_vehicle } = self;
        let is_read = matches!(source, Source::Files(_));
        let (network, demand, settings, mut requests) = match source {
            Source::Files(config) => {
                let Scenario { network, demand, settings, requests } = load(&config, &mut warnings)?;
                (Arc::new(network), Arc::new(demand), settings, requests)
            }
            Source::Parts { network, demand, settings, requests } => (network, demand, *settings, *requests),
        };
        let cut = match cut {
            Some(cut) => Some(cut),
            // What was read holds; values may hold anything, and are checked before they are used.
            None if is_read => Some(cut_of(&network, &demand, &settings, partitions)?),
            None => None,
        };
        let whole = Cut::whole(&network);
        check_indices(&network, &demand, &settings, &requests, cut.as_ref().unwrap_or(&whole))
            .map_err(SimulationError::Parts)?;
        let cut = cut.map_or_else(|| cut_of(&network, &demand, &settings, partitions), Ok)?;
        if let Some(paths) = &outputs {
            add_whole_run_requests(paths, &mut requests);
        }
        let world = Arc::new(World::new(network, demand, settings, &requests));
        let for_outputs = outputs.as_ref().map(|paths| paths.report_options(&requests));
        let mut report = for_outputs.unwrap_or_default();
        report.fcd |= every_vehicle;
        let outputs = outputs.map(|paths| open(&world, &paths, &requests, cut.parts)).transpose()?;
        let threads = threads.unwrap_or(cut.parts as usize);
        let warnings = warnings.iter().map(|(kind, at, message, times)| told(kind, &at.to_string(), message, times));
        let warnings = warnings.collect();
        Ok(Simulation::new(Setup { world, requests, cut, threads, report, outputs, warnings }))
    }

    /// Builds the simulation and goes on from a snapshot.
    ///
    /// # Errors
    /// As [`build`](Self::build) and [`Simulation::restore`].
    pub fn restore(self, snapshot: &Snapshot) -> Result<Simulation, SimulationError> {
        let mut simulation = self.build()?;
        simulation.restore(snapshot)?;
        Ok(simulation)
    }
}

fn cut_of(network: &Network, demand: &Demand, settings: &Settings, parts: u32) -> Result<Cut, SimulationError> {
    let mut cut = if parts == 1 { Cut::whole(network) } else { cut_by_traffic(network, demand, settings.seed, parts)? };
    join_actuated_signals(network, &mut cut);
    Ok(cut)
}

fn open(
    world: &Arc<World>,
    paths: &OutputPaths,
    requests: &OutputRequests,
    parts: u32,
) -> Result<Outputs, SimulationError> {
    let reporting = Reporting {
        partitions: parts as usize,
        begin_ms: world.settings.begin_ms,
        step_ms: world.settings.step_ms,
        capacity: 1,
        checkpoints: false,
    };
    let names = Names::new(Arc::clone(&world.network), Arc::clone(&world.demand));
    Ok(Outputs::open(&names, paths, requests, reporting)?)
}

fn told(kind: &str, at: &str, message: &str, times: u64) -> String {
    let more = if times > 1 { format!(" ({times} times)") } else { String::new() };
    format!("{at}: {kind}: {message}{more}")
}
