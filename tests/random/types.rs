//! Types, and values that are hard for each.

/// What stands before the tables, on both sides.
pub(super) const PRELUDE: &str = r#"
SET client_min_messages = error;
CREATE SCHEMA "S.""x";
CREATE TABLE here (id int PRIMARY KEY);
CREATE TYPE "S.""x"."Mood'\" AS ENUM ('null', 'it''s', 'a,b', 'back\slash', '"q"', '{}', ' ', 'NULL');
CREATE TYPE "S.""x".pair AS (a int, "b ""c" text);
CREATE TYPE "S.""x".nest AS (p "S.""x".pair, r regclass, gone int, a text[]);
ALTER TYPE "S.""x".nest DROP ATTRIBUTE gone;
CREATE DOMAIN "S.""x"."Small ""int" AS int CHECK (VALUE < 1000);
CREATE DOMAIN "S.""x".word AS text;
CREATE DOMAIN "S.""x".padded AS char(4);
CREATE DOMAIN "S.""x".one AS "S.""x".pair;
CREATE DOMAIN "S.""x".object AS regclass;
CREATE TYPE "S.""x".span AS RANGE (subtype = text, collation = "C");
"#;

#[derive(Debug)]
pub(super) struct Type {
    pub(super) name: &'static str,
    /// Whether an index can order it.
    pub(super) ordered: bool,
    /// Literals without quotes.
    pub(super) values: &'static [&'static str],
}

