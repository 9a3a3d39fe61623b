use super::*;
use crate::pgoutput::Datum;
use crate::value::{Type, TypeField, TypeKind, Types};

const MOOD: u32 = 30_000;
const PAIR: u32 = 30_001;
const WORDED: u32 = 30_002;
const PAIRS: u32 = 30_003;

/// An enum, a composite type of a number and a text, a domain over text, and an array of the composites.
fn types() -> Types {
    let made = |oid, name: &'static str, kind| Type {
        oid: Oid::new(oid),
        schema: "public".into(),
        name: name.to_owned().into(),
        kind,
    };
    let field = |name: &str, oid| TypeField { name: name.into(), type_oid: Oid::new(oid) };
    [
        made(MOOD, "mood", TypeKind::Enum { labels: vec!["sad".into(), "null".into()] }),
        made(PAIR, "pair", TypeKind::Composite { fields: vec![field("number", 23), field("word", WORDED)] }),
        made(WORDED, "worded", TypeKind::Domain { base: Oid::new(25) }),
        made(PAIRS, "_pair", TypeKind::Array { element: Oid::new(PAIR), delimiter: ',' }),
    ]
    .into_iter()
    .collect()
}

fn value<'a>(datum: Datum<'a>, oid: u32, types: &'a Types) -> Value<'a> {
    Value::new(datum, Oid::new(oid), types).expect("a value")
}

#[test]
fn each_form_leads_to_the_other_and_back() {
    let types = types();
    let texts = [19, 25, 114, 142, 194, 705, 1042, 1043, 1790, 2275, MOOD, WORDED].map(|oid| (oid, "null"));
    let leaves = [
        (16, "t"),
        (16, "f"),
        (17, "\\x00ff"),
        (18, "x"),
        (20, "-9223372036854775808"),
        (21, "-7"),
        (22, "1 -2"),
        (23, "7"),
        (26, "25"),
        (27, "(1,2)"),
        (28, "9"),
        (29, "9"),
        (30, "1 2"),
        (600, "(1,-0.5)"),
        (601, "[(1,2),(3,4)]"),
        (602, "[(1,2),(3,4)]"),
        (603, "(3,4),(1,2)"),
        (604, "((1,2),(3,4))"),
        (628, "{1,2,3}"),
        (650, "10.0.0.0/8"),
        (700, "1.5"),
        (701, "0.1"),
        (718, "<(1,2),3>"),
        (774, "08:00:2b:ff:fe:01:02:03"),
        (790, "-$1,234.56"),
        (790, "$1,000.00"),
        (829, "08:00:2b:01:02:03"),
        (869, "::1"),
        (1082, "0044-03-15 BC"),
        (1083, "24:00:00"),
        (1114, "infinity"),
        (1184, "2026-11-22 08:25:18.01+00"),
        (1186, "-1 days +02:03:00"),
        (1266, "12:00:00+05:30"),
        (1560, "101"),
        (1562, ""),
        (1700, "-1.50"),
        (2950, "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"),
        (2970, "10:20:10,14"),
        (5038, "10:20:"),
        (3220, "16/B374D848"),
        (3614, "'a':1A 'b'"),
        (3615, "'a' & !'b'"),
        (3802, "{\"a\": null}"),
        (4072, "$.\"a\""),
        (5069, "18446744073709551615"),
    ];
    let parts = [
        (1007, "{}"),
        (1007, "[0:1]={1,NULL}"),
        (1009, r#"{"NULL","",NULL,"a,\"b\\"}"#),
        (1020, "{(3,4),(1,2);(1,1),(0,0)}"),
        (3904, "[1,5)"),
        (3904, "empty"),
        (3906, "(,1.50]"),
        (4451, "{[1,3),[5,)}"),
        (4451, "{}"),
        (PAIR, r#"(7,"a, ""b""")"#),
        (PAIR, "(,)"),
        (PAIRS, r#"{"(1,null)",NULL,"(,\"\")"}"#),
    ];
    for (oid, text) in texts.into_iter().chain(leaves).chain(parts) {
        let stored = value(Datum::Text(text.as_bytes()), oid, &types);
        let bytes = stored.to_binary().expect(text);
        let sent = value(Datum::Binary(&bytes), oid, &types);
        assert_eq!(sent.to_text().as_deref(), Ok(text), "{oid}");
        assert_eq!(stored.to_text().as_deref(), Ok(text), "{oid}");
        assert_eq!(sent.to_binary().as_deref(), Ok(&*bytes), "{oid}");
    }
}

#[test]
fn bytes_are_those_of_the_send_functions() {
    let types = types();
    for (oid, text, bytes) in [
        (23, "7", &b"\0\0\0\x07"[..]),
        (25, "null", b"null"),
        (3802, "{}", b"\x01{}"),
        (3904, "[1,5)", b"\x02\0\0\0\x04\0\0\0\x01\0\0\0\x04\0\0\0\x05"),
        (PAIR, "(7,)", b"\0\0\0\x02\0\0\0\x17\0\0\0\x04\0\0\0\x07\0\0\x75\x32\xff\xff\xff\xff"),
    ] {
        let stored = value(Datum::Text(text.as_bytes()), oid, &types);
        assert_eq!(stored.to_binary().as_deref(), Ok(bytes), "{text}");
    }
}

#[test]
fn what_only_its_server_can_turn_is_an_error() {
    let types = types();
    // regclass, and a type that nobody told of.
    for oid in [2205, 40_000] {
        assert!(value(Datum::Text(b"1"), oid, &types).to_binary().is_err(), "{oid}");
        assert!(value(Datum::Binary(b"\0\0\0\x01"), oid, &types).to_text().is_err(), "{oid}");
    }
    let error = value(Datum::Text(b"\xff"), 23, &types).to_binary().expect_err("no text");
    assert_eq!(error.to_string(), "int4 at byte 0: expected UTF-8");
}

/// How many composite types stand inside of each other before that is an error.
fn depth(value: &Value<'_>) -> usize {
    match value.shape() {
        Ok(Shape::Composite(composite)) => {
            let inner = composite.fields[0].as_ref().expect("a part");
            1 + depth(&inner.value())
        }
        _ => 0,
    }
}

#[test]
fn types_inside_of_each_other_end_at_the_32nd() {
    const RECORD: u32 = 2249;
    let types = types();
    let mut bytes = b"x".to_vec();
    for depth in 0..40 {
        let part: u32 = if depth == 0 { 25 } else { RECORD };
        let length = u32::try_from(bytes.len()).expect("a short one");
        bytes = [&1_u32.to_be_bytes()[..], &part.to_be_bytes(), &length.to_be_bytes(), &bytes].concat();
    }
    assert_eq!(depth(&value(Datum::Binary(&bytes), RECORD, &types)), 32);
}
