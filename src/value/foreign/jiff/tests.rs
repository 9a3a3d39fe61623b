use jiff::{Timestamp as Instant, ToSpan};
use proptest::prelude::*;

use super::*;
use crate::value::foreign::tests::{as_server, clock, clock_as_server, days, keeps, micros, parts, year};
use crate::value::{ValueError, Wire};

fn is_held(text: &str) -> bool {
    year(text).is_some_and(|year| (-9999..=9999).contains(&year))
}

fn to(span: Span) -> Result<Interval, ValueError> {
    Interval::try_from(span)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn a_date_is_the_same_day_or_refused(days in days()) {
        let ours = Date::from_days(days);
        let theirs = keeps::<_, civil::Date>(ours)?;
        prop_assert_eq!(theirs.is_some(), is_held(&ours.to_string()));
        if let Some(theirs) = theirs {
            prop_assert_eq!(as_server(&theirs.to_string(), ""), ours.to_string());
            prop_assert_eq!((theirs - civil::date(2000, 1, 1)).get_days(), days);
        }
    }

    #[test]
    fn a_day_of_jiff_comes_back_or_is_before_the_first(year in -9999_i16..=9999, month in 1_i8..=12, day in 1_i8..=31) {
        let Ok(theirs) = civil::Date::new(year, month, day) else { return Ok(()) };
        prop_assert_eq!(keeps::<_, Date>(theirs)?.is_some(), theirs >= civil::date(-4713, 11, 24));
    }

    #[test]
    fn a_time_is_the_same_or_refused(micros in clock()) {
        let ours = Time::from_micros(micros).unwrap();
        let theirs = keeps::<_, civil::Time>(ours)?;
        prop_assert_eq!(theirs.is_none(), ours.to_string() == "24:00:00");
        if let Some(theirs) = theirs {
            prop_assert_eq!(clock_as_server(&theirs.to_string()), ours.to_string());
        }
    }

    #[test]
    fn a_time_of_jiff_comes_back_or_is_finer(second in 0_i64..86_400, nanos in 0_i32..1_000_000_000, step in prop::sample::select(vec![1, 1000])) {
        let nanos = nanos / step * step;
        let theirs = civil::Time::midnight() + second.seconds().nanoseconds(nanos);
        prop_assert_eq!(keeps::<_, Time>(theirs)?.is_some(), nanos % 1000 == 0);
        for (day, is_held) in [(civil::Date::MIN, false), (civil::Date::MAX, nanos % 1000 == 0)] {
            prop_assert_eq!(keeps::<_, LocalDateTime>(day.to_datetime(theirs))?.is_some(), is_held);
        }
        let instant = Instant::new(second, nanos).unwrap();
        prop_assert_eq!(keeps::<_, Timestamp>(instant)?.is_some(), nanos % 1000 == 0);
    }

    #[test]
    fn a_timestamp_is_the_same_or_refused(micros in micros()) {
        let ours = LocalDateTime::from_micros(micros);
        let theirs = keeps::<_, civil::DateTime>(ours)?;
        prop_assert_eq!(theirs.is_some(), is_held(&ours.to_string()));
        if let Some(theirs) = theirs {
            prop_assert_eq!(as_server(&theirs.to_string(), ""), ours.to_string());
        }
    }

    #[test]
    fn an_instant_is_the_same_or_refused(micros in micros()) {
        let ours = Timestamp::from_micros(micros);
        let theirs = keeps::<_, Instant>(ours)?;
        let last = Timestamp::from_text("9999-12-30 22:00:00.999999+00").unwrap();
        prop_assert_eq!(theirs.is_some(), ours > Timestamp::NEG_INFINITY && ours <= last);
        if let Some(theirs) = theirs {
            prop_assert_eq!(as_server(&theirs.to_string(), "+00"), ours.to_string());
        }
    }

    #[test]
    fn an_interval_keeps_its_parts_or_is_refused((months, days, micros) in parts()) {
        let theirs = keeps::<_, Span>(Interval { months, days, micros })?;
        let parts = theirs.map(|span| (span.get_months(), span.get_days(), span.get_microseconds()));
        prop_assert_eq!(parts, theirs.map(|_| (months, days, micros)));
        let is_of_one_sign = (months >= 0 && days >= 0 && micros >= 0) || (months <= 0 && days <= 0 && micros <= 0);
        // The limits that jiff documents for its units.
        let is_within = months.abs_diff(0) <= 239_976
            && days.abs_diff(0) <= 7_304_484
            && micros.abs_diff(0) <= 631_107_417_600_000_000;
        prop_assert_eq!(theirs.is_some(), is_of_one_sign && is_within);
    }

    #[test]
    fn a_span_of_months_days_and_microseconds_comes_back(
        months in 0_i32..=239_976, days in 0_i32..=7_304_484, micros in 0_i64..=631_107_417_600_000_000, is_negative: bool
    ) {
        let span = months.months().days(days).microseconds(micros);
        let span = if is_negative { -span } else { span };
        prop_assert_eq!(Span::try_from(to(span).unwrap()).unwrap().fieldwise(), span.fieldwise());
    }

    #[test]
    fn a_span_of_any_units_has_the_same_length(
        years in 0_i32..=19_998, weeks in 0_i32..=1_043_497, hours in 0_i32..=175_307_616, minutes in 0_i64..=1_000_000,
        seconds in 0_i64..=1_000_000, millis in 0_i64..=1_000_000, nanos in any::<u32>(), is_negative: bool
    ) {
        let span = years.years().weeks(weeks).hours(hours).minutes(minutes).seconds(seconds).milliseconds(millis);
        let sign = if is_negative { -1 } else { 1 };
        let below_hours = minutes * 60_000 + seconds * 1000 + millis;
        let micros = (i64::from(hours) * 3_600_000 + below_hours) * 1000 + i64::from(nanos / 1000);
        let expected = Interval { months: sign * years * 12, days: sign * weeks * 7, micros: i64::from(sign) * micros };
        prop_assert_eq!(to(span.nanoseconds(nanos / 1000 * 1000) * i64::from(sign)), Ok(expected));
        prop_assert_eq!(to(span.nanoseconds(nanos) * i64::from(sign)).is_ok(), nanos % 1000 == 0);
    }
}

#[test]
fn the_ends_of_both_are_held_or_refused() {
    assert!(Date::try_from(civil::Date::MIN).is_err() && Date::try_from(civil::Date::MAX).is_ok());
    assert!(Timestamp::try_from(Instant::MIN).is_err());
    assert!(Timestamp::try_from(Instant::MAX).is_err(), "its nanoseconds");
    assert!(LocalDateTime::try_from(civil::date(-4713, 11, 24).at(0, 0, 0, 0)).is_ok());
    assert!(LocalDateTime::try_from(civil::date(-4713, 11, 23).at(23, 59, 59, 999_999_000)).is_err());
    let error = civil::Date::try_from(Date::INFINITY).unwrap_err();
    assert_eq!(error.to_string(), "date: the value is outside of what jiff::civil::Date can hold");
}

#[test]
fn units_mean_what_they_mean_to_both() {
    // As jiff adds them to a day, and as PostgreSQL reads '1 year 2 weeks 3 hours'.
    let day = civil::date(2024, 2, 29).at(12, 0, 0, 0);
    let span = 1.year().weeks(2).hours(3);
    let interval = to(span).unwrap();
    assert_eq!(interval.to_string(), "1 year 14 days 03:00:00");
    assert_eq!(day + Span::try_from(interval).unwrap(), day + span);
}
