//! How the description of a table changes along the stream.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use super::Change;
use crate::RelationId;
use crate::pgoutput::{Column, Relation};

/// Notices when a table is another one than before: shown the changes in their order, it says what is different from the
/// first one that has a new description on.
///
/// The description comes with the rows. So this holds wherever they came from: however large transactions were sent, behind
/// a reconnect, which announces each table again, and from a capture. DDL itself is not sent: a difference shows with the
/// next change of the table, and one that is undone by then doesn't.
///
/// ```
/// use std::sync::Arc;
/// use walferry::event::{ColumnChange, SchemaWatch};
/// use walferry::pgoutput::{Column, Datum, Relation, ReplicaIdentity, Tuple};
/// use walferry::{Change, Oid, RelationId, Row};
///
/// let column = |name: &str| Column { name: name.into(), type_oid: Oid::new(25), type_modifier: -1, is_key: false };
/// let insert = |names: &[&str]| {
///     let relation = Relation {
///         id: RelationId::new(16384),
///         schema: "public".into(),
///         name: "notes".into(),
///         replica_identity: ReplicaIdentity::Default,
///         columns: names.iter().copied().map(column).collect(),
///     };
///     let tuple = Tuple::from_datums(names.iter().map(|_| Datum::Null));
///     Change::Insert { new: Row::new(Arc::new(relation), tuple).expect("as many values as columns") }
/// };
///
/// let mut watch = SchemaWatch::new();
/// assert!(watch.see(&insert(&["body"])).is_empty());
/// let news = watch.see(&insert(&["body", "author"]));
/// assert_eq!(news[0].columns, [ColumnChange::Added(column("author"))]);
/// assert_eq!(news[0].to_string(), "public.notes: column author was added");
/// assert!(watch.see(&insert(&["body", "author"])).is_empty());
/// ```
#[derive(Debug, Default)]
pub struct SchemaWatch {
    known: HashMap<RelationId, Arc<Relation>>,
}

impl SchemaWatch {
    /// Has seen nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Looks at a change, and says what is different in its tables: of a TRUNCATE there may be several.
    pub fn see(&mut self, change: &Change) -> Vec<RelationChange> {
        change.relations().filter_map(|relation| self.see_relation(relation)).collect()
    }

    fn see_relation(&mut self, relation: &Arc<Relation>) -> Option<RelationChange> {
        match self.known.get_mut(&relation.id) {
            Some(known) if Arc::ptr_eq(known, relation) => None,
            Some(known) => {
                let change = RelationChange::between(known, relation);
                *known = Arc::clone(relation);
                change
            }
            None => {
                self.known.insert(relation.id, Arc::clone(relation));
                None
            }
        }
    }
}

/// The difference between two descriptions of one table.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RelationChange {
    /// As it was. Another schema, name or replica identity is told by comparing the two.
    pub before: Arc<Relation>,
    /// As it is.
    pub after: Arc<Relation>,
    /// What became of its published columns. Each is in here once at most; those that are not are the same in both, and
    /// in the same order.
    pub columns: Vec<ColumnChange>,
}

/// What became of one column.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ColumnChange {
    /// It is new: added to the table, or to the publication's list.
    Added(Column),
    /// It is gone: from the table, or from the publication's list.
    Dropped(Column),
    /// In its place stands one of the same type and another name. It was renamed; or dropped, and another one added: of a
    /// last column, both look the same.
    RenamedOrReplaced {
        /// As it was.
        before: Column,
        /// What stands there.
        after: Column,
    },
    /// It was dropped, and one of the same name added: its old values are gone.
    Readded {
        /// As it was.
        before: Column,
        /// The new one.
        after: Column,
    },
    /// Its type or the type's modifier is another one.
    Retyped {
        /// As it was.
        before: Column,
        /// As it is.
        after: Column,
    },
    /// It has become a part of the replica identity, or is none any more.
    KeyChanged {
        /// As it was.
        before: Column,
        /// As it is.
        after: Column,
    },
}

impl RelationChange {
    /// What is different; none if nothing is.
    pub fn between(before: &Arc<Relation>, after: &Arc<Relation>) -> Option<Self> {
        let columns = columns(&before.columns, &after.columns);
        let (before, after) = (Arc::clone(before), Arc::clone(after));
        let change = Self { before, after, columns };
        let is_other = change.is_renamed() || change.is_identified_otherwise() || !change.columns.is_empty();
        is_other.then_some(change)
    }

