use std::fmt;

use bytes::{BufMut, BytesMut};

use super::scan::{Binary, Text};
use super::{ValueError, Wire};

const NAME: &str = "numeric";
/// Decimal digits in a group (`DEC_DIGITS` in the server's `numeric.c`).
const GROUP: usize = 4;
const NEGATIVE: u16 = 0x4000;
const NAN: u16 = 0xC000;
const INFINITY: u16 = 0xD000;
const NEG_INFINITY: u16 = 0xF000;
/// What `numeric_send` gives as the scale of an infinity: two bits of its header, read as if they were one.
const INFINITE_SCALE: u16 = 32;
const EXPECTED: &str = "a decimal number as PostgreSQL prints it, NaN, Infinity or -Infinity";

/// `numeric`: a decimal number of any size, with the digits behind the point that it was written with.
///
/// Up to 131072 digits before the point and 16383 behind it, NaN, and from version 14 both infinities. Two are equal
/// when they print the same: `1.0` isn't `1.00`. It is kept as it stands on the wire, in groups of four decimal digits
/// (`numeric_send` in the server's `numeric.c`); its memory is about half of the text's or the bytes' length.
///
/// ```
/// use walferry::value::{Numeric, Wire};
///
/// let price = Numeric::from_text("120.00")?;
/// assert_eq!(price.to_string(), "120.00");
/// assert_eq!((price.scale(), price.to_i128()?), (Some(2), 120));
/// assert!(Numeric::from_text("0.5")?.to_i128().is_err(), "an error, never a replacement");
/// # Ok::<(), walferry::value::ValueError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Numeric(Kind);

#[derive(Clone, PartialEq, Eq, Hash)]
enum Kind {
    NaN,
    Infinite { negative: bool },
    Finite(Finite),
}

/// The sum of `groups[i] × 10000^(weight - i)`: no zero at either end of the groups, and none for zero.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
struct Finite {
    negative: bool,
    weight: i16,
    scale: u16,
    groups: Vec<u16>,
}

impl Numeric {
    /// The most digits that there are behind the point (`NUMERIC_DSCALE_MAX` in the server's `numeric.c`).
    pub const MAX_SCALE: u16 = 16_383;

    /// The number `unscaled / 10^scale`, printed with `scale` digits behind the point; `None` for a scale above
    /// [`MAX_SCALE`](Self::MAX_SCALE).
    ///
    /// ```
    /// use walferry::value::Numeric;
    ///
    /// assert_eq!(Numeric::from_unscaled(-120_00, 2).map(|price| price.to_string()).as_deref(), Some("-120.00"));
    /// ```
    pub fn from_unscaled(unscaled: i128, scale: u16) -> Option<Self> {
        let behind = Some(usize::from(scale)).filter(|_| scale <= Self::MAX_SCALE)?;
        let digits = format!("{:0>1$}", unscaled.unsigned_abs(), behind + 1);
        let (whole, fraction) = digits.as_bytes().split_at_checked(digits.len() - behind)?;
        Finite::of(unscaled < 0, whole, fraction).map(|number| Self(Kind::Finite(number)))
    }

    /// Whether it is NaN.
    pub fn is_nan(&self) -> bool {
        self.0 == Kind::NaN
    }

    /// Whether it is a number: not NaN, and no infinity.
    pub fn is_finite(&self) -> bool {
        matches!(self.0, Kind::Finite(_))
    }

    /// How many digits are printed behind the point; `None` for NaN and the infinities.
    pub fn scale(&self) -> Option<u16> {
        if let Kind::Finite(number) = &self.0 { Some(number.scale) } else { None }
    }

    /// The number without its point, which is `number × 10^scale`; the mirror of
    /// [`from_unscaled`](Self::from_unscaled).
    ///
    /// ```
    /// use walferry::value::{Numeric, Wire};
    ///
    /// let price = Numeric::from_text("120.00")?;
    /// assert_eq!((price.unscaled()?, price.scale()), (12_000, Some(2)));
    /// # Ok::<(), walferry::value::ValueError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// More than 128 bits, NaN, an infinity.
    pub fn unscaled(&self) -> Result<i128, ValueError> {
        let unscaled = if let Kind::Finite(number) = &self.0 { number.unscaled() } else { None };
        unscaled.ok_or_else(|| ValueError::out_of_range(NAME, "i128"))
    }

    /// The same number as an integer, zeros behind the point left out.
    ///
    /// # Errors
    ///
    /// A number with a fraction, one of more than 128 bits, NaN, an infinity.
    pub fn to_i128(&self) -> Result<i128, ValueError> {
        let whole = if let Kind::Finite(number) = &self.0 { number.whole() } else { None };
        whole.ok_or_else(|| ValueError::out_of_range(NAME, "i128"))
    }
}

