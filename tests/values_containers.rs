//! Values that hold others are taken apart and put together as the servers do it: the servers themselves are asked.
//!
//! Of every value a server gives its text and the bytes of its send function. Both must come out again as they went in,
//! and what is in them must be the same, however deep it is.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "clippy knows only #[test] functions as tests, not what they call"
)]

mod support;

use std::borrow::Cow;
use std::fmt::Write as _;

use bytes::BytesMut;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use support::Cluster;
use walferry::Oid;
use walferry::pgoutput::Datum;
use walferry::value::{
    ArrayBinary, ArrayText, CompositeText, Dimension, Range, Type, TypeKind, Types, Value,
};

/// What a stream pins, and what this test needs.
const PREPARE: &str = r"
SET client_encoding = 'UTF8'; SET DateStyle = 'ISO'; SET IntervalStyle = 'postgres'; SET TimeZone = 'UTC';
SET extra_float_digits = 1; SET bytea_output = 'hex'; SET search_path = public, pg_catalog;
";

const TYPES: &str = r#"
CREATE TYPE mood AS ENUM ('null', 'it''s "so" {so}', '');
CREATE DOMAIN worded AS text;
CREATE TYPE point_of AS ("first one" text, second int4, third worded);
CREATE TYPE single AS (sole text);
CREATE TYPE outer_of AS (one point_of, many point_of[], words text[], alone single, mood mood);
CREATE TYPE textrange AS RANGE (subtype = text, collation = "C", multirange_type_name = textmultirange);
CREATE TYPE outerrange AS RANGE (subtype = point_of);
CREATE TABLE lost (words text[]);
INSERT INTO lost VALUES ('{NULL}');
UPDATE lost SET words[1] = 'found';
CREATE FUNCTION shape(items text[], sizes int[], lowers int[]) RETURNS text[] LANGUAGE plpgsql AS $$
DECLARE
    made text[] := array_fill(NULL::text, sizes, lowers);
    number int := 1;
BEGIN
    FOR i IN lowers[1] .. lowers[1] + sizes[1] - 1 LOOP
        IF cardinality(sizes) = 1 THEN made[i] := items[number]; number := number + 1; CONTINUE; END IF;
        FOR j IN lowers[2] .. lowers[2] + sizes[2] - 1 LOOP
            IF cardinality(sizes) = 2 THEN made[i][j] := items[number]; number := number + 1; CONTINUE; END IF;
            FOR k IN lowers[3] .. lowers[3] + sizes[3] - 1 LOOP
                made[i][j][k] := items[number]; number := number + 1;
            END LOOP;
        END LOOP;
    END LOOP;
    RETURN made;
END $$;
"#;

/// A server with this test's types, and what its catalogue says of them.
struct Oracle {
    cluster: Cluster,
    types: Types,
}

/// A value in both of the server's forms.
struct Answer {
    text: String,
    bytes: Vec<u8>,
}

impl Oracle {
    fn start(server: &support::Server) -> Self {
        let cluster = server.start();
        cluster.psql("postgres", TYPES);
        let types = support::user_types(&cluster);
        Self { cluster, types }
    }

    /// Both forms of the values of these expressions.
    fn ask(&self, type_name: &str, send: &str, expressions: &[String]) -> Vec<Answer> {
        let mut script = PREPARE.to_owned();
        for expression in expressions {
            let value = format!("(SELECT ({expression})::{type_name} AS x OFFSET 0) AS v");
            writeln!(
                script,
                "SELECT encode(convert_to(x::text, 'UTF8'), 'hex') || ' ' || encode({send}(x), 'hex') FROM {value};"
            )
            .expect("a string");
        }
        let answers = self.cluster.psql("postgres", &script);
        let answers: Vec<_> = answers.split('\n').map(Answer::parse).collect();
        assert_eq!(answers.len(), expressions.len(), "{type_name}");
        answers
    }

    fn oid(&self, name: &str) -> Oid {
        let all = Types::built_in().iter().chain(self.types.inserted());
        all.filter(|known| known.name == name).map(|known| known.oid).next().expect("a type")
    }

    /// Asks for the values of these expressions, and whether both forms of each agree and come out as they went in.
    fn agree(&self, type_name: &str, send: &str, expressions: &[String]) -> Vec<Answer> {
        let oid = self.oid(type_name);
        let answers = self.ask(type_name, send, expressions);
        for answer in &answers {
            self.compare(oid, &answer.text, &answer.bytes);
        }
        answers
    }

