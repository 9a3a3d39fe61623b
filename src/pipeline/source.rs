//! What a pipeline needs of where events come from.

use std::future::{Future, pending, ready};
use std::io::Read;
use std::task::{Context, Poll};

use crate::capture::Events;
use crate::error::Error;
use crate::event::Event;
use crate::session::{Fingerprint, Positions};
use crate::{Lsn, ReplicationStream};

pub(crate) trait Source {
    /// Comes before each stretch of events: tells the server what is late by now.
    fn catch_up(&mut self, cx: &mut Context<'_>) {
        _ = cx;
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Event, Error>>>;

    /// Runs beside a sink that works, until the source fails.
    fn keep_alive(&mut self) -> impl Future<Output = Error> + Send;

    /// Goes on where a sink stands that keeps its progress; `None` for one that has none yet. From here on, the sink keeps
    /// the idle positions, too. Gives what the sink has to keep instead, if that differs.
    fn resume(&mut self, kept: Option<&Fingerprint>) -> Result<Option<Fingerprint>, Error>;

    /// What the sink may keep as its progress, while nothing is in flight.
    fn idle(&self) -> Option<Fingerprint>;

    /// The sink has kept this.
    fn idle_kept(&mut self, kept: &Fingerprint);

    /// Comes before each acknowledgement.
    async fn make_durable(&mut self) -> Result<(), Error>;

    /// What was handed out up to here is durable.
    fn acknowledge(&mut self, position: Lsn);

    /// How far everything is, and how many transactions were left out since the last connection began.
    fn positions(&self) -> (Positions, u64);

    /// Where a capture ends inside a block, once its end was reached.
    fn torn_tail(&self) -> Option<u64> {
        None
    }

    /// Whether it can be opened again, although nothing is wrong with it.
    fn can_reopen(&self) -> bool {
        true
    }

    /// Connects again, after an error that passes by itself or to have it all again, and goes on behind what is durable. Gives what a sink that
    /// keeps its progress has to keep from now on.
    async fn reopen(&mut self) -> Result<Fingerprint, Error>;

    /// Writes to the source what comes back as nothing, so that its slot moves. Owns what it needs.
    fn beat(&self) -> impl Future<Output = Result<(), Error>> + Send + 'static;

    /// Tells whom it concerns what was acknowledged last. After an error that passes by itself, it can be opened again.
    async fn finish(&mut self) -> Result<(), Error>;
}

impl Source for ReplicationStream {
    fn catch_up(&mut self, cx: &mut Context<'_>) {
        ReplicationStream::catch_up(self, cx);
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Event, Error>>> {
        self.poll_stretch(cx)
    }

    async fn keep_alive(&mut self) -> Error {
        ReplicationStream::keep_alive(self).await
    }

    fn resume(&mut self, kept: Option<&Fingerprint>) -> Result<Option<Fingerprint>, Error> {
        self.keep_idle();
        let Some(kept) = kept else { return Ok(Some(self.first_progress())) };
        ReplicationStream::resume(self, kept)?;
        // After a promotion it is in the history of another timeline.
        let renewed = self.fingerprint(kept.resume_lsn);
        Ok((renewed != *kept).then_some(renewed))
    }

    fn idle(&self) -> Option<Fingerprint> {
        self.idle_progress()
    }

    fn idle_kept(&mut self, kept: &Fingerprint) {
        ReplicationStream::idle_kept(self, kept);
    }

    async fn make_durable(&mut self) -> Result<(), Error> {
        self.sync_recording().await
    }

    fn acknowledge(&mut self, position: Lsn) {
        self.acknowledge_up_to(position);
    }

    fn positions(&self) -> (Positions, u64) {
        (ReplicationStream::positions(self), self.skipped())
    }

    async fn reopen(&mut self) -> Result<Fingerprint, Error> {
        ReplicationStream::reopen(self).await
    }

    fn beat(&self) -> impl Future<Output = Result<(), Error>> + Send + 'static {
        ReplicationStream::beat(self)
    }

    async fn finish(&mut self) -> Result<(), Error> {
        self.sync_recording().await?;
        match self.end().await {
            // The server is in the midst of a large transaction. It has been told what is acknowledged.
            Err(Error::Timeout { .. }) => Ok(()),
            ended => ended,
        }
    }
}

/// A capture as a source, which is always ready.
pub(super) struct Captured<R> {
    events: Events<R>,
}

impl<R> Captured<R> {
    pub(super) fn new(events: Events<R>) -> Self {
        Self { events }
    }
}

impl<R: Read> Source for Captured<R> {
    fn poll_next(&mut self, _: &mut Context<'_>) -> Poll<Option<Result<Event, Error>>> {
        Poll::Ready(self.events.next().map(|event| event.map_err(Error::Capture)))
    }

    fn keep_alive(&mut self) -> impl Future<Output = Error> + Send {
        pending()
    }

    fn resume(&mut self, kept: Option<&Fingerprint>) -> Result<Option<Fingerprint>, Error> {
        let Some(kept) = kept else { return Ok(Some(self.events.fingerprint())) };
        self.events.resume(kept)?;
        Ok(None)
    }

    fn idle(&self) -> Option<Fingerprint> {
        None
    }

    fn idle_kept(&mut self, _: &Fingerprint) {}

    async fn make_durable(&mut self) -> Result<(), Error> {
        Ok(())
    }

    fn acknowledge(&mut self, _: Lsn) {}

    fn positions(&self) -> (Positions, u64) {
        (Positions::default(), self.events.skipped())
    }

    fn torn_tail(&self) -> Option<u64> {
        self.events.reader().torn_tail()
    }

    fn can_reopen(&self) -> bool {
        false
    }

    /// Not asked for: nothing that passes by itself can happen to it.
    async fn reopen(&mut self) -> Result<Fingerprint, Error> {
        Ok(self.events.fingerprint())
    }

    fn beat(&self) -> impl Future<Output = Result<(), Error>> + Send + 'static {
        ready(Ok(()))
    }

    async fn finish(&mut self) -> Result<(), Error> {
        Ok(())
    }
}
