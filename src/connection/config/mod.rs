//! Where to connect and how: what libpq calls a conninfo.

mod conninfo;
mod environment;
mod error;
mod hosts;
mod options;
mod parameter;
mod password_file;
mod require_auth;
mod service_file;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

pub use error::{ConfigError, ParameterPlace};
pub(crate) use hosts::{Address, HostConfig};
pub use options::{ChannelBinding, SslMode};
pub(crate) use options::{Keepalive, RootCert, SslConfig, TargetSession};
pub(crate) use require_auth::{AuthMethod, RequireAuth};

use environment::Process;
use hosts::HostLists;
use password_file::PasswordFile;

/// Where to connect, as whom, and how: libpq's connection parameters.
///
/// A configuration is read from a connection string in either form of libpq, a URI or `key=value` words; or it is
/// built here; or both. The names, values and defaults are those of the PostgreSQL manual, "34.1. Database Connection
/// Control Functions". What libpq knows and walferry cannot honour is refused, never ignored.
///
/// Reading a string looks at nothing but the string. [`complete_from_environment`](Self::complete_from_environment)
/// then fills in what is missing, as `psql` would.
///
/// ```
/// use walferry::Config;
/// use walferry::connection::SslMode;
///
/// let uri: Config = "postgresql://ferry:s3cret@db-1,db-2:5433/shop?connect_timeout=10".parse()?;
/// let words: Config = "host=db-1,db-2 port=,5433 user=ferry password=s3cret dbname=shop connect_timeout=10".parse()?;
/// assert_eq!(uri, words);
/// // What is shown never holds the password.
/// assert_eq!(uri.to_string(), "host=db-1,db-2 port=5432,5433 user=ferry dbname=shop sslmode=prefer");
///
/// let strict = words.ssl_mode(SslMode::VerifyFull).application_name("ferry");
/// # let _ = strict;
/// # Ok::<(), walferry::connection::ConfigError>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
#[must_use = "a configuration connects nowhere until a connection is opened with it"]
pub struct Config {
    /// In the order in which to try them; never empty.
    pub(crate) hosts: Vec<HostConfig>,
    pub(crate) user: Option<String>,
    pub(crate) password: Option<String>,
    pub(crate) database: Option<String>,
    pub(crate) application_name: Option<String>,
    /// libpq's `options`: command-line options for the server, as in `-c geqo=off`.
    pub(crate) options: Option<String>,
    /// For each attempt to connect to one address.
    pub(crate) connect_timeout: Option<Duration>,
    pub(crate) keepalive: Keepalive,
    pub(crate) tcp_user_timeout: Option<Duration>,
    pub(crate) ssl: SslConfig,
    pub(crate) channel_binding: ChannelBinding,
    pub(crate) require_auth: RequireAuth,
    pub(crate) target_session: TargetSession,
    /// `load_balance_hosts=random`: the order of hosts, and of the addresses of one, is to be shuffled.
    pub(crate) shuffle_hosts: bool,
    cleartext_allowed: bool,
    fallback_application_name: Option<String>,
    service: Option<String>,
    service_file: Option<PathBuf>,
    passfile: Option<PathBuf>,
    password_file: PasswordFile,
    /// Where a local server listens by default; `localhost` in the password file.
    default_host: String,
    lists: HostLists,
    /// What was said, empty or not: a weaker source does not speak to it any more.
    given: BTreeSet<&'static str>,
    warnings: Vec<String>,
}

impl Default for Config {
    fn default() -> Self {
        let default_host = if cfg!(unix) { "/var/run/postgresql" } else { "localhost" };
        let mut config = Self {
            hosts: Vec::new(),
            user: None,
            password: None,
            database: None,
            application_name: None,
            options: None,
            connect_timeout: None,
            keepalive: Keepalive::default(),
            tcp_user_timeout: None,
            ssl: SslConfig::default(),
            channel_binding: ChannelBinding::default(),
            require_auth: RequireAuth::default(),
            target_session: TargetSession::default(),
            shuffle_hosts: false,
            cleartext_allowed: false,
            fallback_application_name: None,
            service: None,
            service_file: None,
            passfile: None,
            password_file: PasswordFile::default(),
            default_host: default_host.to_owned(),
            lists: HostLists::default(),
            given: BTreeSet::new(),
            warnings: Vec::new(),
        };
        config.list_hosts();
        config
    }
}