    /// Each form gives the other: so what is read from one prints, and writes, what was read from the other.
    fn compare(&self, oid: Oid, text: &str, bytes: &[u8]) {
        let sent = self.value(Datum::Binary(bytes), oid);
        assert_eq!(read(sent.to_text()), text);
        let written = read(self.value(Datum::Text(text.as_bytes()), oid).to_binary());
        if oid == self.oid("tsquery") {
            // Text doesn't say which of two equal operators binds first; the bytes do.
            assert_eq!(read(self.value(Datum::Binary(&written), oid).to_text()), text);
        } else {
            assert_eq!(written, bytes, "{text}");
        }
    }

    fn value<'a>(&'a self, datum: Datum<'a>, oid: Oid) -> Value<'a> {
        Value::new(datum, oid, &self.types).expect("a value that is there")
    }
}

impl Answer {
    fn parse(line: &str) -> Self {
        let (text, bytes) = line.split_once(' ').expect("two columns");
        Self { text: String::from_utf8(unhex(text)).expect("UTF-8"), bytes: unhex(bytes) }
    }
}

fn unhex(digits: &str) -> Vec<u8> {
    let pairs = digits.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).expect("ASCII"));
    pairs.map(|pair| u8::from_str_radix(pair, 16).expect("hex")).collect()
}

fn read<T>(result: Result<T, walferry::value::ValueError>) -> T {
    result.unwrap_or_else(|error| panic!("what a server gave isn't read: {error}"))
}

/// SQL whose value is the text, without any quoting that could be wrong.
fn sql(text: Option<&str>) -> String {
    let Some(text) = text else { return "NULL::text".to_owned() };
    let mut digits = String::new();
    for byte in text.bytes() {
        write!(digits, "{byte:02x}").expect("a string");
    }
    format!("convert_from('\\x{digits}'::bytea, 'UTF8')")
}

fn samples<T>(strategy: impl Strategy<Value = T>, count: usize) -> Vec<T> {
    let mut runner = TestRunner::deterministic();
    let mut sample = || strategy.new_tree(&mut runner).expect("a value").current();
    (0..count).map(|_| sample()).collect()
}

/// Texts of pieces that mean something to a reader of arrays, composites or ranges.
fn hostile() -> impl Strategy<Value = String> {
    let pieces = [
        "null", "NULL", "nUlL", "\"NULL\"", "'", "''", "\\", "\"", "\\\"", "{", "}", "{}", "(", ")", "[",
        "]", ",", ";", ":", "=", " ", "\t", "\n", "\r", "\u{b}", "\u{c}", "a", "0", "é", "表", "😀",
        "\u{85}", "\u{a0}", "\u{2003}", "\u{3000}", "\u{1}", "\u{7f}", "empty", "infinity",
    ];
    vec(prop::sample::select(pieces.to_vec()), 0..4).prop_map(|pieces| pieces.concat())
}

fn nullable() -> impl Strategy<Value = Option<String>> {
    proptest::option::weighted(0.8, hostile())
}

fn list(items: &[Option<String>]) -> String {
    let items: Vec<_> = items.iter().map(|item| sql(item.as_deref())).collect();
    format!("ARRAY[{}]::text[]", items.join(","))
}

type Shaped = (Vec<Dimension>, Vec<Option<String>>);

fn arrays() -> impl Strategy<Value = Shaped> {
    let lower = prop_oneof![2 => Just(1), 1 => -3..4, 1 => Just(i32::MIN), 1 => Just(i32::MAX - 3)];
    let dimension = (1_u32..4, lower).prop_map(|(size, lower)| Dimension { size, lower });
    vec(dimension, 1..4).prop_flat_map(|dimensions| {
        let count = dimensions.iter().map(|dimension| dimension.size as usize).product::<usize>();
        (Just(dimensions), vec(nullable(), count))
    })
}

fn both(check: impl Fn(&Oracle)) {
    for server in support::servers_to_try() {
        check(&Oracle::start(&server));
    }
}

