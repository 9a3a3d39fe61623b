//! The session, fed by hand: what it gives, what it leaves out, and what it tells the server.

use bytes::Bytes;

use super::*;
use crate::Xid;
use crate::frame::{PrimaryKeepalive, XLogData};
use crate::pgoutput::tests::{RELATION, relation};
use crate::pgoutput::{self, Datum, Insert, LogicalMessage, StreamCommit, StreamStart, Tuple};

const TIME: Timestamp = Timestamp::from_micros(7);

fn begin(commit_lsn: u64) -> Message {
    let xid = Xid::new(1);
    Message::Begin(pgoutput::Begin { commit_lsn: Lsn::new(commit_lsn), commit_time: TIME, xid })
}

fn commit(commit_lsn: u64, end_lsn: u64) -> Message {
    let (commit_lsn, end_lsn) = (Lsn::new(commit_lsn), Lsn::new(end_lsn));
    Message::Commit(pgoutput::Commit { commit_lsn, end_lsn, commit_time: TIME })
}

fn insert(xid: Option<Xid>) -> Message {
    let new = Tuple::from_datums([Datum::Text(b"x")]);
    Message::Insert(Insert { xid, relation_id: RELATION, new })
}

fn prepare(lsn: u64) -> pgoutput::Prepare {
    let (prepare_lsn, end_lsn) = (Lsn::new(lsn), Lsn::new(lsn + 8));
    pgoutput::Prepare { prepare_lsn, end_lsn, prepare_time: TIME, xid: Xid::new(2), gid: "g".into() }
}

fn commit_prepared(lsn: u64) -> Message {
    let (commit_lsn, end_lsn) = (Lsn::new(lsn), Lsn::new(lsn + 8));
    let (xid, gid) = (Xid::new(2), "g".into());
    Message::CommitPrepared(pgoutput::CommitPrepared { commit_lsn, end_lsn, commit_time: TIME, xid, gid })
}

fn rollback_prepared(lsn: u64) -> Message {
    let (prepare_end_lsn, rollback_end_lsn) = (Lsn::new(lsn - 8), Lsn::new(lsn));
    let (xid, gid) = (Xid::new(2), "g".into());
    let (prepare_time, rollback_time) = (TIME, TIME);
    let message = pgoutput::RollbackPrepared {
        prepare_end_lsn,
        rollback_end_lsn,
        prepare_time,
        rollback_time,
        xid,
        gid,
    };
    Message::RollbackPrepared(message)
}

fn alone(lsn: u64) -> Message {
    let (lsn, prefix, content) = (Lsn::new(lsn), "p".to_owned(), Bytes::new());
    Message::Message(LogicalMessage { xid: None, transactional: false, lsn, prefix, content })
}

/// Commits end eight bytes behind where they begin.
fn transaction(lsn: u64) -> Vec<Message> {
    vec![begin(lsn), Message::Relation(None, relation(1)), insert(None), commit(lsn, lsn + 8)]
}

fn streamed(lsn: u64) -> Vec<Message> {
    let (xid, commit_lsn, end_lsn) = (Xid::new(3), Lsn::new(lsn), Lsn::new(lsn + 8));
    vec![
        Message::StreamStart(StreamStart { xid, first_segment: true }),
        Message::Relation(Some(xid), relation(1)),
        insert(Some(xid)),
        Message::StreamStop,
        Message::StreamCommit(StreamCommit { xid, commit_lsn, end_lsn, commit_time: TIME }),
    ]
}

fn prepared(lsn: u64) -> Vec<Message> {
    let relation = Message::Relation(None, relation(1));
    vec![Message::BeginPrepare(prepare(lsn)), relation, insert(None), Message::Prepare(prepare(lsn))]
}

fn data(message: &Message) -> Bytes {
    XLogData { start: Lsn::ZERO, end: Lsn::ZERO, clock: TIME, payload: message.encode() }.encode()
}

fn keepalive(wal_end: u64) -> Bytes {
    PrimaryKeepalive { wal_end: Lsn::new(wal_end), clock: TIME, reply_requested: false }.encode()
}

fn session(resume_lsn: u64) -> Session {
    let mut session = Session::new(Instant::now());
    session.resume_from(Lsn::new(resume_lsn));
    session
}

/// The positions of what comes out of it.
fn positions(session: &mut Session, messages: impl IntoIterator<Item = Message>) -> Vec<u64> {
    let mut found = Vec::new();
    for message in messages {
        session.receive(data(&message)).unwrap();
        while let Some(event) = session.poll().unwrap() {
            found.extend(event.position().map(u64::from));
        }
    }
    found
}

/// Ambiguous resume position, skipping by `lsn <= last`: dbz#76, #1554, #2058, flink-cdc #4323, doris #61481.
#[test]
fn museum_08_a_commit_that_begins_where_the_last_one_ended_is_not_left_out() {
    // From 17 on the end of one commit may be where the next begins.
    let messages = [transaction(0x100), transaction(0x108), transaction(0x110)];
    let mut session = session(0x108);
    assert_eq!(positions(&mut session, messages.concat()), [0x110, 0x118]);
    assert_eq!(session.skipped(), 1);
}

