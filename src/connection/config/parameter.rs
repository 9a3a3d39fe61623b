//! The parameters of libpq from PostgreSQL 14 to 18, and what each does here.
//!
//! One row for each name: a new one is a new row. Rows stand in the order of the manual, "34.1.2. Parameter Key
//! Words", and the variables are those of "34.15. Environment Variables".

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::hosts::DEFAULT_PORT;
use super::{
    ChannelBinding, Config, ConfigError, ParameterPlace, RequireAuth, RootCert, SslMode, TargetSession,
};

/// A parameter that libpq knows.
pub(super) struct Parameter {
    pub(super) name: &'static str,
    /// The environment variable that stands in for it.
    pub(super) variable: Option<&'static str>,
    usage: Usage,
}

enum Usage {
    /// It is carried over into the configuration.
    Set(fn(&mut Config, &str) -> Result<(), Refusal>),
    /// Only what walferry does anyway.
    Only(&'static [&'static str], &'static str),
    /// Nothing but empty, which libpq takes for "not given".
    Never(&'static str),
}

enum Refusal {
    Expected(&'static str),
    NotSupported(&'static str),
}

/// A value for a parameter, and where it was written.
#[derive(Clone)]
pub(super) struct Setting {
    pub(super) parameter: &'static Parameter,
    pub(super) value: String,
    pub(super) place: ParameterPlace,
}

impl Setting {
    /// Writes the value into the configuration.
    pub(super) fn apply(self, config: &mut Config) -> Result<(), ConfigError> {
        let Self { parameter: Parameter { name: key, usage, .. }, value, place } = self;
        let outcome = match usage {
            Usage::Set(set) => set(config, &value),
            Usage::Only(accepted, _) if accepted.contains(&value.as_str()) => Ok(()),
            Usage::Never(_) if value.is_empty() => Ok(()),
            Usage::Only(_, instead) | Usage::Never(instead) => Err(Refusal::NotSupported(instead)),
        };
        config.given.insert(key);
        outcome.map_err(|refusal| match refusal {
            Refusal::Expected(expected) => ConfigError::Value { key, place, expected },
            Refusal::NotSupported(instead) => ConfigError::NotSupported { key, place, instead },
        })
    }
}

/// The parameter called `name`, which stands at `place`.
pub(super) fn named(name: &str, place: &ParameterPlace) -> Result<&'static Parameter, ConfigError> {
    PARAMETERS
        .iter()
        .find(|parameter| parameter.name == name)
        .ok_or_else(|| ConfigError::UnknownKey { place: place.clone(), nearest: nearest(name) })
}

const NO_GSS: &str = "it has no GSSAPI; remove it";
const NO_OAUTH: &str = "it has no OAuth; use a password or a client certificate";
const NO_SCRAM_KEYS: &str = "give the password";
const NO_REVOCATION: &str =
    "it reads no revocation lists; remove it only if revoked certificates may be accepted";
const UTF8_ONLY: &str = "the library always speaks UTF8; remove it";
const BOOLEAN: &str = "0 or 1";
const INTEGER: &str = "a whole number";

/// All of them.
pub(super) static PARAMETERS: &[Parameter] = &[
    set("host", Some("PGHOST"), |c, v| put(&mut c.lists.names, list(v).map(str::to_owned).collect())),
    set("hostaddr", Some("PGHOSTADDR"), |c, v| put(&mut c.lists.addresses, each(list(v), address)?)),
    set("port", Some("PGPORT"), |c, v| put(&mut c.lists.ports, each(list(v), port)?)),
    set("dbname", Some("PGDATABASE"), |c, v| put(&mut c.database, text(v))),
    set("user", Some("PGUSER"), |c, v| put(&mut c.user, text(v))),
    set("password", Some("PGPASSWORD"), |c, v| put(&mut c.password, text(v))),
    set("passfile", Some("PGPASSFILE"), |c, v| put(&mut c.passfile, path(v))),
    set("require_auth", Some("PGREQUIREAUTH"), |c, v| put(&mut c.require_auth, require_auth(v)?)),
    set("channel_binding", Some("PGCHANNELBINDING"), |c, v| put(&mut c.channel_binding, channel_binding(v)?)),
    set("connect_timeout", Some("PGCONNECT_TIMEOUT"), |c, v| {
        put(&mut c.connect_timeout, positive(v)?.map(Duration::from_secs))
    }),
    set("client_encoding", Some("PGCLIENTENCODING"), |_, v| client_encoding(v)),
    set("options", Some("PGOPTIONS"), |c, v| put(&mut c.options, text(v))),
    set("application_name", Some("PGAPPNAME"), |c, v| put(&mut c.application_name, text(v))),
    set("fallback_application_name", None, |c, v| put(&mut c.fallback_application_name, text(v))),
    set("keepalives", None, |c, v| put(&mut c.keepalive.enabled, integer(v)? != 0)),
    set("keepalives_idle", None, |c, v| put(&mut c.keepalive.idle, positive(v)?.map(Duration::from_secs))),
    set("keepalives_interval", None, |c, v| {
        put(&mut c.keepalive.interval, positive(v)?.map(Duration::from_secs))
    }),
    set("keepalives_count", None, |c, v| {
        put(&mut c.keepalive.retries, positive(v)?.and_then(|n| u32::try_from(n).ok()))
    }),
    set("tcp_user_timeout", None, |c, v| {
        put(&mut c.tcp_user_timeout, positive(v)?.map(Duration::from_millis))
    }),
    never("replication", None, "it makes every connection a replication connection itself; remove it"),
    only("gssencmode", Some("PGGSSENCMODE"), &["disable", "prefer"], "it has no GSSAPI; write disable"),
    set("sslmode", Some("PGSSLMODE"), |c, v| put(&mut c.ssl.mode, ssl_mode(v)?)),
    set("sslnegotiation", Some("PGSSLNEGOTIATION"), |c, v| put(&mut c.ssl.direct, ssl_negotiation(v)?)),
    only("sslcompression", Some("PGSSLCOMPRESSION"), &["", "0"], "TLS compression is unsafe; write 0"),
    set("sslcert", Some("PGSSLCERT"), |c, v| put(&mut c.ssl.cert, path(v))),
    set("sslkey", Some("PGSSLKEY"), |c, v| put(&mut c.ssl.key, path(v))),
    never("sslkeylogfile", None, "it logs no TLS keys; remove it"),
    never("sslpassword", None, "it reads no encrypted keys; decrypt the key file, and keep it to mode 0600"),
    only(
        "sslcertmode",
        Some("PGSSLCERTMODE"),
        &["", "allow"],
        "it sends the certificate when asked; write allow",
    ),
    set("sslrootcert", Some("PGSSLROOTCERT"), |c, v| put(&mut c.ssl.root_cert, root_cert(v))),
    never("sslcrl", Some("PGSSLCRL"), NO_REVOCATION),
    never("sslcrldir", Some("PGSSLCRLDIR"), NO_REVOCATION),
    set("sslsni", Some("PGSSLSNI"), |c, v| put(&mut c.ssl.sni, boolean(v)?)),
    never(
        "requirepeer",
        Some("PGREQUIREPEER"),
        "it cannot see who owns the server's process; connect with TLS",
    ),
    only(
        "ssl_min_protocol_version",
        Some("PGSSLMINPROTOCOLVERSION"),
        &["", "TLSv1", "TLSv1.1", "TLSv1.2"],
        "it speaks TLS 1.2 and 1.3; write TLSv1.2, or forbid 1.2 on the server",
    ),
    only(
        "ssl_max_protocol_version",
        Some("PGSSLMAXPROTOCOLVERSION"),
        &["", "TLSv1.3"],
        "it speaks TLS 1.2 and 1.3; write TLSv1.3, or forbid 1.3 on the server",
    ),
    only(
        "min_protocol_version",
        Some("PGMINPROTOCOLVERSION"),
        &["", "3.0"],
        "it speaks protocol 3.0; write 3.0",
    ),
    only(
        "max_protocol_version",
        Some("PGMAXPROTOCOLVERSION"),
        &["", "3.0", "3.2", "latest"],
        "it speaks protocol 3.0; write 3.0",
    ),
    never("krbsrvname", Some("PGKRBSRVNAME"), NO_GSS),
    never("gsslib", Some("PGGSSLIB"), NO_GSS),
    only("gssdelegation", Some("PGGSSDELEGATION"), &["", "0"], NO_GSS),
    never("scram_client_key", None, NO_SCRAM_KEYS),
    never("scram_server_key", None, NO_SCRAM_KEYS),
    set("service", Some("PGSERVICE"), |c, v| put(&mut c.service, Some(v.to_owned()))),
    set("servicefile", Some("PGSERVICEFILE"), |c, v| put(&mut c.service_file, Some(v.into()))),
    set("target_session_attrs", Some("PGTARGETSESSIONATTRS"), |c, v| {
        put(&mut c.target_session, target_session(v)?)
    }),
    set("load_balance_hosts", Some("PGLOADBALANCEHOSTS"), |c, v| put(&mut c.shuffle_hosts, load_balance(v)?)),
    never("oauth_issuer", None, NO_OAUTH),
    never("oauth_client_id", None, NO_OAUTH),
    never("oauth_client_secret", None, NO_OAUTH),
    never("oauth_scope", None, NO_OAUTH),
];

const fn set(
    name: &'static str,
    variable: Option<&'static str>,
    set: fn(&mut Config, &str) -> Result<(), Refusal>,
) -> Parameter {
    Parameter { name, variable, usage: Usage::Set(set) }
}

const fn only(
    name: &'static str,
    variable: Option<&'static str>,
    accepted: &'static [&'static str],
    instead: &'static str,
) -> Parameter {
    Parameter { name, variable, usage: Usage::Only(accepted, instead) }
}

const fn never(name: &'static str, variable: Option<&'static str>, instead: &'static str) -> Parameter {
    Parameter { name, variable, usage: Usage::Never(instead) }
}

#[expect(clippy::unnecessary_wraps, reason = "rows that cannot fail have the type of rows that can")]
fn put<T>(field: &mut T, value: T) -> Result<(), Refusal> {
    *field = value;
    Ok(())
}

/// The parts of a comma-separated list; none at all in an empty one.
fn list(value: &str) -> impl Iterator<Item = &str> {
    value.split(',').filter(move |_| !value.is_empty())
}

fn each<'a, T>(
    values: impl Iterator<Item = &'a str>,
    read: fn(&str) -> Result<T, Refusal>,
) -> Result<Vec<T>, Refusal> {
    values.map(read).collect()
}