impl FromStr for Config {
    type Err = ConfigError;

    /// Reads a URI (`postgresql://…`, `postgres://…`) or `key=value` words, and nothing else: no variable, no file.
    ///
    /// Without a host it is the server of this machine, by its socket in `/var/run/postgresql`.
    fn from_str(text: &str) -> Result<Self, ConfigError> {
        let mut said = BTreeMap::new();
        for setting in conninfo::parse(text)? {
            said.insert(setting.parameter.name, setting);
        }
        let mut config = Self::default();
        for setting in said.into_values() {
            setting.apply(&mut config)?;
        }
        config.settle()?;
        Ok(config)
    }
}

impl TryFrom<&str> for Config {
    type Error = ConfigError;

    fn try_from(text: &str) -> Result<Self, ConfigError> {
        text.parse()
    }
}

impl Config {
    /// libpq's built-in defaults, with no user yet: that comes from [`user`](Self::user) or from
    /// [`complete_from_environment`](Self::complete_from_environment).
    ///
    /// ```
    /// use walferry::Config;
    ///
    /// let config = Config::new().host("db.example.com").user("ferry").database("shop");
    /// assert_eq!(config.to_string(), "host=db.example.com port=5432 user=ferry dbname=shop sslmode=prefer");
    /// ```
    pub fn new() -> Self {
        Self::default()
    }

    /// Fills in what was not given, as libpq does.
    ///
    /// What was given stays, an empty value included. Then speak, in this order: the section of the *service file*
    /// that `service` or `PGSERVICE` names (`servicefile`, `PGSERVICEFILE`, `~/.pg_service.conf`, and
    /// `pg_service.conf` in `PGSYSCONFDIR`); the `PG*` *variables* ("34.15. Environment Variables"); and the
    /// *defaults*: the operating system's user, a database of the user's name, the socket in `/var/run/postgresql` or
    /// `/tmp`, and certificates in `~/.postgresql`.
    ///
    /// The password file (`passfile`, `PGPASSFILE`, `~/.pgpass`) is read here too, if no password was given.
    /// [`warnings`](Self::warnings) tells what was ignored.
    ///
    /// # Errors
    ///
    /// A service that cannot be found, a value of any of these sources that cannot be used, or no user at all.
    ///
    /// ```no_run
    /// use walferry::Config;
    ///
    /// let config = "host=db.example.com".parse::<Config>()?.complete_from_environment()?;
    /// for warning in config.warnings() {
    ///     eprintln!("{warning}");
    /// }
    /// # Ok::<(), walferry::connection::ConfigError>(())
    /// ```
    pub fn complete_from_environment(self) -> Result<Self, ConfigError> {
        self.complete(&Process)
    }

    /// Connects to this host alone: a name, an address, or the folder of a socket (`/…`, or `@…` on Linux).
    ///
    /// Replaces every host given before. Several hosts go in a connection string.
    ///
    /// ```
    /// use walferry::Config;
    ///
    /// let either: Config = "host=db-1,db-2 port=5433".parse()?;
    /// assert_eq!(either.host("db-3").to_string(), "host=db-3 port=5433 sslmode=prefer");
    /// # Ok::<(), walferry::connection::ConfigError>(())
    /// ```
    pub fn host(mut self, host: impl Into<String>) -> Self {
        let ports = if self.lists.ports.len() == 1 { self.lists.ports } else { Vec::new() };
        self.lists = HostLists { names: vec![host.into()], addresses: Vec::new(), ports };
        self.given.extend(["host", "hostaddr"]);
        self.list_hosts();
        self
    }

    /// The port of every host; 5432 if none is given.
    pub fn port(mut self, port: u16) -> Self {
        self.lists.ports = vec![port];
        self.given.insert("port");
        self.list_hosts();
        self
    }

