//! Every kind of difference, in every type.

use std::fmt::Write as _;

use walferry::migrate::verify::{RowKey, Verify};

use crate::pair::{self, lines};
use crate::support::sql::quoted;
use crate::types::{PRELUDE, TYPES, Type};

/// Settings of a database that print values otherwise.
const OTHERWISE: &str = "DO $$ DECLARE s text; BEGIN
    FOREACH s IN ARRAY ARRAY['DateStyle = ''German''', 'TimeZone = ''Asia/Kathmandu''', 'IntervalStyle = ''iso_8601''',
        'bytea_output = ''escape''', 'extra_float_digits = ''-3''', 'search_path = ''\"S.\"\"x\"''', 'xmloption = ''document''',
        'quote_all_identifiers = ''on''', 'row_security = ''on''', 'statement_timeout = ''1ms''', 'work_mem = ''64kB''']
    LOOP EXECUTE format('ALTER DATABASE %I SET ', current_database()) || s; END LOOP; END $$;";

fn values(kind: &Type) -> Vec<String> {
    let values: Vec<_> =
        kind.values.iter().map(|value| format!("{}::{}", quoted(value), kind.name)).collect();
    // A few more where there is only one: rows are told apart by their number.
    values.iter().cycle().take(values.len().max(4)).cloned().collect()
}

/// A table with a key and one without, of each type.
fn tables() -> String {
    let mut sql = PRELUDE.to_owned();
    for (at, kind) in TYPES.iter().enumerate() {
        write!(
            sql,
            "CREATE TABLE k{at} (id int PRIMARY KEY, v {0}); CREATE TABLE n{at} (id int, v {0});",
            kind.name
        )
        .unwrap();
        for (id, value) in values(kind).iter().enumerate() {
            write!(
                sql,
                "INSERT INTO k{at} VALUES ({id}, {value}); INSERT INTO n{at} VALUES ({id}, {value});"
            )
            .unwrap();
        }
    }
    sql
}

#[test]
fn values_of_every_type_are_equal_between_the_oldest_server_and_the_newest() {
    pair::both_ways("every type", &tables(), async |pair| {
        pair.target.run(OTHERWISE);
        let report = pair.compare(&Verify::new()).await;
        assert_eq!(lines(&report), [""; 0]);
        assert_eq!(report.tables.len(), TYPES.len() * 2 + 1);
        let rows: u64 = report.tables.iter().map(|table| table.rows_source.min(table.rows_target)).sum();
        let expected: usize = TYPES.iter().map(|kind| values(kind).len() * 2).sum();
        assert_eq!(rows, u64::try_from(expected).unwrap());
        assert_eq!(lines(&pair.compare(&Verify::new().md5()).await), [""; 0]);
    });
}

#[test]
fn in_every_type_a_row_that_is_changed_missing_extra_or_doubled_is_found() {
    pair::both_ways("every difference", &tables(), async |pair| {
        let mut expected = Vec::new();
        for at in 0..TYPES.len() {
            pair.target.run(&format!(
                "UPDATE k{at} SET v = NULL WHERE id = 0; DELETE FROM k{at} WHERE id = 1;
                 INSERT INTO k{at} SELECT 1000, v FROM k{at} WHERE id = 2;
                 UPDATE n{at} SET v = NULL WHERE id = 0; INSERT INTO n{at} SELECT * FROM n{at} WHERE id = 1;
                 DELETE FROM n{at} WHERE id = 2;"
            ));
            pair.source.run(&format!(
                "INSERT INTO n{at} SELECT n{at}.* FROM n{at}, generate_series(1, 2) WHERE id = 3"
            ));
            expected.extend(
                ["id=0 Differs", "id=1 Missing", "id=1000 Extra"].map(|line| format!("public.k{at} {line}")),
            );
            expected.extend(
                ["? 1:2", "? 3:1", "? Extra", "? Missing", "? Missing"]
                    .map(|line| format!("public.n{at} {line}")),
            );
        }
        expected.sort();
        for verify in [Verify::new(), Verify::new().md5()] {
            let mut found = lines(&pair.compare(&verify).await);
            found.sort();
            assert_eq!(found, expected);
        }
    });
}

