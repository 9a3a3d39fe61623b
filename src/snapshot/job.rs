//! Who copies: jobs that take one chunk after another, each with a session on either server.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::task::JoinSet;

use super::ledger::Chunk;
use super::monitor::{Monitor, TableProgress};
use super::queue::Queue;
use super::target::{self, Load};
use super::{Exported, Report, SnapshotCopy, source};
use crate::connection::{Config, Connection, Side, Splice};
use crate::error::Error;
use crate::trace;

/// How long to wait before each further try of a chunk, in milliseconds.
const WAITS: [u64; 5] = [200, 400, 800, 1600, 3200];

/// A chunk that is to be copied.
#[derive(Debug)]
pub(super) struct Task {
    /// The table's place in the monitor.
    pub(super) table: usize,
    pub(super) load: Arc<Load>,
    pub(super) chunk: Chunk,
    /// It is all of the table.
    pub(super) is_frozen: bool,
}

/// A table of the target, by its place in the monitor; of one that is partitioned, the part.
type Relation = (usize, Option<(String, String)>);

struct Work {
    source: Config,
    target: Config,
    name: String,
    snapshot: Exported,
    monitor: Monitor,
    queue: Mutex<Queue<Relation, Task>>,
}

/// Carries all of it out. The first error ends every job, and what they have begun is rolled back.
pub(super) async fn run(copy: &SnapshotCopy, snapshot: &Exported, tasks: Vec<Task>) -> Result<Report, Error> {
    let count = copy.jobs.min(tasks.len());
    let work = Arc::new(Work {
        source: copy.source.clone(),
        target: copy.target.clone(),
        name: copy.name.clone(),
        snapshot: snapshot.clone(),
        monitor: copy.monitor.clone(),
        queue: Mutex::new(Queue::new(tasks.into_iter().map(|task| (task.relation(), task)))),
    });
    let mut sessions = Vec::new();
    // All of them before anything is copied: what has the snapshot keeps it, whatever becomes of who exported it.
    for _ in 0..count {
        sessions.push(Sessions::open(&work).await?);
    }
    let mut jobs = JoinSet::new();
    for sessions in sessions {
        let work = Arc::clone(&work);
        jobs.spawn(async move { Job { work: &work, sessions: Some(sessions) }.run().await });
    }
    let mut report = Report::default();
    while let Some(ended) = jobs.join_next().await {
        let done = ended
            .map_err(|_| Error::Misuse("a job of the copy panicked, or its runtime was shut down"))??;
        report.rows += done.rows;
        report.bytes += done.bytes;
    }
    Ok(report)
}

struct Job<'a> {
    work: &'a Work,
    sessions: Option<Sessions>,
}

/// Both are in a transaction, or neither has begun one: after an error they are of no more use.
struct Sessions {
    source: Connection,
    target: Connection,
}

impl Sessions {
    async fn open(work: &Work) -> Result<Self, Error> {
        let source = Box::pin(source::read(&work.source, &work.snapshot)).await?;
        let target = Box::pin(target::load(&work.target)).await?;
        Ok(Self { source, target })
    }
}

impl Job<'_> {
    /// Copies chunks until none is left.
    async fn run(mut self) -> Result<Report, Error> {
        let mut report = Report::default();
        while let Some((relation, task)) = self.work.take() {
            let copied = self.persist(&task).await?;
            self.work.queue().done(&relation);
            let Some((rows, bytes)) = copied else { continue };
            report.rows += rows;
            report.bytes += bytes;
        }
        Ok(report)
    }

    /// Copies a chunk, and tries again what may pass.
    async fn persist(&mut self, task: &Task) -> Result<Option<(u64, u64)>, Error> {
        let mut waits = WAITS.iter();
        loop {
            let mut passing = Passing { work: self.work, task, bytes: 0, counted: 0 };
            let error = match self.copy(task, &mut passing).await {
                Ok(rows) => return Ok(rows.map(|rows| (rows, passing.keep(rows)))),
                Err(error) => error,
            };
            passing.undo();
            self.sessions = None;
            let Some(wait) = waits.next().filter(|_| may_pass(&error)) else { return Err(error) };
            trace::warn!(table = %task.load.quoted(), %error, "a chunk is tried again");
            tokio::time::sleep(Duration::from_millis(*wait)).await;
        }
    }

    /// One try. Gives the number of rows; `None` where the chunk is found to be copied.
    async fn copy(&mut self, task: &Task, passing: &mut Passing<'_>) -> Result<Option<u64>, Error> {
        let mut sessions = match self.sessions.take() {
            Some(sessions) => sessions,
            None => Sessions::open(self.work).await?,
        };
        let Sessions { source, target } = &mut sessions;
        let copied = if self.claim(target, task).await? {
            let rows = transfer(source, target, task, passing).await?;
            let note = task.chunk.note(&self.work.name, task.load.key(), rows);
            target.simple_query(&note).await?;
            Some(rows)
        } else {
            None
        };
        target
            .simple_query("COMMIT")
            .await
            .map_err(|error| located(Side::Target, error, &task.load.quoted()))?;
        self.sessions = Some(sessions);
        Ok(copied)
    }

    /// Begins a transaction for a chunk, unless it is copied already.
    async fn claim(&self, target: &mut Connection, task: &Task) -> Result<bool, Error> {
        target.simple_query(target::BEGIN).await?;
        let claim = task.chunk.claim(&self.work.name, task.load.key(), &self.work.snapshot);
        let rows = target.simple_query(&claim).await?;
        let Some(row) = rows.first() else {
            return Err(Error::Precondition {
                problem: format!("another run has begun the copy of {} anew", task.load.quoted()),
                mend: "stop one of the two".to_owned(),
            });
        };
        Ok(row.text(0)?.is_none())
    }
}

