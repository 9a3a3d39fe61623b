use super::*;

fn read(text: &str) -> Numeric {
    Numeric::from_text(text).unwrap_or_else(|error| panic!("{text:.50}: {error}"))
}

fn written(number: &Numeric) -> BytesMut {
    let mut out = BytesMut::new();
    number.write_binary(&mut out);
    out
}

#[test]
fn writes_what_numeric_send_gives() {
    for (text, bytes) in [
        ("0", &b"\0\0\0\0\0\0\0\0"[..]),
        ("0.000", b"\0\0\0\0\0\0\0\x03"),
        ("1.0", b"\0\x01\0\0\0\0\0\x01\0\x01"),
        ("1.00", b"\0\x01\0\0\0\0\0\x02\0\x01"),
        ("-0.5", b"\0\x01\xff\xff\x40\0\0\x01\x13\x88"),
        ("10000", b"\0\x01\0\x01\0\0\0\0\0\x01"),
        ("12345.678", b"\0\x03\0\x01\0\0\0\x03\0\x01\x09\x29\x1a\x7c"),
        ("NaN", b"\0\0\0\0\xc0\0\0\0"),
        ("Infinity", b"\0\0\0\0\xd0\0\0\x20"),
        ("-Infinity", b"\0\0\0\0\xf0\0\0\x20"),
    ] {
        assert_eq!(written(&read(text)), bytes, "{text}");
        assert_eq!(Numeric::from_binary(bytes), Ok(read(text)), "{text}");
        assert_eq!(read(text).to_string(), text);
    }
}

#[test]
fn says_of_itself_whether_it_is_a_number() {
    for (text, is_nan, is_finite) in [
        ("NaN", true, false),
        ("Infinity", false, false),
        ("-Infinity", false, false),
        ("-0.50", false, true),
    ] {
        assert_eq!((read(text).is_nan(), read(text).is_finite()), (is_nan, is_finite), "{text}");
        assert_eq!(format!("{:?}", read(text)), text);
    }
    assert_eq!(Numeric::from_unscaled(0, 2), Some(read("0.00")), "zero has no sign");
}

#[test]
fn museum_06_holds_131072_digits_before_the_point_and_16383_behind_it() {
    let longest = format!("-{}.{}", "9".repeat(131_072), "1".repeat(16_383));
    assert_eq!(read(&longest).to_string(), longest);
    assert_eq!(Numeric::from_binary(&written(&read(&longest))), Ok(read(&longest)));
    assert!(Numeric::from_text(&"9".repeat(131_073)).is_err());
    assert!(Numeric::from_text(&format!("0.{}", "1".repeat(16_384))).is_err());
}

#[test]
fn museum_05_converts_to_an_integer_exactly_or_not_at_all() {
    let largest = i128::MAX.to_string();
    assert_eq!(read(&largest).to_i128(), Ok(i128::MAX));
    assert_eq!(read(&i128::MIN.to_string()).to_i128(), Ok(i128::MIN));
    assert_eq!(read("-12300000.000").to_i128(), Ok(-12_300_000));
    assert_eq!((read("0").to_i128(), read("0.00").to_i128()), (Ok(0), Ok(0)));
    for text in ["0.5", "0.0001", "12345678901234567890.5", "NaN", "Infinity", "-Infinity"] {
        let error = read(text).to_i128().expect_err(text);
        assert_eq!(error.to_string(), "numeric: the value is outside of what i128 can hold");
    }
    assert!(read("170141183460469231731687303715884105728").to_i128().is_err());
    assert!(read(&format!("1{}", "0".repeat(100_000))).to_i128().is_err());
    assert_eq!(i64::try_from(&read("-9223372036854775808")), Ok(i64::MIN));
    assert!(i64::try_from(&read("9223372036854775808")).is_err());
}

#[test]
fn is_taken_apart_and_put_together_digit_by_digit() {
    for (text, unscaled, scale) in [
        ("0", 0, 0),
        ("0.000", 0, 3),
        ("120.00", 12_000, 2),
        ("-0.05", -5, 2),
        ("10000.0", 100_000, 1),
        ("0.00001234", 1234, 8),
        ("-1234567.00010", -123_456_700_010, 5),
        ("170141183460469231731.687303715884105727", i128::MAX, 18),
        ("-1.70141183460469231731687303715884105728", i128::MIN, 38),
    ] {
        assert_eq!((read(text).unscaled(), read(text).scale()), (Ok(unscaled), Some(scale)), "{text}");
        assert_eq!(Numeric::from_unscaled(unscaled, scale), Some(read(text)), "{text}");
    }
    for text in ["170141183460469231731.687303715884105728", "NaN", "-Infinity"] {
        assert!(read(text).unscaled().is_err(), "{text}");
    }
    let finest = format!("0.{}1", "0".repeat(16_382));
    assert_eq!(Numeric::from_unscaled(1, 16_383), Some(read(&finest)));
    assert_eq!(read(&finest).unscaled(), Ok(1));
    assert!(read(&format!("1{}.{}", "0".repeat(131_071), "0".repeat(16_383))).unscaled().is_err());
    assert!(Numeric::from_unscaled(0, 16_384).is_none() && Numeric::from_unscaled(1, u16::MAX).is_none());
}

#[test]
fn refuses_text_that_is_never_printed() {
    let refused =
        ["", "-", "+1", "01", ".5", "5.", "1e5", "-0", "-0.0", "nan", "infinity", " 1", "1 ", "1.2.3", "--1"];
    for text in refused.into_iter().chain(["-NaN", "1.-2", "٣", "1_000"]) {
        assert!(Numeric::from_text(text).is_err(), "{text}");
    }
}

#[test]
fn refuses_bytes_that_are_never_sent() {
    Numeric::from_binary(b"\0\x02\0\x01\0\0\0\0\0\0\0\x01").expect_err("a zero in front");
    Numeric::from_binary(b"\0\x02\0\x01\0\0\0\0\0\x01\0\0").expect_err("a zero behind");
    for (bytes, reason) in [
        (&b""[..], "nothing"),
        (b"\0\0\0\0\0\0\0", "half a header"),
        (b"\xff\xff\0\0\0\0\0\0", "groups that aren't there"),
        (b"\0\x01\0\0\0\0\0\0\0\x01\0", "half a group"),
        (b"\0\x01\0\0\0\0\0\0\0\x01\0\x01", "a group too many"),
        (b"\0\x01\0\0\0\0\0\0\x27\x10", "a group of 10000"),
        (b"\0\x01\0\0\0\0\0\0\0\0", "a zero in front"),
        (b"\0\x01\xff\xff\0\0\0\x01\0\x01", "digits behind the scale"),
        (b"\0\0\0\x01\0\0\0\0", "a weight of zero"),
        (b"\0\0\0\0\x40\0\0\0", "minus zero"),
        (b"\0\0\0\0\0\0\x40\0", "a scale above 16383"),
        (b"\0\0\0\0\x80\0\0\0", "an unknown sign"),
        (b"\0\0\0\0\xd0\0\0\0", "another infinity"),
    ] {
        assert!(Numeric::from_binary(bytes).is_err(), "{reason}");
    }
}

#[test]
fn a_claimed_count_allocates_nothing() {
    let error = Numeric::from_binary(b"\xff\xff\x7f\xff\0\0\0\0").expect_err("no groups");
    assert_eq!(error.to_string(), "numeric at byte 0: expected as many groups as bytes follow for");
}
