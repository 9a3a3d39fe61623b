//! Any bytes of a connection: however they are cut into pieces, the same messages come out, and the same error; and no
//! length that they claim is allocated before its bytes are there.

#![no_main]

use libfuzzer_sys::fuzz_target;
use walferry::connection::pieces::decode;
use walferry_fuzz::{frames, laws};

/// The room that a read is given, twice: what was read, and what it grows into.
const ROOM: usize = 3 * 64 * 1024;

fuzz_target!(|input: &[u8]| {
    let (authenticated, pieces) = frames::split(input);
    let bytes = pieces.concat();
    let whole = laws::bounded(input.len(), 128, ROOM, || decode([bytes.as_slice()], authenticated));
    let cut =
        laws::bounded(input.len(), 128, ROOM, || decode(pieces.iter().map(AsRef::as_ref), authenticated));
    assert_eq!(cut, whole);
    assert_eq!(decode(bytes.chunks(1), authenticated), whole);

    let (messages, error) = whole;
    let ends: Vec<_> = messages.iter().map(|message| message.end).collect();
    assert!(ends.is_sorted_by(|one, next| one < next) && ends.last().is_none_or(|&end| end <= bytes.len()));
    assert!(error.is_none_or(|error| !error.is_empty()));
});
