//! How a stream was started, and that what follows is read accordingly.

use super::*;
use crate::pgoutput::{AbortInfo, StreamAbort};

/// The blocks of a file: what a second stream into the same file would add.
fn without_header(file: &[u8]) -> &[u8] {
    &file[HEADER..]
}

fn abort(parallel: bool) -> [Message; 3] {
    let info = parallel.then_some(AbortInfo { abort_lsn: Lsn::ZERO, abort_time: CLOCK });
    [
        Message::StreamStart(StreamStart { xid: XID, first_segment: true }),
        Message::StreamStop,
        Message::StreamAbort(StreamAbort { xid: XID, subxid: XID, info }),
    ]
}

fn one_stream(context: &Context, parallel: bool, lsn: u64) -> Vec<u8> {
    let messages = [Message::Relation(None, relation(1))]
        .into_iter()
        .chain(abort(parallel))
        .chain(transaction(lsn, b"text"));
    let frames: Vec<_> = messages.map(|message| frame(&message)).collect();
    capture(context, &frames, 2)
}

#[test]
fn unknown_keys_are_ignored() {
    let pairs = b"\0\0\0\x05later\0\0\0\x02hi\0\0\0\x04slot\0\0\0\x03abc\0\0\0\0\0\0\0\0";
    let file = [&capture(&context(), &[], 1)[..HEADER], &block(b'C', pairs)].concat();
    let expected = Context { slot: "abc".into(), ..Context::default() };
    assert_eq!(read_whole(&file), [Record::Context(expected)]);
}

#[test]
fn events_begin_with_the_context() {
    let file = one_stream(&context(), false, 0x100);
    let events = Events::new(Reader::new(&*file).unwrap()).unwrap();
    assert_eq!(events.context(), &context());
}

#[test]
fn a_context_starts_a_new_decoder() {
    let parallel = Context { parallel_streaming: true, slot: "second".into(), ..Context::default() };
    let mut file = one_stream(&context(), false, 0x100);
    file.extend(without_header(&one_stream(&parallel, true, 0x200)));
    let mut events = Events::new(Reader::new(&*file).unwrap()).unwrap();
    assert_eq!(events.by_ref().map(Result::unwrap).count(), 6);
    assert_eq!(events.context(), &parallel);
}

#[test]
fn a_context_ends_what_was_open() {
    // The connection was lost inside a stream block: the next stream begins outside of one.
    let started = [frame(&Message::StreamStart(StreamStart { xid: XID, first_segment: true }))];
    let mut file = capture(&context(), &started, 1);
    file.extend(without_header(&one_stream(&context(), false, 0x100)));
    assert_eq!(events(&file).len(), 3);
}

#[test]
fn a_context_forgets_the_relations() {
    // The next stream announces its own; rows that come before that are an error, not rows of the old ones.
    let rows = transaction(0x200, b"text").map(|message| frame(&message));
    let mut file = one_stream(&context(), false, 0x100);
    file.extend(without_header(&capture(&context(), &rows, 1)));
    let last = Events::new(Reader::new(&*file).unwrap()).unwrap().find(Result::is_err);
    assert!(matches!(last, Some(Err(CaptureError::Decode(_)))), "{last:?}");
}

#[test]
fn a_capture_without_a_context_loses_no_frame() {
    let rows = transaction(0x200, b"text").map(|message| frame(&message));
    let frames = [&[frame(&Message::Relation(None, relation(1)))], &rows[..]].concat();
    let file = capture(&context(), &frames, 1);
    let first = blocks(&file)[0].clone();
    let without = [&file[..first.start], &file[first.end..]].concat();
    assert_eq!(events(&without), events(&file));
}
