//! What the target's tables lack to take the changes of the source's as they are now, and the SQL that mends it.
//!
//! None of it is run here: it may cost what only the target's owner can weigh.

use std::sync::Arc;

use super::error::{ApplyError, ApplyErrorKind, Refusal};
use super::plan::{Plan, PlanColumn, identifier, quoted_target};
use super::table::{Table, TableColumn, quoted};
use crate::event::{ColumnChange, RelationChange};
use crate::pgoutput::{Column, Relation};
use crate::value::{TypeKind, Types};
use crate::{Row, quote};

/// There is no table of that name. `before` is what it was announced as when it was there.
pub(super) fn missing_table(relation: &Relation, before: Option<&Arc<Relation>>) -> ApplyError {
    let error = ApplyError::new(ApplyErrorKind::MissingTable);
    let Some(before) = before else { return error };
    let mut statements = Vec::new();
    if before.schema != relation.schema {
        let schema = identifier(&relation.schema);
        statements.push(format!("ALTER TABLE {} SET SCHEMA {schema}", quoted_target(before)));
    }
    if before.name != relation.name {
        let old = quoted(&relation.schema, &before.name);
        statements.push(format!("ALTER TABLE {old} RENAME TO {}", identifier(&relation.name)));
    }
    if statements.is_empty() { error } else { error.with_statement(statements.join("; ")) }
}

/// The target's table lacks columns, if it does.
pub(super) fn missing_columns(
    relation: &Arc<Relation>,
    types: &Types,
    table: &Table,
    before: Option<&Arc<Relation>>,
) -> Option<ApplyError> {
    let has = |name: &str| table.columns.iter().any(|known| known.name == name);
    let missing: Vec<&Column> = relation.columns.iter().filter(|column| !has(&column.name)).collect();
    if missing.is_empty() {
        return None;
    }
    let before = before.map_or_else(|| Arc::new(as_announced(table, relation, types)), Arc::clone);
    let changes = RelationChange::between(&before, relation).map(|change| change.columns).unwrap_or_default();
    let name_before = |column: &Column| {
        changes.iter().find_map(|change| match change {
            ColumnChange::RenamedOrReplaced { before, after } if after == column && has(&before.name) => {
                Some(&before.name)
            }
            _ => None,
        })
    };
    let target = quoted_target(relation);
    let add = |columns: &[&Column]| {
        let added = columns
            .iter()
            .map(|column| format!("ADD COLUMN {} {}", identifier(&column.name), type_name(column, types)));
        format!("ALTER TABLE {target} {}", added.collect::<Vec<_>>().join(", "))
    };
    let (renamed, added): (Vec<&Column>, Vec<&Column>) =
        missing.iter().partition(|column| name_before(column).is_some());
    let mut statements: Vec<String> = renamed
        .iter()
        .filter_map(|column| {
            let (from, to) = (identifier(name_before(column)?), identifier(&column.name));
            Some(format!("ALTER TABLE {target} RENAME COLUMN {from} TO {to}"))
        })
        .collect();
    if !added.is_empty() {
        statements.push(add(&added));
    }
    let columns = missing.iter().map(|column| column.name.clone()).collect();
    let statement = statements.join("; ");
    let error = ApplyError::new(ApplyErrorKind::MissingColumns { columns }).with_statement(statement.clone());
    Some(if renamed.is_empty() {
        error
    } else {
        // On the wire, a last column that is replaced looks like one that is renamed.
        let instead = add(&missing);
        error.with_hint(format!("on the target: {statement}; or, if it was no rename: {instead}"))
    })
}

/// The target's table as if the source had announced it.
fn as_announced(table: &Table, relation: &Relation, types: &Types) -> Relation {
    let column = |known: &TableColumn| {
        let alike = relation.columns.iter().find(|column| is_type(column, known, types));
        Column {
            name: known.name.clone(),
            type_oid: alike.map_or(known.type_oid, |column| column.type_oid),
            type_modifier: known.type_modifier,
            is_key: false,
        }
    };
    Relation { columns: table.columns.iter().map(column).collect(), ..relation.clone() }
}

/// Says what a refusal of the target comes from, where its table is not as the source's is now.
pub(super) fn explained(error: ApplyError, plan: &Plan, row: &Row) -> ApplyError {
    let ApplyErrorKind::Refused(refusal) = error.kind() else { return error };
    let statement = match refusal.sqlstate.as_bytes() {
        b"23502" => not_sent(refusal, plan),
        [b'2', b'2', ..] => other_labels(plan, row.types()).or_else(|| other_types(plan, row.types())),
        _ => None,
    };
    match statement {
        Some(statement) => error.with_statement(statement),
        None => error,
    }
}

/// A column that the source hasn't got wants a value.
fn not_sent(refusal: &Refusal, plan: &Plan) -> Option<String> {
    let column = refusal.column.as_ref()?;
    if plan.columns.iter().any(|sent| sent.name == *column) {
        return None;
    }
    Some(format!("ALTER TABLE {} ALTER COLUMN {} DROP NOT NULL", plan.target, identifier(column)))
}

