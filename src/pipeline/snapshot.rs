//! What was there before, and then the stream, as one source.
//!
//! ```text
//!   Rows: Begin, Change::Snapshot … ──► Keeping ──► Commit: Delivered ──durable──► Starting ──► Stream
//!     ▲                                                │
//!     └──────────── lost, and not durable ─────────────┘
//! ```
//!
//! Nothing of the stream is handed out before the sink has the rows.

use std::future::{Future, pending};
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use super::source::Source;
use crate::error::Error;
use crate::event::{Change, Event};
use crate::session::{Fingerprint, Positions};
use crate::snapshot::{Copying, Making, Opened, SnapshotStream};
use crate::{Lsn, ReplicationStream};

pub(super) struct Ahead {
    making: Making,
    phase: Phase,
    /// Whether the sink keeps its progress: then the slot is kept before the end of the copy, otherwise behind it.
    keeps_progress: bool,
    /// A slot was kept, for a sink that is there: if it ever says so.
    kept: Option<Fingerprint>,
    /// The sink has the copy that this is the end of.
    durable: Option<Fingerprint>,
}

type Task<T> = Pin<Box<dyn Future<Output = Result<T, Error>> + Send>>;

enum Phase {
    /// The slot was there before. The sink's progress says whether that is well.
    Found(Box<ReplicationStream>),
    Rows(Box<Copying>, Begun),
    Keeping(Task<Box<Copying>>),
    /// All is handed out, and the sink hasn't made it durable.
    Delivered(Box<Copying>),
    Starting(Task<Box<ReplicationStream>>),
    Stream(Box<ReplicationStream>),
    Lost,
}

/// Whether the transaction of the rows was.
type Begun = bool;

impl Ahead {
    pub(super) fn new(stream: SnapshotStream) -> Self {
        let SnapshotStream { making, opened } = stream;
        let phase = match opened {
            Opened::Found(stream) => Phase::Found(stream),
            Opened::Copy(copying) => Phase::Rows(copying, false),
        };
        Self { making, phase, keeps_progress: false, kept: None, durable: None }
    }

    fn stream(&mut self) -> Option<&mut ReplicationStream> {
        match &mut self.phase {
            Phase::Stream(stream) => Some(stream),
            _ => None,
        }
    }

