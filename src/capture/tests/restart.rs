//! Captures of more than one connection: what was cut off comes again, and what is complete stands there once.

use super::*;
use crate::pgoutput::{LogicalMessage, StreamCommit};

/// A capture of several connections, each with its frames.
fn recorded(connections: &[Vec<Message>]) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new(), &context()).unwrap();
    for (nth, messages) in connections.iter().enumerate() {
        if nth > 0 {
            writer.restart(&context()).unwrap();
        }
        // A server announces everything anew on each connection.
        for message in [&Message::Relation(None, relation(1))].into_iter().chain(messages) {
            writer.append(CLOCK, &frame(message)).unwrap();
        }
    }
    writer.finish().unwrap()
}

/// The events in a word each: begin and end with their position, and the text of a row.
fn words(events: impl IntoIterator<Item = Event>) -> Vec<String> {
    let word = |event: Event| match event {
        Event::Begin(begin) => format!("B{:x}", u64::from(begin.commit_lsn)),
        Event::Commit(commit) => format!("C{:x}", u64::from(commit.commit_lsn())),
        Event::Message(message) => format!("m{:x}", u64::from(message.lsn)),
        Event::Change(change) => match change.rows().next().unwrap().tuple().iter().next() {
            Some(Datum::Text(text)) => String::from_utf8_lossy(text).into_owned(),
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    };
    events.into_iter().map(word).collect()
}

fn plain(commit_lsn: u64, text: &str) -> [Message; 3] {
    transaction(commit_lsn, text.as_bytes())
}

fn block(first_segment: bool, text: &str) -> [Message; 3] {
    let new = Tuple::from_datums([Datum::Text(text.as_bytes())]);
    [
        Message::StreamStart(StreamStart { xid: XID, first_segment }),
        Message::Insert(Insert { xid: Some(XID), relation_id: RELATION, new }),
        Message::StreamStop,
    ]
}

fn stream_commit(commit_lsn: u64) -> Message {
    let (commit_lsn, end_lsn) = (Lsn::new(commit_lsn), Lsn::new(commit_lsn + 8));
    Message::StreamCommit(StreamCommit { xid: XID, commit_lsn, end_lsn, commit_time: CLOCK })
}

fn message(lsn: u64) -> Message {
    let (lsn, prefix, content) = (Lsn::new(lsn), String::new(), Bytes::new());
    Message::Message(LogicalMessage { xid: None, transactional: false, lsn, prefix, content })
}

#[test]
fn a_transaction_that_was_cut_off_comes_again_whole() {
    for cut in 0..3 {
        let first = [&plain(0x100, "a")[..], &plain(0x200, "b")[..cut]].concat();
        let second = [plain(0x200, "b"), plain(0x300, "c")].concat();
        let found = words(events(&recorded(&[first, second])));
        // A Begin is given with what follows it.
        let half = if cut == 2 { &["B200", "b"][..] } else { &[] };
        let expected = [&["B100", "a", "C100"], half, &["B200", "b", "C200", "B300", "c", "C300"]].concat();
        assert_eq!(found, expected, "cut behind {cut}");
    }
}

#[test]
fn a_streamed_transaction_that_was_cut_off_comes_once() {
    let blocks = [block(true, "a"), block(false, "b")].concat();
    for cut in 0..=blocks.len() {
        let second = [&blocks[..], &[stream_commit(0x200)]].concat();
        let found = words(events(&recorded(&[blocks[..cut].to_vec(), second])));
        assert_eq!(found, ["B200", "a", "b", "C200"], "cut behind {cut}");
    }
}

#[test]
fn what_was_complete_and_came_again_is_left_out() {
    let complete =
        [&plain(0x100, "a")[..], &block(true, "b"), &[stream_commit(0x200), message(0x300)]].concat();
    let more = [&complete[..], &plain(0x400, "c")].concat();
    let file = recorded(&[complete, more.clone(), more]);
    let mut found = Events::new(Reader::new(file.as_slice()).unwrap()).unwrap();
    let words = words(found.by_ref().map(Result::unwrap));
    assert_eq!(words, ["B100", "a", "C100", "B200", "b", "C200", "m300", "B400", "c", "C400"]);
    assert_eq!(found.skipped(), 3 + 4);
}

/// Large enough for resume points on both sides of each restart, also among what came again.
#[test]
fn reading_from_any_commit_goes_on_across_restarts() {
    let text = "x".repeat(300 << 10);
    let plains = |numbers: Range<u64>| numbers.flat_map(|n| plain(n * 0x100, &text)).collect::<Vec<_>>();
    let half = |n: u64| plain(n * 0x100, &text)[..2].to_vec();
    let connections =
        [[plains(1..20), half(20)].concat(), [plains(11..30), half(30)].concat(), plains(21..40)];
    let file = recorded(&connections);
    let all = events(&file);
    let ends = |events: &[Event]| {
        let end =
            |event: &Event| if let Event::Commit(commit) = event { Some(commit.end_lsn()) } else { None };
        events.iter().filter_map(end).collect::<Vec<_>>()
    };
    assert_eq!(ends(&all), (1..40).map(|n| Lsn::new(n * 0x100 + 8)).collect::<Vec<_>>());
    let mut positions = std::collections::BTreeSet::new();
    for lsn in ends(&all) {
        let mut found = Events::new(Reader::new(Cursor::new(&file)).unwrap()).unwrap();
        let position = found.seek(lsn).unwrap();
        assert!(position <= lsn);
        let suffix: Vec<_> = found.map(Result::unwrap).collect();
        assert!(all.ends_with(&suffix), "from {position}: {:?}", ends(&suffix));
        assert!(ends(&suffix).into_iter().all(|end| end > position), "from {position}");
        assert_eq!(
            ends(&all).len() - ends(&suffix).len(),
            ends(&all).partition_point(|end| *end <= position)
        );
        positions.insert(position);
    }
    assert!(positions.len() > 6, "{positions:?}");
}
