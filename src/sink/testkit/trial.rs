//! One storage, and the sinks that are opened over it, one behind the other.

use std::error::Error as StdError;
use std::future::Future;
use std::ops::RangeInclusive;
use std::pin::pin;
use std::task::Poll;

use super::compare::{Difference, compare};
use super::history::{History, MARK, START};
use super::{BoxError, Broken, Law, Report, Storage, Visible};
use crate::event::Event;
use crate::session::Fingerprint;
use crate::sink::{Batch, ChangeSink, Progress, SinkKind};
use crate::{Lsn, quote};

/// How many of the last calls an error tells.
const TOLD: usize = 12;

/// A call of a sink that is part of a plan.
#[derive(Debug, Clone, Copy)]
pub(super) enum Call {
    /// Writes the events up to this one.
    Write(usize),
    Flush,
}

/// Batches of so many events, and a flush behind every so many of them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Plan {
    pub(super) events: usize,
    pub(super) batches: usize,
}

impl Plan {
    pub(super) fn calls(self, history: &History) -> Vec<Call> {
        let mut calls = Vec::new();
        for batch in 1..=history.len().div_ceil(self.events) {
            calls.push(Call::Write(history.len().min(batch * self.events)));
            if batch % self.batches == 0 {
                calls.push(Call::Flush);
            }
        }
        calls
    }
}

/// What happened to a call.
#[derive(Debug)]
pub(super) enum Outcome {
    Done,
    Cancelled,
    Failed(BoxError),
}

/// A sink over a storage, what was written to it, and what has to be there.
pub(super) struct Trial<'h, S: Storage> {
    law: Law,
    history: &'h History,
    storage: S,
    sink: S::Sink,
    kind: SinkKind,
    /// By its own account, when it was opened.
    progress: Progress,
    /// What a sink was told to keep last. None if it doesn't.
    told: Option<Fingerprint>,
    /// How many events were written, of those that count.
    next: usize,
    /// How many steps were written at least once.
    written: usize,
    /// How many were flushed.
    flushed: usize,
    /// How often steps were written that may have been there.
    repeats: u64,
    calls: Vec<String>,
    pub(super) report: Report,
}

impl<'h, S: Storage> Trial<'h, S> {
    pub(super) async fn start(law: Law, history: &'h History, mut storage: S) -> Result<Self, Broken> {
        let mut calls = Vec::new();
        let (sink, progress) = open(law, &mut storage, &mut calls).await?;
        let kind = sink.kind();
        let mut trial = Self {
            law,
            history,
            storage,
            sink,
            kind,
            progress,
            told: None,
            next: 0,
            written: 0,
            flushed: 0,
            repeats: 0,
            calls,
            report: Report::default(),
        };
        match &trial.progress {
            Progress::Untracked => {}
            Progress::None => trial.set_progress(first_fingerprint()).await?,
            Progress::At(found) => {
                let found = format!("progress at {}", found.resume_lsn);
                return Err(trial.broken(Law::Progress, "Progress::None of a new storage", found));
            }
        }
        Ok(trial)
    }

    pub(super) fn is_tracked(&self) -> bool {
        self.told.is_some()
    }

    /// How many events were written.
    pub(super) fn next(&self) -> usize {
        self.next
    }

    pub(super) fn flushed(&self) -> usize {
        self.flushed
    }

    /// Makes a call, and gives it up after it has waited so many times.
    pub(super) async fn call(&mut self, call: Call, patience: u64) -> Outcome {
        match call {
            Call::Write(to) => {
                let batch = self.history.events(self.next, to);
                // Whatever becomes of the call: what was handed over may be there.
                self.next = to.max(self.next);
                self.written = self.written.max(self.history.complete(self.next));
                self.calls.push(format!("write {}", batch.len()));
                let outcome = patiently(self.sink.write(batch_of(batch)), patience).await;
                self.note(outcome)
            }
            Call::Flush => {
                self.calls.push("flush".into());
                let outcome = patiently(self.sink.flush(), patience).await;
                if matches!(outcome, Outcome::Done) {
                    self.flushed = self.flushed.max(self.history.complete(self.next));
                }
                self.note(outcome)
            }
        }
    }

    fn note(&mut self, outcome: Outcome) -> Outcome {
        match outcome {
            Outcome::Done => {}
            Outcome::Cancelled => self.calls.push("dropped in its midst".into()),
            Outcome::Failed(_) => self.calls.push("which failed".into()),
        }
        outcome
    }

    /// Makes a call that has no reason to fail.
    pub(super) async fn run(&mut self, call: Call) -> Result<(), Broken> {
        match self.call(call, u64::MAX).await {
            Outcome::Failed(error) => Err(self.failed("no error", error)),
            Outcome::Done | Outcome::Cancelled => Ok(()),
        }
    }

