//! Row = relation + tuple.

mod cells;
mod error;

use std::fmt;
use std::sync::{Arc, LazyLock};

#[cfg(feature = "serde")]
pub(crate) use self::cells::Cell;
pub(crate) use self::cells::Cells;
pub use self::cells::ColumnIndex;
pub use self::error::{RowError, RowErrorKind};
use crate::pgoutput::{Column, Datum, Relation, Tuple};
use crate::value::{FromValue, Types};

/// What all rows of a relation share: one reference count for each row.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) relation: Arc<Relation>,
    pub(crate) types: Arc<Types>,
}

/// A row: the values, and the relation that says what they are.
///
/// Two rows are equal when their relations and their values are, whatever is known of the types.
///
/// ```
/// use std::sync::Arc;
/// use walferry::pgoutput::{Column, Datum, Relation, ReplicaIdentity, Tuple};
/// use walferry::{Oid, RelationId, Row};
///
/// let relation = Arc::new(Relation {
///     id: RelationId::new(16384),
///     schema: "public".into(),
///     name: "notes".into(),
///     replica_identity: ReplicaIdentity::Default,
///     columns: vec![Column { name: "body".into(), type_oid: Oid::new(25), type_modifier: -1, is_key: false }],
/// });
/// let row = Row::new(relation, Tuple::from_datums([Datum::Text(b"null")])).expect("one column, one value");
/// assert_eq!(row.get("body"), Some(Datum::Text(b"null")));
/// assert_eq!(row.get("title"), None);
/// ```
#[derive(Clone)]
pub struct Row {
    table: Arc<Table>,
    tuple: Tuple,
}

impl Row {
    /// Joins the two, if the relation has as many columns as the tuple has values. Of types it knows the built-in
    /// ones.
    pub fn new(relation: Arc<Relation>, tuple: Tuple) -> Option<Self> {
        static BUILT_IN: LazyLock<Arc<Types>> = LazyLock::new(Arc::default);
        Self::with_types(relation, Arc::clone(&BUILT_IN), tuple)
    }

    /// The same, with the types that its columns may have.
    pub fn with_types(relation: Arc<Relation>, types: Arc<Types>, tuple: Tuple) -> Option<Self> {
        Self::of(Arc::new(Table { relation, types }), tuple)
    }

    /// A row of a table that is known already.
    pub(crate) fn of(table: Arc<Table>, tuple: Tuple) -> Option<Self> {
        (table.relation.columns.len() == tuple.len()).then_some(Self { table, tuple })
    }

    /// What the values are.
    ///
    /// Rows that arrive between two changes of their table share one relation: compare with
    /// [`Arc::ptr_eq`] to see whether the table changed.
    #[inline]
    pub fn relation(&self) -> &Arc<Relation> {
        &self.table.relation
    }

    /// The types that its columns may have, as far as they are known: the built-in ones, and those that the source's
    /// catalogue told of.
    #[inline]
    pub fn types(&self) -> &Arc<Types> {
        &self.table.types
    }

    /// The values.
    #[inline]
    pub fn tuple(&self) -> &Tuple {
        &self.tuple
    }

    /// The value of the column of this name; none if there is no such column.
    pub fn get(&self, column: &str) -> Option<Datum<'_>> {
        self.iter().find_map(|(candidate, datum)| (candidate.name == column).then_some(datum))
    }

    /// The value of a column as a Rust type: see [`FromValue`] for which.
    ///
    /// Of a row that is a key alone, ask the [`OldRow`](crate::OldRow).
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use walferry::pgoutput::{Column, Datum, Relation, ReplicaIdentity, Tuple};
    /// # use walferry::{Oid, RelationId, Row};
    /// # let column = |name: &str, oid| Column { name: name.into(), type_oid: Oid::new(oid), type_modifier: -1, is_key: false };
    /// # let relation = Arc::new(Relation {
    /// #     id: RelationId::new(16384),
    /// #     schema: "public".into(),
    /// #     name: "notes".into(),
    /// #     replica_identity: ReplicaIdentity::Default,
    /// #     columns: vec![column("id", 23), column("body", 25)],
    /// # });
    /// # let row = Row::new(relation, Tuple::from_datums([Datum::Text(b"7"), Datum::Null])).unwrap();
    /// let id: i32 = row.read("id")?;
    /// let body: Option<&str> = row.read(1)?;
    /// assert_eq!((id, body), (7, None));
    /// assert!(row.read::<&str>("body").is_err(), "NULL is no text");
    /// # Ok::<(), walferry::RowError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// No such column; NULL where `T` is no `Option`; an unchanged value where it is no [`Field`](crate::Field); and what
    /// reading says.
    pub fn read<'a, T: FromValue<'a>>(&'a self, column: impl ColumnIndex) -> Result<T, RowError> {
        Cells::new(self).read(column)
    }

    /// The columns with their values, in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&Column, Datum<'_>)> {
        self.table.relation.columns.iter().zip(self.tuple.iter())
    }

    /// The same row with other values: one for each.
    #[cfg(feature = "net")]
    pub(crate) fn map<'a>(&'a self, value: impl FnMut(Datum<'a>) -> Datum<'a>) -> Self {
        Self { table: Arc::clone(&self.table), tuple: Tuple::from_datums(self.tuple.iter().map(value)) }
    }

    /// A copy whose values have memory of their own: see [`Tuple::detach`].
    #[must_use = "the row that was given still keeps its read buffer"]
    pub fn detach(&self) -> Self {
        Self { table: Arc::clone(&self.table), tuple: self.tuple.detach() }
    }
}

impl PartialEq for Row {
    fn eq(&self, other: &Self) -> bool {
        let same_relation = Arc::ptr_eq(self.relation(), other.relation());
        (same_relation || self.relation() == other.relation()) && self.tuple == other.tuple
    }
}

impl Eq for Row {}

impl fmt::Debug for Row {
    /// Shows names and kinds, no values.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{} ", self.relation().schema, self.relation().name)?;
        f.debug_map().entries(self.iter().map(|(column, datum)| (&column.name, datum))).finish()
    }
}
