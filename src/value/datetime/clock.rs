use std::fmt;

use bytes::{BufMut, BytesMut};

use super::{read_clock, read_offset};
use crate::time::civil::{MICROS_PER_DAY, write_clock};
use crate::value::scan::{Binary, Text, printed};
use crate::value::{ValueError, Wire};

const TIME: &str = "time without time zone";
const TIME_TZ: &str = "time with time zone";
/// Offsets are below 16 hours (`TZDISP_LIMIT` in the server's `datatype/timestamp.h`).
const OFFSETS: std::ops::RangeInclusive<i32> = -57_599..=57_599;
const UP_TO_24: &str = "a time from 00:00:00 to 24:00:00";

/// `time`: microseconds since midnight, up to and with 24:00:00 (`time_out`, `time_send` in the server's `date.c`).
///
/// ```
/// use walferry::value::{Time, Wire};
///
/// assert_eq!(Time::from_text("24:00:00")?.as_micros(), 86_400_000_000);
/// assert_eq!(Time::from_text("05:06:07.89")?.to_string(), "05:06:07.89");
/// # Ok::<(), walferry::value::ValueError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(i64);

impl Time {
    /// The time `micros` microseconds after midnight; `None` below 0 and beyond 24:00:00.
    pub fn from_micros(micros: i64) -> Option<Self> {
        (0..=MICROS_PER_DAY).contains(&micros).then_some(Self(micros))
    }

    /// Microseconds since midnight, 0 to `86_400_000_000`.
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    fn read(text: &mut Text<'_>) -> Result<Self, ValueError> {
        let start = text.clone();
        Self::from_micros(read_clock(text, 24)?).ok_or_else(|| start.fail(UP_TO_24))
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_clock(f, self.0.unsigned_abs())
    }
}

impl fmt::Debug for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Wire<'_> for Time {
    fn from_text(text: &str) -> Result<Self, ValueError> {
        let mut cursor = Text::new(TIME, text);
        let time = Self::read(&mut cursor)?;
        cursor.finish()?;
        Ok(time)
    }

    fn from_binary(bytes: &[u8]) -> Result<Self, ValueError> {
        let micros = i64::from_be_bytes(Binary::whole(TIME, bytes, "8 bytes")?);
        Self::from_micros(micros).ok_or_else(|| ValueError::malformed(TIME, 0, UP_TO_24))
    }

    fn write_binary(&self, out: &mut BytesMut) {
        out.put_i64(self.0);
    }
}

/// `timetz`: a time of day at an offset of its own, to the second.
///
/// The offset counts seconds **east** of UTC, as it is printed; the binary form counts them west (`timetz_out`,
/// `timetz_send` in the server's `date.c`). Two are equal when they print the same.
///
/// ```
/// use walferry::value::{TimeTz, Wire};
///
/// let time = TimeTz::from_text("05:06:07+05:30")?;
/// assert_eq!(time.offset(), 19_800);
/// assert_eq!(time.to_string(), "05:06:07+05:30");
/// # Ok::<(), walferry::value::ValueError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TimeTz {
    time: Time,
    east: i32,
}

impl TimeTz {
    /// The time at `east` seconds east of UTC; `None` at 16 hours and more, in either direction.
    pub fn new(time: Time, east: i32) -> Option<Self> {
        OFFSETS.contains(&east).then_some(Self { time, east })
    }

    /// The time of day.
    pub const fn time(self) -> Time {
        self.time
    }

    /// Seconds east of UTC.
    pub const fn offset(self) -> i32 {
        self.east
    }
}

impl fmt::Display for TimeTz {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.east.unsigned_abs();
        let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
        write!(f, "{}{}{hour:02}", self.time, if self.east < 0 { '-' } else { '+' })?;
        match (minute, second) {
            (0, 0) => Ok(()),
            (minute, 0) => write!(f, ":{minute:02}"),
            (minute, second) => write!(f, ":{minute:02}:{second:02}"),
        }
    }
}

impl fmt::Debug for TimeTz {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Wire<'_> for TimeTz {
    fn from_text(text: &str) -> Result<Self, ValueError> {
        let mut cursor = Text::new(TIME_TZ, text);
        let time = Time::read(&mut cursor)?;
        let east = read_offset(&mut cursor)?;
        printed(TIME_TZ, text, Self { time, east })
    }

    fn from_binary(bytes: &[u8]) -> Result<Self, ValueError> {
        let mut binary = Binary::new(TIME_TZ, bytes);
        let micros = i64::from_be_bytes(binary.array("12 bytes")?);
        let west = i32::from_be_bytes(binary.array("12 bytes")?);
        binary.finish()?;
        let time = Time::from_micros(micros).ok_or_else(|| ValueError::malformed(TIME_TZ, 0, UP_TO_24))?;
        let value = west.checked_neg().and_then(|east| Self::new(time, east));
        value.ok_or_else(|| ValueError::malformed(TIME_TZ, 8, "an offset below 16 hours"))
    }

    fn write_binary(&self, out: &mut BytesMut) {
        out.put_i64(self.time.0);
        out.put_i32(-self.east);
    }
}
