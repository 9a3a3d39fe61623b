//! Any bytes in place of frames: an error or a message, never a panic, and a message has one form only.

#![no_main]

use libfuzzer_sys::fuzz_target;
use walferry::frame::{Frame, StandbyStatusUpdate};
use walferry::pgoutput::{Decoder, Message};
use walferry_fuzz::frames;

fuzz_target!(|input: &[u8]| {
    let (parallel, frames) = frames::split(input);
    let mut decoder = Decoder::new().parallel_streaming(parallel);
    for payload in frames {
        let _ = StandbyStatusUpdate::decode(&payload);
        let Ok(Frame::XLogData(data)) = Frame::decode(payload) else { continue };
        let bytes = data.payload.clone();
        match decoder.decode(data.payload) {
            Ok(message) => {
                // The schema that the wire leaves empty is understood by its name, too.
                let unnamed = matches!(&message, Message::Relation(..) | Message::Type(..));
                assert!(unnamed || message.encode() == bytes, "{message:?}");
            }
            Err(error) => {
                assert!(error.offset() <= bytes.len());
                let _ = error.to_string();
            }
        }
    }
});
