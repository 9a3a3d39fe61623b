//! One change by itself: its statements.

use std::sync::Arc;

use super::encode::{self, Parameter};
use super::error::{ApplyError, ApplyErrorKind};
use super::inflight::Expected;
use super::plan::{Assignments, Key, Plan};
use super::statement::Shape;
use crate::Row;
use crate::event::{Change, OldRow};
use crate::pgoutput::{Datum, ReplicaIdentity, Tuple};
use crate::sink::equality::Equality;

/// A statement, its parameters, and how many rows it has to change.
#[derive(Debug)]
pub(super) struct Operation {
    pub(super) shape: Shape,
    pub(super) parameters: Vec<Parameter>,
    pub(super) expected: Expected,
}

impl Operation {
    fn of_one(shape: Shape, parameters: Vec<Parameter>) -> Self {
        Self { shape, parameters, expected: Expected::Rows(1) }
    }
}

/// The statements of a change of a row, in order.
pub(super) fn operations(plan: &Plan, change: &Change) -> Result<Vec<Operation>, ApplyError> {
    match change {
        Change::Insert { new } | Change::Snapshot { row: new } => {
            Ok(vec![Operation::of_one(Shape::Insert, inserted(plan, new)?)])
        }
        Change::Update { old, new } => update(plan, old.as_ref(), new),
        Change::Delete { old } => {
            let (nulls, parameters) = found_by(plan, of_old(plan, old)?)?;
            Ok(vec![Operation::of_one(Shape::Delete { nulls }, parameters)])
        }
        Change::Truncate { .. } => Ok(Vec::new()),
    }
}

/// A row that is new.
pub(super) fn inserted(plan: &Plan, new: &Row) -> Result<Vec<Parameter>, ApplyError> {
    plan.inserted().map(|(_, column)| encode::parameter(column, new, false)).collect()
}

fn update(plan: &Plan, old: Option<&OldRow>, new: &Row) -> Result<Vec<Operation>, ApplyError> {
    let Assignments { set, replaces, replaces_if_other, .. } = plan.assignments(old, new);
    let key = match old {
        Some(old) => of_old(plan, old)?,
        None if plan.relation.replica_identity == ReplicaIdentity::Full => return Err(no_identity()),
        None => of_key(plan, new)?,
    };
    if replaces {
        return Ok(vec![replace(plan, key, new, Vec::new())?]);
    }
    let (nulls, by_key) = found_by(plan, key)?;
    // Nothing to assign, but the row must be there.
    let shape =
        if set.is_empty() { Shape::Find { nulls } } else { Shape::Update { set: set.clone(), nulls } };
    let mut parameters = values(plan, &set, new)?;
    parameters.extend(by_key);
    let mut operations = vec![Operation::of_one(shape, parameters)];
    if !replaces_if_other.is_empty() {
        let updated = updated_key(old, new);
        operations.push(replace(plan, updated.as_ref().unwrap_or(new), new, replaces_if_other)?);
    }
    Ok(operations)
}

fn replace(plan: &Plan, key: &Row, new: &Row, if_other: Vec<usize>) -> Result<Operation, ApplyError> {
    let given: Vec<usize> = plan
        .inserted()
        .filter(|(index, _)| !matches!(new.tuple().get(*index), Some(Datum::Unchanged) | None))
        .map(|(index, _)| index)
        .collect();
    let (nulls, by_key) = found_by(plan, key)?;
    let mut parameters = values(plan, &given, new)?;
    parameters.extend(by_key);
    let expected = if if_other.is_empty() { Expected::Rows(1) } else { Expected::AtMostOne };
    Ok(Operation { shape: Shape::Replace { new: given, if_other, nulls }, parameters, expected })
}

fn values(plan: &Plan, columns: &[usize], row: &Row) -> Result<Vec<Parameter>, ApplyError> {
    let columns = columns.iter().filter_map(|index| plan.columns.get(*index));
    columns.map(|column| encode::parameter(column, row, false)).collect()
}

/// The values of these columns of a row, and those by which another is found whose key has no NULL.
pub(super) fn keyed(
    plan: &Plan,
    columns: &[usize],
    new: &Row,
    key: &Row,
) -> Result<Vec<Parameter>, ApplyError> {
    let mut parameters = values(plan, columns, new)?;
    parameters.extend(found_by(plan, key)?.1);
    Ok(parameters)
}

/// Which of the values by which a row is found are NULL; and the others.
fn found_by(plan: &Plan, row: &Row) -> Result<(Vec<bool>, Vec<Parameter>), ApplyError> {
    let (mut nulls, mut parameters) = (Vec::new(), Vec::new());
    for (column, operator, datum) in plan.found_by_of(row) {
        nulls.push(datum == Datum::Null);
        if datum != Datum::Null {
            // What holds names of objects goes as text in any case.
            let is_printed = operator.is_none() && matches!(Equality::of(&column.source), Equality::Other);
            parameters.push(encode::parameter(column, row, is_printed)?);
        }
    }
    Ok((nulls, parameters))
}

fn of_old<'a>(plan: &Plan, old: &'a OldRow) -> Result<&'a Row, ApplyError> {
    match old {
        OldRow::Full(row) => {
            if matches!(plan.key, Key::None) {
                Err(no_identity())
            } else {
                Ok(row)
            }
        }
        OldRow::Key(row) => of_key(plan, row),
    }
}

fn of_key<'a>(plan: &Plan, row: &'a Row) -> Result<&'a Row, ApplyError> {
    match plan.key {
        Key::Unique(..) | Key::Columns(_) => Ok(row),
        Key::Row | Key::None => Err(no_identity()),
    }
}

fn no_identity() -> ApplyError {
    ApplyError::new(ApplyErrorKind::NoIdentity)
}

/// The key that a row has behind its UPDATE: one that is stored out of line and was not changed is in the old row only.
fn updated_key(old: Option<&OldRow>, new: &Row) -> Option<Row> {
    let datums = old?.row().tuple().iter().zip(new.tuple());
    let merged = datums.map(|(old, new)| if new == Datum::Unchanged { old } else { new });
    Row::with_types(Arc::clone(new.relation()), Arc::clone(new.types()), Tuple::from_datums(merged))
}

/// `TRUNCATE` of the tables that the source names, and of no others: what it took along there, it names, too.
pub(super) fn truncate(tables: &[String], restart_identity: bool) -> String {
    let restart = if restart_identity { " RESTART IDENTITY" } else { "" };
    format!("TRUNCATE {}{restart}", tables.join(", "))
}

#[cfg(test)]
mod tests;
