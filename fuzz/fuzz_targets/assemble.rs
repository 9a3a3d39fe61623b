//! Any order of messages: a violation, or whole transactions one after the other; and memory within the limit.

#![no_main]

use arbitrary::Unstructured;
use libfuzzer_sys::fuzz_target;
use walferry::Xid;
use walferry::assemble::{Assembler, Violation};
use walferry::event::Event;
use walferry::pgoutput::Message;
use walferry_fuzz::generate::{RELATIONS, message, plain_relation};

const LIMIT: usize = 4096;

fuzz_target!(|input: &[u8]| {
    let mut u = Unstructured::new(input);
    let mut assembler = Assembler::new().memory_limit(LIMIT);
    for place in 0..RELATIONS.len() {
        assembler.push(Message::Relation(None, plain_relation(place))).expect("a relation may come first");
    }
    let (mut open, mut in_block) = (None, false);
    while !u.is_empty() {
        let Ok(message) = message(&mut u, in_block, false) else { return };
        let streamed = matches!(message, Message::StreamCommit(_));
        let (starts, stops) = (matches!(message, Message::StreamStart(_)), message == Message::StreamStop);
        // A violation ends a stream; going on shows that it does no harm, unless it says that there is no room.
        let pushed = assembler.push(message);
        if matches!(pushed, Err(Violation::MemoryLimit { .. })) {
            return;
        }
        let accepted = pushed.is_ok();
        in_block = if accepted && (starts || stops) { starts } else { in_block };
        let mut held = 0;
        while let Ok(Some(event)) = assembler.poll() {
            held += event.byte_len();
            follow(&event, &mut open);
        }
        // What was held back until now comes out at once.
        assert!(!streamed || held <= LIMIT, "{held} bytes were held");
    }
});

/// A Begin opens, its Commit or Prepare closes, changes and transactional messages stand in between. What was prepared
/// ends outside of any.
fn follow(event: &Event, open: &mut Option<Xid>) {
    match event {
        Event::Begin(begin) => assert_eq!(open.replace(begin.xid), None),
        Event::Commit(commit) => assert_eq!(open.take(), Some(commit.xid())),
        Event::Prepare(prepare) => assert_eq!(open.take(), Some(prepare.xid())),
        Event::CommitPrepared(_) | Event::RollbackPrepared(_) => assert_eq!(*open, None),
        Event::Message(message) => {
            assert_eq!(message.transactional, open.is_some());
            assert_eq!(message.xid, None);
        }
        _ => assert!(open.is_some()),
    }
}
