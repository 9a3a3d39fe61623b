//! The pipeline between a source and a sink by script: what it does, call by call.

mod acknowledge;
mod batches;
mod beside;
mod overlap;
mod pace;
mod reconnect;
mod retry;
mod tables;

use std::collections::VecDeque;
use std::future::{Future, pending, ready};
use std::io;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::time::{Instant, Sleep, sleep};

use super::*;
use crate::event::{Begin, Change, Commit, CommitPrepared, Event, Prepare};
use crate::pgoutput::Relation;
use crate::pgoutput::tests::relation;
use crate::pgoutput::{self, Datum, LogicalMessage, Tuple};
use crate::session::{Fingerprint, Positions};
use crate::sink::{Batch, Flushing, Progress, SinkKind};
use crate::{Lsn, Row, Timestamp, Xid};

const TIME: Timestamp = Timestamp::from_micros(7);
const SECOND: Duration = Duration::from_secs(1);

const MILLISECOND: Duration = Duration::from_millis(1);

/// What was called, in order, and when.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<(Instant, String)>>>);

impl Log {
    fn add(&self, call: impl Into<String>) {
        self.0.lock().unwrap().push((Instant::now(), call.into()));
    }

    fn calls(&self) -> Vec<String> {
        self.0.lock().unwrap().iter().map(|(_, call)| call.clone()).collect()
    }

    /// At which millisecond what was called that begins with one of these words.
    fn times(&self, began: Instant, words: &[&str]) -> Vec<String> {
        let calls = self.0.lock().unwrap();
        let chosen = calls.iter().filter(|(_, call)| words.iter().any(|word| call.starts_with(word)));
        chosen.map(|(at, call)| format!("{} {call}", at.duration_since(began).as_millis())).collect()
    }

    /// Only the calls that begin with one of these words.
    fn only(&self, words: &[&str]) -> Vec<String> {
        let mut calls = self.calls();
        calls.retain(|call| words.iter().any(|word| call.starts_with(word)));
        calls
    }
}

/// What a source does next.
enum Step {
    Event(Event),
    Wait(Duration),
    Fail,
    /// Nothing comes any more, and no end.
    Hang,
}

struct Scripted {
    steps: VecDeque<Step>,
    waiting: Option<std::pin::Pin<Box<Sleep>>>,
    /// What connecting again leads to; success, when there is no more.
    reopens: VecDeque<Result<(), Error>>,
    /// What the end leads to, likewise.
    finishes: VecDeque<Result<(), Error>>,
    /// A position at which nothing is in flight.
    idle: Option<u64>,
    /// When the connection fails beside a slow sink.
    keep_alive_fails: Option<Duration>,
    can_reopen: bool,
    /// What is durable by its account when it is opened again.
    reopened_at: u64,
    log: Log,
}

impl Scripted {
    fn new(steps: impl IntoIterator<Item = Step>, log: &Log) -> Self {
        Self {
            steps: steps.into_iter().collect(),
            waiting: None,
            reopens: VecDeque::new(),
            finishes: VecDeque::new(),
            idle: None,
            keep_alive_fails: None,
            can_reopen: true,
            reopened_at: 0x18,
            log: log.clone(),
        }
    }
}

impl Source for Scripted {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Event, Error>>> {
        loop {
            if let Some(waiting) = &mut self.waiting {
                std::task::ready!(waiting.as_mut().poll(cx));
                self.waiting = None;
            }
            match self.steps.pop_front() {
                Some(Step::Event(event)) => return Poll::Ready(Some(Ok(event))),
                Some(Step::Wait(time)) => self.waiting = Some(Box::pin(sleep(time))),
                Some(Step::Fail) => return Poll::Ready(Some(Err(Error::Closed { during: "by script" }))),
                Some(Step::Hang) => {
                    self.steps.push_front(Step::Hang);
                    return Poll::Pending;
                }
                None => return Poll::Ready(None),
            }
        }
    }

