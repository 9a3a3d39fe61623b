//! What a comparison costs, beside what hashing every row by MD5 costs.

use std::time::{Duration, Instant};

use walferry::migrate::verify::Verify;

use crate::pair::{Pair, Side, lines};
use crate::support;

/// With how many rows in the long form; there are a tenth or less in others, which only see that it runs.
const SHAPES: [(&str, &str, u64); 4] = [
    (
        "narrow",
        "CREATE TABLE t (id int PRIMARY KEY, a int, b text);
         INSERT INTO t SELECT g, g % 1000, 'filler ' || g FROM generate_series(1, $ROWS) g",
        400_000,
    ),
    (
        "wide",
        "CREATE TABLE t (id int PRIMARY KEY, b text, c text, d timestamptz, e numeric, f float8, g bool, h text, i text, j uuid);
         INSERT INTO t SELECT g, md5(g::text), md5((g + 1)::text) || md5((g + 2)::text), to_timestamp(g), g * 1.17, g / 3.0, g % 2 = 0,
         NULL, repeat('x', 50), md5(g::text)::uuid FROM generate_series(1, $ROWS) g",
        200_000,
    ),
    (
        "keyless",
        "CREATE TABLE t (id int, a int, b text);
         INSERT INTO t SELECT g, g % 1000, 'filler ' || g FROM generate_series(1, $ROWS) g",
        400_000,
    ),
    (
        "large",
        "CREATE TABLE t (id int PRIMARY KEY, v text); ALTER TABLE t ALTER v SET STORAGE EXTERNAL;
         INSERT INTO t SELECT g, repeat(md5(g::text), 8192) FROM generate_series(1, $ROWS) g",
        400,
    ),
];

/// The slower side's time for the yardstick, both at once as the comparison has them.
fn yardstick(pair: &Pair) -> Duration {
    let hash = |side: &Side| {
        let begun = Instant::now();
        side.run("SELECT count(md5(t::text)) FROM t");
        begun.elapsed()
    };
    std::thread::scope(|scope| {
        let source = scope.spawn(|| hash(&pair.source));
        hash(&pair.target).max(source.join().unwrap())
    })
}

fn median(mut times: [Duration; 3]) -> Duration {
    times.sort();
    times[1]
}

/// Twice the yardstick is the goal; a busy machine may miss it, so that only the long form asks for it.
#[test]
fn a_comparison_takes_at_most_twice_as_long_as_to_hash_every_row() {
    let (oldest, newest) = (support::oldest(), support::newest());
    for (name, sql, rows) in SHAPES {
        let sql = sql.replace("$ROWS", &support::how_many(rows / 10, rows).to_string());
        let pair = Pair::new(&oldest, &newest, &format!("speed {name}"), &sql);
        pair.both("VACUUM ANALYZE t");
        let time = |verify: Verify| {
            let begun = Instant::now();
            let report = crate::runtime().block_on(pair.compare(&verify));
            assert!(lines(&report).is_empty());
            begun.elapsed()
        };
        let hashed = median(std::array::from_fn(|_| yardstick(&pair)));
        let compared = median(std::array::from_fn(|_| time(Verify::new())));
        let by_md5 = median(std::array::from_fn(|_| time(Verify::new().md5())));
        pair.target.run("UPDATE t SET id = -id WHERE id = 1");
        let begun = Instant::now();
        assert_eq!(crate::runtime().block_on(pair.wrong()).len(), 2);
        let listed = begun.elapsed();
        let ratio = compared.as_secs_f64() / hashed.as_secs_f64();
        eprintln!(
            "{name}: MD5 of every row {hashed:?}, compared {compared:?} ({ratio:.2}), by MD5 {by_md5:?}, one row found {listed:?}"
        );
        assert!(!support::is_long() || ratio < 2.0, "{name}: {ratio}");
        pair.both("DROP TABLE t");
    }
}
