use proptest::collection::vec;
use proptest::prelude::*;

use super::super::checks::{keeps_bytes, keeps_text, takes_bytes, takes_text};
use super::*;

#[test]
fn prints_what_it_read() {
    keeps_text::<Point>("(1,2)");
    keeps_text::<Point>("(-0,1e-05)");
    keeps_text::<Point>("(NaN,-Infinity)");
    keeps_text::<Line>("{1,-1e+15,0.5}");
    keeps_text::<Lseg>("[(1,2),(3,4)]");
    keeps_text::<GeoBox>("(3,4),(1,2)");
    keeps_text::<Path>("[(1,2)]");
    keeps_text::<Path>("((1,2),(3,4))");
    keeps_text::<Polygon>("((1,2))");
    keeps_text::<Polygon>("((1,2),(3,4),(Infinity,5e-324))");
    keeps_text::<Circle>("<(1,2),3>");
}

#[test]
fn refuses_what_is_never_printed() {
    for text in [
        "", "(", "()", "(1)", "(1,2", "(1,2))", "(1,2,3)", "( 1,2)", "(1.0,2)", "(1e0,2)", "(inf,2)",
        "(+1,2)",
    ] {
        Point::from_text(text).expect_err(text);
    }
    for text in ["", "()", "[]", "[(1,2))", "((1,2)]", "((1,2),)", "(1,2)"] {
        Path::from_text(text).expect_err(text);
    }
    let error = Circle::from_text("<(1,2),x>").unwrap_err();
    assert_eq!(error.to_string(), "circle at byte 7: expected a float8 as float8out prints it");
}

#[test]
fn keeps_every_bit() {
    let point: Vec<u8> = [0x7ff8_0000_0000_0001_u64, 0x8000_0000_0000_0000].map(u64::to_be_bytes).concat();
    keeps_bytes::<Point>(&point);
    keeps_bytes::<Lseg>(&point.repeat(2));
    keeps_bytes::<GeoBox>(&point.repeat(2));
    keeps_bytes::<Line>(&[7; 24]);
    keeps_bytes::<Circle>(&[7; 24]);
    keeps_bytes::<Path>(&[b"\x01\0\0\0\x01".as_slice(), &point].concat());
    keeps_bytes::<Path>(&[b"\0\0\0\0\x02".as_slice(), &point, &point].concat());
    keeps_bytes::<Polygon>(&[b"\0\0\0\x01".as_slice(), &point].concat());
    Polygon::from_binary(b"\0\0\0\0").expect_err("no point");
    Polygon::from_binary(b"\x7f\xff\xff\xff").expect_err("too many");
    Path::from_binary(&[b"\x02\0\0\0\x01".as_slice(), &point].concat()).expect_err("neither open nor closed");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn takes_anything(bytes in vec(prop_oneof![0_u8..3, any::<u8>()], 0..64), text in r"[(){}\[\]<>,0-9e.\-]{0,16}|\PC*") {
        takes_bytes::<Point>(&bytes)?;
        takes_bytes::<Line>(&bytes)?;
        takes_bytes::<Path>(&bytes)?;
        takes_bytes::<Polygon>(&bytes)?;
        takes_text::<Point>(&text)?;
        takes_text::<Line>(&text)?;
        takes_text::<Lseg>(&text)?;
        takes_text::<GeoBox>(&text)?;
        takes_text::<Path>(&text)?;
        takes_text::<Polygon>(&text)?;
        takes_text::<Circle>(&text)?;
    }

    #[test]
    fn both_forms_say_the_same(x in any::<f64>(), y in any::<f64>()) {
        let point = Point { x, y };
        let (text, bytes) = (point.to_string(), super::super::checks::binary(&point));
        prop_assert_eq!(Point::from_text(&text).unwrap(), point);
        prop_assert_eq!(Point::from_binary(&bytes).unwrap(), point);
    }
}
