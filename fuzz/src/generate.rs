//! Arbitrary messages. Ids come from few, so that messages have to do with each other.

use arbitrary::{Result, Unstructured};
use walferry::pgoutput::{
    AbortInfo, Begin, Column, Commit, CommitPrepared, Datum, Delete, Insert, LogicalMessage, Message,
    OldTuple, Origin, Prepare, Relation, ReplicaIdentity, RollbackPrepared, StreamAbort, StreamCommit,
    StreamStart, Truncate, Tuple, Type, Update,
};
use walferry::{Lsn, Oid, RelationId, Timestamp, Xid};

/// Each of these has as many columns as its place here.
pub const RELATIONS: [RelationId; 4] =
    [RelationId::new(16_384), RelationId::new(16_385), RelationId::new(16_386), RelationId::new(16_387)];

/// A relation of [`RELATIONS`] as it was announced first.
pub fn plain_relation(place: usize) -> Relation {
    Relation {
        id: RELATIONS[place],
        schema: "public".into(),
        name: "t".into(),
        replica_identity: ReplicaIdentity::Default,
        columns: (0..place).map(|index| plain_column(index, index == 0)).collect(),
    }
}

fn plain_column(index: usize, is_key: bool) -> Column {
    Column { name: format!("c{index}"), type_oid: Oid::new(25), type_modifier: -1, is_key }
}

/// Any of the nineteen messages, as it is sent inside a stream block or outside.
pub fn message(u: &mut Unstructured<'_>, in_block: bool, parallel: bool) -> Result<Message> {
    let prefixed = |u: &mut Unstructured<'_>| if in_block { xid(u).map(Some) } else { Ok(None) };
    Ok(match u.int_in_range(0..=18)? {
        0 => Message::Begin(Begin { commit_lsn: lsn(u)?, commit_time: time(u)?, xid: xid(u)? }),
        1 => Message::Commit(Commit { commit_lsn: lsn(u)?, end_lsn: lsn(u)?, commit_time: time(u)? }),
        2 => Message::Origin(Origin { commit_lsn: lsn(u)?, name: name(u)? }),
        3 => Message::Relation(prefixed(u)?, relation(u)?),
        4 => Message::Type(
            prefixed(u)?,
            Type { id: Oid::new(u.arbitrary()?), schema: schema(u)?, name: name(u)? },
        ),
        5 => {
            let (xid, (relation_id, columns)) = (prefixed(u)?, place(u)?);
            Message::Insert(Insert { xid, relation_id, new: tuple(u, columns)? })
        }
        6 => {
            let (xid, (relation_id, columns)) = (prefixed(u)?, place(u)?);
            let old = if u.arbitrary()? { Some(old_tuple(u, columns)?) } else { None };
            Message::Update(Update { xid, relation_id, old, new: tuple(u, columns)? })
        }
        7 => {
            let (xid, (relation_id, columns)) = (prefixed(u)?, place(u)?);
            Message::Delete(Delete { xid, relation_id, old: old_tuple(u, columns)? })
        }
        8 => Message::Truncate(Truncate {
            xid: prefixed(u)?,
            cascade: u.arbitrary()?,
            restart_identity: u.arbitrary()?,
            relation_ids: (0..u.int_in_range(0..=3)?).map(|_| Ok(place(u)?.0)).collect::<Result<_>>()?,
        }),
        9 => Message::Message(LogicalMessage {
            xid: prefixed(u)?,
            transactional: u.arbitrary()?,
            lsn: lsn(u)?,
            prefix: name(u)?,
            content: bytes(u)?.into(),
        }),
        10 => Message::StreamStart(StreamStart { xid: xid(u)?, first_segment: u.arbitrary()? }),
        11 => Message::StreamStop,
        12 => Message::StreamCommit(StreamCommit {
            xid: xid(u)?,
            commit_lsn: lsn(u)?,
            end_lsn: lsn(u)?,
            commit_time: time(u)?,
        }),
        13 => {
            let info =
                if parallel { Some(AbortInfo { abort_lsn: lsn(u)?, abort_time: time(u)? }) } else { None };
            Message::StreamAbort(StreamAbort { xid: xid(u)?, subxid: xid(u)?, info })
        }
        14 => Message::BeginPrepare(prepare(u)?),
        15 => Message::Prepare(prepare(u)?),
        16 => Message::StreamPrepare(prepare(u)?),
        17 => Message::CommitPrepared(CommitPrepared {
            commit_lsn: lsn(u)?,
            end_lsn: lsn(u)?,
            commit_time: time(u)?,
            xid: xid(u)?,
            gid: name(u)?,
        }),
        _ => Message::RollbackPrepared(RollbackPrepared {
            prepare_end_lsn: lsn(u)?,
            rollback_end_lsn: lsn(u)?,
            prepare_time: time(u)?,
            rollback_time: time(u)?,
            xid: xid(u)?,
            gid: name(u)?,
        }),
    })
}

