//! What the catalogues say of tables, as they were in the snapshot.

use std::collections::HashMap;

use tokio_postgres::{Client, Row};

use super::Side;
use super::plan::Piece;
use super::statement::quoted;
use crate::connection::sql_error;
use crate::error::Error;

/// Schema and name.
pub(super) type Name = (String, String);

/// What the source publishes under a name.
#[derive(Debug, Clone)]
pub(super) struct Published {
    pub(super) oid: u32,
    pub(super) schema: String,
    pub(super) table: String,
    /// The columns of a column list; none for all, those that are generated among them.
    columns: Option<Vec<String>>,
    pub(super) filter: Option<String>,
}

impl Published {
    pub(super) fn name(&self) -> Name {
        (self.schema.clone(), self.table.clone())
    }

    pub(super) fn publishes(&self, column: &str) -> bool {
        self.columns.as_ref().is_none_or(|columns| columns.iter().any(|name| name == column))
    }

    /// All rows and all columns.
    pub(super) fn is_whole(&self) -> bool {
        self.columns.is_none() && self.filter.is_none()
    }
}

/// A column.
#[derive(Debug)]
pub(super) struct Attribute {
    pub(super) name: String,
    pub(super) is_generated: bool,
    /// Its type; of a domain, the type that it is over.
    pub(super) type_oid: u32,
    /// Its place in the key, from 1.
    pub(super) key_position: Option<i64>,
}

/// Tables of one side, by oid.
#[derive(Debug)]
pub(super) struct Catalogue {
    attributes: HashMap<u32, Vec<Attribute>>,
    pieces: HashMap<u32, Vec<Piece>>,
}

impl Catalogue {
    pub(super) async fn read(
        client: &Client,
        tables: impl Iterator<Item = u32>,
        side: Side,
    ) -> Result<Self, Error> {
        let tables: Vec<_> = tables.collect();
        let attributes = client.query(ATTRIBUTES, &[&tables]).await;
        let attributes = attributes.and_then(|rows| by_oid(&rows, attribute)).map_err(failed)?;
        let pieces = client.query(PIECES, &[&tables, &(side == Side::Source)]).await;
        let pieces = pieces.and_then(|rows| by_oid(&rows, piece)).map_err(failed)?;
        Ok(Self { attributes, pieces })
    }

    pub(super) fn attributes(&self, table: u32) -> &[Attribute] {
        self.attributes.get(&table).map_or(&[], Vec::as_slice)
    }

    pub(super) fn pieces(&self, table: u32) -> Vec<Piece> {
        self.pieces.get(&table).cloned().unwrap_or_default()
    }
}

/// What a server's texts and hashes are like.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Traits {
    pub(super) encoding: String,
    /// Its own hash of one text: another one where bytes are in another order.
    pub(super) probe: i64,
}

pub(super) async fn traits(client: &Client) -> Result<Traits, Error> {
    const TRAITS: &str = "SELECT pg_catalog.current_setting('server_encoding'), \
         pg_catalog.hashtextextended('walferry' COLLATE pg_catalog.\"C\", 1)";
    let row = client.query_one(TRAITS, &[]).await;
    let read = |row: Row| Ok(Traits { encoding: row.try_get(0)?, probe: row.try_get(1)? });
    row.and_then(read).map_err(failed)
}

/// What a publication publishes; none if there is no such publication.
///
/// The view names columns in any case, as they are now: that there is a list, another catalogue says.
pub(super) async fn published(client: &Client, publication: &str) -> Result<Option<Vec<Published>>, Error> {
    const EXISTS: &str = "SELECT pg_catalog.current_setting('server_version_num')::pg_catalog.int4 \
         FROM pg_catalog.pg_publication WHERE pubname = $1::pg_catalog.text";
    let Some(found) = client.query_opt(EXISTS, &[&publication]).await.map_err(failed)? else {
        return Ok(None);
    };
    let version: i32 = found.try_get(0).map_err(failed)?;
    // Row filters and column lists came with 15.
    let (filter, columns) = if version < 150_000 { ("NULL", "NULL") } else { ("p.rowfilter", COLUMN_LIST) };
    let sql = format!(
        "SELECT c.oid, n.nspname::pg_catalog.text, c.relname::pg_catalog.text, {filter}::pg_catalog.text, \
         ({columns})::pg_catalog.text[] \
         FROM pg_catalog.pg_publication_tables p JOIN pg_catalog.pg_namespace n ON n.nspname = p.schemaname \
         JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = p.tablename \
         WHERE p.pubname = $1::pg_catalog.text AND n.nspname <> 'walferry'"
    );
    let rows = client.query(&sql, &[&publication]).await.map_err(failed)?;
    let read = |row: &Row| {
        Ok(Published {
            oid: row.try_get(0)?,
            schema: row.try_get(1)?,
            table: row.try_get(2)?,
            filter: row.try_get(3)?,
            columns: row.try_get(4)?,
        })
    };
    rows.iter().map(read).collect::<Result<_, _>>().map(Some).map_err(failed)
}

