//! The statements of an archive, in transactions that record what they have made.

use std::num::NonZeroUsize;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio_postgres::Client;

use super::Applied;
use super::archive::{Archive, Item, Section};
use super::plan::Plan;
use crate::connection::{SlotName, SqlConnection, sql_error};
use crate::error::Error;
use crate::migrate::Migration;
use crate::migrate::made::{Made, prepare_made, record_made};

const APPLYING: &str = "while making the schema";

/// What tells one definition from another of the same name.
const DIGEST: &str =
    "SELECT pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to($1::pg_catalog.text, 'UTF8')), 'hex')";

/// Whether it was made now.
pub(super) async fn pre_data(migration: &Migration, archive: &Archive) -> Result<bool, Error> {
    let session = migration.connect_target().await?;
    prepare_made(session.client()).await?;
    let script = archive.section(Section::PreData).await?;
    let made = make(session.client(), migration.slot(), (Made::PreData, "all"), &script).await;
    made.map_err(|error| refused("the tables of the source", error))
}

pub(super) async fn post_data(
    migration: &Migration,
    archive: &Archive,
    items: Vec<Item>,
    jobs: NonZeroUsize,
) -> Result<Applied, Error> {
    let mut idle = Vec::new();
    for _ in 0..jobs.get().min(items.len()) {
        idle.push(migration.connect_target().await?);
    }
    if let Some(session) = idle.first() {
        prepare_made(session.client()).await?;
    }
    let (mut plan, mut applied, mut failure) = (Plan::new(items), Applied::default(), None);
    let mut running = FuturesUnordered::new();
    loop {
        while failure.is_none() && !idle.is_empty() {
            let Some(item) = plan.next() else { break };
            running.extend(idle.pop().map(|session| one(migration.slot(), archive, session, item)));
        }
        let Some((session, id, made)) = running.next().await else { break };
        plan.finish(id);
        idle.push(session);
        match made {
            Ok(true) => applied.made += 1,
            Ok(false) => applied.already += 1,
            // The first is the cause; others may follow from it.
            Err(error) => failure = failure.or(Some(error)),
        }
    }
    failure.map_or(Ok(applied), Err)
}

async fn one(
    slot: &SlotName,
    archive: &Archive,
    session: SqlConnection,
    item: Item,
) -> (SqlConnection, u32, Result<bool, Error>) {
    let made = async {
        let script = archive.item(&item).await?;
        let digest = session.client().query_one(DIGEST, &[&script]).await;
        let digest: Result<String, _> = digest.and_then(|row| row.try_get(0));
        let digest = digest.map_err(|error| sql_error(APPLYING, error))?;
        // A key of an index has an end.
        let label: String = item.label.chars().take(200).collect();
        let object = format!("{label} {digest}");
        make(session.client(), slot, (Made::PostData, &object), &script).await
    };
    let made = made.await.map_err(|error| refused(&item.label, error));
    (session, item.id, made)
}

/// Runs the statements in one transaction, if no transaction before has.
async fn make(
    client: &Client,
    slot: &SlotName,
    (kind, object): (Made, &str),
    script: &str,
) -> Result<bool, Error> {
    let run = async |sql: &str| client.batch_execute(sql).await.map_err(|error| sql_error(APPLYING, error));
    run("BEGIN").await?;
    if !record_made(client, slot, kind, object).await? {
        run("ROLLBACK").await?;
        return Ok(false);
    }
    run(script).await?;
    run("COMMIT").await?;
    Ok(true)
}

/// What the server will refuse again, until somebody changes something.
fn refused(what: &str, error: Error) -> Error {
    if error.is_retryable() || error.sqlstate().is_none() {
        return error;
    }
    let mend = match error.sqlstate() {
        Some("42P07" | "42710" | "42P06" | "42723") => {
            "the target has it, but not from this migration: drop it, or rename it"
        }
        Some("42704" | "0A000" | "58P01") => {
            "make or install at the target what it lacks: a role, a tablespace, an extension"
        }
        Some("42501") => {
            "give the target's role the right, or leave out what it may not do: owners, privileges, tablespaces"
        }
        Some("23505" | "23503" | "23514" | "23P01") => {
            "the target's rows are not the source's: compare them, and mend the target"
        }
        _ => "mend the target, and do it again: what was made stays",
    };
    Error::Precondition {
        problem: format!("{what} can't be made at the target: {error}"),
        mend: mend.to_owned(),
    }
}
