//! The stream back: what is written to the target behind the cutover, brought to the source.
//!
//! It is a migration from the target to the source, as if its copy had just been made: both sides are equal.

use super::Migration;
use super::made::{self, Made};
use super::state::{Phase, State};
use crate::Lsn;
use crate::connection::{Connection, InUse, SlotName, SlotOptions, SqlConnection, sql_error};
use crate::error::Error;
use crate::snapshot::{self, Copied, Table};

const DROP_PUBLICATION: &str = "DROP PUBLICATION IF EXISTS";

impl Migration {
    /// From the target back to the source: `run` of it follows what is written to the target, once a cutover has armed it.
    ///
    /// Its slot and publication are called as the migration's slot is, with `_reverse` behind it.
    ///
    /// # Errors
    ///
    /// [`Error::Misuse`] when that is too long for a slot's name.
    pub fn reversed(&self) -> Result<Self, Error> {
        let name = format!("{}_reverse", self.slot());
        let slot: SlotName = name.parse().map_err(|_| {
            Error::Misuse("the slot's name is too long: 55 letters, so that _reverse fits behind it")
        })?;
        Ok(Self::new(self.target().clone(), self.source().clone(), slot, name))
    }
}

/// What arming does.
pub(super) fn plan(migration: &Migration) -> String {
    let slot = migration.slot();
    format!(
        "target: a publication and a slot \"{slot}_reverse\" are made, from which `run` brings back to the source what is written"
    )
}

/// What the target has to have for it, by the doctor's ids. All else is there: the tables, the rows and the way to both sides.
const NEEDED: [&str; 7] = [
    "wal-level",
    "replication-slots",
    "wal-senders",
    "replication-connection",
    "replication-role",
    "create-right",
    "replica-identity",
];

/// Looks whether the target can send, and can be written to while it does: before anything is closed for it.
pub(super) async fn check(migration: &Migration) -> Result<(), Error> {
    let back = migration.reversed()?;
    let carried = carried(migration).await?;
    let is_carried = |subject: Option<&str>| {
        carried.iter().any(|table| {
            let name = format!("{}.{}", super::identifier(&table.schema), super::identifier(&table.table));
            subject == Some(name.as_str())
        })
    };
    let report = back.examine(&super::doctor::Options::new()).await?;
    let mut found = report.findings.iter().filter(|finding| {
        finding.severity == super::doctor::Severity::Error
            && NEEDED.contains(&finding.id)
            && (finding.id != "replica-identity" || is_carried(finding.subject.as_deref()))
    });
    found.next().map_or(Ok(()), |first| Err(first.refusal("no stream back can be armed")))
}

/// Makes the stream back, afresh: what came through an earlier one is what was applied here meanwhile.
pub(super) async fn arm(
    migration: &Migration,
    source: &SqlConnection,
    target: &SqlConnection,
) -> Result<(), Error> {
    disarm(migration, source, target).await?;
    let back = migration.reversed()?;
    let tables = carried(migration).await?;
    let (client, name) = (source.client(), back.slot());
    client.batch_execute("SET default_transaction_read_only = off").await.map_err(refused)?;
    made::prepare_made(client).await?;
    // A cutover back is to open what this one has closed.
    for before in made::made(target.client(), migration.slot(), Made::Fence).await? {
        made::record_made(client, name, Made::Closed, &before).await?;
    }
    made::record_made(client, name, Made::Publication, back.publication()).await?;
    let publication = publication(migration, source, &back, &tables).await?;
    target.client().batch_execute(&publication).await.map_err(refused)?;
    made::record_made(client, name, Made::Slot, name.as_str()).await?;
    let mut walsender = Connection::connect(migration.target()).await?;
    let lsn = walsender.create_slot(name, SlotOptions::new()).await?.consistent_point();
    walsender.close().await;
    let equal: Vec<_> = tables.into_iter().map(|table| Copied { lsn, ..table }).collect();
    snapshot::record(client, name.as_str(), &equal).await?;
    State { phase: Phase::Follow, fence: None }.write(client, name.as_str()).await
}

/// Takes it back, if it is there.
pub(super) async fn disarm(
    migration: &Migration,
    source: &SqlConnection,
    target: &SqlConnection,
) -> Result<(), Error> {
    // What can't be named was never armed.
    let Ok(back) = migration.reversed() else { return Ok(()) };
    let client = source.client();
    if made::made(client, back.slot(), Made::Publication).await?.is_empty() {
        return Ok(());
    }
    client.batch_execute("SET default_transaction_read_only = off").await.map_err(refused)?;
    let mut walsender = Connection::connect(migration.target()).await?;
    if walsender.slot(back.slot()).await?.is_some() {
        walsender.drop_slot(back.slot(), InUse::Wait).await?;
    }
    walsender.close().await;
    let drop = format!("{DROP_PUBLICATION} {}", super::identifier(back.publication()));
    target.client().batch_execute(&drop).await.map_err(refused)?;
    super::cleanup::forget(&back, client).await
}

/// What is published now, and was compared: of what was copied once, some may have been dropped or renamed on both sides.
async fn carried(migration: &Migration) -> Result<Vec<Copied>, Error> {
    let tables = migration.copying().tables().await?.into_iter();
    // Those of the target have other oids.
    let carried =
        |table: Table| Copied { schema: table.schema, table: table.name, lsn: Lsn::ZERO, relation: None };
    Ok(tables.map(carried).collect())
}

/// Of the tables that were carried over, under the names and as roots or leaves as they came.
async fn publication(
    migration: &Migration,
    source: &SqlConnection,
    back: &Migration,
    carried: &[Copied],
) -> Result<String, Error> {
    const VIA_ROOT: &str = "SELECT pubviaroot FROM pg_catalog.pg_publication WHERE pubname = $1";
    let via_root = source.client().query_opt(VIA_ROOT, &[&migration.publication()]).await;
    let via_root: Option<bool> =
        via_root.and_then(|row| row.map(|row| row.try_get(0)).transpose()).map_err(refused)?;
    let tables: Vec<_> = carried
        .iter()
        .map(|table| format!("ONLY {}.{}", super::identifier(&table.schema), super::identifier(&table.table)))
        .collect();
    let (name, via_root) = (super::identifier(back.publication()), via_root.unwrap_or_default());
    let tables = if tables.is_empty() { String::new() } else { format!(" FOR TABLE {}", tables.join(", ")) };
    Ok(format!("CREATE PUBLICATION {name}{tables} WITH (publish_via_partition_root = {via_root})"))
}

fn refused(error: tokio_postgres::Error) -> Error {
    sql_error("while it armed the stream back", error)
}
