//! What is published, as the source's catalogue has it.

use std::collections::HashMap;

use tokio_postgres::{Client, Error as SqlError, Row};

use super::columns::{Column, columns, identifier, literal, qualified};
use super::{Exported, chunk};
use crate::connection::{Config, Connection, SqlConnection, sql_error};
use crate::error::Error;

/// A published table.
#[derive(Debug)]
pub(super) struct Published {
    pub(super) schema: String,
    pub(super) name: String,
    /// Those that are published.
    pub(super) columns: Vec<Column>,
    /// What is true of the rows that are published.
    pub(super) filter: Option<String>,
    /// Where its rows are: itself, or its partitions.
    pub(super) parts: Vec<Part>,
    oid: u32,
    /// By name; without a list all that are not generated.
    list: Option<Vec<String>>,
    /// Whether a generated column that is in the list is published. A server that never does may list it all the same.
    publishes_generated: bool,
}

/// A table that holds rows itself.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) schema: String,
    pub(super) table: String,
    /// In blocks, if it can be read by ranges of them.
    pub(super) blocks: Option<u32>,
    /// In bytes, with what is stored out of line.
    pub(super) size: u64,
    oid: u32,
    is_ordinary: bool,
}

/// Settings of a session that reads. Whatever the planner knows, ranges of blocks are read as such, and all of a table
/// from its beginning to its end.
const SETTINGS: &str = "SET row_security = off; SET idle_session_timeout = 0; SET jit = off; \
     SET max_parallel_workers_per_gather = 0; SET enable_seqscan = off; SET enable_indexscan = off; \
     SET enable_indexonlyscan = off; SET enable_bitmapscan = off; SET enable_tidscan = on";

/// Not every system and version has these. A session whose client is gone is to end, whatever it does.
pub(super) const OPTIONAL_SETTINGS: [&str; 2] =
    ["SET client_connection_check_interval = '5s'", "SET transaction_timeout = 0"];

/// The slot isn't dropped: it has what came since for the tables that are whole.
const AGAIN: &str = "copy again, as `migrate run` does when it is called again: at a new snapshot, that of a temporary slot, say. Tables that \
     are wholly copied stay, others are begun anew; the slot from before must stay, too";

const BEGIN: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

const PUBLICATIONS: &str =
    "SELECT pubname::pg_catalog.text FROM pg_catalog.pg_publication WHERE pubname = ANY ($1)";

/// Without what is a partition of another one in the list: its rows have that one's name. What another migration keeps in a
/// database is none of its data.
const TABLES: &str = "WITH listed AS (\
     SELECT DISTINCT c.oid, n.nspname::pg_catalog.text, c.relname::pg_catalog.text, {columns} \
     FROM pg_catalog.pg_publication_tables p JOIN pg_catalog.pg_namespace n ON n.nspname = p.schemaname \
     JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = p.tablename \
     WHERE p.pubname = ANY ($1) AND n.nspname <> 'walferry') \
     SELECT * FROM listed l WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_partition_ancestors(l.oid) AS a(oid) \
     JOIN listed o ON o.oid = a.oid WHERE o.oid <> l.oid)";

const PARTS: &str = "SELECT r.oid, c.oid, n.nspname::pg_catalog.text, c.relname::pg_catalog.text, c.relkind = 'r' \
     FROM pg_catalog.unnest($1::pg_catalog.oid[]) AS r(oid), \
     LATERAL (SELECT relid::pg_catalog.oid FROM pg_catalog.pg_partition_tree(r.oid) WHERE isleaf \
     UNION SELECT k.oid FROM pg_catalog.pg_class k WHERE k.oid = r.oid AND k.relkind <> 'p') AS l(oid) \
     JOIN pg_catalog.pg_class c ON c.oid = l.oid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
     ORDER BY r.oid, n.nspname, c.relname";

/// `relfilenode` is what it was when the snapshot was made; the function knows what it is now.
const SIZES: &str = "SELECT c.oid, a.amname IS NOT DISTINCT FROM 'heap', pg_catalog.pg_relation_size(c.oid), \
     pg_catalog.pg_table_size(c.oid), pg_catalog.current_setting('block_size')::pg_catalog.int8, \
     c.relfilenode <> pg_catalog.pg_relation_filenode(c.oid) \
     FROM pg_catalog.pg_class c LEFT JOIN pg_catalog.pg_am a ON a.oid = c.relam WHERE c.oid = ANY ($1)";

/// Connects to look at the catalogue: at the snapshot, if there is one.
pub(super) async fn look(config: &Config, snapshot: Option<&Exported>) -> Result<SqlConnection, Error> {
    let connection = SqlConnection::connect(config).await?;
    let Some(snapshot) = snapshot else { return Ok(connection) };
    let client = connection.client();
    for setting in OPTIONAL_SETTINGS {
        // The server may not know it.
        let _ = client.batch_execute(setting).await;
    }
    let begin = format!("{SETTINGS}; {BEGIN}");
    client.batch_execute(&begin).await.map_err(looking)?;
    let adopted = client.batch_execute(&adopt(snapshot)).await;
    adopted.map_err(|error| lost(snapshot, sql_error("while adopting the snapshot", error)))?;
    Ok(connection)
}