#[test]
fn arrays_are_what_the_server_says() {
    let cases = samples(arrays(), 2000);
    let expressions: Vec<_> = cases
        .iter()
        .map(|(dimensions, items)| {
            let join = |numbers: Vec<String>| numbers.join(",");
            let sizes = join(dimensions.iter().map(|dimension| dimension.size.to_string()).collect());
            let lowers = join(dimensions.iter().map(|dimension| dimension.lower.to_string()).collect());
            format!("shape({}, ARRAY[{sizes}], ARRAY[{lowers}])", list(items))
        })
        .collect();
    both(|oracle| {
        // Elements were assigned to: the flag for NULL may say more than there is, so only the text can be compared.
        let answers = oracle.ask("_text", "array_send", &expressions);
        let mut printed = Vec::new();
        for ((dimensions, items), answer) in cases.iter().zip(&answers) {
            let parts = items.iter().map(|item| item.as_deref().map(Cow::Borrowed)).collect();
            let made = read(ArrayText::new(',', dimensions.clone(), parts));
            assert_eq!(made.to_string(), answer.text);
            assert_eq!(
                read(oracle.value(Datum::Binary(&answer.bytes), oracle.oid("_text")).to_text()),
                answer.text
            );
            let bytes = items.iter().map(|item| item.as_ref().map(String::as_bytes)).collect();
            let made_bytes = read(ArrayBinary::new(Oid::new(25), dimensions.clone(), bytes));
            assert_eq!(made_bytes.elements(), read(ArrayBinary::from_binary(&answer.bytes)).elements());
            let mut out = BytesMut::new();
            made_bytes.write_binary(&mut out);
            printed.push((made.to_string(), out));
        }
        let literals: Vec<_> = printed.iter().map(|(text, _)| sql(Some(text))).collect();
        for ((text, bytes), again) in printed.iter().zip(oracle.agree("_text", "array_send", &literals)) {
            assert_eq!((text, bytes), (&again.text, &again.bytes.as_slice().into()));
        }
    });
}

#[test]
fn other_arrays_are_what_the_server_says() {
    let words = ["'{}'", "'{{{{{{a,NULL}}}}}}'"].map(str::to_owned);
    let boxes = ["'{(3,4),(1,2);(0,0),(0,0);NULL}'", "'[-1:0]={(3,4),(1,2);(0,0),(0,0)}'"].map(str::to_owned);
    let moods = ["ARRAY['null', '', 'it''s \"so\" {so}', NULL]::mood[]".to_owned()];
    let vectors = ["''", "'1 -2 32767'"].map(str::to_owned);
    let oids = ["''", "'1 4294967295'"].map(str::to_owned);
    let json = ["'{\"a\": [null, \"null\", 1e400]}'", "'null'", "'\"\\u00e9\"'"].map(str::to_owned);
    let snapshots =
        ["'10:20:10,14,15'", "'1:1:'", "'9223372036854775806:9223372036854775807:'"].map(str::to_owned);
    let paths = ["'$.a[*] ? (@ > 1)'".to_owned()];
    both(|oracle| {
        oracle.agree("_text", "array_send", &words);
        let lost = oracle.ask("_text", "array_send", &["(SELECT words FROM lost)".to_owned()]);
        let array = read(ArrayBinary::from_binary(&lost[0].bytes));
        assert!(array.has_nulls(), "the flag stays");
        let mut out = BytesMut::new();
        array.write_binary(&mut out);
        assert_eq!(out, lost[0].bytes.as_slice());
        assert_eq!(read(oracle.value(Datum::Binary(&lost[0].bytes), Oid::new(1009)).to_text()), lost[0].text);
        oracle.agree("_box", "array_send", &boxes);
        oracle.agree("_mood", "array_send", &moods);
        oracle.agree("int2vector", "int2vectorsend", &vectors);
        oracle.agree("oidvector", "oidvectorsend", &oids);
        oracle.agree("jsonb", "jsonb_send", &json);
        oracle.agree("json", "json_send", &json);
        oracle.agree("jsonpath", "jsonpath_send", &paths);
        oracle.agree("pg_snapshot", "pg_snapshot_send", &snapshots);
        oracle.agree("txid_snapshot", "txid_snapshot_send", &snapshots);
        oracle.agree("_pg_snapshot", "array_send", &["ARRAY[pg_current_snapshot(), NULL]".to_owned()]);
    });
}

