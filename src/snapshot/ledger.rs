//! What is copied already, in the target: written in the transaction that brings the rows.

use std::collections::HashMap;

use tokio_postgres::{Client, Error as SqlError, Row};

use super::Exported;
use super::chunk::Blocks;
use super::columns::literal;
use crate::connection::{Config, SqlConnection, make_room, sql_error};
use crate::error::Error;
use crate::{Lsn, RelationId};

const EXISTS: &str = "SELECT pg_catalog.to_regclass('walferry.copy_chunk') IS NOT NULL";

const CREATE: &str = "CREATE TABLE IF NOT EXISTS walferry.copy (\
     name pg_catalog.text, schema pg_catalog.text, relation pg_catalog.text, \
     lsn pg_catalog.pg_lsn NOT NULL, snapshot pg_catalog.text NOT NULL, source_oid pg_catalog.oid, \
     begun_at pg_catalog.timestamptz NOT NULL DEFAULT pg_catalog.now(), PRIMARY KEY (name, schema, relation)); \
     COMMENT ON TABLE walferry.copy IS 'At which position of the source each table was copied to this database'; \
     CREATE TABLE IF NOT EXISTS walferry.copy_chunk (\
     name pg_catalog.text, schema pg_catalog.text, relation pg_catalog.text, chunk pg_catalog.int4, \
     part_schema pg_catalog.text NOT NULL, part pg_catalog.text NOT NULL, \
     begin_block pg_catalog.int8 NOT NULL, end_block pg_catalog.int8, size pg_catalog.int8 NOT NULL, \
     rows pg_catalog.int8, copied_at pg_catalog.timestamptz, PRIMARY KEY (name, schema, relation, chunk)); \
     COMMENT ON TABLE walferry.copy_chunk IS 'What each of those copies consists of; rows is NULL until a chunk is here'";

const READ: &str = "SELECT t.schema, t.relation, t.lsn::pg_catalog.text, t.snapshot, k.chunk, k.part_schema, k.part, \
     k.begin_block, k.end_block, k.size, k.rows, t.source_oid \
     FROM walferry.copy t LEFT JOIN walferry.copy_chunk k USING (name, schema, relation) \
     WHERE t.name = $1 ORDER BY t.schema, t.relation, k.chunk";

const BEGIN: &str = "INSERT INTO walferry.copy (name, schema, relation, lsn, snapshot, source_oid) \
     VALUES ($1, $2, $3, $4::pg_catalog.text::pg_catalog.pg_lsn, $5, $6)";

const BEGIN_CHUNKS: &str = "INSERT INTO walferry.copy_chunk \
     (name, schema, relation, chunk, part_schema, part, begin_block, end_block, size) \
     SELECT $1, $2, $3, * FROM ROWS FROM (pg_catalog.unnest($4::pg_catalog.int4[]), pg_catalog.unnest($5::pg_catalog.text[]), pg_catalog.unnest($6::pg_catalog.text[]), \
     pg_catalog.unnest($7::pg_catalog.int8[]), pg_catalog.unnest($8::pg_catalog.int8[]), pg_catalog.unnest($9::pg_catalog.int8[]))";

const FORGET_CHUNKS: &str =
    "DELETE FROM walferry.copy_chunk WHERE name = $1 AND schema = $2 AND relation = $3";
const FORGET: &str = "DELETE FROM walferry.copy WHERE name = $1 AND schema = $2 AND relation = $3";

const COPIED: &str = "SELECT t.schema, t.relation, t.lsn::pg_catalog.text, t.source_oid FROM walferry.copy t \
     WHERE t.name = $1 AND NOT EXISTS (SELECT FROM walferry.copy_chunk k \
     WHERE k.name = t.name AND k.schema = t.schema AND k.relation = t.relation AND k.rows IS NULL) \
     ORDER BY t.schema, t.relation";

/// A table that is wholly copied, and at which position of the source.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Copied {
    /// The schema it is published under.
    pub schema: String,
    /// The name it is published under.
    pub table: String,
    /// What was committed before this is in the copy; what was committed from here on is not.
    pub lsn: Lsn,
    /// Which of the source's tables it was; none if that isn't known. Another one may have that name by now.
    pub relation: Option<RelationId>,
}