#[test]
fn museum_09_what_was_durable_before_comes_again_and_is_left_out_whole() {
    for again in [transaction, streamed, prepared] {
        let mut session = session(0x208);
        let messages = [again(0x100), again(0x200), again(0x300)].concat();
        for (nth, message) in messages.into_iter().enumerate() {
            session.receive(data(&message)).unwrap();
            while let Some(event) = session.poll().unwrap() {
                assert!(
                    !matches!(&event, Event::Begin(begin) if begin.commit_lsn < Lsn::new(0x208)),
                    "{nth}"
                );
            }
        }
        assert_eq!(session.skipped(), 2);
        assert_eq!(session.positions().delivered, Lsn::new(0x308));
    }
}

#[test]
fn museum_09_ends_of_prepared_transactions_and_messages_are_left_out_likewise() {
    let messages = vec![
        alone(0x1ff),
        alone(0x200),
        alone(0x201),
        commit_prepared(0x1f8),
        commit_prepared(0x200),
        rollback_prepared(0x200),
        rollback_prepared(0x208),
    ];
    let mut session = session(0x200);
    assert_eq!(positions(&mut session, messages), [0x201, 0x208, 0x208]);
    assert_eq!(session.skipped(), 4);
}

#[test]
fn a_session_that_resumes_nowhere_leaves_out_nothing() {
    let mut session = Session::new(Instant::now());
    assert_eq!(positions(&mut session, transaction(0x100)), [0x108]);
    assert_eq!(session.skipped(), 0);
}

#[test]
fn a_position_inside_the_end_of_a_transaction_belongs_to_another_history() {
    let mut inside = session(0x104);
    let mut failed = false;
    for message in transaction(0x100) {
        inside.receive(data(&message)).unwrap();
        while !failed {
            match inside.poll() {
                Ok(None) => break,
                polled => failed = matches!(polled, Err(SessionError::NotABoundary { .. })),
            }
        }
    }
    assert!(failed);
    let mut inside = session(0x104);
    inside.receive(data(&commit_prepared(0x100))).unwrap();
    assert!(matches!(inside.poll(), Err(SessionError::NotABoundary { .. })));
}

#[test]
fn museum_07_no_keepalive_acknowledges_what_is_in_the_assembler() {
    let mut session = Session::new(Instant::now());
    for message in &transaction(0x100)[..3] {
        session.receive(data(message)).unwrap();
        session.receive(keepalive(0x900)).unwrap();
        assert_eq!(session.positions().durable, Lsn::ZERO);
        assert_eq!(session.idle_lsn(), None);
    }
    session.receive(data(&commit(0x100, 0x108))).unwrap();
    session.receive(keepalive(0x900)).unwrap();
    assert_eq!(session.positions().durable, Lsn::ZERO, "nobody has asked for its events");
    while session.poll().unwrap().is_some() {}
    session.receive(keepalive(0x900)).unwrap();
    assert_eq!(session.positions().durable, Lsn::ZERO, "nobody has made it durable");
    session.acknowledge_up_to(Lsn::new(0x108));
    assert_eq!(session.positions().durable, Lsn::new(0x900));
}

#[test]
fn a_transaction_in_progress_holds_back_no_idle_position() {
    let mut session = Session::new(Instant::now());
    for message in &streamed(0x100)[..4] {
        session.receive(data(message)).unwrap();
    }
    session.receive(keepalive(0x80)).unwrap();
    assert_eq!(
        session.positions().durable,
        Lsn::new(0x80),
        "the server keeps what it needs to send it again"
    );
}

#[test]
fn the_server_s_end_is_known_before_a_payload_is_taken_in() {
    let now = Instant::now();
    let mut session = Session::new(now);
    session.heard(&keepalive(0x900), now);
    assert_eq!(session.positions().server_end, Lsn::new(0x900));
    assert_eq!(session.positions().received, Lsn::ZERO);
    for odd in [&b"k"[..], b"w\0\0", b"", b"x12345678", &[0xff; 40]] {
        session.heard(odd, now);
    }
    assert_eq!(session.positions().server_end, Lsn::new(0x900));
}

#[test]
fn a_session_ends_behind_its_stop_position_and_takes_in_nothing_more() {
    let committed = |lsn| vec![commit_prepared(lsn)];
    for ends in [transaction, streamed, prepared, committed] {
        let mut session = Session::new(Instant::now());
        session.stop_at(Lsn::new(0x200));
        let messages = [ends(0x100), ends(0x200), ends(0x201)].concat();
        assert_eq!(positions(&mut session, messages), [0x108, 0x208]);
        assert!(session.is_stopped());
        session.receive(Bytes::from_static(b"not a payload of a server")).unwrap();
    }
    // Where its record begins is not on the wire.
    let mut session = Session::new(Instant::now());
    session.stop_at(Lsn::new(0x200));
    let messages = [rollback_prepared(0x1f8), rollback_prepared(0x200), rollback_prepared(0x201)];
    assert_eq!(positions(&mut session, messages), [0x1f8, 0x200]);
    assert!(session.is_stopped());
}

