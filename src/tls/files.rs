//! What PEM files say, made into settings of rustls. Keys are never in an error or a debug text.

use std::fmt::{Debug, Formatter};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustls::client::danger::ServerCertVerifier;
use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::crypto::CryptoProvider;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::version::TLS13;
use rustls::{CertificateError, ClientConfig, RootCertStore, ServerConfig};

/// An own certificate that ends within so long is warned of.
const EXPIRES_SOON: Duration = Duration::from_secs(14 * 24 * 3600);

/// PEM files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The own certificate, and those between it and the root.
    pub certificate: PathBuf,
    pub key: PathBuf,
    /// The authorities whose certificates are accepted from callers; `None`: callers need no certificate.
    pub ca: Option<PathBuf>,
}

#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("{path}: {error}; a PEM file is needed")]
    Unreadable { path: String, error: rustls::pki_types::pem::Error },
    #[error("{path}: the file contains no certificate")]
    Empty { path: String },
    #[error("certificate {certificate} and key {key}: {error}")]
    Unusable { certificate: String, key: String, error: rustls::Error },
    #[error("{path}: {error}; certificates of authorities are needed")]
    Authority { path: String, error: String },
    #[error("certificate {certificate}, against {ca}: {error}; other processes would refuse this one")]
    NotAccepted { certificate: String, ca: String, error: rustls::Error },
    #[error("'{0}' is neither a host name nor an address, so no certificate can be checked against it")]
    BadName(String),
}

/// What a process needs to call others and to be called, where both sides show a certificate.
#[derive(Clone)]
pub struct Credentials {
    pub server: Arc<ServerConfig>,
    pub client: Arc<ClientConfig>,
}

impl Debug for Credentials {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        f.write_str("Credentials")
    }
}

impl TlsFiles {
    /// All files, to be watched.
    pub fn paths(&self) -> Vec<PathBuf> {
        [&self.certificate, &self.key].into_iter().chain(&self.ca).cloned().collect()
    }

    /// For a gateway: any client that knows TLS 1.2 or later, with a certificate where there is a `ca`.
    ///
    /// # Errors
    /// One of the files is missing or no PEM file, or certificate and key do not belong together.
    pub fn gateway(&self) -> Result<Arc<ServerConfig>, TlsError> {
        let builder = ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| self.unusable(error))?;
        let builder = match &self.ca {
            None => builder.with_no_client_auth(),
            Some(path) => builder.with_client_cert_verifier(callers(path, roots(path)?)?),
        };
        let config = builder.with_single_cert(certificates(&self.certificate)?, self.key()?);
        let config = config.map_err(|error| self.unusable(error))?;
        Ok(Arc::new(if self.ca.is_some() { checked_every_time(config) } else { config }))
    }

    /// For processes among themselves: TLS 1.3 alone, and a certificate of the same authority on both sides.
    ///
    /// # Errors
    /// As [`TlsFiles::gateway`]; also if others would not accept the own certificate, or if there is no `ca`.
    pub fn credentials(&self) -> Result<Credentials, TlsError> {
        let no_authority = || TlsError::Authority { path: "tls.ca".to_owned(), error: "it is not set".to_owned() };
        let ca = self.ca.as_deref().ok_or_else(no_authority)?;
        let (chain, key, roots) = (certificates(&self.certificate)?, self.key()?, roots(ca)?);
        let verifier = callers(ca, Arc::clone(&roots))?;
        self.check_own(ca, &chain, &*verifier, Arc::clone(&roots))?;
        let unusable = |error| self.unusable(error);
        let provider = Arc::new(default_provider());
        let server = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&[&TLS13])
            .map_err(unusable)?
            .with_client_cert_verifier(verifier)
            .with_single_cert(chain.clone(), key.clone_key())
            .map_err(unusable)?;
        let mut client = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&TLS13])
            .map_err(unusable)?
            .with_root_certificates(roots)
            .with_client_auth_cert(chain, key)
            .map_err(unusable)?;
        client.resumption = Resumption::disabled();
        Ok(Credentials { server: Arc::new(checked_every_time(server)), client: Arc::new(client) })
    }

    /// What others would find wrong with the own certificate is better said here, and before they do.
    fn check_own(
        &self,
        ca: &Path,
        chain: &[CertificateDer<'static>],
        callers: &dyn ClientCertVerifier,
        roots: Arc<RootCertStore>,
    ) -> Result<(), TlsError> {
        let Some((own, between)) = chain.split_first() else {
            return Err(TlsError::Empty { path: self.certificate.display().to_string() });
        };
        let not_accepted = |error| TlsError::NotAccepted {
            certificate: self.certificate.display().to_string(),
            ca: ca.display().to_string(),
            error,
        };
        let now = UnixTime::now();
        callers.verify_client_cert(own, between, now).map_err(not_accepted)?;
        // The name comes last, and is for callers to check.
        let called = WebPkiServerVerifier::builder_with_provider(roots, Arc::new(default_provider())).build();
        let called = called.map_err(|error| authority(ca, error))?;
        let any_name = ServerName::try_from("any.invalid").expect("a valid name");
        match called.verify_server_cert(own, between, &any_name, &[], now) {
            Ok(_) => {}
            Err(rustls::Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) => {}
            Err(error) => return Err(not_accepted(error)),
        }
        let soon = UnixTime::since_unix_epoch(Duration::from_secs(now.as_secs()) + EXPIRES_SOON);
        if let Err(error) = callers.verify_client_cert(own, between, soon) {
            let path = self.certificate.display().to_string();
            tracing::warn!(what = path, %error, "the certificate of this process expires within two weeks");
        }
        Ok(())
    }

    fn key(&self) -> Result<PrivateKeyDer<'static>, TlsError> {
        PrivateKeyDer::from_pem_file(&self.key).map_err(|error| unreadable(&self.key, error))
    }

    fn unusable(&self, error: rustls::Error) -> TlsError {
        let (certificate, key) = (self.certificate.display().to_string(), self.key.display().to_string());
        TlsError::Unusable { certificate, key, error }
    }
}

