use bytes::BytesMut;

use super::*;
use crate::Timestamp;
use crate::value::Wire;

fn written<'a>(value: &impl Wire<'a>) -> BytesMut {
    let mut out = BytesMut::new();
    value.write_binary(&mut out);
    out
}

#[test]
fn museum_06_dates_at_their_ends() {
    for (text, days) in [
        ("4714-11-24 BC", -2_451_545),
        ("0001-12-31 BC", -730_120),
        ("0001-02-29 BC", -730_426),
        ("0001-01-01", -730_119),
        ("1970-01-01", -10_957),
        ("2000-02-29", 59),
        ("9999-12-31", 2_921_939),
        ("10000-01-01", 2_921_940),
        ("5874897-12-31", 2_145_031_948),
        ("infinity", i32::MAX),
        ("-infinity", i32::MIN),
    ] {
        assert_eq!(Date::from_text(text), Ok(Date::from_days(days)), "{text}");
        assert_eq!(Date::from_days(days).to_string(), text);
        assert_eq!(written(&Date::from_days(days)), days.to_be_bytes()[..]);
    }
}

#[test]
fn refuses_days_that_no_calendar_has() {
    for text in [
        "",
        "2023-02-29",
        "1900-02-29",
        "0002-02-29 BC",
        "2024-13-01",
        "2024-00-01",
        "2024-01-00",
        "2024-04-31",
        "0000-01-01",
        "0000-01-01 BC",
        "024-01-01",
        "02024-01-01",
        "5874898-01-01",
        "4714-11-23 BC",
        "2024-1-1",
        "2024-01-01 ",
        "2024-01-01BC",
        "2024-01-01 BC BC",
        "Infinity",
        "2024/01/01",
        "99999999-01-01",
    ] {
        assert!(Date::from_text(text).is_err(), "{text}");
    }
    for days in [-2_451_546, 2_145_031_949, i32::MAX - 1, i32::MIN + 1] {
        assert!(Date::from_binary(&days.to_be_bytes()).is_err(), "{days}");
    }
    let error = Date::from_text("2024-02-3x").expect_err("no day");
    assert_eq!(error.to_string(), "date at byte 8: expected a day of two digits");
}

#[test]
fn museum_06_timestamps_at_their_ends() {
    for (text, micros) in [
        ("4714-11-24 00:00:00 BC", -211_813_488_000_000_000),
        ("1999-12-31 23:59:59.999999", -1),
        ("2000-01-01 00:00:00", 0),
        ("294276-12-31 23:59:59.999999", 9_223_371_331_199_999_999),
        ("infinity", i64::MAX),
        ("-infinity", i64::MIN),
    ] {
        let time = LocalDateTime::from_micros(micros);
        assert_eq!((LocalDateTime::from_text(text), time.to_string()), (Ok(time), text.to_owned()));
        assert_eq!(LocalDateTime::from_binary(&written(&time)), Ok(time));
    }
    for micros in [-211_813_488_000_000_001, 9_223_371_331_200_000_000, i64::MAX - 1] {
        assert!(LocalDateTime::from_binary(&micros.to_be_bytes()).is_err());
        assert!(Timestamp::from_binary(&micros.to_be_bytes()).is_err());
    }
}

#[test]
fn museum_06_an_instant_is_the_same_in_every_time_zone() {
    let instant = Timestamp::from_micros(890_000);
    for text in [
        "2000-01-01 00:00:00.89+00",
        "2000-01-01 05:30:00.89+05:30",
        "1999-12-31 16:00:00.89-08",
        "2000-01-01 00:19:32.89+00:19:32",
        "1999-12-31 23:59:59.89-00:00:01",
    ] {
        assert_eq!(Timestamp::from_text(text), Ok(instant), "{text}");
    }
    let first = Timestamp::from_text("4714-11-24 05:30:00+05:30 BC").expect("a time");
    assert_eq!(first.to_string(), "4714-11-24 00:00:00+00 BC");
    for text in
        ["2000-01-01 00:00:00", "2000-01-01 00:00:00Z", "2000-01-01T00:00:00+00", "2000-01-01 24:00:00+00"]
    {
        assert!(Timestamp::from_text(text).is_err(), "{text}");
    }
    assert!(Timestamp::from_text("4714-11-24 00:00:00+05:30 BC").is_err(), "before the first");
}

#[test]
fn museum_06_midnight_at_the_end_of_a_day_is_not_its_beginning() {
    let end = Time::from_text("24:00:00").expect("a time");
    assert_eq!((end.as_micros(), end.to_string().as_str()), (86_400_000_000, "24:00:00"));
    assert!(Time::from_micros(86_400_000_001).is_none() && Time::from_micros(-1).is_none());
    for text in [
        "24:00:00.000001",
        "25:00:00",
        "23:60:00",
        "23:59:60",
        "1:00:00",
        "01:00",
        "01:00:00.",
        "01:00:00.10",
    ] {
        assert!(Time::from_text(text).is_err(), "{text}");
    }
    assert!(Time::from_text("01:00:00.1234567").is_err() && Time::from_text("01:00:00+00").is_err());
}

