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

pub(super) async fn probe(probe: Probe, examiner: &Examiner<'_>) -> Result<Vec<Found>, error::Error> {
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

/// Tables with at least a page. What the ledger of this migration knows is its own, and so is all once changes are applied.
const FILLED: &str = "SELECT r.schema, r.name FROM other JOIN relations r USING (schema, name)
     WHERE r.relkind IN ('r', 'p') AND EXISTS (
       SELECT FROM (SELECT r.oid UNION SELECT relid FROM pg_partition_tree(r.oid)) t WHERE pg_relation_size(t.oid) > 0)
     ORDER BY r.schema, r.name";

/// Tables of ours that say, by `name`, what a migration has begun to bring.
const LEDGERS: &str = "SELECT r.name FROM relations r JOIN pg_attribute a ON a.attrelid = r.oid AND a.attname = 'name'
     WHERE r.schema = 'walferry' AND r.relkind = 'r' AND (r.name = 'progress' OR starts_with(r.name, 'copy'))";

async fn rows(examiner: &Examiner<'_>) -> Result<Vec<Found>, error::Error> {
    if is_begun(examiner).await? {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    for table in examiner.across(Target, &TABLES, FILLED).await? {
        let [schema, name] =
            ["schema", "name"].map(|column| table.get(column).cloned().flatten().unwrap_or_default());
        if holds(examiner, &schema, &name, "true").await? {
            found.push(table);
        }
    }
    Ok(found)
}

/// Whether this migration has brought rows before.
async fn is_begun(examiner: &Examiner<'_>) -> Result<bool, error::Error> {
    for ledger in examiner.across(Target, &TABLES, LEDGERS).await? {
        let name = ledger.get("name").cloned().flatten().unwrap_or_default();
        if holds(examiner, "walferry", &name, "name = given.slot").await? {
            return Ok(true);
        }
    }
    Ok(false)
}

async fn holds(examiner: &Examiner<'_>, schema: &str, name: &str, which: &str) -> Result<bool, error::Error> {
    let mut table = Vec::new();
    quote::identifier(&mut table, schema);
    table.push(b'.');
    quote::identifier(&mut table, name);
    let table = String::from_utf8_lossy(&table);
    let query = format!("SELECT FROM given WHERE EXISTS (SELECT FROM {table} WHERE {which})");
    Ok(!examiner.session(Target).found(&query, &examiner.given, "").await?.is_empty())
}

fn row<const N: usize>(columns: [(&str, String); N]) -> Found {
    columns.map(|(name, value)| (name.to_owned(), Some(value))).into()
}