/// Of these partitions, the topmost table above each whose partitions are all among them.
pub(super) async fn whole_roots(
    client: &Client,
    partitions: &[u32],
) -> Result<HashMap<u32, Published>, Error> {
    let rows = client.query(WHOLE_ROOTS, &[&partitions]).await.map_err(failed)?;
    let read = |row: &Row| {
        let (schema, table) = (row.try_get(2)?, row.try_get(3)?);
        Ok((row.try_get(0)?, Published { oid: row.try_get(1)?, schema, table, columns: None, filter: None }))
    };
    rows.iter().map(read).collect::<Result<_, _>>().map_err(failed)
}

/// The oids of what is there under these names.
pub(super) async fn relations(
    client: &Client,
    names: impl Iterator<Item = Name>,
) -> Result<HashMap<Name, u32>, Error> {
    let (schemas, tables): (Vec<_>, Vec<_>) = names.unzip();
    let rows = client.query(RELATIONS, &[&schemas, &tables]).await.map_err(failed)?;
    let read = |row: &Row| Ok(((row.try_get(0)?, row.try_get(1)?), row.try_get(2)?));
    rows.iter().map(read).collect::<Result<_, _>>().map_err(failed)
}

/// None for a list that leaves nothing out but generated columns: these follow from the others.
const COLUMN_LIST: &str = "SELECT p.attnames WHERE EXISTS (SELECT FROM pg_catalog.pg_publication_rel r \
     JOIN pg_catalog.pg_publication b ON b.oid = r.prpubid WHERE b.pubname = p.pubname AND r.prattrs IS NOT NULL \
     AND (r.prrelid = c.oid OR c.relispartition)) \
     AND EXISTS (SELECT FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 \
     AND NOT a.attisdropped AND a.attgenerated = '' AND a.attname <> ALL (p.attnames))";

const RELATIONS: &str = "SELECT w.schema, w.name, c.oid \
     FROM ROWS FROM (pg_catalog.unnest($1::pg_catalog.text[]), pg_catalog.unnest($2::pg_catalog.text[])) AS w(schema, name) \
     JOIN pg_catalog.pg_namespace n ON n.nspname = w.schema \
     JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = w.name \
     WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f')";

const WHOLE_ROOTS: &str = "WITH RECURSIVE up(leaf, oid, height) AS (\
     SELECT c.oid, c.oid, 0 FROM pg_catalog.pg_class c WHERE c.oid = ANY ($1::pg_catalog.oid[]) AND c.relispartition \
     UNION ALL SELECT u.leaf, i.inhparent, u.height + 1 FROM up u \
     JOIN pg_catalog.pg_class c ON c.oid = u.oid AND c.relispartition \
     JOIN pg_catalog.pg_inherits i ON i.inhrelid = u.oid), \
     down(root, oid) AS (SELECT DISTINCT oid, oid FROM up WHERE height > 0 \
     UNION ALL SELECT d.root, i.inhrelid FROM down d JOIN pg_catalog.pg_inherits i ON i.inhparent = d.oid), \
     whole(oid) AS (SELECT d.root FROM down d JOIN pg_catalog.pg_class c ON c.oid = d.oid AND c.relkind <> 'p' \
     GROUP BY 1 HAVING pg_catalog.bool_and(c.oid = ANY ($1::pg_catalog.oid[]))) \
     SELECT DISTINCT ON (u.leaf) u.leaf, c.oid, n.nspname::pg_catalog.text, c.relname::pg_catalog.text FROM up u \
     JOIN whole w ON w.oid = u.oid JOIN pg_catalog.pg_class c ON c.oid = u.oid \
     JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace ORDER BY u.leaf, u.height DESC";

