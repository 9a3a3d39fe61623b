use std::fmt;

use bytes::{BufMut, BytesMut};

use super::Day;
use crate::time::civil::write_date;
use crate::value::scan::{Binary, Text};
use crate::value::{ValueError, Wire};

const NAME: &str = "date";
/// 4714-11-24 BC and 5874897-12-31 (`IS_VALID_DATE` in the server's `datatype/timestamp.h`).
pub(in crate::value) const DAYS: std::ops::RangeInclusive<i32> = -2_451_545..=2_145_031_948;

/// `date`: days since 2000-01-01, from 4714-11-24 BC to 5874897-12-31, and the two infinities.
///
/// The calendar is Gregorian throughout, and has no year 0. `i32::MAX` and `i32::MIN` are the infinities, in binary
/// too (`date_out`, `date_send` in the server's `date.c`).
///
/// ```
/// use walferry::value::{Date, Wire};
///
/// assert_eq!(Date::from_text("2000-03-01")?, Date::from_days(60));
/// assert_eq!(Date::from_text("0001-02-29 BC")?.to_string(), "0001-02-29 BC");
/// assert_eq!(Date::from_text("infinity")?, Date::INFINITY);
/// # Ok::<(), walferry::value::ValueError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date(i32);

impl Date {
    /// Later than every day.
    pub const INFINITY: Self = Self(i32::MAX);
    /// Earlier than every day.
    pub const NEG_INFINITY: Self = Self(i32::MIN);

    /// The day `days` after 2000-01-01; not held against the server's range, which reading is.
    pub const fn from_days(days: i32) -> Self {
        Self(days)
    }

    /// Days since 2000-01-01.
    pub const fn as_days(self) -> i32 {
        self.0
    }

    /// Whether it is a day, and no infinity.
    pub const fn is_finite(self) -> bool {
        self.0 != i32::MAX && self.0 != i32::MIN
    }

    /// As the server's range has it, if it does.
    fn checked(self) -> Option<Self> {
        (!self.is_finite() || DAYS.contains(&self.0)).then_some(self)
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::INFINITY => f.write_str("infinity"),
            Self::NEG_INFINITY => f.write_str("-infinity"),
            Self(days) => write_date(f, days.into()).and_then(|era| f.write_str(era)),
        }
    }
}

impl fmt::Debug for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Wire<'_> for Date {
    fn from_text(text: &str) -> Result<Self, ValueError> {
        match text {
            "infinity" => return Ok(Self::INFINITY),
            "-infinity" => return Ok(Self::NEG_INFINITY),
            _ => {}
        }
        let mut cursor = Text::new(NAME, text);
        let day = Day::read(&mut cursor)?;
        let days = i32::try_from(day.finish(cursor)?).ok().filter(|days| DAYS.contains(days));
        days.map(Self)
            .ok_or_else(|| ValueError::malformed(NAME, 0, "a day from 4714-11-24 BC to 5874897-12-31"))
    }

    fn from_binary(bytes: &[u8]) -> Result<Self, ValueError> {
        let date = Self(i32::from_be_bytes(Binary::whole(NAME, bytes, "4 bytes")?));
        date.checked()
            .ok_or_else(|| ValueError::malformed(NAME, 0, "a day from 4714-11-24 BC to 5874897-12-31"))
    }

    fn write_binary(&self, out: &mut BytesMut) {
        out.put_i32(self.0);
    }
}
