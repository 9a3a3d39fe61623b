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

/// The text is not a time in the form that [`Timestamp`] prints.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "not a time: expected infinity, -infinity or UTC, as in 2026-11-22 08:25:18.01+00 or 0044-03-15 12:00:00+00 BC"
)]
pub struct ParseTimestampError(());

/// Reads what [`Display`](fmt::Display) prints, and no other form: every time there is has exactly one text.
///
/// ```
/// use walferry::Timestamp;
///
/// let time: Timestamp = "2026-11-22 08:25:18.010087+00".parse()?;
/// assert_eq!(time.as_micros(), 848_651_118_010_087);
/// assert!("2026-02-30 00:00:00+00".parse::<Timestamp>().is_err());
/// # Ok::<(), walferry::ParseTimestampError>(())
/// ```
impl std::str::FromStr for Timestamp {
    type Err = ParseTimestampError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let time = match text {
            "infinity" => return Ok(Self::INFINITY),
            "-infinity" => return Ok(Self::NEG_INFINITY),
            _ => parse_utc(text).map(Self).ok_or(ParseTimestampError(()))?,
        };
        // Days that no month has, signs, superfluous zeros: all that the parts let pass prints as something else.
        if time.to_string() == text { Ok(time) } else { Err(ParseTimestampError(())) }
    }
}

/// Microseconds of a text that is well formed; of any other, some or none.
fn parse_utc(text: &str) -> Option<i64> {
    let (text, before_christ) = text.strip_suffix(" BC").map_or((text, false), |text| (text, true));
    let (date, time) = text.strip_suffix("+00")?.split_once(' ')?;
    let (time, fraction) = time.split_once('.').unwrap_or((time, ""));
    let [year, month, day] = numbers(date, '-')?;
    let [hour, minute, second] = numbers(time, ':')?;
    let fraction: u32 =
        if fraction.len() > 6 { return None } else { format!("{fraction:0<6}").parse().ok()? };

    let year = if before_christ { 1 - i64::from(year) } else { i64::from(year) };
    let days = civil::days_from_civil(year, month.into(), day.into())?;
    let seconds = i64::from(hour) * 3600 + i64::from(minute) * 60 + i64::from(second);
    let micros = i128::from(days) * i128::from(civil::MICROS_PER_DAY) + i128::from(seconds) * 1_000_000;
    (micros + i128::from(fraction)).try_into().ok()
}

fn numbers(text: &str, separator: char) -> Option<[u32; 3]> {
    let mut parts = text.split(separator).map(|part| part.parse().ok());
    let numbers = [parts.next()??, parts.next()??, parts.next()??];
    parts.next().is_none().then_some(numbers)
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
            assert_eq!(format!("{:?}", Timestamp::from_micros(micros)), text);
            assert_eq!(text.parse(), Ok(Timestamp::from_micros(micros)));
        }
    }

    #[test]
    fn reads_every_time_that_it_prints() {
        let edges = [i64::MIN + 1, i64::MAX - 1, 0, -1, 1];
        // A stride without common divisors with days, so that every part of a date and of a time varies.
        let some = (-10_000..=10_000).map(|step| step * 922_337_203_685_477);
        for micros in edges.into_iter().chain(some) {
            let time = Timestamp::from_micros(micros);
            assert_eq!(time.to_string().parse(), Ok(time));
        }
        // Every day of an era, which has every kind of year.
        for day in -146_097..=146_097 {
            let time = Timestamp::from_micros(day * civil::MICROS_PER_DAY);
            assert_eq!(time.to_string().parse(), Ok(time));
        }
    }

    #[test]
    fn refuses_what_it_would_not_print() {
        for text in [
            "",
            "now",
            "Infinity",
            "2026-11-22",
            "2026-11-22 08:25:18",
            "2026-11-22 08:25:18+01",
            "2026-11-22T08:25:18+00",
            " 2026-11-22 08:25:18+00",
            "2026-11-22 08:25:18+00 ",
            "2026-11-22 08:25:18+00 AD",
            "2026-11-22 08:25:18.+00",
            "2026-11-22 08:25:18.10+00",
            "2026-11-22 08:25:18.1234567+00",
            "2026-11-22 24:00:00+00",
            "2026-11-22 23:60:00+00",
            "2026-11-22 23:59:60+00",
            "2026-11-22 08:25+00",
            "2026-11-22 08:25:18:00+00",
            "2026-02-30 00:00:00+00",
            "2025-02-29 00:00:00+00",
            "2026-13-01 00:00:00+00",
            "2026-00-01 00:00:00+00",
            "2026-01-00 00:00:00+00",
            "2026-1-01 00:00:00+00",
            "02026-01-01 00:00:00+00",
            "+2026-01-01 00:00:00+00",
            "0000-01-01 00:00:00+00",
            "0000-01-01 00:00:00+00 BC",
            "294277-01-09 04:00:54.775808+00",
            "4294967295-01-01 00:00:00+00",
            "4294967295-01-01 00:00:00+00 BC",
            "4294967295-4294967295-4294967295 4294967295:4294967295:4294967295.999999+00",
        ] {
            assert!(text.parse::<Timestamp>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn now_is_what_the_system_s_clock_says() {
        let seconds = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let (before, now, after) = (seconds(), Timestamp::now(), seconds());
        let now = now.as_micros() / 1_000_000 + 946_684_800;
        assert!((before..=after).contains(&now.unsigned_abs()), "{before} {now} {after}");
    }
}