    async fn keep_alive(&mut self) -> Error {
        self.log.add("keep alive");
        match self.keep_alive_fails {
            Some(time) => sleep(time).await,
            None => pending().await,
        }
        Error::Closed { during: "beside the sink" }
    }

    fn resume(&mut self, kept: Option<&Fingerprint>) -> Result<Option<Fingerprint>, Error> {
        let kept = kept.map(|kept| kept.resume_lsn);
        self.log.add(format!("resume {kept:?}"));
        Ok(kept.is_none().then(|| fingerprint(0x10)))
    }

    fn idle(&self) -> Option<Fingerprint> {
        self.idle.map(fingerprint)
    }

    fn idle_kept(&mut self, kept: &Fingerprint) {
        self.log.add(format!("idle kept {}", kept.resume_lsn));
        self.idle = None;
    }

    async fn make_durable(&mut self) -> Result<(), Error> {
        self.log.add("durable");
        Ok(())
    }

    fn positions(&self) -> (Positions, u64) {
        (Positions::default(), 0)
    }

    fn can_reopen(&self) -> bool {
        self.can_reopen
    }

    async fn reopen(&mut self) -> Result<Fingerprint, Error> {
        self.waiting = None;
        self.log.add("reopen");
        let opened = self.reopens.pop_front().unwrap_or(Ok(()));
        if opened.is_ok() {
            self.keep_alive_fails = None;
        }
        opened.map(|()| fingerprint(self.reopened_at))
    }

    fn beat(&self) -> impl Future<Output = Result<(), Error>> + Send + 'static {
        self.log.add("beat");
        ready(Ok(()))
    }

    fn acknowledge(&mut self, position: Lsn) {
        self.log.add(format!("acknowledge {position}"));
    }

    async fn finish(&mut self) -> Result<(), Error> {
        self.log.add("finish");
        self.finishes.pop_front().unwrap_or(Ok(()))
    }
}

fn fingerprint(resume_lsn: u64) -> Fingerprint {
    let (database, slot) = ("db".to_owned(), "s".to_owned());
    Fingerprint { system_id: 1, timeline: 1, database, slot, resume_lsn: Lsn::new(resume_lsn) }
}

/// A sink that takes its time, and may fail at a write or flush.
#[derive(Default)]
struct Sink {
    slow: Duration,
    /// How long it takes to say where it stands.
    slow_start: Duration,
    fails_at: Option<(&'static str, usize)>,
    /// Which calls fail next, each once and in this order, in a way that passes.
    passing: VecDeque<&'static str>,
    /// Whether the second write fails so.
    fails_second_write: bool,
    /// How long flushes take beside what is written, one after the other, and whether they succeed.
    beside: VecDeque<(Duration, bool)>,
    writes: usize,
    done: usize,
    progress: Progress,
    /// Where it stands when it is asked again.
    progress_again: Option<Progress>,
    kind: SinkKind,
    log: Log,
}

impl Sink {
    fn new(log: &Log) -> Self {
        Self { log: log.clone(), ..Self::default() }
    }

    async fn call(&mut self, name: &'static str, call: String) -> io::Result<()> {
        sleep(self.slow).await;
        self.log.add(call);
        if self.passing.front() == Some(&name) {
            self.passing.pop_front();
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        if name == "flush" {
            self.done += 1;
        }
        if self.fails_at == Some((name, self.done)) { Err(io::Error::other("disk full")) } else { Ok(()) }
    }
}

impl ChangeSink for Sink {
    type Error = io::Error;

    fn is_retryable(error: &io::Error) -> bool {
        error.kind() == io::ErrorKind::ConnectionReset
    }

    fn kind(&self) -> SinkKind {
        self.kind
    }

    async fn write(&mut self, batch: Batch) -> io::Result<()> {
        let call = format!("write {}", batch.events().iter().map(word).collect::<String>());
        self.writes += 1;
        if self.fails_second_write && self.writes == 2 {
            self.passing.push_back("write");
        }
        self.call("write", call).await
    }

