use proptest::prelude::*;
use time::UtcOffset;

use super::*;
use crate::value::foreign::tests::{as_server, clock, clock_as_server, days, keeps, micros, parts, year};

fn is_held(text: &str) -> bool {
    year(text).is_some_and(|year| (-9999..=9999).contains(&year))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn a_date_is_the_same_day_or_refused(days in days()) {
        let ours = Date::from_days(days);
        let theirs = keeps::<_, time::Date>(ours)?;
        prop_assert_eq!(theirs.is_some(), is_held(&ours.to_string()));
        if let Some(theirs) = theirs {
            prop_assert_eq!(as_server(&theirs.to_string(), ""), ours.to_string());
        }
    }

    #[test]
    fn a_day_of_time_comes_back_or_is_before_the_first(day in time::Date::MIN.to_julian_day()..=time::Date::MAX.to_julian_day()) {
        let theirs = time::Date::from_julian_day(day).unwrap();
        prop_assert_eq!(keeps::<_, Date>(theirs)?.is_some(), day >= 0);
    }

    #[test]
    fn a_time_is_the_same_or_refused(micros in clock()) {
        let ours = Time::from_micros(micros).unwrap();
        let theirs = keeps::<_, time::Time>(ours)?;
        prop_assert_eq!(theirs.is_none(), ours.to_string() == "24:00:00");
        if let Some(theirs) = theirs {
            prop_assert_eq!(clock_as_server(&theirs.to_string()), ours.to_string());
        }
    }

    #[test]
    fn a_time_of_time_comes_back_or_is_finer(second in 0_i64..86_400, nanos in 0_u32..1_000_000_000, step in prop::sample::select(vec![1, 1000])) {
        let nanos = nanos / step * step;
        let theirs = time::Time::MIDNIGHT + Duration::new(second, nanos.try_into().unwrap());
        prop_assert_eq!(keeps::<_, Time>(theirs)?.is_some(), nanos % 1000 == 0);
        for (day, is_held) in [(time::Date::MIN, false), (time::Date::MAX, nanos % 1000 == 0)] {
            let theirs = PrimitiveDateTime::new(day, theirs);
            prop_assert_eq!(keeps::<_, LocalDateTime>(theirs)?.is_some(), is_held);
            prop_assert_eq!(keeps::<_, Timestamp>(theirs.assume_utc())?.is_some(), is_held);
        }
    }

    #[test]
    fn a_timestamp_is_the_same_or_refused(micros in micros()) {
        let ours = LocalDateTime::from_micros(micros);
        let theirs = keeps::<_, PrimitiveDateTime>(ours)?;
        prop_assert_eq!(theirs.is_some(), is_held(&ours.to_string()));
        if let Some(theirs) = theirs {
            prop_assert_eq!(as_server(&theirs.to_string(), ""), ours.to_string());
        }
    }

    #[test]
    fn an_instant_is_the_same_at_every_offset_or_refused(micros in micros(), east in -86_399..=86_399) {
        let ours = Timestamp::from_micros(micros);
        let theirs = keeps::<_, OffsetDateTime>(ours)?;
        prop_assert_eq!(theirs.is_some(), is_held(&ours.to_string()));
        if let Some(theirs) = theirs {
            prop_assert_eq!(as_server(&theirs.to_string(), "+00"), ours.to_string());
            let elsewhere = theirs.checked_to_offset(UtcOffset::from_whole_seconds(east).unwrap());
            let elsewhere = elsewhere.map(Timestamp::try_from);
            prop_assert_eq!(elsewhere.unwrap_or(Ok(ours)), Ok(ours));
        }
    }

    #[test]
    fn an_interval_is_the_same_length_or_has_none((months, days, micros) in parts()) {
        let theirs = keeps::<_, Duration>(Interval { months, days, micros })?;
        prop_assert_eq!(theirs.is_some(), months == 0 && days == 0);
        prop_assert_eq!(theirs.map(Duration::whole_microseconds), theirs.map(|_| micros.into()));
    }

    #[test]
    fn a_duration_comes_back_or_is_finer_or_longer(seconds in any::<i64>(), nanos in any::<i64>()) {
        prop_assert_eq!(keeps::<_, Interval>(Duration::nanoseconds(nanos))?.is_some(), nanos % 1000 == 0);
        let is_counted = seconds.checked_mul(1_000_000).is_some();
        prop_assert_eq!(keeps::<_, Interval>(Duration::seconds(seconds))?.is_some(), is_counted);
        prop_assert!(keeps::<_, Interval>(Duration::seconds(seconds / 1_000_000))?.is_some());
    }
}

#[test]
fn the_ends_of_both_are_held_or_refused() {
    assert!(Date::try_from(time::Date::MIN).is_err() && Date::try_from(time::Date::MAX).is_ok());
    let first = PrimitiveDateTime::try_from(LocalDateTime::from_micros(-211_813_488_000_000_000)).unwrap();
    assert_eq!((first.date().to_julian_day(), first.time()), (0, time::Time::MIDNIGHT));
    let error = LocalDateTime::try_from(first - Duration::MICROSECOND).unwrap_err();
    assert_eq!(
        error.to_string(),
        "time::PrimitiveDateTime: the value is outside of what timestamp without time zone can hold"
    );
    assert!(Interval::try_from(Duration::MIN).is_err() && Interval::try_from(Duration::MAX).is_err());
}