/// Connects to read rows at the snapshot.
pub(super) async fn read(config: &Config, snapshot: &Exported) -> Result<Connection, Error> {
    let mut connection = Connection::connect_ordinary(config).await?;
    try_settings(&mut connection).await;
    connection.simple_query(SETTINGS).await?;
    connection.simple_query(BEGIN).await?;
    connection.simple_query(&adopt(snapshot)).await.map_err(|error| lost(snapshot, error))?;
    Ok(connection)
}

/// Sets what not every server knows.
pub(super) async fn try_settings(connection: &mut Connection) {
    for setting in OPTIONAL_SETTINGS {
        let _ = connection.simple_query(setting).await;
    }
}

fn adopt(snapshot: &Exported) -> String {
    format!("SET TRANSACTION SNAPSHOT {}", literal(snapshot.name()))
}

/// A snapshot is gone with the transaction that exported it, for good. Which code says so differs from version to version.
fn lost(snapshot: &Exported, error: Error) -> Error {
    match error.sqlstate() {
        Some("42704" | "22023" | "55000") => Error::Precondition {
            problem: format!(
                "the snapshot \"{}\" is gone from the source: the transaction that exported it has ended",
                snapshot.name()
            ),
            mend: AGAIN.to_owned(),
        },
        _ => error,
    }
}

/// Looks whether a table was rewritten since the snapshot was made. To be asked in the transaction that has read it, whose
/// lock then keeps it as it is: the session that has locked all tables may have been lost before.
pub(super) async fn require_unchanged(
    connection: &mut Connection,
    schema: &str,
    table: &str,
) -> Result<(), Error> {
    let changed = format!(
        "SELECT 1 FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
         WHERE n.nspname = {} AND c.relname = {} AND c.relfilenode <> pg_catalog.pg_relation_filenode(c.oid)",
        literal(schema),
        literal(table)
    );
    let is_changed = !connection.simple_query(&changed).await?.is_empty();
    if is_changed { Err(rewritten(&qualified(schema, table))) } else { Ok(()) }
}

fn rewritten(table: &str) -> Error {
    Error::Precondition {
        problem: format!(
            "{table} was rewritten or emptied after the snapshot was made, which may not see its rows any more"
        ),
        mend: AGAIN.to_owned(),
    }
}

/// The tables of these publications, without what [`measure`] adds.
pub(super) async fn published(client: &Client, publications: &[String]) -> Result<Vec<Published>, Error> {
    if publications.is_empty() {
        return Err(Error::Misuse("a copy needs a publication: it says which tables"));
    }
    require(client, publications).await?;
    let listed = list(client, publications).await.map_err(looking)?;
    let mut tables = merge(listed)?;
    complete(client, &mut tables).await.map_err(looking)?;
    Ok(tables)
}

pub(super) fn looking(error: SqlError) -> Error {
    sql_error("while looking at the tables of the source", error)
}

async fn require(client: &Client, publications: &[String]) -> Result<(), Error> {
    let rows = client.query(PUBLICATIONS, &[&publications]).await.map_err(looking)?;
    let known: Vec<String> =
        rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>().map_err(looking)?;
    let Some(missing) = publications.iter().find(|name| !known.contains(name)) else { return Ok(()) };
    let name = identifier(missing);
    Err(Error::Precondition {
        problem: format!("the source had no publication {name} when the snapshot was made"),
        mend: format!(
            "on the source: CREATE PUBLICATION {name} FOR …; then make the slot, whose snapshot sees it"
        ),
    })
}

/// A row for each publication of a table that says something else of it.
async fn list(client: &Client, publications: &[String]) -> Result<Vec<Published>, SqlError> {
    let version: i32 = client
        .query_one("SELECT pg_catalog.current_setting('server_version_num')::pg_catalog.int4", &[])
        .await?
        .try_get(0)?;
    let columns = if version >= 150_000 {
        "p.attnames::pg_catalog.text[], p.rowfilter"
    } else {
        "NULL::pg_catalog.text[], NULL::pg_catalog.text"
    };
    let rows = client.query(&TABLES.replace("{columns}", columns), &[&publications]).await?;
    rows.iter().map(|row| Published::read(row, version >= 180_000)).collect()
}

/// One of each table. Where publications differ, a row is published if one of them does; the columns must be the same.
fn merge(listed: Vec<Published>) -> Result<Vec<Published>, Error> {
    let mut merged: HashMap<u32, Published> = HashMap::new();
    for next in listed {
        let Some(known) = merged.get_mut(&next.oid) else {
            merged.insert(next.oid, next);
            continue;
        };
        if known.list != next.list {
            return Err(Error::Precondition {
                problem: format!("the publications have different column lists for {}", next.quoted()),
                mend: "publish the same columns of it in each, as the server asks of a stream too".to_owned(),
            });
        }
        known.filter = match (known.filter.take(), next.filter) {
            (Some(one), Some(other)) => Some(format!("({one}) OR ({other})")),
            _ => None,
        };
    }
    Ok(merged.into_values().collect())
}

