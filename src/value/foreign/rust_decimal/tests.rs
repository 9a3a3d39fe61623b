use proptest::prelude::*;

use super::*;
use crate::value::Wire;
use crate::value::foreign::tests::keeps;

/// 96 bits and a scale of 28, as the digits of a text say.
fn is_held(text: &str) -> bool {
    let scale = text.split_once('.').map_or(0, |(_, fraction)| fraction.len());
    let unscaled: Option<u128> = text.replace(['.', '-'], "").parse().ok();
    scale <= 28 && unscaled.is_some_and(|unscaled| unscaled < 1 << 96)
}

fn check(text: &str) -> Result<(), TestCaseError> {
    let ours = Numeric::from_text(text).unwrap();
    prop_assert_eq!(Decimal::try_from(&ours), Decimal::try_from(ours.clone()));
    let theirs = keeps::<_, Decimal>(ours)?;
    prop_assert_eq!(theirs.is_some(), is_held(text), "{}", text);
    prop_assert_eq!(theirs.map(|theirs| theirs.to_string()), theirs.map(|_| text.to_owned()));
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn a_number_is_the_same_digit_by_digit_or_refused(
        number in "(0|[1-9][0-9]{0,32})(\\.(0{0,28}|[0-9]{1,6}|[0-9]{0,31})[0-9])?", is_negative: bool
    ) {
        let is_zero = number.bytes().all(|byte| matches!(byte, b'0' | b'.'));
        let sign = if is_negative && !is_zero { "-" } else { "" };
        check(&format!("{sign}{number}"))?;
    }

    #[test]
    fn a_decimal_comes_back_or_is_a_zero_below_zero(
        parts in prop_oneof![any::<[u32; 3]>(), Just([0; 3]), Just([u32::MAX; 3]), any::<u32>().prop_map(|low| [low, 0, 0])],
        is_negative: bool, scale in 0_u32..=28
    ) {
        let [low, middle, high] = parts;
        let mut theirs = Decimal::from_parts(low, middle, high, false, scale);
        theirs.set_sign_negative(is_negative);
        // Equal is also what has another scale: the bytes tell.
        let back = keeps::<_, Numeric>(theirs)?.map(|ours| Decimal::try_from(ours).unwrap().serialize());
        prop_assert_eq!(back, (!(is_negative && parts == [0; 3])).then(|| theirs.serialize()));
    }
}

#[test]
fn the_ends_of_both_are_held_or_refused() {
    let longest = format!("-{}.{}", "9".repeat(131_072), "1".repeat(16_383));
    let finest = format!("0.{}1", "0".repeat(16_382));
    for text in [
        "79228162514264337593543950335",
        "-79228162514264337593543950335",
        "79228162514264337593543950336",
        "7.9228162514264337593543950335",
        "7.9228162514264337593543950336",
        "0.0000000000000000000000000000",
        "0.00000000000000000000000000000",
        "0.00000000000000000000000000001",
        "170141183460469231731687303715884105728",
        "NaN",
        "Infinity",
        "-Infinity",
        &longest,
        &finest,
    ] {
        check(text).unwrap();
    }
    let mut below_zero = Decimal::new(0, 2);
    below_zero.set_sign_negative(true);
    let error = Numeric::try_from(below_zero).unwrap_err();
    assert_eq!(error.to_string(), "rust_decimal::Decimal: the value is outside of what numeric can hold");
}
