//! What the published tables held when a slot was made: copied once, beside which the stream goes on.
//!
//! A slot that is made with [`Snapshot::Use`](crate::connection::Snapshot::Use) has a snapshot to it: every transaction is
//! either in the snapshot or comes through the slot, and none is in both. [`SnapshotCopy`] copies the tables at that
//! snapshot from one server to another. Whoever applies the stream then drops, for each table, what was committed
//! before the position at which it was [`copied`].
//!
//! ```no_run
//! use walferry::connection::Snapshot;
//! use walferry::snapshot::{Exported, SnapshotCopy};
//! use walferry::{Config, Connection, SlotOptions};
//!
//! # async fn example(source: Config, target: Config) -> Result<(), Box<dyn std::error::Error>> {
//! let mut connection = Connection::connect(&source).await?;
//! let options = SlotOptions::new().snapshot(Snapshot::Use);
//! let mut slot = connection.create_slot(&"shop".parse()?, options).await?;
//! let snapshot = Exported::new(slot.export_snapshot().await?, slot.consistent_point());
//!
//! let copy = SnapshotCopy::new(source, target, "shop").publication("shop").jobs(4);
//! let report = copy.run(&snapshot).await?;
//! println!("{} rows of {} tables", report.rows, report.tables);
//! slot.release().await?;
//! # Ok(())
//! # }
//! ```
//!
//! # Into any other sink
//!
//! [`SnapshotRows`] reads the same tables at the same snapshot, row by row, for whoever wants them. With [`SnapshotStream`] a
//! pipeline gives them to any sink before the stream, each as a [`Change::Snapshot`](crate::Change::Snapshot), exactly once:
//!
//! ```no_run
//! use walferry::sink::{Output, sql::SqlSink};
//! use walferry::snapshot::SnapshotStream;
//! use walferry::{Config, Pipeline, SlotOptions, StreamOptions};
//!
//! # async fn example(source: Config) -> Result<(), Box<dyn std::error::Error>> {
//! let options = StreamOptions::new("shop_changes".parse()?).publication("shop");
//! let stream = SnapshotStream::open(&source, SlotOptions::new(), options).await?;
//! let sink = SqlSink::new(Output::stdout(), stream.catalog().clone());
//! Pipeline::new(sink).run_snapshot(stream, std::future::pending()).await?;
//! # Ok(())
//! # }
//! ```
//!
//! A copied row and a streamed one go through the same decoder, from what the same output functions have printed under the
//! same settings. One session reads: into another PostgreSQL, [`SnapshotCopy`] is faster by far.
//!
//! # How a copy from server to server works
//!
//! * Rows go from `COPY … TO STDOUT` to `COPY … FROM STDIN` as they are: nothing reads them on the way. In binary where
//!   all of a table's columns have built-in types, the same on both sides; in text otherwise. A row of any size takes
//!   no more memory here than a small one.
//! * A table is copied in chunks of its blocks, each by the first job that is free; jobs share a table only when no other is
//!   left. A chunk is loaded in one transaction with its entry in a ledger in the target, `walferry.copy_chunk`: what was
//!   interrupted goes on behind the last chunk.
//! * A table of one chunk is loaded by `COPY … (FREEZE)`: it needs no vacuum afterwards.
//! * Column lists and row filters of the publications hold here as in the stream. Columns are matched by name. Those of
//!   the target that the source hasn't got take their defaults, and those that it generates are left to it.
//! * The source's role must bypass row security, or own the tables: otherwise there is an error, never a part of the rows.
//! * While it runs, the source's tables are locked in `ACCESS SHARE` mode: nobody can rewrite, truncate or drop them.

mod chunk;
mod columns;
mod job;
mod ledger;
mod monitor;
mod plan;
mod query;
mod queue;
mod relation;
mod rows;
mod source;
mod stream;
mod target;

use std::time::{Duration, Instant};

use crate::Lsn;
use crate::connection::Config;
use crate::error::Error;

pub(crate) use ledger::record;
pub use ledger::{Copied, copied, forget};
pub use monitor::{Monitor, TableProgress};
pub use rows::SnapshotRows;
pub use stream::SnapshotStream;
pub(crate) use stream::{Copying, Making, Opened};

/// How much of a table is one chunk, unless asked otherwise.
const CHUNK_BYTES: u64 = 256 * 1024 * 1024;

