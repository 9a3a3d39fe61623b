use chrono::{Datelike, FixedOffset};
use proptest::prelude::*;

use super::*;
use crate::value::foreign::tests::{as_server, clock, clock_as_server, days, keeps, micros, parts, year};

fn is_held(text: &str) -> bool {
    year(text).is_some_and(|year| (-262_143..=262_142).contains(&year))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn a_date_is_the_same_day_or_refused(days in days()) {
        let ours = Date::from_days(days);
        let theirs = keeps::<_, NaiveDate>(ours)?;
        prop_assert_eq!(theirs.is_some(), is_held(&ours.to_string()));
        if let Some(theirs) = theirs {
            prop_assert_eq!(as_server(&theirs.to_string(), ""), ours.to_string());
        }
    }

    #[test]
    fn a_day_of_chrono_comes_back_or_is_before_the_first(days in NaiveDate::MIN.num_days_from_ce()..=NaiveDate::MAX.num_days_from_ce()) {
        let theirs = NaiveDate::from_num_days_from_ce_opt(days).unwrap();
        prop_assert_eq!(keeps::<_, Date>(theirs)?.is_some(), theirs >= NaiveDate::from_ymd_opt(-4713, 11, 24).unwrap());
    }

    #[test]
    fn a_time_is_the_same_or_refused(micros in clock()) {
        let ours = Time::from_micros(micros).unwrap();
        let theirs = keeps::<_, NaiveTime>(ours)?;
        prop_assert_eq!(theirs.is_none(), ours.to_string() == "24:00:00");
        if let Some(theirs) = theirs {
            prop_assert_eq!(clock_as_server(&theirs.to_string()), ours.to_string());
        }
    }

    #[test]
    fn a_time_of_chrono_comes_back_or_is_finer(seconds in 0_u32..86_400, nanos in prop_oneof![9 => 0_u32..2_000_000_000, 1 => Just(1_000_000_000)], step in prop::sample::select(vec![1, 1000])) {
        // A leap second is the 60th of a minute.
        let seconds = if nanos < 1_000_000_000 { seconds } else { seconds / 60 * 60 + 59 };
        let nanos = nanos / step * step;
        let theirs = NaiveTime::from_num_seconds_from_midnight_opt(seconds, nanos).unwrap();
        prop_assert_eq!(keeps::<_, Time>(theirs)?.is_some(), nanos < 1_000_000_000 && nanos % 1000 == 0);
        let day = NaiveDate::MIN.succ_opt().unwrap();
        prop_assert!(keeps::<_, LocalDateTime>(day.and_time(theirs))?.is_none());
        let day = NaiveDate::MAX.pred_opt().unwrap().and_time(theirs);
        prop_assert_eq!(keeps::<_, LocalDateTime>(day)?.is_some(), nanos < 1_000_000_000 && nanos % 1000 == 0);
        prop_assert_eq!(keeps::<_, Timestamp>(day.and_utc())?.is_some(), nanos < 1_000_000_000 && nanos % 1000 == 0);
    }

    #[test]
    fn a_timestamp_is_the_same_or_refused(micros in micros()) {
        let ours = LocalDateTime::from_micros(micros);
        let theirs = keeps::<_, NaiveDateTime>(ours)?;
        prop_assert_eq!(theirs.is_some(), is_held(&ours.to_string()));
        if let Some(theirs) = theirs {
            prop_assert_eq!(as_server(&theirs.to_string(), ""), ours.to_string());
        }
    }

    #[test]
    fn an_instant_is_the_same_at_every_offset_or_refused(micros in micros(), east in -86_399..=86_399) {
        let ours = Timestamp::from_micros(micros);
        let theirs = keeps::<_, DateTime<Utc>>(ours)?;
        prop_assert_eq!(theirs.is_some(), is_held(&ours.to_string()));
        if let Some(theirs) = theirs {
            prop_assert_eq!(as_server(&theirs.to_string(), "+00"), ours.to_string());
            let elsewhere = theirs.with_timezone(&FixedOffset::east_opt(east).unwrap());
            prop_assert_eq!(Timestamp::try_from(elsewhere), Ok(ours));
        }
    }

    #[test]
    fn an_interval_is_the_same_length_or_has_none((months, days, micros) in parts()) {
        let theirs = keeps::<_, TimeDelta>(Interval { months, days, micros })?;
        prop_assert_eq!(theirs.is_some(), months == 0 && days == 0);
        prop_assert_eq!(theirs.and_then(|delta| delta.num_microseconds()), theirs.map(|_| micros));
    }

    #[test]
    fn a_delta_of_chrono_comes_back_or_is_finer_or_longer(millis in any::<i64>(), nanos in any::<i64>(), is_small: bool) {
        let theirs = TimeDelta::nanoseconds(nanos);
        prop_assert_eq!(keeps::<_, Interval>(theirs)?.is_some(), nanos % 1000 == 0);
        let millis = if is_small { millis / 1000 } else { millis.max(-i64::MAX) };
        let theirs = TimeDelta::try_milliseconds(millis).unwrap();
        prop_assert_eq!(keeps::<_, Interval>(theirs)?.is_some(), millis.checked_mul(1000).is_some());
    }
}

#[test]
fn the_ends_of_both_are_held_or_refused() {
    let chrono_days = |date: NaiveDate| date.num_days_from_ce() - FROM_CE;
    let last = chrono_days(NaiveDate::MAX);
    assert_eq!(NaiveDate::try_from(Date::from_days(last)), Ok(NaiveDate::MAX));
    assert!(NaiveDate::try_from(Date::from_days(last + 1)).is_err());
    assert!(NaiveDate::try_from(Date::INFINITY).is_err() && NaiveDate::try_from(Date::NEG_INFINITY).is_err());
    assert!(Date::try_from(NaiveDate::MIN).is_err() && Date::try_from(NaiveDate::MAX).is_ok());
    // The first instant of the server's, and the one before.
    let first = DateTime::<Utc>::try_from(Timestamp::from_micros(-211_813_488_000_000_000)).unwrap();
    assert_eq!(first.to_string(), "-4713-11-24 00:00:00 UTC");
    let error = Timestamp::try_from(first - TimeDelta::microseconds(1)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "chrono::DateTime: the value is outside of what timestamp with time zone can hold"
    );
    assert!(Timestamp::try_from(DateTime::<Utc>::MIN_UTC).is_err());
    assert!(Timestamp::try_from(DateTime::<Utc>::MAX_UTC).is_err(), "its nanoseconds");
    assert!(Interval::try_from(TimeDelta::MIN).is_err() && Interval::try_from(TimeDelta::MAX).is_err());
}