/// Exact, or an error.
impl TryFrom<&Numeric> for i64 {
    type Error = ValueError;

    fn try_from(number: &Numeric) -> Result<Self, ValueError> {
        let whole = number.to_i128().ok().and_then(|whole| Self::try_from(whole).ok());
        whole.ok_or_else(|| ValueError::out_of_range(NAME, "i64"))
    }
}

impl fmt::Display for Numeric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::NaN => f.write_str("NaN"),
            Kind::Infinite { negative: false } => f.write_str("Infinity"),
            Kind::Infinite { negative: true } => f.write_str("-Infinity"),
            Kind::Finite(number) => number.print(f),
        }
    }
}

impl fmt::Debug for Numeric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Wire<'_> for Numeric {
    fn from_text(text: &str) -> Result<Self, ValueError> {
        Ok(Self(match text {
            "NaN" => Kind::NaN,
            "Infinity" => Kind::Infinite { negative: false },
            "-Infinity" => Kind::Infinite { negative: true },
            text => Kind::Finite(Finite::parse(Text::new(NAME, text))?),
        }))
    }

    fn from_binary(bytes: &[u8]) -> Result<Self, ValueError> {
        const HEADER: &str = "a header of 8 bytes";
        let mut binary = Binary::new(NAME, bytes);
        let count = u16::from_be_bytes(binary.array(HEADER)?);
        let weight = i16::from_be_bytes(binary.array(HEADER)?);
        let sign = u16::from_be_bytes(binary.array(HEADER)?);
        let scale = u16::from_be_bytes(binary.array(HEADER)?);
        let kind = match (sign, count, weight, scale) {
            (0 | NEGATIVE, ..) => {
                let groups = Vec::with_capacity(bytes.len() / 2);
                Kind::Finite(Finite { negative: sign == NEGATIVE, weight, scale, groups })
            }
            (NAN, 0, 0, 0) => Kind::NaN,
            (INFINITY, 0, 0, INFINITE_SCALE) => Kind::Infinite { negative: false },
            (NEG_INFINITY, 0, 0, INFINITE_SCALE) => Kind::Infinite { negative: true },
            _ => return Err(ValueError::malformed(NAME, 4, "the header of a number, NaN or an infinity")),
        };
        let Kind::Finite(mut number) = kind else { return binary.finish().map(|()| Self(kind)) };
        // Only as many as there are bytes: the count is what the wire claims.
        while let Ok(group) = binary.array("") {
            number.groups.push(u16::from_be_bytes(group));
        }
        binary.finish()?;
        number.check(usize::from(count))?;
        Ok(Self(Kind::Finite(number)))
    }

    fn write_binary(&self, out: &mut BytesMut) {
        let special = |out: &mut BytesMut, sign, scale| {
            out.put_u32(0);
            out.put_u16(sign);
            out.put_u16(scale);
        };
        match &self.0 {
            Kind::NaN => special(out, NAN, 0),
            Kind::Infinite { negative: false } => special(out, INFINITY, INFINITE_SCALE),
            Kind::Infinite { negative: true } => special(out, NEG_INFINITY, INFINITE_SCALE),
            Kind::Finite(number) => number.write(out),
        }
    }
}

impl Finite {
    /// What every number that the server sends keeps to (`make_result` and `numeric_recv`).
    fn check(&self, count: usize) -> Result<(), ValueError> {
        let fail = |at, expected| Err(ValueError::malformed(NAME, at, expected));
        if self.groups.len() != count {
            return fail(0, "as many groups as bytes follow for");
        }
        if self.scale > Numeric::MAX_SCALE {
            return fail(6, "a scale of up to 16383");
        }
        if count == 0 && (self.weight != 0 || self.negative) {
            return fail(2, "no weight and no sign of zero");
        }
        if self.groups.iter().any(|&group| group >= 10_000) {
            return fail(8, "groups below 10000");
        }
        if self.groups.first() == Some(&0) || self.groups.last() == Some(&0) {
            return fail(8, "no zero at the ends of the groups");
        }
        if self.hides_digits() {
            return fail(6, "a scale that shows all digits");
        }
        Ok(())
    }

    /// Whether there are digits behind the last one that is printed.
    fn hides_digits(&self) -> bool {
        let Some(&last) = self.groups.last() else { return false };
        let zeros = [10, 100, 1000].iter().take_while(|&&power| last % power == 0).count();
        self.behind_point() - signed(zeros) > i64::from(self.scale)
    }

    /// Digits of the groups that stand behind the point, if more than none.
    fn behind_point(&self) -> i64 {
        (signed(self.groups.len()) - 1 - i64::from(self.weight)) * signed(GROUP)
    }

    /// The group that counts `10000^power`.
    fn group(&self, power: i32) -> u16 {
        let index = usize::try_from(i32::from(self.weight) - power).ok();
        index.and_then(|index| self.groups.get(index)).copied().unwrap_or(0)
    }

