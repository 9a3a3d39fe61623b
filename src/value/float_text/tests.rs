use std::fmt;

use proptest::prelude::*;

use super::*;

struct Float8(f64);

impl fmt::Display for Float8 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_float8(f, self.0)
    }
}

#[test]
fn prints_as_the_server_does() {
    for (value, expected) in [
        (0.0, "0"),
        (-0.0, "-0"),
        (1.0, "1"),
        (-1.5, "-1.5"),
        (0.1 + 0.2, "0.30000000000000004"),
        (1e-4, "0.0001"),
        (1.5e-5, "1.5e-05"),
        (1e14, "100000000000000"),
        (999_999_999_999_999.0, "999999999999999"),
        (1e15, "1e+15"),
        (123_456_789_012_345.6, "123456789012345.6"),
        (9_007_199_254_740_992.0, "9.007199254740992e+15"),
        (1e22, "1e+22"),
        (1e23, "9.999999999999999e+22"),
        (2f64.powi(89), "6.189700196426902e+26"),
        (1_421_667_917_368_260.0 + 0.25, "1.4216679173682602e+15"),
        (1_421_667_917_368_260.0 + 0.75, "1.4216679173682608e+15"),
        (1e100, "1e+100"),
        (f64::MAX, "1.7976931348623157e+308"),
        (f64::MIN_POSITIVE, "2.2250738585072014e-308"),
        (5e-324, "5e-324"),
        (f64::NAN, "NaN"),
        (-f64::NAN, "NaN"),
        (f64::INFINITY, "Infinity"),
        (f64::NEG_INFINITY, "-Infinity"),
    ] {
        assert_eq!(Float8(value).to_string(), expected);
    }
}

#[test]
fn reads_only_what_the_server_prints() {
    for text in
        ["", "1.0", "01", "+1", "1e5", "1e+5", "inf", "nan", "-NaN", ".5", "1.", "1e400", "1e23", " 1"]
    {
        assert_eq!(parse_float8(text), None, "{text}");
    }
    assert_eq!(parse_float8("9.999999999999999e+22"), Some(1e23));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn reads_what_it_prints(value in any::<f64>()) {
        prop_assert_eq!(parse_float8(&Float8(value).to_string()).unwrap().to_bits(), value.to_bits());
    }
}
