use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use std::fs;
use std::path::{Path, PathBuf};
use time::{Duration, OffsetDateTime};

/// A certificate authority of a test's own.
#[derive(Debug)]
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    /// Its own certificate, as PEM.
    pub pem: String,
}

/// When a certificate holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Validity {
    Now,
    Expired,
    NotYet,
}

impl Default for Authority {
    fn default() -> Self {
        Self::new()
    }
}

impl Authority {
    pub fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let mut name = DistinguishedName::new();
        // Two authorities are told apart by their names.
        name.push(DnType::CommonName, crate::keys::random_text(8));
        params.distinguished_name = name;
        let key = KeyPair::generate().expect("a key");
        let pem = params.self_signed(&key).expect("a certificate").pem();
        let issuer = Issuer::new(params, key);
        Self { issuer, pem }
    }

    /// A certificate for the names or addresses, and its key, both as PEM.
    pub fn issue(&self, names: &[&str], validity: Validity) -> (String, String) {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let common = names.first().cloned().unwrap_or_default();
        let mut params = CertificateParams::new(names).expect("names as certificates take them");
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, common);
        let (now, day) = (OffsetDateTime::now_utc(), Duration::days(1));
        (params.not_before, params.not_after) = match validity {
            Validity::Now => (now - day, now + day),
            Validity::Expired => (now - day * 2, now - day),
            Validity::NotYet => (now + day, now + day * 2),
        };
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
        (certificate.pem(), key.serialize_pem())
    }

    /// Writes `ca.crt`, `tls.crt` and `tls.key` into the folder, which is made where it is missing.
    pub fn write(&self, folder: &Path, names: &[&str], validity: Validity) {
        let (certificate, key) = self.issue(names, validity);
        let written = fs::create_dir_all(folder)
            .and_then(|()| fs::write(folder.join("ca.crt"), &self.pem))
            .and_then(|()| fs::write(folder.join("tls.key"), key))
            .and_then(|()| fs::write(folder.join("tls.crt"), certificate));
        written.unwrap_or_else(|error| panic!("writing {}: {error}", folder.display()));
    }

    /// An empty folder for certificates, removed by a later run.
    pub fn folder() -> PathBuf {
        crate::Infra::get().private_dir()
    }
}
