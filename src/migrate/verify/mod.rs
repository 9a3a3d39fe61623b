//! Proves that both sides are equal at one position.

mod compare;
mod lookup;
mod merge;
mod plan;
mod report;
mod session;
mod statement;

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use self::compare::Comparison;
use super::Migration;
use crate::Lsn;
use crate::error::Error;

pub use report::{Difference, DifferenceKind, RowKey, TableReport, VerifyReport};

/// Two snapshots of the same position: names that `pg_export_snapshot()` gave, of transactions that go on.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Snapshots {
    /// The position on the source.
    pub lsn: Lsn,
    /// The source as it was there.
    pub source: String,
    /// The target with everything up to there applied, and nothing after it.
    pub target: String,
}

impl Snapshots {
    /// Both are of the position `lsn`.
    pub fn new(lsn: Lsn, source: impl Into<String>, target: impl Into<String>) -> Self {
        Self { lsn, source: source.into(), target: target.into() }
    }
}

/// One side of a migration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "a migration has two sides")]
pub enum Side {
    /// Where the data is.
    Source,
    /// Where it is to be.
    Target,
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Source => "source",
            Self::Target => "target",
        })
    }
}

/// What [`Verify::monitor`] is told.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum Progress<'a> {
    /// What there is to be done, once, before anything else.
    Planned {
        /// How many tables.
        tables: usize,
        /// How many bytes they take on both sides together, large values included.
        bytes: u64,
    },
    /// A statement has read a part of a table.
    Read {
        /// On which side.
        side: Side,
        /// The table's schema.
        schema: &'a str,
        /// The table.
        table: &'a str,
        /// About how many bytes it has read: all of them add up to what was planned.
        bytes: u64,
        /// How many rows.
        rows: u64,
    },
    /// A table is done. If it [is equal](TableReport::is_equal), a later run may [skip](Verify::skip) it.
    Compared(&'a TableReport),
}

type Monitor = Arc<dyn Fn(Progress<'_>) + Send + Sync>;

/// Compares the tables of a publication on both sides.
#[derive(Clone)]
#[must_use = "nothing is compared before compare"]
pub struct Verify {
    jobs: usize,
    only: Option<BTreeSet<(String, String)>>,
    skip: BTreeSet<(String, String)>,
    max_keys: usize,
    throttle: u8,
    chunk_bytes: u64,
    md5: bool,
    monitor: Option<Monitor>,
}

impl Default for Verify {
    fn default() -> Self {
        Self {
            jobs: 2,
            only: None,
            skip: BTreeSet::new(),
            max_keys: 100,
            throttle: 100,
            chunk_bytes: 256 << 20,
            md5: false,
            monitor: None,
        }
    }
}

impl Verify {
    /// All tables of the publication, by two sessions on each side.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many sessions work on each side; at least one does.
    pub fn jobs(mut self, jobs: usize) -> Self {
        self.jobs = jobs.max(1);
        self
    }

    /// Compares these tables alone, each given as schema and name.
    pub fn only(mut self, tables: impl IntoIterator<Item = (impl Into<String>, impl Into<String>)>) -> Self {
        self.only = Some(names(tables));
        self
    }

    /// Leaves out what an earlier run has proven. Then not every table is proven at one position.
    pub fn skip(mut self, tables: impl IntoIterator<Item = (impl Into<String>, impl Into<String>)>) -> Self {
        self.skip = names(tables);
        self
    }

    /// How many differences of each table are reported with their keys; 100 unless told. Those beyond are counted.
    pub fn max_keys(mut self, keys: usize) -> Self {
        self.max_keys = keys;
        self
    }

    /// How much of the time each session may work, in percent, from 1 to 100: after each statement it rests.
    pub fn throttle(mut self, percent: u8) -> Self {
        self.throttle = percent.clamp(1, 100);
        self
    }

    /// How many bytes of a table one statement reads at the most, 256 MiB unless told: with them goes how long it takes. A
    /// relation that is no heap is read at once.
    pub fn chunk_bytes(mut self, bytes: u64) -> Self {
        self.chunk_bytes = bytes;
        self
    }

    /// Hashes rows by MD5 rather than by the servers' own hash function, which takes two to four times as long. This is
    /// done in any case where the two servers' own functions differ, on machines of another byte order.
    pub fn md5(mut self) -> Self {
        self.md5 = true;
        self
    }

    /// Calls this as the work goes on.
    pub fn monitor(mut self, monitor: impl Fn(Progress<'_>) + Send + Sync + 'static) -> Self {
        self.monitor = Some(Arc::new(monitor));
        self
    }

    /// Compares both sides as they are in these snapshots, which must live until this is done.
    pub async fn compare(&self, migration: &Migration, at: &Snapshots) -> Result<VerifyReport, Error> {
        Box::pin(Comparison::new(self, migration, at).run(migration.publication())).await
    }
}

impl fmt::Debug for Verify {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verify")
            .field("jobs", &self.jobs)
            .field("only", &self.only)
            .field("skip", &self.skip)
            .field("max_keys", &self.max_keys)
            .field("throttle", &self.throttle)
            .field("chunk_bytes", &self.chunk_bytes)
            .field("md5", &self.md5)
            .finish_non_exhaustive()
    }
}

fn names(
    tables: impl IntoIterator<Item = (impl Into<String>, impl Into<String>)>,
) -> BTreeSet<(String, String)> {
    tables.into_iter().map(|(schema, table)| (schema.into(), table.into())).collect()
}