    pub(super) async fn run_all(&mut self, calls: &[Call]) -> Result<(), Broken> {
        for &call in calls {
            self.run(call).await?;
        }
        Ok(())
    }

    pub(super) async fn flush(&mut self) -> Result<(), Broken> {
        self.run(Call::Flush).await
    }

    /// Writes what doesn't count: it is never completed.
    pub(super) async fn write_in_vain(&mut self, events: &[Event]) -> Result<(), Broken> {
        self.calls.push(format!("write {}", events.len()));
        let written = self.sink.write(batch_of(events)).await;
        written.map_err(|error| self.failed("no error", error.into()))
    }

    /// Forgets the half of a transaction: what is written next begins with another, or with the same one again.
    pub(super) async fn rollback(&mut self) -> Result<(), Broken> {
        self.calls.push("rollback".into());
        self.next = self.history.start_of(self.history.complete(self.next));
        let rolled_back = self.sink.rollback().await;
        rolled_back.map_err(|error| self.failed("no error", error.into()))
    }

    /// Says that the source is at this position, with nothing for the sink; on another timeline by now.
    pub(super) async fn idle(&mut self, resume_lsn: Lsn) -> Result<(), Broken> {
        let Some(told) = &self.told else { return Ok(()) };
        let told = Fingerprint { resume_lsn, timeline: told.timeline + 1, ..told.clone() };
        self.set_progress(told).await
    }

    async fn set_progress(&mut self, progress: Fingerprint) -> Result<(), Broken> {
        self.calls.push(format!("set_progress {}", progress.resume_lsn));
        let set = self.sink.set_progress(&progress).await;
        set.map_err(|error| self.failed("no error", error.into()))?;
        self.told = Some(progress);
        Ok(())
    }

    /// Lets the storage fail, if it can.
    pub(super) fn fail(&mut self, operations: std::ops::Range<u64>) -> bool {
        self.calls.push(format!("let operations {operations:?} fail"));
        self.storage.fail(operations)
    }

    /// Drops the sink, and opens another one over what is left.
    pub(super) async fn crash(mut self) -> Result<Self, Broken> {
        drop(self.sink);
        self.calls.push("crash".into());
        self.report.crashes += 1;
        self.storage.fail(0..0);
        (self.sink, self.progress) = open(self.law, &mut self.storage, &mut self.calls).await?;
        if matches!(self.progress, Progress::Untracked) == self.is_tracked() {
            let found = format!("{:?}", self.progress);
            return Err(self.broken(Law::Progress, "progress, tracked or not, as before the crash", found));
        }
        Ok(self)
    }

    /// Goes on behind a crash: from where the sink says that it is, or, if it doesn't, so many steps before what was
    /// flushed last.
    pub(super) async fn resume(&mut self, back: usize) -> Result<(), Broken> {
        if self.is_tracked() {
            let steps = self.check_progress()?;
            self.check_visible(steps..=steps).await?;
            (self.written, self.flushed) = (steps, steps);
            self.next = self.history.start_of(steps);
        } else {
            self.check_visible(self.flushed..=self.written).await?;
            self.next = self.history.start_of(self.flushed.saturating_sub(back));
            self.repeats += 1;
        }
        Ok(())
    }

    /// Writes what is left, and checks that all is there, and still is after a crash.
    pub(super) async fn finish(mut self) -> Result<Report, Broken> {
        while self.next < self.history.len() {
            self.run(Call::Write(self.history.len().min(self.next + 5))).await?;
            self.flush().await?;
        }
        self.flush().await?;
        let all = self.history.steps();
        self.check_visible(all..=all).await?;
        let mut trial = self.crash().await?;
        if trial.is_tracked() {
            trial.check_progress()?;
        }
        trial.check_visible(all..=all).await?;
        Ok(trial.report)
    }

    /// Checks what readers see: so many steps.
    pub(super) async fn check_visible(&mut self, steps: RangeInclusive<usize>) -> Result<(), Broken> {
        let seen = match self.storage.visible().await {
            Ok(seen) => seen,
            Err(error) => return Err(self.failed("a storage that can be read", error)),
        };
        match (self.kind, &seen) {
            (SinkKind::Append, Visible::Log(log)) => {
                let without = log.iter().any(|transaction| transaction.end_lsn.is_none());
                if without && !self.is_tracked() {
                    let expected = "positions, since transactions may stand there twice";
                    return Err(self.broken(Law::Redelivery, expected, "a transaction without"));
                }
            }
            (SinkKind::Mirror, Visible::Rows(_)) => {}
            (kind, seen) => {
                let found = if matches!(seen, Visible::Log(_)) { "a log" } else { "rows" };
                let expected = format!("what a sink of kind {kind:?} makes visible");
                return Err(self.broken(self.law, expected, found));
            }
        }
        let different = compare(self.history, steps, self.repeats, seen);
        different.map_err(|Difference { expected, found }| self.broken(self.law, expected, found))
    }