    /// The role to connect as. It needs the `REPLICATION` attribute.
    pub fn user(mut self, user: impl Into<String>) -> Self {
        self.user = non_empty(user);
        self.given.insert("user");
        self
    }

    /// The password, for every host. It is in no error, log line or `Debug` output.
    pub fn password(mut self, password: impl Into<String>) -> Self {
        self.password = non_empty(password);
        self.given.insert("password");
        self
    }

    /// The database to connect to.
    pub fn database(mut self, database: impl Into<String>) -> Self {
        self.database = non_empty(database);
        self.given.insert("dbname");
        self
    }

    /// What `pg_stat_activity` and the server's log call this connection.
    pub fn application_name(mut self, name: impl Into<String>) -> Self {
        self.application_name = non_empty(name);
        self.given.insert("application_name");
        self
    }

    /// Command-line options for the server's session, as in `-c statement_timeout=0`.
    pub fn options(mut self, options: impl Into<String>) -> Self {
        self.options = non_empty(options);
        self.given.insert("options");
        self
    }

    /// How long to wait for each address of each host. Zero means for ever, as in libpq.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = (!timeout.is_zero()).then_some(timeout);
        self.given.insert("connect_timeout");
        self
    }

    /// Whether to use TLS, and what to verify.
    pub fn ssl_mode(mut self, mode: SslMode) -> Self {
        self.ssl.mode = mode;
        self.given.insert("sslmode");
        self
    }

    /// The file of trusted root certificates, in PEM; or the word `system` for those of the operating system.
    ///
    /// `system` makes [`SslMode::VerifyFull`] the default: anybody can have a certificate from a public authority.
    ///
    /// ```
    /// use walferry::Config;
    ///
    /// let config = Config::new().host("db.example.com").ssl_root_cert("system");
    /// assert_eq!(config.to_string(), "host=db.example.com port=5432 sslmode=verify-full");
    /// ```
    pub fn ssl_root_cert(mut self, file: impl Into<PathBuf>) -> Self {
        let file = file.into();
        self.ssl.root_cert =
            Some(if file.as_os_str() == "system" { RootCert::System } else { RootCert::File(file) });
        self.given.insert("sslrootcert");
        self.default_ssl_mode();
        self
    }

    /// Whether SCRAM authentication must be bound to the TLS connection.
    pub fn channel_binding(mut self, binding: ChannelBinding) -> Self {
        self.channel_binding = binding;
        self.given.insert("channel_binding");
        self
    }

    /// Allows, or forbids again, to send the password in cleartext over a connection without TLS, to a server that
    /// asks for it so. The name `password` in libpq's `require_auth` allows it, too.
    ///
    /// Whoever reads or redirects the network's packets then has the password.
    pub fn allow_cleartext_password(mut self, allow: bool) -> Self {
        self.cleartext_allowed = allow;
        self
    }

    /// The same primary, also while a migration has closed its database to writers.
    #[cfg(feature = "postgres")]
    pub(crate) fn also_when_closed(mut self) -> Self {
        if self.target_session == TargetSession::ReadWrite {
            self.target_session = TargetSession::Primary;
        }
        self
    }

    /// What was ignored while the configuration was completed, one sentence each: a password file that others can
    /// read, for one. Worth showing to whoever runs the program.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Whether the password may go over a connection that is not encrypted.
    pub(crate) fn allows_cleartext_without_tls(&self) -> bool {
        self.cleartext_allowed || self.require_auth.names(AuthMethod::Password)
    }

    /// The password for one of the hosts: what was given, or else what the password file has.
    pub(crate) fn password_for(&self, host: &HostConfig) -> Option<String> {
        if let Some(password) = &self.password {
            return Some(password.clone());
        }
        let name = if host.name == self.default_host { "localhost" } else { &host.name };
        let (database, user) = (self.database.as_ref().or(self.user.as_ref())?, self.user.as_ref()?);
        self.password_file.password(name, host.port, database, user).map(str::to_owned)
    }

    /// The same, for that server alone: at that address, if its name has more than one, and whatever it is by then.
    pub(crate) fn only(&self, host: &HostConfig, address: Option<IpAddr>) -> Self {
        let host = HostConfig { hostaddr: address.or(host.hostaddr), ..host.clone() };
        Self { hosts: vec![host], target_session: TargetSession::Any, ..self.clone() }
    }

    /// Whether the parameters go together. Setters cannot fail, so ask before connecting.
    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        let conflict = |key, other, rule| Err(ConfigError::Conflict { key, other, rule });
        // The rules of libpq's manual for sslrootcert, sslnegotiation and hostaddr.
        match &self.ssl {
            SslConfig { root_cert: Some(RootCert::System), mode, .. } if *mode < SslMode::VerifyFull => {
                conflict("sslmode", "sslrootcert=system", "only verify-full is safe with public authorities")
            }
            SslConfig { direct: true, mode, .. } if *mode < SslMode::Require => {
                conflict("sslmode", "sslnegotiation=direct", "use require, verify-ca or verify-full")
            }
            SslConfig { mode: SslMode::VerifyFull, .. } if self.lists.has_nameless_address() => {
                conflict("hostaddr", "sslmode=verify-full", "give host too, for the name in the certificate")
            }
            _ => Ok(()),
        }
    }

    /// Works out what follows from all that was said, once everybody has spoken.
    fn settle(&mut self) -> Result<(), ConfigError> {
        self.hosts = self.lists.hosts(&self.default_host)?;
        self.default_ssl_mode();
        if !self.given.contains("application_name") {
            self.application_name.clone_from(&self.fallback_application_name);
        }
        self.check()
    }

    fn default_ssl_mode(&mut self) {
        if !self.given.contains("sslmode") {
            let is_system = self.ssl.root_cert == Some(RootCert::System);
            self.ssl.mode = if is_system { SslMode::VerifyFull } else { SslMode::Prefer };
        }
    }

    /// For lists that were made to agree.
    fn list_hosts(&mut self) {
        if let Ok(hosts) = self.lists.hosts(&self.default_host) {
            self.hosts = hosts;
        }
    }
}

