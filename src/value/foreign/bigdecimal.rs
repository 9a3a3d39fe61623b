//! bigdecimal: any number of digits, and digits before the point that it leaves out.

use bigdecimal::BigDecimal;

use crate::value::{Numeric, Wire};

/// More bits than the digits of any `numeric` fill: 131072 before the point, 16383 behind it, below four bits each.
const MAX_BITS: u64 = 4 * (131_072 + 16_383);

exact! {
    /// The number and the digits behind its point. Refuses NaN and the infinities.
    Numeric as "numeric" => BigDecimal as "bigdecimal::BigDecimal", |number| to_big(&number);
    /// The number and the digits behind its point. Refuses NaN and the infinities.
    &Numeric as "numeric" => BigDecimal as "bigdecimal::BigDecimal", to_big;
    /// The number and the digits behind its point. Refuses more than 131072 digits before the point and more than
    /// 16383 behind it, and a scale below zero: `numeric` has none, and `with_scale(0)` takes it away.
    BigDecimal as "bigdecimal::BigDecimal" => Numeric as "numeric", |number| of_big(&number);
    /// As from the number itself.
    &BigDecimal as "bigdecimal::BigDecimal" => Numeric as "numeric", of_big;
}

fn to_big(number: &Numeric) -> Option<BigDecimal> {
    if number.is_finite() { number.to_string().parse().ok() } else { None }
}

fn of_big(number: &BigDecimal) -> Option<Numeric> {
    let (unscaled, scale) = number.as_bigint_and_scale();
    // A scale of many millions would be written out as zeros: it is refused before that.
    let is_held = (0..=Numeric::MAX_SCALE.into()).contains(&scale) && unscaled.bits() <= MAX_BITS;
    if is_held { Numeric::from_text(&number.to_plain_string()).ok() } else { None }
}

#[cfg(test)]
mod tests;