    fn poll_step(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Event, Error>>> {
        loop {
            match &mut self.phase {
                // A sink that keeps its progress has said what it has by now.
                Phase::Found(_) => return Poll::Ready(Some(Err(self.making.found()))),
                Phase::Rows(copying, begun) => {
                    if !mem::replace(begun, true) {
                        return Poll::Ready(Some(Ok(copying.begin())));
                    }
                    match ready!(copying.rows().poll_row(cx)).transpose()? {
                        Some(row) => return Poll::Ready(Some(Ok(Event::Change(Change::Snapshot { row })))),
                        None => self.keep(),
                    }
                }
                Phase::Keeping(task) => {
                    let copying = ready!(task.as_mut().poll(cx))?;
                    return Poll::Ready(Some(Ok(self.deliver(copying))));
                }
                Phase::Delivered(_) => return Poll::Pending,
                Phase::Starting(task) => {
                    let stream = ready!(task.as_mut().poll(cx))?;
                    self.phase = Phase::Stream(self.follow(stream)?);
                }
                Phase::Stream(stream) => return Source::poll_next(&mut **stream, cx),
                Phase::Lost => return Poll::Ready(None),
            }
        }
    }

    /// Makes the slot that stays, or looks whether it still can be made.
    fn keep(&mut self) {
        let Phase::Rows(mut copying, _) = mem::replace(&mut self.phase, Phase::Lost) else { return };
        let (is_due, replaces) = (self.keeps_progress, self.kept.is_some());
        self.phase = Phase::Keeping(Box::pin(async move {
            if is_due {
                copying.keep(replaces).await?;
            } else {
                copying.check().await?;
            }
            Ok(copying)
        }));
    }

    /// Gives the end of the copy.
    fn deliver(&mut self, copying: Box<Copying>) -> Event {
        if self.keeps_progress {
            self.kept = Some(copying.fingerprint(copying.point()));
        }
        let commit = copying.commit();
        self.phase = Phase::Delivered(copying);
        commit
    }

    /// The stream goes on for the sink where the copy ends.
    fn follow(&mut self, mut stream: Box<ReplicationStream>) -> Result<Box<ReplicationStream>, Error> {
        if let Some(durable) = self.durable.as_ref().filter(|_| self.keeps_progress) {
            let renewed = Source::resume(&mut *stream, Some(durable))?;
            if renewed.is_some() {
                // The sink has to keep that first: it is given it when the stream is opened again.
                return Err(Error::Closed { during: "while another server took its place" });
            }
        }
        Ok(stream)
    }
}

impl Source for Ahead {
    fn catch_up(&mut self, cx: &mut Context<'_>) {
        if let Some(stream) = self.stream() {
            Source::catch_up(stream, cx);
        }
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Event, Error>>> {
        let polled = self.poll_step(cx);
        let is_lost = matches!(polled, Poll::Ready(Some(Err(_))));
        if is_lost && !matches!(self.phase, Phase::Found(_) | Phase::Stream(_)) {
            self.phase = Phase::Lost;
        }
        polled
    }

    /// The sessions of the copy need nothing: their server waits as long as it takes.
    async fn keep_alive(&mut self) -> Error {
        match &mut self.phase {
            Phase::Found(stream) | Phase::Stream(stream) => Source::keep_alive(&mut **stream).await,
            _ => pending().await,
        }
    }

    fn resume(&mut self, kept: Option<&Fingerprint>) -> Result<Option<Fingerprint>, Error> {
        self.keeps_progress = true;
        // At 0/0 stands who was about to get a copy, and didn't.
        let kept = kept.filter(|kept| kept.resume_lsn > Lsn::ZERO);
        match (mem::replace(&mut self.phase, Phase::Lost), kept) {
            (Phase::Stream(mut stream), kept) | (Phase::Found(mut stream), kept @ Some(_)) => {
                let renewed = Source::resume(&mut *stream, kept);
                self.phase = Phase::Stream(stream);
                renewed
            }
            (Phase::Found(_), None) => Err(self.making.cut_off()),
            (_, Some(kept)) if self.kept.as_ref() == Some(kept) => {
                // The answer to its end was lost, and nothing else.
                self.durable = Some(kept.clone());
                let (making, point) = (self.making.clone(), kept.resume_lsn);
                self.phase =
                    Phase::Starting(Box::pin(async move { making.start(point).await.map(Box::new) }));
                Ok(None)
            }
            (_, Some(kept)) => Err(self.making.gone(kept.resume_lsn)),
            (phase, None) => {
                self.phase = phase;
                Ok(match &self.phase {
                    Phase::Rows(copying, _) => Some(copying.fingerprint(Lsn::ZERO)),
                    _ => None,
                })
            }
        }
    }

    fn idle(&self) -> Option<Fingerprint> {
        match &self.phase {
            Phase::Stream(stream) => Source::idle(&**stream),
            _ => None,
        }
    }

    fn idle_kept(&mut self, kept: &Fingerprint) {
        if let Some(stream) = self.stream() {
            Source::idle_kept(stream, kept);
        }
    }

    async fn make_durable(&mut self) -> Result<(), Error> {
        match self.stream() {
            Some(stream) => stream.make_durable().await,
            None => Ok(()),
        }
    }

    fn acknowledge(&mut self, position: Lsn) {
        match mem::replace(&mut self.phase, Phase::Lost) {
            Phase::Delivered(copying) if position >= copying.point() => {
                self.durable = Some(copying.fingerprint(copying.point()));
                self.phase = Phase::Starting(Box::pin(async move { copying.start().await.map(Box::new) }));
            }
            mut phase => {
                if let Phase::Stream(stream) = &mut phase {
                    Source::acknowledge(&mut **stream, position);
                }
                self.phase = phase;
            }
        }
    }

    fn positions(&self) -> (Positions, u64) {
        match &self.phase {
            Phase::Stream(stream) => Source::positions(&**stream),
            _ => Default::default(),
        }
    }

    async fn reopen(&mut self) -> Result<Fingerprint, Error> {
        if let Phase::Stream(stream) | Phase::Found(stream) = &mut self.phase {
            return Source::reopen(&mut **stream).await;
        }
        // Its sessions end before others are begun.
        self.phase = Phase::Lost;
        let Some(durable) = &self.durable else {
            let copying = Box::new(self.making.copy(self.kept.is_some()).await?);
            let nothing = copying.fingerprint(Lsn::ZERO);
            self.phase = Phase::Rows(copying, false);
            return Ok(nothing);
        };
        let mut stream = Box::new(self.making.start(durable.resume_lsn).await?);
        if self.keeps_progress {
            Source::resume(&mut *stream, Some(durable))?;
        }
        let durable = stream.fingerprint(durable.resume_lsn);
        self.phase = Phase::Stream(stream);
        Ok(durable)
    }

    fn beat(&self) -> impl Future<Output = Result<(), Error>> + Send + 'static {
        let beat = match &self.phase {
            Phase::Stream(stream) => Some(Source::beat(&**stream)),
            _ => None,
        };
        async move {
            match beat {
                Some(beat) => beat.await,
                None => Ok(()),
            }
        }
    }

    async fn finish(&mut self) -> Result<(), Error> {
        if let Phase::Starting(task) = &mut self.phase {
            // The sink has the copy: its slot is made in any case.
            self.phase = Phase::Stream(task.await?);
        }
        match self.stream() {
            Some(stream) => Source::finish(stream).await,
            None => Ok(()),
        }
    }
}
