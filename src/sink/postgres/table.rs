//! What the target's catalogue says of a table.

use tokio_postgres::{Client, Error, Row};

use crate::{Oid, quote};

/// A table of the target, as it was when it was looked at.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) columns: Vec<TableColumn>,
    /// Unique keys, the primary one first.
    pub(super) keys: Vec<UniqueKey>,
    /// Whether a change to it sets off triggers or rules.
    pub(super) fires: bool,
    /// Whether others inherit from it: then a statement must say ONLY.
    pub(super) has_children: bool,
    /// Of a partitioned table and its partitions: the topmost of them, and whether it has partitions itself.
    pub(super) family: Option<(Oid, bool)>,
    /// Whether it holds rows, by itself or in partitions; else it is a view or a foreign table.
    pub(super) holds_rows: bool,
}

#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "as the catalogue has them")]
pub(super) struct TableColumn {
    pub(super) name: String,
    /// Its type; of a domain, the type that it is over. An assignment makes it the domain, and checks it.
    pub(super) type_oid: Oid,
    /// The quoted name of that type: without a modifier, so that a value is taken as it is and the assignment checks it.
    pub(super) type_name: String,
    /// What stands in brackets behind the type, in the type's own form; -1 for nothing.
    pub(super) type_modifier: i32,
    pub(super) is_enum: bool,
    /// Of an enum, in order.
    pub(super) labels: Vec<String>,
    /// Whether it has a binary form that the server reads.
    pub(super) reads_binary: bool,
    pub(super) array: Option<ArrayType>,
    pub(super) is_not_null: bool,
    pub(super) is_generated: bool,
    /// GENERATED ALWAYS AS IDENTITY: no UPDATE may assign to it.
    pub(super) is_always: bool,
}

/// The array over a column's type.
#[derive(Debug)]
pub(super) struct ArrayType {
    /// Its quoted name.
    pub(super) name: String,
    /// What stands between elements in text.
    pub(super) delimiter: u8,
}

/// Columns of which the table holds each combination once, at any time.
#[derive(Debug)]
pub(super) struct UniqueKey {
    /// Indexes into the table's columns.
    pub(super) columns: Vec<usize>,
    /// The operator by which it compares each.
    pub(super) operators: Vec<String>,
}

/// None that takes changes is a view whose INSTEAD OF triggers (64) don't fire: it says that all went well, and nothing was done.
const TABLE: &str = "SELECT c.oid, c.relkind IN ('r', 'p'), c.relhassubclass AND c.relkind <> 'p', \
     EXISTS (SELECT FROM pg_catalog.pg_trigger g WHERE g.tgenabled::pg_catalog.text = ANY ($3::pg_catalog.text[]) \
     AND (g.tgrelid = c.oid OR g.tgrelid IN (SELECT relid FROM pg_catalog.pg_partition_tree(c.oid)))) \
     OR EXISTS (SELECT FROM pg_catalog.pg_rewrite w WHERE w.ev_class = c.oid AND w.rulename <> '_RETURN' \
     AND w.ev_enabled::pg_catalog.text = ANY ($3::pg_catalog.text[])), \
     pg_catalog.pg_partition_root(c.oid)::pg_catalog.oid, c.relkind = 'p' \
     FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
     WHERE n.nspname = $1::pg_catalog.text AND c.relname = $2::pg_catalog.text AND c.relkind IN ('r', 'p', 'v', 'f') \
     AND NOT EXISTS (SELECT FROM pg_catalog.pg_trigger g WHERE g.tgrelid = c.oid AND c.relkind = 'v' \
     AND g.tgtype & 64 <> 0 AND g.tgenabled::pg_catalog.text <> ALL ($3::pg_catalog.text[]))";

const COLUMNS: &str = "WITH RECURSIVE typed(attnum, oid) AS (\
     SELECT attnum, atttypid FROM pg_catalog.pg_attribute WHERE attrelid = $1 AND attnum > 0 AND NOT attisdropped \
     UNION ALL SELECT y.attnum, t.typbasetype FROM typed y JOIN pg_catalog.pg_type t ON t.oid = y.oid \
     WHERE t.typtype = 'd') \
     SELECT a.attnum, a.attname::pg_catalog.text, t.oid, n.nspname::pg_catalog.text, t.typname::pg_catalog.text, \
     t.typtype = 'e', m.nspname::pg_catalog.text, r.typname::pg_catalog.text, t.typdelim::pg_catalog.text, \
     a.attgenerated <> '', a.attidentity = 'a', a.attnotnull, t.typreceive <> 0, a.atttypmod, \
     ARRAY(SELECT e.enumlabel::pg_catalog.text FROM pg_catalog.pg_enum e WHERE e.enumtypid = t.oid ORDER BY e.enumsortorder) \
     FROM pg_catalog.pg_attribute a JOIN typed y ON y.attnum = a.attnum \
     JOIN pg_catalog.pg_type t ON t.oid = y.oid AND t.typtype <> 'd' \
     JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace \
     LEFT JOIN pg_catalog.pg_type r ON r.oid = t.typarray AND t.typtype <> 'c' \
     LEFT JOIN pg_catalog.pg_namespace m ON m.oid = r.typnamespace \
     WHERE a.attrelid = $1 ORDER BY a.attnum";

