//! The friendly mapping, rule by rule, and that text and binary give the same.

use super::*;
use crate::value::{Type, TypeField, TypeKind, Types, Value};

const MOOD: u32 = 16_400;
const PAIR: u32 = 16_401;
const TWINS: u32 = 16_402;
const COUNT: u32 = 16_403;
const PAIRS: u32 = 16_404;
const CUBE: u32 = 16_405;
const UNKNOWN: u32 = 16_406;

fn types() -> Arc<Types> {
    let field = |name: &str, oid| TypeField { name: name.into(), type_oid: Oid::new(oid) };
    let kinds = [
        (MOOD, TypeKind::Enum { labels: vec!["null".into()] }),
        (PAIR, TypeKind::Composite { fields: vec![field("a", 23), field("b \"c", 114)] }),
        (TWINS, TypeKind::Composite { fields: vec![field("a", 23), field("a", 23)] }),
        (COUNT, TypeKind::Domain { base: Oid::new(20) }),
        (PAIRS, TypeKind::Array { element: Oid::new(PAIR), delimiter: ',' }),
        (CUBE, TypeKind::Base),
    ];
    let named = |(oid, kind)| Type { oid: Oid::new(oid), schema: "s".into(), name: "t".into(), kind };
    Arc::new(kinds.map(named).into_iter().collect())
}

fn typed_row<'a>(type_oid: u32, datums: impl IntoIterator<Item = Datum<'a>>) -> Row {
    let datums: Vec<_> = datums.into_iter().collect();
    let names: Vec<_> = (0..datums.len()).map(|index| format!("c{index}")).collect();
    let mut relation = Relation::clone(&relation(
        &names.iter().enumerate().map(|(index, name)| (name.as_str(), index == 0)).collect::<Vec<_>>(),
    ));
    relation.columns.iter_mut().for_each(|column| column.type_oid = Oid::new(type_oid));
    Row::with_types(Arc::new(relation), types(), Tuple::from_datums(datums)).unwrap()
}

/// The last line, as it was written.
fn line(change: Change) -> String {
    let (mut lines, mut out) = (Lines::default().mapping(Mapping::Friendly), Vec::new());
    lines.event(&mut out, &Event::Change(change)).unwrap();
    String::from_utf8(out).unwrap().lines().last().unwrap().to_owned()
}