    /// Checks the position of a sink that has just been opened again, and says how many steps it stands for.
    pub(super) fn check_progress(&self) -> Result<usize, Broken> {
        let broken = |expected: String, found| Err(self.broken(Law::Progress, expected, found));
        let Some(told) = &self.told else { return Ok(self.flushed) };
        let Progress::At(found) = &self.progress else {
            return broken("progress".into(), format!("{:?}", self.progress));
        };
        let steps = self.history.up_to(found.resume_lsn);
        let position = |steps| self.history.position(steps).max(told.resume_lsn);
        let expected = Fingerprint { resume_lsn: position(steps), ..told.clone() };
        if *found != expected {
            return broken(format!("progress {expected:?}"), format!("{found:?}"));
        }
        if !(self.flushed..=self.written).contains(&steps) {
            let (least, most) = (position(self.flushed), position(self.written));
            let expected =
                format!("progress between {least}, which was flushed, and {most}, which was written");
            return broken(expected, found.resume_lsn.to_string());
        }
        Ok(steps)
    }

    /// Checks that an error tells no value.
    pub(super) fn check_error(&self, error: &(dyn StdError + 'static)) -> Result<(), Broken> {
        if tells(error) {
            return Err(self.broken(
                self.law,
                "an error without a value in it, in all that it comes from",
                "one with it",
            ));
        }
        Ok(())
    }

    pub(super) fn failed(&self, expected: impl Into<String>, error: BoxError) -> Broken {
        Broken { source: Some(error), ..self.broken(self.law, expected, "an error") }
    }

    pub(super) fn broken(&self, law: Law, expected: impl Into<String>, found: impl Into<String>) -> Broken {
        broken(law, &self.calls, expected, found)
    }
}

async fn open<S: Storage>(
    law: Law,
    storage: &mut S,
    calls: &mut Vec<String>,
) -> Result<(S::Sink, Progress), Broken> {
    calls.push("open".into());
    let failed =
        |error: BoxError, what: &str| Broken { source: Some(error), ..broken(law, calls, what, "an error") };
    let mut sink = storage.open().await.map_err(|error| failed(error, "a sink that opens"))?;
    let progress = sink.progress().await.map_err(|error| failed(error.into(), "its progress"))?;
    Ok((sink, progress))
}

fn broken(law: Law, calls: &[String], expected: impl Into<String>, found: impl Into<String>) -> Broken {
    let told = calls.get(calls.len().saturating_sub(TOLD)..).unwrap_or(calls).join(", ");
    let after = if calls.len() > TOLD { format!("…, {told}") } else { told };
    Broken { law, after, expected: expected.into(), found: found.into(), source: None }
}

/// Hard to keep for who stores it in other types than it has.
fn first_fingerprint() -> Fingerprint {
    Fingerprint {
        system_id: u64::MAX - 1,
        timeline: 1,
        database: "it's \"ünï\" %_\\".into(),
        slot: "testkit".into(),
        resume_lsn: Lsn::new(START),
    }
}

fn batch_of(events: &[Event]) -> Batch {
    let mut batch = Batch::default();
    batch.extend(events.iter().cloned());
    batch
}

/// Lets a future wait so many times.
async fn patiently<E: Into<BoxError>>(call: impl Future<Output = Result<(), E>>, patience: u64) -> Outcome {
    let (mut call, mut waits) = (pin!(call), 0);
    std::future::poll_fn(move |cx| match call.as_mut().poll(cx) {
        Poll::Ready(Ok(())) => Poll::Ready(Outcome::Done),
        Poll::Ready(Err(error)) => Poll::Ready(Outcome::Failed(error.into())),
        Poll::Pending => {
            waits += 1;
            if waits > patience { Poll::Ready(Outcome::Cancelled) } else { Poll::Pending }
        }
    })
    .await
}

/// Whether an error, or one that it comes from, shows a marked value, in any of the forms in which bytes are shown.
fn tells(error: &(dyn StdError + 'static)) -> bool {
    let text = String::from_utf8_lossy(MARK);
    let mut hex = Vec::new();
    quote::hex(&mut hex, MARK);
    let numbers: Vec<_> = MARK.iter().map(u8::to_string).collect();
    let marks = [
        text.to_lowercase(),
        String::from_utf8_lossy(&hex).into_owned(),
        numbers.join(", "),
        numbers.join(","),
    ];
    std::iter::successors(Some(error), |&error| error.source()).any(|error| {
        let told = format!("{error}\n{error:?}").to_lowercase();
        marks.iter().any(|mark| told.contains(mark))
    })
}
