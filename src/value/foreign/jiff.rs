//! jiff: years -9999 to 9999, which is less than `date` and `timestamp` have.

use jiff::Span;
use jiff::civil;

use super::count;
use crate::Timestamp;
use crate::time::civil::{civil_from_days, days_from_civil};
use crate::value::{Date, Interval, LocalDateTime, Time};

exact! {
    /// Refuses the infinities and what is outside of the years -9999 to 9999.
    Date as "date" => civil::Date as "jiff::civil::Date", to_date;
    /// Refuses days before 4714-11-24 BC.
    civil::Date as "jiff::civil::Date" => Date as "date", of_date;

    /// Refuses 24:00:00.
    Time as "time without time zone" => civil::Time as "jiff::civil::Time", to_time;
    /// Refuses parts of a microsecond.
    civil::Time as "jiff::civil::Time" => Time as "time without time zone", of_time;

    /// Refuses the infinities and what is outside of the years -9999 to 9999.
    LocalDateTime as "timestamp without time zone" => civil::DateTime as "jiff::civil::DateTime", to_local;
    /// Refuses parts of a microsecond, and times before 4714-11-24 BC.
    civil::DateTime as "jiff::civil::DateTime" => LocalDateTime as "timestamp without time zone", of_local;

    /// Refuses the infinities and what is outside of [`jiff::Timestamp::MIN`] and [`MAX`](jiff::Timestamp::MAX).
    Timestamp as "timestamp with time zone" => jiff::Timestamp as "jiff::Timestamp", to_instant;
    /// Refuses parts of a microsecond, and times before 4714-11-24 BC.
    jiff::Timestamp as "jiff::Timestamp" => Timestamp as "timestamp with time zone", of_instant;

    /// Months, days and microseconds as they are. Refuses parts of unlike sign, as a [`Span`] has one for all, and
    /// parts beyond its limits, which are about 20000 years.
    Interval as "interval" => Span as "jiff::Span", to_span;
    /// A year becomes twelve months, a week seven days, and an hour and what is below it microseconds: as they do
    /// where PostgreSQL reads an interval, and none of them loses anything. Refuses parts of a microsecond.
    Span as "jiff::Span" => Interval as "interval", |span| of_span(&span);
}

fn to_date(date: Date) -> Option<civil::Date> {
    // Both count 1 BC as the year 0.
    let (year, month, day) = civil_from_days(count::days(date)?.into());
    civil::Date::new(year.try_into().ok()?, month.try_into().ok()?, day.try_into().ok()?).ok()
}

fn of_date(date: civil::Date) -> Option<Date> {
    days_from_civil(date.year().into(), date.month().into(), date.day().into()).and_then(count::date)
}

fn to_time(time: Time) -> Option<civil::Time> {
    let (hour, minute, second, nanos) = count::clock(time);
    let below = |part: u8| i8::try_from(part).ok();
    civil::Time::new(below(hour)?, below(minute)?, below(second)?, nanos.try_into().ok()?).ok()
}

fn of_time(time: civil::Time) -> Option<Time> {
    count::time(time.hour(), time.minute(), time.second(), time.subsec_nanosecond())
}

fn to_local(time: LocalDateTime) -> Option<civil::DateTime> {
    let (date, time) = count::split(time)?;
    Some(civil::DateTime::from_parts(to_date(date)?, to_time(time)?))
}

fn of_local(time: civil::DateTime) -> Option<LocalDateTime> {
    count::join(of_date(time.date())?, of_time(time.time())?)
}

fn to_instant(time: Timestamp) -> Option<jiff::Timestamp> {
    jiff::Timestamp::from_nanosecond(count::unix_nanos(time.as_micros())?).ok()
}

fn of_instant(time: jiff::Timestamp) -> Option<Timestamp> {
    count::micros(time.as_nanosecond()).map(Timestamp::from_micros)
}

fn to_span(interval: Interval) -> Option<Span> {
    let signs = [interval.months.signum().into(), interval.days.signum().into(), interval.micros.signum()];
    // A part below zero would turn all of them.
    if signs.contains(&1) && signs.contains(&-1) {
        return None;
    }
    let span = Span::new().try_months(interval.months).ok()?.try_days(interval.days).ok()?;
    span.try_microseconds(interval.micros).ok()
}

fn of_span(span: &Span) -> Option<Interval> {
    let months = i64::from(span.get_years()) * 12 + i64::from(span.get_months());
    let days = i64::from(span.get_weeks()) * 7 + i64::from(span.get_days());
    let minutes = i128::from(span.get_hours()) * 60 + i128::from(span.get_minutes());
    let seconds = minutes * 60 + i128::from(span.get_seconds());
    let millis = seconds * 1000 + i128::from(span.get_milliseconds());
    let micros = millis * 1000 + i128::from(span.get_microseconds());
    let micros = count::whole_micros(micros * 1000 + i128::from(span.get_nanoseconds()))?;
    Some(Interval {
        months: months.try_into().ok()?,
        days: days.try_into().ok()?,
        micros: micros.try_into().ok()?,
    })
}

#[cfg(test)]
mod tests;
