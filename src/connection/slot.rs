//! Replication slots: made, looked at, dropped.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::Connection;
use super::command::TextRow;
use super::route::Canceller;
use super::version::ServerVersion;
use crate::error::Error;
use crate::{Lsn, quote};

/// The name of a replication slot: 1 to 63 of `a` to `z`, `0` to `9` and `_`.
///
/// The rule is [the server's](https://www.postgresql.org/docs/current/warm-standby.html#STREAMING-REPLICATION-SLOTS-MANIPULATION).
/// Since nothing else can be in it, a name never needs escaping.
///
/// ```
/// use walferry::SlotName;
///
/// let name: SlotName = "orders_2024".parse()?;
/// assert_eq!(name.as_str(), "orders_2024");
/// assert!("Orders".parse::<SlotName>().is_err());
/// # Ok::<(), walferry::connection::SlotNameError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SlotName(Box<str>);

impl SlotName {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SlotName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl AsRef<str> for SlotName {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

/// The text is not a slot name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is no slot name: expected 1 to 63 of a-z, 0-9 and _")]
pub struct SlotNameError(String);

impl FromStr for SlotName {
    type Err = SlotNameError;

    fn from_str(text: &str) -> Result<Self, SlotNameError> {
        // ReplicationSlotValidateName: the length is NAMEDATALEN - 1.
        let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        if (1..=63).contains(&text.len()) && text.bytes().all(allowed) {
            return Ok(Self(text.into()));
        }
        Err(SlotNameError(text.chars().take(80).collect()))
    }
}

impl TryFrom<&str> for SlotName {
    type Error = SlotNameError;

    fn try_from(text: &str) -> Result<Self, SlotNameError> {
        text.parse()
    }
}

impl TryFrom<String> for SlotName {
    type Error = SlotNameError;

    fn try_from(text: String) -> Result<Self, SlotNameError> {
        text.parse()
    }
}

/// What becomes of the snapshot that belongs to a new slot: the database as it was at the slot's first position.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Snapshot {
    /// Under a name that other connections can adopt, until the next command on the creating connection.
    Export,
    /// For the creating connection itself, in a transaction that lasts until its next command after the slot is let
    /// go. From within it can be exported to any number of connections: [`CreatedSlot::export_snapshot`].
    Use,
    /// There is none. Right for whoever wants only what changes from now on.
    #[default]
    Nothing,
}

/// How long a server may take to stop when it is told to.
const GRACE: Duration = Duration::from_secs(5);

/// How a slot is to be made.
///
/// ```
/// use std::time::Duration;
/// use walferry::SlotOptions;
/// use walferry::connection::Snapshot;
///
/// let options = SlotOptions::new().snapshot(Snapshot::Use).timeout(Duration::from_secs(60));
/// ```
#[derive(Debug, Clone, Default)]
#[must_use = "options do nothing before create_slot gets them"]
pub struct SlotOptions {
    temporary: bool,
    snapshot: Snapshot,
    two_phase: bool,
    failover: bool,
    timeout: Option<Duration>,
}

impl SlotOptions {
    /// A slot that stays, without a snapshot, for committed transactions only, with no limit on the waiting.
    pub fn new() -> Self {
        Self::default()
    }

    /// The slot goes when the connection does, and after any error on it. Not with [`SlotOptions::failover`].
    pub fn temporary(mut self, temporary: bool) -> Self {
        self.temporary = temporary;
        self
    }

    /// What becomes of the snapshot.
    pub fn snapshot(mut self, snapshot: Snapshot) -> Self {
        self.snapshot = snapshot;
        self
    }

    /// Prepared transactions are sent when they are prepared. PostgreSQL 15 and later.
    pub fn two_phase(mut self, two_phase: bool) -> Self {
        self.two_phase = two_phase;
        self
    }

    /// Standbys keep a copy of the slot, to go on from after a promotion. PostgreSQL 17 and later.
    pub fn failover(mut self, failover: bool) -> Self {
        self.failover = failover;
        self
    }

