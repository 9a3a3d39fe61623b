//! Every state against every message.

use super::*;

/// Messages that lead to a state, the tags that may follow (`m` is a Message that is not transactional), and the
/// words for the place in a violation.
fn states() -> Vec<(&'static str, Vec<Message>, &'static [u8], &'static str)> {
    let relation = || Message::Relation(None, relation(1));
    let announced = |xid| Message::Relation(xid, super::relation(1));
    let open = || vec![start(XID, true), announced(Some(XID))];
    let with = |mut messages: Vec<Message>, more: Vec<Message>| {
        messages.extend(more);
        messages
    };
    let begun = || vec![relation(), begin(0x10, XID)];
    let begun_to_prepare = || vec![relation(), Message::BeginPrepare(to_prepare(0x10, XID, "g"))];
    vec![
        ("between", with(open(), vec![Message::StreamStop]), b"BRYScAmbKrp", "between transactions"),
        ("begun to prepare", begun_to_prepare(), b"OPRYIUDTM", "inside a transaction"),
        (
            "to prepare, with origin",
            with(begun_to_prepare(), vec![origin("o")]),
            b"PRYIUDTM",
            "inside a transaction",
        ),
        (
            "inside, to prepare",
            with(begun_to_prepare(), vec![insert(None, "1")]),
            b"PRYIUDTM",
            "inside a transaction",
        ),
        ("begun", begun(), b"OCRYIUDTM", "inside a transaction"),
        ("begun with origin", with(begun(), vec![origin("o")]), b"CRYIUDTM", "inside a transaction"),
        ("behind an announcement", with(begun(), vec![relation()]), b"CRYIUDTM", "inside a transaction"),
        ("inside", with(begun(), vec![insert(None, "1")]), b"CRYIUDTM", "inside a transaction"),
        ("first block", vec![relation(), start(XID, true)], b"OERYIUDTM", "inside a stream block"),
        ("first block behind an announcement", open(), b"ERYIUDTM", "inside a stream block"),
        (
            "block with origin",
            vec![relation(), start(XID, true), origin("o")],
            b"ERYIUDTM",
            "inside a stream block",
        ),
        ("block", with(open(), vec![insert(Some(XID), "1")]), b"ERYIUDTM", "inside a stream block"),
    ]
}

fn in_state(messages: Vec<Message>) -> Assembler {
    let mut assembler = Assembler::new();
    assemble(&mut assembler, messages).unwrap();
    assembler
}

/// The samples of all kinds, and a Message that is not transactional under the tag `m`.
fn all_messages() -> Vec<(u8, Message)> {
    let samples = samples().into_iter().map(|message| (message.tag(), message));
    samples.chain([(b'm', stand_alone("now"))]).collect()
}

#[test]
fn in_every_state_exactly_the_messages_of_the_grammar_are_accepted() {
    for (state, messages, accepted, place) in states() {
        for (tag, message) in all_messages() {
            let sent = message.tag();
            let expected = match tag {
                tag if accepted.contains(&tag) => Ok(()),
                _ => Err(Violation::Unexpected { message: sent, place }),
            };
            let found = in_state(messages.clone()).push(message);
            assert_eq!(found, expected, "{state}: {}", tag.escape_ascii());
        }
    }
}

#[test]
fn a_violation_names_the_message_and_the_place() {
    let violation = Assembler::new().push(commit(0x10)).unwrap_err();
    assert_eq!(violation.to_string(), "message 'C' can't stand between transactions");
}

#[test]
fn a_transaction_may_be_empty() {
    // Server 14 sends those that changed nothing that is published.
    assert_eq!(words(&events([begin(0x10, XID), commit(0x10)])), "B1067 C1067");
}

#[test]
fn begin_and_commit_carry_what_the_wire_said() {
    let events = events([begin(0x10, XID), commit(0x10)]);
    let (commit_lsn, end_lsn) = (Lsn::new(0x10), Lsn::new(0x18));
    let begin = Begin { commit_lsn, commit_time: TIME, xid: XID, origin: None, gid: None };
    let commit = Commit { commit_lsn, end_lsn, commit_time: TIME, xid: XID };
    assert_eq!(events, [Event::Begin(begin), Event::Commit(commit)]);
}

#[test]
fn an_origin_belongs_to_the_begin_before_it() {
    let events =
        events([begin(0x10, XID), origin("elsewhere"), commit(0x10), begin(0x20, SUBXID), commit(0x20)]);
    let origins: Vec<_> = events
        .iter()
        .filter_map(|event| match event {
            Event::Begin(begin) => Some(begin.origin.as_ref().map(|origin| origin.name.as_str())),
            _ => None,
        })
        .collect();
    assert_eq!(origins, [Some("elsewhere"), None]);
}

#[test]
fn a_commit_of_another_transaction_is_a_violation() {
    let violation = assemble(&mut Assembler::new(), [begin(0x10, XID), commit(0x11)]).unwrap_err();
    let (begun, committed) = (Lsn::new(0x10), Lsn::new(0x11));
    assert_eq!(violation, Violation::OtherCommit { begun, committed });
}

#[test]
fn a_message_outside_of_transactions_comes_at_once() {
    let mut messages = vec![stand_alone("a"), begin(0x10, XID), commit(0x10), stand_alone("b")];
    messages.extend(block(SUBXID, true, []));
    messages.extend([stand_alone("c"), abort(SUBXID, SUBXID), stand_alone("d")]);
    assert_eq!(words(&events(messages)), "ma B1067 C1067 mb mc md");
}

#[test]
fn a_transaction_is_not_idle_until_its_commit_was_polled() {
    let mut assembler = Assembler::new();
    assert!(assembler.is_idle());
    assembler.push(begin(0x10, XID)).unwrap();
    assert!(!assembler.is_idle());
    assembler.push(commit(0x10)).unwrap();
    assert!(!assembler.is_idle());
    assert!(assembler.poll().unwrap().is_some() && !assembler.is_idle());
    assert!(assembler.poll().unwrap().is_some() && assembler.is_idle());
}

#[test]
fn a_transaction_in_progress_leaves_the_assembler_idle() {
    // The server keeps what is needed to send it again, so it holds back no acknowledgement.
    let mut assembler = Assembler::new();
    for message in block(XID, true, [insert(Some(XID), "1")]) {
        assembler.push(message).unwrap();
        assert!(assembler.is_idle());
    }
    assembler.push(stream_commit(0x10, XID)).unwrap();
    assert!(!assembler.is_idle());
}
