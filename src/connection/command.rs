//! Commands and their answers, by the simple query protocol: a walsender knows no other.

use std::time::Duration;

use bytes::Bytes;
use fallible_iterator::FallibleIterator as _;
use postgres_protocol::message::backend::{DataRowBody, Message};
use tokio::time::{Instant, sleep};

use super::codec::{BackendMessage, FrontendMessage};
use super::{Connection, auth};
use crate::error::Error;
use crate::quote;
use crate::{Lsn, Oid};

/// Where the next record of the log goes; a standby writes none. And how long a commit may wait for the disk: three rounds
/// of the process that writes it, says the manual.
const INSERTED: &str = "SELECT CASE WHEN NOT pg_catalog.pg_is_in_recovery() \
     THEN pg_catalog.pg_current_wal_insert_lsn() END, \
     (SELECT 3 * setting::pg_catalog.int8 FROM pg_catalog.pg_settings WHERE name = 'wal_writer_delay')";

/// For a server that has much to do, and between two looks.
const GRACE: Duration = Duration::from_secs(1);
const PAUSE: Duration = Duration::from_millis(20);

/// One row, as text.
#[derive(Debug, Clone)]
pub(crate) struct TextRow {
    row: Bytes,
    columns: Vec<Option<std::ops::Range<usize>>>,
}

impl TextRow {
    fn read(body: &DataRowBody) -> Result<Self, Error> {
        let columns = body.ranges().collect().map_err(|_| broken("a DataRow whose lengths do not add up"))?;
        Ok(Self { row: body.buffer_bytes().clone(), columns })
    }

    /// The column's text, `None` for NULL.
    pub(crate) fn text(&self, column: usize) -> Result<Option<&str>, Error> {
        let range =
            self.columns.get(column).ok_or_else(|| broken("a row with fewer columns than were asked for"))?;
        let Some(range) = range else { return Ok(None) };
        let bytes = self.row.get(range.clone()).ok_or_else(|| broken("a column outside of its row"))?;
        std::str::from_utf8(bytes).map(Some).map_err(|_| broken("text that is not UTF-8"))
    }

    /// The column's text, which may not be NULL.
    pub(crate) fn required(&self, column: usize) -> Result<&str, Error> {
        self.text(column)?.ok_or_else(|| broken("a NULL where the server always has a value"))
    }

    /// The column's text as another type.
    pub(crate) fn parsed<T: std::str::FromStr>(&self, column: usize) -> Result<Option<T>, Error> {
        let parse =
            |text: &str| text.parse().map_err(|_| broken("a value of another form than the manual gives"));
        self.text(column)?.map(parse).transpose()
    }

    /// An oid, which may not be NULL.
    pub(crate) fn oid(&self, column: usize) -> Result<Oid, Error> {
        self.parsed(column)?.map(Oid::new).ok_or_else(|| broken("a NULL where the server always has an oid"))
    }

    /// `t` or `f`, as boolean output always is.
    pub(crate) fn flag(&self, column: usize) -> Result<bool, Error> {
        Ok(self.text(column)? == Some("t"))
    }
}

fn broken(what: &str) -> Error {
    Error::Protocol(format!("the server sent {what}"))
}

/// Which server this is, and how far it has come.
///
/// Keep system and timeline with your progress: positions of different systems cannot be compared.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SystemIdentity {
    /// Unique for each `initdb`; the same on a primary and its standbys.
    pub system_id: u64,
    /// Grows by one with each promotion.
    pub timeline: u32,
    /// How far the log is on disk here; on a standby, how far it is replayed. What has committed without waiting for the
    /// disk may lie behind it: see [`committed_position`](Connection::committed_position).
    pub wal_flushed: Lsn,
    /// The database that this connection is to.
    pub database: String,
}

