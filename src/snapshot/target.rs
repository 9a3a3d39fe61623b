//! Where the rows go: what the target's tables must have to take them, and the statements that move them.

use std::collections::HashMap;

use tokio_postgres::{Client, Error as SqlError};

use super::columns::{Column, columns, identifier, qualified};
use super::ledger::Chunk;
use super::query::Query;
use super::source::{OPTIONAL_SETTINGS, Published, try_settings};
use crate::connection::{Config, Connection, SqlConnection, sql_error};
use crate::error::Error;
use crate::trace;

/// Settings of a session that loads: text is read as it was printed, and a commit is durable.
const SETTINGS: &str = "SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE; SET idle_session_timeout = 0; SET row_security = off; SET xmloption = content; SET array_nulls = on; \
     SELECT pg_catalog.set_config('synchronous_commit', 'on', false) \
     WHERE pg_catalog.current_setting('synchronous_commit') = 'off'";

/// So that no trigger and no foreign key acts on what the source's have acted on already.
const REPLICA: &str = "SET session_replication_role = replica";

pub(super) const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE";

/// A TRUNCATE needs the right, and no other table that refers to it.
const TABLES: &str = "SELECT w.at, c.oid, c.relkind = 'p', \
     c.relkind = 'r' AND c.relpersistence <> 't' AND pg_catalog.has_table_privilege(c.oid, 'TRUNCATE') \
     AND NOT EXISTS (SELECT FROM pg_catalog.pg_constraint k \
     WHERE k.confrelid = c.oid AND k.conrelid <> c.oid AND k.contype = 'f') \
     FROM ROWS FROM (pg_catalog.unnest($1::pg_catalog.text[]), pg_catalog.unnest($2::pg_catalog.text[])) \
     WITH ORDINALITY AS w(schema, name, at) \
     JOIN pg_catalog.pg_namespace n ON n.nspname = w.schema \
     JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = w.name AND c.relkind IN ('r', 'p', 'f')";

/// A table of the target.
#[derive(Debug)]
pub(super) struct Target {
    columns: Vec<Column>,
    is_partitioned: bool,
    /// Whether it can be emptied in the transaction that fills it.
    pub(super) can_freeze: bool,
}

/// What moves a table's rows.
#[derive(Debug)]
pub(super) struct Load {
    pub(super) schema: String,
    pub(super) name: String,
    query: Query,
    format: &'static str,
    pub(super) is_partitioned: bool,
}

pub(super) async fn look(config: &Config) -> Result<SqlConnection, Error> {
    let connection = SqlConnection::connect(config).await?;
    let client = connection.client();
    for setting in OPTIONAL_SETTINGS.into_iter().chain([REPLICA]) {
        // The server may not know it, or not allow it.
        let _ = client.batch_execute(setting).await;
    }
    client.batch_execute(SETTINGS).await.map_err(looking)?;
    Ok(connection)
}

/// Connects to load rows.
pub(super) async fn load(config: &Config) -> Result<Connection, Error> {
    let mut connection = Connection::connect_ordinary(config).await?;
    try_settings(&mut connection).await;
    connection.simple_query(SETTINGS).await?;
    if connection.simple_query(REPLICA).await.is_err() {
        trace::warn!(
            "the role may not set session_replication_role: triggers and foreign keys of the target are in force while it is \
             copied to"
        );
    }
    Ok(connection)
}

fn looking(error: SqlError) -> Error {
    sql_error("while looking at the tables of the target", error)
}

/// The target's table for each of these; `None` where there is none.
pub(super) async fn tables(client: &Client, published: &[Published]) -> Result<Vec<Option<Target>>, Error> {
    let schemas: Vec<&str> = published.iter().map(|table| table.schema.as_str()).collect();
    let names: Vec<&str> = published.iter().map(|table| table.name.as_str()).collect();
    let read = async {
        let rows = client.query(TABLES, &[&schemas, &names]).await?;
        let oids = rows.iter().map(|row| row.try_get(1)).collect::<Result<Vec<u32>, _>>()?;
        let mut columns = columns(client, &oids).await?;
        let mut found = HashMap::new();
        for (row, oid) in rows.iter().zip(oids) {
            let columns = columns.remove(&oid).unwrap_or_default();
            let target = Target { columns, is_partitioned: row.try_get(2)?, can_freeze: row.try_get(3)? };
            found.insert(row.try_get::<_, i64>(0)?, target);
        }
        Ok(found)
    };
    let mut found = read.await.map_err(looking)?;
    Ok((1..).zip(published).map(|(at, _)| found.remove(&at)).collect())
}

