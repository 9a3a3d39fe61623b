//! The task that applies batches, beside the one that receives them.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

use super::apply::Applier;
use super::error::{ApplyError, ApplyErrorKind};
use super::session::Session;
use super::{Options, PostgresSink};
use crate::event::Event;
use crate::session::Fingerprint;

/// What the worker is asked to do. An answer that fails to come means that it has failed.
enum Order {
    Write(Vec<Event>),
    Flush(oneshot::Sender<()>),
    Rollback(oneshot::Sender<()>),
    Progress(oneshot::Sender<Option<Fingerprint>>),
    SetProgress(Fingerprint, oneshot::Sender<()>),
}

/// The other end of a worker. Dropping it ends the worker: what the target has of an open transaction is rolled back.
#[derive(Debug)]
pub(super) struct Worker {
    orders: mpsc::Sender<Order>,
    error: Arc<Mutex<Option<ApplyError>>>,
    _task: JoinSet<()>,
}

impl Worker {
    fn start(options: Options) -> Self {
        // One batch is applied, and one is at hand when it is done.
        let (orders, inbox) = mpsc::channel(1);
        let error = Arc::new(Mutex::new(None));
        let mut task = JoinSet::new();
        let told = Arc::clone(&error);
        task.spawn(async move {
            if let Err(error) = work(options, inbox).await {
                *told.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
            }
        });
        Self { orders, error, _task: task }
    }

    /// Waits for the worker's end, and says why it came.
    async fn failed(mut self) -> ApplyError {
        while self._task.join_next().await.is_some() {}
        let error = self.error.lock().unwrap_or_else(PoisonError::into_inner).take();
        error.unwrap_or_else(|| ApplyError::new(ApplyErrorKind::Failed))
    }
}

impl PostgresSink {
    pub(super) async fn give(&mut self, events: Vec<Event>) -> Result<(), ApplyError> {
        self.order(Order::Write(events)).await
    }

    pub(super) async fn ask_flush(&mut self) -> Result<(), ApplyError> {
        self.ask(Order::Flush).await
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
        let worker = self.worker.get_or_insert_with(|| Worker::start(self.options.clone()));
        match worker.orders.send(order).await {
            Ok(()) => Ok(()),
            Err(_) => Err(self.why().await),
        }
    }

    /// After an error there is no worker: the next one begins where the target stands.
    async fn why(&mut self) -> ApplyError {
        match self.worker.take() {
            Some(worker) => worker.failed().await,
            None => ApplyError::new(ApplyErrorKind::Failed),
        }
    }
}

async fn work(options: Options, mut inbox: mpsc::Receiver<Order>) -> Result<(), ApplyError> {
    let session = Session::open(&options.config).await?;
    let mut applier = Applier::new(session, options.name, options.gathers, options.monitor);
    while let Some(order) = inbox.recv().await {
        // Who asked may have gone: then nobody wants the answer.
        match order {
            Order::Write(events) => applier.write(events).await?,
            Order::Flush(answer) => {
                applier.flush().await?;
                let _ = answer.send(());
            }
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