/// The JSON of one value, as it was written.
fn friendly(type_oid: u32, datum: Datum<'_>) -> String {
    let line = line(Change::Insert { new: typed_row(type_oid, [datum]) });
    serde_json::from_str::<Json>(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
    line.split_once(r#""new":{"c0":"#).unwrap().1.strip_suffix("}}").unwrap().to_owned()
}

/// The JSON of a text, and of what it stands for in binary.
fn of(type_oid: u32, text: &str) -> String {
    let (oid, types) = (Oid::new(type_oid), types());
    let json = friendly(type_oid, Datum::Text(text.as_bytes()));
    let value = Value::new(Datum::Text(text.as_bytes()), oid, &types).unwrap();
    if let Ok(bytes) = value.to_binary() {
        assert_eq!(friendly(type_oid, Datum::Binary(&bytes)), json, "{text}");
    }
    json
}

#[test]
fn what_json_has_a_word_for_is_that() {
    for (type_oid, text, expected) in [
        (16, "t", "true"),
        (16, "f", "false"),
        (21, "-32768", "-32768"),
        (23, "0", "0"),
        (26, "4294967295", "4294967295"),
        (28, "7", "7"),
        (20, "9007199254740992", "9007199254740992"),
        (20, "-9007199254740992", "-9007199254740992"),
        (COUNT, "12", "12"),
        (5069, "12", "12"),
        (700, "1.1", "1.1"),
        (701, "1e+300", "1e+300"),
        (701, "-0", "-0"),
        (701, "5e-324", "5e-324"),
        (1700, "12", "12"),
    ] {
        assert_eq!(of(type_oid, text), expected);
    }
}

#[test]
fn what_a_double_does_not_hold_is_a_string() {
    for (type_oid, text) in [
        (20, "9007199254740993"),
        (20, "-9223372036854775808"),
        (5069, "18446744073709551615"),
        (COUNT, "9007199254740993"),
        (1700, "9007199254740993"),
        (1700, "1.0"),
        (1700, "0.5"),
        (1700, "123456789012345678901234567890"),
        (1700, "NaN"),
        (1700, "-Infinity"),
        (700, "NaN"),
        (701, "Infinity"),
        (701, "-Infinity"),
    ] {
        assert_eq!(of(type_oid, text), format!("\"{text}\""));
    }
}

#[test]
fn all_other_types_are_strings_of_their_text() {
    for (type_oid, text, expected) in [
        (25, "null", r#""null""#),
        (25, "1", r#""1""#),
        (17, r"\x00ff", r#""\\x00ff""#),
        (1184, "2026-11-22 08:25:18.01+00", r#""2026-11-22 08:25:18.01+00""#),
        (3904, "[1,5)", r#""[1,5)""#),
        (4451, "{[1,5)}", r#""{[1,5)}""#),
        (790, "$1.00", r#""$1.00""#),
        (MOOD, "null", r#""null""#),
        (22, "1 2", r#""1 2""#),
        (2205, "pg_class", r#""pg_class""#),
        (CUBE, "(1)", r#""(1)""#),
        (UNKNOWN, "1", r#""1""#),
    ] {
        assert_eq!(of(type_oid, text), expected);
    }
}

#[test]
fn json_is_inlined_in_its_own_words() {
    for (text, expected) in [
        ("null", "null"),
        (" { \"a\" : 1.0, \"a\": null } ", r#"{ "a" : 1.0, "a": null }"#),
        ("[\n1,\r\n\t\"\\n\"]", "[ 1,  \t\"\\n\"]"),
        (r#""\ud83d\udea2 \u0000 \\ud800 \"""#, r#""\ud83d\udea2 \u0000 \\ud800 \"""#),
        ("12345678901234567890.10", "12345678901234567890.10"),
        ("\"\u{2028}\"", "\"\u{2028}\""),
    ] {
        assert_eq!(of(114, text), expected);
    }
    assert_eq!(of(3802, r#"{"a": [1, null]}"#), r#"{"a": [1, null]}"#);
}

#[test]
fn json_that_readers_refuse_is_a_string() {
    let deep = |depth| "[".repeat(depth) + &"]".repeat(depth);
    let deepest = deep(100);
    assert_eq!(of(114, &deepest), deepest);
    for text in [
        "1e400",
        "[-1e999]",
        r#""\ud800""#,
        r#"{"\ud800\u0041":1}"#,
        r#"["\udc00"]"#,
        "{",
        "1 2",
        "",
        &deep(101),
    ] {
        assert_eq!(of(114, text), serde_json::to_string(text).unwrap());
    }
}

#[test]
fn arrays_are_arrays_of_what_their_elements_are() {
    for (type_oid, text, expected) in [
        (1007, "{1,NULL,-3}", "[1,null,-3]"),
        (1007, "{}", "[]"),
        (1007, "{{1,2,3},{4,5,6}}", "[[1,2,3],[4,5,6]]"),
        (1007, "{{{1},{2}},{{3},{4}}}", "[[[1],[2]],[[3],[4]]]"),
        (1007, "[0:1]={1,2}", r#""[0:1]={1,2}""#),
        (1007, "[1:1][-2:-1]={{1,2}}", r#""[1:1][-2:-1]={{1,2}}""#),
        (1009, r#"{NULL,"NULL","","a\"b"}"#, r#"[null,"NULL","","a\"b"]"#),
        (1020, "{(1,1),(0,0);(2,2),(1,1)}", r#"["(1,1),(0,0)","(2,2),(1,1)"]"#),
        (1016, "{1,9007199254740993}", r#"[1,"9007199254740993"]"#),
        (199, r#"{"{\"a\": 1}",null,1e400}"#, r#"[{"a": 1},null,"1e400"]"#),
        (PAIRS, r#"{"(1,\"[1]\")",NULL}"#, r#"[{"a":1,"b \"c":[1]},null]"#),
    ] {
        assert_eq!(of(type_oid, text), expected);
    }
}

#[test]
fn composites_are_objects_if_their_fields_have_names() {
    assert_eq!(of(PAIR, r#"(1,"{""x"": null}")"#), r#"{"a":1,"b \"c":{"x": null}}"#);
    assert_eq!(of(PAIR, "(,)"), r#"{"a":null,"b \"c":null}"#);
    assert_eq!(of(TWINS, "(1,2)"), r#""(1,2)""#);
    assert_eq!(of(2249, "(1,2)"), r#""(1,2)""#);
}

#[test]
fn a_value_that_is_not_its_types_is_what_it_is() {
    for (type_oid, text) in [(16, "yes"), (23, "01"), (23, ""), (700, "1."), (1007, "{1"), (PAIR, "(1)")] {
        assert_eq!(of(type_oid, text), format!("\"{text}\""));
    }
    for (datum, type_oid, expected) in [
        (Datum::Text(b"\xe9t"), 25, r#"{"text":"e974"}"#),
        (Datum::Text(b"\xe9"), 114, r#"{"text":"e9"}"#),
        (Datum::Binary(b"\xe9"), 25, r#"{"binary":"e9"}"#),
        (Datum::Binary(b"\0"), 23, r#"{"binary":"00"}"#),
        (Datum::Binary(b"\0\0\x04\xeb"), 2205, r#"{"binary":"000004eb"}"#),
        (Datum::Binary(b"\xff"), CUBE, r#"{"binary":"ff"}"#),
        (Datum::Binary(b"\xff"), UNKNOWN, r#"{"binary":"ff"}"#),
        (Datum::Null, 114, "null"),
    ] {
        assert_eq!(friendly(type_oid, datum), expected);
    }
}

#[test]
fn unchanged_columns_are_named_and_have_no_member() {
    let text = Datum::Text(b"1");
    let new = || typed_row(23, [text, Datum::Unchanged, Datum::Null, Datum::Unchanged]);
    let tail = |line: String| line.split_once(r#""table":"t","#).unwrap().1.to_owned();
    assert_eq!(
        tail(line(Change::Update { old: None, new: new() })),
        r#""new":{"c0":1,"c2":null},"unchanged":["c1","c3"]}"#
    );
    let key = OldRow::Key(typed_row(23, [text, Datum::Null]));
    assert_eq!(tail(line(Change::Delete { old: key })), r#""old_key":{"c0":1}}"#);
    let key = OldRow::Key(typed_row(23, [Datum::Unchanged, Datum::Null]));
    assert_eq!(tail(line(Change::Delete { old: key })), r#""old_key":{},"old_unchanged":["c0"]}"#);
    let old = OldRow::Full(typed_row(23, [text, Datum::Null]));
    let update = Change::Update { old: Some(old), new: typed_row(23, [text, text]) };
    assert_eq!(tail(line(update)), r#""old":{"c0":1,"c1":null},"new":{"c0":1,"c1":1}}"#);
}

#[test]
fn a_reader_refuses_what_it_can_not_give_back() {
    let (mut lines, mut out) = (Lines::default().mapping(Mapping::Friendly), Vec::new());
    let insert = Event::Change(Change::Insert { new: typed_row(114, [Datum::Text(b"null")]) });
    lines.event(&mut out, &insert).unwrap();
    let error = Reader::new(out.as_slice()).next().unwrap().unwrap_err();
    assert_eq!(error.to_string(), "line 1: mapping: expected lossless: another mapping can't be read back");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_row_of_any_types_is_one_valid_line(
        (types, tuple) in (0_usize..6).prop_flat_map(|count| {
            let known: Vec<_> = Types::built_in().iter().map(|known| u32::from(known.oid)).chain(MOOD..=UNKNOWN).collect();
            (prop::collection::vec(prop::sample::select(known), count), tuple(count))
        }),
    ) {
        one_valid_line(&types, &tuple)?;
    }

    #[test]
    fn json_of_any_shape_is_one_valid_line(json in "[\\[\\]{}:,\"\\\\\n\r0-9eudbf.+ -]{0,40}", depth in 0_usize..140) {
        let nested = "[".repeat(depth) + &json + &"]".repeat(depth);
        one_valid_line(&[114], &Tuple::from_datums([Datum::Text(nested.as_bytes())]))?;
    }
}

fn one_valid_line(type_oids: &[u32], tuple: &Tuple) -> Result<(), TestCaseError> {
    let mut relation = Relation::clone(&relation(&[]));
    let column = |(index, oid): (usize, &u32)| Column {
        name: index.to_string(),
        type_oid: Oid::new(*oid),
        type_modifier: -1,
        is_key: false,
    };
    relation.columns = type_oids.iter().enumerate().map(column).collect();
    let new = Row::with_types(Arc::new(relation), types(), tuple.clone()).unwrap();
    let line = line(Change::Insert { new });
    let json: Json =
        serde_json::from_str(&line).map_err(|error| TestCaseError::fail(format!("{error}: {line}")))?;
    let unchanged = json["unchanged"].as_array().map_or(0, Vec::len);
    prop_assert_eq!(json["new"].as_object().unwrap().len() + unchanged, tuple.len());
    for (index, datum) in tuple.iter().enumerate() {
        if datum == Datum::Null {
            prop_assert!(json["new"][index.to_string()].is_null());
        }
    }
    Ok(())
}
