//! From parameters to a connection: hosts, addresses, ways to encrypt, in order.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher as _, Hasher as _};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use super::Connection;
use super::auth::{Channel, Credentials};
use super::config::{Address, Config, HostConfig, SslMode, TargetSession};
use super::negotiate::{Encryption, Failure, ways};
use super::route::{Canceller, Place, Route};
use super::startup::{self, SessionKind};
use super::tls::Connector;
use super::transport::Transport;
use crate::error::{Attempt, ConnectError, Error};

/// Tries everything that the parameters name, in order.
pub(super) async fn connect(config: &Config, kind: SessionKind) -> Result<Connection, Error> {
    config.check().map_err(Error::Config)?;
    let dialer = Dialer { config, kind, connector: connector(config).await?.map(Arc::new) };
    let mut attempts = Vec::new();
    for &target in passes(config.target_session) {
        if let Some(connection) = dialer.pass(target, &mut attempts).await {
            return Ok(connection);
        }
    }
    Err(Error::Connect(ConnectError::new(attempts)))
}

/// `prefer-standby` goes round twice.
fn passes(target: TargetSession) -> &'static [TargetSession] {
    match target {
        TargetSession::Any => &[TargetSession::Any],
        TargetSession::ReadWrite => &[TargetSession::ReadWrite],
        TargetSession::ReadOnly => &[TargetSession::ReadOnly],
        TargetSession::Primary => &[TargetSession::Primary],
        TargetSession::Standby => &[TargetSession::Standby],
        TargetSession::PreferStandby => &[TargetSession::Standby, TargetSession::Any],
    }
}

/// `None` where no host could want TLS: then no file is read, and none that is missing is missed.
async fn connector(config: &Config) -> Result<Option<Connector>, Error> {
    let over_a_network = config.hosts.iter().any(|host| matches!(host.address, Address::Tcp(_)));
    if config.ssl.mode == SslMode::Disable || !over_a_network {
        return Ok(None);
    }
    Connector::load(&config.ssl).await
}

struct Dialer<'a> {
    config: &'a Config,
    kind: SessionKind,
    connector: Option<Arc<Connector>>,
}

impl Dialer<'_> {
    /// Every host once. `None` when none will do, and then `attempts` says why.
    async fn pass(&self, target: TargetSession, attempts: &mut Vec<Attempt>) -> Option<Connection> {
        for host in self.shuffled(self.config.hosts.iter().collect()) {
            let places = match places(host).await {
                Ok(places) => places,
                Err(error) => {
                    attempts.push(Attempt::new(label(host, None), error));
                    continue;
                }
            };
            for place in self.shuffled(places) {
                let failed = match self.place(host, &place, target).await {
                    Ok(connection) => return Some(connection),
                    Err(failed) => failed,
                };
                // What will not pass by itself is an answer: another host is not asked to give a better one.
                let go_on = failed.last().is_some_and(Error::is_retryable);
                attempts
                    .extend(failed.into_iter().map(|error| Attempt::new(label(host, Some(&place)), error)));
                if !go_on {
                    return None;
                }
            }
        }
        None
    }

    /// For `load_balance_hosts`: in a random order.
    fn shuffled<T>(&self, mut items: Vec<T>) -> Vec<T> {
        if self.config.shuffle_hosts {
            // Each `RandomState` hashes nothing to another number: the standard library's only dice.
            items.sort_by_cached_key(|_| RandomState::new().build_hasher().finish());
        }
        items
    }

    /// One address, in each way that `sslmode` allows. Every way's error, if none works.
    async fn place(
        &self,
        host: &HostConfig,
        place: &Place,
        target: TargetSession,
    ) -> Result<Connection, Vec<Error>> {
        // libpq's rule: nobody listens in on a Unix socket, so sslmode is not looked at.
        let ways = if matches!(place, Place::Unix(_)) {
            &[Encryption::Plain][..]
        } else {
            ways(self.config.ssl.mode)
        };
        let mut errors = Vec::new();
        for &way in ways {
            match self.within_time(self.attempt(host, place, way, target)).await {
                Ok(connection) => return Ok(connection),
                Err(failure) => {
                    errors.push(failure.error);
                    if !failure.by_encryption {
                        break;
                    }
                }
            }
        }
        Err(errors)
    }

    async fn within_time(
        &self,
        attempt: impl Future<Output = Result<Connection, Failure>>,
    ) -> Result<Connection, Failure> {
        let Some(after) = self.config.connect_timeout.filter(|limit| *limit > Duration::ZERO) else {
            return attempt.await;
        };
        tokio::time::timeout(after, attempt).await.unwrap_or_else(|_| {
            Err(Failure::final_one(Error::Timeout { during: "connecting".to_owned(), after }))
        })
    }

    fn route(&self, host: &HostConfig, place: &Place, way: Encryption) -> Route {
        Route {
            place: place.clone(),
            host: host.name.clone(),
            way,
            direct: self.config.ssl.direct,
            connector: self.connector.clone(),
            keepalive: self.config.keepalive.clone(),
            user_timeout: self.config.tcp_user_timeout,
        }
    }

    async fn attempt(
        &self,
        host: &HostConfig,
        place: &Place,
        way: Encryption,
        target: TargetSession,
    ) -> Result<Connection, Failure> {
        let route = self.route(host, place, way);
        let (socket, channel) = route.open().await?;
        let mut transport = Transport::new(socket);
        let password = self.config.password_for(host);
        let Some(user) = self.config.user.as_deref() else {
            return Err(Failure::final_one(Error::Misuse("no user is given: set user or PGUSER")));
        };
        let credentials = Credentials {
            user,
            password: password.as_deref(),
            channel_binding: self.config.channel_binding,
            cleartext_without_tls: self.config.allows_cleartext_without_tls(),
            require_auth: &self.config.require_auth,
        };
        let started = startup::start(&mut transport, self.config, self.kind, &credentials, &channel).await;
        let session = started.map_err(|refusal| Failure {
            // `prefer` and `allow` try the other way only from the way they began with.
            by_encryption: refusal.unasked
                && matches!(channel, Channel::Tls(_)) == (way != Encryption::Plain),
            error: refusal.error,
        })?;
        let canceller = session.cancel_key().map(|key| Canceller::new(route, key, &channel));
        let mut connection = Connection::new(transport, session, self.config.only(host, place.address()))
            .map_err(Failure::final_one)?;
        connection.canceller = canceller;
        connection.has_role(target).map_err(Failure::final_one)?;
        Ok(connection)
    }
}

