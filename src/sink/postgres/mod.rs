//! Another PostgreSQL: each transaction exactly once, each value as it was written.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use walferry::sink::postgres::PostgresSink;
//! use walferry::{Config, Connection, Pipeline, StreamOptions};
//!
//! let source: Config = "postgresql://walferry@old.example.org/shop".parse()?;
//! let target: Config = "postgresql://walferry@new.example.org/shop".parse()?;
//! let options = StreamOptions::new("shop_changes".parse()?).publication("shop");
//! let stream = Connection::connect(&source).await?.start_replication(options).await?;
//!
//! let sink = PostgresSink::new(target, "shop_changes");
//! let monitor = sink.monitor();
//! Pipeline::new(sink).run(stream, std::future::pending()).await?;
//! println!("{:?}", monitor.statistics());
//! # Ok(())
//! # }
//! ```
//!
//! The tables have to be there, by the names that they have on the source, and so have their columns. Columns of the target
//! that the source doesn't send keep their defaults. Rows that were there before the slot are not copied.
//!
//! # Exactly once
//!
//! How far the target is, says a row of the table `walferry.progress` in it. The row changes in the transaction that brings
//! the changes, from what this sink has made it and from nothing else: two sinks under one name can't both move it. When the
//! sink connects, it begins there, whatever was interrupted. The table is made on first use.
//!
//! Changes are committed with `synchronous_commit = off`. A flush waits until they are on disk, by the setting that the
//! session came with (`on`, if that is `off`), and only then is the source told. For that it has a second session, so that
//! changes don't wait for the disk; if the target doesn't admit it, they do. If the target crashes in between, its
//! progress goes back together with the data, and what is missing comes again.
//!
//! Many transactions of the source may become one of the target. None of the source's is ever seen in part.
//!
//! # How changes are applied
//!
//! A value goes as a parameter or by COPY, in the bytes that were sent. A binary value whose type is another one on the target
//! goes as the text that the source would have sent; of names of objects only the source knows it, and they are refused.
//!
//! What the changes of a batch come to, row by row, is applied by few statements: deletes first, then updates, then new rows.
//! Each has to find as many rows as there are keys. Applied by themselves, in their order, are
//!
//! * changes of tables whose triggers or rules fire in this session, and of views and foreign tables;
//! * changes of rows that no unique key of the target tells apart, and those of a key;
//! * TRUNCATE, and the changes of a partition beside those of the table that it belongs to.
//!
//! When the target objects to what was gathered, the batch is rolled back and applied again, change by change, each
//! transaction by itself ([`Statistics::replayed_in_order`]). So an error names a change, or the commit. Without a key, one
//! of several equal rows is changed, found by the texts of all its columns.
//!
//! An UPDATE or DELETE that doesn't find exactly one row is an error; see [`OnConflict`] for who wants it otherwise.
//!
//! Generated columns are the target's own. An identity that is `GENERATED ALWAYS` takes the source's values. TRUNCATE is never
//! CASCADE: it names the tables that the source named. Prepared transactions are prepared, under names that begin with
//! `walferry:` and the sink's name, where the target's `max_prepared_transactions` allows.
//!
//! # Triggers and foreign keys
//!
//! The sink sets `session_replication_role` to `replica`, as PostgreSQL's own subscriptions do. Then foreign keys are not
//! checked, and of triggers only those fire that are `ENABLE REPLICA` or `ENABLE ALWAYS`.
//!
//! If its role may not do that, the sink says so in its log and goes on. Then triggers fire for what comes from the source,
//! where they have fired already, and what they did there comes as changes, too; foreign keys are checked; and a table that
//! has any of either is changed row by row. From version 15 on, `GRANT SET ON PARAMETER session_replication_role` allows it.
//!
//! # What the role needs
//!
//! `CREATE` on the database, once, or the schema and table from somebody else; `SELECT`, `INSERT`, `UPDATE`, `DELETE` and
//! `TRUNCATE` on the tables.
//!
//! # When a table of the source changes
//!
//! DDL is not sent. The first change of the new shape shows it. A column or table that the target lacks stops the sink, with
//! the statement that is missing ([`ApplyError::statement`]): the new column with its type, or the new name of what was
//! renamed. A column that was dropped may stay, but not insist on a value. Another type matters when the target refuses a
//! value. The source's defaults are not sent, nor what its DDL did to rows that were there before: that of the target has
//! to be the same. Nothing of this is run by the sink; when the target was changed, it goes on.
//!
//! # Loops
//!
//! Two databases can replicate into each other, from version 16 on, if each direction marks what it writes
//! ([`PostgresSink::origin`]) and asks for what isn't marked ([`Origin::None`](crate::stream::Origin::None)).