/// Reads from the target which tables are wholly copied; none where nothing was ever copied under that name.
///
/// Whoever applies the stream drops the changes of each of them that were committed before its position.
///
/// ```no_run
/// # async fn example(target: walferry::Config) -> Result<(), walferry::Error> {
/// for table in walferry::snapshot::copied(&target, "shop").await? {
///     println!("{}.{} as of {}", table.schema, table.table, table.lsn);
/// }
/// # Ok(())
/// # }
/// ```
pub async fn copied(target: &Config, name: &str) -> Result<Vec<Copied>, Error> {
    let connection = SqlConnection::connect(target).await?;
    let client = connection.client();
    let read = async {
        if !exists(client).await? {
            return Ok(Vec::new());
        }
        let rows = client.query(COPIED, &[&name]).await?;
        rows.iter()
            .map(|row| Ok((row.try_get(0)?, row.try_get(1)?, row.try_get::<_, String>(2)?, row.try_get(3)?)))
            .collect()
    };
    let rows: Vec<(String, String, String, Option<u32>)> = read.await.map_err(reading)?;
    rows.into_iter()
        .map(|(schema, table, lsn, oid)| {
            Ok(Copied { schema, table, lsn: position(&lsn)?, relation: oid.map(RelationId::new) })
        })
        .collect()
}

/// Records in the target that these tables are there as the source had them at these positions, although nothing was copied
/// under that name: both sides were found to be equal.
pub(crate) async fn record(target: &Client, name: &str, tables: &[Copied]) -> Result<(), Error> {
    let ledger = Ledger::new(target, name);
    ledger.prepare().await?;
    let recorded = async {
        target.batch_execute("BEGIN").await?;
        for Copied { schema, table, lsn, relation } in tables {
            let oid = relation.map(u32::from);
            ledger.forget((schema, table)).await?;
            ledger.begin((schema, table), oid, &Exported::new("", *lsn), &[]).await?;
        }
        target.batch_execute("COMMIT").await
    };
    recorded.await.map_err(|error| sql_error("while recording what is there already", error))
}

/// Removes from the target what is known of copies under that name. The rows of the tables stay.
///
/// A later [`run`](super::SnapshotCopy::run) then takes them for somebody else's, and refuses to add to them.
pub async fn forget(target: &Config, name: &str) -> Result<(), Error> {
    let connection = SqlConnection::connect(target).await?;
    let client = connection.client();
    let forgotten = async {
        if exists(client).await? {
            let name = literal(name);
            let delete = |table: &str| format!("DELETE FROM walferry.{table} WHERE name = {name}");
            client.batch_execute(&format!("{}; {}", delete("copy_chunk"), delete("copy"))).await?;
        }
        Ok(())
    };
    forgotten.await.map_err(|error| sql_error("while forgetting what was copied", error))
}

/// What is known of copies under one name.
#[derive(Debug)]
pub(super) struct Ledger<'a> {
    client: &'a Client,
    name: &'a str,
}

/// What is known of one table.
#[derive(Debug)]
pub(super) struct Entry {
    snapshot: Exported,
    /// Of the source's table; none if that isn't known.
    oid: Option<u32>,
    pub(super) chunks: Vec<Chunk>,
}

/// A part of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Chunk {
    pub(super) number: i32,
    /// The table or the partition that it is read from.
    pub(super) schema: String,
    pub(super) table: String,
    pub(super) blocks: Blocks,
    /// What it takes on disk, about.
    pub(super) size: u64,
    /// How many rows it had, once it is copied.
    pub(super) rows: Option<u64>,
}

impl Entry {
    /// Whether it is of this table of the source, and not of an earlier one that had the name.
    pub(super) fn is_of_table(&self, oid: u32) -> bool {
        self.oid.is_none_or(|own| own == oid)
    }

    pub(super) fn is_whole(&self) -> bool {
        self.chunks.iter().all(|chunk| chunk.rows.is_some())
    }

    /// Whether the target has rows that it brought.
    pub(super) fn has_rows(&self) -> bool {
        self.chunks.iter().any(|chunk| chunk.rows.is_some_and(|rows| rows > 0))
    }

    pub(super) fn is_of(&self, snapshot: &Exported) -> bool {
        self.snapshot == *snapshot
    }

    pub(super) fn lsn(&self) -> Lsn {
        self.snapshot.lsn
    }
}

pub(super) type Entries = HashMap<(String, String), Entry>;

impl<'a> Ledger<'a> {
    pub(super) fn new(client: &'a Client, name: &'a str) -> Self {
        Self { client, name }
    }

    /// Makes room for it.
    pub(super) async fn prepare(&self) -> Result<(), Error> {
        let prepared =
            async { if exists(self.client).await? { Ok(()) } else { make_room(self.client, CREATE).await } };
        prepared.await.map_err(|error| sql_error("while making room for the ledger of the copy", error))
    }

