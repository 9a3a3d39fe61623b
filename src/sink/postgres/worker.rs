//! The thread that applies batches, beside the one that receives them.

use std::sync::Arc;

use tokio::runtime::Builder;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

use super::apply::Applier;
use super::conflict::Conflicts;
use super::error::{ApplyError, ApplyErrorKind};
use super::flusher::Flusher;
use super::session::{Session, target};
use super::{Options, PostgresSink};
use crate::error::Error;
use crate::event::Event;
use crate::session::Fingerprint;
use crate::sink::{Batch, Flushing};

/// What the worker is asked to do. An answer that fails to come means that it has failed.
enum Order {
    Write(Vec<Event>),
    /// The same, with an answer when it is applied.
    WriteNow(Vec<Event>, oneshot::Sender<()>),
    Flush(oneshot::Sender<()>),
    /// The same, beside the orders that follow. No answer means only that it has to be ordered otherwise.
    FlushBeside(oneshot::Sender<()>),
    Rollback(oneshot::Sender<()>),
    Progress(oneshot::Sender<Option<Fingerprint>>),
    SetProgress(Fingerprint, oneshot::Sender<()>),
}

/// An order, and the room that it takes until the worker takes it.
type Ordered = (Order, Option<OwnedSemaphorePermit>);

/// A batch is large that has more bytes than this.
const LARGE: usize = 16 << 20;

/// The other end of a worker. Dropping it ends the worker: what the target has of an open transaction is rolled back.
#[derive(Debug)]
pub(super) struct Worker {
    orders: mpsc::UnboundedSender<Ordered>,
    /// For an order that the worker hasn't taken yet: one batch is applied, and one is at hand when it is done.
    room: Arc<Semaphore>,
    error: oneshot::Receiver<ApplyError>,
    _is_wanted: oneshot::Sender<()>,
}

impl Worker {
    /// On a thread of its own, with its own runtime: preparing statements is work without a pause, beside which the source
    /// has to be read; and whoever reads it may let its thread sleep.
    fn start(options: Options) -> Result<Self, ApplyError> {
        let (orders, inbox) = mpsc::unbounded_channel();
        let (told, error) = oneshot::channel();
        let (is_wanted, unwanted) = oneshot::channel();
        let failed =
            |source| target(Error::Io { during: "starting the thread of the sink".to_owned(), source });
        let runtime = Builder::new_current_thread().enable_all().build().map_err(failed)?;
        let thread = std::thread::Builder::new().name("walferry-sink".to_owned());
        let run = move || {
            let ended = runtime.block_on(async {
                tokio::select! {
                    ended = work(options, inbox) => ended,
                    _ = unwanted => Ok(()),
                }
            });
            // Nobody asks for an error who has gone.
            let _ = ended.map_err(|error| told.send(error));
        };
        thread.spawn(run).map_err(failed)?;
        Ok(Self { orders, room: Arc::new(Semaphore::new(1)), error, _is_wanted: is_wanted })
    }
}

impl PostgresSink {
    /// Large batches are waited for, so that there are not three of them in memory.
    pub(super) async fn give(&mut self, batch: Batch) -> Result<(), ApplyError> {
        if batch.byte_len() > LARGE {
            return self.ask(|answer| Order::WriteNow(batch.into_events(), answer)).await;
        }
        self.order(Order::Write(batch.into_events())).await
    }

    pub(super) async fn ask_flush(&mut self) -> Result<(), ApplyError> {
        self.ask(Order::Flush).await
    }

    /// Takes no room: there is one at a time, behind what was written.
    ///
    /// A replication origin belongs to one session, and what another one writes isn't marked.
    pub(super) fn ask_flush_beside(&mut self) -> Option<Flushing> {
        let worker = self.worker.as_ref().filter(|_| self.options.origin.is_none())?;
        let (answer, answered) = oneshot::channel();
        worker.orders.send((Order::FlushBeside(answer), None)).ok()?;
        Some(Box::pin(async { answered.await.is_ok() }))
    }

    pub(super) async fn ask_rollback(&mut self) -> Result<(), ApplyError> {
        self.ask(Order::Rollback).await
    }

    pub(super) async fn ask_progress(&mut self) -> Result<Option<Fingerprint>, ApplyError> {
        self.ask(Order::Progress).await
    }

    pub(super) async fn ask_set_progress(&mut self, progress: Fingerprint) -> Result<(), ApplyError> {
        self.ask(|answer| Order::SetProgress(progress, answer)).await
    }

    async fn ask<T>(&mut self, order: impl FnOnce(oneshot::Sender<T>) -> Order) -> Result<T, ApplyError> {
        let (answer, answered) = oneshot::channel();
        self.order(order(answer)).await?;
        match answered.await {
            Ok(answer) => Ok(answer),
            Err(_) => Err(self.why().await),
        }
    }

    async fn order(&mut self, order: Order) -> Result<(), ApplyError> {
        let worker = match &mut self.worker {
            Some(worker) => worker,
            none => none.insert(Worker::start(self.options.clone())?),
        };
        // What a worker that has ended did not take gives its room back, too.
        let room = Arc::clone(&worker.room).acquire_owned().await.ok();
        match worker.orders.send((order, room)) {
            Ok(()) => Ok(()),
            Err(_) => Err(self.why().await),
        }
    }

    /// After an error there is no worker: the next one begins where the target stands.
    async fn why(&mut self) -> ApplyError {
        let failed = || ApplyError::new(ApplyErrorKind::Failed);
        match self.worker.take() {
            Some(worker) => worker.error.await.unwrap_or_else(|_| failed()),
            None => failed(),
        }
    }
}

async fn work(options: Options, mut inbox: mpsc::UnboundedReceiver<Ordered>) -> Result<(), ApplyError> {
    let session = Session::open(&options.config).await?;
    let mut applier = Applier::new(session, options.name, options.gathers, options.monitor);
    applier.conflicts = Conflicts::new(options.on_conflict);
    applier.origin = options.origin;
    let mut flusher = Flusher::new(options.config, applier.name.clone(), applier.session.durably.clone());
    while let Some((order, room)) = inbox.recv().await {
        drop(room);
        // Who asked may have gone: then nobody wants the answer.
        match order {
            Order::Write(events) => applier.write(events).await?,
            Order::WriteNow(events, answer) => {
                applier.write(events).await?;
                let _ = answer.send(());
            }
            Order::Flush(answer) => {
                applier.flush().await?;
                let _ = answer.send(());
            }
            Order::FlushBeside(answer) => match applier.unflushed() {
                Some(position) => flusher.flush(position, answer),
                None => _ = answer.send(()),
            },
            Order::Rollback(answer) => {
                applier.rollback().await?;
                let _ = answer.send(());
            }
            Order::Progress(answer) => {
                let progress = applier.progress().await?;
                let _ = answer.send(progress);
            }
            Order::SetProgress(progress, answer) => {
                applier.set_progress(progress).await?;
                let _ = answer.send(());
            }
        }
    }
    Ok(())
}
