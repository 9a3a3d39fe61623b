//! The pipeline between a source and a sink by script: what it does, call by call.

mod acknowledge;
mod batches;
mod tables;

use std::collections::VecDeque;
use std::future::{pending, ready};
use std::io;
use std::sync::{Arc, Mutex};
use std::task::Context;

use bytes::Bytes;
use tokio::time::{Sleep, sleep};

use super::*;
use crate::event::{Begin, Commit, CommitPrepared, Prepare};
use crate::pgoutput::tests::relation;
use crate::pgoutput::{self, Datum, LogicalMessage, Tuple};
use crate::{Row, Timestamp, Xid};

const TIME: Timestamp = Timestamp::from_micros(7);
const SECOND: Duration = Duration::from_secs(1);

/// What was called, in order, with how many seconds had passed.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    fn add(&self, call: impl Into<String>) {
        self.0.lock().unwrap().push(call.into());
    }

    fn calls(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
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
    /// When the connection fails beside a slow sink.
    keep_alive_fails: Option<Duration>,
    log: Log,
}

impl Scripted {
    fn new(steps: impl IntoIterator<Item = Step>, log: &Log) -> Self {
        Self { steps: steps.into_iter().collect(), waiting: None, keep_alive_fails: None, log: log.clone() }
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

    async fn make_durable(&mut self) -> Result<(), Error> {
        self.log.add("durable");
        Ok(())
    }

    fn acknowledge(&mut self, position: Lsn) {
        self.log.add(format!("acknowledge {position}"));
    }

    async fn finish(self) -> Result<(), Error> {
        self.log.add("finish");
        Ok(())
    }
}

/// A sink that takes its time, and may fail at a write or flush.
#[derive(Default)]
struct Sink {
    slow: Duration,
    fails_at: Option<(&'static str, usize)>,
    done: usize,
    log: Log,
}

impl Sink {
    fn new(log: &Log) -> Self {
        Self { log: log.clone(), ..Self::default() }
    }

    async fn call(&mut self, name: &'static str, call: String) -> io::Result<()> {
        sleep(self.slow).await;
        self.log.add(call);
        if name == "flush" {
            self.done += 1;
        }
        if self.fails_at == Some((name, self.done)) { Err(io::Error::other("disk full")) } else { Ok(()) }
    }
}

impl ChangeSink for Sink {
    type Error = io::Error;

    async fn write(&mut self, batch: Batch) -> io::Result<()> {
        let call = format!("write {}", batch.events().iter().map(word).collect::<String>());
        self.call("write", call).await
    }

    async fn flush(&mut self) -> io::Result<()> {
        self.call("flush", "flush".into()).await
    }

    async fn rollback(&mut self) -> io::Result<()> {
        self.call("rollback", "rollback".into()).await
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
