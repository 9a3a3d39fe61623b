use bytes::BytesMut;
use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

fn texts<'a>(composite: &'a CompositeText<'_>) -> Vec<Option<&'a str>> {
    composite.fields.iter().map(Option::as_deref).collect()
}

#[test]
fn prints_what_it_read() {
    for text in [
        "()",
        "(,)",
        "(a)",
        r#"("")"#,
        r#"("",,NULL,null)"#,
        r#"("a b","a,b","(",")","""","\\",{},')"#,
        "(\"\t\",\"\u{b}\",\u{a0})",
        r#"("(""a b"",""(""""c d"""")"")")"#,
    ] {
        assert_eq!(CompositeText::from_text(text).unwrap().to_string(), text);
    }
}

#[test]
fn keeps_null_apart_from_empty() {
    assert_eq!(texts(&CompositeText::from_text("()").unwrap()), [None]);
    assert_eq!(texts(&CompositeText::from_text(r#"("",,NULL)"#).unwrap()), [Some(""), None, Some("NULL")]);
}

#[test]
fn reads_both_ways_to_escape() {
    let doubled = CompositeText::from_text(r#"("""\\")"#).unwrap();
    assert_eq!(texts(&doubled), [Some(r#""\"#)]);
    assert_eq!(CompositeText::from_text(r#"("\"\\")"#).unwrap(), doubled);
}

#[test]
fn refuses_what_record_out_never_prints() {
    for text in
        ["", "(", ")", "a", "( a)", "(a ,b)", "(a) ", r#"("a)"#, r#"("a"b)"#, r"(a\b)", "(a(b)", "((a))"]
    {
        CompositeText::from_text(text).expect_err(text);
    }
}

#[test]
fn refuses_bytes_that_end_early_or_go_on() {
    let good = b"\0\0\0\x02\0\0\0\x19\0\0\0\x01a\0\0\0\x17\xff\xff\xff\xff";
    let composite = CompositeBinary::from_binary(good).unwrap();
    assert_eq!(composite.fields[0].value, Some(b"a".as_slice()));
    assert_eq!(composite.fields[1], CompositeField { type_oid: Oid::new(23), value: None });
    for end in 0..good.len() {
        CompositeBinary::from_binary(&good[..end]).expect_err("a prefix");
    }
    CompositeBinary::from_binary(&[good.as_slice(), b"x"].concat()).unwrap_err();
    CompositeBinary::from_binary(b"\x7f\xff\xff\xff").expect_err("a claim");
    let error =
        CompositeBinary::from_binary(b"\0\0\0\x03\0\0\0\x19\xff\xff\xff\xff\0\0\0\x19\xff\xff\xff\xff");
    assert!(
        error
            .expect_err("three in 16 bytes")
            .to_string()
            .ends_with("at byte 0: expected a number of columns")
    );
    CompositeBinary::from_binary(b"\xff\xff\xff\xff").expect_err("a negative one");
    CompositeBinary::from_binary(b"\0\0\0\0").expect("no column");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn reads_what_it_prints(fields in vec(proptest::option::of(r#"[a"'\\(),{} \t]{0,5}|\PC*"#), 1..6)) {
        let composite = CompositeText { fields: fields.into_iter().map(|field| field.map(Cow::Owned)).collect() };
        let text = composite.to_string();
        prop_assert_eq!(CompositeText::from_text(&text).unwrap(), composite);
    }

    #[test]
    fn reads_what_it_writes(fields in vec((any::<u32>(), prop::option::of(vec(any::<u8>(), 0..4))), 0..4)) {
        let field = |(type_oid, value): &(u32, Option<Vec<u8>>)| {
            let length = value.as_ref().map_or(-1, |value| i32::try_from(value.len()).unwrap());
            [&type_oid.to_be_bytes()[..], &length.to_be_bytes(), value.as_deref().unwrap_or_default()].concat()
        };
        let count = u32::try_from(fields.len()).unwrap().to_be_bytes();
        let bytes = [&count[..], &fields.iter().flat_map(field).collect::<Vec<_>>()].concat();
        let composite = CompositeBinary::from_binary(&bytes).unwrap();
        let read = composite.fields.iter().map(|field| (field.type_oid, field.value));
        prop_assert!(read.eq(fields.iter().map(|(oid, value)| (Oid::new(*oid), value.as_deref()))));
        let mut out = BytesMut::new();
        composite.write_binary(&mut out);
        prop_assert_eq!(out, bytes);
    }

    #[test]
    fn takes_anything(text in r#"\(?[a,"\\()]{0,12}|\PC*"#, bytes in vec(prop_oneof![0_u8..3, any::<u8>()], 0..40)) {
        if let Ok(composite) = CompositeText::from_text(&text) {
            let printed = composite.to_string();
            prop_assert_eq!(CompositeText::from_text(&printed).unwrap(), composite);
        }
        if let Ok(composite) = CompositeBinary::from_binary(&bytes) {
            let mut out = BytesMut::new();
            composite.write_binary(&mut out);
            prop_assert_eq!(out, bytes);
        }
    }
}
