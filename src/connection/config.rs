//! Where to connect and how: what libpq calls a conninfo.

use std::path::PathBuf;
use std::time::Duration;

/// Connection parameters. (Surface that the rest of `connection` relies on; fill in.)
#[derive(Clone)]
pub struct Config {
    pub(crate) hosts: Vec<HostConfig>,
    pub(crate) user: Option<String>,
    pub(crate) password: Option<String>,
    pub(crate) database: Option<String>,
    pub(crate) application_name: Option<String>,
    /// libpq's `options`: command-line options for the server, as in `-c geqo=off`.
    pub(crate) options: Option<String>,
    pub(crate) connect_timeout: Option<Duration>,
    pub(crate) keepalive: Keepalive,
    pub(crate) tcp_user_timeout: Option<Duration>,
    pub(crate) ssl: SslConfig,
    pub(crate) channel_binding: ChannelBinding,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HostConfig {
    /// What to connect to.
    pub(crate) address: Address,
    /// The name to verify and to look up in the password file.
    pub(crate) name: String,
    pub(crate) port: u16,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Address {
    /// A name or an address, to be resolved.
    Tcp(String),
    /// The folder of the socket `.s.PGSQL.PORT`.
    UnixFolder(PathBuf),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Keepalive {
    pub(crate) enabled: bool,
    pub(crate) idle: Option<Duration>,
    pub(crate) interval: Option<Duration>,
    pub(crate) retries: Option<u32>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SslConfig {
    pub(crate) mode: SslMode,
    pub(crate) root_cert: Option<RootCert>,
    pub(crate) cert: Option<PathBuf>,
    pub(crate) key: Option<PathBuf>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum RootCert {
    System,
    File(PathBuf),
}

/// libpq's `sslmode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SslMode {
    /// Never TLS.
    Disable,
    /// TLS only when the server refuses plain connections.
    Allow,
    /// TLS when the server has it; not verified.
    Prefer,
    /// TLS; not verified unless a root certificate is there.
    Require,
    /// TLS; the certificate must lead to a trusted root.
    VerifyCa,
    /// TLS; and the certificate must name the host.
    VerifyFull,
}

/// libpq's `channel_binding`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ChannelBinding {
    /// Never.
    Disable,
    /// When the server offers it.
    Prefer,
    /// Always, or no connection.
    Require,
}

/// A connection parameter that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ConfigError(pub(crate) String);
