//! Transactions that are sent before they end.

use super::*;

const OTHER: Xid = Xid::new(2000);

fn row(xid: Xid, text: &str) -> Message {
    insert(Some(xid), text)
}

#[test]
fn nothing_comes_before_the_commit() {
    let mut assembler = Assembler::new();
    let held = assemble(&mut assembler, block(XID, true, [row(XID, "1"), row(SUBXID, "2")])).unwrap();
    assert_eq!(held, []);
    let events = assemble(&mut assembler, [stream_commit(0x10, XID)]).unwrap();
    assert_eq!(words(&events), "B1067 1 2 C1067");
}

#[test]
fn blocks_of_transactions_interleave_and_each_commits_whole() {
    let mut messages = block(XID, true, [row(XID, "a1")]);
    messages.extend(block(OTHER, true, [row(OTHER, "b1")]));
    let announce = Message::Relation(None, relation(1));
    messages.extend([begin(0x10, Xid::new(3000)), announce, insert(None, "plain"), commit(0x10)]);
    messages.extend(block(XID, false, [row(SUBXID, "a2")]));
    messages.extend([stream_commit(0x20, OTHER)]);
    messages.extend(block(XID, false, [row(XID, "a3")]));
    messages.push(stream_commit(0x30, XID));
    assert_eq!(words(&events(messages)), "B3000 plain C3000 B2000 b1 C2000 B1067 a1 a2 a3 C1067");
}

#[test]
fn begin_and_commit_are_those_of_a_plain_transaction() {
    let mut messages = block(XID, true, [row(XID, "1"), emit(Some(XID), "m")]);
    messages.push(stream_commit(0x10, XID));
    let plain = [
        begin(0x10, XID),
        Message::Relation(None, relation(1)),
        insert(None, "1"),
        emit(None, "m"),
        commit(0x10),
    ];
    assert_eq!(events(messages), events(plain));
}

#[test]
fn an_aborted_transaction_leaves_nothing() {
    let mut messages = block(XID, true, [row(XID, "1"), row(SUBXID, "2")]);
    messages.extend([abort(XID, XID), begin(0x10, OTHER), commit(0x10)]);
    assert_eq!(words(&events(messages.clone())), "B2000 C2000");
    messages.push(stream_commit(0x20, XID));
    let violation = assemble(&mut Assembler::new(), messages).unwrap_err();
    assert_eq!(violation, Violation::UnknownStream(XID));
}

#[test]
fn museum_29_an_aborted_subtransaction_takes_what_follows_its_first_change() {
    // The Message names the top-level transaction, and was emitted inside the subtransaction all the same.
    let inner = Xid::new(1069);
    let items = [row(XID, "1"), row(SUBXID, "2"), emit(Some(XID), "3"), row(inner, "4"), row(SUBXID, "5")];
    let mut messages = block(XID, true, items);
    messages.push(abort(XID, SUBXID));
    messages.extend(block(XID, false, [row(XID, "6")]));
    messages.push(stream_commit(0x10, XID));
    assert_eq!(words(&events(messages)), "B1067 1 6 C1067");
}

#[test]
fn an_abort_inside_a_subtransaction_keeps_what_precedes_it() {
    let inner = Xid::new(1069);
    let items = [row(SUBXID, "1"), emit(Some(XID), "2"), row(inner, "3"), emit(Some(XID), "4")];
    let mut messages = block(XID, true, items);
    messages.push(abort(XID, inner));
    messages.extend(block(XID, false, [row(SUBXID, "5")]));
    messages.push(stream_commit(0x10, XID));
    assert_eq!(words(&events(messages)), "B1067 1 m2 5 C1067");
}

#[test]
fn a_message_before_the_first_change_of_its_subtransaction_survives_the_abort() {
    // A limit of the protocol: nothing in the message tells that the subtransaction emitted it.
    let items = [row(XID, "1"), emit(Some(XID), "2"), row(SUBXID, "3")];
    let mut messages = block(XID, true, items);
    messages.extend([abort(XID, SUBXID), stream_commit(0x10, XID)]);
    assert_eq!(words(&events(messages)), "B1067 1 m2 C1067");
}

