//! The fence: behind it, nobody writes to the source.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::{Instant, sleep};
use tokio_postgres::Client;

use super::Migration;
use crate::Lsn;
use crate::connection::{SqlConnection, sql_error};
use crate::error::Error;

/// How long sessions may take to end that were told to.
const PATIENCE: Duration = Duration::from_secs(30);

const PAUSE: Duration = Duration::from_millis(100);

/// What the database itself is set to, for all roles.
const SETTING: &str = "SELECT pg_catalog.substring(setting, 'default_transaction_read_only=(.*)') \
     FROM pg_catalog.pg_db_role_setting, pg_catalog.unnest(setconfig) setting \
     WHERE setrole = 0 AND setdatabase = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()) \
     AND setting LIKE 'default\\_transaction\\_read\\_only=%'";

/// Sessions that began before the database was closed may write whatever they like.
const END_WRITERS: &str = "SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity \
     WHERE datname = pg_catalog.current_database() AND pid <> pg_catalog.pg_backend_pid() \
     AND backend_type = 'client backend' AND backend_start < $1::pg_catalog.text::pg_catalog.timestamptz";

/// Sessions that are about to begin: they may have read how the database is set, and aren't among those that have begun. Until
/// they are, each holds this lock of the database (`InitPostgres` of the server).
const STARTING: &str = "SELECT pid || ' ' || virtualtransaction FROM pg_catalog.pg_locks \
     WHERE locktype = 'object' AND classid = 'pg_catalog.pg_database'::pg_catalog.regclass \
     AND objid = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()) \
     AND mode = 'RowExclusiveLock' AND granted AND pid <> pg_catalog.pg_backend_pid()";

const END: &str = "SELECT pg_catalog.pg_current_wal_flush_lsn()::pg_catalog.text";

/// Transactions that didn't wait for the log may not be on disk: this one waits, and comes behind them.
const FLUSH: &str = "SET default_transaction_read_only = off; SET synchronous_commit = local; \
     SELECT pg_catalog.pg_logical_emit_message(true, 'walferry.fence', '')";

const DURING: &str = "while it closed the source to writers";

/// How the source's database was set before; as the record of the fence has it.
pub(super) async fn setting(client: &Client) -> Result<Option<String>, Error> {
    let row = client.query_opt(SETTING, &[]).await;
    let setting = row.and_then(|row| row.map(|row| row.try_get(0)).transpose());
    setting.map_err(|error| sql_error("while it looked how the source is set", error))
}

/// What closes the database, or opens it again.
pub(super) async fn statement(client: &Client, value: Option<&str>) -> Result<String, Error> {
    let row = client.query_one("SELECT pg_catalog.current_database()::pg_catalog.text", &[]).await;
    let name: String = row.and_then(|row| row.try_get(0)).map_err(|error| sql_error(DURING, error))?;
    let name = super::identifier(&name);
    Ok(match value {
        Some("on") => format!("ALTER DATABASE {name} SET default_transaction_read_only = on"),
        Some("off") => format!("ALTER DATABASE {name} SET default_transaction_read_only = off"),
        _ => format!("ALTER DATABASE {name} RESET default_transaction_read_only"),
    })
}

/// Ends all sessions that began before the database was closed, those among them that nobody sees yet.
async fn end_writers(client: &Client) -> Result<(), Error> {
    let refused = |error| sql_error(DURING, error);
    let row = client.query_one("SELECT pg_catalog.clock_timestamp()::pg_catalog.text", &[]).await;
    let closed: String = row.and_then(|row| row.try_get(0)).map_err(refused)?;
    let deadline = Instant::now() + PATIENCE;
    let mut unseen = starting(client).await.map_err(refused)?;
    loop {
        // Looked for in this order: who isn't starting any more, is seen.
        let still = starting(client).await.map_err(refused)?;
        unseen.retain(|session| still.contains(session));
        let ended = client.query(END_WRITERS, &[&closed]).await.map_err(refused)?;
        if unseen.is_empty() && ended.is_empty() {
            return Ok(());
        }
        if Instant::now() > deadline {
            return Err(Error::Precondition {
                problem: format!("sessions of the source that may write have not ended in {PATIENCE:?}"),
                mend: "look who they are in pg_stat_activity, and end them; then the same command again"
                    .to_owned(),
            });
        }
        sleep(PAUSE).await;
    }
}

async fn starting(client: &Client) -> Result<BTreeSet<String>, tokio_postgres::Error> {
    client.query(STARTING, &[]).await?.iter().map(|row| row.try_get(0)).collect()
}

impl Migration {
    /// Closes the source: sessions that begin from now on are read-only, if they don't insist, and those before are ended. Gives
    /// the position behind everything that they wrote.
    ///
    /// Who insists on writing all the same, is found by what comes through the slot behind that position.
    pub(super) async fn close_source(&self, source: &SqlConnection) -> Result<Lsn, Error> {
        let client = source.client();
        let refused = |error| sql_error(DURING, error);
        // This session changes the catalogue itself.
        client.batch_execute("SET default_transaction_read_only = off").await.map_err(refused)?;
        self.nobody_passes_the_fence().await?;
        client.batch_execute(&statement(client, Some("on")).await?).await.map_err(refused)?;
        end_writers(client).await?;
        self.nobody_passes_the_fence().await?;
        self.source_end_flushed(source).await
    }

    /// Behind everything that is on the source's disk.
    pub(super) async fn source_end(&self, source: &SqlConnection) -> Result<Lsn, Error> {
        let row = source.client().query_one(END, &[]).await;
        let text: String = row
            .and_then(|row| row.try_get(0))
            .map_err(|error| sql_error("while it asked how far the source is", error))?;
        text.parse().map_err(|_| Error::Protocol("a position that is none".to_owned()))
    }

    /// Behind everything that the source has written: what isn't on its disk is brought there.
    pub(super) async fn source_end_flushed(&self, source: &SqlConnection) -> Result<Lsn, Error> {
        let flushed = source.client().batch_execute(FLUSH).await;
        flushed.map_err(|error| sql_error("while it flushed the source's log", error))?;
        self.source_end(source).await
    }
}

/// Opens a database again, as it was before.
pub(super) async fn reopen(closed: &SqlConnection, before: Option<&str>) -> Result<(), Error> {
    let client = closed.client();
    let refused = |error| sql_error("while it opened the database again", error);
    client.batch_execute("SET default_transaction_read_only = off").await.map_err(refused)?;
    client.batch_execute(&statement(client, before).await?).await.map_err(refused)
}
