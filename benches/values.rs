//! Values as Rust types: text and binary of the common types, beside what others offer for the same column. Each pair
//! is asserted to read the same before it is timed.
//!
//! `cargo bench --bench values`
#![expect(clippy::expect_used, reason = "a bench that can't run must say so")]

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, criterion_main};
use pg_walstream::{ColumnValue, RowData};
use postgres_types::{FromSql, Json, Type};
use serde::Deserialize;
use serde_json::value::RawValue;
use walferry::pgoutput::{Column, Datum, Relation, ReplicaIdentity, Tuple};
use walferry::value::{FromValue, Numeric, Types, Uuid, Value};
use walferry::{Oid, RelationId, Row, Timestamp};

/// A column's value in both forms.
struct Sent {
    name: &'static str,
    kind: Type,
    /// Of the kind, which `postgres-types` looks up each time.
    type_oid: Oid,
    text: String,
    binary: Vec<u8>,
}

impl Sent {
    fn new(name: &'static str, kind: Type, text: impl Into<String>) -> Self {
        let (types, text, type_oid) = (Types::new(), text.into(), Oid::new(kind.oid()));
        let value = Value::new(Datum::Text(text.as_bytes()), type_oid, &types).expect("there");
        let binary = value.to_binary().expect("what a server prints").into_owned();
        Self { name, kind, type_oid, text, binary }
    }

    fn text(&self) -> Datum<'_> {
        Datum::Text(self.text.as_bytes())
    }

    fn binary(&self) -> Datum<'_> {
        Datum::Binary(&self.binary)
    }

    fn read<'a, T: FromValue<'a>>(&'a self, datum: Datum<'a>, types: &'a Types) -> T {
        let value = Value::new(datum, self.type_oid, types).expect("there");
        value.read().expect("a value")
    }

    fn theirs<'a, T: FromSql<'a>>(&'a self) -> T {
        assert!(T::accepts(&self.kind), "as a client asks before it reads");
        T::from_sql(&self.kind, black_box(&self.binary)).expect("a value")
    }
}

type Group<'a> = BenchmarkGroup<'a, WallTime>;

fn group<'a>(criterion: &'a mut Criterion, name: &str) -> Group<'a> {
    let mut group = criterion.benchmark_group(name);
    group.warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_secs(1));
    group
}

/// This crate's, from both forms.
fn ours<'a, T: FromValue<'a>>(group: &mut Group<'_>, sent: &'a Sent, types: &'a Types) {
    group.bench_function("text/walferry", |bencher| {
        bencher.iter(|| sent.read::<T>(Datum::Text(black_box(&sent.text).as_bytes()), types));
    });
    group.bench_function("binary/walferry", |bencher| {
        bencher.iter(|| sent.read::<T>(Datum::Binary(black_box(&sent.binary)), types));
    });
}

/// The same value by `postgres-types`, which reads the binary form alone.
fn beside<'a, T: FromValue<'a>, R: FromSql<'a>>(
    criterion: &mut Criterion,
    sent: &'a Sent,
    types: &'a Types,
    same: impl Fn(&T, &R) -> bool,
) {
    let rival = sent.theirs::<R>();
    for datum in [sent.text(), sent.binary()] {
        assert!(same(&sent.read(datum, types), &rival), "{}", sent.name);
    }
    let mut group = group(criterion, sent.name);
    ours::<T>(&mut group, sent, types);
    group.bench_function("binary/postgres-types", |bencher| bencher.iter(|| sent.theirs::<R>()));
    group.finish();
}

fn values(criterion: &mut Criterion) {
    let types = Types::new();
    let numbers =
        |count: i32| (0..count).map(|number| (number * 7919).to_string()).collect::<Vec<_>>().join(",");
    let words =
        |count: i32| (0..count).map(|number| format!("\"word {number}\"")).collect::<Vec<_>>().join(",");
    let json = r#"{"id": 17, "tags": ["a", "b"], "title": "a note of some length", "price": 12.50}"#;

    let sent = Sent::new("int4", Type::INT4, "1234567");
    beside::<i32, i32>(criterion, &sent, &types, PartialEq::eq);
    let sent = Sent::new("int8", Type::INT8, "1234567890123456");
    beside::<i64, i64>(criterion, &sent, &types, PartialEq::eq);
    let sent = Sent::new("float8", Type::FLOAT8, "12345.678901");
    beside::<f64, f64>(criterion, &sent, &types, |a, b| a.to_bits() == b.to_bits());
    let sent = Sent::new("text", Type::TEXT, "a note of some length, as they are");
    beside::<&str, &str>(criterion, &sent, &types, PartialEq::eq);
    let sent = Sent::new("timestamptz", Type::TIMESTAMPTZ, "2026-11-22 20:17:33.123456+00");
    beside::<Timestamp, SystemTime>(criterion, &sent, &types, |ours, theirs| {
        let since = theirs.duration_since(SystemTime::UNIX_EPOCH).expect("it is later").as_micros();
        // PostgreSQL counts from 2000.
        i128::from(ours.as_micros()) == i128::try_from(since).expect("small") - 946_684_800_000_000
    });
    let sent = Sent::new("uuid", Type::UUID, "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11");
    beside::<Uuid, uuid::Uuid>(criterion, &sent, &types, |ours, theirs| ours.0 == *theirs.as_bytes());
    let sent = Sent::new("bytea", Type::BYTEA, format!("\\x{}", "deadbeef".repeat(64)));
    beside::<Vec<u8>, Vec<u8>>(criterion, &sent, &types, PartialEq::eq);
    // postgres-types has no other way to the text than to check it.
    let sent = Sent::new("jsonb", Type::JSONB, json);
    beside::<&str, Json<&RawValue>>(criterion, &sent, &types, |ours, theirs| *ours == theirs.0.get());
    let sent = Sent::new("int4[]", Type::INT4_ARRAY, format!("{{{}}}", numbers(100)));
    beside::<Vec<i32>, Vec<i32>>(criterion, &sent, &types, PartialEq::eq);
    let sent = Sent::new("text[]", Type::TEXT_ARRAY, format!("{{{}}}", words(100)));
    beside::<Vec<String>, Vec<String>>(criterion, &sent, &types, PartialEq::eq);
    // postgres-types has no type for it.
    let sent = Sent::new("numeric", Type::NUMERIC, "1234567.89");
    ours::<Numeric>(&mut group(criterion, sent.name), &sent, &types);
}

