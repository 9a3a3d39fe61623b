//! What is done to a sink for each law.

use super::history::History;
use super::trial::{Call, Outcome, Plan, Trial};
use super::{Broken, Law, Report, Storage, values};
use crate::event::Event;

/// From an event a batch to all in one, flushed often and seldom.
const PLANS: [Plan; 5] = [
    Plan { events: 1, batches: 1 },
    Plan { events: 1, batches: 7 },
    Plan { events: 4, batches: 1 },
    Plan { events: 6, batches: 3 },
    Plan { events: 1000, batches: 1 },
];
/// Cut so that transactions are halved and flushed half, with few calls: for what is done inside of each call.
const HALVES: Plan = Plan { events: 5, batches: 2 };
/// How often one call may wait, or how many operations a storage may take, in what is cut there.
const MOST: u64 = 1000;
/// How many steps come again, at most, that had been flushed.
const BACK: usize = 3;

impl Law {
    /// Checks this law alone, over one new storage after the other.
    ///
    /// # Errors
    ///
    /// It is broken; or one that it depends on.
    pub async fn check<S: Storage>(self, mut new: impl FnMut() -> S) -> Result<Report, Broken> {
        let history = &History::ordinary();
        match self {
            Self::Order => order(history, new).await,
            Self::Durable => durable(history, new).await,
            Self::Rollback => rollback(history, new).await,
            Self::Progress | Self::Redelivery => {
                let trial = Trial::start(self, history, new()).await?;
                match (trial.is_tracked(), self) {
                    (true, Self::Progress) => progress(history, new).await,
                    (false, Self::Redelivery) => redelivery(history, new).await,
                    _ => Ok(Report::not_concerned(self)),
                }
            }
            Self::Cancellation => cancellation(history, new).await,
            Self::Failure => failure(history, new).await,
            Self::Values => values::hostile(new).await,
            Self::Size => values::giant(new).await,
        }
    }
}

async fn order<S: Storage>(history: &History, mut new: impl FnMut() -> S) -> Result<Report, Broken> {
    let mut report = Report::default();
    for plan in PLANS {
        let mut trial = Trial::start(Law::Order, history, new()).await?;
        for call in plan.calls(history) {
            trial.run(call).await?;
            trial.check_visible(0..=history.complete(trial.next())).await?;
        }
        report.add(trial.report);
    }
    Ok(report)
}

async fn durable<S: Storage>(history: &History, mut new: impl FnMut() -> S) -> Result<Report, Broken> {
    let mut report = Report::default();
    for plan in PLANS {
        let calls = plan.calls(history);
        for stop in 0..=calls.len() {
            let mut trial = Trial::start(Law::Durable, history, new()).await?;
            trial.run_all(calls.get(..stop).unwrap_or_default()).await?;
            let (flushed, written) = (trial.flushed(), history.complete(trial.next()));
            let mut trial = trial.crash().await?;
            trial.check_visible(flushed..=written).await?;
            report.add(trial.report);
        }
    }
    Ok(report)
}

async fn rollback<S: Storage>(history: &History, mut new: impl FnMut() -> S) -> Result<Report, Broken> {
    let mut report = Report::default();
    for step in 0..=history.steps() {
        report.add(needless_rollback(history, new(), step).await?);
    }
    for step in 0..history.steps() {
        for cut in history.start_of(step) + 1..history.start_of(step + 1) {
            for (flush, crash) in [(false, false), (false, true), (true, false), (true, true)] {
                report.add(half_comes_again(history, new(), cut, flush, crash).await?);
            }
        }
    }
    for step in 0..=history.steps() {
        let stray = history.stray(step);
        for cut in 1..=stray.len() {
            for flush in [false, true] {
                let half = stray.get(..cut).unwrap_or_default();
                report.add(half_never_comes(history, new(), step, half, flush).await?);
            }
        }
    }
    Ok(report)
}

/// Where nothing is begun: what is complete stays, flushed or not.
async fn needless_rollback<S: Storage>(history: &History, storage: S, step: usize) -> Result<Report, Broken> {
    let mut trial = Trial::start(Law::Rollback, history, storage).await?;
    trial.run(Call::Write(history.start_of(step))).await?;
    trial.rollback().await?;
    trial.rollback().await?;
    trial.check_visible(0..=step).await?;
    trial.finish().await
}

