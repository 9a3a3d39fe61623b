//! Arbitrary messages, for the properties of this module and of those that are built on it.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

/// A message, and what a decoder must know to read it.
#[derive(Debug, Clone)]
pub(crate) struct Sent {
    pub(crate) message: Message,
    columns: usize,
    in_block: bool,
    parallel: bool,
}

impl Sent {
    /// A decoder in the state in which the message is sent.
    pub(crate) fn decoder(&self) -> Decoder {
        let decoder = decoder(self.columns).parallel_streaming(self.parallel);
        if self.in_block { in_block(decoder) } else { decoder }
    }
}

/// Any message of the nineteen, in a stream block or not.
pub(crate) fn sent() -> impl Strategy<Value = Sent> {
    (any::<bool>(), any::<bool>(), 0_usize..6).prop_flat_map(|(in_block, parallel, columns)| {
        message(in_block, parallel, columns).prop_map(move |message| Sent {
            message,
            columns,
            in_block,
            parallel,
        })
    })
}

fn message(in_block: bool, parallel: bool, columns: usize) -> impl Strategy<Value = Message> {
    let xid = || any::<u32>().prop_map(move |xid| in_block.then_some(Xid::new(xid)));
    prop_oneof![
        transaction(parallel),
        two_phase(),
        change(xid().boxed(), columns),
        (xid(), any_relation()).prop_map(|(xid, relation)| Message::Relation(xid, relation)),
        (xid(), oid(), schema(), name())
            .prop_map(|(xid, id, schema, name)| Message::Type(xid, Type { id, schema, name })),
        logical(xid().boxed()),
    ]
}

fn transaction(parallel: bool) -> impl Strategy<Value = Message> {
    prop_oneof![
        (lsn(), time(), xid()).prop_map(|(commit_lsn, commit_time, xid)| Message::Begin(Begin {
            commit_lsn,
            commit_time,
            xid
        })),
        (lsn(), lsn(), time()).prop_map(|(commit_lsn, end_lsn, commit_time)| Message::Commit(Commit {
            commit_lsn,
            end_lsn,
            commit_time
        })),
        (lsn(), name()).prop_map(|(commit_lsn, name)| Message::Origin(Origin { commit_lsn, name })),
        (xid(), any::<bool>())
            .prop_map(|(xid, first_segment)| Message::StreamStart(StreamStart { xid, first_segment })),
        Just(Message::StreamStop),
        (xid(), lsn(), lsn(), time()).prop_map(|(xid, commit_lsn, end_lsn, commit_time)| {
            Message::StreamCommit(StreamCommit { xid, commit_lsn, end_lsn, commit_time })
        }),
        (xid(), xid(), lsn(), time()).prop_map(move |(xid, subxid, abort_lsn, abort_time)| {
            let info = parallel.then_some(AbortInfo { abort_lsn, abort_time });
            Message::StreamAbort(StreamAbort { xid, subxid, info })
        }),
    ]
}

fn two_phase() -> impl Strategy<Value = Message> {
    let prepare = || {
        (lsn(), lsn(), time(), xid(), name()).prop_map(|(prepare_lsn, end_lsn, prepare_time, xid, gid)| {
            Prepare { prepare_lsn, end_lsn, prepare_time, xid, gid }
        })
    };
    prop_oneof![
        prepare().prop_map(Message::BeginPrepare),
        prepare().prop_map(Message::Prepare),
        prepare().prop_map(Message::StreamPrepare),
        (lsn(), lsn(), time(), xid(), name()).prop_map(|(commit_lsn, end_lsn, commit_time, xid, gid)| {
            Message::CommitPrepared(CommitPrepared { commit_lsn, end_lsn, commit_time, xid, gid })
        }),
        (lsn(), lsn(), time(), time(), xid(), name()).prop_map(
            |(prepare_end_lsn, rollback_end_lsn, prepare_time, rollback_time, xid, gid)| {
                Message::RollbackPrepared(RollbackPrepared {
                    prepare_end_lsn,
                    rollback_end_lsn,
                    prepare_time,
                    rollback_time,
                    xid,
                    gid,
                })
            }
        ),
    ]
}

