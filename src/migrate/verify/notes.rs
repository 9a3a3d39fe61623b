//! What a comparison has found equal, kept in the target until it is whole: where one that was interrupted goes on.

use super::report::{Proven, TableReport};
use crate::Lsn;
use crate::connection::{SqlConnection, make_room, sql_error};
use crate::error::Error;
use crate::migrate::Migration;

const CREATE: &str = "CREATE TABLE IF NOT EXISTS walferry.verified (\
     name pg_catalog.text, schema pg_catalog.text, \"table\" pg_catalog.text, lsn pg_catalog.pg_lsn NOT NULL, \
     PRIMARY KEY (name, schema, \"table\")); \
     COMMENT ON TABLE walferry.verified IS 'What a comparison that is not whole yet has found equal'";

const READ: &str = "SELECT schema, \"table\", lsn::pg_catalog.text FROM walferry.verified WHERE name = $1";

const ADD: &str = "INSERT INTO walferry.verified (name, schema, \"table\", lsn) \
     VALUES ($1, $2, $3, $4::pg_catalog.text::pg_catalog.pg_lsn) \
     ON CONFLICT (name, schema, \"table\") DO UPDATE SET lsn = EXCLUDED.lsn";

const FORGET: &str = "DELETE FROM walferry.verified WHERE name = $1";

/// Opened for each note: there is one for each table, and hours may lie in between.
pub(super) struct Notes<'a> {
    migration: &'a Migration,
}

impl<'a> Notes<'a> {
    pub(super) fn of(migration: &'a Migration) -> Self {
        Self { migration }
    }

    pub(super) async fn read(&self) -> Result<Vec<Proven>, Error> {
        let target = self.open().await?;
        let read = async {
            let rows = target.client().query(READ, &[&self.name()]).await?;
            rows.iter()
                .map(|row| Ok((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?)))
                .collect::<Result<Vec<(String, String, String)>, _>>()
        };
        let found = read.await.map_err(refused)?;
        // What isn't a position is nothing that was proven.
        let proven = found.into_iter().filter_map(|(schema, table, lsn)| {
            let lsn = lsn.parse().ok()?;
            Some(Proven { schema, table, lsn })
        });
        Ok(proven.collect())
    }

    /// Makes room for them, before there are any: several may be added at once.
    pub(super) async fn prepare(&self) -> Result<(), Error> {
        make_room(self.open().await?.client(), CREATE).await.map_err(refused)
    }

    pub(super) async fn add(&self, table: &TableReport, lsn: Lsn) -> Result<(), Error> {
        let target = self.open().await?;
        let (schema, table, lsn) = (&table.schema, &table.table, lsn.to_string());
        let added = target.client().execute(ADD, &[&self.name(), schema, table, &lsn]).await;
        added.map(drop).map_err(refused)
    }

    pub(super) async fn forget(&self) -> Result<(), Error> {
        let target = self.open().await?;
        let forgotten = target.client().execute(FORGET, &[&self.name()]).await;
        forgotten.map(drop).map_err(refused)
    }

    async fn open(&self) -> Result<SqlConnection, Error> {
        Box::pin(self.migration.connect_target()).await
    }

    fn name(&self) -> &str {
        self.migration.slot().as_str()
    }
}

fn refused(error: tokio_postgres::Error) -> Error {
    sql_error("while it noted which tables are equal", error)
}