/// A row as applications have them.
#[derive(Debug, PartialEq, Deserialize)]
struct Order<'a> {
    id: i64,
    quantity: i32,
    discount: f64,
    open: bool,
    customer: &'a str,
    note: Option<&'a str>,
    city: String,
    items: i32,
}

fn columns() -> [Sent; 8] {
    [
        Sent::new("id", Type::INT8, "1234567890123"),
        Sent::new("quantity", Type::INT4, "12"),
        Sent::new("discount", Type::FLOAT8, "0.125"),
        Sent::new("open", Type::BOOL, "t"),
        Sent::new("customer", Type::TEXT, "Somebody & Sons, Ltd."),
        Sent::new("note", Type::TEXT, "ring twice"),
        Sent::new("city", Type::TEXT, "Aix-en-Provence"),
        Sent::new("items", Type::INT4, "3"),
    ]
}

fn row(columns: &[Sent], form: impl Fn(&Sent) -> Datum<'_>) -> Row {
    let column = |sent: &Sent| Column {
        name: sent.name.to_owned(),
        type_oid: sent.type_oid,
        type_modifier: -1,
        is_key: false,
    };
    let relation = Relation {
        id: RelationId::new(16_384),
        schema: "public".into(),
        name: "orders".into(),
        replica_identity: ReplicaIdentity::Default,
        columns: columns.iter().map(column).collect(),
    };
    Row::new(Arc::new(relation), Tuple::from_datums(columns.iter().map(form))).expect("as many")
}

/// Column by column, out of values that nobody has to look for, as `postgres` does behind its `Row::get`.
fn by_hand(columns: &[Sent; 8]) -> Order<'_> {
    let [id, quantity, discount, open, customer, note, city, items] = columns;
    Order {
        id: id.theirs(),
        quantity: quantity.theirs(),
        discount: discount.theirs(),
        open: open.theirs(),
        customer: customer.theirs(),
        note: note.theirs(),
        city: city.theirs(),
        items: items.theirs(),
    }
}

fn by_column(row: &Row) -> Result<Order<'_>, walferry::RowError> {
    Ok(Order {
        id: row.read("id")?,
        quantity: row.read("quantity")?,
        discount: row.read("discount")?,
        open: row.read("open")?,
        customer: row.read("customer")?,
        note: row.read("note")?,
        city: row.read("city")?,
        items: row.read("items")?,
    })
}

fn rows(criterion: &mut Criterion) {
    let columns = columns();
    let (text, binary) = (row(&columns, Sent::text), row(&columns, Sent::binary));
    let pairs = columns.iter().map(|sent| (sent.name, ColumnValue::text(&sent.text)));
    let theirs = RowData::from_pairs(pairs.collect());

    let order = by_hand(&columns);
    for row in [&text, &binary] {
        assert_eq!(row.deserialize::<Order<'_>>().as_ref(), Ok(&order));
        assert_eq!(by_column(row).as_ref(), Ok(&order));
    }
    assert_eq!(theirs.deserialize_borrowed::<Order<'_>>().expect("a row"), order);

    let mut group = group(criterion, "a row of 8 columns");
    group.bench_function("text/walferry serde", |bencher| {
        bencher.iter(|| black_box(&text).deserialize::<Order<'_>>());
    });
    group.bench_function("text/walferry by column", |bencher| bencher.iter(|| by_column(black_box(&text))));
    group.bench_function("text/pg_walstream serde", |bencher| {
        bencher.iter(|| black_box(&theirs).deserialize_borrowed::<Order<'_>>().expect("a row"));
    });
    group.bench_function("binary/walferry serde", |bencher| {
        bencher.iter(|| black_box(&binary).deserialize::<Order<'_>>());
    });
    group.bench_function("binary/walferry by column", |bencher| {
        bencher.iter(|| by_column(black_box(&binary)));
    });
    group.bench_function("binary/postgres-types by hand", |bencher| {
        bencher.iter(|| by_hand(black_box(&columns)));
    });
    group.finish();
}

mod group {
    criterion::criterion_group!(benches, super::values, super::rows);
}
criterion_main!(group::benches);
