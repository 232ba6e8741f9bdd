//! Compiled scenarios as files and in stores: `tessds scenario` and `tessds run --scenario`.

use std::fmt::Write;
use std::path::Path;

use serde::Serialize;

use super::cutting::Hosts;
use super::given::given;
use super::launch::{LoadedScenario, compile, scenario_of};
use super::snapshots::Findings;
use super::standalone::RunError;
use crate::cli::{InputArgs, ScenarioArgs, ScenarioCommand};
use crate::diagnostics::InputError;
use crate::persist::{ContentHash, RunName, SnapshotStore, StoreError, open};
use crate::scenario::{CompiledError, CompiledScenario};
use crate::settings::ProcessSettings;

/// A compiled scenario that the user names.
#[derive(Clone, Copy, Debug)]
pub struct CompiledInput<'a> {
    /// A file or a hash.
    pub name: &'a str,
    /// Where to look for a hash; empty: nowhere.
    pub store: &'a str,
}

/// A scenario of a run in a store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Stored {
    scenario: ContentHash,
    run: RunName,
}

/// What is in a compiled scenario.
#[derive(Serialize)]
struct Contents {
    scenario: ContentHash,
    runs: Vec<RunName>,
    bytes: usize,
    /// `None`: what is stored is no scenario for this program; `fault` says why.
    edges: Option<usize>,
    lanes: Option<usize>,
    vehicles: Option<usize>,
    partitions: Option<u32>,
    fault: Option<String>,
}

/// Does what the command line asks for.
///
/// # Errors
/// [`RunError::Input`] for what is asked for wrongly, [`RunError::Failed`] for a store that cannot be used.
pub fn scenarios(args: &ScenarioArgs) -> Result<Findings, RunError> {
    let sound = |text| Findings { text, sound: true };
    match &args.command {
        ScenarioCommand::Compile { input, output } => compile_to(input, output).map(sound),
        ScenarioCommand::Ls { store, json } => {
            let listed = block_on(list(store))?;
            Ok(sound(if *json { super::snapshots::to_json(&listed) } else { table(&listed) }))
        }
        ScenarioCommand::Verify { scenario, store } => {
            let input = CompiledInput { name: scenario, store: store.as_deref().unwrap_or_default() };
            let bytes = read(input)?;
            Ok(match CompiledScenario::decode(&bytes) {
                Ok(compiled) => sound(format!("{}: sound, {}\n", ContentHash::of(&bytes), summary(&compiled))),
                Err(error) => Findings { text: format!("{scenario}: {error}\n"), sound: false },
            })
        }
        ScenarioCommand::Export { scenario, store, output } => {
            let hash = scenario.parse().map_err(|error: StoreError| InputError::file("scenario", error.to_string()))?;
            let bytes = block_on(fetch(store, hash))?;
            write(output, &bytes)?;
            Ok(sound(format!("{hash}: {} bytes written to {}\n", bytes.len(), output.display())))
        }
    }
}

/// Reads a compiled scenario.
///
/// # Errors
/// There is none of this name, or it is damaged or of another version.
pub fn open_compiled(input: CompiledInput<'_>) -> Result<CompiledScenario, RunError> {
    let bytes = read(input)?;
    let unusable = |error: CompiledError| InputError::file(input.name, error.to_string());
    Ok(CompiledScenario::decode(&bytes).map_err(unusable)?)
}

fn read(CompiledInput { name, store }: CompiledInput<'_>) -> Result<Vec<u8>, RunError> {
    let path = Path::new(name);
    match name.parse::<ContentHash>() {
        Ok(hash) if !path.is_file() => {
            if store.is_empty() || store == "memory" {
                let what = "a scenario is found by its hash in a store; say which with --store, or name a file";
                return Err(InputError::file(name, what).into());
            }
            block_on(fetch(store, hash))
        }
        _ => Ok(std::fs::read(path).map_err(|error| {
            let what = "name a file that 'tessds scenario compile' wrote, or a hash and its --store";
            InputError::file(name, format!("the scenario cannot be read: {error}; {what}"))
        })?),
    }
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), RunError> {
    Ok(std::fs::write(path, bytes)
        .map_err(|error| InputError::file(path.display().to_string(), format!("cannot be written: {error}")))?)
}

fn compile_to(input: &InputArgs, output: &Path) -> Result<String, RunError> {
    let process = ProcessSettings::load(&input.settings_files, input.overrides())?;
    if !process.region.record.as_os_str().is_empty() {
        let what = "--record-crossings is an option of 'tessds run'; remove it here";
        return Err(InputError::file("record-crossings", what).into());
    }
    let LoadedScenario { scenario, cut, .. } = given(input, None, &process, Hosts::here())?;
    let outputs = crate::scenario::OutputPaths::default();
    let (compiled, _) = compile(LoadedScenario { scenario, cut, outputs });
    let bytes = compiled.encode();
    write(output, &bytes)?;
    Ok(format!("{}: {}, {} bytes\n", ContentHash::of(&bytes), summary(&compiled), bytes.len()))
}

