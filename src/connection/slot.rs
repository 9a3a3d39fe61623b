//! Replication slots: made, looked at, dropped.

mod name;
mod options;

use std::time::Duration;

use super::Connection;
use super::command::TextRow;
use super::route::Canceller;
use super::version::ServerVersion;
use crate::error::Error;
use crate::{Lsn, quote};

pub use self::name::{SlotName, SlotNameError};
pub use self::options::{SlotOptions, Snapshot};

/// How long a server may take to stop when it is told to.
const GRACE: Duration = Duration::from_secs(5);

/// A server that waits for a transaction looks whether its client is still there: else it would keep the half-made slot of
/// one that is gone, and its log, as long as the transaction lasts. The second statement begins the looking.
const LOOK_AT_CLIENT: &str = "SET client_connection_check_interval = '2s'; SELECT 1";

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
        // Not every system has the setting.
        let _ = self.simple_query(LOOK_AT_CLIENT).await;
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
/// Closing the connection would not do: the server notices only a while later, if it looks at all. Or it may be done this very
/// moment, with a slot that stays.
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
