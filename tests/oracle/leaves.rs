//! The built-in types that hold no others, and values that are hard for each.

use super::values;
use crate::support::Random;
use crate::support::sql::quoted;

/// A type that a column can have, with or without a modifier.
#[derive(Debug)]
pub(super) struct Leaf {
    pub(super) name: &'static str,
    /// Whether there is an order on it, so that ranges can be made of it.
    pub(super) ordered: bool,
    /// Literals without quotes.
    edges: &'static [&'static str],
    /// An expression for a random value; without one the edges are all there is.
    random: Option<fn(&mut Random) -> String>,
}

impl Leaf {
    /// An expression for a value of the type.
    pub(super) fn value(&self, random: &mut Random) -> String {
        match self.random {
            Some(make) if random.one_in(2) => format!("({})::{}", make(random), self.name),
            _ => format!("{}::{}", quoted(random.pick(self.edges)), self.name),
        }
    }

    /// It has no binary form, so that an array or a composite with one in it has none either.
    pub(super) fn has_no_binary_form(&self) -> bool {
        self.name == "aclitem"
    }
}

const fn leaf(
    name: &'static str,
    random: Option<fn(&mut Random) -> String>,
    edges: &'static [&'static str],
) -> Leaf {
    Leaf { name, ordered: true, edges, random }
}

const fn unordered(
    name: &'static str,
    random: Option<fn(&mut Random) -> String>,
    edges: &'static [&'static str],
) -> Leaf {
    Leaf { name, ordered: false, edges, random }
}

/// No value of these can be written as SQL: no column of a user's table has one.
pub(super) const NOT_IN_TABLES: &[&str] = &[
    "gtsvector",
    "pg_brin_bloom_summary",
    "pg_brin_minmax_multi_summary",
    "pg_dependencies",
    "pg_mcv_list",
    "pg_ndistinct",
    "pg_node_tree",
];

const WORDS: &[&str] =
    &["", " ", "  ", "null", "NULL", "nullable", "a", "a ", " a", "\\N", "\\.", "''", "E''"];
const OIDS: &[&str] = &["0", "1", "2147483648", "4294967295"];
const BITS: &[&str] = &["0", "1", "01", "10", "1111111", "11111111", "111111110"];

