//! What is written is what is read, and what was not written whole is not there.

mod context;
mod damage;
mod restart;
mod round_trip;
mod seek;
mod types;

use std::io::Cursor;
use std::ops::Range;

use bytes::{BufMut, Bytes, BytesMut};

use super::crc::crc32c;
use super::*;
use crate::event::Event;
use crate::frame::XLogData;
use crate::pgoutput::tests::{RELATION, XID, relation};
use crate::pgoutput::{self, Datum, Insert, Message, StreamStart, Tuple};
use crate::{Lsn, Timestamp, Xid};

const CLOCK: Timestamp = Timestamp::from_micros(7);
/// Signature and version.
const HEADER: usize = 15;
/// Length and checksum of a block.
const BLOCK_HEADER: usize = 8;

fn frame(message: &Message) -> Bytes {
    XLogData { start: Lsn::ZERO, end: Lsn::ZERO, clock: CLOCK, payload: message.encode() }.encode()
}

/// A plain transaction of one row, whose relation was announced before.
fn transaction(commit_lsn: u64, text: &[u8]) -> [Message; 3] {
    let (commit_lsn, end_lsn) = (Lsn::new(commit_lsn), Lsn::new(commit_lsn + 8));
    let new = Tuple::from_datums([Datum::Text(text)]);
    [
        Message::Begin(pgoutput::Begin { commit_lsn, commit_time: CLOCK, xid: XID }),
        Message::Insert(Insert { xid: None, relation_id: RELATION, new }),
        Message::Commit(pgoutput::Commit { commit_lsn, end_lsn, commit_time: CLOCK }),
    ]
}

/// A capture, with a block of its own for every so many frames.
fn capture(context: &Context, frames: &[Bytes], per_block: usize) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new(), context).unwrap();
    for frames in frames.chunks(per_block) {
        for frame in frames {
            writer.append(CLOCK, frame).unwrap();
        }
        writer.flush().unwrap();
    }
    writer.finish().unwrap()
}

fn context() -> Context {
    Context { server_version: "18.4".into(), slot: "s".into(), ..Context::default() }
}

/// A block as the format says, written without the writer.
fn block(kind: u8, fields: &[u8]) -> Vec<u8> {
    let body = [&[kind], fields].concat();
    let mut block = Vec::new();
    block.put_u32(u32::try_from(body.len()).unwrap());
    block.put_u32(crc32c(&body));
    block.extend(body);
    block
}

/// Where each block lies.
fn blocks(file: &[u8]) -> Vec<Range<usize>> {
    let mut blocks = Vec::new();
    let mut start = HEADER;
    while start < file.len() {
        let length = u32::from_be_bytes(file[start..start + 4].try_into().unwrap());
        let end = start + BLOCK_HEADER + usize::try_from(length).unwrap();
        blocks.push(start..end);
        start = end;
    }
    blocks
}

/// What a file holds up to its end or its first error, and which of the two, with the torn tail.
fn read(file: &[u8]) -> (Vec<Record>, Result<Option<u64>, CaptureError>) {
    let mut records = Vec::new();
    let mut reader = match Reader::new(file) {
        Ok(reader) => reader,
        Err(error) => return (records, Err(error)),
    };
    loop {
        match reader.next_record() {
            Ok(Some(record)) => records.push(record),
            Ok(None) => return (records, Ok(reader.torn_tail())),
            Err(error) => return (records, Err(error)),
        }
    }
}

/// Everything in a file that is whole.
fn read_whole(file: &[u8]) -> Vec<Record> {
    let (records, end) = read(file);
    assert_eq!(end.unwrap(), None);
    records
}

fn events(file: &[u8]) -> Vec<Event> {
    Events::new(Reader::new(file).unwrap()).unwrap().map(Result::unwrap).collect()
}
