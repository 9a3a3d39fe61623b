//! Batches of events as transactions of the target.

use std::sync::Arc;

use super::conflict::Conflicts;
use super::error::{ApplyError, ApplyErrorKind};
use super::fold::{Fold, Step};
use super::gathered::{self, Objection};
use super::inflight::{Expected, InFlight, Trouble};
use super::ordered;
use super::origin::time_of;
use super::place::{changes, place};
use super::plan::quoted_target;
use super::progress;
use super::session::{Session, failed};
use super::statistics::Monitor;
use crate::event::{Acknowledge as _, Change, Event};
use crate::session::Fingerprint;
use crate::{Lsn, Timestamp, trace};

/// So many events of a transaction whose end hasn't come wait for it; more are applied before it ends.
const HELD_EVENTS: usize = 10_000;
const HELD_BYTES: usize = 8 << 20;

/// After so many changes, whatever else runs on this thread gets a turn: the source's socket holds less than a millisecond of
/// changes, and its server waits when it is full.
pub(super) const PAUSE: usize = 500;

pub(super) const APPLYING: &str = "while it applied changes";

/// Applies events to the target.
#[expect(clippy::struct_excessive_bools, reason = "they are independent of each other")]
pub(super) struct Applier {
    pub(super) session: Session,
    pub(super) name: String,
    gathers: bool,
    monitor: Monitor,
    pub(super) conflicts: Conflicts,
    /// The replication origin under which it writes, if there is one.
    pub(super) origin: Option<String>,
    /// Where the target stands.
    pub(super) progress: Option<Fingerprint>,
    /// Events of a transaction whose end hasn't come.
    held: Vec<Event>,
    held_bytes: usize,
    /// Whether the target is in a transaction that has a part of one of the source's.
    pub(super) is_open: bool,
    /// Whether something was committed that may not be durable.
    is_unflushed: bool,
    /// Whether the transaction that comes was prepared before, and is left out.
    pub(super) is_prepared: bool,
    /// How many changes of it were applied.
    pub(super) open_changes: u64,
}

impl Applier {
    pub(super) fn new(session: Session, name: String, gathers: bool, monitor: Monitor) -> Self {
        Self {
            session,
            name,
            gathers,
            monitor,
            conflicts: Conflicts::default(),
            origin: None,
            progress: None,
            held: Vec::new(),
            held_bytes: 0,
            is_open: false,
            is_unflushed: false,
            is_prepared: false,
            open_changes: 0,
        }
    }

    /// Where the target stands, by its own account.
    pub(super) async fn progress(&mut self) -> Result<Option<Fingerprint>, ApplyError> {
        progress::prepare(&self.session, &self.name).await?;
        if let Some(origin) = &self.origin {
            self.session.set_up_origin(origin).await?;
        }
        self.progress = progress::read(&self.session, &self.name).await?;
        self.conflicts.go_on(self.progress.as_ref()).await?;
        Ok(self.progress.clone())
    }

    pub(super) async fn set_progress(&mut self, progress: Fingerprint) -> Result<(), ApplyError> {
        let before = self.progress.as_ref().map(|before| before.resume_lsn);
        self.mark_now(progress.resume_lsn, None).await?;
        progress::write(&self.session, &self.name, before, &progress).await?;
        self.progress = Some(progress);
        Ok(())
    }

    /// Makes durable what was committed. While a transaction is open, that has been done: a flush is a transaction, too.
    pub(super) async fn flush(&mut self) -> Result<(), ApplyError> {
        if !self.is_open && std::mem::take(&mut self.is_unflushed) {
            if let Some(progress) = &self.progress {
                self.mark_now(progress.resume_lsn, None).await?;
            }
            progress::flush(self.session.client(), &self.session.durably).await?;
        }
        Ok(())
    }

    /// Up to where a flush would make durable what isn't yet; `None` where it would have nothing to do.
    pub(super) fn unflushed(&self) -> Option<Lsn> {
        let progress = self.progress.as_ref().filter(|_| !self.is_open && self.is_unflushed)?;
        Some(progress.resume_lsn)
    }

