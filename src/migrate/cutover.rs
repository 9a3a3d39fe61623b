//! The cutover: from the source to the target, step by step, each kept in the target when it is done.
//!
//! ```text
//!  follow ─► fence ─► fenced ─► drained ─► sequences ─► verified ─► armed ─► open
//!     ▲     └──────────────────── roll back ────────────────────────────┘
//! ```

use std::time::Duration;

use super::hold::Held;
use super::lead::Lead;
use super::made::{self, Made};
use super::reverse;
use super::state::{Phase, State};
use super::verify::{Verify, VerifyReport};
use super::{Migration, fence};
use crate::Lsn;
use crate::connection::SqlConnection;
use crate::error::Error;

/// For whoever follows to give way.
const PATIENCE: Duration = Duration::from_secs(60);

/// So many times it may turn out that somebody has written behind the fence, before it is given up.
const FENCES: u32 = 3;

/// Brings the writers from the source to the target.
///
/// Interrupted or refused at any step, the same call goes on there; until the target is open, [`roll_back`](Self::roll_back)
/// leads back to following.
///
/// ```no_run
/// # async fn example(migration: walferry::migrate::Migration) -> Result<(), walferry::Error> {
/// use walferry::migrate::Cutover;
///
/// let cutover = Cutover::new(migration).reverse(true);
/// for step in cutover.plan().await? {
///     println!("{step}");
/// }
/// let done = cutover.run(|phase| println!("{phase}")).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "a cutover does nothing before it runs"]
pub struct Cutover {
    migration: Migration,
    reverse: bool,
    verify: Verify,
    margin: u64,
}

/// What a cutover came to.
#[derive(Debug)]
#[non_exhaustive]
pub struct CutOver {
    /// The last position of the source that the target has.
    pub fence: Lsn,
    /// What was compared, if that was done by this run and not by one before.
    pub verified: Option<VerifyReport>,
}

/// A step of the plan.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PlannedStep {
    /// Where the migration is when it is done.
    pub phase: Phase,
    /// What is done, with its SQL.
    pub what: String,
    /// Whether it is done already.
    pub is_done: bool,
}

impl std::fmt::Display for PlannedStep {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let done = if self.is_done { "done: " } else { "" };
        write!(f, "{}: {done}{}", self.phase, self.what)
    }
}

impl Cutover {
    /// Without a stream back, with every table verified.
    pub fn new(migration: Migration) -> Self {
        Self { migration, reverse: false, verify: Verify::new(), margin: 32 }
    }

    /// Whether a stream back is armed before the target is opened: a slot and a publication of the target, from which `run` brings
    /// to the source what is written to the target from then on.
    pub fn reverse(mut self, reverse: bool) -> Self {
        self.reverse = reverse;
        self
    }

    /// How both sides are compared.
    pub fn verify(mut self, verify: Verify) -> Self {
        self.verify = verify;
        self
    }

    /// By how many calls of `nextval` the target's sequences stand ahead of the source's; 32, if not said: by so many a source
    /// that crashes may jump ahead itself.
    pub fn margin(mut self, margin: u64) -> Self {
        self.margin = margin;
        self
    }

    /// What would be done, and what is done already. Changes nothing.
    pub async fn plan(&self) -> Result<Vec<PlannedStep>, Error> {
        let (source, target) =
            (self.migration.connect_source().await?, self.migration.connect_target().await?);
        let state = self.state(&target).await?;
        let close = fence::statement(source.client(), Some("on")).await?;
        let mut steps = vec![
            (Phase::Fence, "whoever follows is told to end".to_owned()),
            (
                Phase::Fenced,
                format!(
                    "source: {close}; sessions that began before are ended; prepared transactions must be over"
                ),
            ),
            (Phase::Drained, "the target gets everything up to the fence".to_owned()),
            (
                Phase::Sequences,
                format!(
                    "target: each sequence is set to where the source's stands, and {} further",
                    self.margin
                ),
            ),
            (
                Phase::Verified,
                "both sides are compared, row by row; nothing may have been written behind the fence"
                    .to_owned(),
            ),
        ];
        if self.reverse {
            steps.push((Phase::Armed, reverse::plan(&self.migration)));
        }
        let closed = made::made(target.client(), self.migration.slot(), Made::Closed).await?;
        let open = match closed.first() {
            Some(before) => format!("target: {}; ", fence::statement(target.client(), Some(before)).await?),
            None => String::new(),
        };
        steps.push((Phase::Open, format!("{open}the target may be written to: switch the clients")));
        let step = |(phase, what)| PlannedStep { phase, what, is_done: state.phase >= phase };
        Ok(steps.into_iter().map(step).collect())
    }

