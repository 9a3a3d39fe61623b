//! The calendar and the clock as the server prints them: proleptic Gregorian, style ISO (`EncodeDateTime` in the
//! server's `datetime.c`).

use std::fmt;

pub(crate) const MICROS_PER_DAY: i64 = 86_400_000_000;

const DAYS_PER_ERA: i64 = 146_097;
/// From 1 March of year 0, where the eras begin, to 2000-01-01.
const FROM_0000_03_01: i64 = 730_425;

/// Days since 2000-01-01 to year, month and day (year 0 is 1 BC).
///
/// Counts in 400-year eras that begin on 1 March, so that the leap day is the last of its year.
pub(crate) fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + FROM_0000_03_01;
    let (era, day_of_era) = (days.div_euclid(DAYS_PER_ERA), days.rem_euclid(DAYS_PER_ERA));
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let (month, next_year) =
        if month_from_march < 10 { (month_from_march + 3, 0) } else { (month_from_march - 9, 1) };
    (era * 400 + year_of_era + next_year, month, day)
}

/// The mirror of [`civil_from_days`]; `None` for a day that the calendar doesn't have.
pub(crate) fn days_from_civil(year: i64, month: i64, day: i64) -> Option<i64> {
    let (year_from_march, month_from_march) =
        if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let (era, year_of_era) = (year_from_march.div_euclid(400), year_from_march.rem_euclid(400));
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    let days = era * DAYS_PER_ERA + day_of_era - FROM_0000_03_01;
    (civil_from_days(days) == (year, month, day)).then_some(days)
}

/// Prints the day, and gives the era that stands behind all else: `" BC"` or nothing.
pub(crate) fn write_date(f: &mut fmt::Formatter<'_>, days: i64) -> Result<&'static str, fmt::Error> {
    let (year, month, day) = civil_from_days(days);
    // PostgreSQL has no year 0: astronomical 0 is 1 BC.
    let (shown_year, era) = if year > 0 { (year, "") } else { (1 - year, " BC") };
    write!(f, "{shown_year:04}-{month:02}-{day:02}")?;
    Ok(era)
}

/// Prints `hh:mm:ss` and what there is of a fraction, without its trailing zeros. An interval has more than 24 hours.
pub(crate) fn write_clock(f: &mut fmt::Formatter<'_>, micros: u64) -> fmt::Result {
    let (seconds, mut fraction) = (micros / 1_000_000, micros % 1_000_000);
    write!(f, "{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)?;
    if fraction == 0 {
        return Ok(());
    }
    let mut width = 6;
    while fraction % 10 == 0 {
        (fraction, width) = (fraction / 10, width - 1);
    }
    write!(f, ".{fraction:0width$}")
}

/// Prints microseconds since 2000-01-01 as day and clock, `zone` behind them; the two ends of `i64` as infinities.
pub(crate) fn write_date_time(f: &mut fmt::Formatter<'_>, micros: i64, zone: &str) -> fmt::Result {
    match micros {
        i64::MAX => return f.write_str("infinity"),
        i64::MIN => return f.write_str("-infinity"),
        _ => {}
    }
    let era = write_date(f, micros.div_euclid(MICROS_PER_DAY))?;
    f.write_str(" ")?;
    write_clock(f, micros.rem_euclid(MICROS_PER_DAY).unsigned_abs())?;
    write!(f, "{zone}{era}")
}
