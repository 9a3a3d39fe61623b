//! Places where decoders go wrong, most of them seen in one that is in use.

use super::*;

/// The messages that have a transaction id in a stream block, with it.
fn with_xid(xid: Option<Xid>) -> Vec<Message> {
    let set = |message| match message {
        Message::Relation(_, relation) => Some(Message::Relation(xid, relation)),
        Message::Type(_, r#type) => Some(Message::Type(xid, r#type)),
        Message::Insert(insert) => Some(Message::Insert(Insert { xid, ..insert })),
        Message::Update(update) => Some(Message::Update(Update { xid, ..update })),
        Message::Delete(delete) => Some(Message::Delete(Delete { xid, ..delete })),
        Message::Truncate(truncate) => Some(Message::Truncate(Truncate { xid, ..truncate })),
        Message::Message(message) => Some(Message::Message(LogicalMessage { xid, ..message })),
        _ => None,
    };
    samples().into_iter().filter_map(set).collect()
}

#[test]
fn a_transaction_id_stands_in_front_between_stream_start_and_stream_stop_only() {
    let mut decoder = decoder(1);
    for _ in 0..2 {
        for message in with_xid(None) {
            assert_eq!(decoder.decode(message.encode()), Ok(message));
        }
        decoder = in_block(decoder);
        for message in with_xid(Some(Xid::new(9))) {
            assert_eq!(decoder.decode(message.encode()), Ok(message));
        }
        decoder.decode(Message::StreamStop.encode()).unwrap();
    }
}

#[test]
fn a_message_in_a_block_names_its_transaction() {
    let message = Message::Message(logical_message(Some(XID)));
    assert_eq!(in_block(decoder(1)).decode(message.encode()), Ok(message.clone()));
    assert!(decoder(1).decode(message.encode()).is_err());
    assert!(in_block(decoder(1)).decode(sample(b'M')).is_err());
}

#[test]
fn an_unknown_relation_says_whether_it_was_read_in_a_block() {
    for (decoder, in_stream_block, xid) in
        [(decoder(1), false, None), (in_block(decoder(1)), true, Some(XID))]
    {
        let relation_id = RelationId::new(99);
        let new = Tuple::from_datums([Datum::Null]);
        let insert = Message::Insert(Insert { xid, relation_id, new });
        let error = decoder.clone().decode(insert.encode()).unwrap_err();
        assert_eq!(error.kind(), &DecodeErrorKind::UnknownRelation { relation_id, in_stream_block });
        assert_eq!(error.offset(), if in_stream_block { 5 } else { 1 });
    }
}

/// However relations are found again, each time between rows of all others.
#[test]
fn each_row_is_of_its_own_relation_as_it_was_announced_last() {
    let mut decoder = Decoder::new();
    let ids = || (0..40_u32).map(|number| RelationId::new(16_384 + number * 8));
    for columns in 1..4 {
        for id in ids() {
            let announced = Relation { id, ..relation(columns) };
            decoder.decode(Message::Relation(None, announced).encode()).unwrap();
            for other in ids() {
                let is_announced_anew = other <= id;
                let has = if is_announced_anew { columns } else { columns - 1 };
                let row = |columns| {
                    let new = Tuple::from_datums(vec![Datum::Null; columns]);
                    Message::Insert(Insert { xid: None, relation_id: other, new })
                };
                if has > 0 {
                    assert_eq!(decoder.decode(row(has).encode()), Ok(row(has)));
                }
                assert!(decoder.clone().decode(row(has + 1).encode()).is_err());
            }
        }
    }
}

#[test]
fn a_missed_stream_start_shows_as_an_unknown_relation() {
    let new = Tuple::from_datums([Datum::Null]);
    let insert = Message::Insert(Insert { xid: Some(XID), relation_id: RELATION, new });
    let read_as = RelationId::new(XID.into());
    let error = kind(decoder(1).decode(insert.encode()));
    assert_eq!(error, DecodeErrorKind::UnknownRelation { relation_id: read_as, in_stream_block: false });
}

#[test]
fn stream_abort_is_long_exactly_under_parallel_streaming() {
    let info = AbortInfo { abort_lsn: Lsn::new(0x10), abort_time: Timestamp::from_micros(7) };
    let abort = |info| Message::StreamAbort(StreamAbort { xid: XID, subxid: Xid::new(9), info });
    let (short, long) = (abort(None), abort(Some(info)));
    let mut plain = Decoder::new();
    let mut parallel = Decoder::new().parallel_streaming(true);
    assert_eq!(plain.decode(short.encode()), Ok(short.clone()));
    assert_eq!(parallel.decode(long.encode()), Ok(long.clone()));
    assert_eq!(kind(plain.decode(long.encode())), DecodeErrorKind::TrailingBytes { count: 16 });
    assert_eq!(kind(parallel.decode(short.encode())), DecodeErrorKind::Truncated { needed: 8, left: 0 });
}

#[test]
fn two_phase_messages_are_read_without_asking_for_them() {
    // A slot that was made for two-phase commit sends them to a client of protocol 1, too.
    for tag in *b"bPKrp" {
        assert_eq!(Decoder::new().decode(sample(tag)).unwrap().encode(), sample(tag));
    }
}

#[test]
fn the_text_null_is_not_null() {
    let datums = [Datum::Text(b"null"), Datum::Null, Datum::Text(b""), Datum::Unchanged, Datum::Binary(b"")];
    let insert =
        Message::Insert(Insert { xid: None, relation_id: RELATION, new: Tuple::from_datums(datums) });
    let Ok(Message::Insert(insert)) = decoder(5).decode(insert.encode()) else { panic!("an Insert") };
    assert_eq!(insert.new.iter().collect::<Vec<_>>(), datums);
}
