//! What the process has stored, and the sinks that store it.

use std::sync::Arc;

use super::dice::Dice;
use super::judge::position;
use super::plan::Bug;
use super::world::World;
use crate::Lsn;
use crate::event::{Acknowledge as _, Event};
use crate::session::Fingerprint;
use crate::sink::{Batch, ChangeSink, Progress, SinkKind};

/// What survives the process.
#[derive(Debug, Default)]
pub(crate) struct Disk {
    /// Each a transaction or a message, whole.
    pub(crate) units: Vec<Vec<Event>>,
    /// With which unit each process began, and each time that one went on after the sink's error.
    began: Vec<usize>,
    /// With which this process began.
    process: usize,
    progress: Option<Fingerprint>,
    /// Where the last commit record on the disk begins.
    pub(crate) last_commit: Option<Lsn>,
    /// The end of the last that was written, durable or not.
    pub(crate) last_written: Option<Lsn>,
    /// How often the sinks were called.
    calls: u64,
    /// How often they were slow.
    slow: u32,
}

impl Disk {
    pub(crate) fn has(&self, end: Lsn) -> bool {
        self.units.iter().rev().any(|unit| position(unit) == Some(end))
    }

    /// Whether it is slow once more: not for ever.
    fn is_slow(&mut self) -> bool {
        self.slow += 1;
        self.slow <= 4
    }

    /// Another process begins.
    pub(crate) fn restart(&mut self) {
        self.process = self.units.len();
        self.come_again();
    }

    /// What wasn't durable comes again.
    fn come_again(&mut self) {
        self.began.push(self.units.len());
    }

    /// How many transactions this process has stored, and changes in them.
    pub(crate) fn stored_by_process(&self) -> (u64, u64) {
        let units = self.units.get(self.process..).unwrap_or_default();
        let count = |units: usize| u64::try_from(units).unwrap_or(u64::MAX);
        let is_transaction = |unit: &&Vec<Event>| !matches!(unit.as_slice(), [Event::Message(_)]);
        let is_change = |event: &&Event| matches!(event, Event::Change(_));
        let changes = units.iter().flatten().filter(is_change).count();
        (count(units.iter().filter(is_transaction).count()), count(changes))
    }

    pub(crate) fn resume_lsn(&self) -> Option<Lsn> {
        self.progress.as_ref().map(|progress| progress.resume_lsn)
    }

    /// The units that a source must send; others it may leave out.
    pub(crate) fn counting(&self) -> Vec<&[Event]> {
        self.units.iter().map(Vec::as_slice).filter(|unit| counts(unit)).collect()
    }

    /// The same, by the process that has written them.
    pub(crate) fn segments(&self) -> Vec<Vec<&[Event]>> {
        let ends = self.began.iter().skip(1).copied().chain([self.units.len()]);
        let ranges = self.began.iter().copied().zip(ends);
        let segment = |range: std::ops::Range<usize>| {
            self.units.get(range).unwrap_or_default().iter().map(Vec::as_slice)
        };
        ranges.map(|(begin, end)| segment(begin..end).filter(|unit| counts(unit)).collect()).collect()
    }
}

fn counts(unit: &[Event]) -> bool {
    !matches!(unit, [Event::Begin(_), Event::Commit(_)])
}

/// A sink on that disk.
pub(crate) struct Storage {
    world: Arc<World>,
    dice: Dice,
    /// Written, and not flushed.
    staged: Vec<Event>,
    /// How much of that was flushed all the same: half a transaction.
    half: usize,
    /// Whether the end of a transaction is to come.
    is_open: bool,
    /// Whether an error has passed since the last call that went well.
    has_failed: bool,
}

/// The sink fails, by plan.
#[derive(Debug, thiserror::Error)]
#[error("the disk fails, by plan")]
pub(crate) struct Broken {
    passes: bool,
}

impl Storage {
    pub(crate) fn new(world: &Arc<World>) -> Self {
        let dice = Dice::part(world.plan.seed, 3);
        let world = Arc::clone(world);
        Self { world, dice, staged: Vec::new(), half: 0, is_open: false, has_failed: false }
    }

    /// A call begins: it may take its time, and fail.
    async fn call(&mut self, what: &'static str) -> Result<(), Broken> {
        let world = Arc::clone(&self.world);
        world.survive(|| format!("sink: {what}")).await;
        let sink = &world.plan.sink;
        if sink.slow_one_in > 0 && self.dice.one_in(sink.slow_one_in) && world.state().disk.is_slow() {
            tokio::time::sleep(sink.slow).await;
        }
        let mut state = world.state();
        state.disk.calls += 1;
        let passes = sink.passing.contains(&state.disk.calls);
        let fails = (passes || sink.failures.contains(&state.disk.calls)) && !state.is_closing;
        if fails { Err(Broken { passes }) } else { Ok(()) }
    }