mod alone;
mod apply;
mod conflict;
mod drift;
mod encode;
mod error;
mod flusher;
mod fold;
mod gathered;
mod in_order;
mod inflight;
mod ordered;
mod origin;
mod place;
mod plan;
mod prepared;
mod progress;
mod quarantine;
mod session;
mod statement;
mod statistics;
mod table;
mod worker;

pub use self::conflict::OnConflict;
pub use self::error::{ApplyError, ApplyErrorKind, ChangePlace, Refusal};
pub use self::statistics::{Monitor, Statistics};
use self::worker::Worker;
use super::{Batch, ChangeSink, Flushing, Progress, SinkKind};
use crate::connection::Config;
use crate::session::Fingerprint;

/// Applies changes to a database of another server.
#[derive(Debug)]
pub struct PostgresSink {
    options: Options,
    worker: Option<Worker>,
}

#[derive(Debug, Clone)]
struct Options {
    config: Config,
    name: String,
    gathers: bool,
    on_conflict: OnConflict,
    origin: Option<String>,
    monitor: Monitor,
}

impl PostgresSink {
    /// Connects when it is used first. `name` tells what comes through it from what comes through other sinks to the same
    /// database; the name of the slot does.
    pub fn new(config: Config, name: impl Into<String>) -> Self {
        let options = Options {
            config,
            name: name.into(),
            gathers: true,
            on_conflict: OnConflict::Stop,
            origin: None,
            monitor: Monitor::default(),
        };
        Self { options, worker: None }
    }

    /// Whether changes of many rows are taken together; yes, if not said. If not, each is applied by itself, in the order
    /// of the source.
    #[must_use]
    pub fn gather(mut self, gather: bool) -> Self {
        self.options.gathers = gather;
        self
    }

    /// What becomes of a change that conflicts with what the target holds: the sink stops, if not said.
    #[must_use]
    pub fn on_conflict(mut self, policy: OnConflict) -> Self {
        self.options.on_conflict = policy;
        self
    }

    /// Marks what the sink writes with a replication origin of this name, which is created if there is none. For loops: a
    /// stream from the target with [`Origin::None`](crate::stream::Origin::None) leaves out what is marked. Each sink needs
    /// one of its own.
    ///
    /// Where the target stands is not read from it: a transaction that is rolled back can move an origin.
    #[must_use]
    pub fn origin(mut self, name: impl Into<String>) -> Self {
        self.options.origin = Some(name.into());
        self
    }

    /// What the sink has done, to look at while it works.
    pub fn monitor(&self) -> Monitor {
        self.options.monitor.clone()
    }
}

impl ChangeSink for PostgresSink {
    type Error = ApplyError;

    async fn write(&mut self, batch: Batch) -> Result<(), ApplyError> {
        self.give(batch).await
    }

    async fn flush(&mut self) -> Result<(), ApplyError> {
        self.ask_flush().await
    }

    fn flush_beside(&mut self) -> Option<Flushing> {
        self.ask_flush_beside()
    }

    async fn rollback(&mut self) -> Result<(), ApplyError> {
        self.ask_rollback().await
    }

    fn is_retryable(error: &ApplyError) -> bool {
        error.is_retryable()
    }

    fn kind(&self) -> SinkKind {
        SinkKind::Mirror
    }

    async fn progress(&mut self) -> Result<Progress, ApplyError> {
        Ok(self.ask_progress().await?.map_or(Progress::None, Progress::At))
    }

    async fn set_progress(&mut self, progress: &Fingerprint) -> Result<(), ApplyError> {
        self.ask_set_progress(progress.clone()).await
    }
}

#[cfg(test)]
mod tests;
