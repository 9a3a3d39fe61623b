//! How far the target is, in the target: changed in the transaction that brings the changes.

use std::sync::LazyLock;

use tokio_postgres::Client;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::ToSql;

use super::error::{ApplyError, ApplyErrorKind};
use super::session::{Session, failed};
use super::statement::surely;
use crate::connection::make_room;
use crate::session::Fingerprint;
use crate::{Lsn, quote};

const EXISTS: &str = "SELECT pg_catalog.to_regclass('walferry.progress') IS NOT NULL";

const CREATE: &str = "CREATE TABLE IF NOT EXISTS walferry.progress (\
     name pg_catalog.text PRIMARY KEY, system_id pg_catalog.text NOT NULL, timeline pg_catalog.int8 NOT NULL, \
     database pg_catalog.text NOT NULL, slot pg_catalog.text NOT NULL, resume_lsn pg_catalog.pg_lsn NOT NULL, \
     updated_at pg_catalog.timestamptz NOT NULL DEFAULT pg_catalog.now()); \
     COMMENT ON TABLE walferry.progress IS 'How far each stream of changes is applied to this database'";

/// Waits for a process that was killed while its last statement runs on.
const LOCK: &str = "SET lock_timeout = '60s'";
const LOCKED: &str =
    "SELECT pg_catalog.pg_advisory_lock(pg_catalog.hashtext('walferry'), pg_catalog.hashtext($1))";
const UNLOCK: &str = "SET lock_timeout = 0";

const READ: &str = "SELECT system_id, timeline, database, slot, resume_lsn::pg_catalog.text \
     FROM walferry.progress WHERE name = $1";

const INSERT: &str = "INSERT INTO walferry.progress (name, system_id, timeline, database, slot, resume_lsn) \
     VALUES ($1, $2, $3, $4, $5, $6::pg_catalog.text::pg_catalog.pg_lsn) ON CONFLICT (name) DO NOTHING";

const REPLACE: &str = "UPDATE walferry.progress SET system_id = $2, timeline = $3, database = $4, slot = $5, \
     resume_lsn = $6::pg_catalog.text::pg_catalog.pg_lsn, updated_at = pg_catalog.now() \
     WHERE name = $1 AND resume_lsn = $7::pg_catalog.text::pg_catalog.pg_lsn";

/// Moves it: in the transaction of the changes, and only from where this sink has put it.
pub(super) static ADVANCE: LazyLock<String> = LazyLock::new(|| advance(1));

/// The same, but fails if it isn't there.
pub(super) static ADVANCE_SURELY: LazyLock<String> = LazyLock::new(|| surely(&[advance(1)]));

/// The same, with parameters numbered from `first` on: the name, where it comes to be, where it is.
pub(super) fn advance(first: usize) -> String {
    let [end, before] = [first + 1, first + 2].map(|at| format!("${at}::pg_catalog.text::pg_catalog.pg_lsn"));
    format!(
        "UPDATE walferry.progress SET resume_lsn = {end}, updated_at = pg_catalog.now() \
         WHERE name = ${first} AND resume_lsn = {before}"
    )
}

/// Makes room for it, and sees to it that nobody else uses the name.
pub(super) async fn prepare(session: &Session, name: &str) -> Result<(), ApplyError> {
    let prepared = async {
        let client = session.client();
        let exists: bool = client.query_one(EXISTS, &[]).await?.try_get(0)?;
        if !exists {
            make_room(client, CREATE).await?;
        }
        client.batch_execute(LOCK).await?;
        client.execute(LOCKED, &[&name]).await?;
        client.batch_execute(UNLOCK).await
    };
    prepared.await.map_err(|error| {
        let hint = error.code().and_then(hint);
        let error = failed("making room for the progress in the target", error);
        match hint {
            Some(hint) => error.with_hint(hint),
            None => error,
        }
    })
}

/// What to do, where there is no room.
fn hint(sqlstate: &SqlState) -> Option<&'static str> {
    match sqlstate.code() {
        "55P03" => Some("another process applies changes under the same name: stop it"),
        "42501" => Some("on the target: CREATE SCHEMA walferry AUTHORIZATION the role"),
        _ => None,
    }
}

