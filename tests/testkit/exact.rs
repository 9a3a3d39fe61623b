//! A storage in memory whose sink keeps every law, whatever kind it is of, or breaks one.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::string::FromUtf8Error;
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::task::yield_now;
use walferry::event::{Change, Event, OldRow};
use walferry::pgoutput::{Datum, Tuple};
use walferry::session::Fingerprint;
use walferry::sink::testkit::{BoxError, Storage, Transaction, Visible};
use walferry::sink::{Batch, ChangeSink, Progress, SinkKind};
use walferry::{Lsn, Row};

/// What is wrong with a sink.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flaw {
    None,
    /// None either: it says that it can't hold what isn't UTF-8.
    Refuses,
    ShowsEarly,
    EndsWithBatch,
    LosesWhatABatchBegan,
    OrdersByTime,
    SkipsByPosition,
    KeepsHalf,
    RollsBackTooMuch,
    KeepsHalfWithProgress,
    ForgetsFlush,
    FlushesLateByOne,
    StartsAnew,
    ProgressFirst,
    ProgressLater,
    GoesBack,
    LosesProgress,
    ForgetsTimeline,
    ForgetsIdle,
    SignedSystem,
    LatestByText,
    InsertsOnce,
    HidesPositions,
    GroupsByPosition,
    TwoSteps,
    RowByRow,
    SwallowsFailure,
    TellsRowOnFailure,
    NullText,
    EmptyIsNull,
    UnchangedIsNull,
    Trims,
    Lossy,
    TellsValue,
    TellsBytesInTheSource,
    RefusesHalf,
    CutsAtOneMegabyte,
    SplitsAtOneMegabyte,
}

/// What both the disk and its cache hold.
#[derive(Clone, Default)]
struct State {
    rows: BTreeMap<Vec<u8>, Row>,
    log: Vec<Transaction>,
    progress: Option<Fingerprint>,
}

#[derive(Default)]
struct Disk {
    /// What a crash leaves.
    durable: State,
    /// What readers see.
    cache: State,
    fails: Range<u64>,
    operations: u64,
}

#[derive(Clone)]
pub(crate) struct Store {
    disk: Arc<Mutex<Disk>>,
    kind: SinkKind,
    pub(crate) shows: SinkKind,
    tracked: bool,
    flaw: Flaw,
}

impl Store {
    pub(crate) fn new(kind: SinkKind, tracked: bool, flaw: Flaw) -> Self {
        Self { disk: Arc::default(), kind, shows: kind, tracked, flaw }
    }

    fn disk(&self) -> MutexGuard<'_, Disk> {
        self.disk.lock().unwrap()
    }

    /// What everything that can fail begins with.
    fn operation(&self) -> Result<(), Failed> {
        let mut disk = self.disk();
        disk.operations += 1;
        if disk.fails.contains(&(disk.operations - 1)) { Err(Failed::disk()) } else { Ok(()) }
    }
}

impl Storage for Store {
    type Sink = Sink;

    async fn open(&mut self) -> Result<Sink, BoxError> {
        {
            let mut disk = self.disk();
            if self.flaw == Flaw::StartsAnew {
                disk.durable = State::default();
            }
            if self.flaw == Flaw::LosesProgress {
                disk.durable.progress = None;
            }
            disk.cache = disk.durable.clone();
        }
        let store = self.clone();
        Ok(Sink { store, open: Vec::new(), begins: Lsn::ZERO, last: None, flushed_before: None })
    }

    async fn visible(&mut self) -> Result<Visible, BoxError> {
        let disk = self.disk();
        Ok(match self.shows {
            SinkKind::Append => Visible::Log(disk.cache.log.clone()),
            _ => Visible::Rows(disk.cache.rows.values().cloned().collect()),
        })
    }

    fn fail(&mut self, operations: Range<u64>) -> bool {
        let mut disk = self.disk();
        disk.fails = operations;
        disk.operations = 0;
        true
    }
}

/// Puts whole transactions into the cache, and the cache on the disk when it is flushed.
pub(crate) struct Sink {
    store: Store,
    open: Vec<Change>,
    begins: Lsn,
    last: Option<Lsn>,
    flushed_before: Option<State>,
}

impl ChangeSink for Sink {
    type Error = Failed;

    async fn write(&mut self, batch: Batch) -> Result<(), Failed> {
        yield_now().await;
        if self.is(Flaw::LosesWhatABatchBegan) {
            self.open.clear();
        }
        for event in batch.into_events() {
            let single = {
                let mut single = Batch::default();
                single.push(event.clone());
                single
            };
            match event {
                Event::Change(change) => {
                    let held = self.hold_change(&change);
                    if held.is_err() && self.is(Flaw::RefusesHalf) {
                        self.end(Lsn::new(1));
                        let mut disk = self.store.disk();
                        disk.durable = disk.cache.clone();
                    }
                    self.open.push(held?);
                    if self.is(Flaw::ShowsEarly) {
                        let open = self.open.clone();
                        apply(&mut self.store.disk().cache.rows, &open, false)?;
                    }
                }
                Event::Begin(begin) => self.begins = begin.commit_lsn,
                _ => {}
            }
            if let Some(position) = single.last_position() {
                yield_now().await;
                self.complete(position)?;
            }
        }
        if self.is(Flaw::EndsWithBatch) && !self.open.is_empty() {
            self.end(Lsn::new(1));
        }
        Ok(())
    }

