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
const MICROS_PER_DAY: i64 = 86_400_000_000;

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
        match *self {
            Self::INFINITY => return f.write_str("infinity"),
            Self::NEG_INFINITY => return f.write_str("-infinity"),
            Self(_) => {}
        }
        let (year, month, day) = civil_from_days(self.0.div_euclid(MICROS_PER_DAY));
        let micros = self.0.rem_euclid(MICROS_PER_DAY);
        let (seconds, fraction) = (micros / 1_000_000, micros % 1_000_000);
        let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
        // PostgreSQL has no year 0: astronomical 0 is 1 BC.
        let (shown_year, era) = if year > 0 { (year, "") } else { (1 - year, " BC") };
        write!(f, "{shown_year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}")?;
        if fraction != 0 {
            write!(f, ".{}", format!("{fraction:06}").trim_end_matches('0'))?;
        }
        write!(f, "+00{era}")
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Days since 2000-01-01 to a date of the proleptic Gregorian calendar (year 0 is 1 BC).
///
/// Counts in 400-year eras that begin on 1 March, so that the leap day is the last of its year.
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    const DAYS_PER_ERA: i64 = 146_097;
    const FROM_0000_03_01: i64 = 730_425;
    let days = days + FROM_0000_03_01;
    let (era, day_of_era) = (days.div_euclid(DAYS_PER_ERA), days.rem_euclid(DAYS_PER_ERA));
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let (month, next_year) =
        if month_from_march < 10 { (month_from_march + 3, 0) } else { (month_from_march - 9, 1) };
    (era * 400 + year_of_era + next_year, month, day)
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
