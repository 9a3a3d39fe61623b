//! The laws of every pair, values that are aimed at edges, and what another crate prints as PostgreSQL would.

use std::fmt::Debug;

use proptest::prelude::*;

use crate::value::{ValueError, ValueErrorKind};

/// What goes there comes back, or is out of range: gives what it is there.
pub(super) fn keeps<Ours, Theirs>(ours: Ours) -> Result<Option<Theirs>, TestCaseError>
where
    Ours: TryFrom<Theirs, Error = ValueError> + Clone + PartialEq + Debug,
    Theirs: TryFrom<Ours, Error = ValueError> + Clone + Debug,
{
    let theirs = match Theirs::try_from(ours.clone()) {
        Ok(theirs) => theirs,
        Err(error) => {
            let is_out_of_range = matches!(error.kind(), ValueErrorKind::OutOfRange { .. });
            prop_assert!(is_out_of_range, "{ours:?}: {error}");
            return Ok(None);
        }
    };
    prop_assert_eq!(Ours::try_from(theirs.clone()), Ok(ours), "by way of {:?}", theirs);
    Ok(Some(theirs))
}

/// Days since 2000-01-01: all that a date can hold, most of them where other crates end.
pub(super) fn days() -> impl Strategy<Value = i32> {
    let ends = [-2_451_545, 2_145_031_948, i32::MIN, i32::MAX];
    // Leap days, the turn of the era, the turn of the year 10000.
    let turns = [59, 60, -36_465, -730_426, -730_120, -730_119, 2_921_939, 2_921_940];
    prop_oneof![
        -2_451_545..=2_145_031_948,
        -2_451_545..=3_000_000,
        // The year 262142, the last one of chrono.
        95_010_000..=95_020_000,
        prop::sample::select([&ends[..], &turns].concat()),
    ]
}

/// Microseconds of a day, with both ends.
pub(super) fn clock() -> impl Strategy<Value = i64> {
    prop_oneof![
        0..=86_400_000_000_i64,
        (0..=86_400_i64).prop_map(|seconds| seconds * 1_000_000),
        prop::sample::select(vec![0, 1, 86_399_999_999, 86_400_000_000]),
    ]
}

/// Microseconds since 2000-01-01: all that a timestamp can hold, most of them where other crates end.
pub(super) fn micros() -> impl Strategy<Value = i64> {
    let ends = [-211_813_488_000_000_000, 9_223_371_331_199_999_999, i64::MIN, i64::MAX];
    let some = (days(), clock()).prop_filter_map("a time beyond the year 294276", |(days, clock)| {
        let micros = i64::from(days).checked_mul(86_400_000_000)?.checked_add(clock)?;
        (-211_813_488_000_000_000..9_223_371_331_200_000_000).contains(&micros).then_some(micros)
    });
    prop_oneof![some, -1_000_000_i64..=1_000_000, prop::sample::select(ends.to_vec())]
}

/// The three parts of an interval, all that it can hold, and most of them small or zero.
pub(super) fn parts() -> impl Strategy<Value = (i32, i32, i64)> {
    let part = || {
        prop_oneof![Just(0), -100_i32..100, -240_000_i32..240_000, -7_400_000_i32..7_400_000, any::<i32>()]
    };
    let micros = prop_oneof![
        Just(0),
        -10_000_000_i64..10_000_000,
        any::<i64>(),
        prop::sample::select(vec![i64::MIN, i64::MIN + 1, i64::MAX]),
    ];
    prop_oneof![
        (part(), part(), micros),
        Just((i32::MAX, i32::MAX, i64::MAX)),
        Just((i32::MIN, i32::MIN, i64::MIN))
    ]
}

/// The year that a text of PostgreSQL says, 1 BC as 0; none of an infinity.
pub(super) fn year(text: &str) -> Option<i64> {
    let year: i64 = text.split('-').next()?.parse().ok()?;
    Some(if text.ends_with(" BC") { 1 - year } else { year })
}

/// What the crates of dates and times print, as PostgreSQL does: `-0001-02-03T4:05:06.700Z` is
/// `0002-02-03 04:05:06.7 BC`.
pub(super) fn as_server(printed: &str, zone: &str) -> String {
    let Some((date, clock)) = printed.split_once(['T', ' ']) else { return date_as_server(printed).concat() };
    let [date, era] = date_as_server(date);
    format!("{date} {}{zone}{era}", clock_as_server(clock))
}

fn date_as_server(printed: &str) -> [String; 2] {
    let digits = printed.trim_start_matches(['+', '-']);
    let (year, rest) = digits.split_once('-').unwrap();
    let year: i64 = year.parse().unwrap();
    let year = if printed.starts_with('-') { -year } else { year };
    let (year, era) = if year > 0 { (year, "") } else { (1 - year, " BC") };
    [format!("{year:04}-{rest}"), era.to_owned()]
}

pub(super) fn clock_as_server(printed: &str) -> String {
    let is_clock = |c: char| c.is_ascii_digit() || c == ':' || c == '.';
    let clock = &printed[..printed.find(|c| !is_clock(c)).unwrap_or(printed.len())];
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, ""));
    let fraction = fraction.trim_end_matches('0');
    let point = if fraction.is_empty() { "" } else { "." };
    format!("{clock:0>8}{point}{fraction}")
}
