//! The far side: what the sink is told to do.

use std::future::Future;

use tokio::time::Instant;

use super::run::{Run, Trouble};
use super::source::Source;
use crate::sink::ChangeSink;
use crate::{Lsn, trace};

impl<S: ChangeSink, R: Source, F: Future<Output = ()>> Run<S, R, F> {
    /// Writes what was gathered; what the sink has to forget, goes first.
    pub(super) async fn write(&mut self) -> Result<(), Trouble> {
        let is_open = !self.intake.transaction.is_whole();
        let (mut gathered, rollback) = self.intake.hand_over();
        self.ledger.write(&mut gathered, Instant::now());
        let batch = gathered.batch;
        trace::debug!(events = batch.len(), bytes = batch.byte_len(), "batch");
        self.half.is_written = is_open;
        self.half.is_durable |= is_open;
        self.intake.with_sink = batch.byte_len();
        let sink = &mut self.sink;
        let work = async {
            if rollback {
                sink.rollback().await?;
            }
            if batch.is_empty() { Ok(()) } else { sink.write(batch).await }
        };
        let written = self.intake.beside(work).await;
        self.intake.with_sink = 0;
        written?.map_err(Trouble::of::<S>)?;
        if rollback {
            self.statistics.rollbacks += 1;
            self.half.is_durable = is_open;
        }
        Ok(())
    }

    /// Lets the sink begin a flush beside what is written next: whether it does. One at a time.
    pub(super) fn begin_flush(&mut self) -> bool {
        if self.flushing.is_some() {
            return false;
        }
        self.flushing = self.sink.flush_beside();
        if self.flushing.is_some() {
            self.ledger.begin_flush();
        }
        self.flushing.is_some()
    }

    /// Acknowledges what the flush has made durable that was begun.
    pub(super) async fn end_flush(&mut self) -> Result<(), Trouble> {
        self.intake.source.make_durable().await.map_err(Trouble::Source)?;
        let position = self.ledger.end_flush(&mut self.statistics);
        self.acknowledge(position);
        Ok(())
    }

    /// Makes durable what was written before this, and acknowledges it: what is gathered meanwhile has its own time.
    pub(super) async fn flush(&mut self) -> Result<(), Trouble> {
        self.flushing = None;
        self.intake.beside(self.sink.flush()).await?.map_err(Trouble::of::<S>)?;
        self.intake.source.make_durable().await.map_err(Trouble::Source)?;
        self.half.is_durable = self.half.is_written;
        let position = self.ledger.flushed(&mut self.statistics);
        self.acknowledge(position);
        Ok(())
    }

    fn acknowledge(&mut self, position: Option<Lsn>) {
        self.last_event = Instant::now();
        if let Some(position) = position {
            self.backoff.reset();
            self.intake.source.acknowledge(position);
        }
        self.publish();
    }

    /// What is to be done now and then.
    pub(super) async fn tend(&mut self) -> Result<(), Trouble> {
        self.publish();
        self.keep_idle().await?;
        self.beat().await?;
        Ok(())
    }

    /// Lets the sink keep how far an idle source is, before the server hears of it. Not within a transaction that the sink
    /// has a part of: it might forget the position with the part.
    async fn keep_idle(&mut self) -> Result<(), Trouble> {
        if !self.keeps_progress || self.half.is_written || !self.ledger.is_durable() {
            return Ok(());
        }
        let Some(progress) = self.intake.source.idle() else { return Ok(()) };
        let kept = self.sink.set_progress(&progress);
        self.intake.beside(kept).await?.map_err(Trouble::of::<S>)?;
        self.intake.source.idle_kept(&progress);
        Ok(())
    }

    /// Moves the slot of a quiet database, if that is wanted. Whether it works is not this run's concern.
    async fn beat(&mut self) -> Result<(), Trouble> {
        if self.heartbeat.is_none_or(|interval| self.last_event.elapsed() < interval) {
            return Ok(());
        }
        self.last_event = Instant::now();
        let beat = self.intake.source.beat();
        if let Err(error) = self.intake.beside(beat).await? {
            trace::warn!(error = %error.with_causes(), "no heartbeat can be written to the source");
            drop(error);
        }
        Ok(())
    }
}
