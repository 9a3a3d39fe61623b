//! Any bytes in place of JSON Lines: events or an error, and what was read is the same when it is written and read again.

#![no_main]

use libfuzzer_sys::fuzz_target;
use walferry::event::Event;
use walferry::sink::json::{Lines, Reader};
use walferry_fuzz::laws;

const LIMIT: usize = 4096;

fuzz_target!(|input: &[u8]| {
    let events = laws::bounded(input.len(), 256, 16 * 1024, || read(input));

    let (mut lines, mut json) = (Lines::default(), Vec::new());
    for event in &events {
        lines.event(&mut json, event).expect("every event has JSON");
    }
    let again: Vec<Event> =
        Reader::new(json.as_slice()).collect::<Result<_, _>>().expect("what was written can be read");
    assert_eq!(again, events);
});

fn read(input: &[u8]) -> Vec<Event> {
    let mut reader = Reader::new(input).line_limit(LIMIT);
    let events = reader.by_ref().map_while(Result::ok).collect();
    assert!(reader.next().is_none(), "an event behind an error");
    events
}
