//! A world in which the pipeline runs, out of one number: a source, a network, and a process that crashes.
//!
//! Everything that this crate does between the bytes of the line and the calls of the sink is the real code, under
//! a clock that jumps. The rest is a [`World`](world::World), and what happens in it is a [`Plan`]: the same plan gives
//! the same run, to the last byte.
//!
//! ```text
//!   history ──► writer ──► log ──► decoding ──► walsender ──► network ══► ReplicationStream ──► Pipeline ──► storage
//!                           │                       │                                                          │
//!                           └───── truth ──► judge ◄┴── each status update                         disk ◄──────┘
//! ```
//!
//! * The source keeps the rules of a server and of its slot: a transaction is sent if its commit record begins at or behind the
//!   start point; a crash sets the slot back to what was on disk; a shutdown waits until its client has confirmed everything.
//! * The network splits the bytes in any way, delays them, is cut at any of them, or swallows all that follow.
//! * The process dies at any step of input and output, and begins anew with what its sink had made durable.
//! * The judge looks at every status update, and at what is stored in the end: nothing lost, nothing twice, nothing half.

mod decoding;
mod dice;
mod history;
mod judge;
mod network;
mod plan;
mod process;
mod server;
mod shrink;
mod storage;
mod wal;
mod walsender;
mod world;
mod writer;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use self::plan::Plan;
use self::world::World;
use crate::error::Error;
use crate::pipeline::Statistics;
use crate::session::SourceChanged;

/// What came of a run.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// What was against the laws: nothing, if all is well.
    pub(crate) findings: Vec<String>,
    /// Steps of input and output that it took: at each, the process can crash.
    pub(crate) steps: u64,
    /// Another number for another run.
    pub(crate) digest: u64,
    /// Kinds of things that came about.
    pub(crate) seen: BTreeSet<&'static str>,
    /// What happened, if that was asked for.
    pub(crate) trace: Vec<String>,
}

/// Runs a plan to its end.
pub(crate) fn run(plan: &Plan, is_traced: bool) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    match runtime {
        Ok(runtime) => runtime.block_on(simulate(plan, is_traced)),
        Err(error) => Outcome { findings: vec![format!("no runtime: {error}")], ..Outcome::default() },
    }
}

/// A run that takes longer doesn't end by itself.
const LONGEST: Duration = Duration::from_secs(3 * 3600);

async fn simulate(plan: &Plan, is_traced: bool) -> Outcome {
    let world = World::new(plan.clone(), is_traced);
    tokio::spawn(server::write(Arc::clone(&world)));
    tokio::spawn(server::befall(Arc::clone(&world)));
    tokio::spawn(close(Arc::clone(&world)));
    if tokio::time::timeout(LONGEST, Box::pin(lives(&world))).await.is_err() {
        let mut state = world.state();
        let state = &mut *state;
        state.judge.too_late(LONGEST, &state.server, &state.disk);
    }
    let (trace, digest) = world.trace();
    let mut state = world.state();
    let (findings, seen) = (std::mem::take(&mut state.judge.findings), std::mem::take(&mut state.seen));
    Outcome { findings, steps: state.steps, digest, seen, trace }
}

/// Lets the process end when nothing more is to come, and everything is where it belongs.
async fn close(world: Arc<World>) {
    world
        .until(|state| {
            let server = &state.server;
            server.has_peace
                && server.is_written
                && server.slot.active.is_some()
                && server.slot.confirmed >= server.wal.end
                && server.wal.units.iter().filter(|unit| unit.counts()).all(|unit| state.disk.has(unit.end))
        })
        .await;
    world.note(|| "all is done".to_owned());
    world.change(|state| state.is_closing = true);
}

/// One life of the process after the other.
async fn lives(world: &Arc<World>) {
    loop {
        let ended = tokio::select! {
            biased;
            () = world.until(|state| state.is_crashed) => None,
            ended = process::live(Arc::clone(world)) => Some(ended),
        };
        world.note(|| format!("the process ends: {ended:?}"));
        if is_over(world, ended) {
            return;
        }
        world.change(|state| {
            (state.is_running, state.is_crashed, state.is_shutdown) = (false, false, false);
        });
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

fn is_over(world: &World, ended: Option<Result<Statistics, Error>>) -> bool {
    let mut state = world.state();
    let state = &mut *state;
    state.seen.extend(kind(ended.as_ref()));
    if let Some(Ok(statistics)) = &ended {
        state.judge.counted(statistics, &world.plan, &state.disk);
    }
    match ended {
        Some(Ok(_)) if state.is_closing => state.judge.end(&world.plan, &state.server, &state.disk),
        None | Some(Ok(_) | Err(Error::Sink(_))) => return false,
        Some(Err(error)) if error.is_retryable() => {
            if state.is_running {
                state.judge.find(format!("the pipeline gave up for what passes by itself: {error}"));
            }
            return false;
        }
        Some(Err(error)) => state.judge.gave_up(&error, &world.plan, &state.server, &state.disk),
    }
    true
}

/// How a process ended, in a word.
fn kind(ended: Option<&Result<Statistics, Error>>) -> Vec<&'static str> {
    let error = match ended {
        None => return vec!["crash"],
        Some(Ok(statistics)) => {
            let happened = [
                ("rollback", statistics.rollbacks),
                ("skipped", statistics.skipped),
                ("reconnect", statistics.reconnects),
                ("sink retried", statistics.sink_retries),
            ];
            return happened.into_iter().filter(|(_, count)| *count > 0).map(|(name, _)| name).collect();
        }
        Some(Err(error)) => error,
    };
    vec![match error {
        Error::Sink(_) => "sink failed",
        Error::Timeout { .. } => "timeout",
        Error::Server(error) if error.sqlstate == "42704" => "slot dropped",
        Error::Server(error) if error.sqlstate == "55000" => "slot invalidated",
        Error::Server(error) if error.sqlstate == "55006" => "slot in use",
        Error::Source(SourceChanged::OtherSystem { .. }) => "other system",
        Error::Source(SourceChanged::OtherDatabase { .. }) => "other database",
        Error::Source(SourceChanged::PromotedBehind { .. }) => "promoted behind",
        Error::Source(SourceChanged::Restored { .. }) => "restored",
        Error::Source(SourceChanged::SlotAhead { .. }) => "slot ahead",
        error if error.is_retryable() => "lost",
        _ => "another error",
    }]
}

#[cfg(test)]
mod tests;
