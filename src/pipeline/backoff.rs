//! How long to wait before trying again.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher as _, Hasher as _};
use std::time::Duration;

use crate::error::Error;

/// Waits that double, from a tenth of a second to half a minute, each by chance between its half and its whole: so that the
/// clients of a server that comes back don't all come at once.
#[derive(Debug)]
pub(super) struct Backoff {
    failures: u32,
    dice: u64,
}

impl Backoff {
    const FIRST: Duration = Duration::from_millis(100);
    pub(super) const LONGEST: Duration = Duration::from_secs(30);
    /// Where others have to go before there is room.
    const CROWDED: Duration = Duration::from_secs(5);

    /// No two are alike.
    pub(super) fn new() -> Self {
        // Each `RandomState` hashes nothing to another number: the standard library's only dice.
        Self::seeded(RandomState::new().build_hasher().finish())
    }

    pub(super) fn seeded(dice: u64) -> Self {
        Self { failures: 0, dice }
    }

    /// The connection was of use.
    pub(super) fn reset(&mut self) {
        self.failures = 0;
    }

    /// How long to wait after this error.
    pub(super) fn after(&mut self, error: &Error) -> Duration {
        const TOO_MANY_CONNECTIONS: &str = "53300";
        let doubled = Self::FIRST.saturating_mul(1 << self.failures.min(16));
        self.failures = self.failures.saturating_add(1);
        let crowded = error.sqlstate() == Some(TOO_MANY_CONNECTIONS);
        let whole = if crowded { doubled.max(Self::CROWDED) } else { doubled };
        self.jittered(whole.min(Self::LONGEST))
    }

    fn jittered(&mut self, whole: Duration) -> Duration {
        // Knuth's linear congruential generator, whose upper bits are good enough to spread clients.
        self.dice = self.dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let thousandths = u32::try_from((self.dice >> 33) % 501).unwrap_or_default() + 500;
        whole * thousandths / 1000
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ServerError;

    fn between(wait: Duration, whole: Duration) -> bool {
        (whole / 2..=whole).contains(&wait)
    }

    #[test]
    fn waits_double_up_to_half_a_minute() {
        let closed = Error::Closed { during: "by script" };
        let mut backoff = Backoff::new();
        for nth in 0..40 {
            let whole = Duration::from_millis(100 << nth.min(9)).min(Duration::from_secs(30));
            let wait = backoff.after(&closed);
            assert!(between(wait, whole), "{nth}: {wait:?}");
        }
        backoff.reset();
        assert!(between(backoff.after(&closed), Duration::from_millis(100)));
    }

    #[test]
    fn no_two_clients_wait_alike() {
        let waits: std::collections::HashSet<_> = (0..20)
            .map(|_| Backoff { failures: 9, ..Backoff::new() }.after(&Error::Closed { during: "by script" }))
            .collect();
        assert!(waits.len() > 5, "{waits:?}");
    }

    #[test]
    fn a_crowded_server_is_left_alone_for_longer() {
        let error = ServerError {
            severity: "FATAL".into(),
            sqlstate: "53300".into(),
            message: String::new(),
            detail: None,
            hint: None,
        };
        let wait = Backoff::new().after(&Error::Server(Box::new(error)));
        assert!(between(wait, Duration::from_secs(5)), "{wait:?}");
    }
}