pub(super) async fn read(session: &Session, name: &str) -> Result<Option<Fingerprint>, ApplyError> {
    let row = session.client().query_opt(READ, &[&name]).await;
    let Some(row) = row.map_err(|error| failed("reading the progress of the target", error))? else {
        return Ok(None);
    };
    let read = || {
        let (system_id, resume_lsn): (&str, &str) = (row.try_get(0).ok()?, row.try_get(4).ok()?);
        Some(Fingerprint {
            system_id: system_id.parse().ok()?,
            timeline: u32::try_from(row.try_get::<_, i64>(1).ok()?).ok()?,
            database: row.try_get(2).ok()?,
            slot: row.try_get(3).ok()?,
            resume_lsn: resume_lsn.parse().ok()?,
        })
    };
    read().map(Some).ok_or_else(|| ApplyError::new(ApplyErrorKind::ProgressUnreadable))
}

/// Makes it durable by itself.
pub(super) async fn write(
    session: &Session,
    name: &str,
    before: Option<Lsn>,
    progress: &Fingerprint,
) -> Result<(), ApplyError> {
    let (system_id, lsn) = (progress.system_id.to_string(), progress.resume_lsn.to_string());
    let (timeline, before) = (i64::from(progress.timeline), before.map(|lsn| lsn.to_string()));
    let mut parameters: Vec<&(dyn ToSql + Sync)> =
        vec![&name, &system_id, &timeline, &progress.database, &progress.slot, &lsn];
    let sql = match &before {
        Some(before) => {
            parameters.push(before);
            REPLACE
        }
        None => INSERT,
    };
    let written = async {
        session.client().batch_execute(&format!("SET synchronous_commit = {}", session.durably)).await?;
        let rows = session.client().execute(sql, &parameters).await?;
        session.client().batch_execute("SET synchronous_commit = off").await?;
        Ok(rows)
    };
    match written.await.map_err(|error| failed("writing the progress of the target", error))? {
        1 => Ok(()),
        _ => Err(ApplyError::new(ApplyErrorKind::ProgressMoved)),
    }
}

/// Makes everything durable that was committed: a commit that waits for the log waits for all that is before it there.
/// `durably` is what it has to wait for.
pub(super) async fn flush(client: &Client, durably: &str) -> Result<(), ApplyError> {
    let sql = flush_behind("", durably);
    client.batch_execute(&sql).await.map_err(|error| failed("flushing the target", error))
}

/// The same for another session: fails where the progress isn't that far. What it finds there is in the log before its commit.
pub(super) fn flush_found(name: &str, position: Lsn, durably: &str) -> String {
    let mut quoted = Vec::new();
    quote::literal(&mut quoted, name.as_bytes());
    let name = String::from_utf8_lossy(&quoted).into_owned();
    let found = format!(
        "SELECT 1 / (pg_catalog.count(*) = 1)::pg_catalog.int4 FROM walferry.progress \
         WHERE name = {name} AND resume_lsn >= '{position}'::pg_catalog.pg_lsn;"
    );
    flush_behind(&found, durably)
}

fn flush_behind(check: &str, durably: &str) -> String {
    format!(
        "BEGIN; SET LOCAL synchronous_commit = {durably}; {check} \
         SELECT pg_catalog.pg_logical_emit_message(true, 'walferry.flush', ''); COMMIT"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_there_is_no_room_is_told_what_to_do() {
        assert!(hint(&SqlState::LOCK_NOT_AVAILABLE).is_some_and(|hint| hint.contains("the same name")));
        assert!(hint(&SqlState::INSUFFICIENT_PRIVILEGE).is_some_and(|hint| hint.contains("CREATE SCHEMA")));
        assert_eq!(hint(&SqlState::DISK_FULL), None);
    }

    #[test]
    fn the_progress_is_moved_from_where_it_is_and_found_where_it_is_to_be_durable() {
        let moved = "resume_lsn = $5::pg_catalog.text::pg_catalog.pg_lsn, updated_at = pg_catalog.now() \
                     WHERE name = $4 AND resume_lsn = $6::pg_catalog.text::pg_catalog.pg_lsn";
        assert!(advance(4).ends_with(moved), "{}", advance(4));
        let found = flush_found("o'm", Lsn::new(16), "remote_apply");
        let expected =
            "FROM walferry.progress WHERE name = 'o''m' AND resume_lsn >= '0/10'::pg_catalog.pg_lsn;";
        assert!(
            found.contains(expected) && found.contains("SET LOCAL synchronous_commit = remote_apply;"),
            "{found}"
        );
    }
}
