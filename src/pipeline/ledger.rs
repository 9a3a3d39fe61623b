//! What the sink was given, and has not made durable yet.

use tokio::time::Instant;

use super::Statistics;
use super::intake::Gathered;
use crate::Lsn;

/// The end of a transaction, or a message outside of any.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Done {
    /// To acknowledge.
    pub(super) position: Lsn,
    /// The changes of the transaction.
    pub(super) changes: u64,
    pub(super) is_transaction: bool,
}

/// What is to be acknowledged and counted once it is durable.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    /// What the flush that is under way makes durable.
    flushing: Vec<Done>,
    /// What was written since that began.
    done: Vec<Done>,
    /// When the first event came of that.
    since: Option<Instant>,
}

impl Ledger {
    /// More is not kept: then it is time to flush.
    const MOST: usize = 1 << 16;

    /// Begins to write. Even if that fails, part of it may be durable.
    pub(super) fn write(&mut self, gathered: &mut Gathered, now: Instant) {
        self.since.get_or_insert(gathered.since.unwrap_or(now));
        if self.done.is_empty() {
            self.done = std::mem::take(&mut gathered.done);
        } else {
            self.done.append(&mut gathered.done);
        }
    }

    /// A flush begins, of all that was written.
    pub(super) fn begin_flush(&mut self) {
        self.flushing.append(&mut self.done);
        self.since = None;
    }

    /// The flush that was begun has ended: that is counted. Gives the position to acknowledge.
    pub(super) fn end_flush(&mut self, statistics: &mut Statistics) -> Option<Lsn> {
        count(self.flushing.drain(..), statistics)
    }

    /// Whether there is nothing that was written and may not be durable.
    pub(super) fn is_durable(&self) -> bool {
        self.since.is_none() && self.flushing.is_empty()
    }

    /// Since when something waits for a flush to begin.
    pub(super) fn since(&self) -> Option<Instant> {
        self.since
    }

    pub(super) fn is_full(&self) -> bool {
        self.flushing.len() + self.done.len() >= Self::MOST
    }

    /// Everything that was written is durable: it is counted. Gives the position to acknowledge.
    pub(super) fn flushed(&mut self, statistics: &mut Statistics) -> Option<Lsn> {
        self.flushed_up_to(Lsn::new(u64::MAX), statistics)
    }

    /// Everything up to here is durable, and what is behind it comes again.
    pub(super) fn flushed_up_to(&mut self, durable: Lsn, statistics: &mut Statistics) -> Option<Lsn> {
        self.since = None;
        let written = self.flushing.drain(..).chain(self.done.drain(..));
        count(written.take_while(|done| done.position <= durable), statistics)
    }
}

/// What is durable. Gives its end.
fn count(durable: impl Iterator<Item = Done>, statistics: &mut Statistics) -> Option<Lsn> {
    let mut last = None;
    for done in durable {
        last = Some(done.position);
        statistics.changes += done.changes;
        if done.is_transaction {
            statistics.transactions += 1;
            // What is acknowledged with a message behind a transaction is acknowledged with the transaction.
            statistics.acknowledged = done.position;
        }
    }
    last
}
