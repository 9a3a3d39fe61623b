//! A second session with the target, which waits for the disk while the first goes on: what a transaction waits for that is
//! committed durably is in the log before it, whoever wrote it.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, oneshot};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::error::ApplyError;
use super::progress;
use super::session::{failed, target};
use crate::connection::{Config, SqlConnection};
use crate::trace;

/// A database may be read-only by default, and end sessions that do nothing.
const SETTINGS: &str = "SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL READ COMMITTED READ WRITE; \
     SET idle_session_timeout = 0";

/// From then on the session counts as lost: the source keeps its log for as long as it isn't told.
const PATIENCE: Duration = Duration::from_secs(30);

pub(super) struct Flusher {
    config: Config,
    durably: String,
    session: Arc<Mutex<Session>>,
    flushes: JoinSet<()>,
}

/// Opened when it is needed first. Where there can be none, the first session flushes.
enum Session {
    ToBe,
    Open(SqlConnection),
    Never,
}

impl Flusher {
    /// `durably` is what a flush has to wait for.
    pub(super) fn new(config: Config, durably: String) -> Self {
        Self { config, durably, session: Arc::new(Mutex::new(Session::ToBe)), flushes: JoinSet::new() }
    }

    /// Makes everything durable that is committed by now. There is no answer, if that fails.
    pub(super) fn flush(&mut self, answer: oneshot::Sender<()>) {
        while self.flushes.try_join_next().is_some() {}
        let (config, durably) = (self.config.clone(), self.durably.clone());
        let session = Arc::clone(&self.session);
        self.flushes.spawn(async move {
            let mut session = session.lock().await;
            match timeout(PATIENCE, session.flush(&config, &durably)).await {
                Ok(Ok(true)) => _ = answer.send(()),
                Ok(Ok(false)) => {}
                Err(_) => *session = Session::Never,
                Ok(Err(error)) => {
                    trace::warn!(%error, "no second session flushes the target: changes wait while the first does");
                    drop(error);
                    *session = Session::Never;
                }
            }
        });
    }
}

impl Session {
    /// Whether there is one that has flushed.
    async fn flush(&mut self, config: &Config, durably: &str) -> Result<bool, ApplyError> {
        if let Self::ToBe = self {
            let opened = SqlConnection::connect(config).await.map_err(target)?;
            let set = opened.client().batch_execute(SETTINGS).await;
            set.map_err(|error| failed("preparing the session that flushes the target", error))?;
            *self = Self::Open(opened);
        }
        let Self::Open(connection) = self else { return Ok(false) };
        progress::flush(connection.client(), durably).await?;
        Ok(true)
    }
}