    /// Forgets what there is of a transaction whose end hasn't come.
    pub(super) async fn rollback(&mut self) -> Result<(), ApplyError> {
        self.held.clear();
        self.held_bytes = 0;
        self.open_changes = 0;
        self.is_prepared = false;
        self.conflicts.rollback();
        if std::mem::take(&mut self.is_open) {
            self.command("ROLLBACK").await?;
        }
        Ok(())
    }

    pub(super) async fn write(&mut self, events: Vec<Event>) -> Result<(), ApplyError> {
        self.held_bytes += events.iter().map(Event::byte_len).sum::<usize>();
        if self.held.is_empty() {
            self.held = events;
        } else {
            self.held.extend(events);
        }
        let end = self.held.iter().rposition(|event| event.position().is_some()).map_or(0, |last| last + 1);
        if end > 0 {
            let rest = self.held.split_off(end);
            let whole = std::mem::replace(&mut self.held, rest);
            self.held_bytes = self.held.iter().map(Event::byte_len).sum();
            self.whole(&whole).await?;
        }
        if self.held.len() >= HELD_EVENTS || self.held_bytes >= HELD_BYTES {
            let part = std::mem::take(&mut self.held);
            self.held_bytes = 0;
            if !self.was_prepared(&part).await? {
                self.part(&part).await?;
            }
        }
        Ok(())
    }

    /// Events up to the end of a transaction.
    async fn whole(&mut self, events: &[Event]) -> Result<(), ApplyError> {
        let mut left = events;
        while !left.is_empty() {
            let (now, rest) = left.split_at(super::prepared::run_of(left));
            left = rest;
            match now {
                [.., Event::Prepare(_) | Event::CommitPrepared(_) | Event::RollbackPrepared(_)] => {
                    self.prepared(now).await?;
                }
                _ => self.committed(now).await?,
            }
        }
        Ok(())
    }

    /// Events up to a commit.
    async fn committed(&mut self, events: &[Event]) -> Result<(), ApplyError> {
        let end = events.iter().rev().find_map(Event::position);
        if self.together(events, end).await? {
            self.count(events);
            return Ok(());
        }
        self.in_order(events).await
    }

    /// Events of a transaction that goes on.
    pub(super) async fn part(&mut self, events: &[Event]) -> Result<(), ApplyError> {
        self.conflicts.note(events);
        self.flush().await?;
        if self.together(events, None).await? {
            self.open_changes += changes(events);
            return Ok(());
        }
        self.in_order(events).await
    }

    /// Applies events together, if that is wanted and can be done.
    async fn together(&mut self, events: &[Event], end: Option<Lsn>) -> Result<bool, ApplyError> {
        if !self.gathers {
            return Ok(false);
        }
        // What is wrong with a table is told by the first change of it, behind those before.
        let Ok(steps) = self.fold(events).await else { return Ok(false) };
        match self.gather(&steps, events, end).await {
            Ok(()) => Ok(true),
            Err(objection) => self.take_back(objection).await.map(|()| false),
        }
    }

    pub(super) fn count(&mut self, events: &[Event]) {
        let is_end = |event: &&Event| event.position().is_some() && !matches!(event, Event::Message(_));
        let transactions = events.iter().filter(is_end).count() as u64;
        let changes = changes(events) + std::mem::take(&mut self.open_changes);
        let (skipped, quarantined) = self.conflicts.left_out();
        self.monitor.change(|statistics| {
            statistics.skipped += skipped;
            statistics.quarantined += quarantined;
            statistics.transactions += transactions;
            statistics.changes += changes;
            statistics.batches += 1;
        });
    }