    async fn flush(&mut self) -> Result<(), Failed> {
        yield_now().await;
        match self.store.operation() {
            Err(_) if self.is(Flaw::SwallowsFailure) => return Ok(()),
            done => done?,
        }
        if let (Flaw::GoesBack, Some(last)) = (self.store.flaw, self.last) {
            self.store.disk().cache.progress.as_mut().unwrap().resume_lsn = last;
        }
        let cache = self.store.disk().cache.clone();
        match self.store.flaw {
            Flaw::ForgetsFlush => return Ok(()),
            Flaw::TwoSteps => {
                {
                    let durable = &mut self.store.disk().durable;
                    (durable.rows, durable.log) = (cache.rows.clone(), cache.log.clone());
                }
                yield_now().await;
            }
            Flaw::RowByRow => {
                for (id, row) in &cache.rows {
                    self.store.operation()?;
                    self.store.disk().durable.rows.insert(id.clone(), row.clone());
                }
            }
            _ => {}
        }
        let durable = match (self.store.flaw, self.flushed_before.replace(cache.clone())) {
            (Flaw::FlushesLateByOne, before) => before.unwrap_or_default(),
            _ => cache,
        };
        self.store.disk().durable = durable;
        Ok(())
    }

    async fn rollback(&mut self) -> Result<(), Failed> {
        if self.is(Flaw::RollsBackTooMuch) {
            let mut disk = self.store.disk();
            disk.cache = disk.durable.clone();
        }
        if !self.is(Flaw::KeepsHalf) {
            self.open.clear();
        }
        Ok(())
    }

    fn kind(&self) -> SinkKind {
        self.store.kind
    }

    async fn progress(&mut self) -> Result<Progress, Failed> {
        if !self.store.tracked {
            return Ok(Progress::Untracked);
        }
        Ok(self.store.disk().durable.progress.clone().map_or(Progress::None, Progress::At))
    }

    async fn set_progress(&mut self, progress: &Fingerprint) -> Result<(), Failed> {
        assert!(self.store.tracked, "only a sink that keeps its progress is asked to");
        if self.is(Flaw::KeepsHalfWithProgress) && !self.open.is_empty() {
            self.end(progress.resume_lsn);
        }
        let mut disk = self.store.disk();
        let progress = match (self.store.flaw, disk.durable.progress.clone()) {
            (Flaw::ForgetsIdle, Some(kept)) => kept,
            (Flaw::ForgetsTimeline, Some(kept)) => Fingerprint { resume_lsn: progress.resume_lsn, ..kept },
            (Flaw::SignedSystem, _) => {
                let system_id = i64::MAX.unsigned_abs().min(progress.system_id);
                Fingerprint { system_id, ..progress.clone() }
            }
            _ => progress.clone(),
        };
        disk.cache.progress = Some(progress.clone());
        disk.durable.progress = Some(progress);
        Ok(())
    }
}

impl Sink {
    fn is(&self, flaw: Flaw) -> bool {
        self.store.flaw == flaw
    }

    /// A transaction is complete, or there is a message between two.
    fn complete(&mut self, position: Lsn) -> Result<(), Failed> {
        match self.store.operation() {
            Err(_) if self.is(Flaw::SwallowsFailure) => {
                self.open.clear();
                return Ok(());
            }
            Err(_) if self.is(Flaw::TellsRowOnFailure) => {
                let values = self.open.iter().flat_map(Change::rows).flat_map(|row| row.tuple().iter());
                let texts =
                    values.filter_map(|datum| if let Datum::Text(text) = datum { Some(text) } else { None });
                let texts: Vec<_> = texts.map(String::from_utf8_lossy).collect();
                return Err(Failed::new(&format!("the disk has failed, writing {texts:?}")));
            }
            done => done?,
        }
        if self.is(Flaw::SkipsByPosition) && self.last.is_some_and(|last| self.begins <= last) {
            self.open.clear();
            return Ok(());
        }
        apply(&mut self.store.disk().cache.rows, &self.open, self.is(Flaw::InsertsOnce))?;
        self.end(position);
        self.last = Some(position);
        let mut disk = self.store.disk();
        if let Some(progress) = &mut disk.cache.progress {
            let is_later = position.to_string() > progress.resume_lsn.to_string();
            if is_later || !self.is(Flaw::LatestByText) {
                progress.resume_lsn = position;
            }
        }
        if self.is(Flaw::ProgressFirst) {
            let progress = disk.cache.progress.clone();
            disk.durable.progress = progress;
        }
        if self.is(Flaw::ProgressLater) {
            (disk.durable.rows, disk.durable.log) = (disk.cache.rows.clone(), disk.cache.log.clone());
        }
        Ok(())
    }