#[test]
fn an_idle_server_at_the_stop_position_ends_the_session() {
    let mut session = Session::new(Instant::now());
    session.stop_at(Lsn::new(0x200));
    session.receive(data(&begin(0x1f0))).unwrap();
    session.receive(keepalive(0x200)).unwrap();
    assert!(!session.is_stopped(), "a transaction is open");
    assert_eq!(positions(&mut session, [commit(0x1f0, 0x1f8)]), [0x1f8]);
    session.receive(keepalive(0x1ff)).unwrap();
    assert!(!session.is_stopped());
    session.receive(keepalive(0x200)).unwrap();
    assert!(session.is_stopped());
}

#[test]
fn what_no_server_sends_is_an_error_with_a_position_close_by() {
    let mut session = session(0x42);
    let error = session.receive(Bytes::from_static(b"k")).unwrap_err();
    assert!(matches!(error, SessionError::Decode { near, .. } if near == Lsn::new(0x42)), "{error:?}");
    let error = session.receive(data(&commit(0x100, 0x108))).unwrap_err();
    assert!(matches!(error, SessionError::Violation { .. }), "{error:?}");
}

#[test]
fn a_session_has_the_times_that_it_was_given() {
    let start = Instant::now();
    let at = |seconds| start + Duration::from_secs(seconds);
    let mut session = Session::new(start).times(Duration::from_secs(3), Duration::from_secs(8));
    assert_eq!(session.deadline(), at(3));
    assert!(!session.is_overdue(at(2)) && session.is_overdue(at(3)));
    assert!(session.status(at(4), TIME).is_some_and(|status| status.reply_requested));
    assert_eq!(session.timed_out(at(7)), None);
    assert_eq!(session.timed_out(at(8)), Some(Duration::from_secs(8)));
    session.listen(false, at(8));
    assert_eq!(session.timed_out(at(8)), None, "nobody listens");

    let mut patient = Session::new(start).times(Duration::from_secs(3), Duration::ZERO);
    assert!(patient.status(at(3600), TIME).is_some_and(|status| !status.reply_requested));
    assert_eq!(patient.timed_out(at(7200)), None);
}

#[test]
fn a_keepalive_that_wants_an_answer_gets_one_before_it_is_taken_in() {
    let now = Instant::now();
    let asks = |reply_requested| {
        PrimaryKeepalive { wal_end: Lsn::new(0x900), clock: TIME, reply_requested }.encode()
    };
    let ends_alike = XLogData { start: Lsn::ZERO, end: Lsn::ZERO, clock: TIME, payload: asks(true) }.encode();
    let other = Bytes::from_static(b"");
    for (payload, wants) in [(asks(true), true), (asks(false), false), (ends_alike, false), (other, false)] {
        let mut session = Session::new(now);
        session.heard(&payload, now);
        assert_eq!(session.status(now, TIME).is_some(), wants, "{payload:?}");
    }
}

#[test]
fn whoever_waits_for_a_stop_position_asks_for_the_server_s_every_second() {
    let now = Instant::now();
    let mut session = Session::new(now);
    session.stop_at(Lsn::new(0x200));
    assert!(session.status(now, TIME).is_some_and(|status| status.reply_requested));
    assert_eq!(session.deadline(), now + Duration::from_secs(1));
}

#[test]
fn what_is_acknowledged_is_an_event_and_what_is_idle_is_kept() {
    let mut session = Session::new(Instant::now());
    session.keep_idle();
    for message in transaction(0x100) {
        session.receive(data(&message)).unwrap();
    }
    while let Some(event) = session.poll().unwrap() {
        session.acknowledge(&event);
    }
    session.receive(keepalive(0x900)).unwrap();
    assert_eq!(session.positions().durable, Lsn::new(0x108));
    assert_eq!(session.idle_lsn(), Some(Lsn::new(0x900)));
    session.idle_kept(Lsn::new(0x900));
    assert_eq!(session.positions().durable, Lsn::new(0x900));
}

#[test]
fn rows_have_the_types_that_are_known_when_they_are_assembled() {
    let types = Arc::new(Types::default());
    let mut session = Session::new(Instant::now());
    session.set_types(Arc::clone(&types));
    let mut rows = 0;
    for message in transaction(0x100) {
        session.receive(data(&message)).unwrap();
        while let Some(event) = session.poll().unwrap() {
            let Event::Change(change) = event else { continue };
            rows += change.rows().filter(|row| Arc::ptr_eq(row.types(), &types)).count();
        }
    }
    assert_eq!(rows, 1);
}

#[test]
fn payloads_of_later_protocols_are_counted() {
    let mut session = Session::new(Instant::now());
    assert_eq!(session.unknown_frames(), 0);
    session.receive(Bytes::from_static(b"s12345")).unwrap();
    assert_eq!(session.unknown_frames(), 1);
    assert_eq!(positions(&mut session, transaction(0x100)), [0x108]);
}