const fn ordered(name: &'static str, values: &'static [&'static str]) -> Type {
    Type { name, ordered: true, values }
}

const fn unordered(name: &'static str, values: &'static [&'static str]) -> Type {
    Type { name, ordered: false, values }
}

const WORDS: &[&str] = &[
    "",
    " ",
    "  ",
    "null",
    "NULL",
    "it's",
    "\\",
    "\\N",
    "\\.",
    "a",
    "A",
    "a ",
    "{}",
    "\"q\"",
    ":id",
    "$$x$$",
    "é",
    "e\u{301}",
    "🚢",
    "line\nfeed",
    "cr\r\n",
    "tab\t",
    "\u{1b}[2J",
    "%s",
    "-- x",
    "/*",
    "); --",
    "E'x'",
    "\u{feff}",
    "\u{2028}",
    "\u{7f}\u{80}",
];

/// The first two can be made from a number: see `Column::series`.
pub(super) const TYPES: &[Type] = &[
    ordered("int4", &["0", "1", "-1", "2147483647", "-2147483648", "42"]),
    ordered("text", WORDS),
    ordered("int8", &["0", "9223372036854775807", "-9223372036854775808", "7"]),
    ordered("int2", &["0", "32767", "-32768"]),
    ordered(
        "numeric",
        &[
            "0",
            "0.00",
            "1.0",
            "1.00",
            "NaN",
            "Infinity",
            "-Infinity",
            "-0.0001",
            "1e-20",
            "1e100",
            "12345678901234567890.123",
        ],
    ),
    ordered("numeric(10,3)", &["0", "1.5", "-1234567.891", "NaN"]),
    ordered(
        "float8",
        &["0", "-0", "NaN", "Infinity", "-Infinity", "1e-307", "5e-324", "0.1", "1.7976931348623157e308"],
    ),
    ordered("float4", &["0", "-0", "NaN", "Infinity", "1e-45", "0.1", "16777216"]),
    ordered("varchar(20)", &["", " ", "null", "it's", "\\", "a ", "a", "表", "\r"]),
    ordered("char(5)", &["", "a", "a b", "é", "'", "null"]),
    ordered("bpchar", &["", " ", "a", "a ", "a  ", "null"]),
    ordered("name", &["", "a", "it's", "\\", "A b"]),
    ordered("\"char\"", &["", "a", "'", "\\"]),
    ordered("bytea", &["", "\\x00", "\\xff5c27", "\\x5c5c", "null"]),
    ordered("bool", &["t", "f"]),
    ordered(
        "date",
        &[
            "infinity",
            "-infinity",
            "4713-01-01 BC",
            "0001-02-28 BC",
            "5874897-12-31",
            "2024-02-29",
            "0012-11-10",
        ],
    ),
    ordered("time", &["24:00:00", "00:00", "23:59:59.999999"]),
    ordered("timetz", &["24:00:00+15:59:59", "00:00:00-15:59", "12:00+05:30", "06:30+00"]),
    ordered(
        "timestamp",
        &["infinity", "-infinity", "4713-01-01 BC", "294276-12-31 23:59:59.999999", "2024-02-29 12:34:56.7"],
    ),
    ordered("timestamptz", &["infinity", "-infinity", "0001-02-28 BC", "2024-03-31 02:30:00.000001+01"]),
    ordered(
        "interval",
        &[
            "0",
            "1 day",
            "24:00",
            "30 days",
            "1 mon",
            "1 year -2 mons 3 days -04:05:06.789",
            "-1 day +00:00:01",
        ],
    ),
    ordered("uuid", &["a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "00000000-0000-0000-0000-000000000000"]),
    ordered("inet", &["192.168.0.1/24", "192.168.0.1", "::1", "::ffff:1.2.3.4"]),
    ordered("cidr", &["10.0.0.0/8", "::/0"]),
    ordered("macaddr", &["08:00:2b:01:02:03"]),
    ordered("bit(3)", &["101", "000"]),
    ordered("varbit", &["", "1", "0", "01"]),
    ordered("money", &["-$1,234.50", "$0.00", "92233720368547758.07"]),
    ordered("pg_lsn", &["0/0", "16/B374D848"]),
    ordered("oid", &["0", "4294967295"]),
    ordered("tid", &["(0,1)", "(4294967295,65535)"]),
    ordered("xid8", &["0", "18446744073709551615"]),
    ordered("jsonb", &["null", "\"null\"", "{}", "{\"a\":null,\"b\":1.10}", "1.0", "1.00", "\"\\\\ '\""]),
    ordered("tsvector", &["", "'it''s':1A,2 b", "'a b':3"]),
    ordered("tsquery", &["", "'a b' & !c:*AB", "a <-> b"]),
    ordered("int4[]", &["{}", "{1,NULL,3}", "[-1:0][2:3]={{1,2},{3,4}}"]),
    ordered(
        "text[]",
        &[
            "{}",
            "{NULL,\"NULL\",null,\"\",a\\\\b,\"q\\\"q\",\" \"}",
            "{{a,b},{c,NULL}}",
            "[0:1]={x,y}",
            "{\"cr\r\n\"}",
        ],
    ),
    ordered("numeric[]", &["{1.0}", "{1.00}", "{NaN,NULL}"]),
    ordered("bpchar[]", &["{a}", "{\"a \"}", "{}"]),
    ordered("int4range", &["[1,5)", "empty", "(,)"]),
    ordered("numrange", &["[1.0,1.00]", "(,6]", "empty", "[1.00,1.0]"]),
    ordered("tstzrange", &["[2024-01-01 00:00+00,infinity)", "(,)"]),
    ordered("int4multirange", &["{}", "{[1,3),[5,7)}"]),
    ordered("oidvector", &["", "1 2"]),
    ordered("regclass", &["pg_class", "here", "-", "\"S.\"\"x\".pair"]),
    ordered("regclass[]", &["{pg_class}", "{here,NULL}", "{\"\\\"S.\\\"\\\"x\\\".pair\"}", "{}"]),
    ordered("regtype", &["int4", "\"S.\"\"x\".pair", "timestamp with time zone"]),
    ordered("\"S.\"\"x\".\"Mood'\\\"", &["null", "it's", "a,b", "back\\slash", "{}", " ", "NULL"]),
    ordered("\"S.\"\"x\".\"Mood'\\\"[]", &["{\"null\",\"it's\",\"a,b\",\" \",NULL,\"NULL\"}", "{}"]),
    ordered("\"S.\"\"x\".pair", &["(1,null)", "(,)", "(,\"\")", "(2,\"a\"\"b\\\\c,(d)\")"]),
    ordered("\"S.\"\"x\".pair[]", &["{}", "{\"(1,a)\",NULL,\"(,)\"}"]),
    ordered(
        "\"S.\"\"x\".nest",
        &["(,,)", "(\"(1,\"\"x y\"\")\",here,\"{a,NULL}\")", "(,\"\"\"S.\"\"\"\"x\"\".pair\",{})"],
    ),
    ordered("\"S.\"\"x\".\"Small \"\"int\"", &["999", "-5"]),
    ordered("\"S.\"\"x\".word", WORDS),
    ordered("\"S.\"\"x\".padded", &["", "a", "ab c", "'"]),
    ordered("\"S.\"\"x\".one", &["(1,null)", "(,)"]),
    ordered("\"S.\"\"x\".object", &["pg_class", "\"S.\"\"x\".pair"]),
    ordered("\"S.\"\"x\".span", &["[a,b)", "empty", "[\"\",\" \"]", "(,\"it's \\\\\\\\\")"]),
    unordered(
        "json",
        &["null", "\"null\"", " { \"a\" : null, \"a\": 1e400 } ", "[\n1,\t2]", "{\"a\":1}", "{\"a\": 1}"],
    ),
    unordered(
        "xml",
        &["", "<a/>", "<a></a>", "text only", "<?xml version=\"1.0\"?><a/>", "<a b=\"c\">it's &amp; \\</a>"],
    ),
    unordered("point", &["(1.5,-0)", "(NaN,Infinity)", "(1,1)"]),
    unordered("box", &["(1,1),(0,0)"]),
    unordered("box[]", &["{(1,1),(0,0);(2,2),(1,1)}", "{}"]),
    unordered("path", &["[(0,0),(1,1)]", "((0,0),(1,1))"]),
    unordered("circle", &["<(0,0),1>"]),
    unordered("jsonpath", &["$.\"a\"[*] ? (@ > 1)"]),
    unordered("xid", &["0", "4294967295"]),
    unordered("cid", &["0", "7"]),
    unordered("aclitem", &["postgres=r/postgres", "=r*/postgres"]),
    unordered("int2vector", &["", "1 2"]),
    unordered("pg_snapshot", &["10:20:10,14"]),
    unordered("refcursor", &["", "null", "it's"]),
    unordered("json[]", &["{NULL,\"null\",\"{\\\"a\\\": 1}\"}", "{}"]),
    unordered("xml[]", &["{<a/>,NULL,\"\"}"]),
];
