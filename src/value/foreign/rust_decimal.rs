//! `rust_decimal`: 96 bits, up to 28 digits behind the point, and a zero below zero.

use rust_decimal::Decimal;

use crate::value::Numeric;

exact! {
    /// The number and the digits behind its point. Refuses NaN, the infinities, and what has more digits.
    Numeric as "numeric" => Decimal as "rust_decimal::Decimal", |number| to_decimal(&number);
    /// The number and the digits behind its point. Refuses NaN, the infinities, and what has more digits.
    &Numeric as "numeric" => Decimal as "rust_decimal::Decimal", to_decimal;
    /// The number and the digits behind its point. Refuses `-0`, which `numeric` doesn't have.
    Decimal as "rust_decimal::Decimal" => Numeric as "numeric", of_decimal;
}

fn to_decimal(number: &Numeric) -> Option<Decimal> {
    let scale = number.scale()?;
    Decimal::try_from_i128_with_scale(number.unscaled().ok()?, scale.into()).ok()
}

fn of_decimal(number: Decimal) -> Option<Numeric> {
    let is_negative_zero = number.is_zero() && number.is_sign_negative();
    let scale = number.scale().try_into().ok()?;
    if is_negative_zero { None } else { Numeric::from_unscaled(number.mantissa(), scale) }
}

#[cfg(test)]
mod tests;
