//! What is written is what is read, and the bytes in between say it in one way only.

use std::collections::BTreeSet;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use super::generate::sent;
use super::*;

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_encoded_is_decoded(sent in sent()) {
        prop_assert_eq!(sent.decoder().decode(sent.message.encode()), Ok(sent.message));
    }

    #[test]
    fn no_proper_prefix_is_a_message(sent in sent()) {
        let frame = sent.message.encode();
        for end in 0..frame.len() {
            prop_assert!(sent.decoder().decode(frame.slice(..end)).is_err(), "{} of {}", end, frame.len());
        }
    }

    #[test]
    fn museum_29_no_byte_may_follow_a_message(sent in sent(), byte: u8) {
        let mut frame = sent.message.encode().to_vec();
        let count = frame.len();
        frame.push(byte);
        let error = sent.decoder().decode(frame.into()).unwrap_err();
        prop_assert_eq!((error.offset(), error.kind()), (count, &DecodeErrorKind::TrailingBytes { count: 1 }));
    }

    #[test]
    fn bytes_that_are_a_message_are_that_messages_bytes(sent in sent(), at: prop::sample::Index, byte: u8) {
        let mut frame = sent.message.encode().to_vec();
        let at = at.index(frame.len());
        frame[at] = byte;
        if let Ok(message) = sent.decoder().decode(frame.clone().into()) {
            // Two bytes for one meaning would make a flipped bit invisible. The schema that the wire leaves empty is
            // the one exception: its full name is understood, too.
            let unnamed = matches!(&message, Message::Relation(_, Relation { schema, .. })
                | Message::Type(_, Type { schema, .. }) if schema == "pg_catalog");
            prop_assert!(unnamed || message.encode() == frame, "{:?}", message);
        }
    }
}

#[test]
fn the_generator_makes_all_nineteen_messages() {
    let mut runner = TestRunner::deterministic();
    let tags: BTreeSet<u8> =
        (0..2000).map(|_| sent().new_tree(&mut runner).unwrap().current().message.tag()).collect();
    assert_eq!(tags, samples().iter().map(Message::tag).collect());
}