/// What is hard to tell apart.
const PAIRS: &[(&str, &str, &str)] = &[
    ("text", "''", "NULL"),
    ("text", "'NULL'", "NULL"),
    ("text", "''", "' '"),
    ("text", "'null'", "'NULL'"),
    ("text", "'\"\"'", "''"),
    ("text", "'a'", "'a '"),
    ("text", "E'a\\nb'", "E'a\\r\\nb'"),
    ("text", "E'\\u00e9'", "E'e\\u0301'"),
    ("text", "E'\\\\'", "E'\\\\\\\\'"),
    ("text", "'),('", "'),'''"),
    ("text", "repeat('x', 1000000) || 'y'", "repeat('x', 1000000) || 'z'"),
    ("text", "'y' || repeat('x', 1000000)", "'z' || repeat('x', 1000000)"),
    ("varchar(9)", "''", "NULL"),
    ("bpchar", "'a'", "'a '"),
    ("name", "''", "NULL"),
    ("bytea", "''", "NULL"),
    ("bytea", "'\\x00'", "'\\x01'"),
    ("bytea", "decode(repeat('00', 1000000), 'hex')", "decode(repeat('00', 999999) || '01', 'hex')"),
    ("bytea", "'\\x'", "'\\x00'"),
    ("json", "'{\"a\":1}'", "'{\"a\": 1}'"),
    ("json", "'null'", "NULL"),
    ("json", "'null'", "'\"null\"'"),
    ("json", "'{\"a\":1,\"a\":2}'", "'{\"a\":2}'"),
    ("json", "'1e400'", "'1E400'"),
    ("jsonb", "'null'", "NULL"),
    ("jsonb", "'1.0'", "'1.00'"),
    ("jsonb", "'12345678901234567890'", "'12345678901234567891'"),
    ("xml", "'<a/>'", "'<a></a>'"),
    ("xml", "''", "NULL"),
    ("point", "'(0,0)'", "'(-0,0)'"),
    ("point", "'(1,NaN)'", "'(1,Infinity)'"),
    ("float8", "'0'", "'-0'"),
    ("float8", "'NaN'", "'Infinity'"),
    ("float8", "'NaN'", "NULL"),
    ("float8", "0.1", "0.10000000000000002"),
    ("float4", "0.1", "0.10000001"),
    ("numeric", "1.0", "1.00"),
    ("numeric", "0", "0.0"),
    ("numeric", "'NaN'", "'Infinity'"),
    ("numeric", "1e100", "1e100 + 1"),
    ("interval", "'1 mon'", "'30 days'"),
    ("interval", "'1 day'", "'24:00'"),
    ("timetz", "'12:00+00'", "'13:00+01'"),
    ("time", "'24:00'", "'00:00'"),
    ("timestamp", "'infinity'", "'-infinity'"),
    ("timestamptz", "'2024-01-01 00:00:00.000001+00'", "'2024-01-01 00:00:00.000002+00'"),
    ("date", "'0001-01-01 BC'", "'0001-01-01'"),
    ("bool", "true", "NULL"),
    ("int4", "0", "NULL"),
    ("text[]", "'{}'", "NULL"),
    ("text[]", "'{NULL}'", "'{\"NULL\"}'"),
    ("text[]", "'{\"\"}'", "'{}'"),
    ("text[]", "'{a,b}'", "'{\"a,b\"}'"),
    ("int4[]", "'{1,2}'", "'[0:1]={1,2}'"),
    ("numeric[]", "'{1.0}'", "'{1.00}'"),
    ("\"S.\"\"x\".pair", "'(,)'", "NULL"),
    ("\"S.\"\"x\".pair", "'(,)'", "'(,\"\")'"),
    ("\"S.\"\"x\".pair", "'(1,\"a,b\")'", "'(1,\"a,b \")'"),
    ("\"S.\"\"x\".\"Mood'\\\"", "'null'", "'NULL'"),
    ("\"S.\"\"x\".span", "'[\"\",\" \"]'", "'[,\" \"]'"),
    ("\"char\"", "''", "NULL"),
    ("\"char\"", "'a'", "'b'"),
    ("tsvector", "'''a b'':1'", "'a:1 b:1'"),
    ("varbit", "'0'", "'00'"),
    ("inet", "'10.0.0.1'", "'10.0.0.1/24'"),
    ("int4range", "'empty'", "'(,)'"),
];

#[test]
fn one_byte_one_sign_or_one_null_is_found_wherever_it_is() {
    let mut sql = PRELUDE.to_owned();
    for (at, (kind, _, _)) in PAIRS.iter().enumerate() {
        write!(
            sql,
            "CREATE TABLE k{at} (id int PRIMARY KEY, v {kind}, w text); CREATE TABLE n{at} (v {kind});"
        )
        .unwrap();
    }
    let fill = |others: bool| {
        let fill = |(at, (kind, one, other)): (usize, &(&str, &str, &str))| {
            let value = if others { other } else { one };
            format!(
                "INSERT INTO k{at} VALUES (1, ({value})::{kind}, 'w'), (2, ({one})::{kind}, 'w');
                 INSERT INTO n{at} VALUES (({value})::{kind}), (({one})::{kind});"
            )
        };
        PAIRS.iter().enumerate().map(fill).collect::<String>()
    };
    pair::both_ways("a byte", &sql, async |pair| {
        pair.source.run(&fill(false));
        pair.target.run(&fill(true));
        for verify in [Verify::new(), Verify::new().md5()] {
            let report = pair.compare(&verify).await;
            for (at, (kind, one, other)) in PAIRS.iter().enumerate() {
                let found = |name: String| {
                    let table = report.tables.iter().find(|table| table.table == name).unwrap();
                    table.differences.iter().map(pair::line).collect::<Vec<_>>()
                };
                assert_eq!(found(format!("k{at}")), ["id=1 Differs"], "{kind}: {one} {other}");
                let mut keyless = found(format!("n{at}"));
                keyless.sort();
                // The source has it twice.
                assert_eq!(keyless, ["? 2:1", "? Extra"], "{kind}: {one} {other}");
            }
        }
    });
}

