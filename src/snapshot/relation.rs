//! What the stream would announce of the tables: the same identity for a row, wherever it came from.

use std::collections::HashMap;
use std::sync::Arc;

use tokio_postgres::{Client, Error as SqlError, Row};

use super::source::{Published, looking};
use crate::error::Error;
use crate::pgoutput::{Column, Relation, ReplicaIdentity};
use crate::{Oid, RelationId};

/// The key is what the server's `RelationGetIdentityKeyBitmap` says: of an index, its key columns; from 18 on, of a
/// partitioned table's primary key even where not all partitions have it.
const RELATIONS: &str = "SELECT c.oid, c.relreplident::pg_catalog.text, a.attname::pg_catalog.text, a.atttypid, a.atttypmod, \
     c.relreplident = 'f' OR EXISTS (\
     SELECT FROM pg_catalog.pg_index i, pg_catalog.unnest(i.indkey) WITH ORDINALITY AS k (number, at) \
     WHERE i.indrelid = c.oid AND k.number = a.attnum AND k.at <= i.indnkeyatts AND i.indimmediate AND i.indislive \
     AND CASE c.relreplident WHEN 'd' THEN i.indisprimary WHEN 'i' THEN i.indisreplident END \
     AND (i.indisvalid OR i.indisprimary AND c.relkind = 'p' \
     AND pg_catalog.current_setting('server_version_num')::pg_catalog.int4 >= 180000)) \
     FROM pg_catalog.pg_class c \
     LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped \
     WHERE c.oid = ANY ($1)";

/// One for each of these tables.
pub(super) async fn relations(client: &Client, tables: &[Published]) -> Result<Vec<Arc<Relation>>, Error> {
    let oids: Vec<u32> = tables.iter().map(Published::oid).collect();
    let read = async {
        let mut described: HashMap<u32, Described> = HashMap::new();
        for row in client.query(RELATIONS, &[&oids]).await? {
            let table = described.entry(row.try_get(0)?).or_insert_with(|| Described::begin(&row));
            table.columns.extend(column(&row)?);
        }
        Ok(described)
    };
    let mut described = read.await.map_err(looking)?;
    tables.iter().map(|table| describe(table, described.remove(&table.oid()))).collect()
}

/// A table as the catalogue has it.
struct Described {
    replica_identity: Option<ReplicaIdentity>,
    columns: HashMap<String, Column>,
}

impl Described {
    fn begin(row: &Row) -> Self {
        let identity = row.try_get(1).ok().and_then(|letter: &str| letter.bytes().next());
        Self { replica_identity: identity.and_then(ReplicaIdentity::from_wire), columns: HashMap::new() }
    }
}

/// A table may have no column.
fn column(row: &Row) -> Result<Option<(String, Column)>, SqlError> {
    let Some(name) = row.try_get::<_, Option<String>>(2)? else { return Ok(None) };
    let column = Column {
        name: name.clone(),
        type_oid: Oid::new(row.try_get(3)?),
        type_modifier: row.try_get(4)?,
        is_key: row.try_get(5)?,
    };
    Ok(Some((name, column)))
}

fn describe(table: &Published, described: Option<Described>) -> Result<Arc<Relation>, Error> {
    let relation = described.and_then(|mut described| {
        let columns = table.columns.iter().map(|column| described.columns.remove(&column.name));
        Some(Relation {
            id: RelationId::new(table.oid()),
            schema: table.schema.clone(),
            name: table.name.clone(),
            columns: columns.collect::<Option<_>>()?,
            replica_identity: described.replica_identity?,
        })
    });
    let unknown = || Error::Protocol(format!("the source's catalogue has no {} any more", table.quoted()));
    relation.map(Arc::new).ok_or_else(unknown)
}
