//! Sequences: logical replication leaves them behind, and the first row that the target then makes collides.
//!
//! [`Migration::carry_sequences`] brings the target's sequences to where the source's are; [`Migration::sequences_behind`]
//! says which would still collide, and changes nothing. [`Sequences`] does both again and again, in one round trip to read
//! a side, and one to set.
//!
//! # Which
//!
//! Every sequence of the source's database: of a `serial`, an identity, or on its own; not those of extensions, of the
//! server itself, or temporary ones. The target's sequence is the one that the *same column owns*, whatever its
//! name; if there is none, or more than one, it is the one of the same schema and name.
//!
//! # Where to
//!
//! The position is what the sequence's own relation says, `last_value` and `is_called`. What sessions of the source have
//! cached (`CACHE`) lies before it. The rules, in the direction of `INCREMENT`:
//!
//! * The target never moves back. One that is ahead stays where it is.
//! * While writers may still run, a *margin* of so many calls of `nextval` is added; a crash may make the source's own
//!   sequence jump 32 values, too. The margin takes at most half of what is left before `MAXVALUE` (or `MINVALUE`), so that
//!   it never uses a sequence up.
//! * A sequence with `CYCLE` on both sides takes the source's position exactly, without a margin and even if that lies behind:
//!   whether it does, or has come round, nobody can tell.
//! * A definition that differs is told, and never changed. Where the target counts the other way, or can't count as
//!   far, it is not moved, and stays among those that are behind.
//!
//! Source: the manual's pages on `CREATE SEQUENCE` and on sequence functions, and `src/backend/commands/sequence.c`.

mod catalog;
mod judge;
mod report;

use std::collections::BTreeMap;

use self::catalog::{Absent, Pair};
use self::judge::{Verdict, furthest, judge};
pub use self::report::{Difference, SequenceFinding, SequenceOutcome, SequenceReport};
use super::Migration;
use crate::connection::SqlConnection;
use crate::error::Error;

/// A sequence, as the catalogue defines it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Sequence {
    /// Its schema.
    pub schema: String,
    /// Its name.
    pub name: String,
    /// The column that it belongs to: it goes when the column goes.
    pub owner: Option<OwnerColumn>,
    /// `smallint`, `integer` or `bigint`.
    pub data_type: String,
    /// `START`.
    pub start: i64,
    /// `INCREMENT`; negative where it counts down.
    pub increment: i64,
    /// `MINVALUE`.
    pub min: i64,
    /// `MAXVALUE`.
    pub max: i64,
    /// `CACHE`: how many values a session takes at a time.
    pub cache: i64,
    /// `CYCLE`: whether it begins anew at its end.
    pub cycle: bool,
    oid: u32,
}

/// The column that a sequence belongs to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub struct OwnerColumn {
    /// The schema of its table.
    pub schema: String,
    /// Its table.
    pub table: String,
    /// Its name.
    pub column: String,
    /// `ALWAYS` or `BY DEFAULT`, if it is an identity column.
    pub identity: Option<&'static str>,
}

/// Where a sequence is: what its relation holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "what setval takes")]
pub struct Position {
    /// The value that was handed out last; or the first to be handed out, if none was.
    pub last_value: i64,
    /// Whether it was.
    pub is_called: bool,
}