    /// Applies what events come to, by few statements; and commits, if they have an end.
    async fn gather(
        &mut self,
        steps: &[Step<'_>],
        events: &[Event],
        end: Option<Lsn>,
    ) -> Result<(), Objection> {
        let was_open = self.is_open;
        let mut in_flight = InFlight::default();
        if let Some(end) = end.filter(|_| !was_open && self.origin.is_none())
            && let Some((index, rows)) = gathered::single(steps)
        {
            self.conflicts.seal(events).await.map_err(Objection::Final)?;
            return self.alone(index, rows, end).await;
        }
        if was_open {
            self.send_command(&mut in_flight, "SAVEPOINT walferry");
        } else if !steps.is_empty() {
            self.send_command(&mut in_flight, "BEGIN");
        }
        let are_few = end.is_some() && !was_open && gathered::are_few(steps);
        for step in steps {
            match step {
                Step::Rows(index, rows) if are_few => {
                    gathered::send_few(&mut self.session, &mut in_flight, *index, rows).await?;
                }
                Step::Rows(index, rows) => {
                    gathered::send(&mut self.session, &mut in_flight, *index, rows).await?;
                }
                Step::Change(number) => {
                    if let Some(Event::Change(change)) = events.get(*number) {
                        self.send_change(&mut in_flight, *number, change).await?;
                    }
                }
            }
        }
        let is_open = was_open || !steps.is_empty();
        let Some(end) = end else {
            in_flight.settle(0).await?;
            if was_open {
                // Only now: behind it there is no way back.
                self.send_command(&mut in_flight, "RELEASE SAVEPOINT walferry");
                in_flight.settle(0).await?;
            }
            self.is_open = is_open;
            return Ok(());
        };
        self.conflicts.seal(events).await.map_err(Objection::Final)?;
        let sql = if are_few { &progress::ADVANCE_SURELY } else { &progress::ADVANCE };
        self.advance(&mut in_flight, sql, end, is_open, time_of(events)).await?;
        if are_few && is_open {
            // Behind a statement that has failed, it rolls back.
            self.send_command(&mut in_flight, "COMMIT");
        }
        in_flight.settle(0).await?;
        self.is_open = false;
        if is_open
            && !are_few
            && let Err(error) = self.session.client().batch_execute("COMMIT").await
        {
            // With it went what had been applied before, which can't be applied again from here.
            return Err(if was_open {
                Objection::Final(failed("while it committed", error).at(place(events, events.len() - 1)))
            } else {
                error.into()
            });
        }
        self.moved(end);
        Ok(())
    }

    /// What the changes come to.
    async fn fold<'e>(&mut self, events: &'e [Event]) -> Result<Vec<Step<'e>>, ApplyError> {
        let mut fold = Fold::new();
        let mut last: Option<(usize, usize)> = None;
        for (number, event) in events.iter().enumerate() {
            if number % PAUSE == PAUSE - 1 {
                tokio::task::yield_now().await;
            }
            let Event::Change(change) = event else { continue };
            let Some(row) = change.rows().last() else {
                fold.push(number, change, None);
                continue;
            };
            let address = Arc::as_ptr(row.relation()).addr();
            let index = match last {
                Some((known, index)) if known == address => index,
                _ => {
                    let (index, replaced) = self.session.plan(row.relation(), row.types()).await?;
                    if replaced {
                        // The same table under another description: order counts.
                        fold.settle();
                    }
                    last = Some((address, index));
                    index
                }
            };
            let plan = self.session.plan_at(index)?;
            fold.push(number, change, Some((index, plan.as_ref())));
        }
        Ok(fold.finish())
    }

    /// Undoes what was gathered, to apply it in order. What passes by itself is an error right away.
    async fn take_back(&mut self, objection: Objection) -> Result<(), ApplyError> {
        match objection {
            Objection::Final(error) => return Err(error),
            Objection::Target(Trouble::Server(error)) => {
                let is_refusal = error.as_db_error().is_some();
                let error = failed(APPLYING, error);
                if error.is_retryable() || !is_refusal {
                    return Err(error);
                }
                trace::debug!(%error, "what was gathered is applied in order");
                drop(error);
            }
            Objection::Target(Trouble::Found(_)) | Objection::Values(_) => {}
        }
        self.monitor.change(|statistics| statistics.replayed_in_order += 1);
        let undo = if self.is_open { "ROLLBACK TO SAVEPOINT walferry" } else { "ROLLBACK" };
        self.command(undo).await?;
        // What was believed of the tables may be what went wrong.
        self.session.forget_plans();
        Ok(())
    }

    /// Commits what is open, and says where that is.
    pub(super) async fn commit(&mut self, end: Lsn, time: Option<Timestamp>) -> Result<(), ApplyError> {
        let mut in_flight = InFlight::default();
        let committed = async {
            self.advance(&mut in_flight, &progress::ADVANCE, end, self.is_open, time).await?;
            in_flight.settle(0).await?;
            if std::mem::take(&mut self.is_open) {
                self.session.client().batch_execute("COMMIT").await?;
            }
            Ok(())
        };
        match committed.await {
            Ok(()) => {
                self.moved(end);
                Ok(())
            }
            Err(Objection::Target(Trouble::Found(_))) => Err(ApplyError::new(ApplyErrorKind::ProgressMoved)),
            Err(Objection::Target(Trouble::Server(error))) => Err(failed("while it committed", error)),
            Err(Objection::Values(error) | Objection::Final(error)) => Err(error),
        }
    }

    pub(super) fn moved(&mut self, end: Lsn) {
        self.is_unflushed = true;
        if let Some(progress) = &mut self.progress {
            progress.resume_lsn = end;
        }
    }

    /// Moves the progress, in the transaction that is open, or by itself. What marks it stands right before the commit.
    async fn advance(
        &mut self,
        in_flight: &mut InFlight,
        sql: &'static str,
        end: Lsn,
        is_open: bool,
        time: Option<Timestamp>,
    ) -> Result<(), Objection> {
        if !is_open {
            self.mark(in_flight, end, time).await?;
        }
        let before = self.progress.as_ref().map(|progress| progress.resume_lsn.to_string());
        let Some(before) = before else {
            return Err(ApplyError::new(ApplyErrorKind::ProgressUnreadable).into());
        };
        let statement = self.session.other(sql).await?;
        let (at, end) = (end, end.to_string());
        let (connection, name) = (self.session.connection(), self.name.clone());
        let advanced = async move { connection.client().execute(&statement, &[&name, &end, &before]).await };
        in_flight.send(advanced, Expected::Rows(1), 0);
        if is_open {
            self.mark(in_flight, at, time).await?;
        }
        Ok(())
    }

    /// Sends the statements of one change.
    pub(super) async fn send_change(
        &mut self,
        in_flight: &mut InFlight,
        number: usize,
        change: &Change,
    ) -> Result<(), Objection> {
        if let Change::Truncate { relations, restart_identity, .. } = change {
            let mut names = Vec::new();
            for relation in relations {
                names.push(format!("{}{}", self.session.only(relation).await?, quoted_target(relation)));
            }
            let sql = ordered::truncate(&names, *restart_identity);
            let connection = self.session.connection();
            let truncated = async move { connection.client().batch_execute(&sql).await.map(|()| 0) };
            in_flight.send(truncated, Expected::Anything, number);
            return Ok(());
        }
        let Some(row) = change.rows().last() else { return Ok(()) };
        let (index, _) = self.session.plan(row.relation(), row.types()).await?;
        let plan = self.session.plan_at(index)?;
        for operation in ordered::operations(&plan, change)? {
            let statement = self.session.statement(index, operation.shape).await?;
            let connection = self.session.connection();
            let parameters = operation.parameters;
            let answer = async move { connection.client().execute_raw(&statement, parameters).await };
            in_flight.send(answer, operation.expected, number);
        }
        Ok(())
    }

    pub(super) fn send_command(&self, in_flight: &mut InFlight, sql: &'static str) {
        let connection = self.session.connection();
        let answer = async move { connection.client().batch_execute(sql).await.map(|()| 0) };
        in_flight.send(answer, Expected::Anything, 0);
    }

    pub(super) async fn command(&self, sql: &str) -> Result<(), ApplyError> {
        let done = self.session.client().batch_execute(sql).await;
        done.map_err(|error| failed(APPLYING, error))
    }
}