    /// Adds what is open to the log.
    fn end(&mut self, position: Lsn) {
        let changes = std::mem::take(&mut self.open);
        let end_lsn = (!self.is(Flaw::HidesPositions)).then_some(position);
        let transaction = Transaction { end_lsn, changes };
        let is_giant =
            transaction.changes.iter().flat_map(Change::rows).any(|row| row.tuple().byte_len() > 1 << 20);
        let log = &mut self.store.disk().cache.log;
        match self.store.flaw {
            // The history's times fall.
            Flaw::OrdersByTime => log.insert(0, transaction),
            Flaw::GroupsByPosition => match log.iter_mut().find(|earlier| earlier.end_lsn == end_lsn) {
                Some(earlier) => earlier.changes.extend(transaction.changes),
                None => log.push(transaction),
            },
            Flaw::SplitsAtOneMegabyte if is_giant => {
                log.extend(
                    transaction
                        .changes
                        .into_iter()
                        .map(|change| Transaction { end_lsn, changes: vec![change] }),
                );
            }
            _ => log.push(transaction),
        }
    }

    fn hold_change(&self, change: &Change) -> Result<Change, Failed> {
        let hold_old = |old: &OldRow| {
            Ok(match old {
                OldRow::Key(row) => OldRow::Key(self.hold(row)?),
                OldRow::Full(row) => OldRow::Full(self.hold(row)?),
            })
        };
        Ok(match change {
            Change::Insert { new } => Change::Insert { new: self.hold(new)? },
            Change::Update { old, new } => {
                Change::Update { old: old.as_ref().map(hold_old).transpose()?, new: self.hold(new)? }
            }
            Change::Delete { old } => Change::Delete { old: hold_old(old)? },
            other => other.clone(),
        })
    }

    fn hold(&self, row: &Row) -> Result<Row, Failed> {
        let mut lossy = Vec::new();
        for datum in row.tuple() {
            let text = match datum {
                Datum::Text(text) => text,
                _ => b"",
            };
            self.check(text)?;
            lossy.push(String::from_utf8_lossy(text).into_owned());
        }
        let datums = row.tuple().iter().zip(&lossy).map(|(datum, lossy)| match (self.store.flaw, datum) {
            (Flaw::NullText, Datum::Text(b"null"))
            | (Flaw::EmptyIsNull, Datum::Text(b""))
            | (Flaw::UnchangedIsNull, Datum::Unchanged) => Datum::Null,
            (Flaw::Trims, Datum::Text(text)) => Datum::Text(text.trim_ascii()),
            (Flaw::Lossy, Datum::Text(_)) => Datum::Text(lossy.as_bytes()),
            (Flaw::CutsAtOneMegabyte, Datum::Text(text)) => Datum::Text(&text[..text.len().min(1 << 20)]),
            (_, datum) => datum,
        });
        Ok(Row::new(row.relation().clone(), Tuple::from_datums(datums)).expect("as many as before"))
    }

    fn check(&self, text: &[u8]) -> Result<(), Failed> {
        if std::str::from_utf8(text).is_ok() {
            return Ok(());
        }
        match self.store.flaw {
            Flaw::Refuses | Flaw::RefusesHalf => Err(Failed::new("a value is not UTF-8")),
            Flaw::TellsValue => Err(Failed::new(&format!("not UTF-8: {}", String::from_utf8_lossy(text)))),
            Flaw::TellsBytesInTheSource => Err(Failed {
                message: "a value is not UTF-8".into(),
                source: String::from_utf8(text.to_vec()).err(),
            }),
            _ => Ok(()),
        }
    }
}

fn apply(rows: &mut BTreeMap<Vec<u8>, Row>, changes: &[Change], once: bool) -> Result<(), Failed> {
    for change in changes {
        match change {
            Change::Insert { new } => {
                if rows.insert(id(new), new.clone()).is_some() && once {
                    return Err(Failed::new("the key is there already"));
                }
            }
            Change::Update { old, new } => {
                let before = rows.remove(&id(old.as_ref().map_or(new, OldRow::row)));
                let before = before.as_ref().map_or(new, |before| before);
                let kept = new.tuple().iter().zip(before.tuple()).map(|(new, before)| match new {
                    Datum::Unchanged => before,
                    new => new,
                });
                let merged = Row::new(new.relation().clone(), Tuple::from_datums(kept));
                rows.insert(id(new), merged.expect("as many as before"));
            }
            Change::Delete { old } => _ = rows.remove(&id(old.row())),
            Change::Truncate { .. } => rows.clear(),
            other => unreachable!("{other:?}"),
        }
    }
    Ok(())
}

fn id(row: &Row) -> Vec<u8> {
    match row.tuple().get(0) {
        Some(Datum::Text(id)) => id.to_vec(),
        // What takes a text for NULL does so here, too.
        _ => Vec::new(),
    }
}

pub(crate) struct Failed {
    message: String,
    source: Option<FromUtf8Error>,
}

impl Failed {
    fn new(message: &str) -> Self {
        Self { message: message.to_owned(), source: None }
    }

    fn disk() -> Self {
        Self::new("the disk has failed")
    }
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl fmt::Debug for Failed {
    /// Leaves out what it comes from: who asks for that is told.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Failed {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_ref().map(|source| source as _)
    }
}
