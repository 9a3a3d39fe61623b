use proptest::collection::vec;
use proptest::prelude::*;

use super::super::checks::{binary, keeps_bytes, keeps_text, takes_bytes, takes_text};
use super::*;

#[test]
fn prints_and_writes_what_it_read() {
    keeps_text::<Int2Vector>("");
    keeps_text::<Int2Vector>("1 -32768 32767");
    keeps_text::<OidVector>("0 4294967295");
    let two = Int2Vector(vec![1, -1]);
    assert_eq!(
        binary(&two),
        b"\0\0\0\x01\0\0\0\0\0\0\0\x15\0\0\0\x02\0\0\0\0\0\0\0\x02\0\x01\0\0\0\x02\xff\xff"
    );
    keeps_bytes::<Int2Vector>(&binary(&two));
    keeps_bytes::<OidVector>(b"\0\0\0\x01\0\0\0\0\0\0\0\x1a\0\0\0\0\0\0\0\0");
}

#[test]
fn refuses_other_arrays() {
    for text in [" ", "1 ", " 1", "1  2", "32768", "1,2", "{1}", "01"] {
        Int2Vector::from_text(text).expect_err(text);
    }
    OidVector::from_text("-1").unwrap_err();
    let oids = binary(&OidVector(vec![Oid::new(1)]));
    Int2Vector::from_binary(&oids).expect_err("another type");
    let mut from_one = oids.clone();
    from_one[19] = 1;
    OidVector::from_binary(&from_one).expect_err("another bound");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn takes_anything(items in vec(any::<u32>(), 0..9), text in r"[0-9 \-]{0,9}|\PC*", bytes in vec(0_u8..4, 0..40)) {
        let vector = OidVector(items.into_iter().map(Oid::new).collect());
        prop_assert_eq!(&OidVector::from_text(&vector.to_string()).unwrap(), &vector);
        keeps_bytes::<OidVector>(&binary(&vector));
        takes_text::<OidVector>(&text)?;
        takes_text::<Int2Vector>(&text)?;
        takes_bytes::<OidVector>(&bytes)?;
    }
}