    /// Does what isn't done. `told` hears of each step that is.
    ///
    /// # Errors
    ///
    /// [`Error::Precondition`] when a step can't be done, sequences are behind, or both sides differ: the migration stays where it is.
    pub async fn run(self, mut told: impl FnMut(Phase)) -> Result<CutOver, Error> {
        let target = self.migration.connect_target().await?;
        let source = self.migration.connect_source().await?;
        if self.state(&target).await?.phase == Phase::Follow {
            // Before anything is closed for it.
            self.migration.nobody_passes_the_fence().await?;
            if self.reverse {
                reverse::check(&self.migration).await?;
            }
            // Before the lead is taken: whoever gives way for it then ends.
            if State::begin_cutover(target.client(), self.migration.slot().as_str()).await? {
                told(Phase::Fence);
            }
        }
        let lead = Lead::take(&self.migration, PATIENCE).await?;
        // Whoever had the lead meanwhile may have done all of it, or taken it back.
        let mut state = self.state(&target).await?;
        self.is_not_closed_since(state, &target).await?;
        let mut verified = None;
        let mut fences = 0;
        while state.phase < Phase::Open {
            let fence = state.fence.unwrap_or(Lsn::ZERO);
            state = match state.phase {
                Phase::Copy | Phase::Follow | Phase::Fence => {
                    fences += 1;
                    self.record_setting(&source, &target).await?;
                    let fence = self.migration.close_source(&source).await?;
                    self.move_to(&target, Phase::Fenced, Some(fence), &mut told).await?
                }
                Phase::Fenced => {
                    self.drain(fence).await?;
                    self.move_to(&target, Phase::Drained, state.fence, &mut told).await?
                }
                Phase::Drained => {
                    self.carry_sequences().await?;
                    self.move_to(&target, Phase::Sequences, state.fence, &mut told).await?
                }
                Phase::Sequences => {
                    let held = self.migration.hold_led().await?;
                    if held.came() {
                        self.fence_anew(fences, &target, &mut told).await?
                    } else {
                        verified = Some(self.compare(&held).await?);
                        self.move_to(&target, Phase::Verified, state.fence, &mut told).await?
                    }
                }
                Phase::Verified | Phase::Armed if self.came_behind(&source).await? => {
                    self.fence_anew(fences, &target, &mut told).await?
                }
                Phase::Verified if self.reverse => {
                    reverse::arm(&self.migration, &source, &target).await?;
                    self.move_to(&target, Phase::Armed, state.fence, &mut told).await?
                }
                Phase::Verified | Phase::Armed | Phase::Open => {
                    self.open_target(&target).await?;
                    self.move_to(&target, Phase::Open, state.fence, &mut told).await?
                }
            };
        }
        drop(lead);
        Ok(CutOver { fence: state.fence.unwrap_or(Lsn::ZERO), verified })
    }

    /// Leads back to following: the source is opened as it was before, and what was armed is disarmed.
    ///
    /// # Errors
    ///
    /// [`Error::Precondition`] once the target is open: from there the way back is the stream back.
    pub async fn roll_back(self) -> Result<(), Error> {
        let target = self.migration.connect_target().await?;
        let lead = Lead::take(&self.migration, PATIENCE).await?;
        let state = self.state(&target).await?;
        if state.phase == Phase::Open {
            return Err(Error::Precondition {
                problem: "the target is open to writers: what they wrote is not in the source".to_owned(),
                mend: "with a stream back armed, migrate from the target to the source by it, and cut over"
                    .to_owned(),
            });
        }
        let source = self.migration.connect_source().await?;
        reverse::disarm(&self.migration, &source, &target).await?;
        if state.phase > Phase::Follow {
            let name = self.migration.slot();
            let before = made::made(target.client(), name, Made::Fence).await?;
            fence::reopen(&source, before.first().map(String::as_str)).await?;
            State { phase: Phase::Follow, fence: None }.write(target.client(), name.as_str()).await?;
            if !before.is_empty() {
                made::forget(target.client(), name, Made::Fence).await?;
            }
        }
        drop(lead);
        Ok(())
    }

