//! The command line of health and metrics, in processes that take no commands.

use std::sync::Arc;

use tokio::task::spawn_local;

use tessds::actors::worker::OpenStore;
use tessds::cli::Role;
use tessds::control::gateway::{Gateway, ProbeSetup};
use tessds::control::live::LiveIn;
use tessds::diagnostics::InputError;
use tessds::observe::Instruments;
use tessds::observe::metrics::CountedStore;
use tessds::persist::SnapshotStore;
use tessds::settings::ControlSettings;

use super::serve::{limits, tls};

/// Shows health and metrics if the settings say where, until the gateway is dropped. To be called in an actix system.
///
/// # Errors
/// The address or the certificates cannot be used.
pub fn show(
    settings: &ControlSettings,
    role: Role,
    live: Option<LiveIn>,
) -> Result<Option<(Instruments, Gateway)>, InputError> {
    if settings.http.is_empty() {
        return Ok(None);
    }
    let (instruments, pulse) = Instruments::new(role);
    spawn_local(pulse.beat());
    let setup = ProbeSetup {
        address: settings.http.clone(),
        tls: tls(settings),
        limits: limits(settings),
        live,
        instruments: instruments.clone(),
    };
    let gateway =
        Gateway::open_for_probes(setup).map_err(|error| InputError::file("control.http", error.to_string()))?;
    Ok(Some((instruments, gateway)))
}

/// Connections to the store whose failures are counted.
pub fn counted(open: OpenStore, instruments: Option<&Instruments>) -> OpenStore {
    let Some(meter) = instruments.map(|instruments| instruments.store().clone()) else { return open };
    Arc::new(move || {
        let store = open()?;
        Ok(Box::new(CountedStore::new(store, meter.clone())) as Box<dyn SnapshotStore>)
    })
}
