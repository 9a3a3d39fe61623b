//! The laws, and what can be said of a sink and them.

use std::error::Error as StdError;
use std::fmt;

/// One of the [laws of a sink](crate::sink#the-laws-of-a-sink), as a check.
///
/// Each is [checked](Self::check) by itself, or all of them by [`check`](super::check), in this order: one that is broken
/// may break those behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Law {
    /// Readers see whole transactions, in the order of their ends, and nothing of one before its end was written, however
    /// batches and flushes cut it.
    Order,
    /// A crash after any call: what was flushed is there, and nothing that was not written.
    Durable,
    /// Nothing is left of a transaction that was rolled back, wherever it was cut, though flushed, and a position set behind
    /// it; what was complete before stays; the same one comes again, or another. A rollback where nothing is begun does
    /// nothing.
    Rollback,
    /// A sink that keeps its progress: whenever it crashes, its position is just that of the data, from the last flush on.
    /// It goes on from there and has everything once. It keeps the whole fingerprint, and never an earlier position.
    Progress,
    /// A sink that doesn't: after a crash, or a lost acknowledgement, the last transactions come again. A mirror has the
    /// same state then, and a log whole pieces in order, with positions.
    Redelivery,
    /// A crash in the middle of a call: its future was polled some times, then dropped.
    Cancellation,
    /// The storage fails in the middle of a call, once or from then on: the sink says so, without a value in its error,
    /// and going on behind it, as after a crash, loses nothing. For storages that can [fail](super::Storage::fail).
    Failure,
    /// Any value arrives byte for byte; or the sink refuses it, with nothing of its transaction visible, and nothing of
    /// the value in the error, or in one that it comes from.
    Values,
    /// The same for a value of 8 MiB.
    Size,
}

impl Law {
    /// All of them, in the order in which they are checked.
    pub const ALL: [Self; 9] = [
        Self::Order,
        Self::Durable,
        Self::Rollback,
        Self::Progress,
        Self::Redelivery,
        Self::Cancellation,
        Self::Failure,
        Self::Values,
        Self::Size,
    ];
}

impl fmt::Display for Law {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Order => "order",
            Self::Durable => "durability",
            Self::Rollback => "rollback",
            Self::Progress => "progress",
            Self::Redelivery => "redelivery",
            Self::Cancellation => "cancellation",
            Self::Failure => "failure",
            Self::Values => "values",
            Self::Size => "size",
        })
    }
}

/// What was done to a sink that keeps the laws.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// How often it was dropped between two calls, and opened again.
    pub crashes: u64,
    /// How often it was dropped inside of a call. None if its calls never wait.
    pub cancellations: u64,
    /// How many errors its storage made it return.
    pub failures: u64,
    /// How many values it refused.
    pub refusals: u64,
    /// Laws that say nothing about it: one of [`Progress`](Law::Progress) and [`Redelivery`](Law::Redelivery), and
    /// [`Failure`](Law::Failure) if its storage can't fail.
    pub not_concerned: Vec<Law>,
}

impl Report {
    pub(super) fn not_concerned(law: Law) -> Self {
        Self { not_concerned: vec![law], ..Self::default() }
    }

    pub(super) fn add(&mut self, other: Self) {
        self.crashes += other.crashes;
        self.cancellations += other.cancellations;
        self.failures += other.failures;
        self.refusals += other.refusals;
        self.not_concerned.extend(other.not_concerned);
    }
}

/// A sink breaks a law.
///
/// It may show values: those of the testkit, not anyone's.
#[derive(Debug, thiserror::Error)]
#[error("the sink breaks the law of {law}: after {after}: expected {expected}, found {found}")]
#[non_exhaustive]
pub struct Broken {
    /// Which.
    pub law: Law,
    /// What was done with the sink, call by call: the last ones.
    pub after: String,
    /// What the law asks for.
    pub expected: String,
    /// What there was instead.
    pub found: String,
    /// The error of the sink or its storage, where an error is what was found.
    pub source: Option<BoxError>,
}

/// Any error.
pub type BoxError = Box<dyn StdError + Send + Sync>;