/// A snapshot that a transaction holds and has exported, and where the slot's stream begins that goes with it.
///
/// It can be had as long as that transaction is open. Sessions that have it by then keep it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exported {
    name: String,
    lsn: Lsn,
}

impl Exported {
    /// `name` as `pg_export_snapshot()` gives it, and the consistent point of the slot.
    pub fn new(name: impl Into<String>, lsn: Lsn) -> Self {
        Self { name: name.into(), lsn }
    }

    /// What other sessions ask for it by.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// All that was committed before is in the snapshot; all that was committed from here on comes by the stream.
    pub fn lsn(&self) -> Lsn {
        self.lsn
    }
}

/// A consistent copy of published tables into another server.
#[derive(Debug, Clone)]
#[must_use = "nothing is copied before `run`"]
pub struct SnapshotCopy {
    source: Config,
    target: Config,
    name: String,
    publications: Vec<String>,
    jobs: usize,
    chunk_bytes: u64,
    monitor: Monitor,
}

/// A published table, under the name that the stream has for it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Table {
    /// Its schema.
    pub schema: String,
    /// Its name.
    pub name: String,
    /// What it takes on the source's disk, with its partitions and what is stored out of line, in bytes; without indexes.
    pub size: u64,
    /// At which position it is wholly copied already.
    pub copied_at: Option<Lsn>,
}

/// What a run has done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// Tables that are whole now and were not before.
    pub tables: usize,
    /// Tables that were whole already.
    pub whole_before: usize,
    /// Rows that this run has copied.
    pub rows: u64,
    /// Bytes that this run has sent to the target.
    pub bytes: u64,
    /// How long it took.
    pub elapsed: Duration,
}

impl SnapshotCopy {
    /// Copies from `source` to `target`. The ledger in the target is kept under `name`, which is best the slot's.
    pub fn new(source: Config, target: Config, name: impl Into<String>) -> Self {
        Self {
            source,
            target,
            name: name.into(),
            publications: Vec::new(),
            jobs: 2,
            chunk_bytes: CHUNK_BYTES,
            monitor: Monitor::default(),
        }
    }

    /// Copies the tables of this publication; may be given several times.
    pub fn publication(mut self, name: impl Into<String>) -> Self {
        self.publications.push(name.into());
        self
    }

    /// How many chunks are copied at the same time, each by a connection to either server. By default 2.
    pub fn jobs(mut self, jobs: usize) -> Self {
        self.jobs = jobs.max(1);
        self
    }

    /// How much of a table's size on disk is one chunk, in bytes; by default 256 MiB.
    ///
    /// An interruption costs one chunk a job. A table that is larger than a chunk can be copied by several jobs, but not
    /// with `FREEZE`.
    pub fn chunk_bytes(mut self, bytes: u64) -> Self {
        self.chunk_bytes = bytes.max(1);
        self
    }

    /// A handle that tells how far the copy is, and slows or pauses it; to be used from anywhere, at any time.
    pub fn monitor(&self) -> Monitor {
        self.monitor.clone()
    }

    /// The tables that there are to copy as of now, the largest first.
    ///
    /// # Errors
    ///
    /// [`Error::Precondition`] when there is no such publication.
    pub async fn tables(&self) -> Result<Vec<Table>, Error> {
        Box::pin(plan::tables(self)).await
    }

    /// Copies what the ledger hasn't got yet, all of it at this snapshot.
    ///
    /// The transaction that exported the snapshot must stay open meanwhile. Tables that an earlier run has copied wholly,
    /// at whichever snapshot, are left as they are. Of a table that an earlier run copied in part, the rest is copied if
    /// the snapshot is the same; else it is emptied and copied anew.
    ///
    /// Dropping the future stops everything at once. What the ledger has by then stays.
    ///
    /// # Errors
    ///
    /// * [`Error::Precondition`], with what mends it: a table or a column that the target lacks; a target's table that has
    ///   rows which no run has brought; a snapshot that is gone; a table of the source that was rewritten since.
    /// * [`Error::Server`] where a server refuses. A role that is subject to row security gets 42501.
    /// * What is retryable, once it has been tried again for some seconds.
    pub async fn run(&self, snapshot: &Exported) -> Result<Report, Error> {
        let begun = Instant::now();
        let report = Box::pin(plan::run(self, snapshot)).await?;
        Ok(Report { elapsed: begun.elapsed(), ..report })
    }
}