    /// How long to wait. The server makes a slot only once every transaction that has written already is over; one
    /// forgotten transaction, or one that is prepared, holds it up for ever.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    pub(crate) fn check(&self, server: &ServerVersion) -> Result<(), Error> {
        if self.temporary && self.failover {
            return Err(Error::Misuse("a slot cannot be temporary and survive a failover: choose one"));
        }
        if self.two_phase {
            server.require("a slot for two-phase commit", 15)?;
        }
        if self.failover {
            server.require("a failover slot", 17)?;
        }
        Ok(())
    }

    /// A slot that lasts as long as the copy whose snapshot belongs to it.
    #[cfg(feature = "postgres")]
    pub(crate) fn for_copy(&self) -> Self {
        Self { temporary: true, failover: false, snapshot: Snapshot::Use, ..self.clone() }
    }

    #[cfg(feature = "postgres")]
    pub(crate) fn is_temporary(&self) -> bool {
        self.temporary
    }

    #[cfg(feature = "postgres")]
    pub(crate) fn is_two_phase(&self) -> bool {
        self.two_phase
    }

    #[cfg(feature = "postgres")]
    pub(crate) fn is_failover(&self) -> bool {
        self.failover
    }

    /// `CREATE_REPLICATION_SLOT`: in parentheses from 15 on, in a fixed order of words before.
    fn command(&self, name: &SlotName, server: &ServerVersion) -> String {
        let temporary = if self.temporary { " TEMPORARY" } else { "" };
        let options = if server.major() >= 15 { self.in_parentheses() } else { self.in_order().to_owned() };
        let name = quote::replication_identifier(name.as_str());
        format!("CREATE_REPLICATION_SLOT {name}{temporary} LOGICAL pgoutput {options}")
    }

    fn in_parentheses(&self) -> String {
        let snapshot = match self.snapshot {
            Snapshot::Export => "export",
            Snapshot::Use => "use",
            Snapshot::Nothing => "nothing",
        };
        let two_phase = if self.two_phase { ", TWO_PHASE true" } else { "" };
        let failover = if self.failover { ", FAILOVER true" } else { "" };
        format!("(SNAPSHOT '{snapshot}'{two_phase}{failover})")
    }

    fn in_order(&self) -> &'static str {
        match self.snapshot {
            Snapshot::Export => "EXPORT_SNAPSHOT",
            Snapshot::Use => "USE_SNAPSHOT",
            Snapshot::Nothing => "NOEXPORT_SNAPSHOT",
        }
    }
}

/// A slot that was made just now.
///
/// It borrows the connection: its snapshot dies with the connection's next command.
#[derive(Debug)]
#[must_use = "the snapshot of the slot is gone with the next command on the connection"]
pub struct CreatedSlot<'a> {
    connection: &'a mut Connection,
    name: SlotName,
    made: Made,
    in_snapshot: bool,
}

/// The answer to `CREATE_REPLICATION_SLOT`: name, consistent point, snapshot, plugin.
#[derive(Debug)]
struct Made {
    consistent_point: Lsn,
    snapshot_name: Option<String>,
}

impl Made {
    fn read(row: &TextRow) -> Result<Self, Error> {
        let missing = || Error::Protocol("the server made a slot without a consistent point".to_owned());
        let consistent_point = row.parsed(1)?.ok_or_else(missing)?;
        Ok(Self { consistent_point, snapshot_name: row.text(2)?.map(str::to_owned) })
    }
}