impl Migration {
    /// Brings the target's sequences to where the source's are, `margin` calls of `nextval` ahead.
    ///
    /// With a margin of 0 when nobody writes to the source any more. Again and again, if you like: see [`Sequences`].
    ///
    /// ```no_run
    /// # async fn example(migration: &walferry::migrate::Migration) -> Result<(), walferry::Error> {
    /// let report = migration.carry_sequences(1000).await?;
    /// for finding in report.behind() {
    ///     eprintln!("{finding}; to mend it: {}", finding.mend().unwrap_or_default());
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Precondition`] if a role may not read or set some of them: then none is set.
    pub async fn carry_sequences(&self, margin: u64) -> Result<SequenceReport, Error> {
        Sequences::open(self).await?.carry(margin).await
    }

    /// Which of the target's sequences would collide if the target were written to now. Changes nothing.
    ///
    /// Empty is what it must be before anybody writes to the target. What is there names its cause, and what mends it.
    pub async fn sequences_behind(&self) -> Result<Vec<SequenceFinding>, Error> {
        Ok(Sequences::open(self).await?.look().await?.behind().cloned().collect())
    }
}

/// The sequences of both sides, found once, to be looked at or carried again and again.
///
/// Those that are made later are not among them, and one that is dropped makes the next look fail: open it anew.
#[derive(Debug)]
pub struct Sequences {
    source: SqlConnection,
    target: SqlConnection,
    pairs: Vec<Pair>,
}

impl Sequences {
    /// Finds the sequences of the source, and to each the target's.
    ///
    /// # Errors
    ///
    /// [`Error::Precondition`] if a role may not read them at the source, or not set them at the target.
    pub async fn open(migration: &Migration) -> Result<Self, Error> {
        let (source, target) = (migration.connect_source().await?, migration.connect_target().await?);
        let sequences = catalog::of_source(source.client()).await?;
        let pairs = catalog::pair(sequences, target.client()).await?;
        Ok(Self { source, target, pairs })
    }

    /// Brings the target's to where the source's are, `margin` calls of `nextval` ahead.
    ///
    /// One round trip to each side to read all positions, and one to the target if something is to be set.
    pub async fn carry(&self, margin: u64) -> Result<SequenceReport, Error> {
        let mut findings = self.compare(margin).await?;
        let mut goals: BTreeMap<u32, (i64, Position)> = BTreeMap::new();
        for finding in &mut findings {
            if let (SequenceOutcome::Behind { to }, Some((target, _))) = (finding.outcome, &finding.target) {
                finding.outcome = SequenceOutcome::Moved { to };
                // Two of the source may have become one: the furthest counts.
                let goal = goals.entry(target.oid).or_insert((target.increment, to));
                goal.1 = furthest(target.increment, goal.1, to);
            }
        }
        catalog::set(self.target.client(), &goals).await?;
        Ok(SequenceReport::new(findings))
    }

    /// Where both sides are. Changes nothing.
    pub async fn look(&self) -> Result<SequenceReport, Error> {
        Ok(SequenceReport::new(self.compare(0).await?))
    }

    async fn compare(&self, margin: u64) -> Result<Vec<SequenceFinding>, Error> {
        let found = self.pairs.iter().filter_map(|(_, target)| target.as_ref().ok()).collect::<Vec<_>>();
        // The source last: what it hands out in between is seen.
        let mut theirs = catalog::positions(self.target.client(), &found).await?.into_iter();
        let sources = self.pairs.iter().map(|(sequence, _)| sequence).collect::<Vec<_>>();
        let ours = catalog::positions(self.source.client(), &sources).await?;
        let mut findings = Vec::with_capacity(self.pairs.len());
        for ((sequence, target), at) in self.pairs.iter().zip(ours) {
            let target_at = target.as_ref().ok().and_then(|found| Some((found.clone(), theirs.next()?)));
            let outcome = match (&target_at, target) {
                (Some((found, found_at)), _) => judge((sequence, at), (found, *found_at), margin).into(),
                (None, Err(Absent::NoTable)) => SequenceOutcome::NoTable,
                (None, _) => SequenceOutcome::Missing,
            };
            findings.push(SequenceFinding::new(sequence.clone(), at, target_at, outcome));
        }
        Ok(findings)
    }
}

impl From<Verdict> for SequenceOutcome {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Level => Self::Level,
            Verdict::Ahead => Self::Ahead,
            Verdict::Behind(to) => Self::Behind { to },
            Verdict::Opposite => Self::Opposite,
            Verdict::OutOfRange => Self::OutOfRange,
        }
    }
}
