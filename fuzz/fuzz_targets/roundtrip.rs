//! Any message: decoded from its bytes it is the same, and no other bytes are it. And what became of it when some of its
//! bytes were changed is refused, or a message with one form of its own.

#![no_main]

use arbitrary::{Result, Unstructured};
use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use walferry::Xid;
use walferry::pgoutput::{Decoder, Message, StreamStart};
use walferry_fuzz::generate::{RELATIONS, message, plain_relation};
use walferry_fuzz::laws;

fuzz_target!(|input: &[u8]| {
    let mut u = Unstructured::new(input);
    let Ok((in_block, parallel)) = u.arbitrary() else { return };
    let Ok(message) = message(&mut u, in_block, parallel) else { return };
    let decoder = decoder(in_block, parallel);
    let bytes = message.encode();
    laws::decode(&mut decoder.clone(), &bytes, bytes.len());
    assert_eq!(decoder.clone().decode(bytes.clone()), Ok(message));

    let mut bytes = bytes.to_vec();
    while !u.is_empty() {
        if mutate(&mut u, &mut bytes).is_err() {
            return;
        }
        laws::decode(&mut decoder.clone(), &Bytes::copy_from_slice(&bytes), bytes.len());
    }
});

fn decoder(in_block: bool, parallel: bool) -> Decoder {
    let mut decoder = Decoder::new().parallel_streaming(parallel);
    for place in 0..RELATIONS.len() {
        decoder.decode(Message::Relation(None, plain_relation(place)).encode()).expect("a relation");
    }
    if in_block {
        let start = StreamStart { xid: Xid::new(1), first_segment: true };
        decoder.decode(Message::StreamStart(start).encode()).expect("a block begins");
    }
    decoder
}

/// One byte becomes another, comes or goes; or the end does.
fn mutate(u: &mut Unstructured<'_>, bytes: &mut Vec<u8>) -> Result<()> {
    let place = u.choose_index(bytes.len() + 1)?;
    match u.int_in_range(0..=3)? {
        0 if place < bytes.len() => bytes[place] = u.arbitrary()?,
        1 if place < bytes.len() => drop(bytes.remove(place)),
        2 => bytes.truncate(place),
        _ => bytes.insert(place, u.arbitrary()?),
    }
    Ok(())
}
