//! Proves that both sides are equal at one position.
//!
//! Both sides are read as they were at that position, in two [snapshots](Snapshots), while the source is written to. Each
//! server adds up hashes of its rows by classes of keys; sums don't depend on the order of rows, nor on how a table is
//! stored. Classes with equal sums are equal. Of the others the keys and hashes are listed, and merged.
//!
//! # What is equal
//!
//! * What the publication publishes is compared: its tables, of them the rows of its row filters and the columns of its
//!   column lists. The target may have other tables and other columns. Of a table that is published it may have no other
//!   rows, whatever a row filter says of them.
//! * Columns are paired by name. Generated ones are compared where the target has them.
//! * Values are equal if they print the same, in a session whose settings are pinned: `1.0` is not `1.00`, `-0` is not
//!   `0`, NULL is not an empty text, ` {"a":1}` is not `{"a": 1}` in a `json`. So an `int4` may be an `int8` on the target,
//!   and a `varchar` a `text`. What a type doesn't print, it doesn't compare either: the bits of a NaN, the version that
//!   an `xml` value declares. In databases of different encodings, characters are compared.
//! * Partitions are compared together under the name of their root, if all of them are published without a filter or a list
//!   and the target has the root, or if the publication publishes by the root. Otherwise each is compared by itself.
//!   Which partition a row is in is not compared then.
//! * Rows are hashed to 128 bits, by two runs of the servers' own hash function, or by [MD5](Verify::md5). Neither can be
//!   fooled by chance; both can by whoever may choose what the rows hold.
//!
//! # What it costs
//!
//! Each table is read once on either side, both at the same time, in statements that read up to
//! [`chunk_bytes`](Verify::chunk_bytes); that takes about as long as `SELECT count(md5(t::text))`. If there are differences,
//! it is read once more, sixteen times more at the worst, to list them: such a statement reads all of it, and sorts what is in
//! the classes that differ. What that needs on the servers beyond 16 MB goes to their temporary files.
//!
//! Here, a table takes up to 16,384 sums of 40 bytes for each side, one row of each side while rows are listed, and what is
//! reported; as many tables are in work at once as there are [`jobs`](Verify::jobs). No transaction is longer than
//! a statement; but the snapshots themselves keep the servers from cleaning up as long as they are held.
//!
//! A session that is lost is replaced a few times, in the same snapshot. A snapshot that is lost is an error at once.
//!
//! ```no_run
//! # async fn example(migration: walferry::migrate::Migration, at: walferry::migrate::verify::Snapshots) -> Result<(), walferry::Error> {
//! use walferry::migrate::verify::Verify;
//!
//! let report = Verify::new().jobs(4).compare(&migration, &at).await?;
//! for table in &report.tables {
//!     for difference in &table.differences {
//!         println!("{}.{}: {difference:?}", table.schema, table.table);
//!     }
//! }
//! println!("equal at {}: {}", report.lsn, report.is_equal());
//! # Ok(())
//! # }
//! ```

mod classes;
mod compare;
mod lookup;
mod merge;
mod notes;
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

pub use report::{Difference, DifferenceKind, Proven, RowKey, TableReport, VerifyReport};

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
    /// A table is done.
    Compared(&'a TableReport),
}

type Monitor = Arc<dyn Fn(Progress<'_>) + Send + Sync>;

/// Compares the tables of a publication on both sides.
#[derive(Clone)]
#[must_use = "nothing is compared before compare"]
pub struct Verify {
    jobs: usize,
    only: Option<BTreeSet<(String, String)>>,
    remembers: bool,
    resumes: bool,
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
            remembers: false,
            resumes: false,
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

    /// Compares these tables alone, each given by schema and name as in a [`TableReport`].
    pub fn only(mut self, tables: impl IntoIterator<Item = (impl Into<String>, impl Into<String>)>) -> Self {
        self.only = Some(tables.into_iter().map(|(schema, table)| (schema.into(), table.into())).collect());
        self
    }

    /// Notes in the target, in the table `walferry.verified`, which tables are equal, so that a comparison that is interrupted can
    /// be [gone on with](Verify::resume). When one is whole, whatever it has found, the notes of this migration are dropped.
    pub fn remember(mut self) -> Self {
        self.remembers = true;
        self
    }

    /// Leaves out what a comparison that was interrupted has [noted](Verify::remember), and goes on with its notes. The
    /// report [names them](VerifyReport::proven_before): not every table is proven at one position.
    pub fn resume(mut self) -> Self {
        self.resumes = true;
        self.remember()
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

    /// Calls this as the work goes on, from the task that compares: it should be quick.
    ///
    /// ```
    /// use walferry::migrate::verify::{Progress, Verify};
    ///
    /// let verify = Verify::new().monitor(|progress| match progress {
    ///     Progress::Compared(table) => eprintln!("{}.{}: {}", table.schema, table.table, table.is_equal()),
    ///     _ => {}
    /// });
    /// ```
    pub fn monitor(mut self, monitor: impl Fn(Progress<'_>) + Send + Sync + 'static) -> Self {
        self.monitor = Some(Arc::new(monitor));
        self
    }

    /// Compares both sides as they are in these snapshots, which must live until this is done.
    ///
    /// Dropping the future ends the sessions.
    ///
    /// # Errors
    ///
    /// [`Error::Precondition`] says what must be done first: a snapshot is gone, the target lacks tables or columns, the
    /// role may not read a table, a name is not that of a published table. That a table [could not be
    /// compared](TableReport::unproven) is no error, nor that it differs: that is told in the report.
    pub async fn compare(&self, migration: &Migration, at: &Snapshots) -> Result<VerifyReport, Error> {
        Box::pin(Comparison::new(self, migration, at).run(migration.publication())).await
    }
}

impl fmt::Debug for Verify {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verify")
            .field("jobs", &self.jobs)
            .field("only", &self.only)
            .field("remembers", &self.remembers)
            .field("resumes", &self.resumes)
            .field("max_keys", &self.max_keys)
            .field("throttle", &self.throttle)
            .field("chunk_bytes", &self.chunk_bytes)
            .field("md5", &self.md5)
            .finish_non_exhaustive()
    }
}