impl CreatedSlot<'_> {
    /// The slot's name.
    pub fn name(&self) -> &SlotName {
        &self.name
    }

    /// Where the slot begins: what is committed later comes through the slot, what was committed earlier is in the
    /// snapshot, nothing is in both and nothing in neither.
    pub fn consistent_point(&self) -> Lsn {
        self.made.consistent_point
    }

    /// The name for `SET TRANSACTION SNAPSHOT`, with [`Snapshot::Export`].
    pub fn snapshot_name(&self) -> Option<&str> {
        self.made.snapshot_name.as_deref()
    }

    /// Exports the snapshot of [`Snapshot::Use`] for another connection to adopt: good as long as this slot is not
    /// let go. Connections that have adopted it keep it.
    ///
    /// ```no_run
    /// # use walferry::{Connection, SlotOptions, connection::Snapshot};
    /// # async fn example(connection: &mut Connection) -> Result<(), Box<dyn std::error::Error>> {
    /// let options = SlotOptions::new().snapshot(Snapshot::Use);
    /// let mut slot = connection.create_slot(&"orders".parse()?, options).await?;
    /// let snapshot = slot.export_snapshot().await?;
    /// // elsewhere: BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET TRANSACTION SNAPSHOT '…'
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Misuse`] for a slot that was made with another choice of snapshot.
    pub async fn export_snapshot(&mut self) -> Result<String, Error> {
        if !self.in_snapshot {
            return Err(Error::Misuse("only a slot made with Snapshot::Use can export its snapshot later"));
        }
        let row = self.connection.query_one("SELECT pg_catalog.pg_export_snapshot()").await?;
        Ok(row.required(0)?.to_owned())
    }

    /// Lets the snapshot go now, rather than with the next command.
    pub async fn release(self) -> Result<(), Error> {
        // An exported snapshot has no command of its own to end it: any will do.
        match self.in_snapshot {
            true => self.connection.end_transaction().await,
            false if self.made.snapshot_name.is_some() => {
                self.connection.simple_query("SELECT 1").await.map(drop)
            }
            false => Ok(()),
        }
    }
}

/// What to do about a slot that somebody uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum InUse {
    /// Fail, with SQLSTATE 55006.
    Fail,
    /// Wait until it is free, for ever if need be.
    Wait,
}

/// A slot as the view
/// [`pg_replication_slots`](https://www.postgresql.org/docs/current/view-pg-replication-slots.html) shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SlotState {
    /// What decodes for it; `None` for a physical slot.
    pub plugin: Option<String>,
    /// The database it belongs to; `None` for a physical slot.
    pub database: Option<String>,
    /// The server's process that uses it now.
    pub active_pid: Option<u32>,
    /// Up to where its consumer has acknowledged.
    pub confirmed_flush_lsn: Option<Lsn>,
    /// From where on the server keeps the log for it.
    pub restart_lsn: Option<Lsn>,
    /// `reserved`, `extended`, `unreserved` or `lost`.
    pub wal_status: Option<String>,
    /// Whether it goes when its connection does.
    pub temporary: bool,
    /// Whether prepared transactions are sent when they are prepared.
    pub two_phase: bool,
    /// Whether standbys keep a copy; `false` before 17.
    pub failover: bool,
    /// Why nothing can be read from it any more; known from 17 on.
    pub invalidation_reason: Option<String>,
}

impl Connection {
    /// Makes a logical slot for `pgoutput`: the command
    /// [`CREATE_REPLICATION_SLOT`](https://www.postgresql.org/docs/current/protocol-replication.html).
    ///
    /// Make the publication first: changes from before it existed cannot be read through it.
    ///
    /// ```no_run
    /// # use walferry::{Connection, SlotOptions, connection::Snapshot};
    /// # async fn example(connection: &mut Connection) -> Result<(), Box<dyn std::error::Error>> {
    /// let options = SlotOptions::new().snapshot(Snapshot::Export);
    /// let slot = connection.create_slot(&"orders".parse()?, options).await?;
    /// println!("changes come from {} on", slot.consistent_point());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Unsupported`] and [`Error::Misuse`] before anything is sent. [`Error::Timeout`] when
    /// [`SlotOptions::timeout`] has passed: the server is told to stop, and what was half made goes. The connection
    /// stays of use, but as after any error its temporary slots are gone. Only if the server does not even stop, the
    /// connection is given up, and says so when it is used ([`Error::Unusable`]). [`Error::Server`] with 42710 when there is one of that name,
    /// 53400 when `max_replication_slots` is reached, 55000 when `wal_level` is not `logical`.
    pub async fn create_slot(
        &mut self,
        name: &SlotName,
        options: SlotOptions,
    ) -> Result<CreatedSlot<'_>, Error> {
        self.usable()?;
        options.check(self.server_version())?;
        let made = self.make_slot_within(name, &options).await?;
        let in_snapshot = options.snapshot == Snapshot::Use;
        Ok(CreatedSlot { connection: self, name: name.clone(), made, in_snapshot })
    }

    async fn make_slot_within(&mut self, name: &SlotName, options: &SlotOptions) -> Result<Made, Error> {
        let Some(after) = options.timeout else {
            return self.make_slot(name, options).await;
        };
        let canceller = self.canceller.clone();
        let stopped = {
            let mut making = std::pin::pin!(self.make_slot(name, options));
            match tokio::time::timeout(after, &mut making).await {
                Ok(made) => return made,
                Err(_) => tokio::time::timeout(GRACE, stop(canceller, making)).await,
            }
        };
        match stopped {
            Ok(Err(Error::Server(error))) if error.sqlstate == "57014" => {}
            Ok(made) => return made,
            Err(_) => self.give_up("creating a slot took longer than it was given").await,
        }
        Err(Error::Timeout { during: format!("creating slot \"{name}\""), after })
    }

    async fn make_slot(&mut self, name: &SlotName, options: &SlotOptions) -> Result<Made, Error> {
        self.end_transaction().await?;
        if options.snapshot == Snapshot::Use {
            // READ ONLY is demanded from 16 on, and right before.
            self.simple_query("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await?;
        }
        let command = options.command(name, self.server_version());
        match self.query_one(&command).await {
            Ok(row) => Made::read(&row),
            Err(error) => {
                // The first error is the one to tell, whatever becomes of the rollback.
                let _ = self.end_transaction().await;
                Err(error)
            }
        }
    }

    /// Drops a slot: the command `DROP_REPLICATION_SLOT`. The server is then free to remove the log that it kept.
    ///
    /// ```no_run
    /// # use walferry::{Connection, connection::InUse};
    /// # async fn example(connection: &mut Connection) -> Result<(), Box<dyn std::error::Error>> {
    /// connection.drop_slot(&"orders".parse()?, InUse::Fail).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Server`] with 42704 when there is none of that name, 55006 when somebody uses it.
    pub async fn drop_slot(&mut self, name: &SlotName, in_use: InUse) -> Result<(), Error> {
        self.end_transaction().await?;
        let wait = match in_use {
            InUse::Fail => "",
            InUse::Wait => " WAIT",
        };
        let name = quote::replication_identifier(name.as_str());
        self.simple_query(&format!("DROP_REPLICATION_SLOT {name}{wait}")).await.map(drop)
    }

    /// What the server knows of a slot; `None` when there is none of that name.
    ///
    /// ```no_run
    /// # use walferry::Connection;
    /// # async fn example(connection: &mut Connection) -> Result<(), Box<dyn std::error::Error>> {
    /// match connection.slot(&"orders".parse()?).await? {
    ///     Some(slot) => println!("acknowledged up to {:?}", slot.confirmed_flush_lsn),
    ///     None => println!("no such slot"),
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn slot(&mut self, name: &SlotName) -> Result<Option<SlotState>, Error> {
        self.end_transaction().await?;
        let newer =
            if self.server_version().major() >= 17 { "failover, invalidation_reason" } else { "false, NULL" };
        let query = format!(
            "SELECT plugin, database, active_pid, confirmed_flush_lsn, restart_lsn, wal_status, temporary, \
             two_phase, {newer} FROM pg_catalog.pg_replication_slots WHERE slot_name = '{name}'"
        );
        let rows = self.simple_query(&query).await?;
        rows.first().map(SlotState::read).transpose()
    }
}

/// Stops a command, and gives its outcome.
///
/// Closing the connection would not do: a server that waits for a transaction does not look at the socket, and would
/// keep the half-made slot as long as the transaction. Or it may be done this very moment, with a slot that stays.
async fn stop<T>(canceller: Option<Canceller>, command: impl Future<Output = T>) -> T {
    if let Some(canceller) = canceller {
        canceller.cancel().await;
    }
    command.await
}

impl SlotState {
    /// Whether somebody uses it now.
    pub fn is_active(&self) -> bool {
        self.active_pid.is_some()
    }

    fn read(row: &TextRow) -> Result<Self, Error> {
        let owned = |column| row.text(column).map(|text| text.map(str::to_owned));
        Ok(Self {
            plugin: owned(0)?,
            database: owned(1)?,
            active_pid: row.parsed(2)?,
            confirmed_flush_lsn: row.parsed(3)?,
            restart_lsn: row.parsed(4)?,
            wal_status: owned(5)?,
            temporary: row.flag(6)?,
            two_phase: row.flag(7)?,
            failover: row.flag(8)?,
            invalidation_reason: owned(9)?,
        })
    }
}

#[cfg(test)]
mod tests;