    /// As `get_str_from_var` prints.
    fn print(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.negative {
            f.write_str("-")?;
        }
        let highest = i32::from(self.weight.max(0));
        write!(f, "{}", self.group(highest))?;
        (0..highest).rev().try_for_each(|power| write!(f, "{:04}", self.group(power)))?;
        if self.scale == 0 {
            return Ok(());
        }
        f.write_str(".")?;
        let (full, rest) = (i32::from(self.scale / 4), self.scale % 4);
        (1..=full).try_for_each(|power| write!(f, "{:04}", self.group(-power)))?;
        match (rest, self.group(-full - 1)) {
            (1, group) => write!(f, "{:01}", group / 1000),
            (2, group) => write!(f, "{:02}", group / 100),
            (3, group) => write!(f, "{:03}", group / 10),
            _ => Ok(()),
        }
    }

    fn parse(mut text: Text<'_>) -> Result<Self, ValueError> {
        let negative = text.take("-");
        let start = text.clone();
        let whole = text.digits();
        if !matches!(whole, [b'0'] | [b'1'..=b'9', ..]) {
            return Err(start.fail(EXPECTED));
        }
        let behind = text.clone();
        let fraction = if text.take(".") { text.digits() } else { b"" };
        // A point has digits behind it, no more than the scale can count, and then nothing.
        if text.at() == behind.at() + 1 || fraction.len() > Numeric::MAX_SCALE.into() {
            return Err(behind.fail(EXPECTED));
        }
        text.finish()?;
        let number = Self::of(negative, whole, fraction);
        let number = number.ok_or_else(|| start.fail("up to 131072 digits before the point"))?;
        // The server has no negative zero.
        if number.negative == negative { Ok(number) } else { Err(start.fail(EXPECTED)) }
    }

    fn of(negative: bool, whole: &[u8], fraction: &[u8]) -> Option<Self> {
        let whole = if whole == b"0" { b"" } else { whole };
        let before = whole.rchunks(GROUP).rev();
        let behind = fraction.chunks(GROUP).map(|chunk| group(chunk) * 10_u16.pow(4 - short(chunk.len())));
        let mut groups = Vec::with_capacity(whole.len().div_ceil(GROUP) + fraction.len().div_ceil(GROUP));
        groups.extend(before.map(group).chain(behind));
        let weight = signed(whole.len().div_ceil(GROUP)) - 1;
        let zeros = groups.iter().take_while(|&&group| group == 0).count();
        groups.drain(..zeros);
        while groups.last() == Some(&0) {
            groups.pop();
        }
        let scale = u16::try_from(fraction.len()).ok()?;
        if groups.is_empty() {
            return Some(Self { scale, ..Self::default() });
        }
        Some(Self { negative, weight: i16::try_from(weight - signed(zeros)).ok()?, scale, groups })
    }

    /// The number as an integer, if it is one.
    fn whole(&self) -> Option<i128> {
        if self.behind_point() > 0 {
            return None;
        }
        self.with_sign(self.negated(0)?)
    }

    /// The number without its point.
    fn unscaled(&self) -> Option<i128> {
        let (full, rest) = (i32::from(self.scale / 4), u32::from(self.scale % 4));
        let printed = i128::from(self.group(-full - 1) / 10_u16.pow(4 - rest));
        self.with_sign(self.negated(-full)?.checked_mul(10_i128.pow(rest))?.checked_sub(printed)?)
    }

    /// What the groups make down to this power, below zero: there is room for one more.
    fn negated(&self, lowest: i32) -> Option<i128> {
        let highest = i32::from(self.weight.max(0));
        (lowest..=highest).rev().try_fold(0_i128, |number, power| {
            number.checked_mul(10_000)?.checked_sub(self.group(power).into())
        })
    }

    fn with_sign(&self, negated: i128) -> Option<i128> {
        if self.negative { Some(negated) } else { negated.checked_neg() }
    }

    fn write(&self, out: &mut BytesMut) {
        // Never more than 36864: the weight has 16 bits, and so has the scale.
        out.put_u16(u16::try_from(self.groups.len()).unwrap_or(u16::MAX));
        out.put_i16(self.weight);
        out.put_u16(if self.negative { NEGATIVE } else { 0 });
        out.put_u16(self.scale);
        self.groups.iter().for_each(|&group| out.put_u16(group));
    }
}

/// Up to four digits.
fn group(digits: &[u8]) -> u16 {
    digits.iter().fold(0, |number, digit| number * 10 + u16::from(digit - b'0'))
}

/// Lengths of what is in memory fit.
fn signed(length: usize) -> i64 {
    i64::try_from(length).unwrap_or(i64::MAX)
}

/// The length of a chunk, four at most.
fn short(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(4)
}

#[cfg(test)]
mod tests;
