//! Both forms of a value are the same to a Rust type: servers give the text and the bytes.

#![expect(clippy::expect_used, reason = "clippy knows only #[test] functions as tests, not what they call")]

mod support;

use std::collections::{BTreeMap, HashMap};
use std::fmt::{Debug, Display};
use std::sync::Arc;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use support::{Cluster, Server};
use walferry::de::exact;
use walferry::pgoutput::{Column, Datum, Relation, ReplicaIdentity, Tuple};
use walferry::value::{
    Cidr, Date, Float4, Float8, FromValue, Inet, Interval, LocalDateTime, MacAddr, Money, Multirange,
    Numeric, Point, Range, Snapshot, Tid, Time, TimeTz, Types, Uuid, Xid8,
};
use walferry::{Field, Lsn, Oid, RelationId, Row, Timestamp, Xid};

const TYPES: &str = r#"
CREATE TYPE mood AS ENUM ('null', 'it''s "so" {so}', '', 'É');
CREATE DOMAIN small AS int2;
CREATE DOMAIN smaller AS small;
CREATE DOMAIN moody AS mood;
CREATE DOMAIN smalls AS smaller[];
CREATE TYPE inner_of AS (words text[], number numeric, mood moody);
CREATE TYPE outer_of AS ("the one" inner_of, many inner_of[], small smaller);
CREATE DOMAIN innermost AS inner_of;
CREATE TYPE moods AS RANGE (subtype = mood);
CREATE TYPE inners AS RANGE (subtype = inner_of);
CREATE FUNCTION sent(x anyelement) RETURNS bytea LANGUAGE plpgsql AS $$
DECLARE
    base pg_type := t FROM pg_type t WHERE oid = pg_typeof(x);
    sent bytea;
BEGIN
    WHILE base.typtype = 'd' LOOP
        base := t FROM pg_type t WHERE oid = base.typbasetype;
    END LOOP;
    EXECUTE format('SELECT %s($1::%s)', base.typsend, format_type(base.oid, -1)) INTO sent USING x;
    RETURN sent;
END $$;
"#;

#[derive(Debug, PartialEq, Deserialize)]
struct C<T> {
    c: T,
}

/// A server, and what its catalogue says of the types made here.
struct Oracle {
    cluster: Cluster,
    types: Arc<Types>,
}

impl Oracle {
    fn start(server: &Server) -> Self {
        let cluster = server.start();
        cluster.psql("postgres", TYPES);
        let types = Arc::new(support::user_types(&cluster));
        Self { cluster, types }
    }

    /// Rows of one column, whose value is text and in binary form.
    fn rows(&self, expression: &str) -> [Row; 2] {
        let answer = self.cluster.psql(
            "postgres",
            &format!(
                "SET TimeZone = 'UTC'; SET extra_float_digits = 1; SET bytea_output = 'hex';
                SELECT pg_typeof(x)::oid, encode(convert_to(format('%s', x), 'UTF8'), 'hex'), encode(sent(x), 'hex')
                FROM (SELECT {expression} AS x OFFSET 0) AS v"
            ),
        );
        let columns: Vec<_> = answer.split('|').collect();
        let [oid, text, bytes] = columns.as_slice() else { unreachable!("three columns: {answer}") };
        let column = Column {
            name: "c".to_owned(),
            type_oid: Oid::new(oid.parse().expect("an oid")),
            type_modifier: -1,
            is_key: false,
        };
        let relation = Arc::new(Relation {
            id: RelationId::new(16_384),
            schema: "public".into(),
            name: "t".into(),
            replica_identity: ReplicaIdentity::Default,
            columns: vec![column],
        });
        let row = |datum| {
            let tuple = Tuple::from_datums([datum]);
            Row::with_types(Arc::clone(&relation), Arc::clone(&self.types), tuple).expect("one value")
        };
        [row(Datum::Text(&unhex(text))), row(Datum::Binary(&unhex(bytes)))]
    }

