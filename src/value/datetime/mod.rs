//! Dates and times, as the server prints them in style ISO (`datetime.c`, `date.c`, `timestamp.c`).

mod clock;
mod date;
mod interval;
mod timestamp;

#[cfg(any(feature = "with-chrono-0_4", feature = "with-jiff-0_2", feature = "with-time-0_3"))]
pub(super) use self::{date::DAYS, timestamp::MICROS};
pub use clock::{Time, TimeTz};
pub use date::Date;
pub use interval::Interval;
pub use timestamp::LocalDateTime;

use super::ValueError;
use super::scan::{Text, decimal};
use crate::time::civil::days_from_civil;

/// A day as it was read, before its era is known: that stands behind all else.
struct Day<'a> {
    start: Text<'a>,
    year: i64,
    month: i64,
    of_month: i64,
}

impl<'a> Day<'a> {
    /// Reads `2024-03-04`: four digits of the year, or more without a zero in front.
    fn read(text: &mut Text<'a>) -> Result<Self, ValueError> {
        let start = text.clone();
        let digits = text.digits();
        let is_printed =
            digits.len() == 4 || (5..=7).contains(&digits.len()) && digits.first() != Some(&b'0');
        let year = decimal(digits).filter(|_| is_printed).and_then(|year| i64::try_from(year).ok());
        let year =
            year.filter(|&year| year > 0).ok_or_else(|| start.fail("a year, infinity or -infinity"))?;
        text.expect("-", "a hyphen")?;
        let month = text.two(12, "a month of two digits")?;
        text.expect("-", "a hyphen")?;
        let day = text.two(31, "a day of two digits")?;
        Ok(Self { start, year, month, of_month: day })
    }

    /// Reads the era, behind which nothing stands, and gives days since 2000-01-01.
    fn finish(self, mut text: Text<'_>) -> Result<i64, ValueError> {
        // 1 BC is the year 0.
        let year = if text.take(" BC") { 1 - self.year } else { self.year };
        text.finish()?;
        days_from_civil(year, self.month, self.of_month)
            .ok_or_else(|| self.start.fail("a day of the calendar"))
    }
}

/// Reads `hh:mm:ss` and a fraction without trailing zeros, to microseconds; hours go up to `hours`.
fn read_clock(text: &mut Text<'_>, hours: i64) -> Result<i64, ValueError> {
    let hour = text.two(hours, "hours of two digits")?;
    Ok(hour * 3_600_000_000 + read_below_hours(text)?)
}

/// Reads `:mm:ss` and a fraction.
fn read_below_hours(text: &mut Text<'_>) -> Result<i64, ValueError> {
    text.expect(":", "a colon")?;
    let minute = text.two(59, "minutes of two digits")?;
    text.expect(":", "a colon")?;
    let second = text.two(59, "seconds of two digits")?;
    Ok((minute * 60 + second) * 1_000_000 + read_fraction(text)?)
}

fn read_fraction(text: &mut Text<'_>) -> Result<i64, ValueError> {
    if !text.take(".") {
        return Ok(0);
    }
    let start = text.clone();
    let digits = text.digits();
    let is_printed = (1..=6).contains(&digits.len()) && digits.last() != Some(&b'0');
    let fraction = decimal(digits).filter(|_| is_printed).and_then(|fraction| i64::try_from(fraction).ok());
    let fraction = fraction.ok_or_else(|| start.fail("up to six digits without trailing zeros"))?;
    let missing = 6_u32.saturating_sub(u32::try_from(digits.len()).unwrap_or(6));
    Ok(fraction * 10_i64.pow(missing))
}

/// Reads `+hh`, `+hh:mm` or `+hh:mm:ss`, as `EncodeTimezone` prints them, to seconds east of UTC.
fn read_offset(text: &mut Text<'_>) -> Result<i32, ValueError> {
    let is_west = text.take("-");
    if !is_west {
        text.expect("+", "an offset, as +00")?;
    }
    // MAX_TZDISP_HOUR
    let mut seconds = text.two(15, "an offset's hours of two digits, up to 15")? * 3600;
    if text.take(":") {
        seconds += text.two(59, "an offset's minutes of two digits")? * 60;
        if text.take(":") {
            seconds += text.two(59, "an offset's seconds of two digits")?;
        }
    }
    let seconds = i32::try_from(seconds).unwrap_or(0);
    Ok(if is_west { -seconds } else { seconds })
}

#[cfg(test)]
mod tests;
