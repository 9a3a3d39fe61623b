//! What the slot makes its source hold back, and how long that goes well.
//!
//! A slot keeps the write-ahead log from its `restart_lsn` on, and the dead rows of the catalogue from its `catalog_xmin`
//! on, until its consumer has acknowledged them; or, without a bound in `max_slot_wal_keep_size`, until the disk is full. An
//! abandoned slot is the commonest outage that a migration makes.
//!
//! A [`Guard`] looks, by ordinary SQL and with the rights of any role, and says what to do: [`Advice`].
//!
//! ```no_run
//! # async fn example(migration: &walferry::migrate::Migration) -> Result<(), walferry::Error> {
//! use walferry::migrate::guard::{Advice, Guard};
//!
//! let mut guard = Guard::new(50 << 30);
//! loop {
//!     let standing = guard.look(migration).await?;
//!     if standing.advice() > Advice::Fine {
//!         eprintln!("{standing}");
//!     }
//!     tokio::time::sleep(std::time::Duration::from_secs(10)).await;
//! }
//! # }
//! ```
//!
//! Source: the manual's page on the view `pg_replication_slots`, and on `max_slot_wal_keep_size`.

use std::fmt;
use std::time::Duration;

use tokio_postgres::Row;

use super::Migration;
use super::made::{Made, made};
use crate::connection::{SlotName, sql_error};
use crate::error::Error;
use crate::{Lsn, Timestamp};

const LOOKING: &str = "while looking at the slot";

/// Columns that not every major has are read by their name.
const LOOK: &str = "SELECT s.restart_lsn::text, s.confirmed_flush_lsn::text, here.lsn::text, s.wal_status, s.safe_wal_size, \
        pg_catalog.age(s.catalog_xmin), s.active, pg_catalog.to_jsonb(s) ->> 'invalidation_reason', \
        (EXTRACT(epoch FROM pg_catalog.clock_timestamp() - '2000-01-01 00:00:00+00'::pg_catalog.timestamptz) * 1000000)\
        ::pg_catalog.int8 \
     FROM pg_catalog.pg_replication_slots s, \
        (SELECT CASE WHEN pg_catalog.pg_is_in_recovery() THEN pg_catalog.pg_last_wal_replay_lsn() \
            ELSE pg_catalog.pg_current_wal_lsn() END AS lsn) here \
     WHERE s.slot_name = $1";

const DROP: &str = "SELECT pg_catalog.pg_drop_replication_slot($1)";

const SOON: Duration = Duration::from_secs(10 * 60);
const SOMETIME: Duration = Duration::from_secs(60 * 60);

/// Half of what a server lets the oldest transaction be old before it hurries to clear up (`autovacuum_freeze_max_age`).
const OLD: u32 = 100_000_000;

/// Looks after what the slot holds back.
///
/// It remembers its last look, to tell how fast that grows.
#[derive(Debug, Clone)]
#[must_use = "a guard that doesn't look guards nothing"]
pub struct Guard {
    budget: u64,
    gives_up: bool,
    last: Option<Standing>,
}

/// What the slot holds back.
///
/// Prints on one line.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Standing {
    /// The slot.
    pub slot: SlotName,
    /// When, by the clock of the source.
    pub at: Timestamp,
    /// Where the source's log ends.
    pub end: Lsn,
    /// Up to where the consumer has acknowledged.
    pub confirmed: Option<Lsn>,
    /// How many bytes of the log are kept for the slot; 0 where the slot is lost.
    pub retained: u64,
    /// How many of these it may be.
    pub budget: u64,
    /// How fast that grows, in bytes per second, since the last look; below 0 where it shrinks. `None` on the first.
    pub growth: Option<f64>,
    /// What the server makes of it.
    pub wal_status: WalStatus,
    /// How many bytes may be written before the slot can be lost; `None` without `max_slot_wal_keep_size`.
    pub safe_wal_size: Option<i64>,
    /// When the budget is used up, or the slot can be lost, if it goes on like this.
    pub time_left: Option<Duration>,
    /// For how many transactions dead rows of the catalogue have been kept.
    pub catalog_xmin_age: Option<u32>,
    /// Whether somebody follows the slot now.
    pub active: bool,
    /// Why nothing can be read from it any more; known from 17 on.
    pub invalidation_reason: Option<String>,
    gives_up: bool,
}

/// The column `wal_status` of `pg_replication_slots`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum WalStatus {
    /// Less than `max_wal_size` is kept.
    Reserved,
    /// More than that, and all of it stays.
    Extended,
    /// More than `max_slot_wal_keep_size` allows: the next checkpoint may remove it.
    Unreserved,
    /// Some of it is gone, and the slot is of no more use.
    Lost,
}

