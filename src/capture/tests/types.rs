//! Types: those of the context, those learned later, and whatever their names hold.

use std::sync::Arc;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::event::Change;
use crate::value::{Type, TypeField, TypeKind, Types};
use crate::{Oid, Row};

fn oid() -> impl Strategy<Value = Oid> {
    any::<u32>().prop_map(Oid::new)
}

/// What a name may hold, and what it may not: nothing in it may be taken for what stands around it.
fn hostile() -> impl Strategy<Value = String> {
    let edge = ["", ":", "1:", "0:", "4:enum", "12", " ", "\0", "\n", "'\"", "é", "🚢", "\u{feff}"];
    prop_oneof![
        any::<String>(),
        vec(proptest::sample::select(edge.to_vec()), 0..4).prop_map(|parts| parts.concat()),
    ]
}

fn kind() -> impl Strategy<Value = TypeKind> {
    let field = (hostile(), oid()).prop_map(|(name, type_oid)| TypeField { name, type_oid });
    prop_oneof![
        Just(TypeKind::Base),
        Just(TypeKind::Pseudo),
        (oid(), any::<char>()).prop_map(|(element, delimiter)| TypeKind::Array { element, delimiter }),
        oid().prop_map(|element| TypeKind::Vector { element }),
        oid().prop_map(|subtype| TypeKind::Range { subtype }),
        oid().prop_map(|range| TypeKind::Multirange { range }),
        oid().prop_map(|base| TypeKind::Domain { base }),
        vec(hostile(), 0..4).prop_map(|labels| TypeKind::Enum { labels }),
        vec(field, 0..4).prop_map(|fields| TypeKind::Composite { fields }),
    ]
}

pub(super) fn any_types() -> impl Strategy<Value = Types> {
    let one = (oid(), hostile(), hostile(), kind()).prop_map(|(oid, schema, name, kind)| Type {
        oid,
        schema: schema.into(),
        name: name.into(),
        kind,
    });
    vec(one, 0..5).prop_map(|types| types.into_iter().collect())
}

fn types(name: &'static str) -> Types {
    let kind = TypeKind::Enum { labels: vec!["null".into(), "ok".into()] };
    let mood = Type { oid: Oid::new(16_400), schema: "public".into(), name: name.into(), kind };
    Types::from_iter([mood])
}

fn with_types(name: &'static str) -> Context {
    let mut context = context();
    context.catalog.set_types(Arc::new(types(name)));
    context
}

/// The name that the type has in each row.
fn names(events: impl IntoIterator<Item = Event>) -> String {
    let name = |row: &Row| row.types().get(Oid::new(16_400)).map_or("?".into(), |known| known.name.clone());
    let found = events.into_iter().filter_map(|event| match event {
        Event::Change(Change::Insert { new }) => Some(name(&new)),
        _ => None,
    });
    found.collect::<Vec<_>>().join(" ")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn types_learned_later_are_read_as_they_were_written(learned in vec(any_types(), 0..3)) {
        let mut writer = Writer::new(Vec::new(), &context()).unwrap();
        let mut expected = vec![Record::Context(context())];
        for types in learned {
            writer.append(CLOCK, &frame(&Message::StreamStop)).unwrap();
            writer.append_types(&types).unwrap();
            expected.push(Record::Frame { received: CLOCK, payload: frame(&Message::StreamStop) });
            expected.push(Record::Types(types));
        }
        prop_assert_eq!(read_whole(&writer.finish().unwrap()), expected);
    }

    #[test]
    fn whatever_stands_for_a_type_is_read_or_refused(text in hostile(), known in any_types(), cut in 0..40_usize) {
        let printed: String = known.inserted().map(crate::capture::types::print).collect();
        let cut: String = printed.chars().take(cut).collect();
        for text in [text, cut, printed] {
            if let Some(read) = crate::capture::types::parse(&text) {
                prop_assert_eq!(crate::capture::types::print(&read), text);
            }
        }
    }
}

