//! Relation and Type: what a table looks like from here on.

use bytes::{BufMut, BytesMut};

use crate::wire::{DecodeError, Reader, Write as _};
use crate::{Oid, RelationId};

/// `R`: a table as it is from here on in the WAL.
///
/// Sent before the first change of each table, and again after anything that made the server forget its cache
/// (ANALYZE, for one): an identical message is normal and says nothing about a change of the table.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Relation {
    /// The table's oid.
    pub id: RelationId,
    /// Its schema. The wire's empty name is `pg_catalog` here.
    pub schema: String,
    /// Its name.
    pub name: String,
    /// What the server sends of old rows.
    pub replica_identity: ReplicaIdentity,
    /// The published columns, in the order of every tuple.
    pub columns: Vec<Column>,
}

/// One published column of a [`Relation`].
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its type.
    pub type_oid: Oid,
    /// What stands in brackets behind the type, in the type's own form; -1 for nothing.
    pub type_modifier: i32,
    /// Whether it is part of the replica identity.
    pub is_key: bool,
}

/// What identifies a row: `ALTER TABLE … REPLICA IDENTITY`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "complete by protocol definition")]
pub enum ReplicaIdentity {
    /// `d`: the primary key, if there is one.
    Default,
    /// `n`: nothing.
    Nothing,
    /// `f`: the whole old row.
    Full,
    /// `i`: the columns of an index.
    Index,
}

/// The smallest column on the wire: flags, an empty name, type, modifier.
const SMALLEST_COLUMN: usize = 10;

impl Relation {
    pub(super) fn read(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let id = RelationId::new(r.u32()?);
        let schema = read_schema(r)?;
        let name = r.string()?.to_owned();
        let replica_identity = r.byte_as("replica identity", "d, n, f or i", ReplicaIdentity::from_wire)?;
        let count = usize::from(r.count_i16("number of columns")?);
        let mut columns = Vec::with_capacity(count.min(r.left() / SMALLEST_COLUMN));
        for _ in 0..count {
            columns.push(Column::read(r)?);
        }
        Ok(Self { id, schema, name, replica_identity, columns })
    }

    pub(super) fn write(&self, out: &mut BytesMut) {
        out.put_u32(self.id.into());
        write_schema(out, &self.schema);
        out.put_string(&self.name);
        out.put_u8(self.replica_identity.to_wire());
        out.put_count_i16(self.columns.len());
        for column in &self.columns {
            column.write(out);
        }
    }
}

impl Column {
    fn read(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let is_key = r.flags("column flags", "0 or 1 (key)", 1)? == 1;
        Ok(Self {
            name: r.string()?.to_owned(),
            type_oid: Oid::new(r.u32()?),
            type_modifier: r.i32()?,
            is_key,
        })
    }

    fn write(&self, out: &mut BytesMut) {
        out.put_u8(self.is_key.into());
        out.put_string(&self.name);
        out.put_u32(self.type_oid.into());
        out.put_i32(self.type_modifier);
    }
}

impl ReplicaIdentity {
    pub(crate) fn from_wire(byte: u8) -> Option<Self> {
        Some(match byte {
            b'd' => Self::Default,
            b'n' => Self::Nothing,
            b'f' => Self::Full,
            b'i' => Self::Index,
            _ => return None,
        })
    }

    fn to_wire(self) -> u8 {
        match self {
            Self::Default => b'd',
            Self::Nothing => b'n',
            Self::Full => b'f',
            Self::Index => b'i',
        }
    }
}

/// `Y`: the name of a column's type that did not come with the server. Precedes the Relation that uses it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Type {
    /// The type's oid.
    pub id: Oid,
    /// Its schema. The wire's empty name is `pg_catalog` here.
    pub schema: String,
    /// Its name. For a domain the name of its *base type*: the domain's own name is not on the wire.
    pub name: String,
}

impl Type {
    pub(super) fn read(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { id: Oid::new(r.u32()?), schema: read_schema(r)?, name: r.string()?.to_owned() })
    }

    pub(super) fn write(&self, out: &mut BytesMut) {
        out.put_u32(self.id.into());
        write_schema(out, &self.schema);
        out.put_string(&self.name);
    }
}

const PG_CATALOG: &str = "pg_catalog";

/// `logicalrep_write_namespace` sends the catalogue's own schema as an empty name.
fn read_schema(r: &mut Reader<'_>) -> Result<String, DecodeError> {
    let schema = r.string()?;
    Ok(if schema.is_empty() { PG_CATALOG } else { schema }.to_owned())
}

fn write_schema(out: &mut BytesMut, schema: &str) {
    out.put_string(if schema == PG_CATALOG { "" } else { schema });
}
