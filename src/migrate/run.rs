//! From nothing to following, and as long as it is to go on.

use std::future::Future;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::Migration;
use super::begin::Begun;
use super::carried::Carried;
use super::guard::{Advice, Guard};
use super::lead::Lead;
use super::schema::SchemaOptions;
use super::state::{Phase, State};
use crate::error::Error;
use crate::pipeline::Statistics;
use crate::snapshot::{self, Copied};
use crate::{Lsn, pipeline, trace};

/// For a process that was killed, whose lead ends with its session; and for one that holds both sides for a moment.
const PATIENCE: Duration = Duration::from_secs(20);

/// How often it is looked whether somebody wants the lead.
const LOOK: Duration = Duration::from_millis(500);

/// How often the publication is looked at for new tables, and the sequences are carried.
const TEND: Duration = Duration::from_secs(10);

/// When tables that could not be copied are tried again.
const LATER: Duration = Duration::from_secs(20);

/// When a run is at its end.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Goal {
    /// When it is told to.
    #[default]
    Follow,
    /// When everything is copied. The sequences are set then, and the slot is dropped.
    Copy,
    /// When the target has everything that the source had when the run began.
    Current,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// It was told to end: another run goes on where this one stopped.
    Stopped,
    /// The goal is reached; the position of the source up to which the target has everything.
    Done(Lsn),
    /// The migration is being cut over, or was.
    CutOver,
}

/// Copies, and follows: whatever was done before is not done again.
///
/// ```no_run
/// # async fn example() -> Result<(), walferry::Error> {
/// use walferry::migrate::{Migration, Run};
///
/// let (old, new) = ("postgresql://old.example.org/shop".parse()?, "postgresql://new.example.org/shop".parse()?);
/// let migration = Migration::new(old, new, "shop".try_into().expect("a slot's name"), "shop");
/// let outcome = Run::new(migration).jobs(2).run(std::future::pending()).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "a run does nothing before it runs"]
pub struct Run {
    pub(super) migration: Migration,
    pub(super) jobs: usize,
    pub(super) schema: Option<Carried>,
    pub(super) goal: Goal,
    guard: Option<Guard>,
    pub(super) monitor: Monitor,
}

/// What a run does just now.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub enum Stage {
    /// It looks, and makes what is missing.
    #[default]
    Preparing,
    /// The schema is carried over, but for indexes and constraints.
    Schema,
    /// Tables are being copied.
    Copying(snapshot::Monitor),
    /// Indexes and constraints are being made.
    Indexes,
    /// Changes are being followed.
    Following(pipeline::Monitor),
}

/// Looks at a run. Clones look at the same.
#[derive(Debug, Clone, Default)]
pub struct Monitor(Arc<Mutex<Stage>>);

impl Monitor {
    /// What it does just now.
    pub fn stage(&self) -> Stage {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn enter(&self, stage: Stage) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = stage;
    }
}

/// Why following came to an end.
#[derive(Debug)]
enum Turn {
    Stopped,
    Reached,
    /// Somebody wants the lead.
    Wanted,
    /// The publication has tables that aren't copied.
    NewTables,
    /// The session that had the lead was lost.
    Lost(Error),
}

impl Run {
    /// Of one job, without the schema, until it is told to end.
    pub fn new(migration: Migration) -> Self {
        Self {
            migration,
            jobs: 1,
            schema: None,
            goal: Goal::default(),
            guard: None,
            monitor: Monitor::default(),
        }
    }

    /// How many tables, or parts of tables, are copied at once.
    pub fn jobs(mut self, jobs: usize) -> Self {
        self.jobs = jobs.max(1);
        self
    }

    /// Carries the schema, too, by `pg_dump`: without indexes and constraints before the copy, and those behind it. The dump is
    /// kept in `folder`, or in one of the slot's name in the current one.
    pub fn schema(mut self, options: SchemaOptions, folder: Option<PathBuf>) -> Self {
        let folder = folder.unwrap_or_else(|| PathBuf::from(self.migration.slot().as_str()));
        self.schema = Some(Carried::new(options, folder));
        self
    }

