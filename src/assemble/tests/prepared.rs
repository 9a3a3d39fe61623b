//! Transactions that are prepared, and end later.

use super::*;
use crate::event::Acknowledge as _;

const GID: &str = "it's \\ 100% \"g\"";

/// `b … P`
fn prepared(lsn: u64, items: impl IntoIterator<Item = Message>) -> Vec<Message> {
    let of = to_prepare(lsn, XID, GID);
    let items =
        [Message::BeginPrepare(of.clone()), Message::Relation(None, relation(1))].into_iter().chain(items);
    items.chain([Message::Prepare(of)]).collect()
}

fn streamed(lsn: u64, items: impl IntoIterator<Item = Message>) -> Vec<Message> {
    let mut messages = block(XID, true, items);
    messages.push(Message::StreamPrepare(to_prepare(lsn, XID, GID)));
    messages
}

fn told(messages: impl IntoIterator<Item = Message>) -> String {
    words(&events(messages)).replace(GID, "g")
}

#[test]
fn a_prepared_transaction_comes_when_it_is_prepared_and_its_end_by_itself() {
    let mut messages = prepared(0x10, [insert(None, "1")]);
    messages.extend([begin(0x20, SUBXID), commit(0x20), commit_prepared(0x30, XID, GID)]);
    assert_eq!(told(messages), "bg 1 Pg B1068 C1068 Kg");
    let mut messages = prepared(0x10, [insert(None, "1")]);
    messages.push(rollback_prepared(&to_prepare(0x10, XID, GID), 0x40));
    assert_eq!(told(messages), "bg 1 Pg rg");
}

#[test]
fn one_that_was_streamed_is_the_same() {
    let plain = events(prepared(0x10, [insert(None, "1"), insert(None, "2")]));
    let mut messages = block(XID, true, [insert(Some(XID), "1"), insert(Some(SUBXID), "aborted")]);
    messages.push(abort(XID, SUBXID));
    messages.extend(block(XID, false, [insert(Some(XID), "2")]));
    messages.push(Message::StreamPrepare(to_prepare(0x10, XID, GID)));
    assert_eq!(events(messages), plain);
}

#[test]
fn every_order_of_a_preparation_and_its_end() {
    let finish = || commit_prepared(0x80, XID, GID);
    let undo = || rollback_prepared(&to_prepare(0x10, XID, GID), 0x90);
    let first = || prepared(0x10, [insert(None, "1")]);
    let with = |mut messages: Vec<Message>, more: Vec<Message>| {
        messages.extend(more);
        messages
    };
    for (messages, expected) in [
        // What was acknowledged when it was prepared is not sent again.
        (vec![finish()], "Kg"),
        // It may have been prepared before the stream began, and never be sent at all.
        (vec![undo()], "rg"),
        // Decoding began before it.
        (with(with(first(), first()), vec![finish()]), "bg 1 Pg bg 1 Pg Kg"),
        (with(with(first(), vec![finish()]), first()), "bg 1 Pg Kg bg 1 Pg"),
        // Empty ones are sent too.
        (with(prepared(0x10, []), vec![finish()]), "bg Pg Kg"),
        (with(streamed(0x10, []), vec![undo()]), "bg Pg rg"),
        (with(streamed(0x10, [insert(Some(XID), "1")]), vec![finish()]), "bg 1 Pg Kg"),
        // The same id again: what was prepared is not in progress any more.
        (with(streamed(0x10, []), streamed(0x20, [insert(Some(XID), "2")])), "bg Pg bg 2 Pg"),
    ] {
        assert_eq!(told(messages), expected);
    }
}

#[test]
fn what_is_prepared_has_left_the_memory() {
    let mut assembler = Assembler::new();
    assemble(&mut assembler, streamed(0x10, [insert(Some(XID), "1")])).unwrap();
    assert_eq!(assembler.in_progress.held, 0);
    let again = assembler.push(Message::StreamPrepare(to_prepare(0x10, XID, GID))).unwrap_err();
    assert_eq!(again, Violation::UnknownStream(XID));
    let commits = assembler.push(stream_commit(0x20, XID)).unwrap_err();
    assert_eq!(commits, Violation::UnknownStream(XID));
    let goes_on = assembler.push(start(XID, false)).unwrap_err();
    assert_eq!(goes_on, Violation::UnknownStream(XID));
}

#[test]
fn events_carry_what_the_wire_said() {
    let mut messages = prepared(0x10, []);
    messages.insert(1, origin("elsewhere"));
    messages.push(commit_prepared(0x20, XID, GID));
    messages.push(rollback_prepared(&to_prepare(0x10, XID, GID), 0x40));
    let events = events(messages);
    let [
        Event::Begin(begin),
        Event::Prepare(prepare),
        Event::CommitPrepared(commit),
        Event::RollbackPrepared(rollback),
    ] = &events[..]
    else {
        panic!("{events:?}")
    };
    assert_eq!((begin.commit_lsn, begin.gid.as_deref()), (Lsn::new(0x10), Some(GID)));
    assert_eq!(begin.origin.as_ref().map(|origin| origin.name.as_str()), Some("elsewhere"));
    assert_eq!((prepare.end_lsn(), prepare.gid(), prepare.xid()), (Lsn::new(0x18), GID, XID));
    assert_eq!((commit.end_lsn(), commit.gid(), commit.time()), (Lsn::new(0x28), GID, TIME));
    assert_eq!((rollback.end_lsn(), rollback.message().prepare_end_lsn), (Lsn::new(0x40), Lsn::new(0x18)));
    let positions: Vec<_> = events.iter().filter_map(|event| event.position().map(u64::from)).collect();
    assert_eq!(positions, [0x18, 0x28, 0x40], "each end can be acknowledged");
}

#[test]
fn a_preparation_that_is_not_the_one_that_began_is_a_violation() {
    let begin = || Message::BeginPrepare(to_prepare(0x10, XID, GID));
    let other = Message::Prepare(to_prepare(0x20, XID, GID));
    let violation = assemble(&mut Assembler::new(), [begin(), other]).unwrap_err();
    assert_eq!(violation, Violation::OtherCommit { begun: Lsn::new(0x10), committed: Lsn::new(0x20) });
    let violation = assemble(&mut Assembler::new(), [begin(), commit(0x10)]).unwrap_err();
    assert!(matches!(violation, Violation::Unexpected { message: b'C', .. }), "{violation}");
    let others =
        [Message::BeginPrepare(to_prepare(0x10, XID, GID)), Message::Prepare(to_prepare(0x10, SUBXID, GID))];
    let violation = assemble(&mut Assembler::new(), others).unwrap_err();
    assert_eq!(violation, Violation::Unexpected { message: b'P', place: "inside a transaction" });
}

#[test]
fn a_stop_position_holds_for_them_too() {
    let prepare = || to_prepare(0x10, XID, GID);
    for (message, at) in [
        (Message::BeginPrepare(prepare()), 0x10),
        (Message::StreamPrepare(prepare()), 0x10),
        (commit_prepared(0x10, XID, GID), 0x10),
        (rollback_prepared(&prepare(), 0x40), 0x40),
    ] {
        let stops = |stop: u64| message.commits_behind(Some(Lsn::new(stop)));
        assert!(stops(at - 1) && !stops(at) && !stops(at + 1), "{message:?}");
        assert!(!message.commits_behind(None));
    }
    // Its Begin Prepare was let through.
    assert!(!Message::Prepare(prepare()).commits_behind(Some(Lsn::ZERO)));
}