    /// Half of the failures come when the work is done.
    async fn calling(&mut self, what: &'static str, work: impl FnOnce(&mut Self)) -> Result<(), Broken> {
        let called = self.call(what).await;
        if called.is_ok() || self.dice.one_in(2) {
            work(self);
            let done = || format!("sink: {what} done{}", if called.is_ok() { "" } else { ", and fails" });
            self.world.survive(done).await;
        }
        match called {
            Err(Broken { passes: true }) => self.lose(),
            _ => self.has_failed = false,
        }
        called
    }

    /// What was not flushed is gone; perhaps with the half of a transaction that was.
    fn lose(&mut self) {
        self.has_failed = true;
        if self.dice.one_in(2) {
            self.half = 0;
        }
        self.staged.truncate(self.half);
        self.is_open = self.half > 0;
        self.world.state().disk.come_again();
    }

    fn take(&mut self, event: Event) {
        let is_inside = match &event {
            Event::Change(_) | Event::Commit(_) | Event::Prepare(_) => true,
            Event::Message(message) => message.transactional,
            _ => false,
        };
        if is_inside != self.is_open {
            self.world.state().judge.find(format!("the sink got {event:?} where it can't stand"));
        }
        self.is_open = match &event {
            Event::Begin(_) => true,
            Event::Change(_) => self.is_open,
            Event::Message(message) => message.transactional && self.is_open,
            _ => false,
        };
        if let Some(position) = event.position() {
            self.world.state().disk.last_written = Some(position);
        }
        self.staged.push(event);
    }

    /// Whole transactions go to the disk, and the position with them.
    fn store(&mut self) {
        let whole =
            self.staged.iter().rposition(|event| event.position().is_some()).map_or(0, |last| last + 1);
        let mut state = self.world.state();
        let state = &mut *state;
        let mut unit = Vec::new();
        for event in self.staged.drain(..whole) {
            let end = event.position();
            if let Event::Commit(commit) = &event {
                state.disk.last_commit = Some(commit.commit_lsn());
            }
            unit.push(event);
            let Some(end) = end else { continue };
            state.disk.units.push(std::mem::take(&mut unit));
            if let Some(progress) = &mut state.disk.progress {
                progress.resume_lsn = end;
            }
        }
        self.half = self.staged.len();
    }
}

impl ChangeSink for Storage {
    type Error = Broken;

    fn is_retryable(error: &Broken) -> bool {
        error.passes
    }

    fn kind(&self) -> SinkKind {
        self.world.plan.sink.kind
    }

    async fn write(&mut self, batch: Batch) -> Result<(), Broken> {
        let events = batch.into_events();
        self.calling("write", |sink| events.into_iter().for_each(|event| sink.take(event))).await
    }

    async fn flush(&mut self) -> Result<(), Broken> {
        self.calling("flush", Self::store).await
    }

    async fn rollback(&mut self) -> Result<(), Broken> {
        if self.world.plan.bug == Some(Bug::ForgetsRollbacks) {
            return Ok(());
        }
        self.calling("rollback", |sink| {
            if !sink.is_open && !sink.has_failed {
                sink.world.state().judge.find("the sink was told to forget what is not there");
            }
            let whole = sink.staged.iter().rposition(|event| event.position().is_some());
            sink.staged.truncate(whole.map_or(0, |last| last + 1));
            sink.half = 0;
            sink.is_open = false;
        })
        .await
    }

    async fn progress(&mut self) -> Result<Progress, Broken> {
        self.call("progress").await?;
        if !self.world.plan.sink.is_exactly_once {
            return Ok(Progress::Untracked);
        }
        let kept = self.world.state().disk.progress.clone();
        Ok(kept.map_or(Progress::None, Progress::At))
    }

    async fn set_progress(&mut self, progress: &Fingerprint) -> Result<(), Broken> {
        let progress = progress.clone();
        self.calling("set_progress", |sink| {
            let mut state = sink.world.state();
            let state = &mut *state;
            let position = progress.resume_lsn;
            if state.disk.resume_lsn().is_some_and(|before| before > position) {
                state.judge.find(format!("the sink's progress went back to {position}"));
            }
            state.judge.durable(position, "progress", &state.server, &state.disk);
            state.disk.progress = Some(progress);
        })
        .await
    }
}
