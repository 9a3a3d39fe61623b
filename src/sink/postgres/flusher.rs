//! A second session with the target, which waits for the disk while the first goes on: what a transaction waits for that is
//! committed durably is in the log before it, whoever wrote it.
//!
//! This session may be with another server than the first one is, or was: a standby that has taken over, or the same one behind
//! a crash, without what was committed last. So it has to find the progress that it is to make durable.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, oneshot};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::error::ApplyError;
use super::progress;
use super::session::{failed, target};
use crate::connection::{Config, SqlConnection};
use crate::{Lsn, trace};

/// A database may be read-only by default, and end sessions that do nothing.
const SETTINGS: &str = "SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE; \
     SET idle_session_timeout = 0";

/// From then on the session counts as lost: the source keeps its log for as long as it isn't told.
const PATIENCE: Duration = Duration::from_secs(30);

pub(super) struct Flusher {
    config: Config,
    name: String,
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
    /// `name` is that of the progress; `durably` is what a flush has to wait for.
    pub(super) fn new(config: Config, name: String, durably: String) -> Self {
        Self { config, name, durably, session: Arc::new(Mutex::new(Session::ToBe)), flushes: JoinSet::new() }
    }

    /// Makes everything durable that is committed by now, up to this position of the source. There is no answer, if that fails.
    pub(super) fn flush(&mut self, position: Lsn, answer: oneshot::Sender<()>) {
        while self.flushes.try_join_next().is_some() {}
        let (config, sql) = (self.config.clone(), progress::flush_found(&self.name, position, &self.durably));
        let session = Arc::clone(&self.session);
        self.flushes.spawn(async move {
            let mut session = session.lock().await;
            match timeout(PATIENCE, session.flush(&config, &sql)).await {
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
    async fn flush(&mut self, config: &Config, sql: &str) -> Result<bool, ApplyError> {
        if let Self::ToBe = self {
            let opened = SqlConnection::connect(config).await.map_err(target)?;
            let set = opened.client().batch_execute(SETTINGS).await;
            set.map_err(|error| failed("preparing the session that flushes the target", error))?;
            *self = Self::Open(opened);
        }
        let Self::Open(connection) = self else { return Ok(false) };
        let flushed = connection.client().batch_execute(sql).await;
        flushed.map_err(|error| failed("flushing the target", error))?;
        Ok(true)
    }
}