#[test]
fn the_form_of_a_type_is_what_the_documentation_says() {
    let known = types("mood").inserted().next().cloned().unwrap();
    assert_eq!(crate::capture::types::print(&known), "5:164006:public4:mood4:enum4:null2:ok");
    // By hand: a reader of another make must come to the same.
    let mut file = b"\x89walferry\r\n\x1a\n\0\x01".to_vec();
    let text = b"\0\0\0\x255:164006:public4:mood4:enum4:null2:ok";
    file.extend(block(b'C', &[b"\0\0\0\x04type".as_slice(), text].concat()));
    file.extend(block(b'T', text));
    let mut context = Context::default();
    context.catalog.set_types(Arc::new(types("mood")));
    assert_eq!(read_whole(&file), [Record::Context(context), Record::Types(types("mood"))]);
}

#[test]
fn a_type_that_no_writer_wrote_is_an_error() {
    for text in ["", "5:16400", "1:x1:s1:n4:base", "1:11:s1:n4:base1:x", "1:11:s1:n5:array1:12:::", "2:11"] {
        let fields = [&u32::try_from(text.len()).unwrap().to_be_bytes(), text.as_bytes()].concat();
        let file = [&capture(&context(), &[], 1)[..], &block(b'T', &fields)].concat();
        assert!(matches!(read(&file).1, Err(CaptureError::Malformed { .. })), "{text}");
        let pair = [b"\0\0\0\x04type".as_slice(), &fields].concat();
        let file = [&file[..HEADER], &block(b'C', &pair)].concat();
        assert!(matches!(read(&file).1, Err(CaptureError::Malformed { .. })), "{text}");
    }
}

/// Types of a context, and others that were learned, with a resume point behind some of them.
fn story() -> Vec<u8> {
    let row = |commit_lsn| transaction(commit_lsn, &vec![b'x'; 2 << 20]).map(|message| frame(&message));
    let mut writer = Writer::new(Vec::new(), &with_types("first")).unwrap();
    writer.append(CLOCK, &frame(&Message::Relation(None, relation(1)))).unwrap();
    for (commit_lsn, learned) in [(0x100, None), (0x200, Some("second")), (0x300, Some("third"))] {
        if let Some(name) = learned {
            writer.append_types(&types(name)).unwrap();
        }
        for frame in row(commit_lsn) {
            writer.append(CLOCK, &frame).unwrap();
        }
    }
    writer.finish().unwrap()
}

#[test]
fn rows_have_the_types_that_were_known_when_they_came() {
    assert_eq!(names(events(&story())), "first second third");
}

#[test]
fn rows_have_the_same_types_wherever_reading_begins() {
    let file = story();
    let mut found = Events::new(Reader::new(Cursor::new(&file)).unwrap()).unwrap();
    for (lsn, position, expected) in [
        (0x308, 0x308, ""),
        (0x208, 0x208, "third"),
        (0x108, 0x108, "second third"),
        (0, 0, "first second third"),
        (0x208, 0x208, "third"),
    ] {
        assert_eq!(found.seek(Lsn::new(lsn)).unwrap(), Lsn::new(position));
        assert_eq!(names(found.by_ref().map(Result::unwrap)), expected, "from {lsn:#x}");
    }
}

#[test]
fn types_that_precede_a_resume_point_come_back_with_it() {
    // Learned, and no announcement since: who begins behind must know them all the same.
    let mut file = story();
    file.extend(&story()[HEADER..]);
    let mut reader = Reader::new(Cursor::new(&file)).unwrap();
    reader.seek(Lsn::new(0x208)).unwrap();
    assert_eq!(reader.next_record().unwrap(), Some(Record::Context(with_types("first"))));
    assert_eq!(reader.next_record().unwrap(), Some(Record::Types(types("second"))));
    // A context ends what was learned before it, wherever reading begins.
    let messages = [Message::Relation(None, relation(1))].into_iter();
    let messages = messages.chain(transaction(0x400, &vec![b'x'; 2 << 20])).chain(transaction(0x500, b"x"));
    let frames: Vec<_> = messages.map(|message| frame(&message)).collect();
    let file = [&story()[..], &capture(&with_types("other"), &frames, 1)[HEADER..]].concat();
    assert_eq!(names(events(&file)), "first second third other other");
    let mut found = Events::new(Reader::new(Cursor::new(&file)).unwrap()).unwrap();
    assert_eq!(found.seek(Lsn::new(0x408)).unwrap(), Lsn::new(0x408));
    assert_eq!(names(found.map(Result::unwrap)), "other");
}
