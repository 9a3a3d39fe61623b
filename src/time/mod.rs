pub(crate) mod civil;

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A point in time as the server counts it: microseconds since 2000-01-01 00:00 UTC.
///
/// `i64::MAX` and `i64::MIN` are the two infinities. No message carries them today, but a column of type
/// `timestamptz` does, and the form is the same.
///
/// ```
/// use walferry::Timestamp;
///
/// let committed = Timestamp::from_micros(848_651_118_010_087);
/// assert_eq!(committed.to_string(), "2026-11-22 08:25:18.010087+00");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(transparent))]
pub struct Timestamp(i64);

/// Between 1970-01-01 and 2000-01-01.
const UNIX_TO_POSTGRES: Duration = Duration::from_secs(946_684_800);

impl Timestamp {
    /// Later than every time.
    pub const INFINITY: Self = Self(i64::MAX);
    /// Earlier than every time.
    pub const NEG_INFINITY: Self = Self(i64::MIN);

    /// The time `micros` microseconds after 2000-01-01 00:00 UTC.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// Microseconds since 2000-01-01 00:00 UTC.
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// The system's clock, cut to microseconds; an infinity when the clock is set outside of what the wire can say.
    pub fn now() -> Self {
        let postgres_epoch = UNIX_EPOCH + UNIX_TO_POSTGRES;
        match SystemTime::now().duration_since(postgres_epoch) {
            Ok(after) => i64::try_from(after.as_micros()).map_or(Self::INFINITY, Self),
            Err(before) => i64::try_from(before.duration().as_micros())
                .map_or(Self::NEG_INFINITY, |micros| Self(-micros)),
        }
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        civil::write_date_time(f, self.0, "+00")
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_as_timestamptz_out_does() {
        // Asked of a server: SELECT timestamptz 'epoch' at each of these, TimeZone UTC, DateStyle ISO.
        for (micros, text) in [
            (0, "2000-01-01 00:00:00+00"),
            (-1, "1999-12-31 23:59:59.999999+00"),
            (5_097_600_000_000, "2000-02-29 00:00:00+00"),
            (-946_684_800_000_000, "1970-01-01 00:00:00+00"),
            (-63_082_281_600_000_000, "0001-01-01 00:00:00+00"),
            (-63_113_817_600_000_000, "0001-01-02 00:00:00+00 BC"),
            (9_223_371_331_199_999_999, "294276-12-31 23:59:59.999999+00"),
            (-211_813_488_000_000_000, "4714-11-24 00:00:00+00 BC"),
            (890_000, "2000-01-01 00:00:00.89+00"),
            (i64::MAX, "infinity"),
            (i64::MIN, "-infinity"),
        ] {
            assert_eq!(Timestamp::from_micros(micros).to_string(), text);
        }
    }

    #[test]
    fn now_is_after_this_was_written() {
        assert!(Timestamp::now() > Timestamp::from_micros(848_000_000_000_000));
    }
}
