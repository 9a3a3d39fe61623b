//! How dates and times are counted here, for the crates that count otherwise.

use crate::time::civil::MICROS_PER_DAY;
use crate::value::datetime::{DAYS, MICROS};
use crate::value::{Date, LocalDateTime, Time};

/// From 1970 to 2000.
const UNIX_TO_POSTGRES: i128 = 946_684_800_000_000;

/// Days since 2000-01-01, of a day that is one.
pub(super) fn days(date: Date) -> Option<i32> {
    date.is_finite().then(|| date.as_days())
}

/// The day `days` after 2000-01-01, if the server has it.
pub(super) fn date(days: i64) -> Option<Date> {
    i32::try_from(days).ok().filter(|days| DAYS.contains(days)).map(Date::from_days)
}

/// Hours, minutes, seconds and nanoseconds; 24 hours at the end of a day.
pub(super) fn clock(time: Time) -> (u8, u8, u8, u32) {
    let (seconds, micros) = (time.as_micros() / 1_000_000, time.as_micros() % 1_000_000);
    let below = |part: i64| u8::try_from(part).unwrap_or(u8::MAX);
    let nanos = u32::try_from(micros * 1000).unwrap_or(u32::MAX);
    (below(seconds / 3600), below(seconds / 60 % 60), below(seconds % 60), nanos)
}

/// The mirror of [`clock`], for hours below 24. A leap second, which some count as a second of more than a billion
/// nanoseconds, has no place of its own in a [`Time`].
pub(super) fn time<N: Into<i64>>(hour: N, minute: N, second: N, nanos: impl Into<i64>) -> Option<Time> {
    let nanos = nanos.into();
    let seconds = (hour.into() * 60 + minute.into()) * 60 + second.into();
    let is_exact = nanos < 1_000_000_000 && nanos % 1000 == 0;
    if is_exact { Time::from_micros(seconds * 1_000_000 + nanos / 1000) } else { None }
}

/// The day and the time of day, of what is no infinity.
pub(super) fn split(time: LocalDateTime) -> Option<(Date, Time)> {
    let micros = Some(time.as_micros()).filter(|_| time.is_finite())?;
    let days = i32::try_from(micros.div_euclid(MICROS_PER_DAY)).ok()?;
    Some((Date::from_days(days), Time::from_micros(micros.rem_euclid(MICROS_PER_DAY))?))
}

/// The mirror of [`split`].
pub(super) fn join(date: Date, time: Time) -> Option<LocalDateTime> {
    let micros = i64::from(date.as_days()).checked_mul(MICROS_PER_DAY)?.checked_add(time.as_micros())?;
    Some(micros).filter(|micros| MICROS.contains(micros)).map(LocalDateTime::from_micros)
}

/// Nanoseconds since 1970, of microseconds since 2000 that are no infinity.
pub(super) fn unix_nanos(micros: i64) -> Option<i128> {
    let is_finite = micros != i64::MAX && micros != i64::MIN;
    is_finite.then(|| (i128::from(micros) + UNIX_TO_POSTGRES) * 1000)
}

/// The mirror of [`unix_nanos`], if the server has the time.
pub(super) fn micros(unix_nanos: i128) -> Option<i64> {
    let micros = i64::try_from(whole_micros(unix_nanos)? - UNIX_TO_POSTGRES).ok()?;
    Some(micros).filter(|micros| MICROS.contains(micros))
}

/// Nanoseconds as microseconds, if they are whole ones.
pub(super) fn whole_micros(nanos: i128) -> Option<i128> {
    (nanos % 1000 == 0).then_some(nanos / 1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Other crates end before these, unless a feature of theirs adds years.
    #[test]
    fn nothing_beyond_the_servers_last_time_becomes_one_or_infinity() {
        let last = LocalDateTime::from_micros(MICROS.end - 1);
        let (day, time) = split(last).unwrap();
        assert_eq!((day.to_string().as_str(), join(day, time)), ("294276-12-31", Some(last)));
        let next = Date::from_days(day.as_days() + 1);
        assert_eq!(join(next, Time::from_micros(0).unwrap()), None);
        assert_eq!(join(Date::from_days(*DAYS.end()), time), None);
        let infinity = LocalDateTime::INFINITY.as_micros();
        let (day, clock) = (infinity.div_euclid(MICROS_PER_DAY), infinity.rem_euclid(MICROS_PER_DAY));
        let day = Date::from_days(day.try_into().unwrap());
        assert_eq!(join(day, Time::from_micros(clock).unwrap()), None);

        let nanos = unix_nanos(last.as_micros()).unwrap();
        assert_eq!((micros(nanos), micros(nanos + 1000)), (Some(last.as_micros()), None));
        assert_eq!(micros((i128::from(infinity) + UNIX_TO_POSTGRES) * 1000), None);
        assert_eq!((micros(i128::MAX / 1000 * 1000), micros(i128::MIN / 1000 * 1000)), (None, None));

        assert_eq!(date((*DAYS.end()).into()), Some(Date::from_days(*DAYS.end())));
        assert_eq!(
            (date(i64::from(*DAYS.end()) + 1), date(i32::MAX.into()), date(i64::MIN)),
            (None, None, None)
        );
    }

    #[test]
    fn an_infinity_is_no_day_and_no_time_at_any_distance() {
        for infinity in [LocalDateTime::INFINITY, LocalDateTime::NEG_INFINITY] {
            assert_eq!((split(infinity), unix_nanos(infinity.as_micros())), (None, None));
        }
        assert_eq!((days(Date::INFINITY), days(Date::NEG_INFINITY)), (None, None));
    }
}