fn summary(compiled: &CompiledScenario) -> String {
    let CompiledScenario { network, demand, cut, .. } = compiled;
    let (lanes, vehicles, parts) = (network.lanes.len(), demand.departures.len(), cut.parts);
    format!("{} edges, {lanes} lanes, {vehicles} vehicles, {parts} partitions", network.edges.len())
}

fn block_on<T>(call: impl Future<Output = Result<T, StoreError>>) -> Result<T, RunError> {
    actix_rt::System::new().block_on(call).map_err(|error| match error {
        StoreError::Config { .. } | StoreError::Missing { .. } => InputError::file("store", error.to_string()).into(),
        error => RunError::Failed(format!("store: {error}")),
    })
}

/// The scenarios of all runs, by hash and run.
async fn stored(store: &mut dyn SnapshotStore) -> Result<Vec<Stored>, StoreError> {
    let mut all = Vec::new();
    for run in store.runs().await? {
        let mut scenarios: Vec<ContentHash> = scenario_of(store, &run).await?.into_iter().collect();
        // A run that was cut anew has a second one.
        scenarios.extend(store.commits(&run).await?.iter().map(|commit| commit.scenario));
        scenarios.sort_unstable_by_key(|hash| hash.0);
        scenarios.dedup();
        all.extend(scenarios.into_iter().map(|scenario| Stored { scenario, run: run.clone() }));
    }
    all.sort_by(|a, b| (a.scenario.0, a.run.as_str()).cmp(&(b.scenario.0, b.run.as_str())));
    Ok(all)
}

async fn fetch(url: &str, hash: ContentHash) -> Result<Vec<u8>, StoreError> {
    let mut store = open(url)?;
    let all = stored(&mut *store).await?;
    let Some(Stored { run, .. }) = all.iter().find(|stored| stored.scenario == hash) else {
        let mut known: Vec<String> = all.iter().map(|stored| stored.scenario.to_string()).collect();
        known.dedup();
        let what = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        return Err(StoreError::Missing { what: format!("scenario {hash} is not in this store; it has {what}") });
    };
    store.get_blob(run, hash).await
}

async fn list(url: &str) -> Result<Vec<Contents>, StoreError> {
    let mut store = open(url)?;
    let all = stored(&mut *store).await?;
    let mut listed: Vec<Contents> = Vec::new();
    for Stored { scenario, run } in all {
        if let Some(last) = listed.last_mut().filter(|last| last.scenario == scenario) {
            last.runs.push(run);
            continue;
        }
        let runs = vec![run.clone()];
        let mut contents = Contents {
            scenario,
            runs,
            bytes: 0,
            edges: None,
            lanes: None,
            vehicles: None,
            partitions: None,
            fault: None,
        };
        match store.get_blob(&run, scenario).await {
            Ok(bytes) => {
                contents.bytes = bytes.len();
                match CompiledScenario::decode(&bytes) {
                    Ok(compiled) => contents.take(&compiled),
                    Err(error) => contents.fault = Some(error.to_string()),
                }
            }
            Err(error @ (StoreError::Damaged { .. } | StoreError::Missing { .. })) => {
                contents.fault = Some(error.to_string());
            }
            Err(error) => return Err(error),
        }
        listed.push(contents);
    }
    Ok(listed)
}

impl Contents {
    fn take(&mut self, compiled: &CompiledScenario) {
        self.edges = Some(compiled.network.edges.len());
        self.lanes = Some(compiled.network.lanes.len());
        self.vehicles = Some(compiled.demand.departures.len());
        self.partitions = Some(compiled.cut.parts);
    }
}

fn table(listed: &[Contents]) -> String {
    if listed.is_empty() {
        return "no scenarios\n".to_owned();
    }
    let mut text = String::new();
    for Contents { scenario, runs, bytes, edges, lanes, vehicles, partitions, fault } in listed {
        let runs: Vec<&str> = runs.iter().map(RunName::as_str).collect();
        let _ = match (edges, lanes, vehicles, partitions, fault) {
            (Some(edges), Some(lanes), Some(vehicles), Some(parts), _) => writeln!(
                text,
                "{scenario}  {bytes} bytes, {edges} edges, {lanes} lanes, {vehicles} vehicles, {parts} partitions; runs: {}",
                runs.join(", ")
            ),
            (.., fault) => {
                writeln!(text, "{scenario}  {}; runs: {}", fault.as_deref().unwrap_or_default(), runs.join(", "))
            }
        };
    }
    text
}
