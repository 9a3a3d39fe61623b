//! What the decoder accepts, and that it accepts nothing else.

mod bytes;
pub(crate) mod generate;
mod lengths;
mod round_trip;
mod traps;
mod tuple;

use ::bytes::Bytes;

use super::*;
use crate::{Lsn, Oid, RelationId, Timestamp};

pub(crate) const RELATION: RelationId = RelationId::new(16_384);
pub(crate) const XID: Xid = Xid::new(1067);

pub(crate) fn relation(columns: usize) -> Relation {
    let column = |index| Column {
        name: format!("c{index}"),
        type_oid: Oid::new(25),
        type_modifier: -1,
        is_key: index == 0,
    };
    Relation {
        id: RELATION,
        schema: "public".into(),
        name: "t".into(),
        replica_identity: ReplicaIdentity::Default,
        columns: (0..columns).map(column).collect(),
    }
}

/// A decoder that knows [`RELATION`] with so many columns.
fn decoder(columns: usize) -> Decoder {
    let mut decoder = Decoder::new();
    decoder.decode(Message::Relation(None, relation(columns)).encode()).unwrap();
    decoder
}

fn in_block(mut decoder: Decoder) -> Decoder {
    let start = StreamStart { xid: XID, first_segment: true };
    decoder.decode(Message::StreamStart(start).encode()).unwrap();
    decoder
}

/// One message of each kind; rows have one column.
pub(crate) fn samples() -> [Message; 19] {
    let (lsn, end_lsn, time, xid) = (Lsn::new(0x10), Lsn::new(0x20), Timestamp::from_micros(7), XID);
    let tuple = || Tuple::from_datums([Datum::Text(b"1")]);
    let prepare = || Prepare { prepare_lsn: lsn, end_lsn, prepare_time: time, xid, gid: "g".into() };
    [
        Message::Begin(Begin { commit_lsn: lsn, commit_time: time, xid }),
        Message::Commit(Commit { commit_lsn: lsn, end_lsn, commit_time: time }),
        Message::Origin(Origin { commit_lsn: lsn, name: "o".into() }),
        Message::Relation(None, relation(1)),
        Message::Type(None, Type { id: Oid::new(32_849), schema: "public".into(), name: "mood".into() }),
        Message::Insert(Insert { xid: None, relation_id: RELATION, new: tuple() }),
        Message::Update(Update {
            xid: None,
            relation_id: RELATION,
            old: Some(OldTuple::Key(tuple())),
            new: tuple(),
        }),
        Message::Delete(Delete { xid: None, relation_id: RELATION, old: OldTuple::Full(tuple()) }),
        Message::Truncate(Truncate {
            xid: None,
            cascade: true,
            restart_identity: false,
            relation_ids: vec![RELATION],
        }),
        Message::Message(logical_message(None)),
        Message::StreamStart(StreamStart { xid, first_segment: true }),
        Message::StreamStop,
        Message::StreamCommit(StreamCommit { xid, commit_lsn: lsn, end_lsn, commit_time: time }),
        Message::StreamAbort(StreamAbort { xid, subxid: xid, info: None }),
        Message::BeginPrepare(prepare()),
        Message::Prepare(prepare()),
        Message::CommitPrepared(CommitPrepared {
            commit_lsn: lsn,
            end_lsn,
            commit_time: time,
            xid,
            gid: "g".into(),
        }),
        Message::RollbackPrepared(RollbackPrepared {
            prepare_end_lsn: lsn,
            rollback_end_lsn: end_lsn,
            prepare_time: time,
            rollback_time: time,
            xid,
            gid: "g".into(),
        }),
        Message::StreamPrepare(prepare()),
    ]
}

pub(crate) fn logical_message(xid: Option<Xid>) -> LogicalMessage {
    let content = Bytes::from_static(b"\x00\xff");
    LogicalMessage { xid, transactional: true, lsn: Lsn::new(0x10), prefix: "p".into(), content }
}

fn sample(tag: u8) -> Bytes {
    samples().into_iter().find(|message| message.tag() == tag).unwrap().encode()
}

fn kind(result: Result<Message, DecodeError>) -> DecodeErrorKind {
    result.unwrap_err().kind().clone()
}
