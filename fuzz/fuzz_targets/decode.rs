//! Any bytes in place of frames: an error or a message, never a panic, and a message has one form only.

#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use walferry::frame::{Frame, StandbyStatusUpdate};
use walferry::pgoutput::Decoder;
use walferry_fuzz::{frames, laws};

fuzz_target!(|input: &[u8]| {
    let (parallel, frames) = frames::split(input);
    let mut decoder = Decoder::new().parallel_streaming(parallel);
    for payload in frames {
        if let Ok(status) = StandbyStatusUpdate::decode(&payload) {
            assert_eq!(status.encode(), payload);
        }
        if let Some(message) = unframe(&payload) {
            laws::decode(&mut decoder, &message, input.len());
        }
    }
});

fn unframe(payload: &Bytes) -> Option<Bytes> {
    match Frame::decode(payload.clone()).ok()? {
        Frame::XLogData(data) => {
            assert_eq!(data.encode(), *payload);
            Some(data.payload)
        }
        Frame::PrimaryKeepalive(keepalive) => {
            assert_eq!(keepalive.encode(), *payload);
            None
        }
        _ => None,
    }
}
