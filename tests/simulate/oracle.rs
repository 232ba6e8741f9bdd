//! What a run comes to when nothing goes wrong, and whether a simulated one came to the same.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use actix::prelude::System;
use tessds::actors::recorder::Recording;
use tessds::actors::threads::Threads;
use tessds::actors::worker::OpenStore;
use tessds::graph::partition::random_cut;
use tessds::persist::{MemoryStore, RunName, SnapshotStore};
use tessds::protocol::{Limits, LocalNetwork, Networking};
use tessds::roles::launch::{LeaseRequest, LoadedScenario};
use tessds::roles::standalone::{Division, RunError, run};
use tessds::roles::whole_run::{WholeRun, drive_through};
use tessds::roles::worker::{WorkerSetup, work};
use tessds::settings::ClusterSettings;

use super::cluster::{LIVENESS, master_options};
use super::hub::Outcome;
use super::plan::Plan;

/// The whole network in one partition: without any cluster, or where there are commands with a worker in the same process.
///
/// # Errors
/// Even that run fails, or does not end.
pub fn undisturbed(plan: &Plan, folder: &Path) -> Result<Outcome, String> {
    let given = plan.given(folder);
    let cut = random_cut(&given.scenario.network, 1, 0).expect("a network with junctions");
    let result = if plan.commands.is_none() {
        run(given.scenario, &given.outputs, Division { cut, threads: 1, quiet: true })
    } else {
        // Nobody waits for anything here, so its time need not pass.
        let system = System::with_tokio_rt(|| {
            let mut runtime = tokio::runtime::Builder::new_current_thread();
            runtime.enable_all().start_paused(true).build().expect("a runtime")
        });
        system.block_on(commanded(plan, LoadedScenario { cut, ..given }))
    };
    match result {
        Ok(recording) => Ok(Outcome::Finished(Box::new(recording))),
        Err(RunError::Input(error)) => Ok(Outcome::Refused(error.to_string())),
        Err(error) => Err(format!("undisturbed: {error}")),
    }
}

async fn commanded(plan: &Plan, given: LoadedScenario) -> Result<Recording, RunError> {
    let networking = Arc::new(LocalNetwork::default());
    let memory = MemoryStore::with_clock(|| 0);
    let open_store: OpenStore = Arc::new(move || Ok(Box::new(memory.clone()) as Box<dyn SnapshotStore>));
    let listener = networking.listen("here:0").await.expect("a free port");
    let setup = WorkerSetup {
        name: "worker".to_owned(),
        incarnation: 1,
        master: listener.address(),
        advertised: None,
        listener: networking.listen("here:0").await.expect("a free port"),
        networking: networking.clone(),
        limits: Limits::default(),
        open_store: Arc::clone(&open_store),
        threads: Threads::Shared,
        patience: None,
        planned_panic: None,
        instruments: None,
    };
    let worker = tokio::task::spawn_local(work(setup, std::future::pending()));
    let cluster = ClusterSettings { snapshot_interval: 1000, heartbeat: false, ..ClusterSettings::default() };
    let run = WholeRun {
        options: master_options(cluster),
        claim: LeaseRequest {
            run: RunName::new("undisturbed").expect("a good name"),
            holder: "master".to_owned(),
            lease: Duration::from_secs(60),
        },
        given: Some(given),
        partitions: None,
        open_store,
        listener,
        workers: 1,
        control: None,
        timed: plan.timed(),
    };
    let finished = tokio::time::timeout(LIVENESS, drive_through(run, async |_| Ok(()))).await;
    worker.abort();
    let finished = finished.map_err(|_| RunError::Failed("the run does not end".to_owned()))?;
    Ok(finished?.recording)
}

/// I1, I2: the run came to what it would have come to undisturbed.
pub fn check(expected: &Outcome, found: Outcome) -> Result<(), String> {
    let found = match (expected, found) {
        (Outcome::Finished(expected), Outcome::Finished(found)) => {
            Outcome::Finished(Box::new(Recording { wall: expected.wall, ..*found }))
        }
        (_, found) => found,
    };
    if *expected == found { Ok(()) } else { Err(format!("I1: expected {expected:?}, found {found:?}")) }
}

/// The same for the files that were written.
pub fn compare(expected: &Path, found: &Path) -> Result<(), String> {
    let names = |folder: &Path| {
        let entries = std::fs::read_dir(folder).expect("the folder");
        let mut names: Vec<_> = entries.map(|entry| entry.expect("a file").file_name()).collect();
        names.sort();
        names
    };
    if names(expected) != names(found) {
        return Err(format!("I2: files {:?}, expected {:?}", names(found), names(expected)));
    }
    for name in names(expected) {
        let read = |folder: &Path| std::fs::read(folder.join(&name)).expect("a file");
        if read(expected) != read(found) {
            return Err(format!("I2: {} differs", name.display()));
        }
    }
    Ok(())
}
