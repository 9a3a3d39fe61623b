use std::borrow::Cow;
use std::fmt;

use bytes::{BufMut, BytesMut};

use super::scan::{Binary, Text};
use super::{ValueError, Wire};

const NAME: &str = "bit varying";

/// `bit` and `bit varying`: a string of bits, printed as `0` and `1` (`varbit_out`, `varbit_send` in the server's
/// `varbit.c`; `bit` has the same two forms).
///
/// Read from binary, it borrows; read from text, it owns an eighth of the text's length.
///
/// ```
/// use walferry::value::{Bits, Wire};
///
/// let bits = Bits::from_text("101")?;
/// assert_eq!((bits.len(), bits.as_bytes()), (3, &[0b1010_0000][..]));
/// assert_eq!(bits.to_string(), "101");
/// # Ok::<(), walferry::value::ValueError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Bits<'a> {
    /// What the wire counts in 31 bits.
    len: i32,
    bytes: Cow<'a, [u8]>,
}

impl<'a> Bits<'a> {
    /// The first `len` bits of `bytes`, the first in the highest place; `None` unless they fill the bytes up to the last
    /// one, with zeros behind them, and 31 bits count them.
    ///
    /// ```
    /// use walferry::value::Bits;
    ///
    /// assert_eq!(Bits::new(vec![0b1010_0000], 3).map(|bits| bits.to_string()).as_deref(), Some("101"));
    /// assert_eq!(Bits::new(vec![0b1011_0000], 3), None, "a bit behind the last one");
    /// ```
    pub fn new(bytes: impl Into<Cow<'a, [u8]>>, len: usize) -> Option<Self> {
        let bytes = bytes.into();
        let is_filled = bytes.len() == len.div_ceil(8) && is_padded(&bytes, len);
        Some(Self { len: i32::try_from(len).ok().filter(|_| is_filled)?, bytes })
    }

    /// How many bits.
    pub fn len(&self) -> usize {
        usize::try_from(self.len).unwrap_or(0)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The bits, the first in the highest place of the first byte; the places behind the last one are zero.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The bits in their order.
    pub fn iter(&self) -> impl Iterator<Item = bool> {
        let bits = self.bytes.iter().flat_map(|byte| (0..8).map(move |place| byte & (0x80 >> place) != 0));
        bits.take(self.len())
    }
}

impl fmt::Display for Bits<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.iter().try_for_each(|bit| f.write_str(if bit { "1" } else { "0" }))
    }
}

impl<'a> Wire<'a> for Bits<'a> {
    fn from_text(text: &'a str) -> Result<Self, ValueError> {
        let len = i32::try_from(text.len());
        let len = len.map_err(|_| ValueError::malformed(NAME, 0, "a string below 2 GiB"))?;
        let mut cursor = Text::new(NAME, text);
        let mut bytes = Vec::with_capacity(text.len().div_ceil(8));
        while !cursor.is_done() {
            bytes.push(byte(&mut cursor)?);
        }
        Ok(Self { len, bytes: Cow::Owned(bytes) })
    }

    fn from_binary(bytes: &'a [u8]) -> Result<Self, ValueError> {
        let mut binary = Binary::new(NAME, bytes);
        let len = i32::from_be_bytes(binary.array("a count of 4 bytes")?);
        let bytes = binary.rest();
        let bits =
            usize::try_from(len).map_err(|_| ValueError::malformed(NAME, 0, "no negative count of bits"))?;
        if bytes.len() != bits.div_ceil(8) {
            return Err(ValueError::malformed(NAME, 4, "as many bytes as the bits fill"));
        }
        if !is_padded(bytes, bits) {
            return Err(ValueError::malformed(NAME, 3 + bytes.len(), "zeros behind the last bit"));
        }
        Ok(Self { len, bytes: Cow::Borrowed(bytes) })
    }

    fn write_binary(&self, out: &mut BytesMut) {
        out.put_i32(self.len);
        out.put_slice(&self.bytes);
    }
}

/// Whether zeros fill the last byte of so many bits (`VARBIT_CORRECTLY_PADDED`).
fn is_padded(bytes: &[u8], bits: usize) -> bool {
    bits.is_multiple_of(8) || bytes.last().is_none_or(|last| last << (bits % 8) == 0)
}

/// The next eight bits, or what there is of them.
fn byte(cursor: &mut Text<'_>) -> Result<u8, ValueError> {
    let mut byte = 0;
    for place in 0..8 {
        if cursor.take("1") {
            byte |= 0x80 >> place;
        } else if !cursor.take("0") {
            return if cursor.is_done() { Ok(byte) } else { Err(cursor.fail("0 or 1")) };
        }
    }
    Ok(byte)
}
