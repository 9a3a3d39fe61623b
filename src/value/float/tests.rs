use proptest::prelude::*;

use super::*;

fn doubles(expected: &[(f64, &str)]) {
    for &(number, text) in expected {
        assert_eq!(Float8::from(number).to_string(), text);
        assert_eq!(Float8::from_text(text), Ok(Float8::from(number)), "{text}");
    }
}

#[test]
fn museum_02_doubles_print_all_their_digits_and_no_more() {
    doubles(&[
        (0.0, "0"),
        (-0.0, "-0"),
        (0.1, "0.1"),
        (1.0, "1"),
        (-1234.5, "-1234.5"),
        (100_000_000_000_000.0, "100000000000000"),
        (1e15, "1e+15"),
        (1e-4, "0.0001"),
        (1e-5, "1e-05"),
        (1.5e-7, "1.5e-07"),
        (1e300, "1e+300"),
        (5e-324, "5e-324"),
        (f64::MAX, "1.7976931348623157e+308"),
        (f64::MIN_POSITIVE, "2.2250738585072014e-308"),
        (0.1 + 0.2, "0.30000000000000004"),
        (9_007_199_254_740_993.0, "9.007199254740992e+15"),
    ]);
}

#[test]
fn museum_02_a_decimal_half_way_to_a_neighbour_is_not_taken() {
    // All asked of a server.
    doubles(&[(1e23, "9.999999999999999e+22"), (-1e23, "-9.999999999999999e+22")]);
    for (number, text) in [
        (33_554_432.0, "3.3554432e+07"),
        (2_097_152.0 + 0.25, "2.0971522e+06"),
        (1e10, "1e+10"),
        // In the middle above are 172526280 and 71139220, below 90587740, 741647200 and 36420910.
        (172_526_272.0, "1.7252627e+08"),
        (71_139_216.0, "7.1139216e+07"),
        (90_587_744.0, "9.0587744e+07"),
        (741_647_232.0, "7.4164723e+08"),
        (36_420_912.0, "3.6420912e+07"),
        (9_930_106.0, "9.930106e+06"),
    ] {
        assert_eq!(Float4::from(number).to_string(), text);
    }
}

#[test]
fn museum_06_infinity_and_nan_stay_what_they_are() {
    doubles(&[(f64::INFINITY, "Infinity"), (f64::NEG_INFINITY, "-Infinity"), (f64::NAN, "NaN")]);
}

#[test]
fn a_nan_keeps_its_bits_in_binary() {
    let bytes = [0xFF, 0xF0, 0, 0, 0, 0, 0, 0x2A];
    let nan = Float8::from_binary(&bytes).expect("a double");
    assert_eq!(nan.to_string(), "NaN");
    let mut out = BytesMut::new();
    nan.write_binary(&mut out);
    assert_eq!(out, bytes[..]);
    let bytes = [0x7F, 0x80, 0, 1];
    out.clear();
    Float4::from_binary(&bytes).expect("a single").write_binary(&mut out);
    assert_eq!(out, bytes[..]);
}

#[test]
fn refuses_what_is_no_number_of_the_type() {
    let refused =
        ["", "-", ".", "1.", ".5", "1e", "1e+", "+1", "inf", "nan", "infinity", "0x1", " 1", "1 ", "1e400"];
    for text in refused.into_iter().chain(["1e-400", "-1e400", "1_0", "١"]) {
        assert!(Float8::from_text(text).is_err(), "{text}");
    }
    assert!(Float4::from_text("1e39").is_err() && Float4::from_text("1e-46").is_err());
    assert!(Float8::from_binary(&[0; 7]).is_err() && Float8::from_binary(&[0; 9]).is_err());
}

proptest! {
    #[test]
    fn what_is_printed_reads_as_the_same_bits(bits: u64) {
        let (double, single) = (f64::from_bits(bits), f32::from_bits((bits >> 32) as u32));
        if !double.is_nan() {
            prop_assert_eq!(Float8::from_text(&Float8(bits).to_string()), Ok(double.into()));
        }
        if !single.is_nan() {
            prop_assert_eq!(Float4::from_text(&Float4::from(single).to_string()), Ok(single.into()));
        }
    }
}
