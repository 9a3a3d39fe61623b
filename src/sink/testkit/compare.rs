//! What was seen beside what must be seen.

use std::ops::RangeInclusive;

use super::history::{History, id};
use super::{Transaction, Visible};
use crate::Row;
use crate::event::{Change, OldRow};
use crate::pgoutput::Datum;

/// Bytes of a value that are shown.
const SHOWN: usize = 40;

/// The first place where they are not the same.
#[derive(Debug)]
pub(super) struct Difference {
    pub(super) expected: String,
    pub(super) found: String,
}

/// Whether this is what so many steps make visible. A log may begin again at an earlier transaction so many times.
pub(super) fn compare(
    history: &History,
    steps: RangeInclusive<usize>,
    repeats: u64,
    seen: Visible,
) -> Result<(), Difference> {
    match seen.normal() {
        Visible::Log(seen) => {
            let least = *history.in_log(steps.clone()).start();
            log(&history.log(*steps.end()), least, repeats, &seen)
        }
        Visible::Rows(seen) => rows(history, steps, &seen),
    }
}

fn log(
    expected: &[Transaction],
    least: usize,
    mut repeats: u64,
    seen: &[Transaction],
) -> Result<(), Difference> {
    let (mut next, mut complete) = (0, 0);
    for found in seen {
        let is_found = |expected: &Transaction| found.is(expected);
        let again = || expected.iter().take(complete).position(is_found);
        if expected.get(next).is_some_and(is_found) {
            next += 1;
        } else if let (true, Some(earlier)) = (repeats > 0, again()) {
            repeats -= 1;
            next = earlier + 1;
        } else {
            return Err(differ(expected.get(next), found));
        }
        complete = complete.max(next);
    }
    match expected.get(complete) {
        Some(missing) if complete < least => {
            Err(Difference { expected: missing.describe(), found: "nothing more".into() })
        }
        _ => Ok(()),
    }
}

fn differ(expected: Option<&Transaction>, found: &Transaction) -> Difference {
    let Some(expected) = expected else {
        return Difference { expected: "nothing more".into(), found: found.describe() };
    };
    let changes = || expected.changes.iter().zip(&found.changes).enumerate();
    match changes().find(|(_, (expected, found))| expected != found) {
        Some((number, (one, other))) if expected.changes.len() == found.changes.len() => {
            let place = format!("as change {} of {}", number + 1, expected.name());
            Difference {
                expected: format!("{place} {}", describe_change(one)),
                found: describe_change(other),
            }
        }
        _ => Difference { expected: expected.describe(), found: found.describe() },
    }
}

impl Transaction {
    fn is(&self, expected: &Self) -> bool {
        self.changes == expected.changes && (self.end_lsn.is_none() || self.end_lsn == expected.end_lsn)
    }

    fn name(&self) -> String {
        self.end_lsn
            .map_or_else(|| "the transaction".into(), |end| format!("the transaction that ends at {end}"))
    }

    fn describe(&self) -> String {
        let changes: Vec<_> = self.changes.iter().map(describe_change).collect();
        format!("{} [{}]", self.name(), changes.join(", "))
    }
}

fn rows(history: &History, steps: RangeInclusive<usize>, seen: &[Row]) -> Result<(), Difference> {
    if steps.clone().any(|steps| history.rows(steps) == seen) {
        return Ok(());
    }
    let expected = history.rows(*steps.end());
    let missing = expected.iter().find(|row| !seen.contains(row));
    let instead = missing.and_then(|missing| seen.iter().find(|row| id(row) == id(missing)));
    let found = instead.or_else(|| seen.iter().find(|row| !expected.contains(row)));
    let or_earlier = if steps.start() < steps.end() { ", or an earlier state" } else { "" };
    let expected = missing.map_or_else(|| format!("{} rows and no more", expected.len()), describe_row);
    let found = found.map_or_else(|| format!("{} rows without it", seen.len()), describe_row);
    Err(Difference { expected: format!("{expected}{or_earlier}"), found })
}

fn describe_change(change: &Change) -> String {
    match change {
        Change::Snapshot { row } => format!("snapshot {}", describe_row(row)),
        Change::Insert { new } => format!("insert {}", describe_row(new)),
        Change::Update { old, new } => {
            let old = old.as_ref().map(|old| format!("{} to ", describe_old(old))).unwrap_or_default();
            format!("update {old}{}", describe_row(new))
        }
        Change::Delete { old } => format!("delete {}", describe_old(old)),
        Change::Truncate { relations, .. } => format!("truncate of {} tables", relations.len()),
    }
}

fn describe_old(old: &OldRow) -> String {
    match old {
        OldRow::Key(row) => format!("key {}", describe_row(row)),
        OldRow::Full(row) => describe_row(row),
    }
}

fn describe_row(row: &Row) -> String {
    let values: Vec<_> = row.tuple().iter().map(describe_value).collect();
    format!("{}({})", row.relation().name, values.join(", "))
}

fn describe_value(datum: Datum<'_>) -> String {
    let (kind, value) = match datum {
        Datum::Null => return "NULL".into(),
        Datum::Unchanged => return "unchanged".into(),
        Datum::Text(value) => ("", value),
        Datum::Binary(value) => ("binary ", value),
    };
    let shown = value.get(..SHOWN).unwrap_or(value).escape_ascii();
    match value.len() {
        length if length > SHOWN => format!("{kind}\"{shown}…\" of {length} bytes"),
        _ => format!("{kind}\"{shown}\""),
    }
}