/// The key is the index of the replica identity, else the primary key.
const ATTRIBUTES: &str = "WITH RECURSIVE typed(attrelid, attnum, oid) AS (\
     SELECT attrelid, attnum, atttypid FROM pg_catalog.pg_attribute \
     WHERE attrelid = ANY ($1::pg_catalog.oid[]) AND attnum > 0 AND NOT attisdropped \
     UNION ALL SELECT y.attrelid, y.attnum, t.typbasetype FROM typed y \
     JOIN pg_catalog.pg_type t ON t.oid = y.oid AND t.typtype = 'd'), \
     key AS (SELECT DISTINCT ON (c.oid) c.oid, i.indkey, i.indnkeyatts FROM pg_catalog.pg_class c \
     JOIN pg_catalog.pg_index i ON i.indrelid = c.oid AND i.indisvalid \
     AND (i.indisprimary OR i.indisreplident AND c.relreplident = 'i') \
     WHERE c.oid = ANY ($1::pg_catalog.oid[]) ORDER BY c.oid, i.indisreplident AND c.relreplident = 'i' DESC) \
     SELECT a.attrelid, a.attname::pg_catalog.text, a.attgenerated <> '', t.oid, \
     (SELECT s.at::pg_catalog.int8 FROM pg_catalog.generate_series(1, k.indnkeyatts::pg_catalog.int4) AS s(at) \
     WHERE k.indkey[s.at - 1] = a.attnum) \
     FROM typed y JOIN pg_catalog.pg_type t ON t.oid = y.oid AND t.typtype <> 'd' \
     JOIN pg_catalog.pg_attribute a ON a.attrelid = y.attrelid AND a.attnum = y.attnum \
     LEFT JOIN key k ON k.oid = a.attrelid ORDER BY a.attrelid, a.attnum";

/// How many rows it has is reckoned as the planner does: by how many were in a block when it was analysed.
const PIECES: &str = "WITH RECURSIVE tree(root, oid) AS (\
     SELECT u.oid, u.oid FROM pg_catalog.unnest($1::pg_catalog.oid[]) AS u(oid) \
     UNION ALL SELECT t.root, i.inhrelid FROM tree t \
     JOIN pg_catalog.pg_class c ON c.oid = t.oid AND c.relkind = 'p' \
     JOIN pg_catalog.pg_inherits i ON i.inhparent = t.oid AND NOT i.inhdetachpending), \
     piece AS (SELECT t.root, n.nspname, c.*, CASE WHEN m.amname = 'heap' THEN pg_catalog.pg_relation_size(c.oid) \
     / pg_catalog.current_setting('block_size')::pg_catalog.int8 END AS blocks \
     FROM tree t JOIN pg_catalog.pg_class c ON c.oid = t.oid \
     JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace LEFT JOIN pg_catalog.pg_am m ON m.oid = c.relam \
     WHERE c.relkind = 'r' AND c.relpersistence = 'p' OR NOT $2::pg_catalog.bool AND c.relkind IN ('r', 'v', 'm', 'f')) \
     SELECT root, nspname::pg_catalog.text, relname::pg_catalog.text, NULLIF(relfilenode, 0), blocks, \
     COALESCE(pg_catalog.pg_table_size(oid), 0), \
     CASE WHEN reltuples > 0 AND relpages > 0 THEN (reltuples / relpages * blocks)::pg_catalog.int8 END \
     FROM piece ORDER BY root, oid";

fn by_oid<T>(
    rows: &[Row],
    read: impl Fn(&Row) -> Result<T, tokio_postgres::Error>,
) -> Result<HashMap<u32, Vec<T>>, tokio_postgres::Error> {
    let mut found: HashMap<u32, Vec<T>> = HashMap::new();
    for row in rows {
        found.entry(row.try_get(0)?).or_default().push(read(row)?);
    }
    Ok(found)
}

fn attribute(row: &Row) -> Result<Attribute, tokio_postgres::Error> {
    Ok(Attribute {
        name: row.try_get(1)?,
        is_generated: row.try_get(2)?,
        type_oid: row.try_get(3)?,
        key_position: row.try_get(4)?,
    })
}

fn piece(row: &Row) -> Result<Piece, tokio_postgres::Error> {
    // A size is never negative.
    let size = |at: usize| row.try_get::<_, Option<i64>>(at).map(|size| size.map(i64::unsigned_abs));
    Ok(Piece {
        name: quoted(row.try_get(1)?, row.try_get(2)?),
        filter: None,
        file: row.try_get(3)?,
        blocks: size(4)?,
        bytes: size(5)?.unwrap_or(0),
        rows: size(6)?,
    })
}

fn failed(error: tokio_postgres::Error) -> Error {
    sql_error("while looking at the tables to compare", error)
}
