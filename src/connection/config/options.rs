use std::path::PathBuf;
use std::time::Duration;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Keepalive {
    pub(crate) enabled: bool,
    pub(crate) idle: Option<Duration>,
    pub(crate) interval: Option<Duration>,
    pub(crate) retries: Option<u32>,
}

impl Default for Keepalive {
    fn default() -> Self {
        Self { enabled: true, idle: None, interval: None, retries: None }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SslConfig {
    pub(crate) mode: SslMode,
    pub(crate) root_cert: Option<RootCert>,
    pub(crate) cert: Option<PathBuf>,
    pub(crate) key: Option<PathBuf>,
    /// `sslnegotiation=direct`: TLS from the first byte, with ALPN `postgresql`; servers have it since PostgreSQL 17.
    pub(crate) direct: bool,
    /// Whether the handshake names the host, where that is a name and not a number.
    pub(crate) sni: bool,
}

impl Default for SslConfig {
    fn default() -> Self {
        Self { mode: SslMode::Prefer, root_cert: None, cert: None, key: None, direct: false, sni: true }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum RootCert {
    System,
    File(PathBuf),
}

/// What the server must be, or the next host is tried: libpq's `target_session_attrs`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum TargetSession {
    #[default]
    Any,
    ReadWrite,
    ReadOnly,
    Primary,
    Standby,
    PreferStandby,
}

/// libpq's `sslmode`, from the weakest to the strongest.
///
/// The manual's "34.19.3. Protection Provided in Different Modes" says what each is good for.
///
/// ```
/// use walferry::connection::SslMode;
///
/// assert!(SslMode::Prefer < SslMode::VerifyFull);
/// assert_eq!(SslMode::VerifyFull.as_str(), "verify-full");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
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

impl SslMode {
    pub(super) const ALL: [Self; 6] =
        [Self::Disable, Self::Allow, Self::Prefer, Self::Require, Self::VerifyCa, Self::VerifyFull];

    /// libpq's word for it, as in `sslmode=verify-full`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Disable => "disable",
            Self::Allow => "allow",
            Self::Prefer => "prefer",
            Self::Require => "require",
            Self::VerifyCa => "verify-ca",
            Self::VerifyFull => "verify-full",
        }
    }
}

/// libpq's `channel_binding`: whether SCRAM authentication is bound to the TLS connection.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ChannelBinding {
    /// Never.
    Disable,
    /// When the server offers it.
    #[default]
    Prefer,
    /// Always, or no connection.
    Require,
}