    /// What both forms of the value are to serde.
    fn is<T: DeserializeOwned + PartialEq + Debug>(&self, expression: &str, expected: T) {
        let expected = C { c: expected };
        for row in self.rows(expression) {
            assert_eq!(row.deserialize::<C<T>>().as_ref(), Ok(&expected), "{expression}");
            let field: C<Field<Option<T>>> = row.deserialize().expect("the same");
            assert_eq!(field.c.value().flatten().as_ref(), Some(&expected.c), "{expression}");
        }
    }

    /// What they are to serde, and to `Row::read`, alone and as an element of an array.
    fn reads<T>(&self, expression: &str, expected: &T)
    where
        T: DeserializeOwned + for<'a> FromValue<'a> + PartialEq + Debug + Clone,
    {
        self.is(expression, expected.clone());
        let array = format!("ARRAY[{expression}, NULL]");
        self.is(&array, vec![Some(expected.clone()), None]);
        for row in self.rows(expression) {
            assert_eq!(row.read::<T>("c").as_ref(), Ok(expected), "{expression}");
            let by_exact: ByExact<Option<T>> = row.deserialize().expect(expression);
            assert_eq!(by_exact.c.as_ref(), Some(expected));
        }
        for row in self.rows(&array) {
            assert_eq!(row.read("c"), Ok(vec![Some(expected.clone()), None]), "{array}");
        }
    }

    /// The same by its text, which a server gave.
    fn prints<T>(&self, expression: &str, text: &str)
    where
        T: DeserializeOwned + for<'a> FromValue<'a> + PartialEq + Debug + Clone + Display,
    {
        let [row, _] = self.rows(expression);
        let value: T = row.read("c").expect(expression);
        assert_eq!(value.to_string(), text);
        self.reads(expression, &value);
    }
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(bound = "T: for<'a> FromValue<'a>")]
struct ByExact<T> {
    #[serde(deserialize_with = "exact")]
    c: T,
}

fn unhex(digits: &str) -> Vec<u8> {
    let pairs = digits.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).expect("ASCII"));
    pairs.map(|pair| u8::from_str_radix(pair, 16).expect("hex")).collect()
}

fn both(check: impl Fn(&Oracle)) {
    for server in [support::oldest(), support::newest()] {
        check(&Oracle::start(&server));
    }
}

#[test]
fn scalars_are_the_same_from_both_forms() {
    both(|oracle| {
        oracle.reads("true", &true);
        oracle.reads("'-32768'::int2", &i16::MIN);
        oracle.reads("'-32768'::int2", &i64::from(i16::MIN));
        oracle.reads("2147483647", &i32::MAX);
        oracle.reads("2147483647", &i64::from(i32::MAX));
        oracle.reads("'-9223372036854775808'::int8", &i64::MIN);
        oracle.reads("0.1::float4", &0.1_f32);
        oracle.reads("0.1::float4", &f64::from(0.1_f32));
        oracle.reads("1e-300::float8", &1e-300);
        oracle.reads("'4294967295'::oid", &Oid::new(u32::MAX));
        oracle.reads("'7'::xid", &Xid::new(7));
        oracle.is("'18446744073709551615'::xid8", u64::MAX);
        oracle.is(
            "12345678901234567890123456789012345678.00::numeric",
            12_345_678_901_234_567_890_123_456_789_012_345_678_i128,
        );
        oracle.is("'\\xdeadbeef'::bytea", vec![0xDE_u8, 0xAD, 0xBE, 0xEF]);
        oracle.is("'5'::\"char\"", '5');
        for row in oracle.rows("'\\x00ff'::bytea") {
            assert_eq!(row.read::<Vec<u8>>("c"), Ok(vec![0, 0xFF]));
        }
        for expression in [
            "'é \"x\" null'::text",
            "'a'::char(3)",
            "'null'::varchar",
            "'{\"a\":  1}'::json",
            "'{\"a\": [1.50]}'::jsonb",
            "1.50",
            "'2026-01-01'::date",
            "'null'::mood",
            "'É'::moody",
            "B'101'",
            "'{1,NULL}'::int4[]",
            "'[1,3)'::int4range",
            "'10.0.0.1/8'::inet",
            "'$.a'::jsonpath",
            "'a & b'::tsquery",
            "'a:1A'::tsvector",
            "ARRAY['\"', ',', NULL, 'null']",
            "ROW(ARRAY['(', '\"'], 1.50, 'null')::inner_of",
            "'(1,2)'::point",
            "'1 day 02:03:04.5'::interval",
            "'\\x00'::bytea",
            "-0.0::float8",
            "'NaN'::numeric",
        ] {
            let [text, binary] = oracle.rows(expression);
            let words: String = text.read("c").expect(expression);
            let owned =
                |row: &Row| (row.read::<String>("c"), row.deserialize::<C<String>>().map(|C { c }| c));
            assert_eq!(
                (owned(&text), owned(&binary)),
                ((Ok(words.clone()), Ok(words.clone())), (Ok(words.clone()), Ok(words)))
            );
        }
    });
}

