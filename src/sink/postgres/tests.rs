//! Tables without a server.

use std::sync::Arc;

use super::plan::Plan;
use super::table::{Table, TableColumn, UniqueKey};
use crate::pgoutput::{Column, Datum, Relation, ReplicaIdentity, Tuple};
use crate::value::Types;
use crate::{Oid, RelationId, Row};

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
