//! What equality says of values' texts.

use crate::pgoutput::Column;
use crate::value::is_object_name;

/// What `=` of a type says of two values' texts.
pub(super) enum Equality {
    /// Equal values have the same text; an index can find them.
    Exact,
    /// The same, under the collation of plain bytes.
    ExactInBytes,
    /// Equal values may have different texts, or there is no `=`, or it is not known.
    Other,
}

impl Equality {
    /// By the oids of the server's own types (`pg_type.dat`), which never change.
    pub(super) fn of(column: &Column) -> Self {
        match u32::from(column.type_oid) {
            // bool, bytea, "char", int8, int2, int4, oid, xid, tid, cid
            16 | 17 | 18 | 20 | 21 | 23 | 26 | 27 | 28 | 29
            // cidr, macaddr8, money, macaddr, inet
            | 650 | 774 | 790 | 829 | 869
            // date, time, timestamp, timestamptz, bit, varbit
            | 1082 | 1083 | 1114 | 1184 | 1560 | 1562
            // uuid, pg_lsn, xid8
            | 2950 | 3220 | 5069 => Self::Exact,
            _ if is_object_name(column.type_oid) => Self::Exact,
            // name, text, varchar
            19 | 25 | 1043 => Self::ExactInBytes,
            // char(n) is padded to n; without n trailing blanks differ and `=` doesn't see it
            1042 if column.type_modifier >= 0 => Self::ExactInBytes,
            _ => Self::Other,
        }
    }
}