fn inner() -> impl Strategy<Value = String> {
    (nullable(), proptest::option::of(any::<i32>()), nullable()).prop_map(|(first, second, third)| {
        let second = second.map_or("NULL".to_owned(), |number| number.to_string());
        format!("ROW({},{second},{})::point_of", sql(first.as_deref()), sql(third.as_deref()))
    })
}

#[test]
fn composites_are_what_the_server_says() {
    let inner_or_null = || prop_oneof![4 => inner(), 1 => Just("NULL::point_of".to_owned())];
    let mood = prop::sample::select(vec!["''", "'null'", "'it''s \"so\" {so}'", "NULL"]);
    let outer = (inner_or_null(), vec(inner_or_null(), 0..4), vec(nullable(), 0..4), nullable(), mood)
        .prop_map(|(one, many, words, alone, mood)| {
            let (many, words, alone) = (many.join(","), list(&words), sql(alone.as_deref()));
            format!(
                "ROW({one}, ARRAY[{many}]::point_of[], {words}, ROW({alone})::single, {mood}::mood)::outer_of"
            )
        });
    let expressions = samples(outer, 1000);
    let arrays: Vec<_> = expressions.chunks(3).map(|rows| format!("ARRAY[{}]", rows.join(","))).collect();
    let alone: Vec<_> =
        samples(nullable(), 500).iter().map(|text| format!("ROW({})", sql(text.as_deref()))).collect();
    both(|oracle| {
        let answers = oracle.agree("outer_of", "record_send", &expressions);
        let printed: Vec<_> = answers
            .iter()
            .map(|answer| sql(Some(&read(CompositeText::from_text(&answer.text)).to_string())))
            .collect();
        for (answer, again) in answers.iter().zip(oracle.ask("outer_of", "record_send", &printed)) {
            assert_eq!((&answer.text, &answer.bytes), (&again.text, &again.bytes));
        }
        oracle.agree("_outer_of", "array_send", &arrays);
        oracle.agree("single", "record_send", &alone);
    });
}

fn bounds() -> impl Strategy<Value = (Option<String>, Option<String>, &'static str)> {
    let brackets = prop::sample::select(vec!["[]", "[)", "(]", "()"]);
    (nullable(), nullable(), brackets).prop_map(|(one, other, brackets)| match (&one, &other) {
        // The lower bound has to be the lower one, in the collation "C".
        (Some(low), Some(high)) if low > high => (other, one, brackets),
        _ => (one, other, brackets),
    })
}

#[test]
fn ranges_are_what_the_server_says() {
    let range = |(low, high, brackets): &(Option<String>, Option<String>, &str)| {
        format!("textrange({},{},'{brackets}')", sql(low.as_deref()), sql(high.as_deref()))
    };
    let ranges: Vec<_> = samples(bounds(), 1500).iter().map(range).collect();
    let several: Vec<_> = ranges
        .chunks(3)
        .map(|some| format!("textmultirange({})", some.join(",")))
        .chain(["'{}'".to_owned()])
        .collect();
    let arrays: Vec<_> = ranges.chunks(4).map(|some| format!("ARRAY[{}]", some.join(","))).collect();
    let numbers =
        ["'[1,5)'", "'(,5)'", "'[1,)'", "'(,)'", "'empty'", "'[-2147483648,-1]'"].map(str::to_owned);
    let numerics = ["'[1.50,2)'", "'[-Infinity,NaN]'", "'(,0]'", "'empty'"].map(str::to_owned);
    let times = ["'[-infinity,infinity]'", "'[2024-02-29 01:02:03.5,)'", "'(0044-03-15 BC,2024-01-01]'"]
        .map(str::to_owned);
    let rows: Vec<_> =
        samples(inner(), 300).iter().map(|row| format!("outerrange({row}, NULL, '[)')")).collect();
    both(|oracle| {
        let answers = oracle.agree("textrange", "range_send", &ranges);
        let printed: Vec<_> = answers
            .iter()
            .map(|answer| sql(Some(&read(Range::from_text(&answer.text)).to_string())))
            .collect();
        for (answer, again) in answers.iter().zip(oracle.ask("textrange", "range_send", &printed)) {
            assert_eq!((&answer.text, &answer.bytes), (&again.text, &again.bytes));
        }
        oracle.agree("textmultirange", "multirange_send", &several);
        oracle.agree("_textrange", "array_send", &arrays);
        oracle.agree("int4range", "range_send", &numbers);
        oracle.agree("int4multirange", "multirange_send", &["'{[1,3),[5,)}'".to_owned(), "'{}'".to_owned()]);
        oracle.agree("numrange", "range_send", &numerics);
        oracle.agree("tsrange", "range_send", &times);
        oracle.agree("outerrange", "range_send", &rows);
    });
}