/// Whether binary forms of the source mean the same to the target: an older server doesn't know what a newer one has
/// added, such as the infinite interval of 17.
pub(super) async fn reads_binary_of(target: &Client, source: &Client) -> Result<bool, Error> {
    const VERSION: &str = "SELECT pg_catalog.current_setting('server_version_num')::pg_catalog.int4 / 10000";
    let major = async |client: &Client| client.query_one(VERSION, &[]).await?.try_get::<_, i32>(0);
    let (target, source) = (major(target).await.map_err(looking)?, major(source).await.map_err(looking)?);
    Ok(target >= source)
}

impl Load {
    /// Looks whether the target's table takes what is published of the source's.
    pub(super) fn fit(
        source: &Published,
        target: Option<&Target>,
        reads_binary: bool,
    ) -> Result<Self, Error> {
        let target = target.ok_or_else(|| missing_table(source))?;
        let find = |name: &str| target.columns.iter().find(|known| known.name == name);
        let missing: Vec<&Column> =
            source.columns.iter().filter(|column| find(&column.name).is_none()).collect();
        if !missing.is_empty() {
            return Err(missing_columns(source, &missing));
        }
        let copied: Vec<(&Column, &Column)> = source
            .columns
            .iter()
            .filter_map(|column| Some((column, find(&column.name)?)))
            .filter(|(_, known)| !known.is_generated)
            .collect();
        let is_binary = reads_binary && copied.iter().all(|(from, to)| from.is_alike_in_binary(to));
        let columns: Vec<&Column> = copied.iter().map(|(column, _)| *column).collect();
        Ok(Self {
            schema: source.schema.clone(),
            name: source.name.clone(),
            query: Query::new(source, &columns),
            format: if is_binary { "binary" } else { "text" },
            is_partitioned: target.is_partitioned,
        })
    }

    pub(super) fn key(&self) -> (&str, &str) {
        (&self.schema, &self.name)
    }

    pub(super) fn quoted(&self) -> String {
        qualified(&self.schema, &self.name)
    }

    /// The table without those that inherit from it; of a partitioned one, the partitions are all there is.
    fn only(&self) -> String {
        let only = if self.is_partitioned { "" } else { "ONLY " };
        format!("{only}{}", self.quoted())
    }

    /// What gives a chunk's rows.
    pub(super) fn read(&self, chunk: &Chunk) -> String {
        self.query.copy(&chunk.schema, &chunk.table, chunk.blocks, self.format)
    }

    /// What takes them.
    pub(super) fn write(&self, is_frozen: bool) -> String {
        // A list may not be empty.
        let columns = self.query.columns();
        let columns = if columns.is_empty() { String::new() } else { format!(" ({columns})") };
        let freeze = if is_frozen { ", FREEZE" } else { "" };
        format!("COPY {}{columns} FROM STDIN (FORMAT {}{freeze})", self.quoted(), self.format)
    }

    /// Whether it has any row.
    pub(super) fn exists(&self) -> String {
        format!("SELECT 1 FROM {} LIMIT 1", self.only())
    }

    pub(super) fn lock(&self) -> String {
        format!("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE", self.only())
    }

    pub(super) fn truncate(&self) -> String {
        format!("TRUNCATE {}", self.only())
    }

    pub(super) fn delete(&self) -> String {
        format!("DELETE FROM {}", self.only())
    }

    /// The target has rows that no copy has brought.
    pub(super) fn occupied(&self) -> Error {
        let table = self.quoted();
        Error::Precondition {
            problem: format!("the target's table {table} has rows that no copy under this name has brought"),
            mend: format!(
                "on the target, if they may go: TRUNCATE {table}; or leave the table out of the publication"
            ),
        }
    }

    /// The target has left rows out.
    pub(super) fn incomplete(&self, sent: u64, taken: u64) -> Error {
        Error::Precondition {
            problem: format!(
                "of {sent} rows of {} the target took {taken}; the chunk was rolled back",
                self.quoted()
            ),
            mend: "a trigger of the target's table leaves rows out: disable it, or let the role set \
                   session_replication_role"
                .to_owned(),
        }
    }
}

fn missing_table(source: &Published) -> Error {
    let columns: Vec<String> = source.columns.iter().map(definition).collect();
    let table = source.quoted();
    Error::Precondition {
        problem: format!("the target has no table {table}"),
        mend: format!(
            "make it with all that belongs to it by pg_dump --schema-only --table; or at least, on the target: CREATE TABLE \
             {table} ({})",
            columns.join(", ")
        ),
    }
}

fn missing_columns(source: &Published, missing: &[&Column]) -> Error {
    let table = source.quoted();
    let names: Vec<String> = missing.iter().map(|column| identifier(&column.name)).collect();
    let added: Vec<String> =
        missing.iter().map(|column| format!("ADD COLUMN {}", definition(column))).collect();
    Error::Precondition {
        problem: format!("the target's table {table} lacks {}", names.join(", ")),
        mend: format!("on the target: ALTER TABLE {table} {}", added.join(", ")),
    }
}

fn definition(column: &Column) -> String {
    format!("{} {}", identifier(&column.name), column.type_name)
}
