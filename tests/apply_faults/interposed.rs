//! Something happens just before the sink is asked.

use std::sync::atomic::{AtomicBool, Ordering};

use walferry::session::Fingerprint;
use walferry::sink::postgres::{ApplyError, PostgresSink};
use walferry::sink::{Batch, ChangeSink, Progress, SinkKind};

/// Before which call, once.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Before {
    Write,
    Flush,
    /// What was flushed is acknowledged.
    Acknowledge,
}

pub(crate) struct Interposed<'a> {
    pub(crate) sink: PostgresSink,
    pub(crate) before: Before,
    pub(crate) happens: &'a (dyn Fn() + Sync),
    pub(crate) happened: &'a AtomicBool,
}

impl Interposed<'_> {
    fn at(&self, before: Before) {
        if self.before == before && !self.happened.swap(true, Ordering::SeqCst) {
            (self.happens)();
        }
    }
}

impl ChangeSink for Interposed<'_> {
    type Error = ApplyError;

    async fn write(&mut self, batch: Batch) -> Result<(), ApplyError> {
        self.at(Before::Write);
        self.sink.write(batch).await
    }

    async fn flush(&mut self) -> Result<(), ApplyError> {
        if self.before == Before::Flush {
            // What was written is applied by then.
            self.sink.progress().await?;
        }
        self.at(Before::Flush);
        let flushed = self.sink.flush().await;
        self.at(Before::Acknowledge);
        flushed
    }

    async fn rollback(&mut self) -> Result<(), ApplyError> {
        self.sink.rollback().await
    }

    fn is_retryable(error: &ApplyError) -> bool {
        PostgresSink::is_retryable(error)
    }

    fn kind(&self) -> SinkKind {
        self.sink.kind()
    }

    async fn progress(&mut self) -> Result<Progress, ApplyError> {
        self.sink.progress().await
    }

    async fn set_progress(&mut self, progress: &Fingerprint) -> Result<(), ApplyError> {
        self.sink.set_progress(progress).await
    }
}
