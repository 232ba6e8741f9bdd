//! Certificates, for connections between processes and for the gateway: read from files, and read again when these change.

mod files;
mod reloaded;

pub use files::{Credentials, TlsError, TlsFiles, client_config, server_name};
pub use reloaded::{LOOK, Reloaded};