fn text(value: &str) -> Option<String> {
    (!value.is_empty()).then(|| value.to_owned())
}

fn path(value: &str) -> Option<PathBuf> {
    text(value).map(PathBuf::from)
}

fn address(value: &str) -> Result<Option<IpAddr>, Refusal> {
    let number =
        value.parse().map_err(|_| Refusal::Expected("IPv4 or IPv6 addresses; a name belongs in host"));
    if value.is_empty() { Ok(None) } else { number.map(Some) }
}

fn port(value: &str) -> Result<u16, Refusal> {
    const EXPECTED: Refusal = Refusal::Expected("a port from 1 to 65535, or one for each host");
    if value.is_empty() {
        return Ok(DEFAULT_PORT);
    }
    let number = integer(value).map_err(|_| EXPECTED)?;
    u16::try_from(number).ok().filter(|port| *port > 0).ok_or(EXPECTED)
}

/// What `strtol` reads from the whole of a string, in the range of C's `int`.
fn integer(value: &str) -> Result<i32, Refusal> {
    value.trim_matches(super::conninfo::is_space).parse().map_err(|_| Refusal::Expected(INTEGER))
}

/// An integer of which zero and less mean "leave it to the system".
fn positive(value: &str) -> Result<Option<u64>, Refusal> {
    Ok(u64::try_from(integer(value)?).ok().filter(|number| *number > 0))
}