#[test]
fn an_abort_concerns_its_own_transaction_only() {
    // The same subtransaction id in two transactions: ids wrap.
    let mut messages = block(XID, true, [row(SUBXID, "a")]);
    messages.extend(block(OTHER, true, [row(SUBXID, "b")]));
    messages.extend([abort(XID, SUBXID), stream_commit(0x10, XID), stream_commit(0x20, OTHER)]);
    assert_eq!(words(&events(messages)), "B1067 C1067 B2000 b C2000");
}

#[test]
fn an_abort_of_what_was_never_sent_is_ignored() {
    let mut messages = vec![abort(OTHER, OTHER), abort(OTHER, SUBXID)];
    messages.extend(block(XID, true, [row(XID, "1")]));
    messages.extend([abort(XID, SUBXID), abort(OTHER, XID), stream_commit(0x10, XID)]);
    assert_eq!(words(&events(messages)), "B1067 1 C1067");
}

#[test]
fn a_first_block_starts_from_nothing() {
    let mut messages = block(XID, true, [origin("old"), row(XID, "old")]);
    messages.extend(block(XID, true, [row(XID, "new")]));
    messages.push(stream_commit(0x10, XID));
    let events = events(messages);
    assert_eq!(words(&events), "B1067 new C1067");
    assert!(matches!(&events[0], Event::Begin(begin) if begin.origin.is_none()));
}

#[test]
fn a_block_may_be_empty() {
    let messages = [start(XID, true), Message::StreamStop, stream_commit(0x10, XID)];
    assert_eq!(words(&events(messages)), "B1067 C1067");
}

#[test]
fn a_block_that_continues_nothing_is_a_violation() {
    let violation = Assembler::new().push(start(XID, false)).unwrap_err();
    assert_eq!(violation, Violation::UnknownStream(XID));
    let violation = Assembler::new().push(stream_commit(0x10, XID)).unwrap_err();
    assert_eq!(violation, Violation::UnknownStream(XID));
}

#[test]
fn a_commit_ends_the_transaction() {
    let mut messages = block(XID, true, [row(XID, "1")]);
    messages.extend([stream_commit(0x10, XID), stream_commit(0x10, XID)]);
    let violation = assemble(&mut Assembler::new(), messages).unwrap_err();
    assert_eq!(violation, Violation::UnknownStream(XID));
}

#[test]
fn an_origin_in_the_first_block_belongs_to_the_transaction() {
    let mut messages = vec![start(XID, true), origin("elsewhere"), Message::StreamStop];
    messages.extend(block(XID, false, [row(XID, "1")]));
    messages.push(stream_commit(0x10, XID));
    let events = events(messages);
    let Event::Begin(begin) = &events[0] else { panic!("{events:?}") };
    assert_eq!(begin.origin.as_ref().map(|origin| origin.name.as_str()), Some("elsewhere"));
}

#[test]
fn a_change_in_a_block_without_an_id_belongs_to_its_transaction() {
    // No decoder gives one; whoever makes messages may.
    let mut messages = block(XID, true, [insert(None, "1"), insert(Some(SUBXID), "2"), emit(None, "3")]);
    messages.push(stream_commit(0x10, XID));
    assert_eq!(words(&events(messages)), "B1067 1 2 m3 C1067");
}

#[test]
fn after_an_abort_another_subtransaction_is_cut_off_where_it_begins() {
    // The second begins where the first began; an off-by-one would take too much or too little.
    let (first, second) = (Xid::new(1069), Xid::new(1070));
    let mut messages = block(XID, true, [row(XID, "1"), row(first, "2"), row(first, "3")]);
    messages.push(abort(XID, first));
    messages.extend(block(XID, false, [row(second, "4"), row(XID, "5")]));
    messages.push(abort(XID, second));
    messages.extend(block(XID, false, [row(first, "6"), row(second, "7")]));
    messages.push(abort(XID, second));
    messages.push(stream_commit(0x10, XID));
    assert_eq!(words(&events(messages)), "B1067 1 6 C1067");
}

#[test]
fn an_abort_of_what_was_cut_off_already_takes_nothing() {
    // What stood where the inner one began is something else by now.
    let inner = Xid::new(1069);
    let mut messages = block(XID, true, [row(XID, "1"), row(SUBXID, "2"), row(inner, "3")]);
    messages.push(abort(XID, SUBXID));
    messages.extend(block(XID, false, [row(XID, "4"), row(XID, "5"), row(XID, "6")]));
    messages.extend([abort(XID, inner), stream_commit(0x10, XID)]);
    assert_eq!(words(&events(messages)), "B1067 1 4 5 6 C1067");
}
