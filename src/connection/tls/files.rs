//! Certificates and keys, from where libpq reads them.

use std::fs;
use std::io;
use std::path::Path;

use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::verify::Trust;
use super::{Identity, direct};
use crate::connection::config::{RootCert, SslConfig, SslMode};
use crate::error::Error;

/// Reads everything that the parameters name. The default files in `~/.postgresql` are the parameters' matter.
pub(super) fn load(ssl: &SslConfig) -> Result<(Trust, Option<Identity>), Error> {
    Ok((trust(ssl)?, identity(ssl)?))
}

/// libpq's rule: a root certificate file that is there is used whatever the mode (the manual says so of `require`,
/// the code does so in all); only the two `verify` modes insist on one.
fn trust(ssl: &SslConfig) -> Result<Trust, Error> {
    match &ssl.root_cert {
        Some(RootCert::System) => system(ssl.mode),
        Some(RootCert::File(path)) if path.exists() => {
            roots(certificates(path, "sslrootcert")?, path, ssl.mode)
        }
        missing if matches!(ssl.mode, SslMode::VerifyCa | SslMode::VerifyFull) => {
            Err(missing_root(missing.as_ref()))
        }
        _ => Ok(Trust::Anyone),
    }
}

fn roots(certificates: Vec<CertificateDer<'static>>, path: &Path, mode: SslMode) -> Result<Trust, Error> {
    let mut store = RootCertStore::empty();
    // webpki takes a root for good without looking at its dates; libpq does look.
    for certificate in certificates.iter().filter(|certificate| direct::is_current(certificate)) {
        store
            .add(certificate.clone())
            .map_err(|error| refused("sslrootcert", format!("{}: {error}", path.display())))?;
    }
    Ok(Trust::Roots { store, certificates, check_name: mode == SslMode::VerifyFull })
}

/// Everyone's authorities vouch for everyone: without the host's name that would prove nothing, so libpq insists.
fn system(mode: SslMode) -> Result<Trust, Error> {
    if mode != SslMode::VerifyFull {
        return Err(refused("sslrootcert", "system is only safe with sslmode=verify-full".to_owned()));
    }
    let loaded = rustls_native_certs::load_native_certs();
    let mut store = RootCertStore::empty();
    // System stores hold odd certificates; those that cannot be read cannot be trusted, which is all that matters.
    let (added, _) = store.add_parsable_certificates(loaded.certs.iter().cloned());
    if added == 0 {
        return Err(refused("sslrootcert", "the system has no readable root certificate".to_owned()));
    }
    Ok(Trust::Roots { store, certificates: loaded.certs, check_name: true })
}

fn missing_root(given: Option<&RootCert>) -> Error {
    let what = match given {
        Some(RootCert::File(path)) => format!("{} does not exist", path.display()),
        _ => "not given, and ~/.postgresql/root.crt does not exist or was not looked for".to_owned(),
    };
    let instead = "give the authority's certificate, system, or a weaker sslmode";
    refused("sslrootcert", format!("{what}; {instead}"))
}

fn identity(ssl: &SslConfig) -> Result<Option<Identity>, Error> {
    let Some(cert) = &ssl.cert else { return Ok(None) };
    let Some(key) = &ssl.key else {
        return Err(refused("sslkey", format!("there is a certificate, {}, but no key", cert.display())));
    };
    check_permissions(key)?;
    let chain = certificates(cert, "sslcert")?;
    let key = PrivateKeyDer::from_pem_file(key).map_err(|error| {
        refused(
            "sslkey",
            format!("{}: {error}; it must be an unencrypted PEM key (PKCS#8, PKCS#1 or SEC1)", key.display()),
        )
    })?;
    Ok(Some(Identity { chain, key }))
}

fn certificates(path: &Path, setting: &'static str) -> Result<Vec<CertificateDer<'static>>, Error> {
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    match read {
        Ok(certificates) if certificates.is_empty() => {
            Err(refused(setting, format!("{} holds no PEM certificate", path.display())))
        }
        Ok(certificates) => Ok(certificates),
        Err(error) => Err(refused(setting, format!("{}: {error}", path.display()))),
    }
}

/// libpq's rule: nobody but the owner may read the key; root's keys may be readable for their group.
#[cfg(unix)]
fn check_permissions(key: &Path) -> Result<(), Error> {
    use std::os::unix::fs::MetadataExt as _;
    let metadata = fs::metadata(key).map_err(|source| unreadable(key, source))?;
    let forbidden = if metadata.uid() == 0 { 0o037 } else { 0o077 };
    if !metadata.is_file() || metadata.mode() & forbidden != 0 {
        return Err(refused(
            "sslkey",
            format!(
                "{} must be a file that only its owner can read: chmod 0600 (0640 if it is root's)",
                key.display()
            ),
        ));
    }
    Ok(())
}

#[cfg(not(unix))]
fn check_permissions(key: &Path) -> Result<(), Error> {
    fs::metadata(key).map(|_| ()).map_err(|source| unreadable(key, source))
}

fn unreadable(path: &Path, source: io::Error) -> Error {
    Error::Io { during: format!("reading sslkey {}", path.display()), source }
}

fn refused(setting: &'static str, problem: String) -> Error {
    Error::Certificate { setting, problem }
}
