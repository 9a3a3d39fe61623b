//! Reading that begins in the middle.

use std::collections::BTreeMap;

use super::*;
use crate::RelationId;
use crate::pgoutput::{LogicalMessage, Relation, StreamAbort, StreamCommit};

/// A stream of some MiB: plain and streamed transactions, interleaved; aborts; tables that are announced once and
/// change; messages between transactions.
struct Story {
    frames: Vec<Bytes>,
    /// The end of every transaction.
    ends: Vec<Lsn>,
}

impl Story {
    fn tell() -> Self {
        let mut story = Self { frames: Vec::new(), ends: Vec::new() };
        for chapter in 0..300 {
            story.announce(chapter);
            let lsn = 0x1_0000 * u64::from(chapter + 1);
            let streamed = Xid::new(100_000 + chapter);
            story.block(streamed, true, chapter);
            for part in 0..4 {
                story.plain(lsn + u64::from(part) * 0x100, chapter, part);
            }
            story.push(&Message::Message(LogicalMessage {
                xid: None,
                transactional: false,
                lsn: Lsn::new(lsn),
                prefix: "between".into(),
                content: Bytes::new(),
            }));
            // Every third one stays open over the next two chapters.
            let ended = match chapter % 3 {
                0 => vec![],
                1 => vec![chapter],
                _ => vec![chapter - 2, chapter],
            };
            for ended in ended {
                story.end(Xid::new(100_000 + ended), lsn + 0x1000 + u64::from(ended));
            }
        }
        story
    }

    fn push(&mut self, message: &Message) {
        self.frames.push(frame(message));
    }

    /// A table in every tenth chapter, and a change of it five chapters later; each is sent once.
    fn announce(&mut self, chapter: u32) {
        if chapter % 5 == 0 {
            let id = RelationId::new(u32::from(RELATION) + chapter / 10);
            let name = format!("table_{chapter}");
            self.push(&Message::Relation(None, Relation { id, name, ..relation(1) }));
        }
    }

    fn row(&mut self, xid: Option<Xid>, chapter: u32, label: u32) {
        let text = format!("{chapter} {label} {}", "x".repeat(800));
        let new = Tuple::from_datums([Datum::Text(text.as_bytes())]);
        // Of every table so far, in turn: also of those that were announced long before.
        let relation_id = RelationId::new(u32::from(RELATION) + (chapter * 7 + label) % (chapter / 10 + 1));
        self.push(&Message::Insert(Insert { xid, relation_id, new }));
    }

    fn plain(&mut self, commit_lsn: u64, chapter: u32, part: u32) {
        let (commit_lsn, end_lsn) = (Lsn::new(commit_lsn), Lsn::new(commit_lsn + 8));
        let xid = Xid::new(chapter * 10 + part);
        self.push(&Message::Begin(pgoutput::Begin { commit_lsn, commit_time: CLOCK, xid }));
        for label in 0..3 {
            self.row(None, chapter, part * 3 + label);
        }
        self.push(&Message::Commit(pgoutput::Commit { commit_lsn, end_lsn, commit_time: CLOCK }));
        self.ends.push(end_lsn);
    }

    fn block(&mut self, xid: Xid, first_segment: bool, chapter: u32) {
        self.push(&Message::StreamStart(StreamStart { xid, first_segment }));
        self.row(Some(xid), chapter, 99);
        self.push(&Message::StreamStop);
    }

    fn end(&mut self, xid: Xid, commit_lsn: u64) {
        if u32::from(xid) % 4 == 0 {
            return self.push(&Message::StreamAbort(StreamAbort { xid, subxid: xid, info: None }));
        }
        let (commit_lsn, end_lsn) = (Lsn::new(commit_lsn), Lsn::new(commit_lsn + 8));
        self.push(&Message::StreamCommit(StreamCommit { xid, commit_lsn, end_lsn, commit_time: CLOCK }));
        self.ends.push(end_lsn);
    }
}

fn end_of(event: &Event) -> Option<Lsn> {
    match event {
        Event::Commit(commit) => Some(commit.end_lsn()),
        _ => None,
    }
}

/// The events from `lsn` on, as [`Events::seek`] finds them.
fn events_from(file: &[u8], lsn: Lsn) -> (Lsn, impl Iterator<Item = Event>) {
    let mut events = Events::new(Reader::new(Cursor::new(file)).unwrap()).unwrap();
    let position = events.seek(lsn).unwrap();
    (position, events.map(Result::unwrap))
}

#[test]
fn reading_from_any_commit_yields_every_later_transaction_whole() {
    let story = Story::tell();
    let file = capture(&context(), &story.frames, 100);
    assert!(file.len() > 3 << 20, "{} bytes", file.len());
    let all = events(&file);
    assert_eq!(all.iter().filter_map(end_of).collect::<Vec<_>>(), story.ends);
    // Where the events of each resume point begin; each is read to the end once.
    let mut starts = BTreeMap::new();
    for &lsn in &story.ends {
        let (position, mut events) = events_from(&file, lsn);
        let start = *starts.entry(position).or_insert_with(|| {
            let suffix: Vec<_> = events_from(&file, lsn).1.collect();
            assert!(all.ends_with(&suffix), "from {position}");
            all.len() - suffix.len()
        });
        assert_eq!(all[..start].iter().rev().find_map(end_of).unwrap_or(Lsn::ZERO), position);
        assert!(position <= lsn && all[start..].iter().filter_map(end_of).all(|end| end > position));
        assert!(events.by_ref().take(5).eq(all[start..].iter().take(5).cloned()), "{lsn}");
    }
    assert!(starts.len() >= file.len() >> 21, "{} resume points", starts.len());
}