/// Brings the rows of a chunk across.
async fn transfer(
    source: &mut Connection,
    target: &mut Connection,
    task: &Task,
    passing: &mut Passing<'_>,
) -> Result<u64, Error> {
    let load = &task.load;
    let at = |(side, error)| located(side, error, &load.quoted());
    if task.is_frozen {
        make_empty(target, load).await.map_err(|error| located(Side::Target, error, &load.quoted()))?;
    }
    let (from, into) = (load.read(&task.chunk), load.write(task.is_frozen));
    let mut splice = Splice::begin(source, &from, target, &into).await.map_err(at)?;
    while let Some(bytes) = splice.pass().await.map_err(at)? {
        passing.note(bytes);
        passing.work.monitor.keep_pace(bytes).await;
    }
    let counts = splice.finish().await.map_err(at)?;
    source::require_unchanged(source, &task.chunk.schema, &task.chunk.table).await?;
    if counts.sent != counts.taken {
        return Err(load.incomplete(counts.sent, counts.taken));
    }
    Ok(counts.taken)
}

/// Rows can be written frozen only into a table that this transaction has emptied. It was found empty before, and here
/// again, with nobody else at it.
async fn make_empty(target: &mut Connection, load: &Load) -> Result<(), Error> {
    target.simple_query(&load.lock()).await?;
    if !target.simple_query(&load.exists()).await?.is_empty() {
        return Err(load.occupied());
    }
    target.simple_query(&load.truncate()).await.map(drop)
}

/// A server's error with where it came up.
pub(super) fn located(side: Side, error: Error, table: &str) -> Error {
    let side = match side {
        Side::Source => "source",
        Side::Target => "target",
    };
    match error {
        Error::Server(mut refusal) => {
            refusal.message = format!("copying {table}, the {side} said: {}", refusal.message);
            Error::Server(refusal)
        }
        other => other,
    }
}

/// A lost connection, a restart; and what two transactions on the target can do to each other.
fn may_pass(error: &Error) -> bool {
    error.is_retryable() || matches!(error.sqlstate(), Some("40001" | "40P01" | "55P03"))
}

impl Work {
    /// Not in the condition of a loop, which would keep the queue locked.
    fn take(&self) -> Option<(Relation, Task)> {
        self.queue().take()
    }

    fn queue(&self) -> MutexGuard<'_, Queue<Relation, Task>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Task {
    fn relation(&self) -> Relation {
        let part = || (self.chunk.schema.clone(), self.chunk.table.clone());
        (self.table, self.load.is_partitioned.then(part))
    }
}

/// What the monitor has been told of a chunk on its way.
struct Passing<'a> {
    work: &'a Work,
    task: &'a Task,
    bytes: u64,
    /// Of the chunk's size on disk.
    counted: u64,
}

impl Passing<'_> {
    fn note(&mut self, bytes: usize) {
        let bytes = u64::try_from(bytes).unwrap_or_default();
        self.bytes += bytes;
        // The form in which rows are sent is about as large as that on disk.
        let counted = self.bytes.min(self.task.chunk.size);
        let more = counted - self.counted;
        self.counted = counted;
        self.change(|progress| {
            progress.bytes += bytes;
            progress.size_copied += more;
        });
    }

    fn keep(self, rows: u64) -> u64 {
        let rest = self.task.chunk.size - self.counted;
        self.change(|progress| {
            progress.rows += rows;
            progress.size_copied += rest;
            progress.chunks_left = progress.chunks_left.saturating_sub(1);
            progress.is_whole = progress.chunks_left == 0;
        });
        self.bytes
    }

    fn undo(self) {
        self.change(|progress| {
            progress.bytes -= self.bytes;
            progress.size_copied -= self.counted;
        });
    }

    fn change(&self, change: impl FnOnce(&mut TableProgress)) {
        self.work.monitor.change(self.task.table, change);
    }
}