/// As libpq: an empty value is given, and says "none".
fn non_empty(value: impl Into<String>) -> Option<String> {
    Some(value.into()).filter(|value| !value.is_empty())
}

/// The words that tell one server from another, as a connection string without the password.
impl fmt::Display for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.hosts.iter().map(|host| host.name.as_str()).collect();
        let mut ports: Vec<_> = self.hosts.iter().map(|host| host.port.to_string()).collect();
        if ports.windows(2).all(|pair| pair.first() == pair.last()) {
            ports.truncate(1);
        }
        write!(f, "host={} port={}", Word(&names.join(",")), ports.join(","))?;
        for (key, value) in [("user", &self.user), ("dbname", &self.database)] {
            if let Some(value) = value {
                write!(f, " {key}={}", Word(value))?;
            }
        }
        write!(f, " sslmode={}", self.ssl.mode.as_str())
    }
}

/// A value as it stands in a connection string, quoted where it must be.
struct Word<'a>(&'a str);

impl fmt::Display for Word<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_plain = |c: char| !conninfo::is_space(c) && c != '\'' && c != '\\';
        if !self.0.is_empty() && self.0.chars().all(is_plain) {
            return f.write_str(self.0);
        }
        write!(f, "'{}'", self.0.replace('\\', r"\\").replace('\'', r"\'"))
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("hosts", &self.hosts)
            .field("user", &self.user)
            .field("password", &self.password.as_ref().map(|_| format_args!("<hidden>")))
            .field("database", &self.database)
            .field("application_name", &self.application_name)
            .field("options", &self.options)
            .field("connect_timeout", &self.connect_timeout)
            .field("keepalive", &self.keepalive)
            .field("tcp_user_timeout", &self.tcp_user_timeout)
            .field("ssl", &self.ssl)
            .field("channel_binding", &self.channel_binding)
            .field("require_auth", &self.require_auth)
            .field("target_session", &self.target_session)
            .field("shuffle_hosts", &self.shuffle_hosts)
            .field("cleartext_allowed", &self.cleartext_allowed)
            .field("password_file", &self.password_file)
            .field("warnings", &self.warnings)
            .finish_non_exhaustive()
    }
}
