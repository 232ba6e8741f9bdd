//! Authorities, and certificates by them.

use std::path::PathBuf;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose, date_time_ymd,
};
use tempfile::TempDir;
use tessds::tls::TlsFiles;

/// Where tests listen.
pub const HERE: &[&str] = &["127.0.0.1"];

pub struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate and its key, PEM.
pub struct Pair {
    pub certificate: String,
    pub key: String,
}

fn params(name: &str, names: &[&str]) -> CertificateParams {
    let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
    let mut params = CertificateParams::new(names).expect("good names");
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

impl Authority {
    pub fn new(name: &str) -> Self {
        let mut params = params(name, &[]);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("an authority"))
    }

    pub fn pem(&self) -> String {
        self.0.pem()
    }

    pub fn issue(&self, names: &[&str]) -> Pair {
        self.sign(params("a process", names))
    }

    /// One that was good until years ago.
    pub fn issue_expired(&self, names: &[&str]) -> Pair {
        let mut params = params("a process of long ago", names);
        params.not_before = date_time_ymd(2019, 1, 1);
        params.not_after = date_time_ymd(2020, 1, 1);
        self.sign(params)
    }

    fn sign(&self, params: CertificateParams) -> Pair {
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.0).expect("a certificate").pem();
        Pair { certificate, key: key.serialize_pem() }
    }
}

/// Files that TLS is set up with, in a folder of their own.
pub struct Files {
    folder: TempDir,
}

impl Files {
    pub fn new(pair: &Pair, ca: &str) -> Self {
        let files = Self { folder: tempfile::tempdir().expect("a folder") };
        files.replace(pair, ca);
        files
    }

    /// Others in their place, each by one rename, as those do who care.
    pub fn replace(&self, pair: &Pair, ca: &str) {
        for (name, text) in [("ca.crt", ca), ("tls.key", &*pair.key), ("tls.crt", &*pair.certificate)] {
            let next = self.path("next");
            std::fs::write(&next, text).expect("room");
            std::fs::rename(&next, self.path(name)).expect("a file");
        }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn tls(&self) -> TlsFiles {
        TlsFiles { certificate: self.path("tls.crt"), key: self.path("tls.key"), ca: Some(self.path("ca.crt")) }
    }

    /// As settings of a process, from its environment.
    pub fn settings(&self) -> Vec<(&'static str, String)> {
        [("TLS__CERTIFICATE", "tls.crt"), ("TLS__KEY", "tls.key"), ("TLS__CA", "ca.crt")]
            .map(|(setting, name)| (setting, self.path(name).display().to_string()))
            .to_vec()
    }
}