    /// When it is at its end.
    pub fn goal(mut self, goal: Goal) -> Self {
        self.goal = goal;
        self
    }

    /// Looks every ten seconds at what the slot makes the source keep, and tells the log when that is much; drops the slot and
    /// ends, if the guard was made to [give up](Guard::lose_the_migration_beyond_budget).
    ///
    /// A copy isn't slowed: nothing comes through the slot before it is done, and the later that is, the more is kept.
    pub fn guard(mut self, guard: Guard) -> Self {
        self.guard = Some(guard);
        self
    }

    /// What it does, to look at while it runs.
    pub fn monitor(&self) -> Monitor {
        self.monitor.clone()
    }

    /// Runs until the goal is reached, or until `shutdown` is ready. In the midst of the copy, that ends it at once: what isn't
    /// recorded is copied again.
    ///
    /// # Errors
    ///
    /// [`Error::Precondition`] when something is missing that the run can't make; whatever copying and following end in.
    pub async fn run(mut self, shutdown: impl Future<Output = ()>) -> Result<Outcome, Error> {
        let Some(mut guard) = self.guard.take() else { return Box::pin(self.unguarded(shutdown)).await };
        tokio::select! {
            // All of it lies in there: too much for the stack of whoever calls.
            outcome = Box::pin(self.unguarded(shutdown)) => return outcome,
            () = until_beyond(&mut guard, &self.migration) => {}
        }
        // All that ran is dropped by now; its server may take a while to notice.
        let released = loop {
            match guard.release(&self.migration).await {
                Err(error) if error.sqlstate() == Some("55006") => sleep(LOOK).await,
                released => break released?,
            }
        };
        Err(Error::Precondition {
            problem: format!("the budget of the slot is used up: {released}"),
            mend: "begin anew, with more room: `cleanup`, empty the tables of the target, then `run`"
                .to_owned(),
        })
    }

    async fn unguarded(&self, shutdown: impl Future<Output = ()>) -> Result<Outcome, Error> {
        let mut shutdown = pin!(shutdown);
        let lead = Lead::take_if_free(&self.migration, PATIENCE).await?;
        let begun = tokio::select! {
            biased;
            () = &mut shutdown => return Ok(Outcome::Stopped),
            begun = self.begin() => begun?,
        };
        match begun {
            Begun::End(outcome) => Ok(outcome),
            Begun::Follow(until) => self.follow(lead, until, shutdown).await,
        }
    }

    async fn follow(
        &self,
        mut lead: Lead,
        until: Option<Lsn>,
        mut shutdown: impl Future<Output = ()> + Unpin,
    ) -> Result<Outcome, Error> {
        let migration = &self.migration;
        let mut new_tables_from = Instant::now();
        loop {
            let copied = migration.copied_whole().await?;
            // What was copied later than that has it, too.
            let until = until.map(|until| copied.iter().map(|table| table.lsn).fold(until, Lsn::max));
            let (turn, statistics) =
                self.follow_once(&lead, &copied, until, new_tables_from, &mut shutdown).await?;
            match turn {
                Turn::Stopped => return Ok(Outcome::Stopped),
                // Everything up to now: what joined the publication has to be there, too.
                Turn::Reached if !self.is_copied().await? => {
                    let target = migration.connect_target().await?;
                    self.copy(&target).await?;
                }
                Turn::Reached => {
                    let reached = until.unwrap_or(statistics.acknowledged);
                    migration.carry_sequences(0).await?;
                    return Ok(Outcome::Done(reached));
                }
                Turn::NewTables => {
                    let target = migration.connect_target().await?;
                    match self.copy(&target).await {
                        // The target lacks them, say. All others go on; and nothing is lost: what is copied later has it.
                        Err(error @ Error::Precondition { .. }) => {
                            trace::warn!(error = %error.with_causes(), "tables that are new to the publication can't be copied");
                            drop(error);
                            new_tables_from = Instant::now() + LATER;
                        }
                        copied => copied?,
                    }
                }
                Turn::Wanted => tokio::select! {
                    biased;
                    // Whoever has the lead may keep it for long.
                    () = &mut shutdown => return Ok(Outcome::Stopped),
                    given = lead.give_way() => given?,
                },
                Turn::Lost(error) => {
                    trace::warn!(error = %error.with_causes(), "the session that has the lead was lost");
                    drop(error);
                    lead = retaken(migration, &mut shutdown).await?;
                }
            }
            if self.is_cut_over().await? {
                return Ok(Outcome::CutOver);
            }
        }
    }

