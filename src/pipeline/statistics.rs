use std::sync::{Arc, Mutex, PoisonError};

use crate::Lsn;
use crate::session::Positions;

/// What a pipeline has done, and how far it is.
///
/// The positions stand in their order, `flushed ≤ durable ≤ delivered ≤ received ≤ server_end`, and never go back: see
/// [`Positions`]. The difference of the outer two is what the source keeps of its WAL for this consumer, in bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Statistics {
    /// How far each part of the way is; all 0/0 from a capture.
    pub positions: Positions,
    /// Transactions that were flushed; one that is prepared and committed counts twice.
    pub transactions: u64,
    /// Their changes.
    pub changes: u64,
    /// Changes of tables that were left out on request; a TRUNCATE of several counts for each of them.
    pub left_out: u64,
    /// Transactions and messages that came again although they were durable, and were left out.
    pub skipped: u64,
    /// How often the sink was told to forget half a transaction.
    pub rollbacks: u64,
    /// How often the connection was made anew, because it was lost.
    pub reconnects: u64,
    /// How often the sink failed, in a way that passes, and what it hadn't made durable was asked for again.
    pub sink_retries: u64,
    /// The end of the last transaction that was acknowledged; 0/0 if none was.
    pub acknowledged: Lsn,
    /// Where the last block of a capture begins, if the file ends inside it, as after a crash: nothing from there on was
    /// carried. See [`Reader::torn_tail`](crate::capture::Reader::torn_tail).
    pub torn_tail: Option<u64>,
    /// Whether there is a connection to the source.
    pub is_connected: bool,
}

/// Looks at a pipeline while it runs: see [`Pipeline::monitor`](crate::Pipeline::monitor). Clones look at the same.
#[derive(Debug, Clone, Default)]
pub struct Monitor(Arc<Mutex<Statistics>>);

impl Monitor {
    /// As they are now: renewed with each flush, and every second.
    pub fn statistics(&self) -> Statistics {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn publish(&self, statistics: Statistics) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = statistics;
    }
}
