//! Tables and events without a server.

use std::sync::Arc;

use super::plan::Plan;
use super::table::{Table, TableColumn, UniqueKey};
use crate::event::{Begin, Commit, CommitPrepared, Event, Prepare, RollbackPrepared};
use crate::pgoutput::{self, Column, Datum, Relation, ReplicaIdentity, Tuple};
use crate::value::Types;
use crate::{Lsn, Oid, RelationId, Row, Timestamp, Xid};

pub(super) const INT4: u32 = 23;
pub(super) const TEXT: u32 = 25;

pub(super) fn column(name: &str, type_oid: u32, is_key: bool) -> Column {
    Column { name: name.into(), type_oid: Oid::new(type_oid), type_modifier: -1, is_key }
}

pub(super) fn relation(replica_identity: ReplicaIdentity, columns: Vec<Column>) -> Arc<Relation> {
    Arc::new(Relation {
        id: RelationId::new(16_384),
        schema: "public".into(),
        name: "t".into(),
        replica_identity,
        columns,
    })
}

/// The same column on the target; with an array over its type, if it is a built-in one.
pub(super) fn target(column: &Column) -> TableColumn {
    let types = Types::new();
    let known = types.get(column.type_oid);
    let name = known.map_or("text".to_owned(), |known| known.name.to_string());
    TableColumn {
        name: column.name.clone(),
        type_oid: column.type_oid,
        array: known
            .map(|_| super::table::ArrayType { name: format!("pg_catalog._{name}"), delimiter: b',' }),
        type_name: super::table::quoted("pg_catalog", &name),
        type_modifier: column.type_modifier,
        is_enum: false,
        labels: Vec::new(),
        reads_binary: true,
        is_not_null: true,
        is_generated: false,
        is_always: false,
    }
}

/// The same table on the target, with these unique keys.
pub(super) fn table(relation: &Relation, keys: &[&[usize]]) -> Table {
    let key = |columns: &&[usize]| UniqueKey {
        columns: columns.to_vec(),
        operators: columns.iter().map(|_| "=".to_owned()).collect(),
    };
    Table {
        columns: relation.columns.iter().map(target).collect(),
        keys: keys.iter().map(key).collect(),
        fires: false,
        has_children: false,
        family: None,
        holds_rows: true,
    }
}

pub(super) fn plan(relation: &Arc<Relation>, table: Table) -> Plan {
    Plan::new(relation, &Types::new(), table, None).unwrap()
}

pub(super) fn row(relation: &Arc<Relation>, datums: &[Datum<'_>]) -> Row {
    Row::new(Arc::clone(relation), Tuple::from_datums(datums.iter().copied())).unwrap()
}

/// A transaction of this number has it as its id, as its position and as its time.
pub(super) fn begin(number: u32, gid: Option<&str>) -> Event {
    let (commit_lsn, commit_time) = at(number);
    Event::Begin(Begin {
        commit_lsn,
        commit_time,
        xid: Xid::new(number),
        origin: None,
        gid: gid.map(str::to_owned),
    })
}

pub(super) fn commit(number: u32) -> Event {
    let (commit_lsn, commit_time) = at(number);
    Event::Commit(Commit { commit_lsn, end_lsn: commit_lsn, commit_time, xid: Xid::new(number) })
}

/// Prepared, and its ends.
pub(super) fn prepare(number: u32) -> Event {
    let ((prepare_lsn, prepare_time), xid) = (at(number), Xid::new(number));
    let message =
        pgoutput::Prepare { prepare_lsn, end_lsn: prepare_lsn, prepare_time, xid, gid: "g".to_owned() };
    Event::Prepare(Prepare::new(message))
}

pub(super) fn commit_prepared(number: u32) -> Event {
    let ((commit_lsn, commit_time), xid) = (at(number), Xid::new(number));
    let message =
        pgoutput::CommitPrepared { commit_lsn, end_lsn: commit_lsn, commit_time, xid, gid: "g".to_owned() };
    Event::CommitPrepared(CommitPrepared::new(message))
}

pub(super) fn rollback_prepared(number: u32) -> Event {
    let ((lsn, time), xid) = (at(number), Xid::new(number));
    Event::RollbackPrepared(RollbackPrepared::new(pgoutput::RollbackPrepared {
        prepare_end_lsn: lsn,
        rollback_end_lsn: lsn,
        prepare_time: at(0).1,
        rollback_time: time,
        xid,
        gid: "g".to_owned(),
    }))
}

fn at(number: u32) -> (Lsn, Timestamp) {
    (Lsn::new(number.into()), Timestamp::from_micros(number.into()))
}
