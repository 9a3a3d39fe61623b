//! How fast the server sends, and what follows from it.

use std::thread;
use std::time::{Duration, Instant};

/// More events than this within a [`SPAN`] are many.
const FEW: usize = 32;
const SPAN: Duration = Duration::from_millis(1);

/// How long a gulp is waited for. A Unix socket holds less than 300 small changes, which a server sends in a millisecond.
const GULP: Duration = Duration::from_micros(250);

/// How fast events come.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Flow {
    /// When the span began that is being counted.
    began: Instant,
    events: usize,
    /// Whether there were many in the one before.
    was_fast: bool,
}

impl Flow {
    pub(crate) fn new(now: Instant) -> Self {
        Self { began: now, events: 0, was_fast: false }
    }

    /// So many events came.
    pub(crate) fn note(&mut self, events: usize, now: Instant) {
        let span = now.duration_since(self.began);
        if span >= SPAN {
            // Of a span that is long over, nothing follows.
            let was_fast = self.events > FEW && span < 2 * SPAN;
            *self = Self { began: now, events: 0, was_fast };
        }
        self.events += events;
    }

    /// Whether more than a few dozen came in the last millisecond or so.
    pub(crate) fn is_fast(&self) -> bool {
        self.was_fast || self.events > FEW
    }

    /// Lets more come together, by sleep: where each event wakes the receiver, that is most of the work on both sides.
    pub(super) fn await_gulp() {
        // Not by a timer: the runtime would wake for each change all the same, and its timers count milliseconds.
        thread::sleep(GULP);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether it is fast behind so many events, each time so long after the last.
    fn is_fast(noted: &[(u32, usize)]) -> bool {
        let began = Instant::now();
        let mut flow = Flow::new(began);
        let mut now = began;
        for (micros, events) in noted {
            now += Duration::from_micros((*micros).into());
            flow.note(*events, now);
        }
        flow.is_fast()
    }

    #[test]
    fn fast_is_more_than_a_few_within_a_millisecond() {
        assert!(!is_fast(&[(0, FEW)]));
        assert!(is_fast(&[(0, FEW + 1)]));
        assert!(is_fast(&[(300, 15); 3]), "they add up");
        assert!(!is_fast(&[(900, 15); 20]), "15 in each millisecond");
    }

    #[test]
    fn fast_outlasts_the_millisecond_but_not_the_one_behind() {
        assert!(is_fast(&[(0, 100), (1000, 1)]));
        assert!(!is_fast(&[(0, 100), (1000, 1), (1000, 1)]));
        assert!(!is_fast(&[(0, 100), (2000, 1)]), "long ago");
    }
}
