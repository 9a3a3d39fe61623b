//! Floating point, with PostgreSQL's own choice of digits.
//!
//! The server prints the shortest decimal that reads back as the same number (`d2s.c`, `f2s.c`), as Rust does, but for
//! two cases. It never takes a decimal that lies exactly half-way to a neighbour, though it would read back:
//! the double nearest to 1e23 prints as `9.999999999999999e+22`. And of two equally near decimals it takes the even
//! one. Both need the whole of few digits: [`shortest`] does the work only where they can happen.

use std::fmt::{self, LowerExp, Write as _};
use std::str::FromStr;

use bytes::{BufMut, BytesMut};

use super::scan::{Binary, Text};
use super::{ValueError, Wire};

macro_rules! float {
    (
        $(#[$doc:meta])*
        $name:ident, $float:ty, $bits:ty, $type_name:literal, $bytes:literal, $digits:literal, $mantissa_bits:literal
    ) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash)]
        pub struct $name($bits);

        impl From<$float> for $name {
            fn from(number: $float) -> Self {
                Self(number.to_bits())
            }
        }

        impl From<$name> for $float {
            fn from(value: $name) -> Self {
                Self::from_bits(value.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let number = <$float>::from(*self);
                if !number.is_finite() || number == 0.0 {
                    return write_special(f, number.into());
                }
                if number < 0.0 {
                    f.write_str("-")?;
                }
                write_decimal(f, &shortest(number.abs())?, $digits)
            }
        }

        impl Positive for $float {
            const DIGITS: usize = $digits;

            fn scaled(self) -> (u64, i32) {
                let fraction = u64::from(self.to_bits()) & ((1 << $mantissa_bits) - 1);
                // The sign is positive, so these are the bits of the exponent alone.
                let exponent = i32::try_from(self.to_bits() >> $mantissa_bits).unwrap_or(0);
                let least = 2 - <$float>::MAX_EXP - $mantissa_bits;
                if exponent == 0 { (fraction, least) } else { (fraction | 1 << $mantissa_bits, least + exponent - 1) }
            }
        }

        impl Wire<'_> for $name {
            fn from_text(text: &str) -> Result<Self, ValueError> {
                let fail = || ValueError::malformed($type_name, 0, "a number that the type can hold");
                let number: $float = match text {
                    "NaN" => <$float>::NAN,
                    "Infinity" => <$float>::INFINITY,
                    "-Infinity" => <$float>::NEG_INFINITY,
                    text => {
                        let is_zero = check(Text::new($type_name, text))?;
                        let read: $float = text.parse().map_err(|_| fail())?;
                        // Too large or too small for the type: float8in_internal refuses both.
                        if read.is_infinite() || is_zero != (read == 0.0) {
                            return Err(fail());
                        }
                        read
                    }
                };
                Ok(number.into())
            }

            #[inline]
            fn from_binary(bytes: &[u8]) -> Result<Self, ValueError> {
                Binary::whole($type_name, bytes, $bytes).map(|bytes| Self(<$bits>::from_be_bytes(bytes)))
            }

            fn write_binary(&self, out: &mut BytesMut) {
                out.put_slice(&self.0.to_be_bytes());
            }
        }
    };
}

float! {
    /// `real`: a single, kept bit by bit; two are equal when their bits are, so `-0` isn't `0`, and a NaN is itself.
    ///
    /// Prints as `float4out` (`float.c`) under `extra_float_digits` of 1 and more; reads any decimal that the type can
    /// hold, so also the text of fewer digits.
    ///
    /// ```
    /// use walferry::value::{Float4, Wire};
    ///
    /// assert_eq!(Float4::from(1e6).to_string(), "1e+06");
    /// assert_eq!(f32::from(Float4::from_text("0.1")?), 0.1);
    /// # Ok::<(), walferry::value::ValueError>(())
    /// ```
    Float4, f32, u32, "real", "4 bytes", 6, 23
}

