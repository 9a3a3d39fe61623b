//! Where to connect and how: what libpq calls a conninfo.

use std::path::PathBuf;
use std::time::Duration;

/// Connection parameters. (Surface that the rest of `connection` relies on; fill in.)
#[derive(Debug, Clone)]
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
    pub(crate) require_auth: RequireAuth,
    pub(crate) target_session: TargetSession,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HostConfig {
    /// What to connect to.
    pub(crate) address: Address,
    /// The name to verify and to look up in the password file.
    pub(crate) name: String,
    pub(crate) port: u16,
    pub(crate) hostaddr: Option<std::net::IpAddr>,
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
    pub(crate) direct: bool,
    pub(crate) sni: bool,
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

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TargetSession {
    Any,
    ReadWrite,
    ReadOnly,
    Primary,
    Standby,
    PreferStandby,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AuthMethod {
    None,
    Password,
    Md5,
    ScramSha256,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) enum RequireAuth {
    #[default]
    Any,
    Only(Vec<AuthMethod>),
    AnyBut(Vec<AuthMethod>),
}

impl RequireAuth {
    pub(crate) fn accepts(&self, method: AuthMethod) -> bool {
        match self {
            Self::Any => true,
            Self::Only(methods) => methods.contains(&method),
            Self::AnyBut(methods) => !methods.contains(&method),
        }
    }
}

impl Config {
    pub(crate) fn password_for(&self, _host: &HostConfig) -> Option<String> {
        self.password.clone()
    }

    pub(crate) fn allows_cleartext_without_tls(&self) -> bool {
        false
    }
}

impl std::str::FromStr for Config {
    type Err = ConfigError;

    fn from_str(text: &str) -> Result<Self, ConfigError> {
        let mut config = Self {
            hosts: Vec::new(),
            user: None,
            password: None,
            database: None,
            application_name: None,
            options: None,
            connect_timeout: None,
            keepalive: Keepalive { enabled: true, idle: None, interval: None, retries: None },
            tcp_user_timeout: None,
            ssl: SslConfig {
                mode: SslMode::Prefer,
                root_cert: None,
                cert: None,
                key: None,
                direct: false,
                sni: true,
            },
            channel_binding: ChannelBinding::Prefer,
            require_auth: RequireAuth::Any,
            target_session: TargetSession::Any,
        };
        let (mut hosts, mut hostaddrs, mut ports) = (Vec::new(), Vec::new(), Vec::new());
        for pair in text.split_whitespace() {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            let value = value.trim_matches('\'').replace("+", " ");
            match key {
                "host" => hosts = value.split(',').map(str::to_owned).collect(),
                "hostaddr" => hostaddrs = value.split(',').map(str::to_owned).collect(),
                "port" => ports = value.split(',').filter_map(|port| port.parse().ok()).collect(),
                "user" => config.user = Some(value),
                "password" => config.password = Some(value),
                "dbname" => config.database = Some(value),
                "application_name" => config.application_name = Some(value),
                "options" => config.options = Some(value),
                "connect_timeout" => config.connect_timeout = value.parse().ok().map(Duration::from_secs),
                "sslrootcert" if value == "system" => config.ssl.root_cert = Some(RootCert::System),
                "sslrootcert" => config.ssl.root_cert = Some(RootCert::File(value.into())),
                "sslcert" => config.ssl.cert = Some(value.into()),
                "sslkey" => config.ssl.key = Some(value.into()),
                "sslnegotiation" => config.ssl.direct = value == "direct",
                "sslsni" => config.ssl.sni = value != "0",
                "require_auth" => {
                    config.require_auth = match value.as_str() {
                        "scram-sha-256" => RequireAuth::Only(vec![AuthMethod::ScramSha256]),
                        "!none" => RequireAuth::AnyBut(vec![AuthMethod::None]),
                        _ => return Err(ConfigError(pair.to_owned())),
                    }
                }
                "target_session_attrs" => {
                    config.target_session = match value.as_str() {
                        "any" => TargetSession::Any,
                        "read-write" => TargetSession::ReadWrite,
                        "read-only" => TargetSession::ReadOnly,
                        "primary" => TargetSession::Primary,
                        "standby" => TargetSession::Standby,
                        "prefer-standby" => TargetSession::PreferStandby,
                        _ => return Err(ConfigError(pair.to_owned())),
                    }
                }
                "channel_binding" => {
                    config.channel_binding = match value.as_str() {
                        "disable" => ChannelBinding::Disable,
                        "prefer" => ChannelBinding::Prefer,
                        "require" => ChannelBinding::Require,
                        _ => return Err(ConfigError(pair.to_owned())),
                    }
                }
                "sslmode" => {
                    config.ssl.mode = match value.as_str() {
                        "disable" => SslMode::Disable,
                        "allow" => SslMode::Allow,
                        "prefer" => SslMode::Prefer,
                        "require" => SslMode::Require,
                        "verify-ca" => SslMode::VerifyCa,
                        "verify-full" => SslMode::VerifyFull,
                        _ => return Err(ConfigError(pair.to_owned())),
                    }
                }
                _ => return Err(ConfigError(pair.to_owned())),
            }
        }
        let count = hosts.len().max(hostaddrs.len());
        for nth in 0..count {
            let hostaddr = hostaddrs.get(nth).and_then(|address: &String| address.parse().ok());
            let name = hosts.get(nth).or(hostaddrs.get(nth)).cloned().unwrap_or_default();
            let address = if name.starts_with(['/', '@']) {
                Address::UnixFolder(PathBuf::from(&name))
            } else {
                Address::Tcp(name.clone())
            };
            let port = ports.get(nth).or(ports.first()).copied().unwrap_or(5432);
            config.hosts.push(HostConfig { address, name, port, hostaddr });
        }
        Ok(config)
    }
}
