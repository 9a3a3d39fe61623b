use proptest::collection::vec;
use proptest::prelude::*;

use super::super::checks::{binary, keeps_bytes, keeps_text, takes_bytes};
use super::*;

#[test]
fn prints_and_writes_what_it_read() {
    for text in ["", "'a'", "'a':1", "'a':1A,2B,3C,16383 'b' 'c':4", r"'it''s' '\\' ' ' 'é'"] {
        keeps_text::<TsVector<'_>>(text);
        let bytes = binary(&TsVector::from_text(text).unwrap());
        keeps_bytes::<TsVector<'_>>(&bytes);
        assert_eq!(TsVector::from_binary(&bytes).unwrap().to_string(), text);
    }
    let sent = b"\0\0\0\x02a'b\\c\0\0\x04\xc0\x01\x80\x02\0\x05\x7f\xffz\0\0\0";
    assert_eq!(TsVector::from_binary(sent).unwrap().to_string(), r"'a''b\\c':1A,2B,5,16383C 'z'");
}

#[test]
fn refuses_what_tsvectorout_never_prints() {
    for text in [
        " ",
        "a",
        "'a",
        "'a'b",
        "'a' ",
        "'a'  'b'",
        "'a':",
        "'a':1,",
        "'a':1D",
        "'a':16384",
        "'a':01",
        "'a':A",
    ] {
        TsVector::from_text(text).expect_err(text);
    }
    assert_eq!(Position::new(16384, Weight::A), None);
    TsVector::from_binary(b"\0\0\0\x01a\0\xff\xff\0\0").expect_err("positions that aren't there");
    TsVector::from_binary(b"\0\0\0\x01\xff\0\0\0").expect_err("not UTF-8");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn takes_anything(text in r"(['a\\ :,0-9A-D]{0,12})|\PC*", bytes in vec(prop_oneof![0_u8..3, any::<u8>()], 0..40)) {
        if let Ok(vector) = TsVector::from_text(&text) {
            let printed = vector.to_string();
            prop_assert_eq!(TsVector::from_text(&printed).unwrap(), vector);
        }
        takes_bytes::<TsVector<'_>>(&bytes)?;
    }
}

#[test]
fn a_count_of_positions_is_bounded_by_the_bytes_that_are_left() {
    let error = TsVector::from_binary(b"\0\0\0\x01a\0\0\x02\0\x01").expect_err("two in two bytes");
    assert!(error.to_string().ends_with("expected positions"), "{error}");
}
