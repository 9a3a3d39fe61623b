use std::fmt;
use std::ops::Range;

use bytes::{BufMut, BytesMut};

use super::{Day, read_clock, read_offset};
use crate::Timestamp;
use crate::time::civil::{MICROS_PER_DAY, write_date_time};
use crate::value::scan::{Binary, Text};
use crate::value::{ValueError, Wire};

const LOCAL: &str = "timestamp without time zone";
const UTC: &str = "timestamp with time zone";
/// 4714-11-24 BC to the end of 294276 (`IS_VALID_TIMESTAMP` in the server's `datatype/timestamp.h`).
pub(in crate::value) const MICROS: Range<i64> = -211_813_488_000_000_000..9_223_371_331_200_000_000;
const EXPECTED: &str = "a time from 4714-11-24 BC to 294276-12-31";

/// `timestamp` (without time zone): a day and a clock's time, of no place.
///
/// Microseconds since 2000-01-01 00:00, from 4714-11-24 BC to 294276-12-31, and the two infinities (`timestamp_out`,
/// `timestamp_send` in the server's `timestamp.c`). The type with time zone is [`Timestamp`].
///
/// ```
/// use walferry::value::{LocalDateTime, Wire};
///
/// let time = LocalDateTime::from_text("2000-01-02 00:00:00.5")?;
/// assert_eq!(time.as_micros(), 86_400_500_000);
/// assert_eq!(time.to_string(), "2000-01-02 00:00:00.5");
/// # Ok::<(), walferry::value::ValueError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LocalDateTime(i64);

impl LocalDateTime {
    /// Later than every time.
    pub const INFINITY: Self = Self(i64::MAX);
    /// Earlier than every time.
    pub const NEG_INFINITY: Self = Self(i64::MIN);

    /// The time `micros` microseconds after 2000-01-01 00:00; not held against the server's range, which reading is.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// Microseconds since 2000-01-01 00:00.
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// Whether it is a time, and no infinity.
    pub const fn is_finite(self) -> bool {
        self.0 != i64::MAX && self.0 != i64::MIN
    }
}

impl fmt::Display for LocalDateTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_date_time(f, self.0, "")
    }
}

impl fmt::Debug for LocalDateTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Wire<'_> for LocalDateTime {
    fn from_text(text: &str) -> Result<Self, ValueError> {
        read(LOCAL, text, |_| Ok(0)).map(Self)
    }

    fn from_binary(bytes: &[u8]) -> Result<Self, ValueError> {
        receive(LOCAL, bytes).map(Self)
    }

    fn write_binary(&self, out: &mut BytesMut) {
        out.put_i64(self.0);
    }
}

/// `timestamptz`: the instant in UTC (`timestamptz_out`, `timestamptz_send` in the server's `timestamp.c`).
///
/// Of another session's `TimeZone` the text has another offset, up to `+hh:mm:ss`. It is read as the same instant,
/// but printed in UTC: the offset isn't part of the value.
impl Wire<'_> for Timestamp {
    fn from_text(text: &str) -> Result<Self, ValueError> {
        read(UTC, text, read_offset).map(Self::from_micros)
    }

    fn from_binary(bytes: &[u8]) -> Result<Self, ValueError> {
        receive(UTC, bytes).map(Self::from_micros)
    }

    fn write_binary(&self, out: &mut BytesMut) {
        out.put_i64(self.as_micros());
    }
}

fn read(
    type_name: &'static str,
    text: &str,
    zone: impl FnOnce(&mut Text<'_>) -> Result<i32, ValueError>,
) -> Result<i64, ValueError> {
    match text {
        "infinity" => return Ok(i64::MAX),
        "-infinity" => return Ok(i64::MIN),
        _ => {}
    }
    let mut cursor = Text::new(type_name, text);
    let day = Day::read(&mut cursor)?;
    cursor.expect(" ", "a space")?;
    let clock = read_clock(&mut cursor, 23)?;
    let east = i64::from(zone(&mut cursor)?) * 1_000_000;
    let micros =
        day.finish(cursor)?.checked_mul(MICROS_PER_DAY).and_then(|micros| micros.checked_add(clock - east));
    let micros = micros.filter(|micros| MICROS.contains(micros));
    micros.ok_or_else(|| ValueError::malformed(type_name, 0, EXPECTED))
}

fn receive(type_name: &'static str, bytes: &[u8]) -> Result<i64, ValueError> {
    let micros = i64::from_be_bytes(Binary::whole(type_name, bytes, "8 bytes")?);
    let is_sent = MICROS.contains(&micros) || micros == i64::MAX || micros == i64::MIN;
    if is_sent { Ok(micros) } else { Err(ValueError::malformed(type_name, 0, EXPECTED)) }
}