fn other_types(plan: &Plan, types: &Types) -> Option<String> {
    let changed: Vec<String> = plan
        .columns
        .iter()
        .filter(|column| !column.target.is_generated && types.base(column.source.type_oid).is_some())
        .filter_map(|column| {
            let (source, target) = (&column.source, &column.target);
            let is_same = is_type(source, target, types);
            if is_same && source.type_modifier == target.type_modifier {
                return None;
            }
            let (name, becomes) = (&column.quoted, type_name(source, types));
            // A cast to a type with a modifier would cut values off; the assignment behind it doesn't.
            let bare = Column { type_modifier: -1, ..source.clone() };
            let using =
                if is_same { String::new() } else { format!(" USING {name}::{}", type_name(&bare, types)) };
            Some(format!("ALTER COLUMN {name} TYPE {becomes}{using}"))
        })
        .collect();
    (!changed.is_empty()).then(|| format!("ALTER TABLE {} {}", plan.target, changed.join(", ")))
}

/// Labels of enums that the target's types of the same names lack.
fn other_labels(plan: &Plan, types: &Types) -> Option<String> {
    let statements: Vec<String> =
        plan.columns.iter().flat_map(|column| added_labels(column, types)).collect();
    (!statements.is_empty()).then(|| statements.join("; "))
}

fn added_labels(column: &PlanColumn, types: &Types) -> Vec<String> {
    let Some(TypeKind::Enum { labels }) = types.base(column.source.type_oid).map(|base| &base.kind) else {
        return Vec::new();
    };
    if !is_type(&column.source, &column.target, types) {
        return Vec::new();
    }
    let mut before: Option<&String> = None;
    let mut statements = Vec::new();
    for label in labels {
        if !column.target.labels.contains(label) {
            let place = match (before, column.target.labels.first()) {
                (Some(before), _) => format!(" AFTER {}", literal(before)),
                (None, Some(first)) => format!(" BEFORE {}", literal(first)),
                (None, None) => String::new(),
            };
            let name = &column.target.type_name;
            statements.push(format!("ALTER TYPE {name} ADD VALUE {}{place}", literal(label)));
        }
        before = Some(label);
    }
    statements
}

/// Whether the target's column has the type that the source's has, whatever stands in brackets behind it.
fn is_type(source: &Column, target: &TableColumn, types: &Types) -> bool {
    types.base(source.type_oid).is_some_and(|base| quoted(&base.schema, &base.name) == target.type_name)
}

fn literal(text: &str) -> String {
    let mut out = Vec::new();
    quote::literal(&mut out, text.as_bytes());
    String::from_utf8_lossy(&out).into_owned()
}

/// A type as it is written in SQL, as far as the wire tells.
pub(super) fn type_name(column: &Column, types: &Types) -> String {
    let Some(known) = types.get(column.type_oid) else {
        return format!("(type {} of the source)", column.type_oid);
    };
    let modifier = column.type_modifier;
    if let TypeKind::Array { element, .. } = known.kind {
        return format!("{}[]", type_name(&Column { type_oid: element, ..column.clone() }, types));
    }
    if known.schema != "pg_catalog" {
        return quoted(&known.schema, &known.name);
    }
    let name = known.name.as_ref();
    match name {
        _ if modifier < 0 => identifier(name),
        "varchar" | "bpchar" => format!("{name}({})", modifier - 4),
        "bit" | "varbit" | "time" | "timetz" | "timestamp" | "timestamptz" => format!("{name}({modifier})"),
        "interval" => interval(modifier),
        "numeric" => {
            let packed = modifier - 4;
            // The scale is signed, in 11 bits, from 15 on; before that it was never negative.
            let scale = ((packed & 0x7ff) ^ 1024) - 1024;
            format!("numeric({},{scale})", (packed >> 16) & 0xffff)
        }
        _ => identifier(name),
    }
}

/// Source: `INTERVAL_TYPMOD` and `intervaltypmodout` of the server: which fields, then how many digits of seconds.
fn interval(modifier: i32) -> String {
    const FIELDS: [(i32, &str); 13] = [
        (1 << 2, "YEAR"),
        (1 << 1, "MONTH"),
        (1 << 3, "DAY"),
        (1 << 10, "HOUR"),
        (1 << 11, "MINUTE"),
        (1 << 12, "SECOND"),
        (1 << 2 | 1 << 1, "YEAR TO MONTH"),
        (1 << 3 | 1 << 10, "DAY TO HOUR"),
        (1 << 3 | 1 << 10 | 1 << 11, "DAY TO MINUTE"),
        (1 << 3 | 1 << 10 | 1 << 11 | 1 << 12, "DAY TO SECOND"),
        (1 << 10 | 1 << 11, "HOUR TO MINUTE"),
        (1 << 10 | 1 << 11 | 1 << 12, "HOUR TO SECOND"),
        (1 << 11 | 1 << 12, "MINUTE TO SECOND"),
    ];
    let (fields, digits) = ((modifier >> 16) & 0x7fff, modifier & 0xffff);
    let fields = FIELDS.iter().find(|(mask, _)| *mask == fields).map(|(_, name)| format!(" {name}"));
    let digits = if digits == 0xffff { String::new() } else { format!("({digits})") };
    format!("interval{}{digits}", fields.unwrap_or_default())
}

#[cfg(test)]
mod tests;