    /// A cutover in the other direction closes what this one has opened.
    async fn is_not_closed_since(&self, state: State, target: &SqlConnection) -> Result<(), Error> {
        if state.phase < Phase::Open || fence::setting(target.client()).await?.as_deref() != Some("on") {
            return Ok(());
        }
        Err(Error::Precondition {
            problem: "the target was opened, and its database is closed to writers since, as by a cutover back".to_owned(),
            mend: "to come here once more, cut over by the stream back of that cutover, whose name has one more _reverse; \
                   or clean up both, and begin anew"
                .to_owned(),
        })
    }

    async fn state(&self, target: &SqlConnection) -> Result<State, Error> {
        let name = self.migration.slot();
        match State::read(target.client(), name.as_str()).await? {
            Some(state) if state.phase > Phase::Copy => Ok(state),
            _ => Err(Error::Precondition {
                problem: format!("the migration \"{name}\" has not copied everything yet"),
                mend: "let `run` finish the copy, and follow".to_owned(),
            }),
        }
    }

    async fn move_to(
        &self,
        target: &SqlConnection,
        phase: Phase,
        fence: Option<Lsn>,
        told: &mut impl FnMut(Phase),
    ) -> Result<State, Error> {
        let state = State { phase, fence };
        state.write(target.client(), self.migration.slot().as_str()).await?;
        told(phase);
        Ok(state)
    }

    /// How the source was set before, once.
    async fn record_setting(&self, source: &SqlConnection, target: &SqlConnection) -> Result<(), Error> {
        let name = self.migration.slot();
        if made::made(target.client(), name, Made::Fence).await?.is_empty() {
            let before = fence::setting(source.client()).await?.unwrap_or_default();
            made::record_made(target.client(), name, Made::Fence, &before).await?;
        }
        Ok(())
    }

    async fn drain(&self, fence: Lsn) -> Result<u64, Error> {
        let copied = self.migration.copied_whole().await?;
        let followed = self.migration.follow_to(&copied, Some(fence), std::future::pending());
        Ok(followed.await?.changes)
    }

    async fn carry_sequences(&self) -> Result<(), Error> {
        self.migration.carry_sequences(self.margin).await?;
        let behind = self.migration.sequences_behind().await?;
        let Some(first) = behind.first() else { return Ok(()) };
        Err(Error::Precondition {
            problem: format!(
                "{} sequences of the target would give what the source has given; the first: {first}",
                behind.len()
            ),
            mend: first.mend().unwrap_or_else(|| "see what `sequences` says of each".to_owned()),
        })
    }

    async fn compare(&self, held: &Held) -> Result<VerifyReport, Error> {
        let report = self.verify.compare(&self.migration, &held.snapshots()).await?;
        if report.is_equal() {
            return Ok(report);
        }
        Err(Error::Precondition {
            problem: "the sides differ at the fence".to_owned(),
            mend: "see what `verify` says; `cutover --roll-back` opens the source again".to_owned(),
        })
    }

    /// Whether somebody has written behind the fence; or has taken numbers, by what somebody else has brought here meanwhile.
    async fn came_behind(&self, source: &SqlConnection) -> Result<bool, Error> {
        let end = self.migration.source_end_flushed(source).await?;
        Ok(self.drain(end).await? > 0 || !self.migration.sequences_behind().await?.is_empty())
    }

    /// What has come since the fence was written in spite of it: then all that was proven is of yesterday.
    async fn fence_anew(
        &self,
        fences: u32,
        target: &SqlConnection,
        told: &mut impl FnMut(Phase),
    ) -> Result<State, Error> {
        if fences >= FENCES {
            return Err(still_written());
        }
        self.move_to(target, Phase::Fence, None, told).await
    }

    /// Where a cutover in the other direction has closed it.
    async fn open_target(&self, target: &SqlConnection) -> Result<(), Error> {
        let closed = made::made(target.client(), self.migration.slot(), Made::Closed).await?;
        match closed.first() {
            Some(before) => fence::reopen(target, Some(before)).await,
            None => Ok(()),
        }
    }
}

fn still_written() -> Error {
    Error::Precondition {
        problem: "somebody writes to the source although its database is set to read-only transactions".to_owned(),
        mend: "stop the writers (a role or a session sets default_transaction_read_only itself), then the same command again"
            .to_owned(),
    }
}
