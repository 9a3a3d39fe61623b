//! time: years -9999 to 9999, or with its feature `large-dates` -999999 to 999999.

use time::{Duration, OffsetDateTime, PrimitiveDateTime};

use super::count;
use crate::Timestamp;
use crate::value::{Date, Interval, LocalDateTime, Time};

/// The Julian day of 2000-01-01.
const JULIAN_DAY: i32 = 2_451_545;

exact! {
    /// Refuses the infinities and what is outside of [`time::Date::MIN`] and [`MAX`](time::Date::MAX).
    Date as "date" => time::Date as "time::Date", to_date;
    /// Refuses days before 4714-11-24 BC.
    time::Date as "time::Date" => Date as "date", of_date;

    /// Refuses 24:00:00.
    Time as "time without time zone" => time::Time as "time::Time", to_time;
    /// Refuses parts of a microsecond.
    time::Time as "time::Time" => Time as "time without time zone", of_time;

    /// Refuses the infinities and what is outside of [`time::Date::MIN`] and [`MAX`](time::Date::MAX).
    LocalDateTime as "timestamp without time zone" => PrimitiveDateTime as "time::PrimitiveDateTime", to_local;
    /// Refuses parts of a microsecond, and times that the server doesn't have.
    PrimitiveDateTime as "time::PrimitiveDateTime" => LocalDateTime as "timestamp without time zone", of_local;

    /// At the offset zero. Refuses the infinities and what is outside of [`time::Date::MIN`] and
    /// [`MAX`](time::Date::MAX).
    Timestamp as "timestamp with time zone" => OffsetDateTime as "time::OffsetDateTime", to_instant;
    /// The same instant: an offset isn't part of a `timestamptz`. Refuses parts of a microsecond, and times that the
    /// server doesn't have.
    OffsetDateTime as "time::OffsetDateTime" => Timestamp as "timestamp with time zone", of_instant;

    /// Refuses months and days, which have no length of their own.
    Interval as "interval" => Duration as "time::Duration", to_duration;
    /// Refuses parts of a microsecond, and more microseconds than 64 bits count.
    Duration as "time::Duration" => Interval as "interval", of_duration;
}

fn to_date(date: Date) -> Option<time::Date> {
    time::Date::from_julian_day(count::days(date)?.checked_add(JULIAN_DAY)?).ok()
}

fn of_date(date: time::Date) -> Option<Date> {
    count::date(i64::from(date.to_julian_day()) - i64::from(JULIAN_DAY))
}

fn to_time(time: Time) -> Option<time::Time> {
    let (hour, minute, second, nanos) = count::clock(time);
    time::Time::from_hms_nano(hour, minute, second, nanos).ok()
}

fn of_time(time: time::Time) -> Option<Time> {
    count::time(time.hour(), time.minute(), time.second(), time.nanosecond())
}

fn to_local(time: LocalDateTime) -> Option<PrimitiveDateTime> {
    let (date, time) = count::split(time)?;
    Some(PrimitiveDateTime::new(to_date(date)?, to_time(time)?))
}

fn of_local(time: PrimitiveDateTime) -> Option<LocalDateTime> {
    count::join(of_date(time.date())?, of_time(time.time())?)
}

fn to_instant(time: Timestamp) -> Option<OffsetDateTime> {
    OffsetDateTime::from_unix_timestamp_nanos(count::unix_nanos(time.as_micros())?).ok()
}

fn of_instant(time: OffsetDateTime) -> Option<Timestamp> {
    count::micros(time.unix_timestamp_nanos()).map(Timestamp::from_micros)
}

fn to_duration(interval: Interval) -> Option<Duration> {
    let has_length = interval.months == 0 && interval.days == 0;
    has_length.then(|| Duration::microseconds(interval.micros))
}

fn of_duration(duration: Duration) -> Option<Interval> {
    let micros = i64::try_from(count::whole_micros(duration.whole_nanoseconds())?).ok()?;
    Some(Interval { micros, ..Interval::default() })
}

#[cfg(test)]
mod tests;