/// Numbers whose digits are hard to get right, and any others.
fn floats() -> Vec<f64> {
    let powers_of_two = (1..2047_u64).step_by(3).map(|field| f64::from_bits(field << 52));
    let subnormals = (0..52).map(|bit| f64::from_bits(1 << bit));
    let tens = (-30..31).flat_map(|power| (1..400).step_by(9).map(move |digits| format!("{digits}e{power}")));
    let tens = tens.map(|text| text.parse().expect("a number"));
    let edges = [
        0.0,
        -0.0,
        f64::NAN,
        f64::INFINITY,
        f64::NEG_INFINITY,
        5e-324,
        f64::MAX,
        f64::MIN_POSITIVE,
        1e23,
        0.1 + 0.2,
    ];
    // Decimals in the middle between two numbers: odd numbers of 54 bits, from 2^53 on and by a few powers of two.
    let odd = samples((1_u64 << 52)..(1 << 53), 300).into_iter().flat_map(|half| {
        let middle = u128::from(2 * half + 1);
        (0..4).map(move |shift| (middle << shift).to_string().parse().expect("a number"))
    });
    // Numbers in the middle between two sequences of digits: quarters at which the second decimal is one too many.
    let quarters = samples((1_u64 << 52)..(1 << 53), 300);
    let quarters =
        quarters.into_iter().map(|mantissa| f64::from_bits(1073 << 52 | mantissa & ((1 << 52) - 1)));
    let any = samples(any::<u64>(), 2500).into_iter().map(f64::from_bits);
    let decimal =
        samples(-1_000_000_i32..1_000_000, 500).into_iter().map(|number| f64::from(number) / 1000.0);
    edges
        .into_iter()
        .chain(powers_of_two)
        .chain(subnormals)
        .chain(tens)
        .chain(odd)
        .chain(quarters)
        .chain(any)
        .chain(decimal)
        .collect()
}

#[test]
fn geometric_values_are_what_the_server_says() {
    let numbers: Vec<_> =
        floats().iter().map(|number| format!("{number:e}").replace("inf", "Infinity")).collect();
    let points: Vec<_> = numbers.chunks_exact(2).map(|pair| format!("({},{})", pair[0], pair[1])).collect();
    let quoted = |texts: Vec<String>| texts.into_iter().map(|text| format!("'{text}'")).collect::<Vec<_>>();
    let pairs = |open: &str, close: &str| {
        quoted(points.chunks_exact(2).map(|pair| format!("{open}{}{close}", pair.join(","))).collect())
    };
    let many = |open: &str, close: &str| {
        quoted(points.chunks(7).map(|some| format!("{open}{}{close}", some.join(","))).collect())
    };
    let circles = points.iter().zip(["0", "1.5", "Infinity", "1e-300", "NaN"].into_iter().cycle());
    let circles = quoted(circles.map(|(point, radius)| format!("<{point},{radius}>")).collect());
    let lines = quoted(
        numbers.chunks_exact(3).map(|factors| format!("{{{},1,{}}}", factors[0], factors[2])).collect(),
    );
    both(|oracle| {
        oracle.agree("point", "point_send", &quoted(points.clone()));
        oracle.agree("lseg", "lseg_send", &pairs("[", "]"));
        oracle.agree("box", "box_send", &pairs("", ""));
        oracle.agree("path", "path_send", &many("[", "]"));
        oracle.agree("path", "path_send", &many("(", ")"));
        oracle.agree("polygon", "poly_send", &many("(", ")"));
        oracle.agree("circle", "circle_send", &circles);
        oracle.agree("line", "line_send", &lines);
    });
}

/// A lexeme between quotes, in which both of what is special is doubled.
fn lexeme() -> impl Strategy<Value = String> {
    let word = hostile().prop_filter("a lexeme isn't empty", |word| !word.is_empty());
    word.prop_map(|word| format!("'{}'", word.replace('\\', "\\\\").replace('\'', "''")))
}

