//! The small ones: truth, whole numbers, identifiers and positions.

use std::fmt;
use std::str::FromStr;

use bytes::{BufMut, BytesMut};

use super::scan::{Binary, Text, printed};
use super::{ValueError, Wire};
use crate::{Lsn, Oid, Xid};

/// `boolean`: text `t` or `f` (`boolout` in the server's `bool.c`), binary one byte, 1 or 0.
///
/// ```
/// use walferry::value::{Bool, Wire};
///
/// let value = Bool::from_text("t")?;
/// assert!(value.0);
/// assert_eq!(value.to_string(), "t");
/// # Ok::<(), walferry::value::ValueError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bool(pub bool);

impl fmt::Display for Bool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0 { "t" } else { "f" })
    }
}

impl Wire<'_> for Bool {
    fn from_text(text: &str) -> Result<Self, ValueError> {
        match text {
            "t" => Ok(Self(true)),
            "f" => Ok(Self(false)),
            _ => Err(ValueError::malformed("boolean", 0, "t or f")),
        }
    }

    fn from_binary(bytes: &[u8]) -> Result<Self, ValueError> {
        match Binary::whole("boolean", bytes, "1 byte")? {
            [0] => Ok(Self(false)),
            [1] => Ok(Self(true)),
            _ => Err(ValueError::malformed("boolean", 0, "the byte 0 or 1")),
        }
    }

    fn write_binary(&self, out: &mut BytesMut) {
        out.put_u8(self.0.into());
    }
}

/// A whole number as it is printed: no plus, no zero in front, no `-0`.
fn integer<T: FromStr>(type_name: &'static str, text: &str, expected: &'static str) -> Result<T, ValueError> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let is_printed = text == "0" || digits.starts_with(|first: char| matches!(first, '1'..='9'));
    let number = if is_printed { text.parse().ok() } else { None };
    number.ok_or_else(|| ValueError::malformed(type_name, 0, expected))
}

macro_rules! integer {
    ($type:ty, $number:ty, $name:literal, $bytes:literal, $expected:literal) => {
        impl Wire<'_> for $type {
            #[inline]
            fn from_text(text: &str) -> Result<Self, ValueError> {
                integer::<$number>($name, text, $expected).map(Self::from)
            }

            #[inline]
            fn from_binary(bytes: &[u8]) -> Result<Self, ValueError> {
                Binary::whole($name, bytes, $bytes).map(|bytes| Self::from(<$number>::from_be_bytes(bytes)))
            }

            fn write_binary(&self, out: &mut BytesMut) {
                out.put_slice(&<$number>::from(*self).to_be_bytes());
            }
        }
    };
}

integer!(i16, i16, "smallint", "2 bytes", "a whole number of 16 bits");
integer!(i32, i32, "integer", "4 bytes", "a whole number of 32 bits");
integer!(i64, i64, "bigint", "8 bytes", "a whole number of 64 bits");
integer!(Oid, u32, "oid", "4 bytes", "a whole number of 32 bits without sign");
integer!(Xid, u32, "xid", "4 bytes", "a whole number of 32 bits without sign");
integer!(Xid8, u64, "xid8", "8 bytes", "a whole number of 64 bits without sign");

/// `xid8`: a transaction id with its epoch, which never wraps (`xid8out` in the server's `xid.c`).
///
/// ```
/// use walferry::value::{Wire, Xid8};
///
/// let id = Xid8::from_text("4294967296")?;
/// assert_eq!(u64::from(id), 1 << 32);
/// # Ok::<(), walferry::value::ValueError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Xid8(u64);

impl From<u64> for Xid8 {
    fn from(number: u64) -> Self {
        Self(number)
    }
}

impl From<Xid8> for u64 {
    fn from(id: Xid8) -> Self {
        id.0
    }
}

