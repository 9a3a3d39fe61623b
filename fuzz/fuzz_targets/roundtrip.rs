//! Any message: decoded from its bytes it is the same, and no other bytes are it.

#![no_main]

use arbitrary::Unstructured;
use libfuzzer_sys::fuzz_target;
use walferry::Xid;
use walferry::pgoutput::{Decoder, Message, StreamStart};
use walferry_fuzz::generate::{RELATIONS, message, plain_relation};

fuzz_target!(|input: &[u8]| {
    let mut u = Unstructured::new(input);
    let Ok((in_block, parallel)) = u.arbitrary() else { return };
    let Ok(message) = message(&mut u, in_block, parallel) else { return };
    let decoder = decoder(in_block, parallel);
    let bytes = message.encode();
    for end in 0..bytes.len() {
        assert!(decoder.clone().decode(bytes.slice(..end)).is_err(), "{end} bytes of {message:?}");
    }
    let longer = [&bytes[..], &[0]].concat();
    assert!(decoder.clone().decode(longer.into()).is_err(), "a byte behind {message:?}");
    assert_eq!(decoder.clone().decode(bytes), Ok(message));
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