#[test]
fn keys_are_told_as_they_are() {
    let sql = r#"CREATE TYPE two AS (a int, b text);
        CREATE TABLE t ("a""b" text, n int, "K" two, UNIQUE (n), PRIMARY KEY ("K", "a""b"));
        CREATE TABLE m (c "char" PRIMARY KEY, v int); CREATE TABLE i (a int NOT NULL, b text NOT NULL UNIQUE, v int);
        CREATE TABLE f (a text PRIMARY KEY); ALTER TABLE f REPLICA IDENTITY FULL;
        ALTER TABLE i REPLICA IDENTITY USING INDEX i_b_key"#;
    pair::both_ways("keys", sql, async |pair| {
        pair.source.run(
            r#"INSERT INTO t VALUES (E'it''s, "x"\\\n', 1, '(,)'), ('NULL', 2, '(1,"null")'); INSERT INTO m VALUES ('a', 1);
               INSERT INTO i VALUES (1, 'é', 1); INSERT INTO f VALUES ('')"#,
        );
        let expected = [
            "public.f a= Missing",
            "public.i b=é Missing",
            "public.m c=a Missing",
            "public.t K=(,),a\"b=it's, \"x\"\\\n Missing",
            "public.t K=(1,null),a\"b=NULL Missing",
        ];
        assert_eq!(pair.wrong().await, expected);
        // The same row has the same hash wherever it is.
        pair.both("CREATE TABLE n (v text); INSERT INTO n VALUES ('x')");
        pair.target.run("INSERT INTO n VALUES ('y')");
        let hash = async || {
            let report = pair.compare(&Verify::new().only([("public", "n")])).await;
            let RowKey::RowHash(hash) = report.tables[0].differences[0].key.clone() else {
                panic!("{report:?}")
            };
            hash
        };
        let once = hash().await;
        pair.source.run("INSERT INTO n VALUES ('y'), ('y'), ('y')");
        assert_eq!(hash().await, once);
    });
}

#[test]
fn no_more_keys_are_told_than_asked_for_and_the_others_are_counted() {
    let sql = "CREATE TABLE k (id int PRIMARY KEY, v text); CREATE TABLE n (id int);
        CREATE TABLE gone (id int PRIMARY KEY, v text); CREATE TABLE filled (id int PRIMARY KEY, v text)";
    pair::both_ways("many", sql, async |pair| {
        pair.both("INSERT INTO k SELECT g, g FROM generate_series(1, 5000) g; INSERT INTO n SELECT generate_series(1, 5000)");
        pair.source.run("INSERT INTO gone SELECT g, g FROM generate_series(1, 5000) g");
        pair.target.run(
            "INSERT INTO filled SELECT g, g FROM generate_series(1, 5000) g; UPDATE k SET v = 'x' WHERE id % 2 = 0;
             DELETE FROM k WHERE id % 100 = 1; INSERT INTO k SELECT g, g FROM generate_series(5001, 5011) g; DELETE FROM n WHERE id < 50",
        );
        pair.both("ANALYZE");
        for (keys, verify) in [
            (100, Verify::new()),
            (0, Verify::new().max_keys(0)),
            (7, Verify::new().max_keys(7)),
            (7, Verify::new().max_keys(7).chunk_bytes(20_000)),
            (5000, Verify::new().max_keys(1_000_000).chunk_bytes(20_000)),
        ] {
            let report = pair.compare(&verify).await;
            let counts: Vec<_> = report
                .tables
                .iter()
                .map(|table| (&*table.table, table.differences.len(), table.more, table.is_equal()))
                .collect();
            let expected =
                [("filled", 5000), ("gone", 5000), ("k", 2500 + 50 + 11), ("n", 49)].map(|(name, all)| {
                    let listed = all.min(keys);
                    (name, listed, u64::try_from(all - listed).unwrap(), false)
                });
            assert_eq!(counts, expected, "{verify:?}");
        }
    });
}
