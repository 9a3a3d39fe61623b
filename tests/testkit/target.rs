//! A live server: a new storage is an empty table and no progress.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio_postgres::{Client, NoTls};
use walferry::Row;
use walferry::pgoutput::{Datum, Tuple};
use walferry::sink::postgres::PostgresSink;
use walferry::sink::testkit::{self, BoxError, Storage, Visible};

use crate::support::{self, Cluster};

/// One database for each way to apply.
pub(crate) fn database(name: &str) -> String {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    let cluster = CLUSTER.get_or_init(|| support::newest().start());
    cluster.create_database(name);
    cluster.psql(name, "CREATE TABLE testkit (id text PRIMARY KEY, body text, large text)");
    cluster.conninfo(name)
}

pub(crate) struct Target<'a> {
    conninfo: &'a str,
    gather: bool,
    is_new: AtomicBool,
    client: Option<Client>,
}

impl<'a> Target<'a> {
    pub(crate) fn new(conninfo: &'a str, gather: bool) -> Self {
        Self { conninfo, gather, is_new: AtomicBool::new(true), client: None }
    }

    async fn client(&mut self) -> Result<&Client, BoxError> {
        if self.client.is_none() {
            let (client, connection) =
                tokio_postgres::connect(&support::calmed(self.conninfo), NoTls).await?;
            tokio::spawn(connection);
            self.client = Some(client);
        }
        self.client.as_ref().ok_or_else(|| "no client".into())
    }
}

/// What the sinks of the storage before have left, and themselves.
const CLEAR: &str = "SELECT pg_terminate_backend(pid, 30000) FROM pg_stat_activity
       WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend';
     TRUNCATE testkit;
     DO $$ BEGIN IF to_regclass('walferry.progress') IS NOT NULL THEN DELETE FROM walferry.progress; END IF; END $$";

impl Storage for Target<'_> {
    type Sink = PostgresSink;

    async fn open(&mut self) -> Result<PostgresSink, BoxError> {
        if self.is_new.swap(false, Ordering::Relaxed) {
            self.client().await?.batch_execute(CLEAR).await?;
        }
        Ok(PostgresSink::new(self.conninfo.parse()?, "testkit").gather(self.gather))
    }

    async fn visible(&mut self) -> Result<Visible, BoxError> {
        let rows = self.client().await?.query("SELECT id, body, large FROM testkit", &[]).await?;
        let rows = rows.iter().map(|row| {
            let texts: [Option<&str>; 3] = [row.get(0), row.get(1), row.get(2)];
            let datums = texts.map(|text| text.map_or(Datum::Null, |text| Datum::Text(text.as_bytes())));
            Row::new(testkit::table(), Tuple::from_datums(datums)).expect("three columns")
        });
        Ok(Visible::Rows(rows.collect()))
    }
}
