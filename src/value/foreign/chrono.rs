//! chrono: years -262143 to 262142, which is less than `date` and `timestamp` have.

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, TimeZone, Timelike, Utc};

use super::count;
use crate::Timestamp;
use crate::value::{Date, Interval, LocalDateTime, Time, ValueError};

/// Days from 1 BC-12-31, which chrono counts from, to 2000-01-01.
const FROM_CE: i32 = 730_120;

const NANOS_PER_SECOND: i128 = 1_000_000_000;

exact! {
    /// Refuses the infinities and what is outside of the years -262143 to 262142.
    Date as "date" => NaiveDate as "chrono::NaiveDate", to_date;
    /// Every day of chrono is one of a `date`, from 4714-11-24 BC on.
    NaiveDate as "chrono::NaiveDate" => Date as "date", of_date;

    /// Refuses 24:00:00.
    Time as "time without time zone" => NaiveTime as "chrono::NaiveTime", to_time;
    /// Refuses leap seconds and parts of a microsecond.
    NaiveTime as "chrono::NaiveTime" => Time as "time without time zone", of_time;

    /// Refuses the infinities and what is outside of the years -262143 to 262142.
    LocalDateTime as "timestamp without time zone" => NaiveDateTime as "chrono::NaiveDateTime", to_local;
    /// Refuses leap seconds, parts of a microsecond, and times before 4714-11-24 BC.
    NaiveDateTime as "chrono::NaiveDateTime" => LocalDateTime as "timestamp without time zone", of_local;

    /// Refuses the infinities and what is outside of the years -262143 to 262142.
    Timestamp as "timestamp with time zone" => DateTime<Utc> as "chrono::DateTime", to_instant;

    /// Refuses months and days, which have no length of their own.
    Interval as "interval" => TimeDelta as "chrono::TimeDelta", to_delta;
    /// Refuses parts of a microsecond, and more microseconds than 64 bits count.
    TimeDelta as "chrono::TimeDelta" => Interval as "interval", of_delta;
}

/// The same instant: an offset isn't part of a `timestamptz`. Refuses leap seconds, parts of a microsecond, and times
/// before 4714-11-24 BC.
impl<Tz: TimeZone> TryFrom<DateTime<Tz>> for Timestamp {
    type Error = ValueError;

    fn try_from(time: DateTime<Tz>) -> Result<Self, ValueError> {
        let micros = unix_nanos(&time).and_then(count::micros).map(Self::from_micros);
        micros.ok_or_else(|| ValueError::out_of_range("chrono::DateTime", "timestamp with time zone"))
    }
}

fn to_date(date: Date) -> Option<NaiveDate> {
    NaiveDate::from_num_days_from_ce_opt(count::days(date)?.checked_add(FROM_CE)?)
}

fn of_date(date: NaiveDate) -> Option<Date> {
    use chrono::Datelike;
    count::date(i64::from(date.num_days_from_ce()) - i64::from(FROM_CE))
}

fn to_time(time: Time) -> Option<NaiveTime> {
    let (hour, minute, second, nanos) = count::clock(time);
    NaiveTime::from_hms_nano_opt(hour.into(), minute.into(), second.into(), nanos)
}

fn of_time(time: NaiveTime) -> Option<Time> {
    count::time(time.hour(), time.minute(), time.second(), time.nanosecond())
}

fn to_local(time: LocalDateTime) -> Option<NaiveDateTime> {
    let (date, time) = count::split(time)?;
    Some(NaiveDateTime::new(to_date(date)?, to_time(time)?))
}

fn of_local(time: NaiveDateTime) -> Option<LocalDateTime> {
    count::join(of_date(time.date())?, of_time(time.time())?)
}

fn to_instant(time: Timestamp) -> Option<DateTime<Utc>> {
    let nanos = count::unix_nanos(time.as_micros())?;
    let seconds = i64::try_from(nanos.div_euclid(NANOS_PER_SECOND)).ok()?;
    DateTime::from_timestamp(seconds, u32::try_from(nanos.rem_euclid(NANOS_PER_SECOND)).ok()?)
}

/// Nanoseconds since 1970; a leap second, which is counted as a second of more than a billion, has none.
fn unix_nanos<Tz: TimeZone>(time: &DateTime<Tz>) -> Option<i128> {
    let nanos = i128::from(time.timestamp_subsec_nanos());
    (nanos < NANOS_PER_SECOND).then(|| i128::from(time.timestamp()) * NANOS_PER_SECOND + nanos)
}

fn to_delta(interval: Interval) -> Option<TimeDelta> {
    let has_length = interval.months == 0 && interval.days == 0;
    has_length.then(|| TimeDelta::microseconds(interval.micros))
}

fn of_delta(delta: TimeDelta) -> Option<Interval> {
    // This many seconds never overflow; what chrono counts in microseconds may leave out a part of one.
    let nanos = i128::from(delta.num_seconds()) * NANOS_PER_SECOND + i128::from(delta.subsec_nanos());
    let micros = i64::try_from(count::whole_micros(nanos)?).ok()?;
    Some(Interval { micros, ..Interval::default() })
}

#[cfg(test)]
mod tests;