    async fn is_cut_over(&self) -> Result<bool, Error> {
        let target = self.migration.connect_target().await?;
        let state = State::read(target.client(), self.migration.slot().as_str()).await?;
        Ok(state.is_none_or(|state| state.phase != Phase::Follow))
    }

    /// Follows until something else is to be done.
    async fn follow_once(
        &self,
        lead: &Lead,
        copied: &[Copied],
        until: Option<Lsn>,
        new_tables_from: Instant,
        shutdown: &mut (impl Future<Output = ()> + Unpin),
    ) -> Result<(Turn, Statistics), Error> {
        let (pipeline, mut stream) = self.migration.open_stream(copied).await?;
        if let Some(lsn) = until {
            stream.stop_at(lsn);
        }
        self.monitor.enter(Stage::Following(pipeline.monitor()));
        let mut turn = Turn::Reached;
        let ended = {
            let turn = &mut turn;
            let end = async move {
                *turn = tokio::select! {
                    () = shutdown => Turn::Stopped,
                    turn = self.watch(lead, new_tables_from) => turn,
                };
            };
            pipeline.run(stream, end).await?
        };
        Ok((turn, ended))
    }

    /// Ready when something else is to be done.
    async fn watch(&self, lead: &Lead, new_tables_from: Instant) -> Turn {
        let mut tended = Instant::now();
        loop {
            sleep(LOOK).await;
            match lead.is_wanted().await {
                Ok(true) => return Turn::Wanted,
                Ok(false) => {}
                Err(error) => return Turn::Lost(error),
            }
            if tended.elapsed() >= TEND {
                match self.tend().await {
                    Ok(true) if Instant::now() >= new_tables_from => return Turn::NewTables,
                    Ok(_) => {}
                    Err(error) => {
                        trace::warn!(error = %error.with_causes(), "could not look after sequences and new tables");
                        drop(error);
                    }
                }
                tended = Instant::now();
            }
        }
    }

    /// Whether there are tables to copy. The sequences are carried, so that a cutover has little to do.
    async fn tend(&self) -> Result<bool, Error> {
        self.migration.carry_sequences(0).await?;
        Ok(!self.is_copied().await?)
    }
}

/// Ready when the slot is to be given up.
async fn until_beyond(guard: &mut Guard, migration: &Migration) {
    loop {
        sleep(TEND).await;
        // No slot yet, or a source that is away: both show elsewhere.
        let Ok(standing) = guard.look(migration).await else { continue };
        match standing.advice() {
            Advice::Fine => {}
            Advice::Release => return,
            _ => trace::warn!(%standing, "what the slot makes the source keep"),
        }
    }
}

/// Whoever was the leader wants to be it again, however long the target is away.
async fn retaken(
    migration: &Migration,
    shutdown: &mut (impl Future<Output = ()> + Unpin),
) -> Result<Lead, Error> {
    let mut pause = LOOK;
    loop {
        match Lead::take_if_free(migration, PATIENCE).await {
            Err(error) if error.is_retryable() => drop(error),
            taken => return taken,
        }
        tokio::select! {
            () = &mut *shutdown => return Err(Error::Closed { during: "by the target, while it was away" }),
            () = sleep(pause) => {}
        }
        pause = (pause * 2).min(Duration::from_secs(30));
    }
}