/// In random tables each of them has a column.
pub(super) const LEAVES: &[Leaf] = &[
    leaf("bool", None, &["t", "f"]),
    leaf("int2", Some(values::int2), &["0", "-1", "32767", "-32768"]),
    leaf("int4", Some(values::int4), &["0", "-1", "2147483647", "-2147483648"]),
    leaf("int8", Some(values::int8), &["0", "-1", "9223372036854775807", "-9223372036854775808"]),
    leaf("text", Some(values::text), WORDS),
    leaf("varchar", Some(values::text), WORDS),
    leaf("varchar(3)", Some(values::text), WORDS),
    leaf("bpchar", Some(values::text), WORDS),
    leaf("char(1)", Some(values::text), WORDS),
    leaf("char(5)", Some(values::text), WORDS),
    leaf("name", Some(values::text), WORDS),
    leaf("\"char\"", Some(values::internal_char), &["", "a", "'", "\\", " "]),
    unordered("refcursor", Some(values::text), WORDS),
    leaf("bytea", Some(values::bytea), &["", "\\x", "\\x00", "\\x5c78", "\\xff5c27", "null", "\\\\x00"]),
    leaf(
        "float8",
        Some(values::float8),
        &[
            "0",
            "-0",
            "NaN",
            "Infinity",
            "-Infinity",
            "5e-324",
            "-5e-324",
            "2.2250738585072014e-308",
            "1.7976931348623157e308",
            "1e300",
            "1e-300",
            "1e23",
            "0.1",
            "9007199254740993",
            "1e15",
            "1e16",
            "0.0001",
            "0.00001",
        ],
    ),
    leaf(
        "float4",
        Some(values::float4),
        &["0", "-0", "NaN", "Infinity", "-Infinity", "1e-45", "3.4028235e38", "0.1", "16777216", "1e15"],
    ),
    leaf(
        "numeric",
        Some(values::numeric),
        &[
            "0",
            "0.00",
            "-0.0",
            "1.0",
            "1.00",
            "NaN",
            "Infinity",
            "-Infinity",
            "9999.9999",
            "10000",
            "1e400",
            "1e-400",
            "12345678901234567890",
        ],
    ),
    leaf("numeric(10,3)", Some(values::small_numeric), &["0", "1.5", "-1234567.891", "NaN"]),
    leaf("numeric(1000,500)", Some(values::small_numeric), &["0", "1e-500", "1e499"]),
    leaf(
        "money",
        Some(values::money),
        &["0", "-0.01", "-92233720368547758.08", "92233720368547758.07", "1000"],
    ),
    leaf(
        "date",
        Some(values::date),
        &[
            "infinity",
            "-infinity",
            "4713-01-01 BC",
            "0001-02-28 BC",
            "0001-02-29 BC",
            "0001-12-31 BC",
            "0001-01-01",
            "0099-12-31",
            "1582-10-10",
            "9999-12-31",
            "10000-01-01",
            "5874897-12-31",
        ],
    ),
    leaf(
        "time",
        Some(values::time),
        &["24:00:00", "00:00", "23:59:59.999999", "00:00:00.000001", "12:00:00.1"],
    ),
    leaf("time(0)", Some(values::time), &["24:00:00"]),
    leaf(
        "timetz",
        Some(values::timetz),
        &["24:00:00+15:59:59", "00:00:00-15:59:59", "12:00+05:30", "12:00-00:00:01", "06:30+00"],
    ),
    leaf("timetz(3)", Some(values::timetz), &["24:00:00-15:59:59"]),
    leaf(
        "timestamp",
        Some(values::timestamp),
        &[
            "infinity",
            "-infinity",
            "4713-01-01 BC",
            "0044-03-15 12:00 BC",
            "0001-12-31 23:59:59.999999 BC",
            "294276-12-31 23:59:59.999999",
            "1999-12-31 23:59:59.999999",
        ],
    ),
    leaf("timestamp(2)", Some(values::timestamp), &["0001-02-28 BC"]),
    leaf(
        "timestamptz",
        Some(values::timestamptz),
        &[
            "infinity",
            "-infinity",
            "0001-02-28 BC",
            "0044-03-15 12:00+05:53:28 BC",
            "2024-03-31 02:30:00.000001+01",
            "1883-11-18 12:03:58-04:56:02",
            "294276-12-31 23:59:59.999999+00",
        ],
    ),
    leaf("timestamptz(0)", Some(values::timestamptz), &["infinity"]),
    leaf(
        "interval",
        Some(values::interval),
        &[
            "0",
            "1 day",
            "24:00",
            "30 days",
            "1 mon",
            "12 mons",
            "1 year -2 mons 3 days -04:05:06.789",
            "-1 day +00:00:01",
            "-1 mons +1 day -00:00:00.000001",
            "178000000 years",
        ],
    ),
    leaf("interval(3)", Some(values::interval), &["-00:00:00.001"]),
    leaf("interval year to month", None, &["1 year -3 mons", "-11 mons"]),
    leaf("uuid", Some(values::uuid), &["00000000-0000-0000-0000-000000000000"]),
    leaf(
        "inet",
        Some(values::inet),
        &[
            "0.0.0.0/0",
            "192.168.0.1/24",
            "192.168.0.1",
            "::",
            "::1",
            "::/0",
            "::ffff:1.2.3.4",
            "64:ff9b::1.2.3.4",
        ],
    ),
    leaf("cidr", Some(values::cidr), &["10.0.0.0/8", "0.0.0.0/0", "::/0", "1.2.3.4", "::ffff:1.2.3.4/128"]),
    leaf("macaddr", Some(values::macaddr), &["00:00:00:00:00:00"]),
    leaf("macaddr8", Some(values::macaddr8), &["ff:ff:ff:ff:ff:ff:ff:ff"]),
    leaf("bit", None, &["0", "1"]),
    leaf("bit(13)", Some(values::bits), BITS),
    leaf("varbit", Some(values::bits), &["", "0", "1", "01"]),
    leaf("varbit(9)", Some(values::bits), BITS),
    leaf("oid", Some(values::uint4), OIDS),
    unordered("xid", Some(values::uint4), OIDS),
    unordered("cid", Some(values::uint4), OIDS),
    leaf("xid8", Some(values::uint8), &["0", "18446744073709551615"]),
    leaf("tid", Some(values::tid), &["(0,0)", "(4294967295,65535)"]),
    leaf("pg_lsn", Some(values::pg_lsn), &["0/0", "FFFFFFFF/FFFFFFFF", "16/B374D848"]),
    unordered("pg_snapshot", Some(values::snapshot), &["1:1:", "10:20:10,14,19"]),
    unordered("txid_snapshot", Some(values::snapshot), &["1:1:", "10:20:10,14,19"]),
    unordered("int2vector", Some(values::int2vector), &["", "0", "-32768 32767"]),
    unordered("oidvector", Some(values::oidvector), &["", "0", "1 4294967295"]),
    unordered(
        "json",
        Some(values::json),
        &[
            "null",
            "\"null\"",
            "{\"a\":null}",
            " { \"a\" : 1, \"a\": 1e400 } ",
            "[\n1,\t12345678901234567890]",
            "\"\\u0000\"",
            "-0.00e-1",
        ],
    ),
    leaf(
        "jsonb",
        Some(values::json),
        &[
            "null",
            "\"null\"",
            "{\"a\":null,\"b\":1.10}",
            "{\"a\":1,\"a\":2}",
            "12345678901234567890",
            "1e400",
            "1.00",
            "[]",
            "{}",
            "\"\\\\ ' \\u00e9\"",
        ],
    ),
    unordered(
        "jsonpath",
        Some(values::jsonpath),
        &["$", "strict $.\"a'b\"[*] ? (@.c > 1.50)", "$ ? (@ == \"null\")", "$.**{2 to last}.size()"],
    ),
    unordered(
        "xml",
        Some(values::xml),
        &[
            "",
            "null",
            "<a/>",
            "<a></a>",
            " text only ",
            "<?xml version=\"1.0\"?><a/>",
            "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?><a>é</a>",
            "<a b=\"c\">it's &amp; \\</a><b/>",
            "<a><![CDATA[<null>]]></a>",
        ],
    ),
    unordered("point", Some(values::point), &["(1.5,-0)", "(NaN,Infinity)", "(5e-324,-1e300)"]),
    unordered("lseg", Some(values::lseg), &["[(0,0),(1,-0)]", "[(NaN,1),(Infinity,-Infinity)]"]),
    unordered("box", Some(values::r#box), &["(1,1),(0,0)", "(0,-0),(0,-0)", "(Infinity,1),(-Infinity,NaN)"]),
    unordered("path", Some(values::path), &["[(0,0)]", "((0,0))", "((0,0),(1,1))", "[(0,0),(1,1),(1,1)]"]),
    unordered("polygon", Some(values::polygon), &["((0,0))", "((0,0),(1,1),(1,0))"]),
    unordered("line", Some(values::line), &["{1,0,-0}", "{0,-1,5e-324}"]),
    unordered("circle", Some(values::circle), &["<(0,0),0>", "<(NaN,-Infinity),Infinity>"]),
    leaf("tsvector", Some(values::tsvector), &["", "'it''s':1A,2 b", "'a b':3", "'\\\\':16383"]),
    leaf("tsquery", Some(values::tsquery), &["", "'a b' & !c:*AB", "a <-> b", "a <16384> (b | c)", "!!a"]),
    unordered("aclitem", None, &["postgres=r/postgres", "=r*w/postgres", "postgres=arwdDxt*/postgres"]),
    unordered("regproc", None, &["-", "0", "now", "pg_catalog.pi", "123456789"]),
    unordered("regprocedure", None, &["-", "abs(integer)", "pi()", "pg_catalog.substring(text,text)"]),
    unordered("regoper", None, &["0", "||/", "pg_catalog.|/"]),
    unordered("regoperator", None, &["0", "+(integer,integer)", "-(NONE,integer)", "=(text,text)"]),
    unordered(
        "regclass",
        None,
        &["-", "pg_class", "pg_catalog.pg_type", "information_schema.tables", "987654321"],
    ),
    unordered("regtype", None, &["-", "int4", "timestamp with time zone", "\"char\"", "text[]", "bpchar"]),
    unordered("regconfig", None, &["-", "simple", "pg_catalog.english"]),
    unordered("regdictionary", None, &["-", "simple", "english_stem"]),
    unordered("regnamespace", None, &["-", "pg_catalog", "public"]),
    unordered("regrole", None, &["-", "postgres", "pg_monitor"]),
    unordered("regcollation", None, &["-", "\"C\"", "\"POSIX\"", "pg_catalog.default"]),
];