#[test]
fn a_position_before_everything_is_the_beginning() {
    let story = Story::tell();
    let file = capture(&context(), &story.frames, 100);
    let (position, events) = events_from(&file, Lsn::new(1));
    assert_eq!(position, Lsn::ZERO);
    assert!(events.eq(self::events(&file)));
}

#[test]
fn a_position_behind_everything_is_the_last_resume_point() {
    let story = Story::tell();
    let file = capture(&context(), &story.frames, 100);
    let (position, mut events) = events_from(&file, Lsn::new(u64::MAX));
    assert!(position > Lsn::ZERO && events.next().is_some());
}

/// A file of two transactions with a resume point between them.
fn two_parts(context: &Context) -> (Vec<u8>, usize) {
    let announced = Message::Relation(None, relation(1));
    let first: Vec<_> =
        [announced.clone()].into_iter().chain(transaction(0x100, b"1")).map(|m| frame(&m)).collect();
    let mut file = capture(context, &first, 10);
    let resume_point = file.len();
    let mut fields = BytesMut::new();
    fields.put_u64(0x108);
    fields.put_u32(u32::try_from(announced.encode().len()).unwrap());
    fields.extend(announced.encode());
    file.extend(block(b'R', &fields));
    let second = transaction(0x200, b"2").map(|message| frame(&message));
    let other = capture(context, &second, 10);
    file.extend(&other[blocks(&other)[1].clone()]);
    (file, resume_point)
}

#[test]
fn a_reader_that_seeks_gives_the_context_then_the_relations() {
    let (file, _) = two_parts(&context());
    let mut reader = Reader::new(Cursor::new(&file)).unwrap();
    assert_eq!(reader.seek(Lsn::new(0x108)).unwrap(), Lsn::new(0x108));
    let received = Timestamp::from_micros(0);
    let clock = received;
    let payload = Message::Relation(None, relation(1)).encode();
    let announced = XLogData { start: Lsn::ZERO, end: Lsn::ZERO, clock, payload }.encode();
    assert_eq!(reader.next_record().unwrap(), Some(Record::Context(context())));
    assert_eq!(reader.next_record().unwrap(), Some(Record::Frame { received, payload: announced }));
    let [begin, ..] = transaction(0x200, b"2");
    let begin = Record::Frame { received: CLOCK, payload: frame(&begin) };
    assert_eq!(reader.next_record().unwrap(), Some(begin));
}

#[test]
fn events_made_from_a_reader_that_has_sought_are_those_behind() {
    let (file, _) = two_parts(&context());
    let mut reader = Reader::new(Cursor::new(&file)).unwrap();
    reader.seek(Lsn::new(0x108)).unwrap();
    let found = Events::new(reader).unwrap().map(Result::unwrap).collect::<Vec<_>>();
    assert_eq!(found, events(&file)[3..]);
}

#[test]
fn seeking_again_goes_back() {
    let (file, _) = two_parts(&context());
    let mut reader = Events::new(Reader::new(Cursor::new(&file)).unwrap()).unwrap();
    for (lsn, position, count) in [(0x108, 0x108, 3), (0, 0, 6), (u64::MAX, 0x108, 3), (0x107, 0, 6)] {
        assert_eq!(reader.seek(Lsn::new(lsn)).unwrap(), Lsn::new(position));
        assert_eq!(reader.by_ref().map(Result::unwrap).count(), count);
    }
}

#[test]
fn the_context_is_the_one_that_holds_at_the_resume_point() {
    let second = Context { slot: "second".into(), ..Context::default() };
    let mut file = two_parts(&context()).0;
    file.extend(&two_parts(&second).0[HEADER..]);
    let mut events = Events::new(Reader::new(Cursor::new(&file)).unwrap()).unwrap();
    events.seek(Lsn::new(0x108)).unwrap();
    assert_eq!(events.context(), &second);
    assert_eq!(events.map(Result::unwrap).count(), 3);
}

#[test]
fn a_resume_point_that_a_crash_cut_short_is_none() {
    let (file, resume_point) = two_parts(&context());
    let end = blocks(&file).into_iter().find(|block| block.start == resume_point).unwrap().end;
    for cut in resume_point..end {
        for zeros in [0, 100] {
            let mut image = file[..cut].to_vec();
            image.resize(cut + zeros, 0);
            let mut events = Events::new(Reader::new(Cursor::new(&image)).unwrap()).unwrap();
            assert_eq!(events.seek(Lsn::new(u64::MAX)).unwrap(), Lsn::ZERO, "cut at {cut}");
            assert_eq!(events.by_ref().map(Result::unwrap).count(), 3, "cut at {cut}");
            let torn = (cut + zeros > resume_point).then_some(resume_point as u64);
            assert_eq!(events.reader().torn_tail(), torn, "cut at {cut}");
        }
    }
}

#[test]
fn a_damaged_resume_point_is_an_error() {
    let (file, resume_point) = two_parts(&context());
    let end = blocks(&file).into_iter().find(|block| block.start == resume_point).unwrap().end;
    for at in resume_point + BLOCK_HEADER + 1..end {
        let mut image = file.clone();
        image[at] ^= 1;
        let mut reader = Reader::new(Cursor::new(&image)).unwrap();
        let error = reader.seek(Lsn::new(0x108)).unwrap_err();
        assert!(
            matches!(error, CaptureError::Damaged { offset } if offset == resume_point as u64),
            "{error}"
        );
    }
}
