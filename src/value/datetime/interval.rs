use std::fmt;

use bytes::{BufMut, BytesMut};

use super::read_below_hours;
use crate::time::civil::write_clock;
use crate::value::scan::{Binary, Text, decimal, printed};
use crate::value::{ValueError, Wire};

const NAME: &str = "interval";
const TOO_LARGE: &str = "parts that an interval can hold";

/// `interval`: months, days and microseconds, each with a sign of its own, and none convertible to another.
///
/// Prints in `IntervalStyle = postgres` (`interval_out` and `EncodeInterval` in the server's `timestamp.c` and
/// `datetime.c`). All three at their largest is infinity, all at their smallest minus infinity: on a server of version
/// 17 and later. An older one prints the same bytes as a finite interval of 178956970 years; that text is refused.
///
/// ```
/// use walferry::value::{Interval, Wire};
///
/// let text = "-1 years -2 mons +3 days -04:05:06.789";
/// let interval = Interval::from_text(text)?;
/// assert_eq!(interval, Interval { months: -14, days: 3, micros: -14_706_789_000 });
/// assert_eq!(interval.to_string(), text);
/// # Ok::<(), walferry::value::ValueError>(())
/// ```
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_structs, reason = "complete by the server's definition")]
pub struct Interval {
    /// Months; twelve print as a year.
    pub months: i32,
    /// Days, of whatever length the calendar gives them.
    pub days: i32,
    /// Microseconds; any number of hours.
    pub micros: i64,
}

impl Interval {
    /// Longer than every interval (17 and later).
    pub const INFINITY: Self = Self { months: i32::MAX, days: i32::MAX, micros: i64::MAX };
    /// Longer than every interval, into the past (17 and later).
    pub const NEG_INFINITY: Self = Self { months: i32::MIN, days: i32::MIN, micros: i64::MIN };

    /// Whether it is none of the infinities.
    pub fn is_finite(self) -> bool {
        self != Self::INFINITY && self != Self::NEG_INFINITY
    }

    fn print_clock(self, f: &mut fmt::Formatter<'_>, space: &str, was_negative: bool) -> fmt::Result {
        let sign = match self.micros {
            ..0 => "-",
            _ if was_negative => "+",
            _ => "",
        };
        write!(f, "{space}{sign}")?;
        write_clock(f, self.micros.unsigned_abs())
    }
}

impl fmt::Display for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::INFINITY => return f.write_str("infinity"),
            Self::NEG_INFINITY => return f.write_str("-infinity"),
            _ => {}
        }
        let parts = [(self.months / 12, "year"), (self.months % 12, "mon"), (self.days, "day")];
        // A part behind a negative one says its plus.
        let (mut space, mut was_negative) = ("", false);
        for (value, unit) in parts.into_iter().filter(|(value, _)| *value != 0) {
            let plus = if was_negative && value > 0 { "+" } else { "" };
            let plural = if value == 1 { "" } else { "s" };
            write!(f, "{space}{plus}{value} {unit}{plural}")?;
            (space, was_negative) = (" ", value < 0);
        }
        if self.micros == 0 && !space.is_empty() {
            return Ok(());
        }
        self.print_clock(f, space, was_negative)
    }
}

impl fmt::Debug for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Wire<'_> for Interval {
    fn from_text(text: &str) -> Result<Self, ValueError> {
        match text {
            "infinity" => return Ok(Self::INFINITY),
            "-infinity" => return Ok(Self::NEG_INFINITY),
            _ => {}
        }
        let mut cursor = Text::new(NAME, text);
        let mut interval = Self::default();
        while !cursor.is_done() {
            interval.read_part(&mut cursor)?;
        }
        printed(NAME, text, interval)
    }

    fn from_binary(bytes: &[u8]) -> Result<Self, ValueError> {
        const LENGTH: &str = "16 bytes";
        let mut binary = Binary::new(NAME, bytes);
        let micros = i64::from_be_bytes(binary.array(LENGTH)?);
        let days = i32::from_be_bytes(binary.array(LENGTH)?);
        let months = i32::from_be_bytes(binary.array(LENGTH)?);
        binary.finish()?;
        Ok(Self { months, days, micros })
    }

    fn write_binary(&self, out: &mut BytesMut) {
        out.put_i64(self.micros);
        out.put_i32(self.days);
        out.put_i32(self.months);
    }
}

impl Interval {
    /// Adds one part: a number and its unit, or the clock. Whether the parts stand in order is seen by printing them.
    fn read_part(&mut self, text: &mut Text<'_>) -> Result<(), ValueError> {
        text.take(" ");
        let start = text.clone();
        let is_negative = text.take("-");
        if !is_negative {
            text.take("+");
        }
        let number = i128::from(decimal(text.digits()).ok_or_else(|| start.fail(TOO_LARGE))?);
        let value = if is_negative { -number } else { number };
        if !text.take(" ") {
            let below_hours = i128::from(read_below_hours(text)?);
            let below_hours = if is_negative { -below_hours } else { below_hours };
            let micros = i64::try_from(value * 3_600_000_000 + below_hours);
            self.micros = micros.map_err(|_| start.fail(TOO_LARGE))?;
            return Ok(());
        }
        let (field, value) = match () {
            () if text.take("year") => (&mut self.months, value * 12),
            () if text.take("mon") => (&mut self.months, value),
            () if text.take("day") => (&mut self.days, value),
            () => return Err(text.fail("year, mon or day")),
        };
        text.take("s");
        *field = i32::try_from(i128::from(*field) + value).map_err(|_| start.fail(TOO_LARGE))?;
        Ok(())
    }
}
