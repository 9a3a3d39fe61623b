//! Certificates that webpki does not look at: those of version 1, and those trusted by themselves.

use rustls::pki_types::{CertificateDer, SignatureVerificationAlgorithm, UnixTime};
use rustls::{CertificateError, Error};
use x509_cert::Certificate;
use x509_cert::der::{Decode as _, Encode as _};
use x509_cert::spki::AlgorithmIdentifierOwned;

/// Whether `now` lies between the certificate's two dates, both included.
pub(super) fn within_validity(certificate: &Certificate, now: UnixTime) -> Result<(), Error> {
    let validity = certificate.tbs_certificate().validity();
    let now = now.as_secs();
    if now < validity.not_before.to_unix_duration().as_secs() {
        return Err(CertificateError::NotValidYet.into());
    }
    if now > validity.not_after.to_unix_duration().as_secs() {
        return Err(CertificateError::Expired.into());
    }
    Ok(())
}

/// Whether an authority's certificate is within its dates. One that cannot be read is not for this to judge.
pub(super) fn is_current(certificate: &CertificateDer<'_>) -> bool {
    match Certificate::from_der(certificate) {
        Ok(certificate) => within_validity(&certificate, UnixTime::now()).is_ok(),
        Err(_) => true,
    }
}

/// Whether one of the roots signed the certificate, with nothing between the two.
///
/// A certificate of version 1 has no extensions, so there is no constraint, usage or path to weigh: what is left of
/// RFC 5280, section 6.1, is the issuer's name, its signature, and the dates.
pub(super) fn issued_by_one_of(
    leaf: &Certificate,
    roots: &[CertificateDer<'_>],
    now: UnixTime,
    algorithms: &[&dyn SignatureVerificationAlgorithm],
) -> Result<(), Error> {
    within_validity(leaf, now)?;
    let issued = roots.iter().filter_map(|root| Certificate::from_der(root).ok()).any(|root| {
        root.tbs_certificate().subject() == leaf.tbs_certificate().issuer()
            && within_validity(&root, now).is_ok()
            && signed_by(leaf, &root, algorithms).unwrap_or(false)
    });
    if issued { Ok(()) } else { Err(CertificateError::UnknownIssuer.into()) }
}

/// `None` where something cannot be encoded.
fn signed_by(
    leaf: &Certificate,
    root: &Certificate,
    algorithms: &[&dyn SignatureVerificationAlgorithm],
) -> Option<bool> {
    // RFC 5280, section 4.1.1.2: the algorithm outside of what is signed must be the one inside.
    if leaf.signature_algorithm() != leaf.tbs_certificate().signature() {
        return Some(false);
    }
    let key = root.tbs_certificate().subject_public_key_info();
    let (key_algorithm, algorithm) = (contents(&key.algorithm)?, contents(leaf.signature_algorithm())?);
    let signed = leaf.tbs_certificate().to_der().ok()?;
    let (key, signature) = (key.subject_public_key.as_bytes()?, leaf.signature().as_bytes()?);
    Some(
        algorithms
            .iter()
            .filter(|candidate| candidate.public_key_alg_id().as_ref() == key_algorithm)
            .filter(|candidate| candidate.signature_alg_id().as_ref() == algorithm)
            .any(|candidate| candidate.verify_signature(key, &signed, signature).is_ok()),
    )
}

/// The two parts of an algorithm identifier without the sequence around them, as rustls compares them.
fn contents(algorithm: &AlgorithmIdentifierOwned) -> Option<Vec<u8>> {
    let mut contents = algorithm.oid.to_der().ok()?;
    if let Some(parameters) = &algorithm.parameters {
        contents.extend(parameters.to_der().ok()?);
    }
    Some(contents)
}
