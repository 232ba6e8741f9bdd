//! How a run over many processes is kept alive, and how its connections are encrypted.

use std::path::PathBuf;

use serde::Deserialize;

use crate::tls::TlsFiles;

/// How a run over many processes is kept alive. The master's settings hold; it tells them to its workers.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ClusterSettings {
    /// Take snapshots, and recover what is lost from them.
    pub fault_tolerance: bool,
    /// Steps between two snapshots.
    pub snapshot_interval: u64,
    /// Workers tell their progress, and are replaced when they do not.
    pub heartbeat: bool,
    pub heartbeat_ms: u64,
    /// A worker or neighbour that has not been heard of for so long is lost.
    pub timeout_ms: u64,
    /// A worker whose connection is lost is replaced if it does not come back within so long.
    pub grace_ms: u64,
    /// The same when the master was restarted.
    pub adoption_ms: u64,
    /// What becomes of the run when the store is out of order for long.
    pub on_outage: OnOutage,
    /// The right to drive the run lapses so long after the master's last sign of life.
    pub lease_ms: u64,
    /// How long a worker that hosts nothing looks for a master, s; 0: for ever. The worker's own setting holds.
    pub master_patience_s: u64,
    /// Stay when the run is finished, until told to end. The process's own setting holds; that of a run in one process does not matter.
    pub linger: bool,
}

impl Default for ClusterSettings {
    fn default() -> Self {
        Self {
            fault_tolerance: true,
            snapshot_interval: 100,
            heartbeat: true,
            heartbeat_ms: 500,
            timeout_ms: 2500,
            grace_ms: 500,
            adoption_ms: 3000,
            on_outage: OnOutage::Pause,
            lease_ms: 5000,
            master_patience_s: 600,
            linger: false,
        }
    }
}

impl ClusterSettings {
    pub(super) fn validate(&self) -> Result<(), String> {
        if self.snapshot_interval == 0 || self.snapshot_interval > 1_000_000 {
            return Err(format!("cluster.snapshot_interval is {}, 1 to 1000000 are allowed", self.snapshot_interval));
        }
        if self.heartbeat_ms == 0 || self.timeout_ms < 2 * self.heartbeat_ms {
            return Err(format!(
                "cluster.timeout_ms is {} and cluster.heartbeat_ms {}; the timeout has to be at least two heartbeats, or \
                 one late message counts as the loss of a worker",
                self.timeout_ms, self.heartbeat_ms
            ));
        }
        if self.lease_ms < 500 {
            return Err(format!("cluster.lease_ms is {}, at least 500 are needed to renew it in time", self.lease_ms));
        }
        Ok(())
    }
}

/// PEM files for the connections between processes; all are set, or none (SECURITY.md).
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TlsSettings {
    pub certificate: PathBuf,
    pub key: PathBuf,
    /// The authority that vouches for all processes.
    pub ca: PathBuf,
}

impl TlsSettings {
    /// The files; `None`: connections are not encrypted.
    pub fn files(&self) -> Option<TlsFiles> {
        let Self { certificate, key, ca } = self.clone();
        (!certificate.as_os_str().is_empty()).then_some(TlsFiles { certificate, key, ca: Some(ca) })
    }

    pub(super) fn validate(&self) -> Result<(), String> {
        let given = [&self.certificate, &self.key, &self.ca].map(|path| !path.as_os_str().is_empty());
        if given != [true; 3] && given != [false; 3] {
            return Err("tls.certificate, tls.key and tls.ca belong together; set all or none".to_owned());
        }
        Ok(())
    }
}

/// What becomes of a run whose snapshots cannot be stored any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnOutage {
    /// It waits at the bound of what can be kept, so that nothing is ever lost.
    Pause,
    /// It goes on, and cannot be recovered before the next snapshot.
    Continue,
}
