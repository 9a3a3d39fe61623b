//! Rows of both sides, sorted alike, become differences.

use tokio_postgres::SimpleQueryRow;

use super::plan::TablePlan;
use super::report::{Difference, DifferenceKind, RowKey};
use super::session::{Failure, Rows};
use crate::error::Error;

/// Differences: so many of them with their keys, and how many there are beyond.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) differences: Vec<Difference>,
    pub(super) more: u64,
    limit: usize,
}

impl Found {
    /// That keeps as many.
    pub(super) fn up_to(limit: usize) -> Self {
        Self { limit, ..Self::default() }
    }

    /// How many can still be kept.
    pub(super) fn room(&self) -> usize {
        self.limit.saturating_sub(self.differences.len())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.differences.is_empty() && self.more == 0
    }

    pub(super) fn extend(&mut self, other: Self) {
        self.more += other.more;
        for difference in other.differences {
            self.note(difference.kind, || difference.key);
        }
    }

    fn note(&mut self, kind: DifferenceKind, key: impl FnOnce() -> RowKey) {
        if self.room() > 0 {
            self.differences.push(Difference { key: key(), kind });
        } else {
            self.more += 1;
        }
    }
}

/// Compares the rows that [`rows`](super::statement::rows) gives of both sides. What is in memory is a row of each side,
/// and what was found.
pub(super) async fn compare(
    table: &TablePlan,
    source: Rows<'_>,
    target: Rows<'_>,
    limit: usize,
) -> Result<Found, Failure> {
    let mut merge = Merge { table, found: Found::up_to(limit), group: None };
    let (mut source, mut target) = (Runs::new(source), Runs::new(target));
    let (mut left, mut right) = (source.next().await?, target.next().await?);
    loop {
        // The lower one has no counterpart; two of the same row have each other.
        let (from_left, from_right) = match (&left, &right) {
            (None, None) => break,
            (Some(left), Some(right)) => (left.row <= right.row, right.row <= left.row),
            (left, right) => (left.is_some(), right.is_some()),
        };
        let lower = (left.take_if(|_| from_left), right.take_if(|_| from_right));
        if from_left {
            left = source.next().await?;
        }
        if from_right {
            right = target.next().await?;
        }
        merge.push(lower.0, lower.1);
    }
    merge.end_group();
    Ok(merge.found)
}

/// Equal rows of one side.
#[derive(Debug, Clone)]
struct Run {
    row: [i64; 3],
    count: u64,
    key: Vec<Option<String>>,
}

/// A sorted stream of rows as runs of equal ones.
struct Runs<'a> {
    rows: Rows<'a>,
    ahead: Option<Run>,
    begun: bool,
}

impl<'a> Runs<'a> {
    fn new(rows: Rows<'a>) -> Self {
        Self { rows, ahead: None, begun: false }
    }

    async fn next(&mut self) -> Result<Option<Run>, Failure> {
        if !self.begun {
            self.begun = true;
            self.ahead = self.read().await?;
        }
        let Some(mut run) = self.ahead.take() else { return Ok(None) };
        while let Some(next) = self.read().await? {
            if next.row != run.row {
                self.ahead = Some(next);
                break;
            }
            run.count += 1;
        }
        Ok(Some(run))
    }

    async fn read(&mut self) -> Result<Option<Run>, Failure> {
        Ok(self.rows.next().await?.as_ref().map(run).transpose()?)
    }
}

fn run(row: &SimpleQueryRow) -> Result<Run, Error> {
    let number = |at| row.try_get(at).ok().flatten().and_then(|digits| digits.parse().ok());
    let (Some(key), Some(first), Some(second)) = (number(0), number(1), number(2)) else {
        return Err(unreadable());
    };
    let columns = (3..row.len()).map(|at| row.try_get(at).map(|value| value.map(text)));
    let columns = columns.collect::<Result<_, _>>().map_err(|_| unreadable())?;
    Ok(Run { row: [key, first, second], count: 1, key: columns })
}

pub(super) fn unreadable() -> Error {
    Error::Protocol("while comparing tables: the server answers something else than was asked for".to_owned())
}

/// From the text form of a `bytea`. Bytes that are no UTF-8, of a database without an encoding, are shown as such.
fn text(value: &str) -> String {
    let digits = value.strip_prefix("\\x").unwrap_or(value).as_bytes();
    let (pairs, _) = digits.as_chunks::<2>();
    let bytes: Vec<_> = pairs.iter().filter_map(|pair| byte(*pair)).collect();
    String::from_utf8_lossy(&bytes).into_owned()
}

fn byte(pair: [u8; 2]) -> Option<u8> {
    let [high, low] = pair.map(|digit| char::from(digit).to_digit(16));
    u8::try_from(high? * 16 + low?).ok()
}

struct Merge<'a> {
    table: &'a TablePlan,
    found: Found,
    group: Option<Group>,
}

/// Rows of one key that have no counterpart.
struct Group {
    key_hash: i64,
    source: u64,
    target: u64,
    /// One of them.
    run: Run,
}

impl Merge<'_> {
    /// Takes the same row of both sides, or a row that one has alone.
    fn push(&mut self, source: Option<Run>, target: Option<Run>) {
        let count = |run: &Option<Run>| run.as_ref().map_or(0, |run| run.count);
        let counts = (count(&source), count(&target));
        let Some(run) = source.or(target) else { return };
        if counts.0 == counts.1 {
            return;
        }
        if counts.0 > 1 || counts.1 > 1 {
            let kind = DifferenceKind::Duplicated { source: counts.0, target: counts.1 };
            let table = self.table;
            return self.found.note(kind, || key_of(table, run));
        }
        if self.group.as_ref().is_some_and(|group| group.key_hash != run.row[0]) {
            self.end_group();
        }
        let key_hash = run.row[0];
        let group = self.group.get_or_insert(Group { key_hash, source: 0, target: 0, run });
        group.source += counts.0;
        group.target += counts.1;
    }

    fn end_group(&mut self) {
        let Some(group) = self.group.take() else { return };
        let pairs = group.source.min(group.target);
        let kinds = [
            (DifferenceKind::Differs, pairs),
            (DifferenceKind::Missing, group.source - pairs),
            (DifferenceKind::Extra, group.target - pairs),
        ];
        for (kind, count) in kinds {
            for _ in 0..count {
                self.found.note(kind, || key_of(self.table, group.run.clone()));
            }
        }
    }
}

fn key_of(table: &TablePlan, run: Run) -> RowKey {
    if table.key.is_empty() {
        let [_, first, second] = run.row;
        return RowKey::RowHash(format!("{first:016x}{second:016x}"));
    }
    let names = table.key_columns().map(|column| column.name.clone());
    RowKey::Columns(names.zip(run.key).collect())
}
