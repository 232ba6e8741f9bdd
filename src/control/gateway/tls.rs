//! Certificates of the gateway, from files.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use tokio_rustls::TlsAcceptor;

/// PEM files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The own certificate, and those between it and the root.
    pub certificate: PathBuf,
    pub key: PathBuf,
    /// Whose clients are let in; `None`: clients need no certificate.
    pub client_ca: Option<PathBuf>,
}

#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("{path}: {error}; a PEM file is needed")]
    Unreadable { path: String, error: rustls::pki_types::pem::Error },
    #[error("{path}: there is no certificate in it")]
    Empty { path: String },
    #[error("certificate {certificate} and key {key}: {error}")]
    Unusable { certificate: String, key: String, error: String },
}

impl TlsFiles {
    /// Reads the files.
    ///
    /// # Errors
    /// One of them is missing or no PEM file, or certificate and key do not belong together.
    pub fn acceptor(&self) -> Result<TlsAcceptor, TlsError> {
        let key = PrivateKeyDer::from_pem_file(&self.key).map_err(|error| unreadable(&self.key, error))?;
        let unusable = |error: String| TlsError::Unusable {
            certificate: self.certificate.display().to_string(),
            key: self.key.display().to_string(),
            error,
        };
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| unusable(error.to_string()))?;
        let config = match &self.client_ca {
            None => config.with_no_client_auth(),
            Some(path) => {
                let mut roots = rustls::RootCertStore::empty();
                for certificate in certificates(path)? {
                    roots.add(certificate).map_err(|error| unusable(error.to_string()))?;
                }
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
                config.with_client_cert_verifier(verifier.map_err(|error| unusable(error.to_string()))?)
            }
        };
        let config = config.with_single_cert(certificates(&self.certificate)?, key);
        Ok(TlsAcceptor::from(Arc::new(config.map_err(|error| unusable(error.to_string()))?)))
    }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let all = CertificateDer::pem_file_iter(path).map_err(|error| unreadable(path, error))?;
    let all: Vec<_> = all.collect::<Result<_, _>>().map_err(|error| unreadable(path, error))?;
    if all.is_empty() {
        return Err(TlsError::Empty { path: path.display().to_string() });
    }
    Ok(all)
}

fn unreadable(path: &Path, error: rustls::pki_types::pem::Error) -> TlsError {
    TlsError::Unreadable { path: path.display().to_string(), error }
}