/// The addresses of a host, at least one.
async fn places(host: &HostConfig) -> Result<Vec<Place>, Error> {
    let name = match (&host.address, host.hostaddr) {
        (Address::UnixFolder(folder), _) => {
            return Ok(vec![Place::Unix(folder.join(format!(".s.PGSQL.{}", host.port)))]);
        }
        (Address::Tcp(_), Some(number)) => return Ok(vec![Place::Tcp(SocketAddr::new(number, host.port))]),
        (Address::Tcp(name), None) => name,
    };
    let failed = |source| Error::Io { during: "looking up the name".to_owned(), source };
    let found: Vec<_> = tokio::net::lookup_host((name.as_str(), host.port)).await.map_err(failed)?.collect();
    if found.is_empty() {
        return Err(failed(std::io::Error::new(std::io::ErrorKind::NotFound, "the name has no address")));
    }
    Ok(found.into_iter().map(Place::Tcp).collect())
}

/// `db.example.org port 5432 (10.0.0.7)`.
fn label(host: &HostConfig, place: Option<&Place>) -> String {
    let (name, port) = (&host.name, host.port);
    match place {
        Some(Place::Unix(path)) => path.display().to_string(),
        Some(Place::Tcp(address)) if name.parse::<IpAddr>() != Ok(address.ip()) => {
            format!("{name} port {port} ({})", address.ip())
        }
        _ => format!("{name} port {port}"),
    }
}

impl Connection {
    /// `target_session_attrs`, by the two settings that servers report from 14 on, as libpq decides it.
    fn has_role(&self, target: TargetSession) -> Result<(), Error> {
        let on = |name| self.session.parameter(name) == Some("on");
        let standby = on("in_hot_standby");
        let read_only = standby || on("default_transaction_read_only");
        let (fits, wanted) = match target {
            TargetSession::Any | TargetSession::PreferStandby => (true, "any"),
            TargetSession::ReadWrite => (!read_only, "read-write"),
            TargetSession::ReadOnly => (read_only, "read-only"),
            TargetSession::Primary => (!standby, "primary"),
            TargetSession::Standby => (standby, "standby"),
        };
        if fits { Ok(()) } else { Err(Error::WrongRole { wanted }) }
    }
}