/// Cut behind so many events, perhaps flushed so; perhaps with a crash before it comes again.
async fn half_comes_again<S: Storage>(
    history: &History,
    storage: S,
    cut: usize,
    flush: bool,
    crash: bool,
) -> Result<Report, Broken> {
    let mut trial = Trial::start(Law::Rollback, history, storage).await?;
    trial.run(Call::Write(cut)).await?;
    if flush {
        trial.flush().await?;
        // As when the source was lost there, and its standby has taken over: the position is kept, not what is begun.
        trial.idle(history.position(history.complete(cut))).await?;
    }
    trial.rollback().await?;
    trial.check_visible(0..=history.complete(cut)).await?;
    if crash {
        trial.flush().await?;
        trial = trial.crash().await?;
        trial.resume(0).await?;
    }
    trial.finish().await
}

async fn half_never_comes<S: Storage>(
    history: &History,
    storage: S,
    step: usize,
    half: &[Event],
    flush: bool,
) -> Result<Report, Broken> {
    let mut trial = Trial::start(Law::Rollback, history, storage).await?;
    trial.run(Call::Write(history.start_of(step))).await?;
    trial.write_in_vain(half).await?;
    if flush {
        trial.flush().await?;
    }
    trial.rollback().await?;
    trial.finish().await
}

async fn progress<S: Storage>(history: &History, mut new: impl FnMut() -> S) -> Result<Report, Broken> {
    let mut report = crashes(Law::Progress, history, 0, &mut new).await?;
    for step in 0..=history.steps() {
        let Some(idle) = history.idle_behind(step) else { continue };
        let stray = history.stray(step);
        // What may follow without a later position: nothing, a flush of nothing, a flush of the beginning of a transaction.
        for behind in [None, Some(0), Some(2)] {
            let mut trial = Trial::start(Law::Progress, history, new()).await?;
            trial.run(Call::Write(history.start_of(step))).await?;
            trial.flush().await?;
            trial.idle(idle).await?;
            if let Some(half) = behind.and_then(|cut| stray.get(..cut)) {
                trial.write_in_vain(half).await?;
                trial.flush().await?;
            }
            let mut trial = trial.crash().await?;
            trial.resume(0).await?;
            report.add(trial.finish().await?);
        }
    }
    Ok(report)
}

async fn redelivery<S: Storage>(history: &History, mut new: impl FnMut() -> S) -> Result<Report, Broken> {
    let mut report = Report::default();
    for back in 0..=BACK {
        report.add(crashes(Law::Redelivery, history, back, &mut new).await?);
    }
    Ok(report)
}

/// Goes on behind a crash after each call, so many steps before what was flushed last.
async fn crashes<S: Storage>(
    law: Law,
    history: &History,
    back: usize,
    new: &mut impl FnMut() -> S,
) -> Result<Report, Broken> {
    let mut report = Report::default();
    for plan in PLANS {
        let calls = plan.calls(history);
        for stop in 0..=calls.len() {
            let mut trial = Trial::start(law, history, new()).await?;
            trial.run_all(calls.get(..stop).unwrap_or_default()).await?;
            let mut trial = trial.crash().await?;
            trial.resume(back).await?;
            report.add(trial.finish().await?);
        }
    }
    Ok(report)
}

async fn cancellation<S: Storage>(history: &History, mut new: impl FnMut() -> S) -> Result<Report, Broken> {
    let mut report = Report::default();
    let calls = HALVES.calls(history);
    for (number, &call) in calls.iter().enumerate() {
        for patience in 0..MOST {
            let mut trial = Trial::start(Law::Cancellation, history, new()).await?;
            trial.run_all(calls.get(..number).unwrap_or_default()).await?;
            match trial.call(call, patience).await {
                Outcome::Done => break,
                Outcome::Failed(error) => return Err(trial.failed("no error", error)),
                Outcome::Cancelled => {}
            }
            trial.report.cancellations += 1;
            let mut trial = trial.crash().await?;
            trial.resume(0).await?;
            report.add(trial.finish().await?);
        }
    }
    Ok(report)
}

/// The storage fails once, and from then on, at one operation after the other, until there are no more.
async fn failure<S: Storage>(history: &History, mut new: impl FnMut() -> S) -> Result<Report, Broken> {
    let mut report = Report::default();
    for operation in 0..MOST {
        let mut failures = 0;
        for operations in [operation..operation + 1, operation..u64::MAX] {
            let mut trial = Trial::start(Law::Failure, history, new()).await?;
            if !trial.fail(operations) {
                return Ok(Report::not_concerned(Law::Failure));
            }
            for call in HALVES.calls(history) {
                if let Outcome::Failed(error) = trial.call(call, u64::MAX).await {
                    trial.check_error(&*error)?;
                    failures += 1;
                    break;
                }
            }
            let mut trial = trial.crash().await?;
            trial.resume(0).await?;
            report.add(trial.finish().await?);
        }
        report.failures += failures;
        if failures == 0 {
            break;
        }
    }
    Ok(report)
}
