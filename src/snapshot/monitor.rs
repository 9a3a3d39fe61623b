//! How far a copy is, and how fast it may go: shared with whoever shows it, or guards the source.

use std::num::NonZeroU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

/// How long the limit is not looked at: one that is lifted is felt this soon.
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// A handle on a [`SnapshotCopy`](super::SnapshotCopy): tells how far it is, slows it down, halts it. Cheap to clone.
///
/// ```
/// use std::num::NonZeroU64;
/// use walferry::snapshot::SnapshotCopy;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let copy = SnapshotCopy::new("host=old".parse()?, "host=new".parse()?, "shop").publication("shop");
/// let monitor = copy.monitor();
/// monitor.limit(NonZeroU64::new(20_000_000));
/// assert!(monitor.tables().is_empty(), "nothing is known before it runs");
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Default)]
pub struct Monitor(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    tables: Mutex<Vec<TableProgress>>,
    paused: watch::Sender<bool>,
    limit: Mutex<Limit>,
}

/// How far the copy of a table is.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TableProgress {
    /// The schema it is published under.
    pub schema: String,
    /// The name it is published under.
    pub name: String,
    /// Rows in chunks that are copied, those of earlier runs included.
    pub rows: u64,
    /// Bytes that this run has sent, in the form in which they are sent.
    pub bytes: u64,
    /// What the table takes on the source's disk, in bytes.
    pub size: u64,
    /// About how much of that is copied.
    pub size_copied: u64,
    /// All of it is copied.
    pub is_whole: bool,
    pub(super) chunks_left: usize,
}

impl Monitor {
    /// How far each table is, the largest first. Empty until the copy runs and has looked at the tables.
    pub fn tables(&self) -> Vec<TableProgress> {
        self.progress().clone()
    }

    /// Halts the copy, or lets it go on. While it is halted nothing more is read from the source; connections, and what
    /// they hold there, stay.
    pub fn pause(&self, paused: bool) {
        self.0.paused.send_replace(paused);
    }

    /// Limits what all jobs together send in a second; `None` lifts the limit.
    pub fn limit(&self, bytes_per_second: Option<NonZeroU64>) {
        *locked(&self.0.limit) = Limit { bytes_per_second, free_at: None };
    }

    pub(super) fn begin(&self, tables: Vec<TableProgress>) {
        *self.progress() = tables;
    }

    pub(super) fn change(&self, table: usize, change: impl FnOnce(&mut TableProgress)) {
        if let Some(table) = self.progress().get_mut(table) {
            change(table);
        }
    }

    /// Waits until as many bytes as were just sent may have been.
    pub(super) async fn keep_pace(&self, bytes: usize) {
        if *self.0.paused.borrow() {
            // No error: what would be one is that the sender is gone, which is here.
            let _ = self.0.paused.subscribe().wait_for(|paused| !paused).await;
        }
        let Some(until) = locked(&self.0.limit).until(bytes, Instant::now()) else { return };
        while Instant::now() < until && self.is_limited() {
            tokio::time::sleep_until(until.min(Instant::now() + LONGEST_WAIT)).await;
        }
    }

    fn is_limited(&self) -> bool {
        locked(&self.0.limit).bytes_per_second.is_some()
    }

    fn progress(&self) -> MutexGuard<'_, Vec<TableProgress>> {
        locked(&self.0.tables)
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Each run of bytes takes its time behind those before it.
#[derive(Debug, Default)]
struct Limit {
    bytes_per_second: Option<NonZeroU64>,
    free_at: Option<Instant>,
}

impl Limit {
    fn until(&mut self, bytes: usize, now: Instant) -> Option<Instant> {
        let limit = self.bytes_per_second?.get();
        let nanoseconds = (bytes as u128 * 1_000_000_000) / u128::from(limit);
        let takes = Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX));
        let until = self.free_at.map_or(now, |free_at| free_at.max(now)) + takes;
        self.free_at = Some(until);
        Some(until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn all_jobs_together_keep_below_the_limit() {
        let monitor = Monitor::default();
        monitor.limit(NonZeroU64::new(1000));
        let begun = Instant::now();
        let job = || async {
            for _ in 0..10 {
                monitor.keep_pace(100).await;
            }
        };
        tokio::join!(job(), job());
        let took = begun.elapsed();
        assert!(took >= Duration::from_millis(1990) && took <= Duration::from_millis(2010), "{took:?}");
        monitor.limit(None);
        monitor.keep_pace(1_000_000).await;
        assert_eq!(begun.elapsed(), took);
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_lasts_until_it_is_over() {
        let monitor = Monitor::default();
        monitor.pause(true);
        let hour = Duration::from_secs(3600);
        assert!(tokio::time::timeout(hour, monitor.keep_pace(1)).await.is_err());
        let waits = monitor.keep_pace(1);
        let goes_on = async { monitor.pause(false) };
        assert!(tokio::time::timeout(hour, async { tokio::join!(waits, goes_on) }).await.is_ok());
    }
}
