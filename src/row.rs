//! Row = relation + tuple.

use std::fmt;
use std::sync::Arc;

use crate::pgoutput::{Column, Datum, Relation, Tuple};

/// A row: the values, and the relation that says what they are.
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
#[derive(Clone, PartialEq, Eq)]
pub struct Row {
    relation: Arc<Relation>,
    tuple: Tuple,
}

impl Row {
    /// Joins the two, if the relation has as many columns as the tuple has values.
    pub fn new(relation: Arc<Relation>, tuple: Tuple) -> Option<Self> {
        (relation.columns.len() == tuple.len()).then_some(Self { relation, tuple })
    }

    /// What the values are.
    ///
    /// Rows that arrive between two changes of their table share one relation: compare with
    /// [`Arc::ptr_eq`] to see whether the table changed.
    pub fn relation(&self) -> &Arc<Relation> {
        &self.relation
    }

    /// The values.
    pub fn tuple(&self) -> &Tuple {
        &self.tuple
    }

    /// The value of the column of this name; none if there is no such column.
    pub fn get(&self, column: &str) -> Option<Datum<'_>> {
        self.iter().find_map(|(candidate, datum)| (candidate.name == column).then_some(datum))
    }

    /// The columns with their values, in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&Column, Datum<'_>)> {
        self.relation.columns.iter().zip(self.tuple.iter())
    }

    /// A copy whose values have memory of their own: see [`Tuple::detach`].
    #[must_use = "the row that was given still keeps its read buffer"]
    pub fn detach(&self) -> Self {
        Self { relation: Arc::clone(&self.relation), tuple: self.tuple.detach() }
    }
}

impl fmt::Debug for Row {
    /// Shows names and kinds, no values.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{} ", self.relation.schema, self.relation.name)?;
        f.debug_map().entries(self.iter().map(|(column, datum)| (&column.name, datum))).finish()
    }
}
