//! Authorities, servers' and clients' certificates, made afresh for each test.

use std::fs;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_ED25519, SignatureAlgorithm,
};

pub(crate) static P256: &SignatureAlgorithm = &PKCS_ECDSA_P256_SHA256;
pub(crate) static P384: &SignatureAlgorithm = &PKCS_ECDSA_P384_SHA384;
pub(crate) static ED25519: &SignatureAlgorithm = &PKCS_ED25519;

/// A certificate and its key, both PEM.
#[derive(Clone)]
pub(crate) struct Pair {
    pub(crate) cert: String,
    pub(crate) key: String,
}

/// A certificate authority.
pub(crate) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    pub(crate) fn new(name: &str, algorithm: &'static SignatureAlgorithm) -> Self {
        let mut params = named(name, &[]);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate_for(algorithm).unwrap();
        Self { issuer: CertifiedIssuer::self_signed(params, key).unwrap() }
    }

    /// An authority that has had its day.
    pub(crate) fn expired(name: &str) -> Self {
        let mut params = named(name, &[]);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.not_before = rcgen::date_time_ymd(2001, 1, 1);
        params.not_after = rcgen::date_time_ymd(2002, 1, 1);
        let key = KeyPair::generate_for(P256).unwrap();
        Self { issuer: CertifiedIssuer::self_signed(params, key).unwrap() }
    }

    /// An authority below this one.
    pub(crate) fn intermediate(&self, name: &str) -> Self {
        let mut params = named(name, &[]);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let key = KeyPair::generate_for(P256).unwrap();
        Self { issuer: CertifiedIssuer::signed_by(params, key, &self.issuer).unwrap() }
    }

    pub(crate) fn pem(&self) -> String {
        self.issuer.pem()
    }

    /// For a server that goes by these names, addresses among them.
    pub(crate) fn server(&self, names: &[&str]) -> Pair {
        self.issue(named("server", names), ExtendedKeyUsagePurpose::ServerAuth)
    }

    /// For a server that goes by its common name alone, as the PostgreSQL manual's recipe makes it.
    pub(crate) fn server_by_common_name(&self, name: &str) -> Pair {
        self.issue(named(name, &[]), ExtendedKeyUsagePurpose::ServerAuth)
    }

    /// For the role of this name.
    pub(crate) fn client(&self, role: &str) -> Pair {
        self.issue(named(role, &[]), ExtendedKeyUsagePurpose::ClientAuth)
    }

    fn issue(&self, mut params: CertificateParams, usage: ExtendedKeyUsagePurpose) -> Pair {
        params.extended_key_usages = vec![usage];
        let key = KeyPair::generate_for(P256).unwrap();
        let cert = params.signed_by(&key, &self.issuer).unwrap();
        Pair { cert: cert.pem(), key: key.serialize_pem() }
    }
}

/// Signed by itself, and marked as an authority or not.
pub(crate) fn self_signed(names: &[&str], algorithm: &'static SignatureAlgorithm, authority: bool) -> Pair {
    let mut params = named("itself", names);
    if authority {
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    }
    let key = KeyPair::generate_for(algorithm).unwrap();
    let cert = params.self_signed(&key).unwrap();
    Pair { cert: cert.pem(), key: key.serialize_pem() }
}

/// Signed by itself, and no longer valid.
pub(crate) fn expired(names: &[&str]) -> Pair {
    let mut params = named("itself", names);
    params.not_before = rcgen::date_time_ymd(2001, 1, 1);
    params.not_after = rcgen::date_time_ymd(2002, 1, 1);
    let key = KeyPair::generate_for(P256).unwrap();
    let cert = params.self_signed(&key).unwrap();
    Pair { cert: cert.pem(), key: key.serialize_pem() }
}

fn named(common_name: &str, names: &[&str]) -> CertificateParams {
    let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
    let mut params = CertificateParams::new(names).unwrap();
    params.distinguished_name.push(DnType::CommonName, common_name);
    params
}

/// A folder with what a client reads; removed when dropped. It is also the client's home.
pub(crate) struct Wallet(PathBuf);

impl Wallet {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("walferry-tls-{}-{}", process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        fs::DirBuilder::new().mode(0o700).create(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// Writes a file that only its owner can read.
    pub(crate) fn put(&self, name: &str, content: &str) -> String {
        self.put_with_mode(name, content, 0o600)
    }

    pub(crate) fn put_with_mode(&self, name: &str, content: &str, mode: u32) -> String {
        use std::io::Write as _;
        let path = self.0.join(name);
        let mut file =
            fs::OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(&path).unwrap();
        file.write_all(content.as_bytes()).unwrap();
        path.to_str().unwrap().to_owned()
    }
}

impl Drop for Wallet {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