impl fmt::Display for Xid8 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// `pg_lsn`: text as [`Lsn`] prints it, binary 8 bytes (`pg_lsn.c`).
impl Wire<'_> for Lsn {
    fn from_text(text: &str) -> Result<Self, ValueError> {
        let lsn = text.parse();
        let lsn =
            lsn.map_err(|_| ValueError::malformed("pg_lsn", 0, "two hexadecimal numbers as in 16/B374D848"))?;
        printed("pg_lsn", text, lsn)
    }

    fn from_binary(bytes: &[u8]) -> Result<Self, ValueError> {
        Binary::whole("pg_lsn", bytes, "8 bytes").map(|bytes| Self::new(u64::from_be_bytes(bytes)))
    }

    fn write_binary(&self, out: &mut BytesMut) {
        out.put_u64((*self).into());
    }
}

/// `tid`: the place of a row version, printed `(block,offset)` (`tidout` in the server's `tid.c`); 6 bytes.
///
/// ```
/// use walferry::value::{Tid, Wire};
///
/// assert_eq!(Tid::from_text("(0,1)")?, Tid { block: 0, offset: 1 });
/// # Ok::<(), walferry::value::ValueError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_structs, reason = "complete by the server's definition")]
pub struct Tid {
    /// The block of the table's file, from 0.
    pub block: u32,
    /// The item in the block, from 1; 0 is no item.
    pub offset: u16,
}

impl fmt::Display for Tid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "({},{})", self.block, self.offset)
    }
}

impl Wire<'_> for Tid {
    fn from_text(text: &str) -> Result<Self, ValueError> {
        let mut cursor = Text::new("tid", text);
        cursor.expect("(", "an opening parenthesis")?;
        let block = number(&mut cursor, "a block number of 32 bits")?;
        cursor.expect(",", "a comma")?;
        let offset = number(&mut cursor, "an offset of 16 bits")?;
        cursor.expect(")", "a closing parenthesis")?;
        cursor.finish()?;
        Ok(Self { block, offset })
    }

    fn from_binary(bytes: &[u8]) -> Result<Self, ValueError> {
        const LENGTH: &str = "6 bytes";
        let mut binary = Binary::new("tid", bytes);
        let block = u32::from_be_bytes(binary.array(LENGTH)?);
        let offset = u16::from_be_bytes(binary.array(LENGTH)?);
        binary.finish()?;
        Ok(Self { block, offset })
    }

    fn write_binary(&self, out: &mut BytesMut) {
        out.put_u32(self.block);
        out.put_u16(self.offset);
    }
}

fn number<T: TryFrom<u64>>(cursor: &mut Text<'_>, expected: &'static str) -> Result<T, ValueError> {
    let start = cursor.clone();
    T::try_from(cursor.number(u64::MAX, expected)?).map_err(|_| start.fail(expected))
}

/// `"char"`: one byte (`char.c`).
///
/// Its text is empty for the byte 0, and three octal digits behind a backslash for a byte of 128 and more. (A server
/// of version 14 prints such a byte raw, which is no UTF-8: it can't be read from text.)
///
/// ```
/// use walferry::value::{InternalChar, Wire};
///
/// assert_eq!(InternalChar(b'r').to_string(), "r");
/// assert_eq!(InternalChar::from_text("\\351")?, InternalChar(0xE9));
/// # Ok::<(), walferry::value::ValueError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InternalChar(pub u8);

impl fmt::Display for InternalChar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => Ok(()),
            byte @ 1..=0x7F => fmt::Write::write_char(f, char::from(byte)),
            byte => write!(f, "\\{byte:03o}"),
        }
    }
}

impl Wire<'_> for InternalChar {
    fn from_text(text: &str) -> Result<Self, ValueError> {
        match *text.as_bytes() {
            [] => Ok(Self(0)),
            [byte @ 1..=0x7F] => Ok(Self(byte)),
            [b'\\', a @ b'2'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7'] => {
                Ok(Self((a - b'0') << 6 | (b - b'0') << 3 | (c - b'0')))
            }
            _ => Err(ValueError::malformed("\"char\"", 0, "nothing, one ASCII character, or \\200 to \\377")),
        }
    }

    fn from_binary(bytes: &[u8]) -> Result<Self, ValueError> {
        Binary::whole("\"char\"", bytes, "1 byte").map(|[byte]| Self(byte))
    }

    fn write_binary(&self, out: &mut BytesMut) {
        out.put_u8(self.0);
    }
}

