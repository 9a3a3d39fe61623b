//! Types as they are written.

use super::*;
use crate::Oid;
use crate::pgoutput::ReplicaIdentity;
use crate::sink::postgres::tests::{column, relation, table, target};
use crate::value::Type;

fn written(type_oid: u32, type_modifier: i32) -> String {
    let mut types = Types::new();
    let (oid, schema, name) = (Oid::new(16_400), "my \"s\"".into(), "m".into());
    types.insert(Type { oid, schema, name, kind: TypeKind::Enum { labels: Vec::new() } });
    type_name(&Column { type_modifier, ..column("a", type_oid, false) }, &types)
}

#[test]
fn a_type_is_written_with_what_stands_behind_it() {
    for (type_oid, type_modifier, expected) in [
        (23, -1, r#""int4""#),
        (18, -1, r#""char""#),
        (1043, 24, "varchar(20)"),
        (1042, 5, "bpchar(1)"),
        (1042, -1, r#""bpchar""#),
        (1700, 524_294, "numeric(8,2)"),
        (1700, (3 << 16 | 0x7fe) + 4, "numeric(3,-2)"),
        (1562, 9, "varbit(9)"),
        (1184, 3, "timestamptz(3)"),
        (1114, 0, "timestamp(0)"),
        (1186, -1, r#""interval""#),
        (1186, 0x7fff_0003, "interval(3)"),
        (1186, 0x1c08_0003, "interval DAY TO SECOND(3)"),
        (1186, 0x0006_ffff, "interval YEAR TO MONTH"),
        (1015, 11, "varchar(7)[]"),
        (1007, -1, r#""int4"[]"#),
        (16_400, -1, r#""my ""s"""."m""#),
        (16_401, -1, "(type 16401 of the source)"),
    ] {
        assert_eq!(written(type_oid, type_modifier), expected);
    }
}

/// Source: `INTERVAL_MASK` and `intervaltypmodout` of the server.
#[test]
fn an_interval_is_written_with_its_fields() {
    for (fields, expected) in [
        (0x4, "YEAR"),
        (0x2, "MONTH"),
        (0x8, "DAY"),
        (0x400, "HOUR"),
        (0x800, "MINUTE"),
        (0x1000, "SECOND"),
        (0x6, "YEAR TO MONTH"),
        (0x408, "DAY TO HOUR"),
        (0xc08, "DAY TO MINUTE"),
        (0x1c08, "DAY TO SECOND"),
        (0xc00, "HOUR TO MINUTE"),
        (0x1c00, "HOUR TO SECOND"),
        (0x1800, "MINUTE TO SECOND"),
    ] {
        assert_eq!(written(1186, fields << 16 | 0xffff), format!("interval {expected}"));
        assert_eq!(written(1186, fields << 16 | 2), format!("interval {expected}(2)"));
    }
}

#[test]
fn columns_that_are_there_are_missed_by_nobody() {
    let relation = relation(ReplicaIdentity::Default, vec![column("a", 23, true), column("b", 25, false)]);
    assert!(missing_columns(&relation, &Types::new(), &table(&relation, &[]), None).is_none());
}

/// An own column of the target is no old name of one that the source has moved, or is of another type.
#[test]
fn a_rename_is_one_of_the_same_type_in_the_same_place() {
    let source = relation(ReplicaIdentity::Default, vec![column("a", 23, true), column("b", 25, false)]);
    for (on_target, expected) in [
        (vec![("a", 23), ("x", 25)], r#"ALTER TABLE "public"."t" RENAME COLUMN "x" TO "b""#),
        (vec![("a", 23), ("x", 23)], r#"ALTER TABLE "public"."t" ADD COLUMN "b" "text""#),
        (vec![("x", 25), ("a", 23)], r#"ALTER TABLE "public"."t" ADD COLUMN "b" "text""#),
        (vec![("a", 23)], r#"ALTER TABLE "public"."t" ADD COLUMN "b" "text""#),
    ] {
        let columns = on_target.iter().map(|(name, oid)| column(name, *oid, false)).collect();
        let table = table(&relation(ReplicaIdentity::Default, columns), &[]);
        let error = missing_columns(&source, &Types::new(), &table, None).unwrap();
        assert_eq!(error.statement(), Some(expected));
    }
}

const MOOD: u32 = 16_500;

fn mood(labels: &[&str]) -> Types {
    let mut types = Types::new();
    let labels = labels.iter().map(|label| (*label).to_owned()).collect();
    let (oid, kind) = (Oid::new(MOOD), TypeKind::Enum { labels });
    types.insert(Type { oid, schema: "public".into(), name: "mood".into(), kind });
    types
}

/// A table of these columns of the source, as they are on the target.
fn beside(columns: Vec<(Column, TableColumn)>) -> Plan {
    let (source, on_target): (Vec<Column>, _) = columns.into_iter().unzip();
    let relation = relation(ReplicaIdentity::Default, source);
    let table = Table { columns: on_target, ..table(&relation, &[]) };
    Plan::new(&relation, &Types::new(), table, None).unwrap()
}

#[test]
fn a_column_is_to_become_what_it_is_on_the_source() {
    let of = |name: &str, type_oid, type_modifier| Column { type_modifier, ..column(name, type_oid, false) };
    let is = |column: &Column| target(column);
    let generated = |column: &Column| TableColumn { is_generated: true, ..target(column) };
    let plan = beside(vec![
        (of("same", 1700, 524_294), is(&of("same", 1700, 524_294))),
        (of("wider", 1043, 24), is(&of("wider", 1043, 9))),
        (of("other", 1700, 524_294), is(&of("other", 23, -1))),
        (of("its own", 20, -1), generated(&of("its own", 23, -1))),
        (of("unknown", MOOD + 1, -1), is(&of("unknown", 23, -1))),
    ]);
    let expected = r#"ALTER TABLE "public"."t" ALTER COLUMN "wider" TYPE varchar(20), ALTER COLUMN "other" TYPE numeric(8,2) USING "other"::"numeric""#;
    assert_eq!(other_types(&plan, &Types::new()).as_deref(), Some(expected));
    let same = beside(vec![(of("a", 23, -1), is(&of("a", 23, -1)))]);
    assert_eq!(other_types(&same, &Types::new()), None);
}

#[test]
fn a_label_is_to_be_added_in_its_place() {
    let add = |name: &str, on_target: &[&str]| {
        let source = column("m", MOOD, false);
        let type_name = quoted("public", name);
        let labels = on_target.iter().map(|label| (*label).to_owned()).collect();
        let column = TableColumn { type_name, labels, is_enum: true, ..target(&source) };
        other_labels(&beside(vec![(source, column)]), &mood(&["a", "it's", "c"]))
    };
    let added = |statements: &[&str]| {
        let statements = statements.iter().map(|to| format!(r#"ALTER TYPE "public"."mood" ADD VALUE {to}"#));
        Some(statements.collect::<Vec<_>>().join("; "))
    };
    assert_eq!(add("mood", &["it's"]), added(&["'a' BEFORE 'it''s'", "'c' AFTER 'it''s'"]));
    assert_eq!(add("mood", &[]), added(&["'a'", "'it''s' AFTER 'a'", "'c' AFTER 'it''s'"]));
    assert_eq!(add("mood", &["a", "it's", "c", "of its own"]), None);
    assert_eq!(add("other", &[]), None, "another type");
}

/// What the statement is for a table of a text, an enum and an int4 that is an int2 on the target.
fn statement_for(sqlstate: &str, column_of: Option<&str>, labels: &[&str]) -> Option<String> {
    let source = [column("a", 25, true), column("m", MOOD, false), column("n", 23, false)];
    let type_name = quoted("public", "mood");
    let enumerated = TableColumn { type_name, is_enum: true, ..target(&source[1]) };
    let on_target = [target(&source[0]), enumerated, target(&column("n", 21, false))];
    let plan = beside(source.into_iter().zip(on_target).collect());
    let refusal = Refusal {
        sqlstate: sqlstate.to_owned(),
        message: None,
        constraint: None,
        column: column_of.map(str::to_owned),
        data_type: None,
    };
    let tuple = crate::pgoutput::Tuple::from_datums([crate::pgoutput::Datum::Null; 3]);
    let row = Row::with_types(Arc::clone(&plan.relation), Arc::new(mood(labels)), tuple).unwrap();
    let error = explained(ApplyError::new(ApplyErrorKind::Refused(refusal)), &plan, &row);
    error.statement().map(str::to_owned)
}

#[test]
fn a_refusal_is_explained_by_what_is_other_on_the_target() {
    let not_null = r#"ALTER TABLE "public"."t" ALTER COLUMN "own" DROP NOT NULL"#;
    assert_eq!(statement_for("23502", Some("own"), &[]).as_deref(), Some(not_null));
    assert_eq!(statement_for("23502", Some("a"), &[]), None, "the source has sent a NULL");
    assert_eq!(statement_for("23502", None, &[]), None);
    let label = r#"ALTER TYPE "public"."mood" ADD VALUE 'x'"#;
    assert_eq!(statement_for("22P02", None, &["x"]).as_deref(), Some(label));
    let of_type = r#"ALTER TABLE "public"."t" ALTER COLUMN "n" TYPE "int4" USING "n"::"int4""#;
    assert_eq!(statement_for("22003", None, &[]).as_deref(), Some(of_type));
    assert_eq!(statement_for("23505", None, &["x"]), None);
}

#[test]
fn a_table_that_is_not_there_is_to_be_named_anew_if_it_was_there() {
    let named = |schema: &str, name: &str| {
        let of = relation(ReplicaIdentity::Default, Vec::new());
        Arc::new(Relation { schema: schema.to_owned(), name: name.to_owned(), ..of.as_ref().clone() })
    };
    let now = named("s", "t");
    for (before, expected) in [
        (None, None),
        (Some(named("s", "t")), None),
        (Some(named("s", "u")), Some(r#"ALTER TABLE "s"."u" RENAME TO "t""#)),
        (Some(named("r", "t")), Some(r#"ALTER TABLE "r"."t" SET SCHEMA "s""#)),
        (
            Some(named("r", "u")),
            Some(r#"ALTER TABLE "r"."u" SET SCHEMA "s"; ALTER TABLE "s"."u" RENAME TO "t""#),
        ),
    ] {
        assert_eq!(missing_table(&now, before.as_ref()).statement(), expected);
    }
}
