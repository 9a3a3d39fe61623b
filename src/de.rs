//! Rows as Rust types, by serde.
//!
//! [`Row::deserialize`] reads a row as anything that implements `Deserialize`: a struct whose fields are named as the
//! columns, a tuple, a map. `&str` and `&[u8]` borrow from the buffer that the row was received in.
//!
//! | in the struct | reads |
//! |---|---|
//! | `Option<T>` | NULL, too; anything else refuses it |
//! | [`Field<T>`](crate::Field) | a value that was not sent, too; anything else refuses it, `Option` included |
//! | integers | every integer type, oid, xid, xid8, and numeric: a value that doesn't fit, or has a fraction, is [out of range](crate::value::ValueErrorKind::OutOfRange) |
//! | `f64`; `f32`; `bool` | double precision and real; real; boolean |
//! | `String`; `&str` | the text of any type, exact; where the buffer holds it |
//! | `&[u8]`; `Vec<u8>` | bytea in binary form, and what is text in both forms; bytea |
//! | a unit-only enum | labels of an enum, or text |
//! | `Vec<T>`, tuples, nested | arrays, in any number of dimensions; `int2vector` |
//! | structs, tuples | composites; of arrays, vectors of them |
//! | [`Range<T>`](crate::value::Range), `Vec` of them | ranges, multiranges |
//! | the types of [`value`](crate::value) that own what they hold | the type of that name |
//! | with [`exact`] | whatever implements [`FromValue`], types of other crates among them |
//!
//! serde's `rename`, `default`, `flatten` and `deny_unknown_fields` do what they do everywhere. Columns that a struct has
//! no field for are passed over. Under `flatten`, and in untagged enums, serde reads before it knows what for: a column
//! that was not sent is an error then, integers, floats and `bool` are no longer exact types of this crate, and an error
//! may no longer know its column.
//!
//! A type of another crate that isn't read with [`exact`] is read by that crate, from the text, and by its own rules: the
//! `Deserialize` of `rust_decimal::Decimal` rounds a number that has more digits than it holds. With [`exact`] that is an error.
//!
//! The buffer doesn't hold text that stands escaped in an array or composite, nor that of most types in binary form: a
//! `&str` is refused then, and a `Cow<str>` takes both.
//!
//! ```
//! use serde::Deserialize;
//! use walferry::Field;
//! # use std::sync::Arc;
//! # use walferry::pgoutput::{Column, Datum, Relation, ReplicaIdentity, Tuple};
//! # use walferry::{Oid, RelationId, Row};
//! # let column = |name: &str, oid| Column { name: name.into(), type_oid: Oid::new(oid), type_modifier: -1, is_key: false };
//! # let relation = Arc::new(Relation {
//! #     id: RelationId::new(16384),
//! #     schema: "public".into(),
//! #     name: "notes".into(),
//! #     replica_identity: ReplicaIdentity::Default,
//! #     columns: vec![column("id", 23), column("title", 25), column("tags", 1009), column("body", 25)],
//! # });
//! # let datums = [Datum::Text(b"7"), Datum::Null, Datum::Text(b"{a,NULL}"), Datum::Unchanged];
//! # let row = Row::new(relation, Tuple::from_datums(datums)).unwrap();
//!
//! #[derive(Deserialize)]
//! struct Note<'a> {
//!     id: i32,
//!     title: Option<&'a str>,
//!     tags: Vec<Option<String>>,
//!     body: Field<Option<&'a str>>,
//! }
//!
//! let note: Note<'_> = row.deserialize()?;
//! assert_eq!((note.id, note.title), (7, None));
//! assert_eq!(note.tags, [Some("a".to_owned()), None]);
//! assert!(note.body.is_unchanged(), "neither NULL nor a value");
//! # Ok::<(), walferry::RowError>(())
//! ```
//!
//! serde takes an `Option` for which there is no column for `None`, and asks nobody: so does a column read that was renamed, or
//! that the publication leaves out. A [`Field`](crate::Field) refuses it, and so does what is read with [`exact`]:
//!
//! ```
//! use serde::Deserialize;
//! use walferry::Field;
//! # use std::sync::Arc;
//! # use walferry::pgoutput::{Column, Datum, Relation, ReplicaIdentity, Tuple};
//! # use walferry::{Oid, RelationId, Row};
//! # let column = |name: &str, oid| Column { name: name.into(), type_oid: Oid::new(oid), type_modifier: -1, is_key: false };
//! # let relation = Arc::new(Relation {
//! #     id: RelationId::new(16384),
//! #     schema: "public".into(),
//! #     name: "notes".into(),
//! #     replica_identity: ReplicaIdentity::Default,
//! #     columns: vec![column("title", 25)],
//! # });
//! # let row = Row::new(relation, Tuple::from_datums([Datum::Text(b"a title")])).unwrap();
//!
//! #[derive(Deserialize)]
//! struct Lenient {
//!     subtitle: Option<String>,
//! }
//!
//! #[derive(Debug, Deserialize)]
//! struct Strict {
//!     subtitle: Field<Option<String>>,
//! }
//!
//! assert_eq!(row.deserialize::<Lenient>()?.subtitle, None);
//! let error = row.deserialize::<Strict>().unwrap_err();
//! assert_eq!(error.to_string(), "table public.notes: there is no column subtitle");
//! # Ok::<(), walferry::RowError>(())
//! ```

mod error;
mod exact;
mod parts;
mod range;
mod row;
mod typed;
mod value;

use serde::Deserialize;

pub use self::exact::exact;
pub use self::typed::{Typed, TypedOld};
use crate::row::Cells;
#[expect(unused_imports, reason = "for the documentation")]
use crate::value::FromValue;
use crate::{OldRow, Row, RowError};

/// The names by which this crate's types ask its own deserializer for more than serde's data model has. To any other
/// deserializer they are the name of a newtype.
const FIELD: &str = "walferry::Field";
const EXACT: &str = "walferry::exact";
const RANGE: &str = "walferry::Range";

impl Row {
    /// Reads the row as a Rust type: see [`de`](crate::de).
    ///
    /// Of a row that is a key alone, ask the [`OldRow`].
    ///
    /// # Errors
    ///
    /// Names table, column and type, never a value.
    pub fn deserialize<'de, T: Deserialize<'de>>(&'de self) -> Result<T, RowError> {
        row::deserialize(Cells::new(self))
    }
}

impl OldRow {
    /// Reads the row as a Rust type: see [`de`](crate::de). What isn't part of a [`Key`](Self::Key) was not sent, and
    /// is never taken for NULL: leave it out of the struct, or make it a [`Field`](crate::Field).
    ///
    /// # Errors
    ///
    /// As [`Row::deserialize`].
    pub fn deserialize<'de, T: Deserialize<'de>>(&'de self) -> Result<T, RowError> {
        row::deserialize(self.cells())
    }
}
