//! Sessions of one side, all of them in the same snapshot.

use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio_postgres::{Client, SimpleQueryMessage, SimpleQueryRow, SimpleQueryStream};

use super::merge::unreadable;
use super::statement::literal;
use super::{Side, Snapshots};
use crate::connection::{Config, SqlConnection, sql_error};
use crate::error::Error;
use crate::{Lsn, trace};

/// What the statements rely on. The sums of as many classes as there can be fit into that memory; to compile a
/// statement takes longer than it saves.
const SETTINGS: &str =
    "SET row_security = off; SET idle_session_timeout = 0; SET jit = off; SET work_mem = '16MB'";

/// How long to wait before a lost session is replaced, the first time, the second, and so on.
const WAITS: [Duration; 4] =
    [Duration::from_millis(50), Duration::from_millis(500), Duration::from_secs(2), Duration::from_secs(5)];

/// Why a table was not compared.
#[derive(Debug)]
pub(super) enum Failure {
    /// It is not any more what it was in the snapshot.
    Changed(Side),
    /// What was read of it first was not what was read of it then.
    Unsteady,
    /// Nothing can be compared.
    Error(Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

impl Failure {
    /// For what is no table.
    pub(super) fn into_error(self) -> Error {
        match self {
            Self::Error(error) => error,
            Self::Changed(_) | Self::Unsteady => unreadable(),
        }
    }
}

/// Tries again what a lost session has kept from being done. A lost snapshot is no such thing.
pub(super) async fn persistently<T, F>(attempt: impl Fn() -> F) -> Result<T, Failure>
where
    F: Future<Output = Result<T, Failure>>,
{
    for wait in WAITS {
        match attempt().await {
            Err(Failure::Error(error)) if error.is_retryable() => {
                trace::warn!(error = %error.with_causes(), "a session is lost while tables are compared");
                drop(error);
                tokio::time::sleep(wait).await;
            }
            done => return done,
        }
    }
    attempt().await
}

/// As many sessions as were asked for, each opened when it is first needed.
#[derive(Debug)]
pub(super) struct Sessions<'a> {
    side: Side,
    config: &'a Config,
    lsn: Lsn,
    /// What begins a transaction.
    begin: String,
    /// In percent of the time.
    throttle: u8,
    idle: Mutex<Vec<SqlConnection>>,
    places: Semaphore,
}

impl<'a> Sessions<'a> {
    pub(super) fn new(side: Side, config: &'a Config, at: &Snapshots, jobs: usize, throttle: u8) -> Self {
        let snapshot = match side {
            Side::Source => &at.source,
            Side::Target => &at.target,
        };
        let begin = format!(
            "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET TRANSACTION SNAPSHOT {}",
            literal(snapshot)
        );
        let (idle, places) = (Mutex::default(), Semaphore::new(jobs));
        Self { side, config, lsn: at.lsn, begin, throttle, idle, places }
    }

    /// A session in a transaction that sees the snapshot. One that isn't [ended](Lease::end) is closed.
    pub(super) async fn begin(&self) -> Result<Lease<'_>, Failure> {
        let place = self.places.acquire().await;
        let place = place.map_err(|_| Error::Unusable { because: "its sessions are closed" })?;
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let connection = match idle {
            Some(connection) => connection,
            None => self.open().await?,
        };
        connection.client().batch_execute(&self.begin).await.map_err(|error| self.lost(error))?;
        Ok(Lease { sessions: self, connection, since: Instant::now(), _place: place })
    }

    async fn open(&self) -> Result<SqlConnection, Error> {
        let connection = Box::pin(SqlConnection::connect(self.config)).await?;
        let client = connection.client();
        let set = client.batch_execute(SETTINGS).await;
        set.map_err(|error| sql_error("while preparing a session that compares tables", error))?;
        // Not every system and version has these. A session whose client is gone is to end, whatever it waits for.
        for setting in ["SET client_connection_check_interval = '5s'", "SET transaction_timeout = 0"] {
            let _ = client.batch_execute(setting).await;
        }
        Ok(connection)
    }

    /// What it means that no transaction with the snapshot begins. Servers have had three codes for its being gone.
    fn lost(&self, error: tokio_postgres::Error) -> Error {
        let code = error.code().map(tokio_postgres::error::SqlState::code);
        if !matches!(code, Some("22023" | "42704" | "55000")) {
            return sql_error("while taking up a snapshot", error);
        }
        let (side, lsn) = (self.side, self.lsn);
        Error::Precondition {
            problem: format!(
                "the snapshot of the {side} at {lsn} is gone: the session that held it has ended"
            ),
            mend: "compare again, at a new position; what it has noted as equal can be left out".to_owned(),
        }
    }

    /// What it means that a table can't be read.
    fn refused(&self, error: tokio_postgres::Error) -> Failure {
        match error.code().map(tokio_postgres::error::SqlState::code) {
            // No such schema, table or column: it was there when the snapshot was made.
            Some("3F000" | "42P01" | "42703") => Failure::Changed(self.side),
            Some("42501") => {
                let said =
                    error.as_db_error().map(|refusal| refusal.message().to_owned()).unwrap_or_default();
                Failure::Error(Error::Precondition {
                    problem: format!("the {} lets the role not read everything: {said}", self.side),
                    mend: "GRANT SELECT to the role; where tables have row security, it needs BYPASSRLS"
                        .to_owned(),
                })
            }
            _ => Failure::Error(sql_error("while comparing tables", error)),
        }
    }
}

/// A session that is at work, in a transaction.
#[derive(Debug)]
pub(super) struct Lease<'a> {
    sessions: &'a Sessions<'a>,
    connection: SqlConnection,
    since: Instant,
    _place: SemaphorePermit<'a>,
}

impl Lease<'_> {
    pub(super) fn client(&self) -> &Client {
        self.connection.client()
    }

    /// The rows that a statement gives.
    pub(super) async fn rows(&self, sql: &str) -> Result<Rows<'_>, Failure> {
        let stream = self.client().simple_query_raw(sql).await;
        let stream = stream.map_err(|error| self.sessions.refused(error))?;
        Ok(Rows { sessions: self.sessions, stream: Box::pin(stream) })
    }

    /// Ends the transaction, and rests. `check` is a statement that must give true before.
    pub(super) async fn end(self, check: &str) -> Result<(), Failure> {
        let mut answer = self.rows(&format!("{check}; COMMIT")).await?;
        let mut holds = false;
        while let Some(row) = answer.next().await? {
            holds = row.try_get(0).ok().flatten() == Some("t");
        }
        drop(answer);
        let percent = u32::from(self.sessions.throttle).max(1);
        let rest = self.since.elapsed() * 100_u32.saturating_sub(percent) / percent;
        if !rest.is_zero() {
            tokio::time::sleep(rest).await;
        }
        let Self { sessions, connection, .. } = self;
        sessions.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
        if holds { Ok(()) } else { Err(Failure::Changed(sessions.side)) }
    }
}

/// What a statement gives, row by row: no more than the socket holds is in memory.
pub(super) struct Rows<'a> {
    sessions: &'a Sessions<'a>,
    stream: Pin<Box<SimpleQueryStream>>,
}

impl Rows<'_> {
    pub(super) async fn next(&mut self) -> Result<Option<SimpleQueryRow>, Failure> {
        while let Some(message) = self.stream.next().await {
            if let SimpleQueryMessage::Row(row) = message.map_err(|error| self.sessions.refused(error))? {
                return Ok(Some(row));
            }
        }
        Ok(None)
    }
}