fn boolean(value: &str) -> Result<bool, Refusal> {
    match value {
        "0" => Ok(false),
        "1" => Ok(true),
        _ => Err(Refusal::Expected(BOOLEAN)),
    }
}

fn require_auth(value: &str) -> Result<RequireAuth, Refusal> {
    RequireAuth::parse(value).ok_or(Refusal::Expected(
        "a list of password, md5, gss, sspi, scram-sha-256, oauth and none, each once, and all or none with !",
    ))
}

fn channel_binding(value: &str) -> Result<ChannelBinding, Refusal> {
    match value {
        "disable" => Ok(ChannelBinding::Disable),
        "prefer" => Ok(ChannelBinding::Prefer),
        "require" => Ok(ChannelBinding::Require),
        _ => Err(Refusal::Expected("disable, prefer or require")),
    }
}

/// Names of encodings are compared as the server does: letters and digits, in any case.
fn client_encoding(value: &str) -> Result<(), Refusal> {
    let name: String = value.chars().filter(char::is_ascii_alphanumeric).collect();
    match name.to_ascii_lowercase().as_str() {
        "" | "auto" | "utf8" | "unicode" => Ok(()),
        _ => Err(Refusal::NotSupported(UTF8_ONLY)),
    }
}

fn ssl_mode(value: &str) -> Result<SslMode, Refusal> {
    let known = SslMode::ALL.into_iter().find(|mode| mode.as_str() == value);
    known.ok_or(Refusal::Expected("disable, allow, prefer, require, verify-ca or verify-full"))
}