/// An index that defers its check may hold a key twice for a while; one with a collation that sees no difference between
/// different texts, or with an operator class of its own, may see fewer or more keys than `=` does.
const KEYS: &str = "SELECT k.indexrelid, a.attnum, m.nspname::pg_catalog.text, o.oprname::pg_catalog.text \
     FROM (SELECT i.*, s.at FROM pg_catalog.pg_index i, pg_catalog.generate_series(0, i.indnkeyatts - 1) AS s(at)) k \
     JOIN pg_catalog.pg_attribute a ON a.attrelid = k.indrelid AND a.attnum = k.indkey[k.at] \
     JOIN pg_catalog.pg_opclass p ON p.oid = k.indclass[k.at] \
     JOIN pg_catalog.pg_amop x ON x.amopfamily = p.opcfamily AND x.amopstrategy = 3 \
     AND x.amoplefttype = p.opcintype AND x.amoprighttype = p.opcintype \
     JOIN pg_catalog.pg_operator o ON o.oid = x.amopopr \
     JOIN pg_catalog.pg_namespace m ON m.oid = o.oprnamespace \
     WHERE k.indrelid = $1 AND k.indisunique AND k.indimmediate AND k.indisvalid AND k.indpred IS NULL \
     AND k.indexprs IS NULL AND NOT EXISTS (SELECT FROM pg_catalog.unnest(k.indclass::pg_catalog.oid[]) AS u(class) \
     JOIN pg_catalog.pg_opclass q ON q.oid = u.class WHERE NOT q.opcdefault) \
     AND NOT EXISTS (SELECT FROM pg_catalog.unnest(k.indcollation::pg_catalog.oid[]) AS u(collation_oid) \
     JOIN pg_catalog.pg_collation l ON l.oid = u.collation_oid WHERE NOT l.collisdeterministic) \
     ORDER BY k.indisprimary DESC, k.indexrelid, k.at";

impl Table {
    /// Reads it. `firing` are the states of triggers that fire in this session.
    pub(super) async fn load(
        client: &Client,
        schema: &str,
        name: &str,
        firing: &[&str],
    ) -> Result<Option<Self>, Error> {
        let Some(found) = client.query_opt(TABLE, &[&schema, &name, &firing]).await? else { return Ok(None) };
        let oid: u32 = found.try_get(0)?;
        let mut numbers = Vec::new();
        let mut columns = Vec::new();
        for row in client.query(COLUMNS, &[&oid]).await? {
            numbers.push(row.try_get::<_, i16>(0)?);
            columns.push(TableColumn::read(&row)?);
        }
        let mut keys: Vec<(u32, UniqueKey)> = Vec::new();
        for row in client.query(KEYS, &[&oid]).await? {
            let (index, number): (u32, i16) = (row.try_get(0)?, row.try_get(1)?);
            let Some(column) = numbers.iter().position(|candidate| *candidate == number) else { continue };
            if keys.last().is_none_or(|(last, _)| *last != index) {
                keys.push((index, UniqueKey { columns: Vec::new(), operators: Vec::new() }));
            }
            if let Some((_, key)) = keys.last_mut() {
                key.columns.push(column);
                key.operators.push(operator(row.try_get(2)?, row.try_get(3)?));
            }
        }
        let root: Option<u32> = found.try_get(4)?;
        let is_partitioned = found.try_get(5)?;
        Ok(Some(Self {
            columns,
            family: root.map(|root| (Oid::new(root), is_partitioned)),
            keys: keys.into_iter().map(|(_, key)| key).collect(),
            holds_rows: found.try_get(1)?,
            has_children: found.try_get(2)?,
            fires: found.try_get(3)?,
        }))
    }
}

impl TableColumn {
    fn read(row: &Row) -> Result<Self, Error> {
        let array = match (row.try_get::<_, Option<&str>>(6)?, row.try_get::<_, Option<&str>>(7)?) {
            (Some(schema), Some(name)) => {
                let delimiter: &str = row.try_get(8)?;
                let delimiter = delimiter.bytes().next().unwrap_or(b',');
                Some(ArrayType { name: quoted(schema, name), delimiter })
            }
            _ => None,
        };
        Ok(Self {
            name: row.try_get(1)?,
            type_oid: Oid::new(row.try_get(2)?),
            type_name: quoted(row.try_get(3)?, row.try_get(4)?),
            type_modifier: row.try_get(13)?,
            is_enum: row.try_get(5)?,
            labels: row.try_get(14)?,
            array,
            is_generated: row.try_get(9)?,
            is_always: row.try_get(10)?,
            is_not_null: row.try_get(11)?,
            reads_binary: row.try_get(12)?,
        })
    }
}

pub(super) fn quoted(schema: &str, name: &str) -> String {
    let mut out = Vec::new();
    quote::identifier(&mut out, schema);
    out.push(b'.');
    quote::identifier(&mut out, name);
    String::from_utf8_lossy(&out).into_owned()
}

/// Operators of extensions are not on the search path.
fn operator(schema: &str, name: &str) -> String {
    if schema == "pg_catalog" {
        return name.to_owned();
    }
    let mut out = b"OPERATOR(".to_vec();
    quote::identifier(&mut out, schema);
    format!("{}.{name})", String::from_utf8_lossy(&out))
}
