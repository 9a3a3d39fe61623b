//! Who leads a migration: one process at a time, and the next in line.
//!
//! It is an advisory lock of the target under the slot's name. Who follows looks now and then whether somebody waits for it, and
//! gives way: to whoever verifies, for a moment, or to the cutover. A process that dies gives it up with its session.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::Migration;
use crate::connection::{SqlConnection, sql_error};
use crate::error::Error;

const LOCK: &str =
    "SELECT pg_catalog.pg_advisory_lock(pg_catalog.hashtext('walferry.lead'), pg_catalog.hashtext($1))";
const TRY: &str =
    "SELECT pg_catalog.pg_try_advisory_lock(pg_catalog.hashtext('walferry.lead'), pg_catalog.hashtext($1))";
const UNLOCK: &str =
    "SELECT pg_catalog.pg_advisory_unlock(pg_catalog.hashtext('walferry.lead'), pg_catalog.hashtext($1))";

/// The view shows the two keys as unsigned numbers, and 2 for their being two.
const WANTED: &str = "SELECT EXISTS (SELECT FROM pg_catalog.pg_locks WHERE locktype = 'advisory' AND NOT granted \
     AND objsubid = 2 AND database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()) \
     AND classid::pg_catalog.int8 = (pg_catalog.hashtext('walferry.lead')::pg_catalog.int8 & 4294967295) \
     AND objid::pg_catalog.int8 = (pg_catalog.hashtext($1)::pg_catalog.int8 & 4294967295))";

const DURING: &str = "while it took the lead of the migration";

/// Between two attempts.
const PAUSE: Duration = Duration::from_millis(200);

/// The lead, for as long as this lives.
#[derive(Debug)]
pub(super) struct Lead {
    connection: SqlConnection,
    name: String,
}

impl Lead {
    /// Waits that long for whoever has it to give way, or to die.
    pub(super) async fn take(migration: &Migration, patience: Duration) -> Result<Self, Error> {
        let lead = Self::connect(migration).await?;
        let client = lead.connection.client();
        let taken = async {
            client.batch_execute(&format!("SET lock_timeout = {}", patience.as_millis().max(1))).await?;
            client.execute(LOCK, &[&lead.name]).await?;
            client.batch_execute("SET lock_timeout = 0").await
        };
        match taken.await {
            Ok(()) => Ok(lead),
            Err(error) if error.code().is_some_and(|code| code.code() == "55P03") => {
                Err(lead.is_taken(patience))
            }
            Err(error) => Err(sql_error(DURING, error)),
        }
    }

    /// Waits that long for nobody to have it: for whoever is to follow, for whom nobody who follows has to give way.
    pub(super) async fn take_if_free(migration: &Migration, patience: Duration) -> Result<Self, Error> {
        let lead = Self::connect(migration).await?;
        let deadline = Instant::now() + patience;
        loop {
            let row = lead.connection.client().query_one(TRY, &[&lead.name]).await;
            if row.and_then(|row| row.try_get(0)).map_err(|error| sql_error(DURING, error))? {
                return Ok(lead);
            }
            if Instant::now() >= deadline {
                return Err(lead.is_taken(patience));
            }
            sleep(PAUSE).await;
        }
    }

    async fn connect(migration: &Migration) -> Result<Self, Error> {
        let connection = migration.connect_target().await?;
        for setting in ["SET idle_session_timeout = 0", "SET client_connection_check_interval = '5s'"] {
            // Not every system has the second.
            let _ = connection.client().batch_execute(setting).await;
        }
        Ok(Self { connection, name: migration.slot().as_str().to_owned() })
    }

    fn is_taken(&self, patience: Duration) -> Error {
        Error::Precondition {
            problem: format!(
                "another process leads the migration \"{}\", and has not given way in {patience:?}",
                self.name
            ),
            mend: "wait for it, or stop it: a copy doesn't give way, and only one can follow".to_owned(),
        }
    }

    /// Whether somebody waits for it.
    pub(super) async fn is_wanted(&self) -> Result<bool, Error> {
        let row = self.connection.client().query_one(WANTED, &[&self.name]).await;
        row.and_then(|row| row.try_get(0))
            .map_err(|error| sql_error("while it looked who wants the lead", error))
    }

    /// Lets the next in line have it, and waits until it comes back.
    pub(super) async fn give_way(&self) -> Result<(), Error> {
        let client = self.connection.client();
        let given = async {
            client.execute(UNLOCK, &[&self.name]).await?;
            // Who waits was given it by that; so this stands in line behind.
            client.execute(LOCK, &[&self.name]).await
        };
        given.await.map(drop).map_err(|error| sql_error(DURING, error))
    }
}