    async fn flush(&mut self) -> io::Result<()> {
        self.call("flush", "flush".into()).await
    }

    fn flush_beside(&mut self) -> Option<Flushing> {
        let (time, succeeds) = self.beside.pop_front()?;
        self.log.add("flush begins");
        Some(Box::pin(async move {
            sleep(time).await;
            succeeds
        }))
    }

    async fn rollback(&mut self) -> io::Result<()> {
        self.call("rollback", "rollback".into()).await
    }

    async fn progress(&mut self) -> io::Result<Progress> {
        sleep(self.slow_start).await;
        if self.passing.front() == Some(&"progress") {
            self.passing.pop_front();
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        let again = self.progress_again.take();
        let now = self.progress.clone();
        self.progress = again.unwrap_or_else(|| now.clone());
        Ok(now)
    }

    async fn set_progress(&mut self, progress: &Fingerprint) -> io::Result<()> {
        self.call("set", format!("set {}", progress.resume_lsn)).await
    }
}

/// An event in a letter.
fn word(event: &Event) -> String {
    match event {
        Event::Begin(_) => "B".into(),
        Event::Commit(_) => "C".into(),
        Event::Prepare(_) => "P".into(),
        Event::CommitPrepared(_) => "K".into(),
        Event::RollbackPrepared(_) => "r".into(),
        Event::Message(_) => "m".into(),
        Event::Change(Change::Truncate { relations, .. }) => {
            let names: Vec<_> = relations.iter().map(|relation| relation.name.as_str()).collect();
            format!("T({})", names.join(","))
        }
        Event::Change(_) => "x".into(),
    }
}

fn table(schema: &str, name: &str) -> Arc<Relation> {
    Arc::new(Relation { schema: schema.into(), name: name.into(), ..relation(1) })
}

fn insert_into(table: &Arc<Relation>) -> Event {
    let tuple = Tuple::from_datums([Datum::Text(b"0123456789")]);
    Event::Change(Change::Insert { new: Row::new(Arc::clone(table), tuple).unwrap() })
}

fn insert() -> Event {
    insert_into(&table("public", "t"))
}

fn begin(lsn: u64) -> Event {
    let (commit_lsn, xid) = (Lsn::new(lsn), Xid::new(1));
    Event::Begin(Begin { commit_lsn, commit_time: TIME, xid, origin: None, gid: None })
}

fn commit(lsn: u64) -> Event {
    let (commit_lsn, end_lsn) = (Lsn::new(lsn), Lsn::new(lsn + 8));
    Event::Commit(Commit { commit_lsn, end_lsn, commit_time: TIME, xid: Xid::new(1) })
}

fn prepare(lsn: u64) -> Event {
    let (prepare_lsn, end_lsn, xid, gid) = (Lsn::new(lsn), Lsn::new(lsn + 8), Xid::new(1), "g".into());
    Event::Prepare(Prepare::new(pgoutput::Prepare { prepare_lsn, end_lsn, prepare_time: TIME, xid, gid }))
}

fn commit_prepared(lsn: u64) -> Event {
    let (commit_lsn, end_lsn, xid, gid) = (Lsn::new(lsn), Lsn::new(lsn + 8), Xid::new(1), "g".into());
    let message = pgoutput::CommitPrepared { commit_lsn, end_lsn, commit_time: TIME, xid, gid };
    Event::CommitPrepared(CommitPrepared::new(message))
}

fn message(lsn: u64) -> Event {
    let (lsn, prefix, content) = (Lsn::new(lsn), String::new(), Bytes::new());
    Event::Message(LogicalMessage { xid: None, transactional: false, lsn, prefix, content })
}

/// A transaction of so many changes.
fn transaction(lsn: u64, changes: usize) -> Vec<Step> {
    let changes = std::iter::repeat_with(insert).take(changes);
    [begin(lsn)].into_iter().chain(changes).chain([commit(lsn)]).map(Step::Event).collect()
}