    /// Whether it has another name, or is in another schema.
    pub fn is_renamed(&self) -> bool {
        (&self.before.schema, &self.before.name) != (&self.after.schema, &self.after.name)
    }

    /// Whether other parts of old rows are sent.
    pub fn is_identified_otherwise(&self) -> bool {
        self.before.replica_identity != self.after.replica_identity
    }
}

fn columns(before: &[Column], after: &[Column]) -> Vec<ColumnChange> {
    let mut changes = Vec::new();
    let mut by_name: HashMap<&str, usize> =
        before.iter().enumerate().rev().map(|(index, column)| (column.name.as_str(), index)).collect();
    let mut is_known = vec![false; before.len()];
    // Columns keep their order; one that stands behind others now was added anew. In between are those of one side alone.
    let (mut last, mut new, mut segments) = (0, Vec::new(), Vec::new());
    for column in after {
        let found = by_name.remove(column.name.as_str());
        let Some((index, known)) = found.and_then(|index| Some((index, before.get(index)?))) else {
            new.push(column);
            continue;
        };
        if let Some(is_known) = is_known.get_mut(index) {
            *is_known = true;
        }
        if index < last {
            changes.push(ColumnChange::Readded { before: known.clone(), after: column.clone() });
            continue;
        }
        changes.extend(altered(known, column));
        segments.push((last..index, std::mem::take(&mut new)));
        last = index + 1;
    }
    segments.push((last..before.len(), new));
    for (range, new) in segments {
        let gone = range.filter(|index| is_known.get(*index) == Some(&false));
        changes.extend(in_place(gone.filter_map(|index| before.get(index)), new));
    }
    changes
}

fn altered(before: &Column, after: &Column) -> Option<ColumnChange> {
    let (was, is) = (before.clone(), after.clone());
    if !same_type(before, after) {
        return Some(ColumnChange::Retyped { before: was, after: is });
    }
    (before.is_key != after.is_key).then_some(ColumnChange::KeyChanged { before: was, after: is })
}

fn same_type(one: &Column, other: &Column) -> bool {
    (one.type_oid, one.type_modifier) == (other.type_oid, other.type_modifier)
}

/// What became of columns that are gone, where these others stand.
fn in_place<'a>(gone: impl Iterator<Item = &'a Column>, new: Vec<&Column>) -> Vec<ColumnChange> {
    let mut new = new.into_iter();
    let mut changes = Vec::new();
    for gone in gone {
        match new.next() {
            Some(column) if same_type(gone, column) => {
                changes.push(ColumnChange::RenamedOrReplaced { before: gone.clone(), after: column.clone() });
            }
            other => {
                changes.push(ColumnChange::Dropped(gone.clone()));
                changes.extend(other.cloned().map(ColumnChange::Added));
            }
        }
    }
    changes.extend(new.cloned().map(ColumnChange::Added));
    changes
}

impl fmt::Display for RelationChange {
    /// In one line; names and types, no values.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { before, after, columns } = self;
        write!(f, "{}.{}: ", before.schema, before.name)?;
        let mut separator = "";
        if self.is_renamed() {
            write!(f, "the table is {}.{} now", after.schema, after.name)?;
            separator = "; ";
        }
        if self.is_identified_otherwise() {
            write!(f, "{separator}the replica identity was changed")?;
            separator = "; ";
        }
        for change in columns {
            write!(f, "{separator}{change}")?;
            separator = "; ";
        }
        Ok(())
    }
}

impl fmt::Display for ColumnChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Added(column) => write!(f, "column {} was added", column.name),
            Self::Dropped(column) => write!(f, "column {} was dropped", column.name),
            Self::RenamedOrReplaced { before, after } => {
                write!(f, "column {} was renamed to {}, or replaced by it", before.name, after.name)
            }
            Self::Readded { after, .. } => write!(f, "column {} was dropped and added again", after.name),
            Self::Retyped { after, .. } => write!(f, "the type of column {} was changed", after.name),
            Self::KeyChanged { after, .. } if after.is_key => {
                write!(f, "column {} is part of the replica identity now", after.name)
            }
            Self::KeyChanged { after, .. } => {
                write!(f, "column {} is no part of the replica identity any more", after.name)
            }
        }
    }
}

#[cfg(test)]
mod tests;
