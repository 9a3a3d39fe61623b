//! What a column can hold.

use crate::support::sql::quoted;
use crate::support::{Random, hostile};
use crate::types::TYPES;

/// Types of the model's own, beside those of [`crate::types::PRELUDE`].
pub(crate) const TYPES_OF_KEYS: &str = r"
CREATE TYPE public.rank AS ENUM ('null', 'it''s', 'B', 'a', '\', '', 'NULL', '{}');
CREATE DOMAIN public.code AS text CHECK (length(VALUE) < 5000);
CREATE DOMAIN public.small AS int CHECK (VALUE < 100000);
CREATE TYPE public.duo AS (a int, b text);
";

/// How many values a key has: few, so that rows meet.
const KEYS: usize = 24;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A type that keys have: see [`KEY_TYPES`].
    Key(usize),
    /// One of [`TYPES`].
    Hard(usize),
    /// Text that is stored out of line.
    Big,
    /// A range that may not overlap another.
    Span,
}

/// The first is the number that partitions go by, and the first two can be identities.
const KEY_TYPES: [&str; 22] = [
    "int4",
    "int8",
    "text",
    "uuid",
    "numeric",
    "timestamptz",
    "varchar(30)",
    "char(6)",
    "public.rank",
    "public.code",
    "public.small",
    "float8",
    "bytea",
    "date",
    "interval",
    "jsonb",
    "text[]",
    "public.duo",
    "inet",
    "int2",
    "bool",
    "text COLLATE \"C\"",
];

impl Kind {
    pub(crate) const NUMBER: Self = Self::Key(0);

    pub(crate) fn of_key(random: &mut Random) -> Self {
        let all = KEY_TYPES.len();
        Self::Key(if random.one_in(3) { random.below(3) } else { random.below(all) })
    }

    /// Any type; in binary only those whose text this side can tell.
    pub(crate) fn any(random: &mut Random, binary: bool) -> Self {
        match random.below(6) {
            0 | 1 => Self::of_key(random),
            2 => Self::Big,
            _ => loop {
                let kind = random.below(TYPES.len());
                let names = ["regclass", "regclass[]", "regtype", "\"S.\"\"x\".nest", "\"S.\"\"x\".object"];
                if !(binary && names.contains(&TYPES[kind].name)) {
                    break Self::Hard(kind);
                }
            },
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Key(kind) => KEY_TYPES[kind],
            Self::Hard(kind) => TYPES[kind].name,
            Self::Big => "text",
            Self::Span => "int4range",
        }
    }

    pub(crate) fn is_integer(self) -> bool {
        matches!(self, Self::Key(0 | 1 | 10 | 19))
    }

    pub(crate) fn is_text(self) -> bool {
        self.name() == "text"
    }

    /// A value that isn't NULL, as an expression.
    pub(crate) fn value(self, random: &mut Random) -> String {
        match self {
            Self::Key(kind) => key(kind, random.below(KEYS)),
            Self::Hard(kind) => quoted(random.pick(TYPES[kind].values)),
            Self::Big if random.one_in(3) => quoted(hostile::cut(&hostile::text(random), 2000)),
            Self::Big => {
                let word = quoted(random.pick(&["big", "é\\", "'", "null"]));
                format!("repeat({word}, {})", 700 + random.below(4))
            }
            Self::Span => {
                let start = random.below(60);
                match random.below(12) {
                    0 => "'empty'".into(),
                    1 => format!("'[{start},)'"),
                    _ => format!("'[{start},{}]'", start + random.below(4)),
                }
            }
        }
    }

    /// A value that differs for each `g`, where there are so many.
    pub(crate) fn series(self, random: &mut Random) -> String {
        let first = random.below(2000);
        match self {
            Self::Key(0 | 1 | 4 | 10 | 11) => format!("g + {first}"),
            Self::Key(2 | 9 | 21) | Self::Big => format!("repeat('x' || g, {})", 1 + random.below(40)),
            Self::Key(6 | 7) => format!("'x' || (g + {first})"),
            Self::Key(3) => format!("md5((g + {first})::text)::uuid"),
            Self::Key(5) => format!("timestamptz '2000-01-01 00:00Z' + (g + {first}) * interval '1 min'"),
            Self::Key(12) => format!("decode(md5((g + {first})::text), 'hex')"),
            Self::Span => format!("int4range((g + {first}) * 10, (g + {first}) * 10 + 3)"),
            _ => format!("CAST({} AS {})", self.value(random), self.name()),
        }
    }
}

/// The `n`th key of a type. Several are equal to each other and not the same: 1.0 and 1.00, 0 and -0, a month and 30 days.
fn key(kind: usize, n: usize) -> String {
    let text = |word: &str| match n {
        22 => format!("repeat({}, 400)", quoted("é'")),
        23 => "repeat('null', 300)".into(),
        _ => quoted(word),
    };
    let piece = hostile::PIECES[(n * 5) % hostile::PIECES.len()];
    let of = |values: &[&str]| quoted(values[n % values.len()]);
    match kind {
        0 | 1 | 10 | 19 => format!("{}", i64::try_from(n).unwrap_or(0) - 2),
        2 | 9 | 21 => text(piece),
        3 => quoted(&format!("00000000-0000-0000-0000-0000000000{n:02x}")),
        4 => of(&["0", "0.0", "1.0", "1.00", "-1", "NaN", "Infinity", "1e50", "12.50", "12.5"]),
        5 => of(&[
            "infinity",
            "-infinity",
            "2024-03-31 00:30Z",
            "2024-03-31 01:30Z",
            "0044-03-15 BC",
            "1999-12-31 23:59:59.999999Z",
        ]),
        6 => quoted(hostile::cut(piece, 20)),
        7 => of(&["", "a", "a b", "é", "'", "null", "NULL", "\\", "ab"]),
        8 => of(&["null", "it's", "B", "a", "\\", "", "NULL", "{}"]),
        11 => of(&["0", "-0", "NaN", "Infinity", "1e300", "5e-324", "0.1", "1.5"]),
        12 => of(&["", "\\x00", "\\xff5c27", "\\x5c5c", "null", "\\x01"]),
        13 => of(&["infinity", "0001-02-28 BC", "2024-02-29", "2024-03-01", "12024-01-01"]),
        14 => of(&["30 days", "1 mon", "720:00", "24:00", "1 day", "-1 day +24:00:01", "0"]),
        15 => of(&["null", "\"null\"", "1.0", "1.00", "{}", "{\"a\": [1.10, null]}", "{\"a\": [1.1, null]}"]),
        16 => of(&["{}", "{NULL}", "{\"NULL\"}", "{\"it's\"}", "[0:0]={x}", "{x}", "{{a,b},{c,NULL}}"]),
        17 => of(&["(1,null)", "(,)", "(,\"\")", "(2,\"a\"\"b\\\\c,(d)\")", "(1,NULL)"]),
        18 => of(&["10.0.0.1", "10.0.0.1/24", "10.0.0.2", "::1", "::ffff:1.2.3.4"]),
        _ => of(&["t", "f"]),
    }
}