float! {
    /// `double precision`: a double, kept bit by bit; two are equal when their bits are, so `-0` isn't `0`, and a NaN
    /// is itself.
    ///
    /// Prints as `float8out` (`float.c`) under `extra_float_digits` of 1 and more; reads any decimal that the type can
    /// hold, so also the text of fewer digits.
    ///
    /// ```
    /// use walferry::value::{Float8, Wire};
    ///
    /// assert_eq!(Float8::from(1e20).to_string(), "1e+20");
    /// assert_eq!(Float8::from(1e-5).to_string(), "1e-05");
    /// assert_eq!(f64::from(Float8::from_text("-Infinity")?), f64::NEG_INFINITY);
    /// # Ok::<(), walferry::value::ValueError>(())
    /// ```
    Float8, f64, u64, "double precision", "8 bytes", 15, 52
}

fn write_special(f: &mut fmt::Formatter<'_>, number: f64) -> fmt::Result {
    f.write_str(match number {
        number if number.is_nan() => "NaN",
        number if number == f64::INFINITY => "Infinity",
        number if number == f64::NEG_INFINITY => "-Infinity",
        number if number.is_sign_negative() => "-0",
        _ => "0",
    })
}

/// Checks for `-1.5e+10` and the like, and says whether it is zero.
fn check(mut text: Text<'_>) -> Result<bool, ValueError> {
    const EXPECTED: &str = "a decimal number, NaN, Infinity or -Infinity";
    text.take("-");
    let whole = text.digits();
    let fraction = if text.take(".") { text.digits() } else { b"0" };
    if whole.is_empty() || fraction.is_empty() {
        return Err(text.fail(EXPECTED));
    }
    if text.take("e") {
        let _signed = text.take("+") || text.take("-");
        if text.digits().is_empty() {
            return Err(text.fail(EXPECTED));
        }
    }
    text.finish()?;
    Ok(whole.iter().chain(fraction).all(|&digit| digit == b'0'))
}

/// A finite number above zero.
trait Positive: Copy + LowerExp + FromStr + PartialEq {
    /// Decimal digits that always survive (`DBL_DIG`, `FLT_DIG`); also where the server turns to exponents.
    const DIGITS: usize;

    /// The number as `mantissa × 2^exponent`.
    fn scaled(self) -> (u64, i32);
}

/// `0.d₁d₂…dₙ × 10^point`, the digits as ASCII: no more than 17.
#[derive(Clone, Copy, Default)]
struct Decimal {
    digits: [u8; 17],
    len: usize,
    point: i32,
}

impl Decimal {
    fn digits(&self) -> &str {
        let digits = self.digits.get(..self.len).unwrap_or_default();
        std::str::from_utf8(digits).unwrap_or_default()
    }

    /// The power of ten that the last digit counts.
    fn last(&self) -> i32 {
        self.point - i32::try_from(self.len).unwrap_or(0)
    }

    fn parse<T: Positive>(&self) -> Option<T> {
        let mut text = Short::default();
        write!(text, "{}e{}", self.digits(), self.last()).ok()?;
        text.as_str().parse().ok()
    }
}

/// The digits that PostgreSQL prints.
fn shortest<T: Positive>(number: T) -> Result<Decimal, fmt::Error> {
    let rust = decimal(format_args!("{number:e}"))?;
    // With so few digits before a point there's one decimal at most, and none half-way to a neighbour: that would
    // need all bits of the mantissa and one more. Neither is any where the power of five has too many bits itself.
    let is_certain = rust.len <= T::DIGITS && rust.last() <= 0;
    if is_certain || !(-25..=23).contains(&rust.last()) {
        return Ok(rust);
    }
    let even = decimal(format_args!("{number:.*e}", rust.len - 1))?;
    let choices = [even, rust].into_iter();
    let fits = |choice: &Decimal| choice.parse() == Some(number) && !is_half_way(number, choice);
    if let Some(choice) = choices.into_iter().find(fits) {
        return Ok(choice);
    }
    let mut longer = rust;
    for places in rust.len..17 {
        longer = decimal(format_args!("{number:.places$e}"))?;
        if fits(&longer) {
            break;
        }
    }
    Ok(longer)
}

