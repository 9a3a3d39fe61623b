//! Which reader a type of itself has, by its number.

use std::fmt::Write as _;

use bytes::BytesMut;

use super::{
    Bits, Bool, Bytea, Cidr, Circle, Date, Float4, Float8, GeoBox, Inet, Int2Vector, InternalChar, Interval,
    Jsonpath, Line, LocalDateTime, Lseg, MacAddr, MacAddr8, Money, Numeric, OidVector, Path, Point, Polygon,
    Snapshot, Tid, Time, TimeTz, TsQuery, TsVector, Uuid, ValueError, Wire, Xid8,
};
use crate::{Lsn, Oid, Timestamp, Xid};

/// How a type that is not made of others goes from one of its forms to the other.
pub(super) struct Leaf {
    /// Binary to text.
    pub(super) print: fn(&[u8], &mut String) -> Result<(), ValueError>,
    /// Text to binary.
    pub(super) encode: fn(&str, &mut BytesMut) -> Result<(), ValueError>,
}

macro_rules! leaves {
    ($($($oid:literal)|+ => $type:ty,)+) => {
        /// The built-in type of this number, if it has both forms and one can be had from the other.
        pub(super) fn leaf(oid: Oid) -> Option<&'static Leaf> {
            match u32::from(oid) {
                $($($oid)|+ => Some(const {
                    &Leaf { print: |bytes, out| print(&<$type>::from_binary(bytes)?, out),
                        encode: |text, out| { <$type>::from_text(text)?.write_binary(out); Ok(()) } }
                }),)+
                _ => None,
            }
        }
    };
}

fn print<'a>(value: &impl Wire<'a>, out: &mut String) -> Result<(), ValueError> {
    // A float has a digit that can't be found by no more than a defect.
    write!(out, "{value}").map_err(|_| ValueError::malformed("value", 0, "a value that can be printed"))
}

leaves! {
    16 => Bool,
    17 => Bytea<'_>,
    18 => InternalChar,
    20 => i64,
    21 => i16,
    22 => Int2Vector,
    23 => i32,
    26 => Oid,
    27 => Tid,
    // xid, cid
    28 | 29 => Xid,
    30 => OidVector,
    600 => Point,
    601 => Lseg,
    602 => Path,
    603 => GeoBox,
    604 => Polygon,
    628 => Line,
    650 => Cidr,
    700 => Float4,
    701 => Float8,
    718 => Circle,
    774 => MacAddr8,
    790 => Money,
    829 => MacAddr,
    869 => Inet,
    1082 => Date,
    1083 => Time,
    1114 => LocalDateTime,
    1184 => Timestamp,
    1186 => Interval,
    1266 => TimeTz,
    // bit, varbit
    1560 | 1562 => Bits<'_>,
    1700 => Numeric,
    2950 => Uuid,
    // txid_snapshot, pg_snapshot
    2970 | 5038 => Snapshot,
    3220 => Lsn,
    3614 => TsVector<'_>,
    3615 => TsQuery<'_>,
    4072 => Jsonpath<'_>,
    5069 => Xid8,
}

/// Whether both forms are the same text.
pub(super) fn is_text(oid: Oid) -> bool {
    // name, text, json, xml, pg_node_tree, unknown, bpchar, varchar, refcursor, cstring
    matches!(u32::from(oid), 19 | 25 | 114 | 142 | 194 | 705 | 1042 | 1043 | 1790 | 2275)
}

/// Names of objects: numbers in binary form, and in text what the `search_path` makes of them.
pub(crate) fn is_object_name(oid: Oid) -> bool {
    // regproc, regprocedure, regoper, regoperator, regclass, regtype, regconfig, regdictionary, regnamespace, regrole,
    // regcollation
    matches!(u32::from(oid), 24 | 2202..=2206 | 3734 | 3769 | 4089 | 4096 | 4191)
}

/// Whether values hold names of objects in them: those types, arrays of them, and whatever someone made (a composite, a
/// domain).
#[cfg(feature = "net")]
pub(crate) fn holds_object_names(oid: Oid) -> bool {
    let is_array = matches!(u32::from(oid), 1008 | 2207..=2211 | 3735 | 3770 | 4090 | 4097 | 4192);
    is_object_name(oid) || is_array || oid >= Oid::FIRST_UNPINNED
}

/// Whether the binary form of a type means the same on another server, and is read there.
///
/// A number of a type that stands inside a value means another type there, if it is one of users; so does that of an object.
#[cfg(feature = "postgres")]
pub(crate) fn is_portable_in_binary(oid: Oid) -> bool {
    // tsquery, int2vector, oidvector, and their arrays: no server reads an empty one in binary, though each sends it.
    let is_one_way = matches!(u32::from(oid), 3615 | 3645 | 22 | 1006 | 30 | 1013);
    !is_one_way && !holds_object_names(oid)
}
