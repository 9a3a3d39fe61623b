//! What a migration has made, kept in the target: what is dropped again, or not made twice.

use std::collections::BTreeSet;

use tokio_postgres::Client;

use crate::connection::{SlotName, make_room, sql_error};
use crate::error::Error;

const EXISTS: &str = "SELECT pg_catalog.to_regclass('walferry.made') IS NOT NULL";

const CREATE: &str = "CREATE TABLE IF NOT EXISTS walferry.made (\
     name pg_catalog.text, kind pg_catalog.text, object pg_catalog.text, \
     made_at pg_catalog.timestamptz NOT NULL DEFAULT pg_catalog.now(), PRIMARY KEY (name, kind, object)); \
     COMMENT ON TABLE walferry.made IS 'What each migration has made, here and at its source'";

const RECORD: &str =
    "INSERT INTO walferry.made (name, kind, object) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";

const FORGET: &str = "DELETE FROM walferry.made WHERE name = $1 AND kind = $2";

const READ: &str = "SELECT object FROM walferry.made WHERE name = $1 AND kind = $2";

/// What kind of thing was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Made {
    /// A replication slot of the source.
    Slot,
    /// A publication of the source.
    Publication,
    /// What stands in a schema before its rows.
    PreData,
    /// Something that is made when the rows are there.
    PostData,
    /// The setting that closes the source's database to writers. The object is what it was set to before.
    Fence,
    /// The same of the target's database: a cutover in the other direction has closed it, and the one back is to open it.
    Closed,
}

impl Made {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Slot => "slot",
            Self::Publication => "publication",
            Self::PreData => "pre-data",
            Self::PostData => "post-data",
            Self::Fence => "fence",
            Self::Closed => "closed",
        }
    }
}

/// Makes room for the records, in the target.
pub(crate) async fn prepare_made(client: &Client) -> Result<(), Error> {
    let prepared = async {
        let exists: bool = client.query_one(EXISTS, &[]).await?.try_get(0)?;
        if exists { Ok(()) } else { make_room(client, CREATE).await }
    };
    prepared.await.map_err(|error| sql_error("while making room for what the migration has made", error))
}

/// Records that this is made, or is being made by the transaction that is open. `false` if it was recorded before; waits
/// for a transaction that is recording it.
pub(crate) async fn record_made(
    client: &Client,
    migration: &SlotName,
    kind: Made,
    object: &str,
) -> Result<bool, Error> {
    let recorded = client.execute(RECORD, &[&migration.as_str(), &kind.as_str(), &object]).await;
    Ok(recorded.map_err(|error| sql_error("while recording what the migration has made", error))? == 1)
}

/// What of this kind the migration has made.
pub(crate) async fn made(
    client: &Client,
    migration: &SlotName,
    kind: Made,
) -> Result<BTreeSet<String>, Error> {
    let read = async {
        let exists: bool = client.query_one(EXISTS, &[]).await?.try_get(0)?;
        if !exists {
            return Ok(BTreeSet::new());
        }
        let rows = client.query(READ, &[&migration.as_str(), &kind.as_str()]).await?;
        rows.iter().map(|row| row.try_get(0)).collect()
    };
    read.await.map_err(|error| sql_error("while reading what the migration has made", error))
}

/// Forgets what of this kind the migration has made: it is undone.
pub(crate) async fn forget(client: &Client, migration: &SlotName, kind: Made) -> Result<(), Error> {
    let forgotten = client.execute(FORGET, &[&migration.as_str(), &kind.as_str()]).await;
    forgotten.map(drop).map_err(|error| sql_error("while forgetting what the migration has made", error))
}