/// One of [`RELATIONS`] with any names, types and keys, and its number of columns.
pub fn relation(u: &mut Unstructured<'_>) -> Result<Relation> {
    let (id, columns) = place(u)?;
    let replica_identity = *u.choose(&[
        ReplicaIdentity::Default,
        ReplicaIdentity::Nothing,
        ReplicaIdentity::Full,
        ReplicaIdentity::Index,
    ])?;
    let column = |u: &mut Unstructured<'_>| {
        Ok(Column {
            name: name(u)?,
            type_oid: Oid::new(*u.choose(&[16, 23, 25, 114, 1042, 1043, 1700, 99_999])?),
            type_modifier: u.arbitrary()?,
            is_key: u.arbitrary()?,
        })
    };
    let (schema, name) = (schema(u)?, name(u)?);
    let columns = (0..columns).map(|_| column(u)).collect::<Result<_>>()?;
    Ok(Relation { id, schema, name, replica_identity, columns })
}

fn place(u: &mut Unstructured<'_>) -> Result<(RelationId, usize)> {
    let place = u.choose_index(RELATIONS.len())?;
    Ok((RELATIONS[place], place))
}

pub fn tuple(u: &mut Unstructured<'_>, columns: usize) -> Result<Tuple> {
    let mut values = Vec::new();
    for _ in 0..columns {
        values.push((u.int_in_range(0..=5)?, bytes(u)?));
    }
    Ok(Tuple::from_datums(values.iter().map(|(kind, value)| match kind {
        0 => Datum::Null,
        1 => Datum::Unchanged,
        2 => Datum::Binary(value),
        _ => Datum::Text(value),
    })))
}

fn old_tuple(u: &mut Unstructured<'_>, columns: usize) -> Result<OldTuple> {
    Ok(if u.arbitrary()? { OldTuple::Key(tuple(u, columns)?) } else { OldTuple::Full(tuple(u, columns)?) })
}

fn prepare(u: &mut Unstructured<'_>) -> Result<Prepare> {
    let (prepare_lsn, end_lsn, prepare_time) = (lsn(u)?, lsn(u)?, time(u)?);
    Ok(Prepare { prepare_lsn, end_lsn, prepare_time, xid: xid(u)?, gid: name(u)? })
}

fn bytes(u: &mut Unstructured<'_>) -> Result<Vec<u8>> {
    let count = u.int_in_range(0..=20)?;
    u.bytes(count.min(u.len())).map(<[u8]>::to_vec)
}

/// A string as the wire can carry it: without a zero byte.
fn name(u: &mut Unstructured<'_>) -> Result<String> {
    let text = String::from_utf8_lossy(&bytes(u)?).into_owned();
    Ok(text.replace('\0', ""))
}

/// The wire's empty schema is `pg_catalog`.
fn schema(u: &mut Unstructured<'_>) -> Result<String> {
    name(u).map(|name| if name.is_empty() { "pg_catalog".into() } else { name })
}

fn xid(u: &mut Unstructured<'_>) -> Result<Xid> {
    u.int_in_range(1..=4).map(Xid::new)
}

fn lsn(u: &mut Unstructured<'_>) -> Result<Lsn> {
    u.int_in_range(0..=3).map(Lsn::new)
}

fn time(u: &mut Unstructured<'_>) -> Result<Timestamp> {
    u.arbitrary().map(Timestamp::from_micros)
}
