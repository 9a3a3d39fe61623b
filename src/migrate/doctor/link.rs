//! What no query can see: the way to the servers, and whether tables hold rows.

use super::check::{Check, Found, Look};
use super::look::Examiner;
use super::report::Severity::{Error, Warning};
use super::report::Side::{self, Source, Target};
use super::tables::TABLES;
use crate::connection::Connection;
use crate::error;
use crate::quote;

/// See [`CHECKS`].
#[derive(Debug, Clone, Copy)]
pub(super) enum Probe {
    Replication,
    Pooler(Side),
    Rows,
}

const POOLED: &str = "the session is not the server's own: a pooler stands in between. What a migration sets for its sessions, and the \
     snapshot of its copy, may not outlive a transaction there, and replication may not pass at all";

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "replication-connection",
        severity: Error,
        side: Source,
        since: 14,
        look: Look::Probe(Probe::Replication),
        subject: "",
        reason: "no replication connection can be made: {error}",
        mend: "-- {hint}",
    },
    Check {
        id: "source-pooler",
        severity: Warning,
        side: Source,
        since: 14,
        look: Look::Probe(Probe::Pooler(Source)),
        subject: "",
        reason: POOLED,
        mend: "-- give the address of the server itself",
    },
    Check {
        id: "target-pooler",
        severity: Warning,
        side: Target,
        since: 14,
        look: Look::Probe(Probe::Pooler(Target)),
        subject: "",
        reason: POOLED,
        mend: "-- give the address of the server itself",
    },
    Check {
        id: "target-rows",
        severity: Error,
        side: Target,
        since: 14,
        look: Look::Probe(Probe::Rows),
        subject: "{schema:i}.{name:i}",
        reason: "it holds rows that this migration did not bring: the copy would meet them",
        mend: "TRUNCATE {schema:i}.{name:i}; -- if the rows are of no use",
    },
];

pub(super) async fn probe(probe: Probe, examiner: &mut Examiner<'_>) -> Result<Vec<Found>, error::Error> {
    match probe {
        Probe::Replication => Ok(replication(examiner).await),
        Probe::Pooler(side) => pooler(examiner, side).await,
        Probe::Rows => rows(examiner).await,
    }
}

async fn replication(examiner: &Examiner<'_>) -> Vec<Found> {
    match Connection::connect(examiner.migration.source()).await {
        Ok(connection) => {
            connection.close().await;
            Vec::new()
        }
        Err(error) => {
            let hint = error.hint().unwrap_or("see the server's log");
            vec![row([("error", error.to_string()), ("hint", hint.to_owned())])]
        }
    }
}

/// A pooler gives its clients keys of its own: the process that it names is not the one that works for us.
async fn pooler(examiner: &Examiner<'_>, side: Side) -> Result<Vec<Found>, error::Error> {
    let session = examiner.session(side);
    let worker = session.found("SELECT pg_backend_pid()::text AS pid", &examiner.given, "").await?;
    let worker = worker.first().and_then(|row| row.get("pid").cloned().flatten());
    let named = session.process_id().map(|pid| pid.to_string());
    Ok(if worker == named { Vec::new() } else { vec![Found::new()] })
}

/// Tables with at least a page, of those that the role may look into: of the others, checks of rights tell.
const FILLED: &str = "SELECT r.schema, r.name FROM other JOIN relations r USING (schema, name)
     WHERE r.relkind IN ('r', 'p') AND has_schema_privilege(r.relnamespace, 'USAGE')
       AND has_table_privilege(r.oid, 'SELECT') AND NOT row_security_active(r.oid) AND EXISTS (
       SELECT FROM (SELECT r.oid UNION SELECT relid FROM pg_partition_tree(r.oid)) t WHERE pg_relation_size(t.oid) > 0)
     ORDER BY r.schema, r.name";

/// What this migration's copy has begun to bring.
const COPIED: (&str, &str) =
    ("copy", "SELECT c.schema, c.relation AS name FROM given, walferry.copy c WHERE c.name = given.slot");
/// Once it has applied changes, all is its own.
const APPLIED: (&str, &str) =
    ("progress", "SELECT FROM given, walferry.progress p WHERE p.name = given.slot");

async fn rows(examiner: &mut Examiner<'_>) -> Result<Vec<Found>, error::Error> {
    if !recorded(examiner, APPLIED).await?.is_empty() {
        return Ok(Vec::new());
    }
    let mut tables = examiner.across(Target, &TABLES, FILLED).await?;
    let own = recorded(examiner, COPIED).await?;
    tables.retain(|table| !own.contains(table));
    let mut found = Vec::new();
    for table in tables {
        let query = format!("SELECT FROM {} LIMIT 1", quoted(&table));
        if !examiner.session(Target).found(&query, &examiner.given, "").await?.is_empty() {
            found.push(table);
        }
    }
    Ok(found)
}

/// What the query says of a table of ours, if that is there.
async fn recorded(examiner: &Examiner<'_>, (table, query): (&str, &str)) -> Result<Vec<Found>, error::Error> {
    let session = examiner.session(Target);
    let there = format!("SELECT FROM relations WHERE schema = 'walferry' AND name = '{table}'");
    if session.found(&there, &examiner.given, "").await?.is_empty() {
        return Ok(Vec::new());
    }
    session.found(query, &examiner.given, "").await
}

fn quoted(table: &Found) -> String {
    let mut out = Vec::new();
    for (column, end) in [("schema", "."), ("name", "")] {
        quote::identifier(&mut out, table.get(column).and_then(Option::as_deref).unwrap_or_default());
        out.extend_from_slice(end.as_bytes());
    }
    String::from_utf8_lossy(&out).into_owned()
}

fn row<const N: usize>(columns: [(&str, String); N]) -> Found {
    columns.map(|(name, value)| (name.to_owned(), Some(value))).into()
}
