//! What ties SCRAM to the TLS connection: `tls-server-end-point` of RFC 5929, section 4.1.

use rustls::pki_types::CertificateDer;
use sha2::{Digest as _, Sha224, Sha256, Sha384, Sha512};
use x509_cert::Certificate;
use x509_cert::der::asn1::{ContextSpecific, ObjectIdentifier};
use x509_cert::der::{Decode as _, Encode as _, Reader as _, SliceReader, TagNumber};
use x509_cert::spki::AlgorithmIdentifierOwned;

use crate::connection::auth::EndPoint;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hash {
    Sha224,
    Sha256,
    Sha384,
    Sha512,
}

impl Hash {
    fn of(self, bytes: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha224 => Sha224::digest(bytes).to_vec(),
            Self::Sha256 => Sha256::digest(bytes).to_vec(),
            Self::Sha384 => Sha384::digest(bytes).to_vec(),
            Self::Sha512 => Sha512::digest(bytes).to_vec(),
        }
    }
}

/// RSASSA-PSS (RFC 4055): the hash is in the parameters.
const RSA_PSS: &str = "1.2.840.113549.1.1.10";

/// The certificate's hash, by the hash function of the certificate's own signature.
pub(super) fn tls_server_end_point(certificate: &CertificateDer<'_>) -> EndPoint {
    let Ok(parsed) = Certificate::from_der(certificate) else {
        return EndPoint::Unknown("the server's certificate cannot be read".to_owned());
    };
    match hash_of(parsed.signature_algorithm()) {
        Some(hash) => EndPoint::Hash(hash.of(certificate)),
        None => EndPoint::Unknown(format!(
            "the server's certificate is signed with {}, for which RFC 5929 defines no channel binding",
            name(&parsed.signature_algorithm().oid)
        )),
    }
}

fn hash_of(algorithm: &AlgorithmIdentifierOwned) -> Option<Hash> {
    let oid = algorithm.oid.to_string();
    if oid == RSA_PSS {
        return pss_hash(algorithm);
    }
    Some(match oid.as_str() {
        // MD5 and SHA-1, with RSA, ECDSA and DSA: RFC 5929 puts SHA-256 in their place.
        "1.2.840.113549.1.1.4" | "1.2.840.113549.1.1.5" | "1.2.840.10045.4.1" | "1.2.840.10040.4.3" => {
            Hash::Sha256
        }
        "1.2.840.113549.1.1.14" | "1.2.840.10045.4.3.1" | "2.16.840.1.101.3.4.3.1" => Hash::Sha224,
        "1.2.840.113549.1.1.11" | "1.2.840.10045.4.3.2" | "2.16.840.1.101.3.4.3.2" => Hash::Sha256,
        "1.2.840.113549.1.1.12" | "1.2.840.10045.4.3.3" | "2.16.840.1.101.3.4.3.3" => Hash::Sha384,
        "1.2.840.113549.1.1.13" | "1.2.840.10045.4.3.4" | "2.16.840.1.101.3.4.3.4" => Hash::Sha512,
        _ => return None,
    })
}

/// RFC 4055, section 3.1: `[0] hashAlgorithm DEFAULT sha1`, then three more that do not matter here.
fn pss_hash(algorithm: &AlgorithmIdentifierOwned) -> Option<Hash> {
    let parameters = algorithm.parameters.as_ref()?.to_der().ok()?;
    let mut reader = SliceReader::new(&parameters).ok()?;
    let hash = reader
        .sequence(|inner| {
            let hash = ContextSpecific::<AlgorithmIdentifierOwned>::decode_explicit(inner, TagNumber(0))?;
            // The other three do not matter, but the sequence must be read to its end.
            inner.read_slice(inner.remaining_len())?;
            Ok::<_, x509_cert::der::Error>(hash)
        })
        .ok()?;
    let Some(hash) = hash else { return Some(Hash::Sha256) };
    Some(match hash.value.oid.to_string().as_str() {
        "1.2.840.113549.2.5" | "1.3.14.3.2.26" | "2.16.840.1.101.3.4.2.1" => Hash::Sha256,
        "2.16.840.1.101.3.4.2.4" => Hash::Sha224,
        "2.16.840.1.101.3.4.2.2" => Hash::Sha384,
        "2.16.840.1.101.3.4.2.3" => Hash::Sha512,
        _ => return None,
    })
}

fn name(oid: &ObjectIdentifier) -> String {
    match oid.to_string().as_str() {
        "1.3.101.112" => "Ed25519".to_owned(),
        "1.3.101.113" => "Ed448".to_owned(),
        other => format!("algorithm {other}"),
    }
}

#[cfg(test)]
mod tests {
    use rustls::pki_types::pem::PemObject as _;

    use super::*;

    macro_rules! fixture {
        ($name:literal) => {
            tls_server_end_point(
                &CertificateDer::from_pem_slice(include_bytes!(concat!("fixtures/", $name, ".pem"))).unwrap(),
            )
        };
    }

    #[test]
    fn hashes_as_the_signature_does_but_never_weaker_than_sha_256() {
        // By `openssl x509 -outform der | openssl dgst -HASH`: how it begins, and its length in bytes.
        for (end_point, begins, length) in [
            (fixture!("md5"), "c854136e75417a77", 32),
            (fixture!("sha1"), "8868a7459dfc47d9", 32),
            (fixture!("sha224"), "f5906162af185b6e", 28),
            (fixture!("sha256"), "df7ead8bff5d82df", 32),
            (fixture!("sha384"), "9552b8d2a9e284b2", 48),
            (fixture!("sha512"), "cbc30733fe5302ae", 64),
            (fixture!("pss_sha1"), "7394e35950520ce3", 32),
            (fixture!("pss_sha256"), "2401c51028eb2605", 32),
            (fixture!("pss_sha384"), "3068dfe7ff69501d", 48),
            (fixture!("pss_sha512"), "f1c68caeabb3435a", 64),
        ] {
            let EndPoint::Hash(hash) = end_point else { panic!("{begins}: {end_point:?}") };
            let first = hash.iter().take(8).fold(0, |number: u64, &byte| number << 8 | u64::from(byte));
            assert_eq!((format!("{first:016x}").as_str(), hash.len()), (begins, length));
        }
    }

    #[test]
    fn has_no_hash_for_ed25519_and_says_so() {
        let EndPoint::Unknown(why) = fixture!("ed25519") else { panic!() };
        assert!(why.contains("Ed25519"), "{why}");
        let garbage = tls_server_end_point(&CertificateDer::from(vec![0x30, 0]));
        assert!(matches!(garbage, EndPoint::Unknown(_)));
    }
}