fn ssl_negotiation(value: &str) -> Result<bool, Refusal> {
    match value {
        "postgres" => Ok(false),
        "direct" => Ok(true),
        _ => Err(Refusal::Expected("postgres or direct")),
    }
}

/// `system` is not a file's name but the roots that the operating system trusts.
pub(super) fn root_cert(value: &str) -> Option<RootCert> {
    match value {
        "" => None,
        "system" => Some(RootCert::System),
        file => Some(RootCert::File(file.into())),
    }
}

fn target_session(value: &str) -> Result<TargetSession, Refusal> {
    match value {
        "any" => Ok(TargetSession::Any),
        "read-write" => Ok(TargetSession::ReadWrite),
        "read-only" => Ok(TargetSession::ReadOnly),
        "primary" => Ok(TargetSession::Primary),
        "standby" => Ok(TargetSession::Standby),
        "prefer-standby" => Ok(TargetSession::PreferStandby),
        _ => Err(Refusal::Expected("any, read-write, read-only, primary, standby or prefer-standby")),
    }
}

fn load_balance(value: &str) -> Result<bool, Refusal> {
    match value {
        "disable" => Ok(false),
        "random" => Ok(true),
        _ => Err(Refusal::Expected("disable or random")),
    }
}

/// The known name that is at most two edits away.
fn nearest(name: &str) -> Option<&'static str> {
    // A long word cannot be a slip of a short one; and the work stays bounded.
    let candidates = PARAMETERS.iter().filter(|parameter| parameter.name.len().abs_diff(name.len()) <= 2);
    let (edits, nearest) = candidates.map(|p| (edits(name, p.name), p.name)).min()?;
    (edits <= 2).then_some(nearest)
}

/// How many characters to add, drop or change to make `a` into `b` (Levenshtein).
fn edits(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        if let Some(first) = row.first_mut() {
            *first = left;
        }
        for (above, to) in row.iter_mut().skip(1).zip(b.chars()) {
            let here = (diagonal + usize::from(from != to)).min(left + 1).min(*above + 1);
            diagonal = std::mem::replace(above, here);
            left = here;
        }
    }
    row.last().copied().unwrap_or_default()
}
