//! Whether the server's certificate is to be believed.
//!
//! rustls' own verifier always checks the name and refuses what libpq accepts: a self-signed server certificate that
//! is itself the root file, and version 1 certificates such as the PostgreSQL manual's own recipe makes. So the parts
//! are put together here. Whatever is decided about the chain, the handshake's signature is always checked:
//! without it a copied certificate would do.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::crypto::{
    WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature,
    verify_tls13_signature_with_raw_key,
};
use rustls::pki_types::{CertificateDer, ServerName, SubjectPublicKeyInfoDer, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use x509_cert::Certificate;
use x509_cert::certificate::Version;
use x509_cert::der::{Decode as _, Encode as _};

use super::{direct, names};

/// Whom to believe.
#[derive(Debug)]
pub(crate) enum Trust {
    /// Anyone: encryption against listeners, not against impostors.
    Anyone,
    /// Who has a certificate of these authorities.
    Roots {
        /// In webpki's form.
        store: RootCertStore,
        /// As they were in the file.
        certificates: Vec<CertificateDer<'static>>,
        /// Whether the certificate must name the host too.
        check_name: bool,
    },
}

/// Decides for one host.
#[derive(Debug)]
pub(crate) struct Verifier {
    trust: Arc<Trust>,
    host: String,
    algorithms: WebPkiSupportedAlgorithms,
}

impl Verifier {
    pub(crate) fn new(trust: Arc<Trust>, host: &str, algorithms: WebPkiSupportedAlgorithms) -> Self {
        Self { trust, host: host.to_owned(), algorithms }
    }

    fn chain(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
        store: &RootCertStore,
        roots: &[CertificateDer<'_>],
    ) -> Result<(), Error> {
        let parsed = parse(leaf)?;
        if roots.iter().any(|root| root.as_ref() == leaf.as_ref()) {
            return direct::within_validity(&parsed, now);
        }
        if parsed.tbs_certificate().version() != Version::V3 {
            return direct::issued_by_one_of(&parsed, roots, now, self.algorithms.all);
        }
        let leaf = ParsedCertificate::try_from(leaf)?;
        verify_server_cert_signed_by_trust_anchor(&leaf, store, intermediates, now, self.algorithms.all)
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let Trust::Roots { store, certificates, check_name } = self.trust.as_ref() else {
            return Ok(ServerCertVerified::assertion());
        };
        self.chain(leaf, intermediates, now, store, certificates)?;
        if *check_name && !names::bears(&parse(leaf)?, &self.host) {
            return Err(CertificateError::NotValidForName.into());
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, leaf, signed, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        // By the bare key, because webpki does not read version 1 certificates at all.
        let key =
            parse(leaf).ok().and_then(|leaf| leaf.tbs_certificate().subject_public_key_info().to_der().ok());
        match key {
            Some(key) => {
                let key = SubjectPublicKeyInfoDer::from(key);
                verify_tls13_signature_with_raw_key(message, &key, signed, &self.algorithms)
            }
            None => verify_tls13_signature(message, leaf, signed, &self.algorithms),
        }
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

fn parse(certificate: &CertificateDer<'_>) -> Result<Certificate, Error> {
    Certificate::from_der(certificate).map_err(|_| CertificateError::BadEncoding.into())
}

/// The reason, and what to do.
pub(crate) fn explain(why: &CertificateError) -> String {
    match why {
        CertificateError::UnknownIssuer => {
            "no certificate of sslrootcert leads to it; is sslrootcert the authority that signed it?"
                .to_owned()
        }
        CertificateError::NotValidForName => {
            "it does not name the host; connect by a name that it bears, or use sslmode=verify-ca".to_owned()
        }
        other => other.to_string(),
    }
}
