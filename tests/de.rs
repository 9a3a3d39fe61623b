//! Rows as Rust types: what is lent, what is refused, and that no error repeats a value.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "clippy knows only #[test] functions as tests, not what they call"
)]

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::error::Error;
use std::fmt::Debug;
use std::sync::Arc;

use proptest::prelude::*;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use walferry::de::{Typed, TypedOld, exact};
use walferry::pgoutput::{Column, Datum, Relation, ReplicaIdentity, Tuple};
use walferry::value::{
    Array, Date, Numeric, Range, Type, TypeField, TypeKind, Types, Uuid, Value, ValueErrorKind,
};
use walferry::{Change, Field, Lsn, Oid, OldRow, RelationId, Row, RowError, RowErrorKind, Timestamp};

const BOOL: u32 = 16;
const BYTEA: u32 = 17;
const INT8: u32 = 20;
const INT2: u32 = 21;
const INT4: u32 = 23;
const TEXT: u32 = 25;
const JSON: u32 = 114;
const FLOAT8: u32 = 701;
const INT4S: u32 = 1007;
const TEXTS: u32 = 1009;
const NUMERIC: u32 = 1700;
const RECORD: u32 = 2249;
const JSONB: u32 = 3802;
const INT4RANGE: u32 = 3904;
const XID8: u32 = 5069;
// Of users.
const MOOD: u32 = 20_001;
const PAIR: u32 = 20_002;
const PAIRS: u32 = 20_003;
const WORDED: u32 = 20_004;
const UNKNOWN: u32 = 29_999;

fn types() -> Arc<Types> {
    let field = |name: &str, oid| TypeField { name: name.to_owned(), type_oid: Oid::new(oid) };
    let made = |oid, name: &str, kind| Type {
        oid: Oid::new(oid),
        schema: "public".into(),
        name: name.to_owned().into(),
        kind,
    };
    let delimiter = ',';
    Arc::new(Types::from_iter([
        made(MOOD, "mood", TypeKind::Enum { labels: vec!["calm".into(), "it's".into()] }),
        made(PAIR, "pair", TypeKind::Composite { fields: vec![field("a", INT4), field("b", TEXT)] }),
        made(PAIRS, "_pair", TypeKind::Array { element: Oid::new(PAIR), delimiter }),
        made(WORDED, "worded", TypeKind::Domain { base: Oid::new(TEXT) }),
    ]))
}

fn relation(columns: &[(&str, u32)]) -> Arc<Relation> {
    let column = |&(name, oid): &(&str, u32)| Column {
        name: name.to_owned(),
        type_oid: Oid::new(oid),
        type_modifier: -1,
        is_key: name == "id",
    };
    Arc::new(Relation {
        id: RelationId::new(16_384),
        schema: "public".into(),
        name: "t".into(),
        replica_identity: ReplicaIdentity::Default,
        columns: columns.iter().map(column).collect(),
    })
}

fn row(columns: &[(&str, u32, Datum<'_>)]) -> Row {
    let named: Vec<_> = columns.iter().map(|&(name, oid, _)| (name, oid)).collect();
    let tuple = Tuple::from_datums(columns.iter().map(|&(_, _, datum)| datum));
    Row::with_types(relation(&named), types(), tuple).expect("as many columns as values")
}

fn one(oid: u32, datum: Datum<'_>) -> Row {
    row(&[("c", oid, datum)])
}

fn text(text: &str) -> Datum<'_> {
    Datum::Text(text.as_bytes())
}

#[derive(Debug, PartialEq, Deserialize)]
struct C<T> {
    c: T,
}

/// The one column of this type, as `T`.
fn read<T: DeserializeOwned>(oid: u32, datum: Datum<'_>) -> Result<T, RowError> {
    one(oid, datum).deserialize().map(|C { c }| c)
}

fn kind<T: DeserializeOwned + Debug>(oid: u32, datum: Datum<'_>) -> ValueErrorKind {
    match read::<T>(oid, datum).expect_err("an error").kind() {
        RowErrorKind::Value(source) => source.kind().clone(),
        other => panic!("{other:?}"),
    }
}

/// All that an error says, by any way of asking.
fn said(error: &(dyn Error + 'static)) -> String {
    let mut words = String::new();
    let mut at = Some(error);
    while let Some(error) = at {
        words.extend([format!("{error} {error:?} "), format!("{error:#?} ")]);
        at = error.source();
    }
    words
}

fn lies_in(part: &[u8], whole: &[u8]) -> bool {
    whole.as_ptr_range().contains(&part.as_ptr()) && part.as_ptr_range().end <= whole.as_ptr_range().end
}

fn sent<'a>(row: &'a Row, column: &str) -> &'a [u8] {
    match row.get(column) {
        Some(Datum::Text(bytes) | Datum::Binary(bytes)) => bytes,
        other => panic!("{other:?}"),
    }
}

