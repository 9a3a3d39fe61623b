//! Any frames, any context.

use std::sync::Arc;

use proptest::collection::vec;
use proptest::prelude::*;

use super::types::any_types;
use super::*;
use crate::RelationId;
use crate::catalog::{Catalog, TableFacts};
use crate::pgoutput::tests::generate::{name, sent};

/// Frames of a server, and bytes that no server sends: a capture keeps what it is given.
fn any_frame() -> impl Strategy<Value = Bytes> {
    prop_oneof![
        sent().prop_map(|sent| frame(&sent.message)),
        vec(any::<u8>(), 0..40).prop_map(Bytes::from),
        (any::<u8>(), 0_usize..200_000).prop_map(|(byte, count)| vec![byte; count].into()),
    ]
}

fn any_context() -> impl Strategy<Value = Context> {
    let facts = (vec(name(), 0..3), any::<bool>())
        .prop_map(|(identity_always, has_children)| TableFacts { identity_always, has_children })
        // A table of which nothing is known need not be there.
        .prop_filter("something is known", |facts| *facts != TableFacts::default());
    let tables = vec((any::<u32>().prop_map(RelationId::new), facts), 0..4);
    let catalog = (tables, any_types()).prop_map(|(tables, types)| {
        let mut catalog: Catalog = tables.into_iter().collect();
        catalog.set_types(Arc::new(types));
        catalog
    });
    let texts = (name(), name(), name(), name(), vec(name(), 0..3));
    (texts, any::<u64>(), any::<u32>(), any::<bool>(), catalog).prop_map(
        |(
            (server_version, system_id, database, slot, publications),
            start_lsn,
            timeline,
            parallel_streaming,
            catalog,
        )| {
            Context {
                server_version,
                system_id,
                timeline,
                database,
                slot,
                publications,
                start_lsn: Lsn::new(start_lsn),
                parallel_streaming,
                catalog,
            }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_written_is_read(
        context in any_context(),
        frames in vec((any::<i64>().prop_map(Timestamp::from_micros), any_frame(), any::<bool>()), 0..12),
    ) {
        let mut writer = Writer::new(Vec::new(), &context).unwrap();
        let mut expected = vec![Record::Context(context)];
        for (received, payload, flush) in frames {
            writer.append(received, &payload).unwrap();
            expected.push(Record::Frame { received, payload });
            if flush {
                writer.flush().unwrap();
                prop_assert_eq!(&read_whole(writer.out()), &expected);
            }
        }
        prop_assert_eq!(read_whole(&writer.finish().unwrap()), expected);
    }
}

#[test]
fn flushing_without_frames_writes_nothing() {
    let mut writer = Writer::new(Vec::new(), &context()).unwrap();
    let length = writer.out().len();
    writer.flush().unwrap();
    assert_eq!(writer.finish().unwrap().len(), length);
}

#[test]
fn frames_are_gathered_into_blocks() {
    let frames = vec![Bytes::from(vec![0; 1000]); 500];
    let file = capture(&context(), &frames, frames.len());
    assert!(blocks(&file).len() < 10, "{}", blocks(&file).len());
    assert_eq!(read_whole(&file).len(), 501);
}

#[test]
fn the_format_is_what_its_documentation_says() {
    // By hand: a reader of another make must come to the same.
    let mut file = b"\x89walferry\r\n\x1a\n\0\x01".to_vec();
    file.extend(block(b'C', b"\0\0\0\x04slot\0\0\0\x03abc"));
    file.extend(block(b'F', b"\0\0\0\0\0\0\0\x07\0\0\0\x02hi"));
    let records = [
        Record::Context(Context { slot: "abc".into(), ..Context::default() }),
        Record::Frame { received: CLOCK, payload: Bytes::from_static(b"hi") },
    ];
    assert_eq!(read_whole(&file), records);
}
