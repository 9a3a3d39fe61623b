use std::borrow::Cow;

use bytes::BytesMut;
use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

fn texts<'a>(array: &'a ArrayText<'_>) -> Vec<Option<&'a str>> {
    array.elements().iter().map(Option::as_deref).collect()
}

#[test]
fn prints_what_it_read() {
    for text in [
        "{}",
        "{1}",
        "{NULL}",
        r#"{"NULL","null","nUlL",NULL,nullable}"#,
        r#"{""," ","a b","a,b","{","}","\"","\\","\\\"x"}"#,
        "{\"\t\",\"\n\",\"\r\",\"\u{b}\",\"\u{c}\",\u{a0},\u{2028},'}",
        "[0:1]={5,6}",
        "[-3:-2]={5,6}",
        "[-2147483648:-2147483647]={1,2}",
        "[2147483646:2147483646]={1}",
        "[1:1][0:1]={{a,b}}",
        "{{1,2},{3,4}}",
        "{{{{{{1},{2}}}}}}",
        "{{{1,2},{3,4}},{{5,6},{7,NULL}}}",
        "{é,表,😀}",
        "{a;b}",
    ] {
        assert_eq!(ArrayText::from_text(text, ',').unwrap().to_string(), text);
    }
}

#[test]
fn boxes_are_separated_by_semicolons() {
    let array = ArrayText::from_text("{(1,2),(0,0);(3,4),(1,1)}", ';').unwrap();
    assert_eq!(texts(&array), [Some("(1,2),(0,0)"), Some("(3,4),(1,1)")]);
    assert_eq!((array.delimiter(), array.to_string()), (';', "{(1,2),(0,0);(3,4),(1,1)}".to_owned()));
    assert_eq!(array.clone().into_elements(), array.elements());
    let array = ArrayText::from_text(r#"{"a;b";a,b}"#, ';').unwrap();
    assert_eq!(array.to_string(), r#"{"a;b";a,b}"#);
}

#[test]
fn keeps_null_apart_from_the_text_null() {
    let array = ArrayText::from_text(r#"{NULL,null,Null,"NULL","null",nullx,""}"#, ',').unwrap();
    let expected = [None, None, None, Some("NULL"), Some("null"), Some("nullx"), Some("")];
    assert_eq!(texts(&array), expected);
    assert_eq!(array.to_string(), r#"{NULL,NULL,NULL,"NULL","null",nullx,""}"#);
}

#[test]
fn reads_the_dimensions() {
    let array = ArrayText::from_text("[0:1][-5:-3]={{1,2,3},{4,5,6}}", ',').unwrap();
    assert_eq!(array.dimensions(), [Dimension { size: 2, lower: 0 }, Dimension { size: 3, lower: -5 }]);
    assert_eq!(texts(&array).concat_all(), "123456");
    assert_eq!(ArrayText::from_text("{}", ',').unwrap().dimensions(), []);
}

trait ConcatAll {
    fn concat_all(&self) -> String;
}

impl ConcatAll for Vec<Option<&str>> {
    fn concat_all(&self) -> String {
        self.iter().copied().flatten().collect()
    }
}

#[test]
fn refuses_what_array_out_never_prints() {
    for text in [
        "",
        "{",
        "}",
        "{}}",
        "{} ",
        " {}",
        "{{}}",
        "{1,}",
        "{,1}",
        "{1",
        "{1}}",
        "{1, 2}",
        "{a b}",
        r#"{"a}"#,
        r#"{"a\"#,
        r#"{"a"b}"#,
        r#"{a"b"}"#,
        r"{a\b}",
        "{{1},{2,3}}",
        "{{1},2}",
        "{1,{2}}",
        "{{1,2},{3}}",
        "{{{{{{{1}}}}}}}",
        "[1:2]={1,2}",
        "[0:2]={1,2}",
        "[0:1]={{1,2}}",
        "[0:0][0:1]={1,2}",
        "[0:1]={}",
        "[0:-1]={}",
        "[0:1]",
        "[0:1]{1,2}",
        "[0]={1}",
        "[+0:0]={1}",
        "[00:0]={1}",
        "[-0:0]={1}",
        "[0:2147483648]={1}",
        "[2147483647:2147483647]={1}",
        "[0:0][0:0][0:0][0:0][0:0][0:0][0:0]={{{{{{1}}}}}}",
    ] {
        let error = ArrayText::from_text(text, ',').expect_err(text);
        assert_eq!(error.type_name(), "array");
    }
    ArrayText::from_text("{1}", 'é').unwrap_err();
    ArrayText::from_text(&"{".repeat(1_000_000), ',').unwrap_err();
}

#[test]
fn says_where_and_what() {
    let error = ArrayText::from_text("{secret,{2}}", ',').unwrap_err();
    assert_eq!(error.to_string(), "array at byte 9: expected the same nesting as before");
    let error = ArrayText::from_text("{{{{{{{1}}}}}}}", ',').unwrap_err();
    assert_eq!(error.to_string(), "array at byte 6: expected at most 6 dimensions");
}

#[test]
fn refuses_other_bytes_than_array_send_sends() {
    let good = b"\0\0\0\x01\0\0\0\0\0\0\0\x19\0\0\0\x01\0\0\0\x01\0\0\0\x01a";
    ArrayBinary::from_binary(good).unwrap();
    for end in 0..good.len() {
        ArrayBinary::from_binary(&good[..end]).expect_err("a prefix");
    }
    ArrayBinary::from_binary(&[good.as_slice(), b"x"].concat()).unwrap_err();
    let with = |at: usize, bytes: &[u8]| {
        let mut changed = good.to_vec();
        changed[at..at + bytes.len()].copy_from_slice(bytes);
        ArrayBinary::from_binary(&changed).map(drop)
    };
    with(0, &7_i32.to_be_bytes()).expect_err("seven dimensions");
    with(0, &(-1_i32).to_be_bytes()).expect_err("minus one dimension");
    with(4, &2_i32.to_be_bytes()).expect_err("a flag");
    with(12, &(-1_i32).to_be_bytes()).expect_err("a negative size");
    with(12, &i32::MAX.to_be_bytes()).expect_err("a huge size");
    with(16, &i32::MAX.to_be_bytes()).expect_err("an index beyond int4");
    with(20, &(-2_i32).to_be_bytes()).expect_err("a negative length");
    let claimed = b"\0\0\0\x01\0\0\0\0\0\0\0\x19\0\0\0\x03\0\0\0\x01\0\0\0\x04four";
    let error = ArrayBinary::from_binary(claimed).expect_err("three in eight bytes").to_string();
    assert_eq!(error, "array at byte 20: expected as many elements as the dimensions say");
    let null_unsaid = b"\0\0\0\x01\0\0\0\0\0\0\0\x19\0\0\0\x01\0\0\0\x01\xff\xff\xff\xff";
    ArrayBinary::from_binary(null_unsaid).unwrap_err();
}

#[test]
fn keeps_the_flag_of_an_array_that_lost_its_nulls() {
    let bytes = b"\0\0\0\x01\0\0\0\x01\0\0\0\x19\0\0\0\x01\0\0\0\x01\0\0\0\x01a";
    let array = ArrayBinary::from_binary(bytes).unwrap();
    assert!(array.has_nulls());
    let mut out = BytesMut::new();
    array.write_binary(&mut out);
    assert_eq!(out, bytes.as_slice());
}

#[test]
fn refuses_elements_that_the_dimensions_contradict() {
    let dimension = |size| Dimension { size, lower: 1 };
    ArrayText::new(',', vec![dimension(2)], vec![None]).unwrap_err();
    ArrayText::new(',', vec![], vec![None]).unwrap_err();
    ArrayText::new(',', vec![dimension(1); 7], vec![None]).unwrap_err();
    ArrayBinary::new(Oid::new(25), vec![dimension(u32::MAX); 6], vec![]).unwrap_err();
    ArrayText::new(',', vec![dimension(1); 6], vec![None]).unwrap();
}

fn shape() -> impl Strategy<Value = Vec<Dimension>> {
    let dimension =
        (1_u32..4, prop_oneof![Just(1), -3..4]).prop_map(|(size, lower)| Dimension { size, lower });
    vec(dimension, 0..=MAX_DIMENSIONS)
}

fn arrays() -> impl Strategy<Value = (Vec<Dimension>, Vec<Option<String>>)> {
    let piece = r#"null|NULL|[a-c"'\\{},; \t\n\x0b]|\PC"#;
    let element = proptest::option::of(vec(piece, 0..4).prop_map(|pieces| pieces.concat()));
    shape().prop_flat_map(move |dimensions| {
        let count = product(&dimensions).unwrap();
        (Just(dimensions), vec(element.clone(), count))
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn reads_what_it_prints((dimensions, elements) in arrays(), delimiter in prop_oneof![Just(','), Just(';')]) {
        let elements: Vec<_> = elements.into_iter().map(|element| element.map(Cow::Owned)).collect();
        let array = ArrayText::new(delimiter, dimensions, elements).unwrap();
        let text = array.to_string();
        prop_assert_eq!(&ArrayText::from_text(&text, delimiter).unwrap(), &array);
    }

    #[test]
    fn reads_what_it_writes((dimensions, elements) in arrays()) {
        let elements = elements.iter().map(|element| element.as_ref().map(String::as_bytes)).collect();
        let array = ArrayBinary::new(Oid::new(25), dimensions, elements).unwrap();
        let mut out = BytesMut::new();
        array.write_binary(&mut out);
        prop_assert_eq!(&ArrayBinary::from_binary(&out).unwrap(), &array);
    }

    #[test]
    fn takes_any_text(text in r#"[\[\]0-9:=\-{},"\\ a]{0,24}|\PC*"#) {
        if let Ok(array) = ArrayText::from_text(&text, ',') {
            let printed = array.to_string();
            prop_assert_eq!(ArrayText::from_text(&printed, ',').unwrap(), array);
        }
    }

    #[test]
    fn takes_any_bytes(bytes in vec(prop_oneof![0_u8..3, any::<u8>()], 0..64)) {
        if let Ok(array) = ArrayBinary::from_binary(&bytes) {
            let mut out = BytesMut::new();
            array.write_binary(&mut out);
            prop_assert_eq!(out, bytes);
        }
    }
}