    /// By schema and name of the tables.
    pub(super) async fn read(&self) -> Result<Entries, Error> {
        if !exists(self.client).await.map_err(reading)? {
            return Ok(Entries::new());
        }
        let mut entries = Entries::new();
        for row in self.client.query(READ, &[&self.name]).await.map_err(reading)? {
            let lsn: String = row.try_get(2).map_err(reading)?;
            let snapshot = Exported::new(row.try_get::<_, String>(3).map_err(reading)?, position(&lsn)?);
            let table = (row.try_get(0).map_err(reading)?, row.try_get(1).map_err(reading)?);
            let oid = row.try_get(11).map_err(reading)?;
            let entry = entries.entry(table).or_insert(Entry { snapshot, oid, chunks: Vec::new() });
            entry.chunks.extend(Chunk::read(&row).map_err(reading)?);
        }
        Ok(entries)
    }

    /// Notes what is to be copied of a table. Part of the caller's transaction.
    pub(super) async fn begin(
        &self,
        (schema, table): (&str, &str),
        oid: Option<u32>,
        snapshot: &Exported,
        chunks: &[Chunk],
    ) -> Result<(), SqlError> {
        let lsn = snapshot.lsn.to_string();
        self.client.execute(BEGIN, &[&self.name, &schema, &table, &lsn, &snapshot.name, &oid]).await?;
        let numbers: Vec<i32> = chunks.iter().map(|chunk| chunk.number).collect();
        let schemas: Vec<&str> = chunks.iter().map(|chunk| chunk.schema.as_str()).collect();
        let tables: Vec<&str> = chunks.iter().map(|chunk| chunk.table.as_str()).collect();
        let begins: Vec<i64> = chunks.iter().map(|chunk| chunk.blocks.begin.into()).collect();
        let ends: Vec<Option<i64>> = chunks.iter().map(|chunk| chunk.blocks.end.map(i64::from)).collect();
        let sizes: Vec<i64> = chunks.iter().map(|chunk| chunk.size.try_into().unwrap_or(i64::MAX)).collect();
        let client = self.client;
        let name = &self.name;
        client
            .execute(
                BEGIN_CHUNKS,
                &[name, &schema, &table, &numbers, &schemas, &tables, &begins, &ends, &sizes],
            )
            .await?;
        Ok(())
    }

    /// Forgets a table. Part of the caller's transaction.
    pub(super) async fn forget(&self, (schema, table): (&str, &str)) -> Result<(), SqlError> {
        for delete in [FORGET_CHUNKS, FORGET] {
            self.client.execute(delete, &[&self.name, &schema, &table]).await?;
        }
        Ok(())
    }
}

impl Chunk {
    /// `None` for a table of which nothing is to be copied: one that is partitioned and has no partition.
    fn read(row: &Row) -> Result<Option<Self>, SqlError> {
        let Some(number) = row.try_get(4)? else { return Ok(None) };
        let block = |column| {
            Ok::<_, SqlError>(row.try_get::<_, Option<i64>>(column)?.and_then(|block| block.try_into().ok()))
        };
        Ok(Some(Self {
            number,
            schema: row.try_get(5)?,
            table: row.try_get(6)?,
            blocks: Blocks { begin: block(7)?.unwrap_or_default(), end: block(8)? },
            size: row.try_get::<_, i64>(9)?.try_into().unwrap_or_default(),
            rows: row.try_get::<_, Option<i64>>(10)?.and_then(|rows| rows.try_into().ok()),
        }))
    }

    /// What takes the chunk for the transaction that copies it, and waits for whoever has it. Gives how many rows are
    /// copied, NULL if it is still to be copied; no row if the table has been begun anew at another snapshot.
    pub(super) fn claim(&self, name: &str, table: (&str, &str), snapshot: &Exported) -> String {
        format!(
            "SELECT k.rows FROM walferry.copy_chunk k JOIN walferry.copy t USING (name, schema, relation) \
             WHERE {} AND t.lsn = '{}' AND t.snapshot = {} FOR UPDATE OF k",
            self.key(name, table),
            snapshot.lsn,
            literal(&snapshot.name)
        )
    }

    /// What notes that it is copied.
    pub(super) fn note(&self, name: &str, table: (&str, &str), rows: u64) -> String {
        let key = self.key(name, table);
        format!(
            "UPDATE walferry.copy_chunk k SET rows = {rows}, copied_at = pg_catalog.clock_timestamp() WHERE {key}"
        )
    }

    fn key(&self, name: &str, (schema, table): (&str, &str)) -> String {
        let [name, schema, table] = [name, schema, table].map(literal);
        format!(
            "k.name = {name} AND k.schema = {schema} AND k.relation = {table} AND k.chunk = {}",
            self.number
        )
    }
}

async fn exists(client: &Client) -> Result<bool, SqlError> {
    client.query_one(EXISTS, &[]).await?.try_get(0)
}

fn reading(error: SqlError) -> Error {
    sql_error("while reading what is copied", error)
}

fn position(text: &str) -> Result<Lsn, Error> {
    text.parse().map_err(|_| {
        Error::Protocol("the server sent a pg_lsn of another form than the manual gives".to_owned())
    })
}
