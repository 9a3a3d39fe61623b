//! `float8` as text, as `float8out` prints it when `extra_float_digits` is above 0 (the server's `d2s.c`).
//!
//! The shortest digits that read back as the same number, as Rust prints them too, with two differences. The server
//! takes no digits that stand exactly in the middle between two numbers, because not every reader rounds to even:
//! `1e23` is such, and printed as `9.999999999999999e+22`. And where the number stands in the middle between two such
//! sequences of digits, the server takes the even one: `1421667917368260.25` is `1.4216679173682602e+15`.

use std::fmt;

/// Prints `value` as the server does.
pub(super) fn write_float8(f: &mut fmt::Formatter<'_>, value: f64) -> fmt::Result {
    if value.is_nan() {
        return f.write_str("NaN");
    }
    if value.is_sign_negative() {
        f.write_str("-")?;
    }
    let magnitude = value.abs();
    if magnitude == 0.0 {
        f.write_str("0")
    } else if magnitude.is_infinite() {
        f.write_str("Infinity")
    } else {
        Decimal::shortest(magnitude).write(f)
    }
}

/// Reads what the server prints, and nothing else.
pub(super) fn parse_float8(text: &str) -> Option<f64> {
    struct Float8(f64);
    impl fmt::Display for Float8 {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write_float8(f, self.0)
        }
    }
    let value: f64 = text.parse().ok()?;
    (Float8(value).to_string() == text).then_some(value)
}

/// Digits with a point behind the first one, and a power of ten.
struct Decimal {
    digits: String,
    exponent: i32,
}

impl Decimal {
    /// Of a number that is finite and above 0.
    fn shortest(value: f64) -> Self {
        let shortest = Self::scientific(&format!("{value:e}"));
        let length = shortest.digits.len();
        // Of as many digits the nearest, and of two as near the even one; it is no other only where numbers begin to
        // lie closer together. 17 digits tell all numbers apart and are never halfway.
        let most = if shortest.is_halfway(value) { 17 } else { length };
        let nearest =
            (length.saturating_sub(1)..most).map(|count| Self::scientific(&format!("{value:.count$e}")));
        let mut fitting = nearest.filter(|found| found.value() == Some(value) && !found.is_halfway(value));
        fitting.next().unwrap_or(shortest)
    }

    /// From `d.ddde±n`; zeros at the end say nothing.
    fn scientific(text: &str) -> Self {
        let (digits, exponent) = text.split_once('e').unwrap_or((text, "0"));
        let digits = digits.replace('.', "");
        let digits = digits.trim_end_matches('0').to_owned();
        Self { digits, exponent: exponent.parse().unwrap_or_default() }
    }

    fn value(&self) -> Option<f64> {
        let power = self.power_of_last_digit();
        format!("{}e{power}", self.digits).parse().ok()
    }

    fn power_of_last_digit(&self) -> i32 {
        self.exponent + 1 - i32::try_from(self.digits.len()).unwrap_or_default()
    }

    /// Whether this stands exactly in the middle between `value` and a neighbour of it.
    fn is_halfway(&self, value: f64) -> bool {
        let Some((odd, power)) = self.odd_and_power() else { return false };
        let bits = value.to_bits();
        let (field, fraction) = ((bits >> 52) & 0x7ff, bits & ((1 << 52) - 1));
        let mantissa = u128::from(if field == 0 { fraction } else { fraction | (1 << 52) });
        let unit = i32::try_from(field.max(1)).unwrap_or_default() - 1075;
        let below_power_of_two = fraction == 0 && field > 1;
        [(2 * mantissa + 1, unit - 1), (2 * mantissa - 1, unit - 1)].contains(&(odd, power))
            || (below_power_of_two && (odd, power) == (4 * mantissa - 1, unit - 2))
    }

    /// The odd number, and the power of two to multiply it with, that this is; `None` if there is none of 128 bits.
    fn odd_and_power(&self) -> Option<(u128, i32)> {
        let digits: u128 = self.digits.parse().ok()?;
        let tens = self.power_of_last_digit();
        let five = 5_u128.checked_pow(tens.unsigned_abs())?;
        let twos = digits.trailing_zeros();
        let odd = digits >> twos;
        let odd =
            if tens >= 0 { odd.checked_mul(five)? } else { odd.is_multiple_of(five).then(|| odd / five)? };
        Some((odd, tens + i32::try_from(twos).ok()?))
    }

    /// As `%.*g` chooses between the two forms.
    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if (-4..15).contains(&self.exponent) { self.write_plain(f) } else { self.write_exponent(f) }
    }

    fn write_plain(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Ok(whole) = usize::try_from(self.exponent + 1) else {
            let zeros = usize::try_from(-1 - self.exponent).unwrap_or_default();
            return write!(f, "0.{:0<zeros$}{}", "", self.digits);
        };
        match self.digits.split_at_checked(whole) {
            Some(("", fraction)) => write!(f, "0.{fraction}"),
            Some((whole, fraction)) if !fraction.is_empty() => write!(f, "{whole}.{fraction}"),
            _ => write!(f, "{:0<whole$}", self.digits),
        }
    }

    fn write_exponent(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (first, fraction) = self.digits.split_at_checked(1).unwrap_or((&self.digits, ""));
        let point = if fraction.is_empty() { "" } else { "." };
        let sign = if self.exponent < 0 { '-' } else { '+' };
        write!(f, "{first}{point}{fraction}e{sign}{:02}", self.exponent.unsigned_abs())
    }
}

#[cfg(test)]
mod tests;
