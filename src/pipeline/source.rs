//! What a pipeline needs of where events come from.

use std::future::pending;
use std::io::Read;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream as _;

use crate::capture::Events;
use crate::error::Error;
use crate::event::Event;
use crate::{Lsn, ReplicationStream};

pub(super) trait Source {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Event, Error>>>;

    /// Runs beside a sink that works, until the source fails.
    fn keep_alive(&mut self) -> impl Future<Output = Error> + Send;

    /// Comes before each acknowledgement.
    async fn make_durable(&mut self) -> Result<(), Error>;

    /// What was handed out up to here is durable.
    fn acknowledge(&mut self, position: Lsn);

    /// Tells whom it concerns what was acknowledged last.
    async fn finish(self) -> Result<(), Error>;
}

impl Source for ReplicationStream {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Event, Error>>> {
        Pin::new(self).poll_next(cx)
    }

    async fn keep_alive(&mut self) -> Error {
        ReplicationStream::keep_alive(self).await
    }

    async fn make_durable(&mut self) -> Result<(), Error> {
        self.sync_recording().await
    }

    fn acknowledge(&mut self, position: Lsn) {
        self.acknowledge_up_to(position);
    }

    async fn finish(mut self) -> Result<(), Error> {
        self.sync_recording().await?;
        match self.stop().await {
            Ok(connection) => connection.close().await,
            // The server is in the midst of a large transaction. It has been told what is acknowledged.
            Err(Error::Timeout { .. }) => {}
            Err(error) => return Err(error),
        }
        Ok(())
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

    async fn make_durable(&mut self) -> Result<(), Error> {
        Ok(())
    }

    fn acknowledge(&mut self, _: Lsn) {}

    async fn finish(self) -> Result<(), Error> {
        Ok(())
    }
}
