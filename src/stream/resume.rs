//! Going on: where a consumer stands, and after a connection was lost.

use std::future::Future;
use std::mem;
use std::sync::Arc;
use std::time::Duration;

use super::ReplicationStream;
use crate::connection::Connection;
use crate::error::Error;
use crate::session::{Fingerprint, Standing};
use crate::{Lsn, trace};

/// How long a connection may take to come about, where the options allow the server to be silent for ever.
const PATIENCE: Duration = Duration::from_secs(60);

/// The prefix of the messages that move the slot of a quiet database.
pub(crate) const HEARTBEAT: &str = "walferry.heartbeat";

impl ReplicationStream {
    /// Goes on where a consumer stands, by what it has kept: what it has already is left out. Comes before the first event.
    ///
    /// Whoever keeps a position by itself, without a [`Pipeline`](crate::Pipeline), keeps the idle one, too: with each new
    /// stream, say so by [`keep_idle`](Self::keep_idle), and now and then take what [`idle_progress`](Self::idle_progress) gives.
    ///
    /// ```no_run
    /// use std::future::poll_fn;
    /// use std::pin::Pin;
    /// use std::time::Duration;
    /// use futures_core::Stream;
    /// use walferry::session::Fingerprint;
    /// use walferry::{Change, Event, ReplicationStream};
    ///
    /// # struct Store;
    /// # impl Store {
    /// #     fn kept(&self) -> Option<Fingerprint> { None }
    /// #     fn keep(&mut self, _: &[Change], _: &Fingerprint) -> std::io::Result<()> { Ok(()) }
    /// # }
    /// # async fn example(mut stream: ReplicationStream, mut store: Store) -> Result<(), Box<dyn std::error::Error>> {
    /// if let Some(kept) = store.kept() {
    ///     stream.resume(&kept)?;
    /// }
    /// stream.keep_idle();
    /// let mut changes = Vec::new();
    /// loop {
    ///     let next = poll_fn(|cx| Pin::new(&mut stream).poll_next(cx));
    ///     match tokio::time::timeout(Duration::from_secs(1), next).await {
    ///         Ok(Some(event)) => match event? {
    ///             Event::Change(change) => changes.push(change),
    ///             Event::Commit(commit) => {
    ///                 // Durable together, or neither.
    ///                 store.keep(&changes, &stream.fingerprint(commit.end_lsn()))?;
    ///                 stream.acknowledge(&commit);
    ///                 changes.clear();
    ///             }
    ///             _ => {}
    ///         },
    ///         Ok(None) => return Ok(()),
    ///         // Nothing has come for a second.
    ///         Err(_) => {
    ///             if let Some(idle) = stream.idle_progress() {
    ///                 store.keep(&[], &idle)?;
    ///                 stream.idle_kept(&idle);
    ///             }
    ///         }
    ///     }
    /// }
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Source`], when the source is not the one that it was, or the slot begins behind that position.
    pub fn resume(&mut self, kept: &Fingerprint) -> Result<Standing, Error> {
        let standing = kept.check(&self.source)?;
        trace::info!(resume_lsn = %kept.resume_lsn, ?standing, "resuming");
        self.session.resume_from(kept.resume_lsn);
        Ok(standing)
    }

    /// What a consumer that is durable up to here has to keep, to go on from later.
    pub fn fingerprint(&self, resume_lsn: Lsn) -> Fingerprint {
        self.source.fingerprint(resume_lsn)
    }

    /// What a consumer has to keep that has nothing yet.
    pub(crate) fn first_progress(&self) -> Fingerprint {
        let slot = self.source.confirmed_flush_lsn.unwrap_or(Lsn::ZERO);
        self.fingerprint(slot.max(self.options.start_lsn))
    }

    /// The consumer keeps its position by itself from here on, the idle one included: the server is told of none that was not
    /// given to [`idle_kept`](Self::idle_kept).
    ///
    /// Without this, the slot follows an idle server at once, and is then ahead of what the consumer has kept:
    /// [`resume`](Self::resume) takes that for a gap. With it, and nothing kept, the server keeps its WAL.
    pub fn keep_idle(&mut self) {
        self.keeps_idle = true;
        self.session.keep_idle();
    }

    /// What such a consumer may keep, while nothing is in flight: a position further than what is durable, below which nothing is
    /// left for it.
    pub fn idle_progress(&self) -> Option<Fingerprint> {
        self.session.idle_lsn().map(|lsn| self.fingerprint(lsn))
    }

    /// The consumer has kept this, which [`idle_progress`](Self::idle_progress) gave: the server may be told.
    pub fn idle_kept(&mut self, kept: &Fingerprint) {
        self.session.idle_kept(kept.resume_lsn);
    }

    /// Connects again by the parameters that this stream's connection was made by, and goes on behind what is durable.
    /// After an error, that can be tried again.
    pub(crate) async fn reopen(&mut self) -> Result<Fingerprint, Error> {
        let given = Arc::clone(self.connection.given());
        self.reopen_with(async move { Connection::connect(&given).await }).await
    }

    /// The same by a connection that is made otherwise.
    pub(crate) async fn reopen_with(
        &mut self,
        connect: impl Future<Output = Result<Connection, Error>>,
    ) -> Result<Fingerprint, Error> {
        // The server lets go of the slot when it learns that this end is closed.
        self.connection.hang_up();
        let after = Some(self.options.receive_timeout).filter(|time| !time.is_zero()).unwrap_or(PATIENCE);
        let opened = tokio::time::timeout(after, async {
            let connection = connect.await?;
            self.reopen_over(connection).await
        });
        let timeout = |_| Error::Timeout { during: "connecting again".to_owned(), after };
        opened.await.unwrap_or_else(|elapsed| Err(timeout(elapsed)))
    }

    /// The same over a connection that is there. Gives what a consumer has to keep from now on: the source may be on another
    /// timeline.
    pub(crate) async fn reopen_over(&mut self, connection: Connection) -> Result<Fingerprint, Error> {
        let durable = self.positions().durable.max(self.first_progress().resume_lsn);
        let kept = self.fingerprint(durable);
        let mut stream = connection.start_replication(self.options.clone().start_lsn(durable)).await?;
        stream.resume(&kept)?;
        if self.keeps_idle {
            stream.keep_idle();
        }
        if let Some(recording) = &mut self.recording {
            recording.restart(&stream.context)?;
        }
        stream.recording = self.recording.take();
        drop(mem::replace(self, stream));
        Ok(self.fingerprint(durable))
    }

    /// Writes a message to the source, over an ordinary connection: a transaction that holds nothing else. With it the
    /// slot of a database moves in which nobody writes.
    pub(crate) fn beat(&self) -> impl Future<Output = Result<(), Error>> + Send + 'static {
        const PATIENCE: Duration = Duration::from_secs(10);
        let home = Arc::clone(self.connection.home());
        async move {
            let beat = async {
                let mut connection = Connection::connect_ordinary(&home).await?;
                let query = format!("SELECT pg_catalog.pg_logical_emit_message(true, '{HEARTBEAT}', '')");
                connection.simple_query(&query).await?;
                connection.close().await;
                Ok(())
            };
            let timeout = || Error::Timeout { during: "writing a heartbeat".to_owned(), after: PATIENCE };
            tokio::time::timeout(PATIENCE, beat).await.unwrap_or_else(|_| Err(timeout()))
        }
    }
}
