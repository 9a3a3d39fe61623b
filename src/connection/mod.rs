//! A replication connection: how to reach the server, prove who is who, and give commands.
//!
//! [`Config`] says where and how, in libpq's words; [`Connection::connect`] goes there. The connection is of the kind
//! `replication=database`, which takes both replication commands and SQL, and the role needs the `REPLICATION`
//! attribute ([the manual](https://www.postgresql.org/docs/current/protocol-replication.html)).
//!
//! # Where this is not libpq
//!
//! * Settings that decide how values are printed are pinned for the session (`DateStyle`, `TimeZone`,
//!   `bytea_output` and nine more), whatever role, database, server or `options` say: what arrives is then exact.
//! * A password goes over a network in clear only if the parameters say so, even when the server asks for it.
//! * A certificate named by `sslcert` must exist; libpq goes on without.
//! * `sslmode=prefer` and `allow` try the other way only when the server refused before it asked who we are, as libpq
//!   does from 17 on; a wrong password is not tried twice.
//! * The next host is tried after everything that may pass (a lost connection, too many clients), not only after
//!   a host that cannot be reached.
//! * TLS is rustls: 1.2 and 1.3, no renegotiation, no compression, no certificate revocation lists, no encrypted keys.
//!   Whatever stands in `sslrootcert` is an authority, an intermediate one too; OpenSSL wants the chain to its end.
//! * SCRAM with more than 100,000 iterations is refused: the number is the server's to choose, and the work ours.
//! * An error that the server sends in clear instead of its answer about TLS is not shown: anyone could have sent it.
//! * Over a Unix socket there is no TLS, and `sslmode` is not looked at: as in libpq.

mod auth;
mod codec;
mod command;
mod config;
#[cfg(feature = "postgres")]
mod copy;
mod copy_both;
mod dial;
mod keepalive;
mod negotiate;
#[cfg(feature = "postgres")]
mod ordinary;
mod route;
mod slot;
mod socket;
mod startup;
#[cfg(feature = "tls")]
mod tls;
#[cfg(not(feature = "tls"))]
#[path = "tls_disabled.rs"]
mod tls;
mod transport;
mod types;
mod version;

use std::sync::Arc;

use self::command::Transaction;
use self::route::Canceller;
use self::startup::{Session, SessionKind};
use self::transport::Transport;
use crate::error::Error;
use crate::trace;

pub use crate::error::{Attempt, ConnectError, ServerError};
#[cfg(fuzzing)]
#[doc(hidden)]
pub use codec::pieces;
pub(crate) use codec::{BackendMessage, FrontendMessage};
pub use command::SystemIdentity;
#[cfg(test)]
pub(crate) use command::tests::{connected, connected_over, connected_to};
#[cfg(feature = "postgres")]
pub(crate) use config::{Address, RootCert};
pub use config::{ChannelBinding, Config, ConfigError, ParameterPlace, SslMode};
#[cfg(feature = "postgres")]
pub(crate) use copy::{Side, Splice};
#[cfg(feature = "postgres")]
pub(crate) use ordinary::{SqlConnection, make_room, sql_error};
pub use slot::{CreatedSlot, InUse, SlotName, SlotNameError, SlotOptions, SlotState, Snapshot};
pub use version::ServerVersion;

/// The oldest server that this crate is made for and tested with.
const OLDEST: u32 = 14;

/// A connection of the kind `replication=database`.
///
/// One connection does one thing at a time, which `&mut self` says too. Dropping a future of one of its methods before
/// its end leaves the answer to come: the connection is then of no more use, and says so ([`Error::Unusable`]).
///
/// ```no_run
/// # async fn example(config: walferry::Config) -> Result<(), walferry::Error> {
/// let mut connection = walferry::Connection::connect(&config).await?;
/// println!("PostgreSQL {}", connection.server_version());
/// println!("{:?}", connection.identify_system().await?);
/// connection.close().await;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Connection {
    transport: Transport,
    session: Session,
    version: ServerVersion,
    transaction: Transaction,
    canceller: Option<Canceller>,
    /// How to reach the same server again.
    home: Arc<Config>,
    /// What it was made by: perhaps of several servers.
    given: Arc<Config>,
    /// Whether it has started its one stream.
    streamed: bool,
    /// Why the connection is of no more use.
    unusable: Option<&'static str>,
}

impl Connection {
    /// Connects: tries each host in turn, and each address of a host, until one lets us in.
    ///
    /// # Errors
    ///
    /// [`Error::Connect`] tells of every host that was tried; [`Error::Config`] of a parameter, or of a file that a
    /// parameter names.
    pub async fn connect(config: &Config) -> Result<Self, Error> {
        let mut connection = Box::pin(dial::connect(config, SessionKind::Replication)).await?;
        connection.given = Arc::new(config.clone());
        trace::info!(server = %connection.version, "connected");
        Ok(connection)
    }

    /// Connects for SQL alone, which takes no walsender.
    pub(crate) async fn connect_ordinary(config: &Config) -> Result<Self, Error> {
        Box::pin(dial::connect(config, SessionKind::Ordinary)).await
    }

    /// How to reach the same server again.
    pub(crate) fn home(&self) -> &Arc<Config> {
        &self.home
    }

    /// The parameters that it was made by.
    pub(crate) fn given(&self) -> &Arc<Config> {
        &self.given
    }

    /// Closes the socket at once: the server learns of it as soon as it sends or hears.
    pub(crate) fn hang_up(&mut self) {
        self.unusable = Some("it was closed");
        self.transport.hang_up();
    }

    /// What the server says its version is.
    pub fn server_version(&self) -> &ServerVersion {
        &self.version
    }

    /// Says goodbye and closes the connection. Dropping it does the same, less politely.
    pub async fn close(self) {
        self.transport.close().await;
    }

    fn new(transport: Transport, session: Session, home: Config) -> Result<Self, Error> {
        let text = session.parameter("server_version").ok_or_else(|| {
            Error::Protocol(
                "the server did not report its server_version; is this a PostgreSQL server?".to_owned(),
            )
        })?;
        let version = ServerVersion::read(text)?;
        version.require("walferry", OLDEST)?;
        let home = Arc::new(home);
        let mut connection = Self {
            transport,
            session,
            version,
            transaction: Transaction::None,
            canceller: None,
            given: Arc::clone(&home),
            home,
            streamed: false,
            unusable: None,
        };
        connection.transport.during("during a command");
        Ok(connection)
    }

    fn usable(&self) -> Result<(), Error> {
        self.unusable.map_or(Ok(()), |because| Err(Error::Unusable { because }))
    }

    /// Closes the socket, so that the server gives up too.
    async fn give_up(&mut self, because: &'static str) {
        self.unusable = Some(because);
        self.transport.shutdown().await;
    }
}

#[cfg(test)]
pub(crate) mod peer;