impl Connection {
    /// Asks the server which it is: the command
    /// [`IDENTIFY_SYSTEM`](https://www.postgresql.org/docs/current/protocol-replication.html).
    ///
    /// ```no_run
    /// # async fn example(connection: &mut walferry::Connection) -> Result<(), walferry::Error> {
    /// let identity = connection.identify_system().await?;
    /// println!("system {} is at {}", identity.system_id, identity.wal_flushed);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn identify_system(&mut self) -> Result<SystemIdentity, Error> {
        self.end_transaction().await?;
        let row = self.query_one("IDENTIFY_SYSTEM").await?;
        let missing = || broken("an IDENTIFY_SYSTEM row with a NULL");
        Ok(SystemIdentity {
            system_id: row.parsed(0)?.ok_or_else(missing)?,
            timeline: row.parsed(1)?.ok_or_else(missing)?,
            wal_flushed: row.parsed(2)?.ok_or_else(missing)?,
            database: row.required(3)?.to_owned(),
        })
    }

    /// Where the log ends on disk, once all that has committed by now is there: a position to
    /// [stop at](crate::ReplicationStream::stop_at) behind it.
    ///
    /// What committed with `synchronous_commit = off` is seen by everyone, but reaches the disk up to three times
    /// [`wal_writer_delay`](https://www.postgresql.org/docs/current/wal-async-commit.html) later, and a stream only from
    /// there: [`identify_system`](Self::identify_system) says what is on disk at that moment, this waits. On a standby
    /// it is how far that has replayed.
    ///
    /// ```no_run
    /// # async fn example(connection: &mut walferry::Connection) -> Result<(), walferry::Error> {
    /// let now = connection.committed_position().await?;
    /// println!("everything that was committed lies before {now}");
    /// # Ok(())
    /// # }
    /// ```
    pub async fn committed_position(&mut self) -> Result<Lsn, Error> {
        self.end_transaction().await?;
        let row = self.query_one(INSERTED).await?;
        let inserted: Option<Lsn> = row.parsed(0)?;
        let delay = row.parsed(1)?.map_or(Duration::ZERO, Duration::from_millis);
        // Where nothing is missing, the next record's place may still be the further one: behind the header of a page
        // that isn't begun.
        let deadline = Instant::now() + delay + GRACE;
        loop {
            let flushed = self.identify_system().await?.wal_flushed;
            if inserted.is_none_or(|inserted| flushed >= inserted) || Instant::now() >= deadline {
                return Ok(flushed);
            }
            sleep(PAUSE).await;
        }
    }

    /// The value of a server setting, as `SHOW` prints it.
    ///
    /// ```no_run
    /// # async fn example(connection: &mut walferry::Connection) -> Result<(), walferry::Error> {
    /// assert_eq!(connection.show("wal_level").await?, "logical");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Server`] with SQLSTATE 42704 when there is no such setting.
    pub async fn show(&mut self, setting: &str) -> Result<String, Error> {
        self.end_transaction().await?;
        // A setting of an extension has a dot in it, and each side is an identifier of its own.
        let quoted: Vec<_> = setting.split('.').map(quote::replication_identifier).collect();
        let row = self.query_one(&format!("SHOW {}", quoted.join("."))).await?;
        Ok(row.required(0)?.to_owned())
    }

    /// Runs a replication command or SQL and gives its rows, all statements' together.
    ///
    /// After a server's error the connection is ready again. When the future is dropped before its end, answers to
    /// it are still to come, and the connection is of no more use.
    pub(crate) async fn simple_query(&mut self, query: &str) -> Result<Vec<TextRow>, Error> {
        self.usable()?;
        self.unusable = Some("a call on it was not waited for");
        let answered = self.exchange(query).await;
        if self.unusable.is_some() {
            self.unusable = Some("a call on it failed");
        }
        answered
    }

    /// A query with exactly one row.
    pub(crate) async fn query_one(&mut self, query: &str) -> Result<TextRow, Error> {
        let mut rows = self.simple_query(query).await?;
        match (rows.pop(), rows.is_empty()) {
            (Some(row), true) => Ok(row),
            _ => Err(broken("another number of rows than one")),
        }
    }

    async fn exchange(&mut self, query: &str) -> Result<Vec<TextRow>, Error> {
        self.transport.send(FrontendMessage::Query(query)).await?;
        let mut rows = Vec::new();
        let mut refused = None;
        loop {
            let message = match self.transport.message().await {
                Ok(BackendMessage::Other(message)) => message,
                Ok(other) => return Err(auth::unexpected("the answer to a query", &other)),
                // A server that is about to hang up says why: that is the error, not that it then did.
                Err(closed) => return Err(refused.unwrap_or(closed)),
            };
            match message {
                Message::DataRow(body) => rows.push(TextRow::read(&body)?),
                Message::ErrorResponse(body) => refused = Some(auth::refusal(&body)),
                Message::ParameterStatus(body) => self.session.note(&body)?,
                Message::ReadyForQuery(body) => {
                    self.transaction = Transaction::read(body.status())?;
                    self.unusable = None;
                    return refused.map_or(Ok(rows), Err);
                }
                Message::RowDescription(_)
                | Message::CommandComplete(_)
                | Message::EmptyQueryResponse
                | Message::NoticeResponse(_)
                | Message::NotificationResponse(_) => {}
                other => {
                    return Err(auth::unexpected("the answer to a query", &BackendMessage::Other(other)));
                }
            }
        }
    }

    /// Ends the transaction that a slot with [`Snapshot::Use`](super::Snapshot::Use) left open, if it did.
    pub(crate) async fn end_transaction(&mut self) -> Result<(), Error> {
        match self.transaction {
            Transaction::None => Ok(()),
            Transaction::Open => self.simple_query("COMMIT").await.map(drop),
            Transaction::Failed => self.simple_query("ROLLBACK").await.map(drop),
        }
    }
}

/// What `ReadyForQuery` says of the session: complete by protocol definition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Transaction {
    None,
    Open,
    Failed,
}

impl Transaction {
    fn read(status: u8) -> Result<Self, Error> {
        match status {
            b'I' => Ok(Self::None),
            b'T' => Ok(Self::Open),
            b'E' => Ok(Self::Failed),
            _ => Err(broken("a ReadyForQuery with an unknown status")),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
