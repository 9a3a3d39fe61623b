//! How the changes of one table of the source become changes of the target's.

pub(super) use crate::quote::text::identifier;
use std::sync::Arc;

use super::error::ApplyError;
use super::table::{Table, TableColumn, quoted};
use super::{drift, encode};
use crate::event::OldRow;
use crate::pgoutput::{Column, Datum, Relation, ReplicaIdentity};
use crate::value::{TypeKind, Types, is_portable_in_binary};
use crate::{Oid, Row};

/// One table of the source beside the target's of the same name.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) relation: Arc<Relation>,
    /// The target's table, quoted.
    pub(super) target: String,
    /// `ONLY `, where others inherit from it.
    pub(super) only: &'static str,
    /// The columns of the source, in its order.
    pub(super) columns: Vec<PlanColumn>,
    pub(super) key: Key,
    /// Whether changes may be gathered into statements for many rows.
    pub(super) gathers: bool,
    /// Of a partitioned table and its partitions: the topmost of them, and whether it has partitions itself.
    pub(super) family: Option<(Oid, bool)>,
    /// The quoted names of all the target's columns that can be assigned.
    pub(super) assignable: Vec<String>,
}

/// A column of the source, and what the target's of the same name is.
#[derive(Debug)]
pub(super) struct PlanColumn {
    /// Where it stands in the source's rows.
    pub(super) index: usize,
    pub(super) name: String,
    pub(super) quoted: String,
    pub(super) target: TableColumn,
    /// Whether a binary value of the source's type is one of the target's.
    pub(super) takes_binary: bool,
    /// The source's type.
    pub(super) source: Column,
    /// Whether it is one of [`Key::Unique`] or [`Key::Columns`].
    pub(super) in_key: bool,
}

/// What tells the row of an UPDATE or DELETE. Indexes into the columns.
#[derive(Debug)]
pub(super) enum Key {
    /// Columns that the target holds once; and the operators by which it compares them.
    Unique(Vec<usize>, Vec<String>),
    /// Columns that the source holds once; whether the target does isn't known.
    Columns(Vec<usize>),
    /// The whole row, which the target may hold more than once.
    Row,
    None,
}

impl Plan {
    /// `before` is what the table was announced as before, if it is known.
    pub(super) fn new(
        relation: &Arc<Relation>,
        types: &Types,
        table: Table,
        before: Option<&Arc<Relation>>,
    ) -> Result<Self, ApplyError> {
        if let Some(error) = drift::missing_columns(relation, types, &table, before) {
            return Err(error);
        }
        let key = Key::of(relation, &table);
        let assignable = table.columns.iter().filter(|column| !column.is_generated);
        let assignable = assignable.map(|column| identifier(&column.name)).collect();
        let family = table.family;
        let gathers = table.holds_rows && !table.fires && relation.columns.iter().all(encode::gathers);
        let mut known = table.columns;
        let columns = relation.columns.iter().enumerate().filter_map(|(index, column)| {
            let at = known.iter().position(|known| known.name == column.name)?;
            let target = known.swap_remove(at);
            Some(PlanColumn {
                index,
                name: column.name.clone(),
                quoted: identifier(&column.name),
                takes_binary: takes_binary(column.type_oid, types, &target),
                source: column.clone(),
                in_key: key.columns().contains(&index),
                target,
            })
        });
        Ok(Self {
            target: quoted_target(relation),
            only: if table.has_children { "ONLY " } else { "" },
            columns: columns.collect(),
            relation: Arc::clone(relation),
            key,
            gathers: gathers && !relation.columns.is_empty(),
            family,
            assignable,
        })
    }

    /// The columns that an INSERT assigns: generated ones are the target's own.
    pub(super) fn inserted(&self) -> impl Iterator<Item = (usize, &PlanColumn)> {
        self.columns.iter().enumerate().filter(|(_, column)| !column.target.is_generated)
    }