/// Whether the decimal is exactly in the middle between the number and a neighbour.
///
/// A power of two has its neighbour below only half as far as the one above, which this leaves out: of none is there
/// such a decimal in the middle below. The tests ask a server about each of them.
fn is_half_way<T: Positive>(number: T, choice: &Decimal) -> bool {
    let (mantissa, exponent) = number.scaled();
    [2 * mantissa + 1, 2 * mantissa - 1].into_iter().any(|odd| is_equal(choice, odd, exponent - 1))
}

/// Whether the decimal is `odd × 2^exponent`, by the odd factors of both and their powers of two.
fn is_equal(choice: &Decimal, odd: u64, exponent: i32) -> bool {
    let digits: u128 = choice.digits().parse().unwrap_or(0);
    let power = |of: i32| u32::try_from(of).ok().and_then(|of| 5_u128.checked_pow(of)).unwrap_or(1);
    let left = digits.checked_mul(power(choice.last()));
    let right = u128::from(odd).checked_mul(power(-choice.last()));
    let (Some(left), Some(right)) = (left, right) else { return false };
    let twos = left.trailing_zeros().cast_signed();
    left != 0 && left >> twos == right && twos + choice.last() == exponent
}

/// Takes what Rust prints with an exponent, like `1.25e-7`, apart.
fn decimal(printed: fmt::Arguments<'_>) -> Result<Decimal, fmt::Error> {
    let mut text = Short::default();
    text.write_fmt(printed)?;
    let (digits, exponent) = text.as_str().split_once('e').ok_or(fmt::Error)?;
    let mut decimal =
        Decimal { point: exponent.parse::<i32>().map_err(|_| fmt::Error)? + 1, ..Decimal::default() };
    let slots = decimal.digits.iter_mut();
    for (slot, digit) in slots.zip(digits.bytes().filter(u8::is_ascii_digit)) {
        *slot = digit;
        decimal.len += 1;
    }
    let zeros = decimal.digits().bytes().rev().take_while(|&digit| digit == b'0').count();
    decimal.len -= zeros.min(decimal.len - 1);
    Ok(decimal)
}

/// Lays the digits out as `double_to_shortest_decimal_bufn` does: an exponent of two digits and more below 1e-4 and
/// from ten to the power of `digits` on.
fn write_decimal(f: &mut fmt::Formatter<'_>, decimal: &Decimal, digits: i32) -> fmt::Result {
    let (text, exponent) = (decimal.digits(), decimal.point - 1);
    if exponent < -4 || exponent >= digits {
        let (first, rest) = text.split_at_checked(1).unwrap_or_default();
        let dot = if rest.is_empty() { "" } else { "." };
        let sign = if exponent < 0 { '-' } else { '+' };
        return write!(f, "{first}{dot}{rest}e{sign}{:02}", exponent.unsigned_abs());
    }
    let point = usize::try_from(decimal.point).unwrap_or(0);
    match text.split_at_checked(point) {
        _ if decimal.point <= 0 => write!(f, "0.{:0<1$}{text}", "", decimal.point.unsigned_abs() as usize),
        Some((whole, "")) => f.write_str(whole),
        Some((whole, fraction)) => write!(f, "{whole}.{fraction}"),
        None => write!(f, "{text:0<point$}"),
    }
}

/// Text of a number without allocation; what doesn't fit is an error.
#[derive(Default)]
struct Short {
    bytes: [u8; 32],
    len: usize,
}

impl Short {
    fn as_str(&self) -> &str {
        std::str::from_utf8(self.bytes.get(..self.len).unwrap_or_default()).unwrap_or_default()
    }
}

impl fmt::Write for Short {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = self.len + text.len();
        self.bytes.get_mut(self.len..end).ok_or(fmt::Error)?.copy_from_slice(text.as_bytes());
        self.len = end;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
