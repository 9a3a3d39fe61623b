//! A sink that is given each transaction alone.

use std::sync::atomic::{AtomicUsize, Ordering};

use walferry::event::Event;
use walferry::session::Fingerprint;
use walferry::sink::postgres::{ApplyError, PostgresSink};
use walferry::sink::{Batch, ChangeSink, Flushing, Progress, SinkKind};

pub(crate) struct Singly<'a> {
    pub(crate) sink: PostgresSink,
    /// What happens before each transaction; the first is 0. What came before it is applied by then.
    pub(crate) before: &'a (dyn Fn(usize) + Sync),
    count: AtomicUsize,
}

impl<'a> Singly<'a> {
    pub(crate) fn new(sink: PostgresSink, before: &'a (dyn Fn(usize) + Sync)) -> Self {
        Self { sink, before, count: AtomicUsize::new(0) }
    }
}

impl ChangeSink for Singly<'_> {
    type Error = ApplyError;

    async fn write(&mut self, batch: Batch) -> Result<(), ApplyError> {
        let mut alone = Batch::default();
        for event in batch.into_events() {
            if matches!(event, Event::Begin(_)) {
                self.sink.progress().await?;
                (self.before)(self.count.fetch_add(1, Ordering::SeqCst));
            }
            let is_end = matches!(event, Event::Commit(_) | Event::Prepare(_));
            alone.push(event);
            if is_end {
                self.sink.write(std::mem::take(&mut alone)).await?;
            }
        }
        if alone.is_empty() { Ok(()) } else { self.sink.write(alone).await }
    }

    async fn flush(&mut self) -> Result<(), ApplyError> {
        self.sink.flush().await
    }

    fn flush_beside(&mut self) -> Option<Flushing> {
        self.sink.flush_beside()
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