fn change(xid: BoxedStrategy<Option<Xid>>, columns: usize) -> impl Strategy<Value = Message> {
    prop_oneof![
        (xid.clone(), tuple(columns)).prop_map(|(xid, new)| Message::Insert(Insert {
            xid,
            relation_id: RELATION,
            new
        })),
        (xid.clone(), proptest::option::of(old_tuple(columns)), tuple(columns))
            .prop_map(|(xid, old, new)| Message::Update(Update { xid, relation_id: RELATION, old, new })),
        (xid.clone(), old_tuple(columns)).prop_map(|(xid, old)| Message::Delete(Delete {
            xid,
            relation_id: RELATION,
            old
        })),
        (xid, any::<bool>(), any::<bool>(), vec(any::<u32>().prop_map(RelationId::new), 0..5)).prop_map(
            |(xid, cascade, restart_identity, relation_ids)| Message::Truncate(Truncate {
                xid,
                cascade,
                restart_identity,
                relation_ids
            })
        ),
    ]
}

fn logical(xid: BoxedStrategy<Option<Xid>>) -> impl Strategy<Value = Message> {
    (xid, any::<bool>(), lsn(), name(), vec(any::<u8>(), 0..20)).prop_map(
        |(xid, transactional, lsn, prefix, content)| {
            let content = content.into();
            Message::Message(LogicalMessage { xid, transactional, lsn, prefix, content })
        },
    )
}

pub(crate) fn any_relation() -> impl Strategy<Value = Relation> {
    use ReplicaIdentity::{Default, Full, Index, Nothing};
    let identity = prop_oneof![Just(Default), Just(Full), Just(Index), Just(Nothing)];
    let column = (name(), oid(), any::<i32>(), any::<bool>())
        .prop_map(|(name, type_oid, type_modifier, is_key)| Column { name, type_oid, type_modifier, is_key });
    (any::<u32>().prop_map(RelationId::new), schema(), name(), identity, vec(column, 0..5)).prop_map(
        |(id, schema, name, replica_identity, columns)| Relation {
            id,
            schema,
            name,
            replica_identity,
            columns,
        },
    )
}

/// A row of so many columns, of every kind.
pub(crate) fn tuple(columns: usize) -> impl Strategy<Value = Tuple> {
    let bytes = || vec(any::<u8>(), 0..12);
    let kind = prop_oneof![Just(b'n'), Just(b'u'), Just(b't'), Just(b'b')];
    vec((kind, bytes()), columns).prop_map(|columns| {
        Tuple::from_datums(columns.iter().map(|(kind, value)| match kind {
            b'n' => Datum::Null,
            b'u' => Datum::Unchanged,
            b't' => Datum::Text(value),
            _ => Datum::Binary(value),
        }))
    })
}

fn old_tuple(columns: usize) -> impl Strategy<Value = OldTuple> {
    (any::<bool>(), tuple(columns))
        .prop_map(|(key, tuple)| if key { OldTuple::Key(tuple) } else { OldTuple::Full(tuple) })
}

/// What the wire can carry as a string: anything but a zero byte.
pub(crate) fn name() -> impl Strategy<Value = String> {
    "[^\\x00]{0,12}"
}

/// The wire's empty schema is `pg_catalog`, and no schema has an empty name.
fn schema() -> impl Strategy<Value = String> {
    prop_oneof!["[^\\x00]{1,12}", Just("pg_catalog".to_owned())]
}

fn lsn() -> impl Strategy<Value = Lsn> {
    any::<u64>().prop_map(Lsn::new)
}

fn time() -> impl Strategy<Value = Timestamp> {
    any::<i64>().prop_map(Timestamp::from_micros)
}

fn xid() -> impl Strategy<Value = Xid> {
    any::<u32>().prop_map(Xid::new)
}

fn oid() -> impl Strategy<Value = Oid> {
    any::<u32>().prop_map(Oid::new)
}