#[test]
fn text_and_bytes_are_lent_by_the_tuple() {
    #[derive(Deserialize)]
    struct Lent<'a> {
        note: &'a str,
        binary: &'a str,
        json: &'a str,
        bytes: &'a [u8],
        words: Vec<Option<&'a str>>,
        #[serde(borrow)]
        pair: Pair<'a>,
        #[serde(borrow)]
        cow: Cow<'a, str>,
    }
    #[derive(Deserialize)]
    struct Pair<'a> {
        b: &'a str,
    }
    let row = row(&[
        ("note", TEXT, text("hello")),
        ("binary", WORDED, Datum::Binary(b"bytes")),
        ("json", JSONB, Datum::Binary(b"\x01{}")),
        ("bytes", BYTEA, Datum::Binary(b"\0\xff")),
        ("words", TEXTS, text(r#"{plain,NULL,"in quotes"}"#)),
        ("pair", PAIR, text(r#"(,"a b")"#)),
        ("cow", TEXT, text("cow")),
    ]);
    let lent: Lent<'_> = row.deserialize().expect("a row");
    for (part, column) in
        [(lent.note, "note"), (lent.binary, "binary"), (&lent.cow, "cow"), (lent.pair.b, "pair")]
    {
        assert!(lies_in(part.as_bytes(), sent(&row, column)), "{column}");
    }
    assert!(matches!(lent.cow, Cow::Borrowed(_)));
    assert!(lies_in(lent.bytes, sent(&row, "bytes")));
    assert!(lies_in(lent.words[2].expect("a word").as_bytes(), sent(&row, "words")));
    assert_eq!((lent.words[2], lent.pair.b), (Some("in quotes"), "a b"));
    // Text behind a version.
    assert_eq!(lent.json, "{}");
    assert!(lies_in(lent.json.as_bytes(), sent(&row, "json")));
}

/// Text that stood escaped is nobody's but the reader's: an error names what to do instead of lending what isn't there.
#[test]
fn what_was_escaped_is_owned() {
    let row = one(TEXTS, text(r#"{"a\"b"}"#));
    assert!(row.deserialize::<C<Vec<&str>>>().is_err());
    assert_eq!(row.deserialize::<C<Vec<Cow<'_, str>>>>().expect("owned").c, ["a\"b"]);
    assert_eq!(read::<Vec<String>>(TEXTS, text(r#"{"a\"b"}"#)).expect("owned"), ["a\"b"]);
}

// Unchanged is not NULL, and not absent.

#[derive(Debug, PartialEq, Deserialize)]
struct Newtype<T>(T);

#[derive(Debug, PartialEq, Deserialize)]
#[serde(untagged)]
enum Untagged {
    Nothing(Option<i32>),
    Words(Option<String>),
    Unit,
}

#[derive(Debug, PartialEq, Deserialize, Default)]
struct Defaulted {
    #[serde(default)]
    c: Option<String>,
}

#[derive(Debug, PartialEq, Deserialize)]
struct Flat {
    #[serde(flatten)]
    rest: Defaulted,
}

#[derive(Debug, PartialEq, Deserialize)]
struct FlatOption {
    #[serde(flatten)]
    rest: Option<C<Option<String>>>,
}

#[derive(Debug, PartialEq, Deserialize)]
struct FlatMap {
    #[serde(flatten)]
    rest: HashMap<String, Option<String>>,
}

#[derive(Debug, PartialEq, Deserialize)]
struct FlatField {
    #[serde(flatten)]
    rest: C<Field<Option<String>>>,
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(tag = "kind")]
enum Tagged {
    #[serde(rename = "n")]
    Note {
        #[serde(default)]
        c: Option<String>,
    },
}

#[derive(Debug, PartialEq, Deserialize)]
struct ByExact {
    #[serde(deserialize_with = "exact", default)]
    c: Option<String>,
}

#[derive(Debug, PartialEq, Deserialize)]
struct FieldByExact {
    #[serde(deserialize_with = "exact")]
    c: Field<Option<Numeric>>,
}

macro_rules! refuse {
    ($row:expr; $($type:ty),+ $(,)?) => {$(
        let error = $row.deserialize::<$type>().expect_err(stringify!($type));
        assert_eq!(error.column(), Some("c"), "{}", stringify!($type));
        assert!(
            matches!(error.kind(), RowErrorKind::Value(source) if *source.kind() == ValueErrorKind::Unchanged),
            "{}: {error}", stringify!($type)
        );
    )+};
}

#[test]
fn only_a_field_takes_what_was_not_sent() {
    let key =
        OldRow::Key(row(&[("id", INT4, text("1")), ("kind", TEXT, Datum::Null), ("c", TEXT, Datum::Null)]));
    for oid in [TEXT, INT4, MOOD, PAIR, TEXTS, INT4RANGE, UNKNOWN] {
        let row = row(&[("kind", TEXT, text("n")), ("c", oid, Datum::Unchanged)]);
        refuse!(row; C<Option<String>>, C<String>, C<i32>, C<bool>, C<f64>, C<()>, C<char>, C<Option<()>>,
            C<Newtype<Option<i32>>>, C<Option<Newtype<String>>>, C<Untagged>, Defaulted, Flat, FlatOption, FlatMap,
            FlatField, Tagged, ByExact, C<Option<Numeric>>, C<Option<Range<i32>>>, C<Vec<Option<i32>>>,
            C<(Option<i32>, Option<i32>)>, C<C<Option<i32>>>, C<Option<serde_json::Value>>, C<Option<Field<i32>>>,
            C<HashMap<String, String>>, C<Option<serde_json::Map<String, serde_json::Value>>>, C<Option<Lsn>>);
        assert!(row.deserialize::<C<Field<Option<String>>>>().expect("a field").c.is_unchanged());
        assert!(row.deserialize::<C<Newtype<Field<i32>>>>().expect("a field").c.0.is_unchanged());
        assert!(row.deserialize::<FieldByExact>().expect("a field").c.is_unchanged());
        let all: HashMap<String, Field<Option<String>>> = row.deserialize().expect("fields");
        assert_eq!(
            (all["kind"].as_ref(), &all["c"]),
            (Field::Value(&Some("n".to_owned())), &Field::Unchanged)
        );
        assert!(row.deserialize::<HashMap<String, Option<String>>>().is_err());
        assert!(row.deserialize::<BTreeMap<String, serde_json::Value>>().is_err());
        assert!(row.deserialize::<(String, Option<String>)>().is_err());
        assert!(row.read::<Option<String>>("c").is_err());
        assert!(row.read::<Option<Field<i32>>>("c").is_err());
        assert!(row.read::<Field<Option<String>>>("c").expect("a field").is_unchanged());
    }
    let other = |error: RowError| matches!(error.kind(), RowErrorKind::Value(why) if *why.kind() == ValueErrorKind::Unchanged);
    assert!(key.deserialize::<C<Option<String>>>().is_err_and(other));
    assert!(key.deserialize::<Flat>().is_err_and(other));
    assert!(key.deserialize::<HashMap<String, Option<String>>>().is_err_and(other));
    assert!(key.deserialize::<(i32, Option<String>, Option<String>)>().is_err_and(other));
    assert!(key.read::<Option<String>>("c").is_err_and(other));
    assert!(key.deserialize::<C<Field<Option<String>>>>().expect("a field").c.is_unchanged());
}

#[test]
fn null_is_an_options_and_nothing_elses() {
    for oid in [TEXT, INT4, MOOD, PAIR, TEXTS, INT4RANGE, UNKNOWN] {
        assert_eq!(read::<Option<String>>(oid, Datum::Null).expect("NULL"), None);
        assert_eq!(read::<Field<Option<i32>>>(oid, Datum::Null).expect("NULL"), Field::Value(None));
        assert_eq!(read::<Option<Vec<i32>>>(oid, Datum::Null).expect("NULL"), None);
        assert_eq!(read::<Option<Numeric>>(oid, Datum::Null).expect("NULL"), None);
        assert_eq!(read::<serde_json::Value>(oid, Datum::Null).expect("NULL"), serde_json::Value::Null);
        for null in [
            kind::<String>(oid, Datum::Null),
            kind::<Vec<i32>>(oid, Datum::Null),
            kind::<Field<i32>>(oid, Datum::Null),
            kind::<Numeric>(oid, Datum::Null),
            kind::<Range<i32>>(oid, Datum::Null),
            kind::<Mood>(oid, Datum::Null),
            kind::<C<i32>>(oid, Datum::Null),
            kind::<bool>(oid, Datum::Null),
        ] {
            assert_eq!(null, ValueErrorKind::Null);
        }
    }
    assert_eq!(read::<Option<String>>(TEXT, text("null")).expect("text"), Some("null".to_owned()));
    let words: Vec<Option<String>> = read(TEXTS, text(r#"{NULL,"NULL"}"#)).expect("words");
    assert_eq!(words, [None, Some("NULL".to_owned())]);
    assert_eq!(kind::<Vec<String>>(TEXTS, text("{NULL}")), ValueErrorKind::Null);
}

// serde's attributes.

#[derive(Debug, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Mood {
    Calm,
    #[serde(rename = "it's")]
    Its,
}

#[test]
fn attributes_do_what_they_do_everywhere() {
    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Strict {
        #[serde(rename = "c")]
        mood: Mood,
    }
    #[derive(Debug, Deserialize)]
    struct Aliased {
        #[serde(alias = "d")]
        #[expect(dead_code, reason = "never read: two columns go by its name")]
        c: String,
    }
    #[derive(Debug, PartialEq, Deserialize)]
    struct Skipping {
        c: Mood,
        #[serde(skip)]
        d: Option<String>,
        #[serde(default = "seven")]
        e: i32,
    }
    fn seven() -> i32 {
        7
    }
    assert_eq!(one(MOOD, text("it's")).deserialize::<Strict>().expect("a mood"), Strict { mood: Mood::Its });
    let two = row(&[("c", MOOD, text("calm")), ("d", TEXT, Datum::Unchanged)]);
    let error = two.deserialize::<Strict>().expect_err("a column too many");
    assert_eq!((error.column(), error.table()), (Some("d"), "public.t"));
    assert!(error.to_string().contains('d'), "{error}");
    assert_eq!(
        two.deserialize::<Skipping>().expect("passed over"),
        Skipping { c: Mood::Calm, d: None, e: 7 }
    );
    let collide = row(&[("c", TEXT, text("1")), ("d", TEXT, text("2"))]);
    let error = collide.deserialize::<Aliased>().expect_err("two columns for one field");
    assert!(error.to_string().contains("two columns for the field c"), "{error}");
    let error = one(MOOD, text("odd")).deserialize::<Strict>().expect_err("no such label");
    assert!(error.to_string().contains("calm, it's"), "{error}");
    let error = one(TEXT, text("x")).deserialize::<Flat>();
    assert_eq!(error.expect("flat").rest.c.as_deref(), Some("x"));
    let missing = one(TEXT, text("x")).deserialize::<BTreeMap<String, Pair>>();
    assert!(missing.is_err());
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Pair {
    a: Option<i32>,
    b: Option<String>,
}

#[test]
fn what_is_kept_as_text_is_read_behind_flatten() {
    #[derive(Debug, Deserialize)]
    struct Inner {
        number: Numeric,
        at: Timestamp,
        id: u64,
        truth: bool,
    }
    #[derive(Debug, Deserialize)]
    struct Outer {
        #[serde(flatten)]
        inner: Inner,
    }
    let columns = |number| {
        let at = text("2026-11-22 20:00:00.5+00");
        row(&[
            ("number", NUMERIC, number),
            ("id", XID8, text("4294967296")),
            ("truth", BOOL, text("t")),
            ("at", 1184, at),
        ])
    };
    let Outer { inner } = columns(text("1.50")).deserialize().expect("flattened");
    assert_eq!((inner.number.to_string().as_str(), inner.id, inner.truth), ("1.50", 1 << 32, true));
    assert_eq!(inner.at.to_string(), "2026-11-22 20:00:00.5+00");
    // serde no longer knows the column then, but what is wrong is still told.
    let error = columns(text("one")).deserialize::<Outer>().expect_err("no number");
    assert!(matches!(error.kind(), RowErrorKind::Value(_)), "{error:?}");
}

#[test]
fn an_unknown_field_of_a_composite_is_named() {
    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct OnlyA {
        #[expect(dead_code, reason = "there is always one field too many")]
        a: Option<i32>,
    }
    let error = read::<OnlyA>(PAIR, text("(1,x)")).expect_err("b");
    assert!(error.to_string().ends_with("the Rust type has no field b"), "{error}");
}

#[test]
fn a_row_of_another_length_is_no_tuple_of_it() {
    let row = row(&[("c", INT4, text("1")), ("d", TEXT, text("2"))]);
    assert_eq!(row.deserialize::<(i32, String)>().expect("a tuple"), (1, "2".to_owned()));
    assert_eq!(row.deserialize::<Vec<String>>().expect("a sequence"), ["1", "2"]);
    assert!(row.deserialize::<(i32,)>().is_err() && row.deserialize::<(i32, String, Option<i32>)>().is_err());
    assert!(row.deserialize::<[String; 3]>().is_err() && row.deserialize::<[String; 1]>().is_err());
    for (array, length) in [("{1,2}", 2), ("{}", 0), ("{1,2,3}", 3)] {
        assert_eq!(read::<(i32, i32)>(INT4S, text(array)).is_ok(), length == 2, "{array}");
        assert_eq!(read::<[i32; 3]>(INT4S, text(array)).is_ok(), length == 3, "{array}");
        assert_eq!(read::<Vec<i32>>(INT4S, text(array)).expect("numbers").len(), length);
    }
    assert_eq!(read::<(Option<i32>, String)>(PAIR, text("(,x)")).expect("a tuple"), (None, "x".to_owned()));
    assert!(read::<(Option<i32>,)>(PAIR, text("(,x)")).is_err());
    assert!(read::<(Option<i32>, String, Option<i32>)>(PAIR, text("(,x)")).is_err());
}

// Numbers.

fn binary(oid: u32, number: i64) -> Vec<u8> {
    match oid {
        INT2 => i16::try_from(number).expect("small").to_be_bytes().to_vec(),
        INT4 => i32::try_from(number).expect("medium").to_be_bytes().to_vec(),
        INT8 => number.to_be_bytes().to_vec(),
        _ => {
            let types = Types::new();
            let digits = number.to_string();
            let value = Value::new(text(&digits), Oid::new(oid), &types).expect("a value");
            value.to_binary().expect("a number").into_owned()
        }
    }
}

macro_rules! exact_or_out_of_range {
    ($oid:expr, $datum:expr, $number:expr; $($type:ty),+) => {$(
        match (<$type>::try_from($number), read::<$type>($oid, $datum)) {
            (Ok(expected), read) => prop_assert_eq!(read, Ok(expected)),
            (Err(_), Ok(wrong)) => prop_assert!(false, "{} as {wrong}", $number),
            (Err(_), Err(error)) => {
                let expected = ValueErrorKind::OutOfRange { target: stringify!($type) };
                prop_assert!(
                    matches!(error.kind(), RowErrorKind::Value(why) if *why.kind() == expected), "{error}: {error:?}"
                );
            }
        }
    )+};
}

proptest! {
    #[test]
    fn a_whole_number_is_exact_or_out_of_range(
        number in prop_oneof![any::<i64>(), -40_000..40_000_i64, any::<i32>().prop_map(i64::from), Just(i64::MIN)]
    ) {
        for oid in [INT2, INT4, INT8, NUMERIC] {
            let fits = match oid {
                INT2 => i16::try_from(number).is_ok(),
                INT4 => i32::try_from(number).is_ok(),
                _ => true,
            };
            if !fits {
                continue;
            }
            let (digits, bytes) = (number.to_string(), binary(oid, number));
            for datum in [text(&digits), Datum::Binary(&bytes)] {
                exact_or_out_of_range!(oid, datum, number; i8, i16, i32, i64, i128, u8, u16, u32, u64, u128);
            }
        }
    }
}

#[test]
fn what_has_a_fraction_or_no_place_is_no_integer() {
    let out_of_range = |target| ValueErrorKind::OutOfRange { target };
    for number in ["1.5", "0.0000001", "NaN", "Infinity", "-Infinity"] {
        assert_eq!(kind::<i64>(NUMERIC, text(number)), out_of_range("i64"), "{number}");
        assert_eq!(kind::<u8>(NUMERIC, text(number)), out_of_range("u8"), "{number}");
    }
    assert_eq!(read::<i64>(NUMERIC, text("12.00")), Ok(12), "zeros are no fraction");
    assert_eq!(read::<u64>(XID8, text("18446744073709551615")), Ok(u64::MAX));
    assert_eq!(kind::<i64>(XID8, text("18446744073709551615")), out_of_range("i64"));
    for mismatch in [
        kind::<f32>(FLOAT8, text("1")),
        kind::<f64>(NUMERIC, text("1")),
        kind::<f64>(INT8, text("1")),
        kind::<bool>(INT4, text("1")),
        kind::<i32>(BOOL, text("t")),
        kind::<i32>(TEXT, text("1")),
        kind::<i32>(FLOAT8, text("1")),
    ] {
        assert!(matches!(mismatch, ValueErrorKind::Mismatch { .. }), "{mismatch:?}");
    }
}

// Parts.

#[test]
fn an_index_is_never_lost() {
    let at_zero = text("[0:1]={1,2}");
    assert!(read::<Vec<i32>>(INT4S, at_zero).is_err() && one(INT4S, at_zero).read::<Vec<i32>>(0).is_err());
    let row = one(INT4S, at_zero);
    let array: Array<'_> = row.read("c").expect("an array");
    assert_eq!(array.dimensions[0].lower, 0);
    assert!(read::<Vec<Vec<i32>>>(INT4S, text("[1:1][2:3]={{1,2}}")).is_err());
    assert_eq!(read::<Vec<i16>>(22, text("3 -1")).expect("a vector"), [3, -1]);
    assert_eq!(read::<Vec<i16>>(22, text("")).expect("a vector"), [0_i16; 0]);
}

#[test]
fn dimensions_are_levels() {
    let cube = text("{{{1,NULL},{3,4}},{{5,6},{7,8}},{{9,10},{11,12}}}");
    let levels: Vec<Vec<Vec<Option<i32>>>> = read(INT4S, cube).expect("three levels");
    let of = |numbers: [Option<i32>; 2]| numbers.to_vec();
    assert_eq!(levels.len(), 3);
    assert_eq!(levels[0], [of([Some(1), None]), of([Some(3), Some(4)])]);
    assert_eq!(levels[2], [of([Some(9), Some(10)]), of([Some(11), Some(12)])]);
    assert!(read::<Vec<Vec<Option<i32>>>>(INT4S, cube).is_err(), "a level too few");
    assert!(read::<Vec<Option<i32>>>(INT4S, cube).is_err(), "two levels too few");
    assert!(read::<Vec<Vec<Vec<Vec<i32>>>>>(INT4S, cube).is_err(), "a level too many");
    assert_eq!(read::<Vec<Vec<Vec<i32>>>>(INT4S, text("{}")).expect("empty"), Vec::<Vec<Vec<i32>>>::new());
}

#[test]
fn composites_lie_in_arrays_and_arrays_in_composites() {
    let pairs = text(r#"{"(1,\"a \"\"quoted\"\" one\")",NULL,"(,)"}"#);
    let read: Vec<Option<Pair>> = read(PAIRS, pairs).expect("pairs");
    let quoted = Pair { a: Some(1), b: Some("a \"quoted\" one".to_owned()) };
    assert_eq!(read, [Some(quoted), None, Some(Pair { a: None, b: None })]);
    // Of any type's parts.
    let all: serde_json::Value = self::read(PAIRS, text(r#"{"(1,x)"}"#)).expect("JSON");
    assert_eq!(all, serde_json::json!([{ "a": 1, "b": "x" }]));
}

/// An int4 and a text, of these types.
fn record(first: u32, number: i32, second: u32, words: &[u8]) -> Vec<u8> {
    let length = u32::try_from(words.len()).expect("short");
    let parts = [
        &2_u32.to_be_bytes()[..],
        &first.to_be_bytes(),
        &4_u32.to_be_bytes(),
        &number.to_be_bytes(),
        &second.to_be_bytes(),
        &length.to_be_bytes(),
        words,
    ];
    parts.concat()
}

#[test]
fn a_composite_that_was_changed_is_not_read_by_names_that_it_no_longer_has() {
    let known = record(INT4, 7, TEXT, b"x");
    let read_binary = |bytes: &[u8]| read::<Pair>(PAIR, Datum::Binary(bytes));
    assert_eq!(read_binary(&known), Ok(Pair { a: Some(7), b: Some("x".to_owned()) }));
    // Another type in the place of `b`; the fields the other way around; one more; one less.
    let turned = [
        &2_u32.to_be_bytes()[..],
        &TEXT.to_be_bytes(),
        &1_u32.to_be_bytes(),
        b"x",
        &INT4.to_be_bytes(),
        &[0xFF; 4],
    ];
    let more = [&3_u32.to_be_bytes()[..], &known[4..], &INT4.to_be_bytes(), &[0xFF; 4]].concat();
    let less = [&1_u32.to_be_bytes()[..], &known[4..16]].concat();
    for changed in [record(INT4, 7, WORDED, b"x"), turned.concat(), more, less] {
        let error = read_binary(&changed).expect_err("other fields");
        assert_eq!((error.column(), error.type_name()), (Some("c"), Some("public.pair")), "{error}");
        assert!(read::<HashMap<String, Option<String>>>(PAIR, Datum::Binary(&changed)).is_err());
    }
    assert!(read::<Pair>(PAIR, text("(1)")).is_err() && read::<Pair>(PAIR, text("(1,x,)")).is_err());
    // Who asks for the places gets them by the types that were sent.
    assert_eq!(read(PAIR, Datum::Binary(&turned.concat())), Ok(("x".to_owned(), None::<i32>)));
    assert_eq!(read(RECORD, Datum::Binary(&known)), Ok((7, "x".to_owned())));
    assert!(read::<Pair>(RECORD, Datum::Binary(&known)).is_err(), "a record has no names");
}

#[test]
fn what_is_not_known_stays_readable_as_it_was_sent() {
    let row = row(&[("c", UNKNOWN, text("{any}")), ("d", UNKNOWN, Datum::Binary(b"\xff\0"))]);
    assert_eq!(row.read::<&str>("c").expect("text"), "{any}");
    assert_eq!(row.deserialize::<C<String>>().expect("text").c, "{any}");
    let value: Value<'_> = row.read("d").expect("a value");
    assert_eq!((value.datum(), value.type_oid()), (Datum::Binary(b"\xff\0"), Oid::new(UNKNOWN)));
    assert_eq!(
        row.read::<Option<Value<'_>>>(0).expect("a value").map(|value| value.datum()),
        Some(text("{any}"))
    );
    for error in [
        row.read::<String>("d").expect_err("bytes"),
        row.deserialize::<HashMap<String, String>>().expect_err("bytes"),
    ] {
        assert_eq!((error.column(), error.type_name()), (Some("d"), Some("oid 29999")));
    }
}

#[test]
fn a_column_is_asked_for_by_name_or_position() {
    let row = row(&[("c", INT4, text("1")), ("d", TEXT, Datum::Null)]);
    assert_eq!((row.read::<i64>("c"), row.read::<i64>(0)), (Ok(1), Ok(1)));
    for error in [row.read::<i32>("e").expect_err("no column"), row.read::<i32>(2).expect_err("no column")] {
        assert_eq!((error.kind(), error.table()), (&RowErrorKind::NoSuchColumn, "public.t"));
    }
}

#[test]
fn a_multirange_is_a_sequence_of_ranges() {
    use std::ops::Bound::{Excluded, Included, Unbounded};
    let ranges = [Range::Bounds(Included(1), Excluded(3)), Range::Bounds(Included(5), Unbounded)];
    assert_eq!(read::<Vec<Range<i32>>>(4451, text("{[1,3),[5,)}")).expect("ranges"), ranges);
    assert_eq!(
        read::<Vec<Option<Range<i32>>>>(4451, text("{[1,3),[5,)}")).expect("ranges"),
        ranges.map(Some)
    );
    assert_eq!(read::<Range<i32>>(INT4RANGE, text("empty")).expect("a range"), Range::Empty);
    assert!(
        read::<Range<i32>>(INT4S, text("{1}")).is_err() && read::<Vec<i32>>(4451, text("{[1,3)}")).is_err()
    );
}

// Both rows of a change.

type Note = (i32, Option<String>);

#[derive(Debug, PartialEq, Deserialize)]
struct Key {
    id: i32,
}

#[test]
fn a_full_old_row_fills_what_was_not_sent_and_a_key_does_not() {
    let (table, types) = (relation(&[("id", INT4), ("c", TEXT)]), types());
    let row = |id, c| {
        let tuple = Tuple::from_datums([text(id), c]);
        Row::with_types(Arc::clone(&table), Arc::clone(&types), tuple).expect("two columns")
    };
    for (before, expected) in [(text("kept"), Some("kept".to_owned())), (Datum::Null, None)] {
        let old = Some(OldRow::Full(row("1", before)));
        let update = Change::Update { old, new: row("1", Datum::Unchanged) };
        let both = update.typed::<Note, Note>().expect("both rows");
        let note = (1, expected);
        assert_eq!(both, Typed::Update { old: Some(TypedOld::Full(note.clone())), new: note });
    }
    // What was sent stays, NULL included.
    let update =
        Change::Update { old: Some(OldRow::Full(row("1", text("old")))), new: row("2", Datum::Null) };
    let Ok(Typed::Update { new, .. }) = update.typed::<Note, Note>() else { panic!("an update") };
    assert_eq!(new, (2, None));
    // A key knows nothing of other columns.
    let key = || OldRow::Key(row("1", Datum::Null));
    for old in [Some(key()), None] {
        let update = Change::Update { old, new: row("1", Datum::Unchanged) };
        assert!(update.typed::<Note, Key>().is_err());
        assert!(update.typed::<(i32, Field<String>), Key>().is_ok());
    }
    let delete = Change::Delete { old: key() };
    assert_eq!(delete.typed::<Note, Key>(), Ok(Typed::Delete { old: TypedOld::Key(Key { id: 1 }) }));
    assert!(delete.typed::<Note, Note>().is_err(), "NULL says nothing of a column that is not in the key");
}

#[test]
fn an_old_row_of_another_table_fills_nothing() {
    let new = row(&[("id", INT4, text("1")), ("c", TEXT, Datum::Unchanged)]);
    let old = Some(OldRow::Full(row(&[("c", TEXT, text("other")), ("id", INT4, text("1"))])));
    let update = Change::Update { old, new };
    assert!(update.typed::<C<String>, C<String>>().is_err());
}

// Errors.

#[test]
fn errors_go_anywhere() {
    fn anywhere<T: Error + Send + Sync + 'static>() {}
    anywhere::<RowError>();
    anywhere::<walferry::value::ValueError>();
}

/// A variant's name read as serde reads a field's: what is in the row is in serde's words.
#[derive(Debug, Deserialize)]
#[serde(field_identifier, rename_all = "lowercase")]
enum Identifier {
    One,
    Two,
}

#[derive(Debug, Deserialize)]
#[serde(tag = "type", content = "value")]
#[expect(dead_code, reason = "no secret is one")]
enum Adjacent {
    One(i32),
}

#[derive(Debug, Deserialize)]
#[serde(tag = "c")]
enum Internal {
    One,
}

#[derive(Debug)]
struct Chatty;

impl<'de> Deserialize<'de> for Chatty {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::{Error as _, Unexpected};
        let words = Option::<String>::deserialize(deserializer)?.unwrap_or_default();
        match words.len() % 4 {
            0 => Err(D::Error::custom(&words)),
            1 => Err(D::Error::invalid_value(Unexpected::Str(&words), &"nothing")),
            2 => Err(D::Error::invalid_type(Unexpected::Other(&words), &"nothing")),
            _ => Err(D::Error::unknown_field(&words, &["one"])),
        }
    }
}

macro_rules! silent {
    ($row:expr, $secret:expr; $($type:ty),+ $(,)?) => {$(
        if let Err(error) = $row.deserialize::<$type>() {
            let said = said(&error);
            prop_assert!(!said.contains($secret), "{}: {said}", stringify!($type));
            prop_assert_eq!(error.table(), "public.t");
        }
    )+};
}

/// Values of all shapes that hold the secret, well-formed or not.
fn planted(oid: u32, secret: &str) -> Vec<Vec<u8>> {
    let quoted = secret.replace('\\', "\\\\").replace('"', "\\\"");
    let mut texts = vec![
        secret.to_owned(),
        format!("{{\"{quoted}\",NULL}}"),
        format!("(1,\"{quoted}\")"),
        format!("(\"{quoted}\",1)"),
        format!("[\"{quoted}\",)"),
        format!("{{\"(1,\\\"{secret}\\\")\"}}"),
        format!("{{\"{secret}\": \"{secret}\"}}"),
        format!("\\x{secret}"),
    ];
    if oid == RECORD || oid == PAIR {
        texts.push(String::new());
    }
    let mut forms: Vec<_> = texts.into_iter().map(String::into_bytes).collect();
    forms.push(record(INT4, 1, TEXT, secret.as_bytes()));
    forms.push([b"\x01", secret.as_bytes()].concat());
    forms
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    #[test]
    fn no_error_repeats_a_value(secret in "[A-Z]{9,14}|[0-9]{40,44}|7315926[0-9]{11}", label in "[a-z]{1,3}") {
        let secret = secret.as_str();
        for oid in [BOOL, BYTEA, INT8, INT4, TEXT, JSON, FLOAT8, INT4S, TEXTS, NUMERIC, RECORD, JSONB, INT4RANGE, XID8,
            MOOD, PAIR, PAIRS, WORDED, UNKNOWN, 18, 600, 869, 1082, 1184, 1186, 1560, 2950, 3614, 3615, 3220]
        {
            for value in planted(oid, secret) {
                for datum in [Datum::Text(&value), Datum::Binary(&value)] {
                    let row = row(&[("c", oid, datum), ("type", TEXT, text(&label)), ("value", oid, datum)]);
                    silent!(row, secret; C<String>, C<&str>, C<&[u8]>, C<i8>, C<i32>, C<i64>, C<u128>, C<f32>, C<f64>,
                        C<bool>, C<char>, C<()>, C<Option<i32>>, C<Mood>, C<Identifier>, Adjacent, Internal, C<Adjacent>,
                        C<Internal>, C<Untagged>, C<Chatty>, C<Vec<i32>>, C<Vec<Vec<String>>>, C<Vec<u8>>, C<Pair>,
                        C<Vec<Pair>>, C<C<i32>>, C<HashMap<i32, i32>>, C<HashMap<String, i32>>, C<(i32, i32)>,
                        C<[Identifier; 1]>, C<Vec<Identifier>>, C<Vec<Chatty>>, C<HashMap<Identifier2, i32>>,
                        C<Numeric>, C<Date>, C<Timestamp>, C<Uuid>, C<Lsn>, C<Oid>, C<Range<i32>>, C<Vec<Range<String>>>,
                        C<serde_json::Number>, C<serde_json::Value>, C<std::net::IpAddr>, C<std::num::NonZero<u8>>,
                        C<std::time::Duration>, C<std::path::PathBuf>, C<std::ops::Range<i32>>, Flat, FlatMap, ByExact,
                        FieldByExact, Strict, HashMap<String, i32>, (Identifier, String, i32), Vec<Identifier>, String,
                        i32, Mood);
                    for error in [
                        row.read::<i32>("c").err(), row.read::<Numeric>("c").err(), row.read::<Uuid>("c").err(),
                        row.read::<Vec<i32>>("c").err(), row.read::<Array<'_>>("c").err(), row.read::<String>("c").err(),
                        row.read::<Range<Date>>("c").err(), row.read::<bool>("c").err(), row.read::<&[u8]>("c").err(),
                        row.read::<walferry::value::Inet>("c").err(), row.read::<Timestamp>("c").err(),
                        row.read::<walferry::value::TsQuery<'_>>("c").err(),
                        row.read::<walferry::value::TsVector<'_>>("c").err(),
                        row.read::<walferry::value::Interval>("c").err(),
                    ] {
                        let said = error.map(|error| said(&error)).unwrap_or_default();
                        prop_assert!(!said.contains(secret), "{said}");
                    }
                    let value: Value<'_> = row.read("c").expect("itself");
                    let words = format!("{value:?} {:?} {row:?} {:?} {:?}", value.shape(), value.to_text().err(),
                        value.to_binary().err());
                    prop_assert!(!words.contains(secret), "{words}");
                }
            }
        }
    }
}

#[derive(Debug, Deserialize, PartialEq, Eq, Hash)]
#[serde(field_identifier)]
enum Identifier2 {
    Odd,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Strict {
    #[expect(dead_code, reason = "there are always fields too many")]
    c: Option<String>,
}

// What no server sends.

fn nested(depth: usize, innermost: &[u8]) -> Vec<u8> {
    let mut value = [
        &1_u32.to_be_bytes()[..],
        &TEXT.to_be_bytes(),
        &u32::try_from(innermost.len()).expect("short").to_be_bytes(),
        innermost,
    ]
    .concat();
    for _ in 1..depth {
        let length = u32::try_from(value.len()).expect("short").to_be_bytes();
        value = [&1_u32.to_be_bytes()[..], &RECORD.to_be_bytes(), &length, &value].concat();
    }
    value
}

#[test]
fn records_in_records_end_at_a_depth() {
    for depth in [12, 31, 33, 1000] {
        let value = nested(depth, b"x");
        let row = one(RECORD, Datum::Binary(&value));
        let read = row.deserialize::<C<serde_json::Value>>();
        let value: Value<'_> = row.read("c").expect("itself");
        // Each level doubles the quotes of the one inside of it: what is 500 bytes would be gigabytes of text.
        assert_eq!(value.to_text().is_ok(), depth == 12, "{depth}");
        assert_eq!(read.is_ok(), depth == 12, "{depth}");
        assert!(value.shape().is_ok());
    }
}

#[test]
fn types_that_hold_themselves_end() {
    let made = |oid, kind| Type { oid: Oid::new(oid), schema: "public".into(), name: "x".into(), kind };
    let field = TypeField { name: "c".to_owned(), type_oid: Oid::new(30_000) };
    let types = Arc::new(Types::from_iter([
        made(30_000, TypeKind::Composite { fields: vec![field] }),
        made(30_001, TypeKind::Array { element: Oid::new(30_001), delimiter: ',' }),
        made(30_002, TypeKind::Domain { base: Oid::new(30_003) }),
        made(30_003, TypeKind::Domain { base: Oid::new(30_002) }),
        made(30_004, TypeKind::Range { subtype: Oid::new(30_004) }),
        made(30_005, TypeKind::Multirange { range: Oid::new(30_005) }),
        made(30_006, TypeKind::Array { element: Oid::new(30_006), delimiter: 'é' }),
        made(30_007, TypeKind::Vector { element: Oid::new(30_007) }),
    ]));
    let mut words = "()".to_owned();
    for _ in 0..12 {
        words = format!("(\"{}\")", words.replace('"', "\"\""));
    }
    for oid in 30_000..30_008 {
        for value in
            [words.as_bytes(), b"{{{1}}}", b"[a,b]", b"1 2", b"{}", b"()", b"", &nested(40, b"y"), &[0; 20]]
        {
            for datum in [Datum::Text(value), Datum::Binary(value)] {
                let tuple = Tuple::from_datums([datum]);
                let row =
                    Row::with_types(relation(&[("c", oid)]), Arc::clone(&types), tuple).expect("one column");
                let value: Value<'_> = row.read(0).expect("itself");
                let _ = (value.to_text(), value.to_binary(), value.shape().is_ok());
                let _ = row.deserialize::<C<serde_json::Value>>();
                let _ = row.deserialize::<C<Vec<Vec<Option<String>>>>>();
            }
        }
    }
}
