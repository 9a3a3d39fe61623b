//! Another PostgreSQL: each transaction exactly once, each value as it was written.

mod apply;
mod encode;
mod error;
mod fold;
mod gathered;
mod inflight;
mod ordered;
mod plan;
mod prepared;
mod progress;
mod session;
mod statement;
mod statistics;
mod table;
mod worker;

pub use self::error::{ApplyError, ApplyErrorKind, ChangePlace, Refusal};
pub use self::statistics::{Monitor, Statistics};
use self::worker::Worker;
use super::{Batch, ChangeSink, Progress, SinkKind};
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
    monitor: Monitor,
}

impl PostgresSink {
    /// Connects when it is used first. `name` tells what comes through it from what comes through other sinks to the same
    /// database; the name of the slot does.
    pub fn new(config: Config, name: impl Into<String>) -> Self {
        let options = Options { config, name: name.into(), gathers: true, monitor: Monitor::default() };
        Self { options, worker: None }
    }

    /// Whether changes of many rows are taken together; yes, if not said. If not, each is applied by itself, in the order
    /// of the source.
    #[must_use]
    pub fn gather(mut self, gather: bool) -> Self {
        self.options.gathers = gather;
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
        self.give(batch.into_events()).await
    }

    async fn flush(&mut self) -> Result<(), ApplyError> {
        self.ask_flush().await
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
