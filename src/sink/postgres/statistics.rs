use std::sync::{Arc, Mutex, PoisonError};

/// What the sink has done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Statistics {
    /// Transactions of the source that are applied.
    pub transactions: u64,
    /// Their changes.
    pub changes: u64,
    /// Transactions of the target.
    pub batches: u64,
    /// How often changes that were taken together had to be applied again one by one, in their order.
    pub replayed_in_order: u64,
    /// Changes that were left out, as the sink was told to.
    pub skipped: u64,
}

/// Looks at a sink while it works: see [`PostgresSink::monitor`](super::PostgresSink::monitor). Clones look at the same.
#[derive(Debug, Clone, Default)]
pub struct Monitor(Arc<Mutex<Statistics>>);

impl Monitor {
    /// As they are now.
    pub fn statistics(&self) -> Statistics {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn change(&self, change: impl FnOnce(&mut Statistics)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}
