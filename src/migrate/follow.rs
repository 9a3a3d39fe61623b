//! Following: what comes through the slot is applied to the target, behind the copy.

use std::future::Future;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::Migration;
use super::hold::last_before;
use super::state::{Phase, State};
use crate::connection::Connection;
use crate::error::Error;
use crate::pipeline::Statistics;
use crate::sink::ChangeSink as _;
use crate::sink::postgres::PostgresSink;
use crate::snapshot::{self, Copied};
use crate::stream::Streaming;
use crate::{Lsn, Pipeline, ReplicationStream, StreamOptions, trace};

/// How long the slot may still be in use by whoever followed before: its server may take a while to notice that it has gone.
const IN_USE: Duration = Duration::from_secs(60);

/// Between two attempts.
const PAUSE: Duration = Duration::from_millis(200);

impl Migration {
    /// What is copied, if that is all that was to be.
    pub(super) async fn copied_whole(&self) -> Result<Vec<Copied>, Error> {
        let target = self.connect_target().await?;
        let state = State::read(target.client(), self.slot().as_str()).await?;
        if state.is_none_or(|state| state.phase == Phase::Copy) {
            return Err(Error::Precondition {
                problem: format!("the copy of the migration \"{}\" isn't finished", self.slot()),
                mend: "let `run` finish it first".to_owned(),
            });
        }
        snapshot::copied(self.target(), self.slot().as_str()).await
    }

    /// Whether tables were copied at different positions, as when a copy was interrupted.
    pub(super) async fn is_uneven(&self) -> Result<bool, Error> {
        let copied = snapshot::copied(self.target(), self.slot().as_str()).await?;
        Ok(copied.windows(2).any(|pair| matches!(pair, [one, other] if one.lsn != other.lsn)))
    }

    /// Brings tables that were copied at different positions to the last of them.
    pub(super) async fn even_out(&self) -> Result<(), Error> {
        if !self.is_uneven().await? {
            return Ok(());
        }
        let copied = snapshot::copied(self.target(), self.slot().as_str()).await?;
        let last = copied.iter().map(|table| table.lsn).max().unwrap_or(Lsn::ZERO);
        self.follow_to(&copied, Some(last_before(last)), std::future::pending()).await.map(drop)
    }

    /// Applies what has come up to a position, or what comes until `shutdown` is ready.
    pub(super) async fn follow_to(
        &self,
        copied: &[Copied],
        stop_at: Option<Lsn>,
        shutdown: impl Future<Output = ()>,
    ) -> Result<Statistics, Error> {
        let (pipeline, mut stream) = self.open_stream(copied).await?;
        if let Some(lsn) = stop_at {
            stream.stop_at(lsn);
        }
        pipeline.run(stream, shutdown).await
    }

    /// The target is reached before the source's slot is taken.
    pub(super) async fn open_stream(
        &self,
        copied: &[Copied],
    ) -> Result<(Pipeline<PostgresSink>, ReplicationStream), Error> {
        let mut sink = PostgresSink::new(self.target().clone(), self.slot().as_str());
        sink.progress().await.map_err(|error| Error::Sink(Box::new(error)))?;
        let mut pipeline = Pipeline::new(sink);
        for table in copied {
            pipeline = pipeline.copied_as(table);
        }
        Ok((pipeline, self.start_stream().await?))
    }

    async fn start_stream(&self) -> Result<ReplicationStream, Error> {
        let deadline = Instant::now() + IN_USE;
        loop {
            let connection = Connection::connect(self.source()).await?;
            let options = StreamOptions::new(self.slot().clone())
                .publication(self.publication())
                .streaming(Streaming::On)
                .gulps(true);
            match connection.start_replication(options).await {
                Err(error) if error.sqlstate() == Some("55006") && Instant::now() < deadline => {
                    trace::debug!("the slot is still in use");
                    sleep(PAUSE).await;
                }
                started => return started,
            }
        }
    }
}