/// For a client of a gateway, with a certificate and key of its own or without.
///
/// # Errors
/// One of the files is missing or no PEM file, or certificate and key do not belong together.
pub fn client_config(ca: &Path, own: Option<(&Path, &Path)>) -> Result<Arc<ClientConfig>, TlsError> {
    let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| authority(ca, error))?
        .with_root_certificates(roots(ca)?);
    let Some((certificate, key)) = own else { return Ok(Arc::new(builder.with_no_client_auth())) };
    let own = TlsFiles { certificate: certificate.to_owned(), key: key.to_owned(), ca: None };
    let config = builder.with_client_auth_cert(certificates(certificate)?, own.key()?);
    config.map(Arc::new).map_err(|error| own.unusable(error))
}

/// The name that a certificate has to have for who calls `HOST:PORT`.
///
/// # Errors
/// The host is no name and no address.
pub fn server_name(address: &str) -> Result<ServerName<'static>, TlsError> {
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    ServerName::try_from(host.to_owned()).map_err(|_| TlsError::BadName(host.to_owned()))
}

/// Without sessions that are taken up again: for them no certificate would be looked at.
fn checked_every_time(mut config: ServerConfig) -> ServerConfig {
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    config
}

fn callers(path: &Path, roots: Arc<RootCertStore>) -> Result<Arc<dyn ClientCertVerifier>, TlsError> {
    let provider: Arc<CryptoProvider> = Arc::new(default_provider());
    WebPkiClientVerifier::builder_with_provider(roots, provider).build().map_err(|error| authority(path, error))
}

fn roots(path: &Path) -> Result<Arc<RootCertStore>, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(path)? {
        roots.add(certificate).map_err(|error| authority(path, error))?;
    }
    Ok(Arc::new(roots))
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

fn authority(path: &Path, error: impl ToString) -> TlsError {
    TlsError::Authority { path: path.display().to_string(), error: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_taken_from_addresses() {
        let check = |address: &str, expected: Option<&str>| {
            let name = server_name(address).ok().map(|name| name.to_str().into_owned());
            assert_eq!(name.as_deref(), expected, "{address}");
        };
        check("tessds-master-0.tessds-master:7700", Some("tessds-master-0.tessds-master"));
        check("127.0.0.1:7700", Some("127.0.0.1"));
        check("[::1]:7700", Some("::1"));
        check("host", Some("host"));
        check("no such host:7700", None);
        check(":7700", None);
    }

    #[test]
    fn files_that_are_no_certificates_are_errors_that_name_them() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("some.pem");
        let files = |ca: Option<PathBuf>| TlsFiles { certificate: path.clone(), key: path.clone(), ca };
        let says = |expected: &str| {
            for error in [files(None).gateway().map(drop), files(Some(path.clone())).credentials().map(drop)] {
                let error = error.expect_err("no certificate").to_string();
                assert!(error.contains("some.pem") && error.contains(expected), "{error}");
            }
        };
        says("a PEM file is needed");
        std::fs::write(&path, "not PEM at all").expect("room");
        says("the file contains no certificate");
        let error = files(None).credentials().expect_err("no authority").to_string();
        assert!(error.starts_with("tls.ca: it is not set"), "{error}");
    }
}
