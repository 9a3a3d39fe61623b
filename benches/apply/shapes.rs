//! The workloads.

use crate::options::Options;

/// Tables, what they hold before, and what is then done to them.
#[derive(Debug)]
pub(crate) struct Shape {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    /// Row changes that the workload makes.
    pub(crate) changes: u32,
    /// On both sides.
    pub(crate) schema: String,
    /// On the source alone.
    pub(crate) on_source: &'static str,
    /// What both sides hold before.
    pub(crate) seed: String,
    pub(crate) workload: String,
    /// Whether the server is asked to send large transactions before they end.
    pub(crate) streaming: bool,
}

/// The shapes that were asked for.
pub(crate) fn chosen(options: &Options) -> Vec<Shape> {
    let mut shapes = all(options.rows);
    for name in &options.shapes {
        let known = shapes.iter().map(|shape| shape.name).collect::<Vec<_>>();
        assert!(known.contains(&name.as_str()), "no shape is named {name}: {}", known.join(", "));
    }
    shapes.retain(|shape| options.shapes.is_empty() || options.shapes.iter().any(|name| name == shape.name));
    shapes
}

fn all(rows: u32) -> Vec<Shape> {
    vec![
        narrow(rows),
        one_row(rows / 3),
        one_transaction(rows * 2),
        Shape {
            name: "streamed",
            about: "the same with streaming=on",
            streaming: true,
            ..one_transaction(rows * 2)
        },
        tpcb(rows / 10),
        wide(rows / 3),
        text(rows / 15),
        updates(rows),
        full_identity(rows / 2),
        deletes(rows),
    ]
}

const NARROW: &str = "CREATE TABLE t (id int PRIMARY KEY, a int NOT NULL, b int NOT NULL)";

/// What `columns` gives for the numbers `n` from 1 to `rows`, as rows.
fn seed(columns: &str, rows: u32) -> String {
    format!("INSERT INTO t SELECT {columns} FROM generate_series(1, {rows}) n")
}

/// `statement` for every `size` of `rows`, from `low` to `high`, each a transaction.
fn by_parts(rows: u32, size: u32, statement: &str) -> String {
    format!(
        "DO $$ DECLARE low int; high int;
        BEGIN
            FOR low, high IN SELECT n, least(n + {size} - 1, {rows}) FROM generate_series(1, {rows}, {size}) n LOOP
                {statement};
                COMMIT;
            END LOOP;
        END $$"
    )
}

fn inserts(columns: &str, rows: u32, size: u32) -> String {
    by_parts(rows, size, &format!("INSERT INTO t SELECT {columns} FROM generate_series(low, high) n"))
}

/// What `item` makes of the numbers from 1 to `count`, as SQL lists it.
fn list(count: usize, item: impl Fn(usize) -> String) -> String {
    (1..=count).map(item).collect::<Vec<_>>().join(", ")
}

impl Shape {
    pub(crate) const PROBE: &str = "latency";

    /// A table for small transactions; no workload.
    pub(crate) fn probe() -> Self {
        Self::new(Self::PROBE, "small transactions", "CREATE TABLE t (id int PRIMARY KEY)")
    }

    fn new(name: &'static str, about: &'static str, schema: impl Into<String>) -> Self {
        let (changes, streaming, on_source) = (0, false, "");
        let (seed, workload) = (String::new(), String::new());
        Self { name, about, changes, schema: schema.into(), on_source, seed, workload, streaming }
    }
}

fn narrow(rows: u32) -> Shape {
    let shape = Shape::new("narrow", "inserts of 3 integers, 1000 per transaction", NARROW);
    Shape { changes: rows, workload: inserts("n, n % 1000, n * 7", rows, 1000), ..shape }
}

fn one_row(rows: u32) -> Shape {
    let workload = format!(
        "DO $$ BEGIN
            FOR n IN 1..{rows} LOOP
                INSERT INTO t VALUES (n, n % 1000, n * 7);
                COMMIT;
            END LOOP;
        END $$"
    );
    Shape {
        changes: rows,
        workload,
        ..Shape::new("one-row", "inserts of 3 integers, 1 per transaction", NARROW)
    }
}

fn one_transaction(rows: u32) -> Shape {
    let shape = Shape::new("one-transaction", "inserts of 3 integers, all in one transaction", NARROW);
    Shape { changes: rows, workload: seed("n, n % 1000, n * 7", rows), ..shape }
}