/// `money`: a count of hundredths, printed as `cash_out` does under `lc_monetary = C`: `$1,234.50`, `-$1.00`.
///
/// The text of another locale is refused; the binary form is the same under each, but how many digits stand behind
/// its point is the locale's.
///
/// ```
/// use walferry::value::{Money, Wire};
///
/// assert_eq!(Money::from_text("$1,234.50")?, Money(123_450));
/// assert_eq!(Money(-100).to_string(), "-$1.00");
/// # Ok::<(), walferry::value::ValueError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Money(pub i64);

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let amount = self.0.unsigned_abs();
        f.write_str(if self.0 < 0 { "-$" } else { "$" })?;
        grouped(f, amount / 100)?;
        write!(f, ".{:02}", amount % 100)
    }
}

/// Thousands apart, by commas.
fn grouped(f: &mut fmt::Formatter<'_>, number: u64) -> fmt::Result {
    if number < 1000 {
        return write!(f, "{number}");
    }
    grouped(f, number / 1000)?;
    write!(f, ",{:03}", number % 1000)
}

impl Wire<'_> for Money {
    fn from_text(text: &str) -> Result<Self, ValueError> {
        const EXPECTED: &str = "an amount as in -$1,234.50";
        let fail = || ValueError::malformed("money", 0, EXPECTED);
        let mut amount = 0_i128;
        for digit in text.bytes().filter(u8::is_ascii_digit) {
            amount = amount.checked_mul(10).ok_or_else(fail)? + i128::from(digit - b'0');
        }
        let signed = if text.starts_with('-') { -amount } else { amount };
        printed("money", text, Self(i64::try_from(signed).map_err(|_| fail())?))
    }

    fn from_binary(bytes: &[u8]) -> Result<Self, ValueError> {
        Binary::whole("money", bytes, "8 bytes").map(|bytes| Self(i64::from_be_bytes(bytes)))
    }

    fn write_binary(&self, out: &mut BytesMut) {
        out.put_i64(self.0);
    }
}

/// `uuid`: 16 bytes, printed in lower case with hyphens (`uuid_out` in the server's `uuid.c`).
///
/// ```
/// use walferry::value::{Uuid, Wire};
///
/// let text = "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11";
/// assert_eq!(Uuid::from_text(text)?.to_string(), text);
/// # Ok::<(), walferry::value::ValueError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Uuid(pub [u8; 16]);

/// The bytes of a UUID that a hyphen stands in front of.
const HYPHENS: [usize; 4] = [4, 6, 8, 10];

impl fmt::Display for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, byte) in self.0.iter().enumerate() {
            let hyphen = if HYPHENS.contains(&index) { "-" } else { "" };
            write!(f, "{hyphen}{byte:02x}")?;
        }
        Ok(())
    }
}

impl Wire<'_> for Uuid {
    fn from_text(text: &str) -> Result<Self, ValueError> {
        let mut cursor = Text::new("uuid", text);
        let mut bytes = [0; 16];
        for (index, byte) in bytes.iter_mut().enumerate() {
            if HYPHENS.contains(&index) {
                cursor.expect("-", "a hyphen")?;
            }
            *byte = cursor.hex_byte("two hexadecimal digits in lower case")?;
        }
        cursor.finish()?;
        Ok(Self(bytes))
    }

    fn from_binary(bytes: &[u8]) -> Result<Self, ValueError> {
        Binary::whole("uuid", bytes, "16 bytes").map(Self)
    }

    fn write_binary(&self, out: &mut BytesMut) {
        out.put_slice(&self.0);
    }
}
