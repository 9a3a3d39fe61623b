//! Types as they are written.

use super::*;
use crate::Oid;
use crate::pgoutput::ReplicaIdentity;
use crate::sink::postgres::tests::{column, relation, table};
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
