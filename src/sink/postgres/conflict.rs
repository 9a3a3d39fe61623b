//! What becomes of changes that conflict with what the target holds.

use std::path::PathBuf;

use super::apply::Applier;
use super::error::ApplyError;
use super::gathered::Objection;
use super::inflight::InFlight;
use super::quarantine::Quarantine;
use crate::event::{Begin, Change, Event};
use crate::session::Fingerprint;
use crate::trace;

/// What becomes of a change that conflicts with what the target holds: an UPDATE or DELETE that finds no row or several, a
/// violated constraint (SQLSTATE class 23), a value that the target's type refuses (class 22).
///
/// What the target accepts together is not tried one by one: a row that would be refused, and is mended by the next change of
/// the same batch, is no conflict.
///
/// Nothing else is a conflict. A missing table or column, a missing right, a trigger's own error stop the sink under each of
/// these, and so does a conflict that shows at the COMMIT only, of a deferred constraint, or inside a transaction that is
/// prepared, whose end isn't known yet.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum OnConflict {
    /// The sink stops with an [`ApplyError`], and nothing of the transaction is applied.
    #[default]
    Stop,
    /// The change is left out, **and lost**; the rest of its transaction is applied.
    /// [`Statistics::skipped`](super::Statistics::skipped) counts them.
    Skip,
    /// The change is left out, and written to this file; the rest of its transaction is applied.
    /// [`Statistics::quarantined`](super::Statistics::quarantined) counts them.
    ///
    /// The file is a [capture](crate::capture), made when it is needed first: each change in the transaction that it was in,
    /// its values as they were sent. It is on disk before the rest of that transaction is committed, and holds each change
    /// once, whatever crashes: what the target has not committed is cut off when the sink goes on, and comes again. So the
    /// file belongs to one slot and one target. The slot that it names is that of the source, with ` quarantine` behind
    /// it: a sink that applies the file keeps a progress of its own.
    Quarantine(PathBuf),
}

/// The policy, and what was left out under it.
#[derive(Debug, Default)]
pub(super) struct Conflicts {
    policy: Policy,
    /// The transaction that was begun last.
    begin: Option<Begin>,
    /// How many changes were left out of the transaction that is open.
    left_out: u64,
}

#[derive(Debug, Default)]
enum Policy {
    #[default]
    Stop,
    Skip,
    Quarantine(Box<Quarantine>),
}

impl Conflicts {
    pub(super) fn new(policy: OnConflict) -> Self {
        let policy = match policy {
            OnConflict::Stop => Policy::Stop,
            OnConflict::Skip => Policy::Skip,
            OnConflict::Quarantine(path) => Policy::Quarantine(Box::new(Quarantine::new(path))),
        };
        Self { policy, ..Self::default() }
    }

    /// Begins where the target stands.
    pub(super) async fn go_on(&mut self, progress: Option<&Fingerprint>) -> Result<(), ApplyError> {
        match &mut self.policy {
            Policy::Quarantine(quarantine) => quarantine.go_on(progress).await,
            Policy::Stop | Policy::Skip => Ok(()),
        }
    }

    /// Remembers in which transaction the changes are that follow.
    pub(super) fn note(&mut self, events: &[Event]) {
        let begin = events.iter().rev().find_map(|event| match event {
            Event::Begin(begin) => Some(begin),
            _ => None,
        });
        if let Some(begin) = begin {
            self.begin = Some(begin.clone());
        }
    }

    /// Whether a conflict stops the sink: by the policy, or because of the transaction.
    pub(super) fn stop(&self) -> bool {
        let is_prepared = self.begin.as_ref().is_some_and(|begin| begin.gid.is_some());
        is_prepared || matches!(self.policy, Policy::Stop)
    }

    /// Forgets the transaction that is open.
    pub(super) fn rollback(&mut self) {
        self.left_out = 0;
        if let Policy::Quarantine(quarantine) = &mut self.policy {
            quarantine.rollback();
        }
    }

    /// Makes durable what was left out of the transaction that ends first among these events, before it is committed.
    pub(super) async fn seal(&mut self, events: &[Event]) -> Result<(), ApplyError> {
        let commit = events.iter().find_map(|event| match event {
            Event::Commit(commit) => Some(commit),
            _ => None,
        });
        match (&mut self.policy, commit) {
            (Policy::Quarantine(quarantine), Some(commit)) => quarantine.seal(commit).await,
            _ => Ok(()),
        }
    }

    /// How many changes of the transaction that is committed were skipped, and how many are in the file.
    pub(super) fn left_out(&mut self) -> (u64, u64) {
        let left_out = std::mem::take(&mut self.left_out);
        match self.policy {
            Policy::Quarantine(_) => (0, left_out),
            Policy::Stop | Policy::Skip => (left_out, 0),
        }
    }

    async fn leave_out(&mut self, change: &Change, progress: Option<&Fingerprint>) -> Result<(), ApplyError> {
        self.left_out += 1;
        match (&mut self.policy, &self.begin, progress) {
            (Policy::Quarantine(quarantine), Some(begin), Some(progress)) => {
                quarantine.add(begin, change, progress).await
            }
            _ => Ok(()),
        }
    }
}

impl Applier {
    /// Applies a change so that it can be taken back alone; and leaves it out, if it conflicts with what the target holds.
    pub(super) async fn change_or_leave_out(
        &mut self,
        in_flight: &mut InFlight,
        events: &[Event],
        number: usize,
        change: &Change,
    ) -> Result<(), Objection> {
        self.send_command(in_flight, "SAVEPOINT walferry_change");
        let sent = self.send_change(in_flight, number, change).await;
        let settled = in_flight.settle(0).await;
        // What was sent first has failed first.
        let Err(objection) = settled.map_err(Objection::from).and(sent) else {
            self.send_command(in_flight, "RELEASE SAVEPOINT walferry_change");
            return Ok(());
        };
        let error = self.objected(objection, events, number);
        if !error.is_conflict() {
            return Err(Objection::Final(error));
        }
        trace::warn!(%error, "a change is left out");
        self.command("ROLLBACK TO SAVEPOINT walferry_change; RELEASE SAVEPOINT walferry_change").await?;
        Ok(self.conflicts.leave_out(change, self.progress.as_ref()).await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sink::postgres::tests::{begin, commit};

    #[tokio::test]
    async fn a_conflict_stops_unless_the_policy_says_otherwise_and_always_in_what_is_prepared() {
        let quarantine = OnConflict::Quarantine(PathBuf::from("/nonexistent/file"));
        for (policy, stops, counts) in
            [(OnConflict::Stop, true, (2, 0)), (OnConflict::Skip, false, (2, 0)), (quarantine, false, (0, 2))]
        {
            let mut conflicts = Conflicts::new(policy);
            assert_eq!(conflicts.stop(), stops);
            conflicts.note(&[begin(1, None), commit(1), begin(2, Some("g")), commit(2)]);
            assert!(conflicts.stop(), "nobody knows yet how it ends");
            conflicts.note(&[begin(3, None)]);
            conflicts.note(&[commit(3)]);
            assert_eq!(conflicts.stop(), stops);
            let truncate =
                Change::Truncate { relations: Vec::new(), cascade: false, restart_identity: false };
            for _ in 0..2 {
                conflicts.leave_out(&truncate, None).await.unwrap();
            }
            assert_eq!(conflicts.left_out(), counts);
            assert_eq!(conflicts.left_out(), (0, 0), "of the next transaction");
            conflicts.leave_out(&truncate, None).await.unwrap();
            conflicts.rollback();
            assert_eq!(conflicts.left_out(), (0, 0), "it is taken back");
        }
    }
}
