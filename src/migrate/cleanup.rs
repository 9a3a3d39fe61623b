//! Nothing is left behind: the slot, the publication, and what was kept in the target.

use tokio_postgres::Client;

use super::Migration;
use super::lead::Lead;
use super::made::{self, Made};
use super::publication::is_published;
use super::state::{Phase, State};
use crate::connection::{Connection, InUse, sql_error};
use crate::error::Error;

/// Who follows is to give way; and then finds nothing to follow.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(60);

/// Tables in which something is kept under a name.
const KEPT: &str = "SELECT c.relname::pg_catalog.text FROM pg_catalog.pg_class c \
     JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attname = 'name' AND NOT a.attisdropped \
     WHERE c.relnamespace = pg_catalog.to_regnamespace('walferry') AND c.relkind = 'r' ORDER BY 1";

const DURING: &str = "while it cleaned up";

impl Migration {
    /// Drops what `run` made: the slot, the publication, and what was kept in the target under the migration's name. Says what
    /// that was, one by one. What somebody else has made stays.
    ///
    /// A source that a cutover has closed stays closed.
    ///
    /// # Errors
    ///
    /// [`Error::Precondition`] when somebody has the lead who doesn't give way, or a cutover has begun that is not at its end:
    /// it is gone on with, or rolled back.
    pub async fn clean_up(&self) -> Result<Vec<String>, Error> {
        let lead = Lead::take(self, PATIENCE).await?;
        let target = self.connect_target().await?;
        let client = target.client();
        self.is_not_half_cut_over(client).await?;
        let mut dropped = Vec::new();
        if self.drop_slot().await? {
            dropped.push(format!("source: the slot {}", self.slot()));
        }
        let source = self.connect_source().await?;
        // A source that is closed to writers is open to this.
        let opened = source.client().batch_execute("SET default_transaction_read_only = off").await;
        opened.map_err(|error| sql_error(DURING, error))?;
        for publication in made::made(client, self.slot(), Made::Publication).await? {
            if is_published(&source, &publication).await? {
                let sql = format!("DROP PUBLICATION IF EXISTS {}", super::identifier(&publication));
                source.client().batch_execute(&sql).await.map_err(|error| sql_error(DURING, error))?;
                dropped.push(format!("source: the publication {publication}"));
            }
        }
        forget(self, client).await?;
        dropped.push(format!("target: what was kept under the name {}", self.slot()));
        if leave(client).await? {
            dropped.push("target: the schema walferry".to_owned());
        }
        drop(lead);
        Ok(dropped)
    }

    /// What opens the source again is kept in the target, too.
    async fn is_not_half_cut_over(&self, client: &Client) -> Result<(), Error> {
        let phase = State::read(client, self.slot().as_str()).await?.map(|state| state.phase);
        if !phase.is_some_and(|phase| phase > Phase::Follow && phase < Phase::Open) {
            return Ok(());
        }
        Err(Error::Precondition {
            problem: format!(
                "the migration \"{}\" is being cut over: the source may be closed to writers",
                self.slot()
            ),
            mend: "`cutover` goes on with it, `cutover --roll-back` opens the source again; then clean up"
                .to_owned(),
        })
    }

    /// Drops the slot, if this migration made it. Whether there was one.
    pub(super) async fn drop_slot(&self) -> Result<bool, Error> {
        let target = self.connect_target().await?;
        if made::made(target.client(), self.slot(), Made::Slot).await?.is_empty() {
            return Ok(false);
        }
        let mut source = Connection::connect(self.source()).await?;
        let is_there = source.slot(self.slot()).await?.is_some();
        if is_there {
            source.drop_slot(self.slot(), InUse::Wait).await?;
        }
        made::forget(target.client(), self.slot(), Made::Slot).await?;
        source.close().await;
        Ok(is_there)
    }
}

/// Forgets everything that is kept under a migration's name.
pub(super) async fn forget(migration: &Migration, client: &Client) -> Result<(), Error> {
    let name = migration.slot().as_str();
    let refused = |error| sql_error(DURING, error);
    for row in client.query(KEPT, &[]).await.map_err(refused)? {
        let table: String = row.try_get(0).map_err(refused)?;
        let sql = format!("DELETE FROM walferry.{} WHERE name = $1", super::identifier(&table));
        client.execute(&sql, &[&name]).await.map_err(refused)?;
    }
    Ok(())
}

/// Drops the schema, when nothing is kept in it any more. Whether it did.
async fn leave(client: &Client) -> Result<bool, Error> {
    let refused = |error| sql_error(DURING, error);
    let mut tables = Vec::new();
    for row in client.query(KEPT, &[]).await.map_err(refused)? {
        let table: String = row.try_get(0).map_err(refused)?;
        let table = format!("walferry.{}", super::identifier(&table));
        let some = client.query_opt(&format!("SELECT FROM {table} LIMIT 1"), &[]).await.map_err(refused)?;
        if some.is_some() {
            return Ok(false);
        }
        tables.push(table);
    }
    if tables.is_empty() {
        return Ok(false);
    }
    // Without CASCADE: what somebody else has put there stays, and the schema with it.
    let tables = format!("DROP TABLE {}", tables.join(", "));
    client.batch_execute(&tables).await.map_err(refused)?;
    Ok(client.batch_execute("DROP SCHEMA walferry").await.is_ok())
}