/// As pgbench has it, with ten thousand accounts a branch instead of a hundred thousand: databases are copied for
/// each drain. The numbers are random, so the small tables' rows are hit again and again.
fn tpcb(transactions: u32) -> Shape {
    let schema = "CREATE TABLE branches (bid int PRIMARY KEY, bbalance int, filler char(88));
        CREATE TABLE tellers (tid int PRIMARY KEY, bid int, tbalance int, filler char(84));
        CREATE TABLE accounts (aid int PRIMARY KEY, bid int, abalance int, filler char(84));
        CREATE TABLE history (tid int, bid int, aid int, delta int, mtime timestamp, filler char(22))";
    let seed = "INSERT INTO branches SELECT n, 0 FROM generate_series(1, 10) n;
        INSERT INTO tellers SELECT n, (n - 1) / 10 + 1, 0 FROM generate_series(1, 100) n;
        INSERT INTO accounts SELECT n, (n - 1) / 10000 + 1, 0, '' FROM generate_series(1, 100000) n";
    let workload = format!(
        "DO $$ DECLARE a int; b int; t int; amount int;
        BEGIN
            FOR n IN 1..{transactions} LOOP
                a := 1 + random() * 99999; b := 1 + random() * 9; t := 1 + random() * 99;
                amount := -5000 + random() * 10000;
                UPDATE accounts SET abalance = abalance + amount WHERE aid = a;
                UPDATE tellers SET tbalance = tbalance + amount WHERE tid = t;
                UPDATE branches SET bbalance = bbalance + amount WHERE bid = b;
                INSERT INTO history VALUES (t, b, a, amount, clock_timestamp());
                COMMIT;
            END LOOP;
        END $$"
    );
    let shape = Shape::new("tpcb", "3 updates by key and 1 insert per transaction, scale 10", schema);
    Shape { changes: transactions * 4, seed: seed.into(), workload, ..shape }
}

/// Five kinds of columns in turn behind the key; a quarter of their values is NULL.
fn wide(rows: u32) -> Shape {
    let kinds = [
        ("bigint", "n::bigint * 1000003 + COLUMN"),
        ("text", "'value ' || n || ' of column COLUMN'"),
        ("numeric(12, 3)", "(n * 17 + COLUMN) / 1000.0"),
        ("timestamptz", "'2026-01-01Z'::timestamptz + n * interval '1.000001 s'"),
        ("float8", "sqrt(n + COLUMN)"),
    ];
    let of = |number: usize| kinds.iter().cycle().nth(number).expect("it goes round");
    let columns = list(29, |number| format!("c{number} {}", of(number).0));
    let values = list(29, |number| {
        let value = of(number).1.replace("COLUMN", &number.to_string());
        format!("CASE WHEN (n + {number}) % 4 > 0 THEN {value} END")
    });
    let schema = format!("CREATE TABLE t (id int PRIMARY KEY, {columns})");
    let shape = Shape::new(
        "wide",
        "inserts of 30 columns of six types, a quarter NULL, 1000 per transaction",
        schema,
    );
    Shape { changes: rows, workload: inserts(&format!("n, {values}"), rows, 1000), ..shape }
}

/// Base64 of hashes: no two alike, and nothing that compression would take.
fn text(rows: u32) -> Shape {
    let body = "(SELECT string_agg(encode(sha512((n || '/' || part)::bytea), 'base64'), '') FROM generate_series(1, 91) part)";
    let about = "inserts of 8 kB of random text, default storage, 100 per transaction";
    let workload = inserts(&format!("n, {body}"), rows, 100);
    let shape = Shape::new("text", about, "CREATE TABLE t (id int PRIMARY KEY, body text)");
    Shape { changes: rows, workload, ..shape }
}

fn updates(rows: u32) -> Shape {
    let shape =
        Shape::new("updates", "updates by key of 3 integers, each row once, 1000 per transaction", NARROW);
    let workload = by_parts(rows, 1000, "UPDATE t SET a = a + 1 WHERE id BETWEEN low AND high");
    Shape { changes: rows, seed: seed("n, n % 1000, n * 7", rows), workload, ..shape }
}

fn full_identity(rows: u32) -> Shape {
    let columns = list(11, |number| format!("c{number} {}", if number % 2 > 0 { "int" } else { "text" }));
    let values =
        list(
            11,
            |number| {
                if number % 2 > 0 { format!("n + {number}") } else { format!("'value ' || n + {number}") }
            },
        );
    let shape = Shape::new(
        "full-identity",
        "updates of 12 columns, old rows sent whole, each row once, 1000 per transaction",
        format!("CREATE TABLE t (id int PRIMARY KEY, {columns})"),
    );
    Shape {
        changes: rows,
        on_source: "ALTER TABLE t REPLICA IDENTITY FULL",
        seed: seed(&format!("n, {values}"), rows),
        workload: by_parts(
            rows,
            1000,
            "UPDATE t SET c1 = c1 + 1, c2 = c2 || '.' WHERE id BETWEEN low AND high",
        ),
        ..shape
    }
}

fn deletes(rows: u32) -> Shape {
    let shape = Shape::new("deletes", "deletes by key, 1000 per transaction", NARROW);
    let workload = by_parts(rows, 1000, "DELETE FROM t WHERE id BETWEEN low AND high");
    Shape { changes: rows, seed: seed("n, n % 1000, n * 7", rows), workload, ..shape }
}
