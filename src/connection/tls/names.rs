//! Whether a certificate names a host, by libpq's rules.
//!
//! <https://www.postgresql.org/docs/current/libpq-ssl.html#LIBQ-SSL-CERTIFICATES>. In short: a DNS name is compared
//! with the `dNSName`s, an address with the `iPAddress`es and, as text, with the `dNSName`s; the common name counts
//! only when there is no alternative name of the host's own kind. webpki never looks at the common name, but the
//! manual's recipe for a certificate sets nothing else.

use std::net::IpAddr;

use x509_cert::Certificate;
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;

/// Whether the certificate names the host.
pub(super) fn bears(certificate: &Certificate, host: &str) -> bool {
    let address = host.parse::<IpAddr>().ok();
    let alternatives = alternative_names(certificate);
    if alternatives.iter().any(|name| names(name, host, address)) {
        return true;
    }
    let same_kind = |name: &GeneralName| match name {
        GeneralName::DnsName(_) => address.is_none(),
        GeneralName::IpAddress(_) => address.is_some(),
        _ => false,
    };
    !alternatives.iter().any(same_kind) && common_name(certificate).is_some_and(|name| matches(&name, host))
}

fn alternative_names(certificate: &Certificate) -> Vec<GeneralName> {
    match certificate.tbs_certificate().get_extension::<SubjectAltName>() {
        Ok(Some((_critical, names))) => names.0,
        Ok(None) => Vec::new(),
        // Unreadable names must not open the way to the common name: pretend one that matches nothing.
        Err(_) => blocking_names(),
    }
}

/// An empty alternative name of either kind: names nothing, and keeps the common name from being asked.
fn blocking_names() -> Vec<GeneralName> {
    use x509_cert::der::asn1::{Ia5String, OctetString};
    let dns = Ia5String::new("").map(GeneralName::DnsName);
    let address = OctetString::new(Vec::new()).map(GeneralName::IpAddress);
    dns.into_iter().chain(address).collect()
}

fn names(name: &GeneralName, host: &str, address: Option<IpAddr>) -> bool {
    match (name, address) {
        (GeneralName::DnsName(pattern), _) => matches(pattern.as_str(), host),
        (GeneralName::IpAddress(bytes), Some(IpAddr::V4(v4))) => bytes.as_bytes() == v4.octets(),
        (GeneralName::IpAddress(bytes), Some(IpAddr::V6(v6))) => bytes.as_bytes() == v6.octets(),
        _ => false,
    }
}

fn common_name(certificate: &Certificate) -> Option<String> {
    certificate.tbs_certificate().subject().common_name().ok()?.map(|name| name.value().to_string())
}

/// Equal but for case, or `*.` and one label in its place. A NUL within is an attack of old (CVE-2009-4034).
fn matches(pattern: &str, host: &str) -> bool {
    if pattern.is_empty() || pattern.contains('\0') {
        return false;
    }
    if pattern.eq_ignore_ascii_case(host) {
        return true;
    }
    let Some(suffix) = pattern.strip_prefix('*').filter(|suffix| suffix.len() > 1 && suffix.starts_with('.'))
    else {
        return false;
    };
    let Some((label, rest)) = host.split_once('.') else { return false };
    !label.is_empty() && suffix.get(1..).is_some_and(|suffix| suffix.eq_ignore_ascii_case(rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lets_a_wildcard_stand_for_one_whole_label() {
        for (pattern, host) in [
            ("a.example", "A.Example"),
            ("*.example", "a.example"),
            ("*.b.example", "a.b.example"),
            ("10.0.0.1", "10.0.0.1"),
        ] {
            assert!(matches(pattern, host), "{pattern} {host}");
        }
        for (pattern, host) in [
            ("*.example", "example"),
            ("*.example", "a.b.example"),
            ("*.example", ".example"),
            ("*", "a"),
            ("*.", "a."),
            ("*a.example", "ba.example"),
            ("a.example\0.evil", "a.example"),
            ("", ""),
            ("a.example", "b.example"),
        ] {
            assert!(!matches(pattern, host), "{pattern} {host}");
        }
    }
}