#[test]
fn museum_06_an_offset_has_seconds() {
    let time = TimeTz::from_text("12:00:00-00:00:01").expect("a time");
    assert_eq!((time.offset(), time.to_string().as_str()), (-1, "12:00:00-00:00:01"));
    assert_eq!(
        &written(&TimeTz::from_text("00:00:00+05:30").expect("a time"))[8..],
        (-19_800_i32).to_be_bytes()
    );
    for text in
        ["12:00:00", "12:00:00+16", "12:00:00-00", "12:00:00+01:00", "12:00:00+01:30:00", "12:00:00+1"]
    {
        assert!(TimeTz::from_text(text).is_err(), "{text}");
    }
    for west in [57_600_i32, -57_600, i32::MIN] {
        assert!(TimeTz::from_binary(&[&[0; 8], &west.to_be_bytes()[..]].concat()).is_err());
    }
}

#[test]
fn museum_06_intervals_of_mixed_sign_keep_each_sign() {
    for (months, days, micros, text) in [
        (0, 0, 0, "00:00:00"),
        (12, 0, 0, "1 year"),
        (-12, 0, 0, "-1 years"),
        (14, 3, -14_706_700_000, "1 year 2 mons 3 days -04:05:06.7"),
        (-14, 3, 1, "-1 years -2 mons +3 days 00:00:00.000001"),
        (0, -1, 3_600_000_000, "-1 days +01:00:00"),
        (-1, 1, -1, "-1 mons +1 day -00:00:00.000001"),
        (i32::MIN, i32::MIN, 0, "-178956970 years -8 mons -2147483648 days"),
        (0, 0, i64::MIN, "-2562047788:00:54.775808"),
        (0, 0, i64::MAX, "2562047788:00:54.775807"),
        (i32::MAX, i32::MAX, i64::MAX, "infinity"),
        (i32::MIN, i32::MIN, i64::MIN, "-infinity"),
    ] {
        let interval = Interval { months, days, micros };
        assert_eq!((interval.to_string().as_str(), Interval::from_text(text)), (text, Ok(interval)));
        assert_eq!(Interval::from_binary(&written(&interval)), Ok(interval));
    }
}

#[test]
fn refuses_intervals_that_are_never_printed() {
    for text in [
        "",
        " ",
        "1",
        "1 ",
        "1 week",
        "1 years",
        "2 year",
        "13 mons",
        "1 day 1 year",
        "1 day +01:00:00",
        "-1 days 01:00:00",
        "1:00:00",
        "01:00:00 1 day",
        "00:00:00.0",
        "1 day  01:00:00",
        "- 1 days",
        "P1D",
        "178956970 years 8 mons",
        "2562047788:00:54.775808",
        "99999999999999999999 days",
        // What a server of version 16 and older prints for the bytes that are infinity later.
        "178956970 years 7 mons 2147483647 days 2562047788:00:54.775807",
    ] {
        assert!(Interval::from_text(text).is_err(), "{text}");
    }
}

#[test]
fn what_prints_otherwise_is_refused_where_it_does() {
    let error = Interval::from_text("1 day 25 mons").expect_err("months before days").to_string();
    assert!(error.starts_with("interval at byte 0: "), "{error}");
}

#[test]
fn only_infinities_are_not_finite() {
    assert!(Date::from_days(i32::MAX - 1).is_finite() && Date::from_days(i32::MIN + 1).is_finite());
    assert!(![i32::MAX, i32::MIN].map(Date::from_days).iter().any(|date| date.is_finite()));
    let finite = [i64::MAX - 1, i64::MIN + 1].map(LocalDateTime::from_micros);
    assert!(finite.iter().all(|time| time.is_finite()));
    assert!(![i64::MAX, i64::MIN].map(LocalDateTime::from_micros).iter().any(|time| time.is_finite()));
    assert!(Interval { months: 0, ..Interval::INFINITY }.is_finite());
    assert!(Interval { micros: 0, ..Interval::NEG_INFINITY }.is_finite());
    assert!(![Interval::INFINITY, Interval::NEG_INFINITY].iter().any(|interval| interval.is_finite()));
}

#[test]
fn what_is_shown_is_what_is_printed() {
    macro_rules! shown {
        ($($type:ty: $text:literal),*) => {$(
            assert_eq!(format!("{:?}", <$type>::from_text($text).expect($text)), $text);
        )*};
    }
    shown!(Date: "0044-03-15 BC", LocalDateTime: "2000-01-01 12:00:00", Time: "24:00:00",
        TimeTz: "12:00:00+05:30", Interval: "1 year 2 mons -3 days +04:05:06");
}