fn vectors() -> impl Strategy<Value = String> {
    let position = (1_u16..20_000, prop::sample::select(vec!["", "A", "B", "C", "D"]));
    let positions = vec(position.prop_map(|(number, weight)| format!("{number}{weight}")), 0..5);
    let one = (lexeme(), positions).prop_map(|(word, positions)| {
        if positions.is_empty() { word } else { format!("{word}:{}", positions.join(",")) }
    });
    vec(one, 0..6).prop_map(|lexemes| lexemes.join(" "))
}

fn queries() -> impl Strategy<Value = String> {
    let suffix = prop::sample::select(vec!["", "", ":*", ":A", ":*BD", ":ABCD"]);
    let operand = (lexeme(), suffix).prop_map(|(word, suffix)| format!("{word}{suffix}"));
    operand.prop_recursive(5, 24, 2, |inner| {
        let operator = prop::sample::select(vec!["&", "|", "<->", "<0>", "<2>", "<16384>"]);
        prop_oneof![
            1 => inner.clone().prop_map(|operand| format!("!({operand})")),
            3 => (inner.clone(), operator, inner).prop_map(|(left, operator, right)| format!("({left}) {operator} ({right})")),
        ]
    })
}

#[test]
fn text_search_values_are_what_the_server_says() {
    let literal = |text: &String| sql(Some(text));
    let vectors: Vec<_> = samples(vectors(), 1500).iter().map(literal).collect();
    let queries: Vec<_> = samples(queries(), 1500).iter().map(literal).chain(["''".to_owned()]).collect();
    both(|oracle| {
        oracle.agree("tsvector", "tsvectorsend", &vectors);
        let answers = oracle.agree("tsquery", "tsquerysend", &queries);
        let printed: Vec<_> = answers.iter().map(|answer| literal(&answer.text)).collect();
        // The server reads its text as this crate does.
        for again in oracle.ask("tsquery", "tsquerysend", &printed) {
            let text = oracle.value(Datum::Text(again.text.as_bytes()), oracle.oid("tsquery"));
            assert_eq!(read(text.to_binary()), again.bytes, "{}", again.text);
        }
    });
}

/// A line per type, as [`table_row`] has it. The row types of catalogues differ from server to server.
const TABLE: &str = "
SELECT t.oid || ' ' || t.typname || ' ' || CASE
    WHEN t.typsend = 'array_send'::regproc THEN 'array ' || t.typelem || ' ' || t.typdelim::text
    WHEN t.typname IN ('int2vector', 'oidvector') THEN 'vector ' || t.typelem
    WHEN t.typtype = 'r' THEN 'range ' || r.rngsubtype
    WHEN t.typtype = 'm' THEN 'multirange ' || m.rngtypid
    WHEN t.typtype = 'p' THEN 'pseudo'
    WHEN t.typtype = 'b' THEN 'base' END
FROM pg_type t LEFT JOIN pg_type e ON e.oid = t.typelem
LEFT JOIN pg_range r ON r.rngtypid = t.oid LEFT JOIN pg_range m ON m.rngmultitypid = t.oid
WHERE t.oid < 10000 AND t.typtype <> 'c' AND coalesce(e.typtype::text, '') <> 'c' ORDER BY t.oid";

fn table_row(known: &Type) -> String {
    let kind = match &known.kind {
        TypeKind::Base => "base".to_owned(),
        TypeKind::Pseudo => "pseudo".to_owned(),
        TypeKind::Array { element, delimiter } => format!("array {element} {delimiter}"),
        TypeKind::Vector { element } => format!("vector {element}"),
        TypeKind::Range { subtype } => format!("range {subtype}"),
        TypeKind::Multirange { range } => format!("multirange {range}"),
        other => panic!("{other:?} is no built-in kind"),
    };
    format!("{} {} {kind}", known.oid, known.name)
}

#[test]
fn the_table_of_built_in_types_is_that_of_every_server() {
    let table: Vec<_> = Types::built_in().iter().map(table_row).collect();
    for server in support::servers() {
        let cluster = server.start();
        let found = cluster.psql("postgres", TABLE);
        assert_eq!(found.lines().collect::<Vec<_>>(), table, "{}", server.version);
    }
}