#[test]
fn the_types_of_this_crate_are_the_same_from_both_forms() {
    both(|oracle| {
        oracle.prints::<Numeric>("'-0.00010'::numeric", "-0.00010");
        oracle.prints::<Date>("'0044-03-15 BC'::date", "0044-03-15 BC");
        oracle.prints::<Time>("'23:59:60'::time", "24:00:00");
        oracle.prints::<TimeTz>("'01:02:03.5-15:59:59'::timetz", "01:02:03.5-15:59:59");
        oracle.prints::<LocalDateTime>("'infinity'::timestamp", "infinity");
        oracle.prints::<Timestamp>(
            "'2026-11-22 20:00:00.000001+00'::timestamptz",
            "2026-11-22 20:00:00.000001+00",
        );
        oracle.prints::<Interval>("'-1 year 3 days -00:00:01.5'::interval", "-1 years +3 days -00:00:01.5");
        oracle.prints::<Uuid>(
            "'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'::uuid",
            "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
        );
        oracle.prints::<Inet>("'::ffff:1.2.3.4/120'::inet", "::ffff:1.2.3.4/120");
        oracle.prints::<Cidr>("'10.1.0.0/16'::cidr", "10.1.0.0/16");
        oracle.prints::<MacAddr>("'08:00:2b:01:02:03'::macaddr", "08:00:2b:01:02:03");
        oracle.prints::<Money>("'-1234.5'::money", "-$1,234.50");
        oracle.prints::<Float4>("'-Infinity'::float4", "-Infinity");
        oracle.prints::<Float8>("5e-324::float8", "5e-324");
        oracle.prints::<Point>("'(1,1e300)'::point", "(1,1e+300)");
        oracle.prints::<Tid>("'(1,2)'::tid", "(1,2)");
        oracle.prints::<Xid8>("'4294967296'::xid8", "4294967296");
        oracle.prints::<Snapshot>("'10:20:10,14'::pg_snapshot", "10:20:10,14");
        oracle.prints::<Lsn>("'16/B374D848'::pg_lsn", "16/B374D848");
    });
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
enum Mood {
    #[serde(rename = "null")]
    Null,
    #[serde(rename = "it's \"so\" {so}")]
    So,
    #[serde(rename = "")]
    Empty,
    #[serde(rename = "É")]
    Accented,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Inner {
    words: Option<Vec<Option<String>>>,
    #[serde(deserialize_with = "exact")]
    number: Option<Numeric>,
    mood: Option<Mood>,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
struct Outer {
    #[serde(rename = "the one")]
    the_one: Option<Inner>,
    many: Vec<Option<Inner>>,
    small: i64,
}

#[test]
fn what_users_make_is_the_same_from_both_forms() {
    use std::ops::Bound::{Excluded, Included, Unbounded};
    let inner = || Inner {
        words: Some(vec![
            Some("a \"b\" \\ {c}, (d)".to_owned()),
            None,
            Some("null".to_owned()),
            Some(String::new()),
        ]),
        number: Some(walferry::value::Wire::from_text("1.50").expect("a number")),
        mood: Some(Mood::So),
    };
    let empty = || Inner { words: None, number: None, mood: None };
    let sql = r#"ROW(ARRAY['a "b" \ {c}, (d)', NULL, 'null', ''], 1.50, 'it''s "so" {so}')::inner_of"#;
    both(|oracle| {
        oracle.is("'null'::mood", Mood::Null);
        oracle.is("''::moody", Mood::Empty);
        oracle.is(
            "ARRAY['É', 'null', NULL, '']::mood[]",
            vec![Some(Mood::Accented), Some(Mood::Null), None, Some(Mood::Empty)],
        );
        oracle.is("7::smaller", 7_u8);
        oracle.is("ARRAY[7, 8]::smalls", [7_i64, 8]);
        oracle.is("'{{1,2},{3,4}}'::int4[]", [[1, 2], [3, 4]]);
        oracle.is("'{{{\"a\",NULL}}}'::text[]", vec![vec![vec![Some("a".to_owned()), None]]]);
        oracle.is(sql, inner());
        oracle.is(&format!("{sql}::innermost"), inner());
        oracle.is("ROW(NULL, NULL, NULL)::inner_of", empty());
        let outer =
            Outer { the_one: Some(inner()), many: vec![Some(inner()), None, Some(empty())], small: -7 };
        let outer_sql =
            format!("ROW({sql}, ARRAY[{sql}, NULL, ROW(NULL, NULL, NULL)::inner_of], -7)::outer_of");
        oracle.is(&outer_sql, outer.clone());
        oracle.is(&format!("ARRAY[{outer_sql}, NULL]"), vec![Some(outer), None]);
        oracle.is(
            sql,
            (
                vec![
                    Some("a \"b\" \\ {c}, (d)".to_owned()),
                    None,
                    Some("null".to_owned()),
                    Some(String::new()),
                ],
                "1.50".to_owned(),
                Mood::So,
            ),
        );
        oracle.is("'[null,\"\")'::moods", Range::Bounds(Included(Mood::Null), Excluded(Mood::Empty)));
        oracle.is(&format!("inners({sql}, NULL, '()')"), Range::Bounds(Excluded(inner()), Unbounded));
        oracle.is(&format!("ARRAY[inners({sql}, NULL)]"), vec![Range::Bounds(Included(inner()), Unbounded)]);
        oracle.reads("'empty'::int4range", &Range::<i32>::Empty);
        oracle.reads("'[2026-01-01,)'::daterange", &Range::Bounds(Included(date("2026-01-01")), Unbounded));
        let ranges = vec![Range::Bounds(Included(1), Excluded(3)), Range::Bounds(Included(5), Unbounded)];
        oracle.is("'{[1,3),[5,)}'::int8multirange", ranges.clone());
        for row in oracle.rows("'{[1,3),[5,)}'::int8multirange") {
            assert_eq!(row.read("c"), Ok(Multirange::<i64> { ranges: ranges.clone() }));
        }
        oracle.is(
            "ROW(ARRAY['x'], 1.50, '')::inner_of",
            json!({ "words": ["x"], "number": "1.50", "mood": "" }),
        );
        oracle.is(
            "ROW(NULL, 1, NULL)::inner_of",
            BTreeMap::from(
                [("words", None), ("number", Some("1".to_owned())), ("mood", None)]
                    .map(|(name, value)| (name.to_owned(), value)),
            ),
        );
        oracle.is(
            "ARRAY[ROW(NULL, 1, NULL)::inner_of]",
            vec![HashMap::<String, serde_json::Value>::from(
                [("words", json!(null)), ("number", json!("1")), ("mood", json!(null))]
                    .map(|(name, value)| (name.to_owned(), value)),
            )],
        );
    });
}

fn date(text: &str) -> Date {
    walferry::value::Wire::from_text(text).expect("a date")
}