    /// What an UPDATE has to do.
    pub(super) fn assignments(&self, old: Option<&OldRow>, new: &Row) -> Assignments {
        let mut found = Assignments::default();
        let mut before = old.map(|old| old.row().tuple().iter());
        for (index, (column, datum)) in self.columns.iter().zip(new.tuple()).enumerate() {
            let before = before.as_mut().and_then(Iterator::next);
            if datum == Datum::Unchanged || column.target.is_generated {
                continue;
            }
            let before = match old {
                Some(OldRow::Full(_)) => before,
                Some(OldRow::Key(_)) if column.source.is_key => before,
                // No old row means that the key is what it was.
                None if column.source.is_key => Some(datum),
                _ => None,
            };
            let is_same = before == Some(datum);
            if column.in_key && !is_same {
                found.key_changes = true;
            }
            // What the UPDATE left as it was, it leaves here, too.
            if is_same {
                continue;
            }
            match (column.target.is_always, before) {
                (false, _) => found.set.push(index),
                (true, Some(_)) => found.replaces = true,
                (true, None) => found.replaces_if_other.push(index),
            }
        }
        found
    }

    /// The columns by which a row is found, each with the operator that compares it; without one, by its text.
    pub(super) fn found_by(&self) -> impl Iterator<Item = (&PlanColumn, Option<&str>)> {
        let keyed = self.key.columns().iter().enumerate().filter_map(|(at, index)| {
            let operator = match &self.key {
                Key::Unique(_, operators) => operators.get(at).map_or("=", String::as_str),
                _ => "=",
            };
            Some((self.columns.get(*index)?, Some(operator)))
        });
        let is_row = matches!(self.key, Key::Row);
        let compared = self.columns.iter().filter(move |column| is_row && !column.target.is_generated);
        keyed.chain(compared.map(|column| (column, None)))
    }

    /// The same columns of a row.
    pub(super) fn found_by_of<'a>(
        &'a self,
        row: &'a Row,
    ) -> impl Iterator<Item = (&'a PlanColumn, Option<&'a str>, Datum<'a>)> {
        self.found_by().map(|(column, operator)| {
            let datum = row.tuple().get(column.index).unwrap_or(Datum::Unchanged);
            (column, operator, datum)
        })
    }

    /// The names of the columns by which a row is found.
    pub(super) fn key_names(&self) -> Vec<String> {
        self.key.columns().iter().filter_map(|index| Some(self.columns.get(*index)?.name.clone())).collect()
    }
}

/// What an UPDATE has to do.
#[derive(Debug, Default)]
pub(super) struct Assignments {
    /// Columns to assign.
    pub(super) set: Vec<usize>,
    /// Whether the row is another one by its key.
    pub(super) key_changes: bool,
    /// Whether a column changes that no UPDATE may assign to.
    pub(super) replaces: bool,
    /// Such columns that may have changed.
    pub(super) replaces_if_other: Vec<usize>,
}

impl Key {
    fn of(relation: &Relation, table: &Table) -> Self {
        let is_full = relation.replica_identity == ReplicaIdentity::Full;
        let sent = |index: &usize| {
            let TableColumn { name, is_not_null, .. } = table.columns.get(*index)?;
            // Of rows with a NULL there may be many. Those of an identity have none.
            relation.columns.iter().position(|column| {
                column.name == *name && (column.is_key && !is_full || is_full && *is_not_null)
            })
        };
        for unique in &table.keys {
            let columns: Option<Vec<usize>> = unique.columns.iter().map(sent).collect();
            let Some(columns) = columns.filter(|columns| !columns.is_empty()) else { continue };
            return Self::Unique(columns, unique.operators.clone());
        }
        let flagged = || relation.columns.iter().enumerate().filter(|(_, column)| column.is_key);
        match relation.replica_identity {
            ReplicaIdentity::Full => Self::Row,
            _ if flagged().next().is_none() => Self::None,
            _ => Self::Columns(flagged().map(|(index, _)| index).collect()),
        }
    }

    pub(super) fn columns(&self) -> &[usize] {
        match self {
            Self::Unique(columns, _) | Self::Columns(columns) => columns,
            Self::Row | Self::None => &[],
        }
    }
}

/// The label of an enum is its text.
fn takes_binary(source: Oid, types: &Types, target: &TableColumn) -> bool {
    let Some(base) = types.base(source).filter(|_| target.reads_binary) else { return false };
    if let TypeKind::Enum { .. } = &base.kind {
        return target.is_enum && quoted(&base.schema, &base.name) == target.type_name;
    }
    base.oid == target.type_oid && is_portable_in_binary(base.oid)
}

pub(super) fn quoted_target(relation: &Relation) -> String {
    quoted(&relation.schema, &relation.name)
}

#[cfg(test)]
mod tests;
