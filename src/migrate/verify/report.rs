//! What a comparison has found.

use crate::Lsn;

/// What was found, table by table, at one position.
///
/// It holds the keys of rows that differ, and so values of the tables: that is its purpose. No other value is in it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct VerifyReport {
    /// Where both sides were compared: every transaction that committed on the source before it, and none after it.
    pub lsn: Lsn,
    /// Every table that was compared, by schema and name.
    pub tables: Vec<TableReport>,
    /// Those that [`resume`](super::Verify::resume) has left out: they were equal at an earlier position.
    pub proven_before: Vec<Proven>,
}

/// A table that was found equal by a comparison that was interrupted.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub struct Proven {
    /// Its schema.
    pub schema: String,
    /// Its name.
    pub table: String,
    /// Where both sides were compared.
    pub lsn: Lsn,
}

impl VerifyReport {
    /// Whether every table that was compared is equal on both sides.
    pub fn is_equal(&self) -> bool {
        self.tables.iter().all(TableReport::is_equal)
    }
}

/// What was found in one table.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TableReport {
    /// Its schema, the same on both sides.
    pub schema: String,
    /// Its name.
    pub table: String,
    /// How many rows the source publishes of it.
    pub rows_source: u64,
    /// How many the target has.
    pub rows_target: u64,
    /// Differences, by key, no more than [`max_keys`](super::Verify::max_keys).
    pub differences: Vec<Difference>,
    /// How many differences there are beyond those.
    pub more: u64,
    /// Why it could not be compared at this position: most often because it was truncated or rewritten since, so that
    /// the snapshot sees nothing of it. Then nothing is proven of it, and the numbers are 0.
    pub unproven: Option<String>,
}

impl Proven {
    pub(super) fn name(&self) -> (String, String) {
        (self.schema.clone(), self.table.clone())
    }
}

impl TableReport {
    /// In which nothing was found yet.
    pub(super) fn new(schema: &str, table: &str) -> Self {
        Self {
            schema: schema.to_owned(),
            table: table.to_owned(),
            rows_source: 0,
            rows_target: 0,
            differences: Vec::new(),
            more: 0,
            unproven: None,
        }
    }

    /// Whether it was compared, and is equal on both sides.
    pub fn is_equal(&self) -> bool {
        self.unproven.is_none() && self.differences.is_empty() && self.more == 0
    }
}

/// A row that is not the same on both sides.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Difference {
    /// Which rows.
    pub key: RowKey,
    /// What is wrong with them.
    pub kind: DifferenceKind,
}

/// Which rows a [`Difference`] is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum RowKey {
    /// The columns of the replica identity or the primary key, with their values as the server prints them; `None` is
    /// NULL.
    Columns(Vec<(String, Option<String>)>),
    /// Of a table without a key: 128 bits of the whole row's hash, as 32 hexadecimal digits.
    RowHash(String),
}

/// How a row differs.
///
/// Of a table without a key, a row with other values is one that is missing and one that is extra. Of one with a key, so is
/// a row whose key prints otherwise, `1.0` and `1.00` or `a` and `A`, even where the key's type takes them for equal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DifferenceKind {
    /// The target has none that the source has.
    Missing,
    /// The target has one that the source has not.
    Extra,
    /// Both have one, with other values.
    Differs,
    /// At least one side has the very same row more than once, and the other has it another number of times.
    Duplicated {
        /// How often the source has it.
        source: u64,
        /// How often the target has it.
        target: u64,
    },
}
