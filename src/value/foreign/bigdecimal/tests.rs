use bigdecimal::num_bigint::BigInt;
use proptest::prelude::*;

use super::*;
use crate::value::foreign::tests::keeps;

fn check(text: &str) -> Result<(), TestCaseError> {
    let ours = Numeric::from_text(text).unwrap();
    prop_assert_eq!(BigDecimal::try_from(&ours), BigDecimal::try_from(ours.clone()));
    let theirs = keeps::<_, BigDecimal>(ours)?;
    prop_assert_eq!(theirs.is_some(), text.ends_with(|last: char| last.is_ascii_digit()));
    if let Some(theirs) = theirs {
        let fraction = text.split_once('.').map_or("", |(_, fraction)| fraction);
        let unscaled: BigInt = text.replace('.', "").parse().unwrap();
        prop_assert_eq!(theirs.into_bigint_and_scale(), (unscaled, i64::try_from(fraction.len()).unwrap()));
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn a_number_is_the_same_digit_by_digit(
        number in "(0|[1-9][0-9]{0,60})(\\.(0{0,40}|[0-9]{0,60})[0-9])?", is_negative: bool
    ) {
        let is_zero = number.bytes().all(|byte| matches!(byte, b'0' | b'.'));
        let sign = if is_negative && !is_zero { "-" } else { "" };
        check(&format!("{sign}{number}"))?;
    }

    #[test]
    fn a_big_decimal_comes_back_or_has_a_scale_that_numeric_lacks(
        unscaled in "-?[0-9]{1,60}",
        scale in prop_oneof![-20_i64..100, prop::sample::select(vec![16_383, 16_384, i64::MIN, i64::MAX])]
    ) {
        let unscaled: BigInt = unscaled.parse().unwrap();
        let theirs = BigDecimal::new(unscaled.clone(), scale);
        prop_assert_eq!(Numeric::try_from(&theirs), Numeric::try_from(theirs.clone()));
        // Equal is also what has another scale: the parts tell.
        let back = keeps::<_, Numeric>(theirs)?.map(|ours| BigDecimal::try_from(ours).unwrap());
        let is_held = (0..=16_383).contains(&scale);
        prop_assert_eq!(back.map(BigDecimal::into_bigint_and_scale), is_held.then_some((unscaled, scale)));
    }
}

#[test]
fn the_ends_of_both_are_held_or_refused() {
    let longest = format!("-{}.{}", "9".repeat(131_072), "1".repeat(16_383));
    let finest = format!("0.{}1", "0".repeat(16_382));
    for text in ["NaN", "Infinity", "-Infinity", "0", "0.000", &longest, &finest] {
        check(text).unwrap();
    }
    let largest = BigInt::from(10).pow(131_072);
    assert!(Numeric::try_from(BigDecimal::from(largest.clone() - 1)).is_ok());
    let error = Numeric::try_from(BigDecimal::from(largest)).unwrap_err();
    assert_eq!(error.to_string(), "bigdecimal::BigDecimal: the value is outside of what numeric can hold");
    assert!(Numeric::try_from(BigDecimal::from(BigInt::from(1) << 10_000_000)).is_err(), "at once");
}
