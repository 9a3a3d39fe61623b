//! Decoding: message, relation lookup, and one visit of every column, beside the floor, which is a bounds-checked walk
//! over the length fields that builds nothing.
//!
//! `cargo bench --bench decode`
#![expect(clippy::expect_used, reason = "a bench that can't run must say so")]

use std::hint::black_box;

use bytes::{Bytes, BytesMut};
use criterion::{Criterion, Throughput, criterion_main};
use walferry::pgoutput::{
    Column, Datum, Decoder, Insert, Message, OldTuple, Relation, ReplicaIdentity, Tuple, Update,
};
use walferry::{Oid, RelationId};

const MESSAGES: usize = 1024;

struct Shape {
    name: &'static str,
    columns: usize,
    message: Message,
}

fn relation(columns: usize) -> Message {
    let column = |number| Column {
        name: format!("column_{number}"),
        type_oid: Oid::new(25),
        type_modifier: -1,
        is_key: number == 0,
    };
    Message::Relation(
        None,
        Relation {
            id: RelationId::new(16384),
            schema: "public".into(),
            name: "shape".into(),
            replica_identity: ReplicaIdentity::Default,
            columns: (0..columns).map(column).collect(),
        },
    )
}

fn insert(tuple: Tuple) -> Message {
    Message::Insert(Insert { xid: None, relation_id: RelationId::new(16384), new: tuple })
}

fn shapes() -> Vec<Shape> {
    let number = Datum::Text(b"1234567");
    let mixed = |n: usize| if n % 4 == 3 { Datum::Null } else { Datum::Text(b"2026-11-22 08:25:18") };
    let long = [b'x'; 3900];
    let wide = Tuple::from_datums((0..30).map(mixed));
    let twelve = Tuple::from_datums((0..12).map(mixed));
    let full = Message::Update(Update {
        xid: None,
        relation_id: RelationId::new(16384),
        old: Some(OldTuple::Full(twelve.clone())),
        new: twelve,
    });
    vec![
        Shape { name: "narrow", columns: 3, message: insert(Tuple::from_datums([number; 3])) },
        Shape { name: "wide", columns: 30, message: insert(wide) },
        Shape { name: "text", columns: 1, message: insert(Tuple::from_datums([Datum::Text(&long)])) },
        Shape { name: "full", columns: 12, message: full },
    ]
}

/// As the codec hands them out: slices of one read buffer.
fn received(message: &Message) -> Vec<Bytes> {
    let encoded = message.encode();
    let mut buffer = BytesMut::new();
    for _ in 0..MESSAGES {
        buffer.extend_from_slice(&encoded);
    }
    (0..MESSAGES).map(|_| buffer.split_to(encoded.len()).freeze()).collect()
}

/// Sums the lengths of a tuple's values and moves behind it.
fn walk<'a>(bytes: &'a [u8], sum: &mut usize) -> Option<&'a [u8]> {
    let (columns, mut rest) = bytes.split_first_chunk()?;
    for _ in 0..u16::from_be_bytes(*columns) {
        let (kind, behind) = rest.split_first()?;
        rest = behind;
        if matches!(kind, b't' | b'b') {
            let (length, behind) = rest.split_first_chunk()?;
            let length = u32::from_be_bytes(*length) as usize;
            rest = behind.get(length..)?;
            *sum += length;
        }
    }
    Some(rest)
}

fn floor(message: &[u8]) -> Option<usize> {
    let mut sum = 0;
    let (_, mut rest) = message.split_at_checked(5)?;
    while let Some((_, tuple)) = rest.split_first() {
        rest = walk(tuple, &mut sum)?;
    }
    Some(sum)
}

fn visit(tuple: &Tuple) -> usize {
    tuple
        .iter()
        .map(|datum| match datum {
            Datum::Text(value) | Datum::Binary(value) => value.len(),
            Datum::Null | Datum::Unchanged => 0,
        })
        .sum()
}

fn decode(decoder: &mut Decoder, message: Bytes) -> usize {
    match decoder.decode(message).expect("a message") {
        Message::Insert(insert) => visit(&insert.new),
        Message::Update(Update { old: Some(OldTuple::Full(old)), new, .. }) => visit(&old) + visit(&new),
        _ => 0,
    }
}

fn decoding(criterion: &mut Criterion) {
    for shape in shapes() {
        let messages = received(&shape.message);
        let mut decoder = Decoder::new();
        decoder.decode(relation(shape.columns).encode()).expect("a relation");
        let expected = messages.first().and_then(|message| floor(message)).expect("a message") * MESSAGES;
        let total: usize = messages.iter().map(|message| decode(&mut decoder, message.clone())).sum();
        assert_eq!(total, expected, "both see the same values of {}", shape.name);

        let mut group = criterion.benchmark_group(shape.name);
        group.throughput(Throughput::Elements(MESSAGES as u64));
        group.bench_function("floor", |bencher| {
            bencher.iter(|| messages.iter().filter_map(|message| floor(black_box(message))).sum::<usize>());
        });
        group.bench_function("decode", |bencher| {
            bencher.iter_batched(
                || messages.clone(),
                |messages| messages.into_iter().map(|message| decode(&mut decoder, message)).sum::<usize>(),
                criterion::BatchSize::LargeInput,
            );
        });
        group.finish();
    }
}

mod group {
    criterion::criterion_group!(benches, super::decoding);
}
criterion_main!(group::benches);
