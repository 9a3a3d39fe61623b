//! The two cursors over a value: one for its text, one for its bytes. Nothing else moves through them, and each error
//! names the type and the place.

use std::fmt::{self, Display, Write as _};

use super::ValueError;

/// Moves through a value's text. All that PostgreSQL prints for the types that use it is ASCII.
#[derive(Debug, Clone)]
pub(super) struct Text<'a> {
    type_name: &'static str,
    len: usize,
    rest: &'a [u8],
}

impl<'a> Text<'a> {
    pub(super) fn new(type_name: &'static str, text: &'a str) -> Self {
        Self { type_name, len: text.len(), rest: text.as_bytes() }
    }

    /// Bytes from the beginning to here.
    pub(super) fn at(&self) -> usize {
        self.len - self.rest.len()
    }

    #[cold]
    pub(super) fn fail(&self, expected: &'static str) -> ValueError {
        ValueError::malformed(self.type_name, self.at(), expected)
    }

    pub(super) fn next(&mut self) -> Option<u8> {
        let (&first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(first)
    }

    /// Passes `text` if it comes next.
    pub(super) fn take(&mut self, text: &str) -> bool {
        let Some(rest) = self.rest.strip_prefix(text.as_bytes()) else { return false };
        self.rest = rest;
        true
    }

    /// Passes `text`, which must come next.
    pub(super) fn expect(&mut self, text: &str, expected: &'static str) -> Result<(), ValueError> {
        if self.take(text) { Ok(()) } else { Err(self.fail(expected)) }
    }

    /// Passes all digits that come next.
    pub(super) fn digits(&mut self) -> &'a [u8] {
        let count = self.rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let (digits, rest) = self.rest.split_at(count);
        self.rest = rest;
        digits
    }

    /// A number as it is printed: at least one digit, no zero in front of another, and not above `max`.
    pub(super) fn number(&mut self, max: u64, expected: &'static str) -> Result<u64, ValueError> {
        let start = self.clone();
        let digits = self.digits();
        let is_printed = matches!(digits, [b'0'] | [b'1'..=b'9', ..]);
        let number = is_printed.then(|| decimal(digits)).flatten().filter(|&number| number <= max);
        number.ok_or_else(|| start.fail(expected))
    }

    /// Exactly two digits, as in dates and times; not above `max`.
    pub(super) fn two(&mut self, max: i64, expected: &'static str) -> Result<i64, ValueError> {
        let start = self.clone();
        let digit = |byte: Option<u8>| byte.filter(u8::is_ascii_digit).map(|byte| i64::from(byte - b'0'));
        match (digit(self.next()), digit(self.next())) {
            (Some(tens), Some(ones)) if tens * 10 + ones <= max => Ok(tens * 10 + ones),
            _ => Err(start.fail(expected)),
        }
    }

    /// Two hexadecimal digits, a byte.
    pub(super) fn hex_byte(&mut self, expected: &'static str) -> Result<u8, ValueError> {
        let start = self.clone();
        match (hex_digit(self.next()), hex_digit(self.next())) {
            (Some(high), Some(low)) => Ok(high << 4 | low),
            _ => Err(start.fail(expected)),
        }
    }

    /// Whether nothing is left.
    pub(super) fn is_done(&self) -> bool {
        self.rest.is_empty()
    }

    /// A text has nothing behind its value.
    pub(super) fn finish(&self) -> Result<(), ValueError> {
        if self.rest.is_empty() { Ok(()) } else { Err(self.fail("nothing more")) }
    }
}

/// The number that these digits say, unless it is larger than 64 bits.
pub(super) fn decimal(digits: &[u8]) -> Option<u64> {
    digits.iter().try_fold(0_u64, |number, digit| {
        number.checked_mul(10)?.checked_add(u64::from(digit.wrapping_sub(b'0')))
    })
}

/// PostgreSQL prints lower-case digits only.
fn hex_digit(byte: Option<u8>) -> Option<u8> {
    match byte? {
        digit @ b'0'..=b'9' => Some(digit - b'0'),
        letter @ b'a'..=b'f' => Some(letter - b'a' + 10),
        _ => None,
    }
}

/// The value, if `text` is what it prints as: by this a reader may be simple and still take nothing that PostgreSQL
/// doesn't print.
pub(super) fn printed<T: Display>(type_name: &'static str, text: &str, value: T) -> Result<T, ValueError> {
    let mut left = Left(text.as_bytes());
    let same = write!(left, "{value}").is_ok() && left.0.is_empty();
    let at = text.len() - left.0.len();
    if same {
        Ok(value)
    } else {
        Err(ValueError::malformed(type_name, at, "the form that PostgreSQL prints"))
    }
}

/// What is left of a text, once as much of it as was printed is taken away.
struct Left<'a>(&'a [u8]);

impl fmt::Write for Left<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0 = self.0.strip_prefix(text.as_bytes()).ok_or(fmt::Error)?;
        Ok(())
    }
}

