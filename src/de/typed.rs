//! Changes whose rows are Rust types.

use std::sync::Arc;

use serde::Deserialize;

use super::row;
use crate::row::Cells;
use crate::{Change, OldRow, Relation, RowError};

/// A [`Change`], its rows read as `T`, and an old key as `K`.
///
/// A key has only the columns of the replica identity: where that is less than a row, `K` is a struct of those columns.
///
/// ```
/// use serde::Deserialize;
/// use walferry::de::{Typed, TypedOld};
/// use walferry::{Change, RowError};
///
/// #[derive(Deserialize)]
/// struct Note<'a> {
///     id: i32,
///     body: Option<&'a str>,
/// }
///
/// #[derive(Deserialize)]
/// struct Key {
///     id: i32,
/// }
///
/// fn describe(change: &Change) -> Result<String, RowError> {
///     Ok(match change.typed::<Note<'_>, Key>()? {
///         Typed::Insert { new } => format!("note {}: {:?}", new.id, new.body),
///         Typed::Delete { old: TypedOld::Key(Key { id }) } => format!("note {id} is gone"),
///         _ => "something else".to_owned(),
///     })
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Typed<T, K = T> {
    /// A row that was there before the stream began.
    Snapshot {
        /// The row.
        row: T,
    },
    /// A row was inserted.
    Insert {
        /// The row.
        new: T,
    },
    /// A row was updated.
    Update {
        /// The row as it was, as far as that is known.
        old: Option<TypedOld<T, K>>,
        /// The row as it is. What was not sent is taken from a full old row, where there is one.
        new: T,
    },
    /// A row was deleted.
    Delete {
        /// The row as it was.
        old: TypedOld<T, K>,
    },
    /// Tables were emptied in one statement.
    Truncate {
        /// The tables.
        relations: Vec<Arc<Relation>>,
        /// Whether the statement said CASCADE.
        cascade: bool,
        /// Whether it said RESTART IDENTITY.
        restart_identity: bool,
    },
}

/// What is known of a row as it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "complete by protocol definition")]
pub enum TypedOld<T, K = T> {
    /// The columns of the replica identity.
    Key(K),
    /// The whole row.
    Full(T),
}

impl<'de, T: Deserialize<'de>, K: Deserialize<'de>> TypedOld<T, K> {
    fn read(old: &'de OldRow) -> Result<Self, RowError> {
        match old {
            OldRow::Key(_) => old.deserialize().map(Self::Key),
            OldRow::Full(_) => old.deserialize().map(Self::Full),
        }
    }
}

impl Change {
    /// The change with its rows read as Rust types: see [`de`](crate::de).
    ///
    /// # Errors
    ///
    /// As [`Row::deserialize`](crate::Row::deserialize).
    pub fn typed<'de, T: Deserialize<'de>, K: Deserialize<'de>>(&'de self) -> Result<Typed<T, K>, RowError> {
        Ok(match self {
            Self::Snapshot { row } => Typed::Snapshot { row: row.deserialize()? },
            Self::Insert { new } => Typed::Insert { new: new.deserialize()? },
            Self::Update { old, new } => {
                let cells = match old {
                    Some(OldRow::Full(old)) => Cells::new(new).filled_from(old),
                    Some(OldRow::Key(_)) | None => Cells::new(new),
                };
                let old = old.as_ref().map(TypedOld::read).transpose()?;
                Typed::Update { old, new: row::deserialize(cells)? }
            }
            Self::Delete { old } => Typed::Delete { old: TypedOld::read(old)? },
            Self::Truncate { relations, cascade, restart_identity } => Typed::Truncate {
                relations: relations.clone(),
                cascade: *cascade,
                restart_identity: *restart_identity,
            },
        })
    }
}
