//! The table of the guide's page on fidelity, cell by cell: the servers say what a value is, and every way that the table
//! calls exact has to give that again. What it calls a limit is shown to be one.
#![allow(
    clippy::allow_attributes,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "test helpers fail the test by a panic; clippy knows only #[test] functions as tests"
)]

mod support;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Write as _;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::value::RawValue;
use support::{Cluster, Server};
use walferry::catalog::Catalog;
use walferry::pgoutput::{Column, Datum, Relation, ReplicaIdentity, Tuple};
use walferry::sink::json::{Lines, Mapping, Reader};
use walferry::sink::sql::{Script, SqlError};
use walferry::value::{
    Bits, Cidr, Date, GeoBox, Inet, Interval, LocalDateTime, Lseg, Numeric, Path, Point, Time, Type,
    TypeKind, Types, Uuid, Value, ValueErrorKind,
};
use walferry::{Change, Event, Oid, RelationId, Row, Timestamp};

const PAGE: &str = include_str!("../src/guide/fidelity.md");

const WAYS: [&str; 7] =
    ["text", "binary", "SQL from text", "SQL from binary", "JSON", "friendly JSON", "Rust"];

/// Values that are hard for each type, as SQL takes them.
const SAMPLES: &[(&str, &[&str])] = &[
    ("bool", &["t", "f"]),
    ("int2", &["0", "-32768", "32767"]),
    ("int4", &["0", "-2147483648", "2147483647"]),
    ("int8", &["9007199254740992", "9007199254740993", "-9223372036854775808"]),
    ("oid", &["0", "4294967295"]),
    ("xid", &["3", "4294967295"]),
    ("cid", &["0", "4294967295"]),
    ("xid8", &["7", "18446744073709551615"]),
    ("float4", &["0", "-0", "1.1", "NaN", "Infinity", "-Infinity", "1e-45", "3.4028235e38", "33554432"]),
    (
        "float8",
        &["0", "-0", "0.1", "NaN", "Infinity", "-Infinity", "5e-324", "1.7976931348623157e308", "1e23"],
    ),
    ("numeric", &["0", "1.0", "1.00", "-0.0001", "NaN", "-Infinity", "1e40", "9007199254740993", "12"]),
    ("money", &["$1,234.50", "-$0.01", "$0.00"]),
    ("text", &["", "null", "it's \\ \"q\"", "line\nfeed\r\t", "🚢 é", "\u{1}\u{7f}"]),
    ("varchar", &["", "null", " x "]),
    ("bpchar", &["", "x  ", "null"]),
    ("name", &["", "it's", "null"]),
    (
        "xml",
        &[
            "",
            "<a b=\"c\">it's</a>",
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?><a/>",
            "<?xml version=\"1.1\" standalone=\"yes\"?><a/>",
        ],
    ),
    ("refcursor", &["", "c"]),
    ("char", &["", "a", "\\", "'"]),
    ("bytea", &["", "\\x00ff5c27"]),
    ("json", &["null", " {\"a\" : 1.0, \"a\": null} ", "1e400", "\"\\ud800\"", "[\n1]"]),
    ("jsonb", &["null", "{\"a\": 12345678901234567890.10}", "\"null\""]),
    ("jsonpath", &["$.\"a\"[*] ? (@ > 1)", "strict $"]),
    ("date", &["2024-02-29", "infinity", "-infinity", "4713-01-01 BC", "5874897-12-31", "0001-01-01"]),
    ("time", &["00:00:00", "24:00:00", "23:59:59.999999"]),
    ("timetz", &["24:00:00+15:59:59", "00:00:00-15:59", "12:00:00.5+05:30"]),
    (
        "timestamp",
        &[
            "2024-02-29 12:34:56.7",
            "infinity",
            "-infinity",
            "4713-01-01 00:00:00 BC",
            "294276-12-31 23:59:59.999999",
        ],
    ),
    (
        "timestamptz",
        &[
            "2024-02-29 12:34:56.7+00",
            "infinity",
            "-infinity",
            "4713-01-01 00:00:00+00 BC",
            "294276-12-31 23:59:59.999999+00",
        ],
    ),
    (
        "interval",
        &["0", "04:05:06.789", "-1 day +00:00:01", "1 year -2 mons 3 days -04:05:06.789", "178000000 years"],
    ),
    ("uuid", &["a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "00000000-0000-0000-0000-000000000000"]),
    ("inet", &["192.168.0.1/24", "10.0.0.1", "::1", "fe80::1/64", "::ffff:1.2.3.4"]),
    ("cidr", &["10.0.0.0/8", "::/0", "10.0.0.1/32"]),
    ("macaddr", &["08:00:2b:01:02:03"]),
    ("macaddr8", &["08:00:2b:01:02:03:04:05"]),
    ("bit", &["101", "0"]),
    ("varbit", &["", "1", "000000001"]),
    ("point", &["(1.5,-0)", "(NaN,Infinity)"]),
    ("lseg", &["[(0,0),(1e300,1)]"]),
    ("box", &["(1,1),(0,0)", "(NaN,1),(0,0)"]),
    ("path", &["[(0,0),(1,1)]", "((0,0),(1,1))"]),
    ("line", &["{1,2,3}"]),
    ("polygon", &["((0,0),(1,0),(1,1))"]),
    ("circle", &["<(0,0),1>", "<(NaN,0),Infinity>"]),
    ("tsvector", &["", "'it''s':1A,2 'b'", "'a\\\\b':16383D"]),
    ("tsquery", &["", "'a b' & !'c':*AB", "'a' <-> 'b' | 'c' <2> 'd'", "a & (b & c)"]),
    ("tid", &["(0,1)", "(4294967295,65535)"]),
    ("pg_lsn", &["0/0", "16/B374D848"]),
    ("pg_snapshot", &["10:20:10,14,15", "1:1:"]),
    ("txid_snapshot", &["10:20:10,14,15", "1:1:"]),
    ("int2vector", &["", "1 -2"]),
    ("oidvector", &["", "1 4294967295"]),
    ("int4range", &["empty", "[1,5)", "(,5)"]),
    ("int8range", &["[1,9223372036854775807)"]),
    ("numrange", &["[1.0,1.00]", "(,NaN)"]),
    ("daterange", &["[2024-01-01,infinity)"]),
    ("tsrange", &["[\"2024-01-01 00:00:00\",infinity]"]),
    ("tstzrange", &["(\"0044-03-15 00:00:00+00 BC\",)"]),
    ("int4multirange", &["{}", "{[1,3),[5,)}"]),
    ("int8multirange", &["{[1,3)}"]),
    ("nummultirange", &["{[1.0,1.50],(2,)}"]),
    ("datemultirange", &["{[2024-01-01,infinity)}"]),
    ("tsmultirange", &["{[\"2024-01-01 00:00:00\",infinity]}"]),
    ("tstzmultirange", &["{(,\"2024-01-01 00:00:00+00\"]}"]),
    ("regclass", &["pg_class", "-"]),
    ("regcollation", &["\"C\""]),
    ("regconfig", &["simple"]),
    ("regdictionary", &["simple"]),
    ("regnamespace", &["pg_catalog"]),
    ("regoper", &["|/"]),
    ("regoperator", &["+(integer,integer)"]),
    ("regproc", &["int4in"]),
    ("regprocedure", &["abs(integer)"]),
    ("regrole", &["postgres"]),
    ("regtype", &["integer"]),
    ("aclitem", &["postgres=r/postgres"]),
    ("mood", &["null", "it's", ""]),
    ("small", &["-5"]),
    ("padded", &["x"]),
    ("pair", &["(1,null)", "(,\"it's \"\"q\"\"\")", "(,)"]),
    ("textrange", &["[a,b)", "empty", "(\"\",\"a,b\"]"]),
    ("textmultirange", &["{[a,b),[c,)}"]),
    ("ext", &["7"]),
];

/// Types of users, and one as an extension makes them.
const USERS: &str = "
CREATE TYPE mood AS ENUM ('null', 'it''s', '');
CREATE DOMAIN small AS int; CREATE DOMAIN padded AS char(4);
CREATE TYPE pair AS (a int, b text);
CREATE TYPE textrange AS RANGE (subtype = text, collation = \"C\", multirange_type_name = textmultirange);
CREATE TYPE ext;
CREATE FUNCTION ext_in(cstring) RETURNS ext LANGUAGE internal IMMUTABLE STRICT AS 'int4in';
CREATE FUNCTION ext_out(ext) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'int4out';
CREATE FUNCTION ext_send(ext) RETURNS bytea LANGUAGE internal IMMUTABLE STRICT AS 'int4send';
CREATE TYPE ext (INPUT = ext_in, OUTPUT = ext_out, SEND = ext_send, LIKE = int4);
";

const PINNED: &str = "SET client_min_messages = error; SET client_encoding = UTF8; SET DateStyle = ISO; SET IntervalStyle = postgres;
    SET TimeZone = UTC; SET extra_float_digits = 1; SET bytea_output = hex; SET lc_monetary = 'C';\n";

/// The first cell's names: of built-in types, or of a kind.
struct TableRow {
    types: Vec<String>,
    cells: HashMap<&'static str, String>,
    crates: Vec<(String, bool)>,
}

fn table() -> Vec<TableRow> {
    let lines = PAGE.lines().filter(|line| line.starts_with('|')).skip(2);
    lines
        .map(|line| {
            let cells: Vec<_> = line.trim_matches('|').split('|').map(str::trim).collect();
            assert_eq!(cells.len(), WAYS.len() + 2, "{line}");
            let crates = cells[WAYS.len() + 1].split_whitespace();
            TableRow {
                types: types_of(cells[0]),
                cells: WAYS.into_iter().zip(cells[1..].iter().map(ToString::to_string)).collect(),
                crates: crates
                    .map(|name| (name.trim_matches(['`', '*']).to_owned(), name.ends_with('*')))
                    .collect(),
            }
        })
        .collect()
}

fn types_of(cell: &str) -> Vec<String> {
    let names = |names: &[&str]| names.iter().map(ToString::to_string).collect();
    match cell {
        "arrays" => array_names(),
        "enums" => names(&["mood"]),
        "domains" => names(&["small", "padded"]),
        "composites" => names(&["pair"]),
        "ranges and multiranges of users" => names(&["textrange", "textmultirange"]),
        "base types of extensions" => names(&["ext"]),
        cell => cell.split_whitespace().map(|name| name.trim_matches('`').to_owned()).collect(),
    }
}

/// Of elements that have no limit of their own.
fn array_names() -> Vec<String> {
    let limited = |name: &str| name.starts_with("reg") || matches!(name, "aclitem" | "ext" | "tsquery");
    SAMPLES.iter().filter(|(name, _)| !limited(name)).map(|(name, _)| format!("_{name}")).collect()
}

/// What the link in a cell leads to.
fn limit(cell: &str) -> Option<&str> {
    cell.split_once("](#").map(|(_, rest)| rest.trim_end_matches(')'))
}

struct Sample {
    type_name: String,
    table: String,
    id: String,
    oid: Oid,
    text: String,
    /// What the type's send function gives, if it has one.
    binary: Option<Vec<u8>>,
}

struct Database {
    cluster: Cluster,
    types: Arc<Types>,
    samples: Vec<Sample>,
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// How SQL calls a type by its name in the catalogue.
fn sql_name(type_name: &str) -> String {
    match type_name.strip_prefix('_') {
        Some(element) => format!("\"{element}\"[]"),
        None => format!("\"{type_name}\""),
    }
}

/// Every type with the expressions of its values: those of the samples, and arrays of them.
fn expressions() -> Vec<(String, Vec<String>)> {
    let all = |name: &str, samples: &[&str]| -> Vec<_> {
        samples.iter().map(|sample| format!("{}::{}", quoted(sample), sql_name(name))).collect()
    };
    let plain = SAMPLES.iter().map(|(name, samples)| ((*name).to_owned(), all(name, samples)));
    let arrays = array_names().into_iter().map(|array| {
        let element = &array[1..];
        let (_, samples) = SAMPLES.iter().find(|(name, _)| *name == element).unwrap();
        let elements = all(element, samples).join(",");
        let name = sql_name(&array);
        let values = [
            "'{}'".to_owned(),
            format!("ARRAY[{elements},NULL]"),
            format!("ARRAY[ARRAY[{elements}],ARRAY[{elements}]]"),
        ];
        (array, values.iter().map(|value| format!("{value}::{name}")).collect())
    });
    let vectors_have_no_arrays_of_arrays = |(name, values): (String, Vec<String>)| {
        let keep = if name.ends_with("vector") && name.starts_with('_') { 2 } else { usize::MAX };
        (name, values.into_iter().take(keep).collect())
    };
    plain.chain(arrays).map(vectors_have_no_arrays_of_arrays).collect()
}

fn tables() -> String {
    let tables = expressions().into_iter().enumerate();
    tables.fold(USERS.to_owned(), |sql, (index, (name, _))| {
        sql + &format!("CREATE TABLE f_{index} (id int PRIMARY KEY, v {});\n", sql_name(&name))
    })
}

fn unhex(digits: &str) -> Vec<u8> {
    let pairs = digits.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap());
    pairs.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect()
}

/// What every row of the tables prints.
fn printed(cluster: &Cluster, database: &str) -> BTreeMap<(String, String), String> {
    let selects = (0..expressions().len()).map(|index| {
        format!(
            "SELECT 'f_{index}', id, encode(convert_to(format('%s', v), 'UTF8'), 'hex') FROM f_{index};\n"
        )
    });
    let answer = cluster.psql(database, &selects.fold(PINNED.to_owned(), |sql, select| sql + &select));
    let row = |line: &str| {
        let columns: Vec<_> = line.split('|').collect();
        ((columns[0].to_owned(), columns[1].to_owned()), String::from_utf8(unhex(columns[2])).unwrap())
    };
    answer.lines().map(row).collect()
}

impl Database {
    fn start(server: &Server) -> Self {
        let cluster = server.start();
        let mut sql = PINNED.to_owned() + &tables();
        for (index, (_, values)) in expressions().iter().enumerate() {
            for (id, value) in values.iter().enumerate() {
                writeln!(sql, "INSERT INTO f_{index} VALUES ({id}, {value});").unwrap();
            }
        }
        cluster.psql_file("postgres", format!("\\set ON_ERROR_STOP on\n{sql}").as_bytes()).unwrap();
        let mut types = support::user_types(&cluster);
        let ext = types.inserted().find(|known| known.name == "ext").unwrap().clone();
        types.insert(Type { kind: TypeKind::Base, ..ext });
        let samples = samples(&cluster);
        Self { cluster, types: Arc::new(types), samples }
    }

    fn of<'a>(&'a self, type_name: &'a str) -> impl Iterator<Item = &'a Sample> {
        self.samples.iter().filter(move |sample| sample.type_name == type_name)
    }

    fn value<'a>(&'a self, sample: &Sample, datum: Datum<'a>) -> Value<'a> {
        Value::new(datum, sample.oid, &self.types).unwrap()
    }

    fn row(&self, sample: &Sample, datum: Datum<'_>) -> Row {
        let column = |name: &str, type_oid| Column {
            name: name.into(),
            type_oid,
            type_modifier: -1,
            is_key: name == "id",
        };
        let relation = Relation {
            id: RelationId::new(16_384),
            schema: "public".into(),
            name: sample.table.clone(),
            replica_identity: ReplicaIdentity::Default,
            columns: vec![column("id", Oid::new(23)), column("v", sample.oid)],
        };
        let id = Datum::Text(sample.id.as_bytes());
        Row::with_types(Arc::new(relation), Arc::clone(&self.types), Tuple::from_datums([id, datum])).unwrap()
    }

    fn insert(&self, sample: &Sample, datum: Datum<'_>) -> Event {
        Event::Change(Change::Insert { new: self.row(sample, datum) })
    }
}

impl Sample {
    fn as_text(&self) -> Datum<'_> {
        Datum::Text(self.text.as_bytes())
    }

    /// As the server sends it if it is asked for binary.
    fn as_binary(&self) -> Datum<'_> {
        self.binary.as_deref().map_or(self.as_text(), Datum::Binary)
    }

    fn forms(&self) -> [Datum<'_>; 2] {
        [self.as_text(), self.as_binary()]
    }
}

fn samples(cluster: &Cluster) -> Vec<Sample> {
    let types = cluster.psql("postgres", "SELECT typname, oid, typsend::regproc FROM pg_type");
    let types: HashMap<_, _> = types
        .lines()
        .map(|line| {
            let columns: Vec<_> = line.split('|').collect();
            (columns[0].to_owned(), (Oid::new(columns[1].parse().unwrap()), columns[2].to_owned()))
        })
        .collect();
    let mut sql = PINNED.to_owned();
    for (index, (name, _)) in expressions().iter().enumerate() {
        let (_, send) = &types[name];
        // It has the functions of text.
        let cast = if name == "refcursor" { "::text" } else { "" };
        let binary =
            if send == "-" { "'none'".to_owned() } else { format!("encode({send}(v{cast}), 'hex')") };
        let text = "encode(convert_to(format('%s', v), 'UTF8'), 'hex')";
        writeln!(sql, "SELECT '{name}', 'f_{index}', id, {text}, {binary} FROM f_{index} ORDER BY id;")
            .unwrap();
    }
    let sample = |line: &str| {
        let columns: Vec<_> = line.split('|').collect();
        Sample {
            type_name: columns[0].to_owned(),
            table: columns[1].to_owned(),
            id: columns[2].to_owned(),
            oid: types[columns[0]].0,
            text: String::from_utf8(unhex(columns[3])).unwrap(),
            binary: (columns[4] != "none").then(|| unhex(columns[4])),
        }
    };
    cluster.psql("postgres", &sql).lines().map(sample).collect()
}

fn two_servers() -> Vec<Server> {
    let mut servers = vec![support::oldest(), support::newest()];
    servers.dedup_by_key(|server| server.major);
    servers
}

#[test]
fn the_table_names_every_type_that_a_column_can_have_once() {
    // The row of arrays says all of them, by what they are made of.
    let is_row = |known: &&Type| !matches!(known.kind, TypeKind::Pseudo | TypeKind::Array { .. });
    let expected: BTreeSet<_> =
        Types::built_in().iter().filter(is_row).map(|known| known.name.to_string()).collect();
    let of_users = ["mood", "small", "padded", "pair", "textrange", "textmultirange", "ext"];
    let names: Vec<_> = table().into_iter().flat_map(|row| row.types).collect();
    let distinct: BTreeSet<_> = names.iter().cloned().collect();
    assert_eq!(distinct.len(), names.len(), "a type stands there twice");
    let plain = |name: &String| !name.starts_with('_') && !of_users.contains(&name.as_str());
    assert_eq!(distinct.into_iter().filter(plain).collect::<BTreeSet<_>>(), expected);
}

#[test]
fn every_way_that_is_called_exact_gives_the_value_again() {
    for server in two_servers() {
        let database = Database::start(&server);
        let (mut cells, mut values) = (0, 0);
        for row in table() {
            for way in WAYS.iter().filter(|way| row.cells[**way] == "exact") {
                cells += 1;
                for sample in row.types.iter().flat_map(|name| database.of(name)) {
                    let place =
                        format!("on {}: {way} of {}: {}", server.major, sample.type_name, sample.text);
                    values += 1;
                    goes(way, &database, sample, &place);
                }
            }
            for name in &row.types {
                let is_servers = limit(&row.cells["text"]) == Some("server");
                assert!(is_servers || database.of(name).count() > 0, "no value of {name}");
            }
        }
        println!("PostgreSQL {}: {cells} cells, {values} values", server.major);
        scripts_arrive(&database, &server);
    }
}

fn goes(way: &str, database: &Database, sample: &Sample, place: &str) {
    match way {
        "text" => {
            let value = database.value(sample, sample.as_text());
            assert_eq!(value.to_text().unwrap(), sample.text, "{place}");
            assert_eq!(Some(&*value.to_binary().expect(place)), sample.binary.as_deref(), "{place}");
        }
        "binary" => {
            let value = database.value(sample, sample.as_binary());
            assert!(matches!(value.datum(), Datum::Binary(_)), "{place}");
            assert_eq!(value.to_text().expect(place), sample.text, "{place}");
        }
        // All at once, in `scripts_arrive`.
        "SQL from text" | "SQL from binary" => {}
        "JSON" => {
            for datum in sample.forms() {
                let event = database.insert(sample, datum);
                let (mut lines, mut json) = (Lines::default(), Vec::new());
                lines.event(&mut json, &event).unwrap();
                let read: Vec<_> = Reader::new(json.as_slice()).map(Result::unwrap).collect();
                assert_eq!(read, [event], "{place}");
            }
        }
        "friendly JSON" => {
            for datum in sample.forms() {
                assert_eq!(text_of_json(friendly(database, sample, datum).get()), sample.text, "{place}");
            }
        }
        "Rust" => {
            for datum in sample.forms() {
                let row = database.row(sample, datum);
                assert_eq!(row.read::<String>("v").expect(place), sample.text);
                let (_, text): (i32, String) = row.deserialize().expect(place);
                assert_eq!(text, sample.text);
            }
        }
        other => panic!("{other}"),
    }
}

fn friendly(database: &Database, sample: &Sample, datum: Datum<'_>) -> Box<RawValue> {
    #[derive(Deserialize)]
    struct Line {
        new: HashMap<String, Box<RawValue>>,
    }
    let (mut lines, mut json) = (Lines::default().mapping(Mapping::Friendly), Vec::new());
    lines.event(&mut json, &database.insert(sample, datum)).unwrap();
    let json = String::from_utf8(json).unwrap();
    let mut line: Line = serde_json::from_str(json.lines().last().unwrap()).unwrap();
    line.new.remove("v").unwrap()
}

/// What the server printed, if it became a truth, a number or a string.
fn text_of_json(json: &str) -> String {
    match json {
        "true" => "t".to_owned(),
        "false" => "f".to_owned(),
        json if json.starts_with('"') => serde_json::from_str(json).unwrap(),
        number => {
            assert!(number.parse::<f64>().is_ok(), "{number}");
            number.to_owned()
        }
    }
}

/// What the cells say of SQL: the rows of both scripts print in another database as they do here.
fn scripts_arrive(database: &Database, server: &Server) {
    let here = printed(&database.cluster, "postgres");
    for (way, target) in [("SQL from text", "of_text"), ("SQL from binary", "of_binary")] {
        let (mut script, mut sql, mut expected) =
            (Script::new(Catalog::default()), Vec::new(), BTreeMap::new());
        for row in table() {
            // The limit of tsquery is one that its text doesn't show.
            if row.cells[way] != "exact" && limit(&row.cells[way]) != Some("grouping") {
                continue;
            }
            for sample in row.types.iter().flat_map(|name| database.of(name)) {
                let datum = if way == "SQL from text" { sample.as_text() } else { sample.as_binary() };
                script.event(&mut sql, &database.insert(sample, datum)).unwrap();
                let key = (sample.table.clone(), sample.id.clone());
                expected.insert(key.clone(), here[&key].clone());
            }
        }
        database.cluster.create_database(target);
        database.cluster.psql(target, &format!("SET client_min_messages = error; {}", tables()));
        database.cluster.play(target, &sql).unwrap_or_else(|error| panic!("{way}: {error}"));
        let arrived = printed(&database.cluster, target);
        for (key, text) in &expected {
            assert_eq!(arrived.get(key), Some(text), "on {}: {way}, {key:?}", server.major);
        }
        assert_eq!(arrived.len(), expected.len());
    }
}

type Limit = (&'static str, fn(&Database));

const LIMITS: &[Limit] = &[
    ("money", |database| {
        for text in ["1.234,50 €", "£1.00", "$1.5"] {
            let sample = database.of("money").next().unwrap();
            let value = database.value(sample, Datum::Text(text.as_bytes()));
            assert!(matches!(value.to_binary().unwrap_err().kind(), ValueErrorKind::Malformed { .. }));
            assert_eq!(value.to_text().unwrap(), text);
        }
        database.of("money").for_each(|sample| goes("text", database, sample, "in C"));
    }),
    ("null", |database| {
        for name in ["json", "jsonb"] {
            let null = database.of(name).find(|sample| sample.text == "null").unwrap();
            assert_eq!(friendly(database, null, null.as_text()).get(), "null");
            assert_eq!(friendly(database, null, Datum::Null).get(), "null");
            for sample in database.of(name) {
                let [text, binary] = sample.forms().map(|datum| friendly(database, sample, datum));
                assert_eq!(text.get(), binary.get());
            }
        }
    }),
    ("grouping", |database| {
        let sample = database.of("tsquery").last().unwrap();
        assert_eq!(sample.text, "'a' & 'b' & 'c'");
        let ours = database.value(sample, sample.as_text()).to_binary().unwrap();
        assert_ne!(Some(&*ours), sample.binary.as_deref());
        assert_eq!(database.value(sample, Datum::Binary(&ours)).to_text().unwrap(), sample.text);
        let again = database
            .cluster
            .psql("postgres", "SELECT encode(tsquerysend('''a'' & ''b'' & ''c'''::tsquery), 'hex')");
        assert_eq!(unhex(&again), *ours, "the server reads its text so, too");
        let others = database.of("tsquery").take(database.of("tsquery").count() - 1);
        others.for_each(|sample| goes("text", database, sample, "without equal operators"));
    }),
    ("name", |database| {
        let row = table().into_iter().find(|row| limit(&row.cells["binary"]) == Some("name")).unwrap();
        for sample in row.types.iter().flat_map(|name| database.of(name)) {
            has_one_form(database, sample);
            let number: Oid = database.value(sample, sample.as_binary()).read().unwrap();
            assert_eq!(u32::from(number).to_be_bytes().as_slice(), sample.binary.as_deref().unwrap());
        }
    }),
    ("text", |database| {
        database.of("ext").for_each(|sample| has_one_form(database, sample));
        for sample in database.of("aclitem") {
            assert_eq!(sample.binary, None, "the server has no binary form");
            let value = database.value(sample, sample.as_binary());
            assert_eq!(value.to_text().unwrap(), sample.text);
            assert_eq!(value.to_binary().unwrap_err().kind(), &ValueErrorKind::OneForm);
        }
    }),
    ("server", |database| {
        let row = table().into_iter().find(|row| limit(&row.cells["text"]) == Some("server")).unwrap();
        for name in row.types {
            let refused = database.cluster.try_psql("postgres", &format!("SELECT ''::{}", sql_name(&name)));
            let error = refused.unwrap_err();
            assert!(
                ["cannot accept a value", "not implemented"].iter().any(|told| error.contains(told)),
                "{error}"
            );
        }
    }),
    ("parts", |database| {
        let expect = |name: &str, text: &str, json: &str| {
            let sample = database.of(name).next().unwrap();
            assert_eq!(friendly(database, sample, Datum::Text(text.as_bytes())).get(), json);
        };
        expect("_int4", "{1,NULL}", "[1,null]");
        expect("_int4", "[0:0]={1}", "\"[0:0]={1}\"");
        expect("_json", "{null,NULL}", "[null,null]");
        expect("pair", "(1,null)", r#"{"a":1,"b":"null"}"#);
        for sample in array_names().iter().chain([&"pair".to_owned()]).flat_map(|name| database.of(name)) {
            let [text, binary] = sample.forms().map(|datum| friendly(database, sample, datum));
            assert_eq!(text.get(), binary.get(), "{}", sample.type_name);
        }
    }),
];

/// Neither form becomes the other, and each goes where it can go as it is.
fn has_one_form(database: &Database, sample: &Sample) {
    let (text, binary) =
        (database.value(sample, sample.as_text()), database.value(sample, sample.as_binary()));
    assert_eq!(text.to_text().unwrap(), sample.text);
    assert_eq!(text.to_binary().unwrap_err().kind(), &ValueErrorKind::OneForm, "{}", sample.type_name);
    assert_eq!(binary.to_text().unwrap_err().kind(), &ValueErrorKind::OneForm, "{}", sample.type_name);
    let mut script = Script::new(Catalog::default());
    let refused = script.event(&mut Vec::new(), &database.insert(sample, sample.as_binary())).unwrap_err();
    assert!(matches!(refused, SqlError::Binary { .. }), "{refused}");
    assert!(friendly(database, sample, sample.as_binary()).get().starts_with(r#"{"binary":""#));
    assert_eq!(text_of_json(friendly(database, sample, sample.as_text()).get()), sample.text);
    assert_eq!(database.row(sample, sample.as_text()).read::<String>("v").unwrap(), sample.text);
    database.row(sample, sample.as_binary()).read::<String>("v").unwrap_err();
    database.row(sample, sample.as_binary()).deserialize::<(i32, String)>().unwrap_err();
}

#[test]
fn every_limit_is_one_and_is_told() {
    let cells: BTreeSet<_> = table()
        .iter()
        .flat_map(|row| row.cells.values())
        .filter_map(|cell| limit(cell).map(str::to_owned))
        .collect();
    let told = PAGE.split("<a id=\"").skip(1).filter_map(|rest| rest.split('"').next()).map(str::to_owned);
    let shown: BTreeSet<_> = LIMITS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!((&cells, &told.collect()), (&shown, &shown));
    for row in table() {
        for cell in row.cells.values() {
            assert!(cell == "exact" || limit(cell).is_some(), "{cell}");
        }
    }
    for server in two_servers() {
        let database = Database::start(&server);
        for (_, is_shown) in LIMITS {
            is_shown(&database);
        }
    }
}

/// Through another crate's type and back: none if that type can't hold it.
type Foreign = (&'static str, &'static str, fn(&Value<'_>) -> Option<String>);

macro_rules! foreign {
    ($($name:literal: $crate_name:literal, $own:ty => $foreign:ty;)+) => {
        &[$(($name, $crate_name, |value| {
            let foreign: $foreign = match value.read() {
                Ok(foreign) => foreign,
                Err(error) if matches!(error.kind(), ValueErrorKind::OutOfRange { .. }) => return None,
                Err(error) => panic!("{error}"),
            };
            Some(<$own>::try_from(foreign).unwrap().to_string())
        })),+]
    };
}

const FOREIGN: &[Foreign] = foreign! {
    "numeric": "rust_decimal", Numeric => rust_decimal::Decimal;
    "numeric": "bigdecimal", Numeric => bigdecimal::BigDecimal;
    "date": "chrono", Date => chrono::NaiveDate;
    "date": "jiff", Date => jiff::civil::Date;
    "date": "time", Date => time::Date;
    "time": "chrono", Time => chrono::NaiveTime;
    "time": "jiff", Time => jiff::civil::Time;
    "time": "time", Time => time::Time;
    "timestamp": "chrono", LocalDateTime => chrono::NaiveDateTime;
    "timestamp": "jiff", LocalDateTime => jiff::civil::DateTime;
    "timestamp": "time", LocalDateTime => time::PrimitiveDateTime;
    "timestamptz": "chrono", Timestamp => chrono::DateTime<chrono::Utc>;
    "timestamptz": "jiff", Timestamp => jiff::Timestamp;
    "timestamptz": "time", Timestamp => time::OffsetDateTime;
    "interval": "chrono", Interval => chrono::TimeDelta;
    "interval": "jiff", Interval => jiff::Span;
    "interval": "time", Interval => time::Duration;
    "uuid": "uuid", Uuid => uuid::Uuid;
    "inet": "ipnetwork", Inet => ipnetwork::IpNetwork;
    "cidr": "ipnetwork", Cidr => ipnetwork::IpNetwork;
    "bit": "bit-vec", Bits<'_> => bit_vec::BitVec;
    "varbit": "bit-vec", Bits<'_> => bit_vec::BitVec;
    "point": "geo-types", Point => geo_types::Point<f64>;
    "lseg": "geo-types", Lseg => geo_types::Line<f64>;
    "box": "geo-types", GeoBox => geo_types::Rect<f64>;
    "path": "geo-types", Path => geo_types::LineString<f64>;
};

#[test]
fn other_crates_hold_a_value_exactly_or_refuse_it() {
    let database = Database::start(&support::newest());
    let mut named = BTreeSet::new();
    for row in table() {
        for (name, (crate_name, refuses)) in
            row.types.iter().flat_map(|name| row.crates.iter().map(move |c| (name, c)))
        {
            let place = format!("{name} as {crate_name}");
            let entry = FOREIGN.iter().find(|(of, with, _)| of == name && with == crate_name);
            let (of, with, through) = entry.unwrap_or_else(|| panic!("{place} is not tried"));
            named.insert((*of, *with));
            let mut refused = 0;
            for sample in database.of(name) {
                for datum in sample.forms() {
                    match through(&database.value(sample, datum)) {
                        Some(text) => assert_eq!(text, sample.text, "{place}"),
                        None => refused += 1,
                    }
                }
            }
            assert!(refused < 2 * database.of(name).count(), "{place} holds nothing");
            assert_eq!(refused > 0, *refuses, "{place}: a star is for what refuses");
        }
    }
    assert_eq!(named.len(), FOREIGN.len(), "all that can be converted is in the table");
}