/// Adds the columns and the names of the parts.
async fn complete(client: &Client, tables: &mut [Published]) -> Result<(), SqlError> {
    let oids: Vec<u32> = tables.iter().map(|table| table.oid).collect();
    let mut columns = columns(client, &oids).await?;
    let mut parts: HashMap<u32, Vec<Part>> = HashMap::new();
    for row in client.query(PARTS, &[&oids]).await? {
        parts.entry(row.try_get(0)?).or_default().push(Part::read(&row)?);
    }
    for table in tables {
        let all = columns.remove(&table.oid).unwrap_or_default();
        table.columns = all.into_iter().filter(|column| table.publishes(column)).collect();
        table.parts = parts.remove(&table.oid).unwrap_or_default();
    }
    Ok(())
}

/// Keeps everybody from rewriting, emptying or dropping the tables while this transaction lasts: the rows that the snapshot
/// sees would be gone.
pub(super) async fn lock(client: &Client, tables: &[Published]) -> Result<(), Error> {
    let ordinary = tables.iter().flat_map(|table| &table.parts).filter(|part| part.is_ordinary);
    let names: Vec<String> = ordinary.map(|part| format!("ONLY {}", part.quoted())).collect();
    if names.is_empty() {
        return Ok(());
    }
    client
        .batch_execute(&format!("LOCK TABLE {} IN ACCESS SHARE MODE", names.join(", ")))
        .await
        .map_err(looking)
}

/// Adds how large the parts are, and puts the largest first.
pub(super) async fn measure(client: &Client, tables: &mut [Published]) -> Result<(), Error> {
    let oids: Vec<u32> = tables.iter().flat_map(|table| &table.parts).map(|part| part.oid).collect();
    let rows = client.query(SIZES, &[&oids]).await.map_err(looking)?;
    let by_oid: HashMap<u32, Row> =
        rows.into_iter().map(|row| Ok((row.try_get(0)?, row))).collect::<Result<_, _>>().map_err(looking)?;
    for part in tables.iter_mut().flat_map(|table| &mut table.parts) {
        if let Some(row) = by_oid.get(&part.oid) {
            part.measure(row)?;
        }
    }
    tables.sort_by_cached_key(|table| {
        (std::cmp::Reverse(table.size()), table.schema.clone(), table.name.clone())
    });
    Ok(())
}

impl Published {
    fn read(row: &Row, publishes_generated: bool) -> Result<Self, SqlError> {
        Ok(Self {
            publishes_generated,
            oid: row.try_get(0)?,
            schema: row.try_get(1)?,
            name: row.try_get(2)?,
            list: row.try_get(3)?,
            filter: row.try_get(4)?,
            columns: Vec::new(),
            parts: Vec::new(),
        })
    }

    fn publishes(&self, column: &Column) -> bool {
        let list = self.list.as_ref();
        let is_listed = list.is_none_or(|list| list.contains(&column.name));
        is_listed && (!column.is_generated || self.publishes_generated && list.is_some())
    }

    pub(super) fn oid(&self) -> u32 {
        self.oid
    }

    pub(super) fn size(&self) -> u64 {
        self.parts.iter().map(|part| part.size).sum()
    }

    /// Whether all its rows are in ordinary tables.
    pub(super) fn is_ordinary(&self) -> bool {
        self.parts.iter().all(|part| part.is_ordinary)
    }

    pub(super) fn quoted(&self) -> String {
        qualified(&self.schema, &self.name)
    }
}

impl Part {
    fn read(row: &Row) -> Result<Self, SqlError> {
        Ok(Self {
            oid: row.try_get(1)?,
            schema: row.try_get(2)?,
            table: row.try_get(3)?,
            is_ordinary: row.try_get(4)?,
            blocks: None,
            size: 0,
        })
    }

    fn measure(&mut self, row: &Row) -> Result<(), Error> {
        let number = |column| row.try_get::<_, i64>(column).map_err(looking);
        let number = |column| number(column).map(|number| u64::try_from(number).unwrap_or_default());
        if row.try_get::<_, Option<bool>>(5).map_err(looking)? == Some(true) {
            return Err(rewritten(&self.quoted()));
        }
        let is_heap = self.is_ordinary && row.try_get(1).map_err(looking)?;
        let blocks = number(2)? / number(4)?.max(1);
        self.blocks = is_heap.then(|| u32::try_from(blocks).unwrap_or(u32::MAX - 1));
        self.size = number(3)?;
        Ok(())
    }

    /// The ranges that it is read in.
    pub(super) fn chunks(&self, chunk_bytes: u64) -> Vec<chunk::Blocks> {
        self.blocks.map_or_else(|| vec![chunk::ALL], |blocks| chunk::divide(blocks, self.size, chunk_bytes))
    }

    fn quoted(&self) -> String {
        qualified(&self.schema, &self.table)
    }
}