/// Moves through a value's binary form: big-endian fields.
#[derive(Debug, Clone)]
pub(super) struct Binary<'a> {
    type_name: &'static str,
    len: usize,
    rest: &'a [u8],
}

impl<'a> Binary<'a> {
    #[inline]
    pub(super) fn new(type_name: &'static str, bytes: &'a [u8]) -> Self {
        Self { type_name, len: bytes.len(), rest: bytes }
    }

    /// A value of fixed length as a whole.
    #[inline]
    pub(super) fn whole<const N: usize>(
        type_name: &'static str,
        bytes: &'a [u8],
        expected: &'static str,
    ) -> Result<[u8; N], ValueError> {
        let mut binary = Self::new(type_name, bytes);
        let value = binary.array(expected)?;
        binary.finish()?;
        Ok(value)
    }

    /// An error about the field that was just read, `width` bytes ago.
    #[cold]
    pub(super) fn fail_behind(&self, width: usize, expected: &'static str) -> ValueError {
        let at = (self.len - self.rest.len()).saturating_sub(width);
        ValueError::malformed(self.type_name, at, expected)
    }

    #[cold]
    pub(super) fn fail(&self, expected: &'static str) -> ValueError {
        self.fail_behind(0, expected)
    }

    #[inline]
    pub(super) fn array<const N: usize>(&mut self, expected: &'static str) -> Result<[u8; N], ValueError> {
        let Some((head, rest)) = self.rest.split_first_chunk() else { return Err(self.fail(expected)) };
        self.rest = rest;
        Ok(*head)
    }

    pub(super) fn u8(&mut self, expected: &'static str) -> Result<u8, ValueError> {
        self.array(expected).map(|[byte]| byte)
    }

    pub(super) fn u16(&mut self, expected: &'static str) -> Result<u16, ValueError> {
        self.array(expected).map(u16::from_be_bytes)
    }

    pub(super) fn u32(&mut self, expected: &'static str) -> Result<u32, ValueError> {
        self.array(expected).map(u32::from_be_bytes)
    }

    pub(super) fn i32(&mut self, expected: &'static str) -> Result<i32, ValueError> {
        self.array(expected).map(i32::from_be_bytes)
    }

    /// The bits as they are: the payload of a NaN stays.
    pub(super) fn f64(&mut self, expected: &'static str) -> Result<f64, ValueError> {
        self.array(expected).map(|bytes| f64::from_bits(u64::from_be_bytes(bytes)))
    }

    #[inline]
    pub(super) fn take(&mut self, count: usize, expected: &'static str) -> Result<&'a [u8], ValueError> {
        let Some((head, rest)) = self.rest.split_at_checked(count) else { return Err(self.fail(expected)) };
        self.rest = rest;
        Ok(head)
    }

    /// How many things follow, each of at least `width` bytes: so the count is bounded by the bytes that are left.
    pub(super) fn count(&mut self, width: usize, expected: &'static str) -> Result<usize, ValueError> {
        let count = usize::try_from(self.i32(expected)?).map_err(|_| self.fail_behind(4, expected))?;
        if count > self.rest.len() / width {
            return Err(self.fail_behind(4, expected));
        }
        Ok(count)
    }

    /// A length, and as many bytes; -1 is NULL.
    #[inline]
    pub(super) fn nullable(&mut self, expected: &'static str) -> Result<Option<&'a [u8]>, ValueError> {
        let length = self.i32(expected)?;
        if length == -1 {
            return Ok(None);
        }
        let length = usize::try_from(length).map_err(|_| self.fail_behind(4, expected))?;
        self.take(length, expected).map(Some)
    }

    /// A length, and as many bytes.
    pub(super) fn part(&mut self, expected: &'static str) -> Result<&'a [u8], ValueError> {
        self.nullable(expected)?.ok_or_else(|| self.fail_behind(4, expected))
    }

    /// Text up to a zero byte, which is consumed too.
    pub(super) fn string(&mut self, expected: &'static str) -> Result<&'a str, ValueError> {
        let end = self.rest.iter().position(|&byte| byte == 0).ok_or_else(|| self.fail(expected))?;
        let before = self.clone();
        let bytes = self.take(end, expected)?;
        self.u8(expected)?;
        std::str::from_utf8(bytes).map_err(|_| before.fail(expected))
    }

    /// Bytes that are left: the bound of every allocation that follows a claimed size.
    pub(super) fn left(&self) -> usize {
        self.rest.len()
    }

    /// All that is left.
    pub(super) fn rest(self) -> &'a [u8] {
        self.rest
    }

    /// A value has no bytes that its form doesn't name.
    #[inline]
    pub(super) fn finish(&self) -> Result<(), ValueError> {
        if self.rest.is_empty() { Ok(()) } else { Err(self.fail("nothing more")) }
    }
}
