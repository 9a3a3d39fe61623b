//! What is counted, stage by stage: each on the messages of a shape, behind what a connection does once.

use std::hint::black_box;
use std::rc::Rc;
use std::time::Instant;

use bytes::Bytes;
use walferry::assemble::Assembler;
use walferry::event::Event;
use walferry::frame::XLogData;
use walferry::pgoutput::{Begin, Commit, Decoder, Insert, Message, StreamCommit, StreamStart};
use walferry::session::Session;
use walferry::value::{FromValue, Numeric, Types, Value};
use walferry::{Lsn, Timestamp, Xid};

use crate::decoders;
use crate::frames::{self, Shape, slices_of_one_buffer};

/// What is done once, and counted.
pub(crate) type Work = Box<dyn FnOnce()>;

pub(crate) struct Case {
    pub(crate) name: String,
    /// By which the figures are divided.
    pub(crate) messages: usize,
    shape: Rc<Shape>,
    prepare: fn(&Shape) -> Work,
}

impl Case {
    /// What needs no counting is done here.
    pub(crate) fn prepare(&self) -> Work {
        (self.prepare)(&self.shape)
    }
}

/// A name, what is done, and on which shapes.
type Stage = (&'static str, fn(&Shape) -> Work, &'static [&'static str]);

pub(crate) fn cases() -> Vec<Case> {
    let shapes: Vec<_> = frames::shapes().into_iter().map(Rc::new).collect();
    let stages: [Stage; 5] = [
        (
            "decode",
            decode,
            &["narrow", "four tables", "wide", "text", "full", "toast", "oltp", "wide binary", "capture"],
        ),
        ("read values of", values, &["wide", "wide binary"]),
        ("assemble", assemble, &["narrow", "wide", "full", "oltp", "capture"]),
        ("assemble streamed", assemble_streamed, &["narrow", "wide"]),
        ("session", session, &["narrow", "wide", "oltp", "capture"]),
    ];
    let of = |name: &str| Rc::clone(shapes.iter().find(|shape| shape.name == name).expect("a shape's name"));
    let cases = stages.iter().flat_map(|(stage, prepare, names)| {
        names.iter().map(move |name| {
            let shape = of(name);
            Case { name: format!("{stage} {name}"), messages: shape.messages.len(), shape, prepare: *prepare }
        })
    });
    cases.collect()
}

/// Message, relation lookup, and one visit of every column.
fn decode(shape: &Shape) -> Work {
    let (mut decode, mut messages) = (decoders::ours(shape), shape.messages.clone());
    Box::new(move || {
        black_box(decode(&mut messages));
    })
}

/// Each value as a Rust type, of rows that are decoded.
fn values(shape: &Shape) -> Work {
    let (messages, types) = (decoded(shape), Types::new());
    Box::new(move || {
        for message in &messages {
            let Message::Insert(insert) = message else { continue };
            for (number, datum) in insert.new.iter().enumerate() {
                if let Some(value) = Value::new(datum, frames::type_of(number), &types) {
                    read(value);
                }
            }
        }
    })
}

fn read(value: Value<'_>) {
    fn keep<'a, T: FromValue<'a>>(value: Value<'a>) {
        black_box(value.read::<T>().expect("a value of its type"));
    }
    match value.type_oid().into() {
        20_u32 => keep::<i64>(value),
        23 => keep::<i32>(value),
        25 => keep::<&str>(value),
        701 => keep::<f64>(value),
        1184 => keep::<Timestamp>(value),
        1700 => keep::<Numeric>(value),
        other => panic!("no shape has a column of type {other}"),
    }
}

/// Messages in, events out, as soon as there are any.
fn assemble(shape: &Shape) -> Work {
    assembling(decoded(shape))
}

/// The same rows, sent before their transaction has ended, and so kept until then.
fn assemble_streamed(shape: &Shape) -> Work {
    let xid = Xid::new(7);
    let in_block = |message| match message {
        Message::Relation(_, relation) => Some(Message::Relation(Some(xid), relation)),
        Message::Insert(insert) => Some(Message::Insert(Insert { xid: Some(xid), ..insert })),
        _ => None,
    };
    let (commit_lsn, end_lsn, commit_time) = (Lsn::new(16), Lsn::new(64), Timestamp::from_micros(0));
    let begin = Message::StreamStart(StreamStart { xid, first_segment: true });
    let commit = Message::StreamCommit(StreamCommit { xid, commit_lsn, end_lsn, commit_time });
    let rows = decoded(shape).into_iter().filter_map(in_block);
    assembling([begin].into_iter().chain(rows).chain([Message::StreamStop, commit]).collect())
}

fn assembling(messages: Vec<Message>) -> Work {
    let mut assembler = Assembler::new();
    Box::new(move || {
        for message in messages {
            assembler.push(message).expect("it can stand here");
            while let Some(event) = assembler.poll().expect("no file to read") {
                black_box(event);
            }
        }
    })
}

/// All that a stream does, but for the socket: payloads of `CopyData` in, events out, each transaction acknowledged.
fn session(shape: &Shape) -> Work {
    let (start, clock) = (Lsn::new(16), Timestamp::from_micros(0));
    let frame = |payload| XLogData { start, end: start, clock, payload }.encode();
    let payloads = slices_of_one_buffer(transactions(shape).into_iter().map(frame));
    let mut session = Session::new(Instant::now());
    Box::new(move || {
        for payload in payloads {
            session.receive(payload).expect("a server sends it");
            while let Some(event) = session.poll().expect("no file to read") {
                if let Event::Commit(commit) = &event {
                    session.acknowledge(commit);
                }
                black_box(event);
            }
        }
    })
}

fn decoded(shape: &Shape) -> Vec<Message> {
    let mut decoder = Decoder::new();
    transactions(shape).into_iter().map(|message| decoder.decode(message).expect("a message")).collect()
}

/// The shape's messages, with what announces their tables where a server sends it: behind the first `Begin`.
fn transactions(shape: &Shape) -> Vec<Bytes> {
    let (commit_lsn, end_lsn, commit_time) = (Lsn::new(16), Lsn::new(64), Timestamp::from_micros(0));
    let begin = Message::Begin(Begin { commit_lsn, commit_time, xid: Xid::new(7) }).encode();
    let commit = Message::Commit(Commit { commit_lsn, end_lsn, commit_time }).encode();
    let is_whole = shape.messages.first().is_some_and(|first| first.first() == Some(&b'B'));
    let mut messages = shape.messages.clone();
    if !is_whole {
        messages.insert(0, begin);
        messages.push(commit);
    }
    messages.splice(1..1, shape.announced.iter().cloned());
    messages
}