/// What to do, from the mildest to the hardest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Advice {
    /// Nothing.
    Fine,
    /// Tell somebody: half of the budget is used, or the rest lasts for less than an hour; or the catalogue can't be cleared up.
    Warn,
    /// Give the stream more room: what runs beside it, such as a copy or a verification, should take less. Three quarters
    /// of the budget are used, or the rest lasts for less than ten minutes.
    Slow,
    /// Stop all but the stream, and find out what keeps it back: the budget is used up, or the slot can be lost, or is.
    Pause,
    /// Drop the slot, by [`Guard::release`]: the budget is used up, and
    /// [`Guard::lose_the_migration_beyond_budget`] says that the source counts for more than the migration.
    Release,
}

impl Guard {
    /// `budget` is how many bytes of its log the source may keep for the slot.
    pub const fn new(budget: u64) -> Self {
        Self { budget, gives_up: false, last: None }
    }

    /// Advises to drop the slot when the budget is used up or the slot is lost.
    ///
    /// What the source has committed since the slot's last acknowledged position is then lost to this migration: the target
    /// has to be emptied and copied anew.
    pub const fn lose_the_migration_beyond_budget(mut self) -> Self {
        self.gives_up = true;
        self
    }

    /// Looks at the slot.
    ///
    /// # Errors
    ///
    /// [`Error::Precondition`] if there is no such slot.
    pub async fn look(&mut self, migration: &Migration) -> Result<Standing, Error> {
        let source = migration.connect_source().await?;
        let row = source.client().query_opt(LOOK, &[&migration.slot().as_str()]).await;
        let row = row.map_err(|error| sql_error(LOOKING, error))?.ok_or_else(|| no_slot(migration.slot()))?;
        let standing = self.standing(migration.slot(), &row)?;
        self.last = Some(standing.clone());
        Ok(standing)
    }

    /// Looks again, and drops the slot, if that is the [`advice`](Standing::advice) and this migration has made it.
    ///
    /// Stop the stream first: a slot that is being followed can't be dropped. What is returned says what is lost.
    ///
    /// # Errors
    ///
    /// [`Error::Precondition`] if the records of the target don't say that this migration made the slot;
    /// [`Error::Misuse`] if the advice is another.
    pub async fn release(&mut self, migration: &Migration) -> Result<Released, Error> {
        let standing = self.look(migration).await?;
        if standing.advice() != Advice::Release {
            return Err(Error::Misuse("a slot is released when that is the advice, and only then"));
        }
        let target = migration.connect_target().await?;
        let slot = migration.slot();
        if !made(target.client(), slot, Made::Slot).await?.contains(slot.as_str()) {
            return Err(Error::Precondition {
                problem: format!("the slot {slot} was not made by this migration, which so doesn't drop it"),
                mend: format!("if nobody needs it, at the source: SELECT pg_drop_replication_slot('{slot}')"),
            });
        }
        let source = migration.connect_source().await?;
        let dropped = source.client().query(DROP, &[&slot.as_str()]).await;
        dropped.map_err(|error| sql_error("while dropping the slot", error))?;
        Ok(Released { slot: slot.clone(), confirmed: standing.confirmed, end: standing.end })
    }

    fn standing(&self, slot: &SlotName, row: &Row) -> Result<Standing, Error> {
        let read = || {
            let (reserved, confirmed, end) =
                (lsn(row, 0)?, lsn(row, 1)?, lsn(row, 2)?.unwrap_or(Lsn::new(0)));
            let standing = Standing {
                slot: slot.clone(),
                at: Timestamp::from_micros(row.try_get(8)?),
                end,
                confirmed,
                retained: reserved.map_or(0, |from| u64::from(end).saturating_sub(u64::from(from))),
                budget: self.budget,
                growth: None,
                wal_status: WalStatus::read(row.try_get(3)?),
                safe_wal_size: row.try_get(4)?,
                time_left: None,
                catalog_xmin_age: row.try_get::<_, Option<i32>>(5)?.and_then(|age| u32::try_from(age).ok()),
                active: row.try_get(6)?,
                invalidation_reason: row.try_get(7)?,
                gives_up: self.gives_up,
            };
            Ok(standing)
        };
        let standing: Result<Standing, tokio_postgres::Error> = read();
        let standing = standing.map_err(|error| sql_error(LOOKING, error))?;
        Ok(match &self.last {
            Some(last) if last.slot == standing.slot => standing.since(last),
            _ => standing,
        })
    }
}

fn lsn(row: &Row, index: usize) -> Result<Option<Lsn>, tokio_postgres::Error> {
    Ok(row.try_get::<_, Option<&str>>(index)?.and_then(|text| text.parse().ok()))
}

fn no_slot(slot: &SlotName) -> Error {
    Error::Precondition {
        problem: format!("the source has no slot {slot}"),
        mend: "if the migration hasn't begun, begin it; else what was committed since then is lost to it: empty the target, \
               and begin anew"
            .to_owned(),
    }
}

impl Standing {
    /// What to do.
    pub fn advice(&self) -> Advice {
        let used =
            |quarters: u64| u128::from(self.retained) * 4 >= u128::from(self.budget) * u128::from(quarters);
        let within = |time: Duration| self.time_left.is_some_and(|left| left < time);
        if self.gives_up && (used(4) || self.is_lost()) {
            Advice::Release
        } else if used(4) || self.is_lost() || self.wal_status == WalStatus::Unreserved {
            Advice::Pause
        } else if used(3) || within(SOON) {
            Advice::Slow
        } else if used(2) || within(SOMETIME) || self.catalog_xmin_age.is_some_and(|age| age >= OLD) {
            Advice::Warn
        } else {
            Advice::Fine
        }
    }

    /// Whether the slot is of no more use: what it was to bring is gone.
    pub fn is_lost(&self) -> bool {
        self.wal_status == WalStatus::Lost || self.invalidation_reason.is_some()
    }

    /// How it went on since then.
    fn since(mut self, last: &Self) -> Self {
        let micros = self.at.as_micros().saturating_sub(last.at.as_micros());
        if micros <= 0 || self.is_lost() || last.is_lost() {
            return self;
        }
        let elapsed = Duration::from_micros(micros.unsigned_abs()).as_secs_f64();
        let growth = difference(self.retained, last.retained) / elapsed;
        let budget = time_until(self.budget.saturating_sub(self.retained), growth);
        let safe = self.safe_wal_size.zip(last.safe_wal_size).and_then(|(now, before)| {
            let before_below = u64::try_from(before).unwrap_or(0);
            let now = u64::try_from(now).unwrap_or(0);
            time_until(now, difference(before_below, now) / elapsed)
        });
        self.growth = Some(growth);
        self.time_left = budget.into_iter().chain(safe).min();
        self
    }
}

#[expect(clippy::cast_precision_loss, reason = "a rate, to be shown")]
fn difference(larger: u64, smaller: u64) -> f64 {
    if larger >= smaller { (larger - smaller) as f64 } else { -((smaller - larger) as f64) }
}

/// How long so many bytes last.
#[expect(clippy::cast_precision_loss, reason = "a time, to be shown")]
fn time_until(bytes: u64, per_second: f64) -> Option<Duration> {
    if per_second <= 0.0 { None } else { Duration::try_from_secs_f64(bytes as f64 / per_second).ok() }
}

impl WalStatus {
    /// What a later server may say besides is no alarm.
    fn read(word: Option<&str>) -> Self {
        match word {
            Some("lost") | None => Self::Lost,
            Some("unreserved") => Self::Unreserved,
            Some("extended") => Self::Extended,
            Some(_) => Self::Reserved,
        }
    }

    /// The server's word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Reserved => "reserved",
            Self::Extended => "extended",
            Self::Unreserved => "unreserved",
            Self::Lost => "lost",
        }
    }
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { slot, retained, budget, .. } = self;
        if self.is_lost() {
            write!(f, "slot {slot} is lost")?;
            if let Some(reason) = &self.invalidation_reason {
                write!(f, " ({reason})")?;
            }
            return f.write_str(": empty the target, and copy anew");
        }
        write!(f, "slot {slot} keeps {retained} of {budget} bytes of WAL ({})", self.wal_status.as_str())?;
        if let Some(growth) = self.growth {
            write!(f, ", {growth:+.0} a second")?;
        }
        if let Some(left) = self.time_left {
            write!(f, ", enough for {} s", left.as_secs())?;
        }
        if let Some(safe) = self.safe_wal_size {
            write!(f, "; {safe} bytes to max_slot_wal_keep_size")?;
        }
        if let Some(age) = self.catalog_xmin_age {
            write!(f, "; the catalogue's dead rows of {age} transactions are kept")?;
        }
        f.write_str(if self.active { "" } else { "; nobody follows it" })
    }
}

/// A slot that was given up, and what that means.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Released {
    /// The slot that is gone.
    pub slot: SlotName,
    /// Up to where its changes were acknowledged.
    pub confirmed: Option<Lsn>,
    /// Where the source's log ended at the last look.
    pub end: Lsn,
}

impl fmt::Display for Released {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "slot {} is dropped: what was committed ", self.slot)?;
        if let Some(confirmed) = self.confirmed {
            write!(f, "after {confirmed} ")?;
        }
        write!(f, "is lost to this migration; empty the target, and copy anew")
    }
}

#[cfg(test)]
mod tests;
