//! What every statement keeps to.

use std::collections::BTreeSet;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::pgoutput::ReplicaIdentity;
use crate::sink::postgres::encode::form;
use crate::sink::postgres::tests::{column, plan, relation, table};

/// The numbers of the parameters of a statement.
fn parameters(sql: &str) -> BTreeSet<usize> {
    let numbers =
        sql.split('$').skip(1).map(|rest| rest.chars().take_while(char::is_ascii_digit).collect::<String>());
    numbers.map(|digits| digits.parse().expect("a dollar stands before a number")).collect()
}

/// int4, text, numeric, json, regclass, "char": each way of comparing.
const TYPES: [u32; 6] = [23, 25, 1700, 114, 2205, 18];

/// A table of so many columns, whose key is of a kind: columns that are unique on the target, or not, or none.
fn any_plan() -> impl Strategy<Value = Plan> {
    (vec((proptest::sample::select(TYPES.as_slice()), any::<bool>()), 1..6), 0..3_u8).prop_map(
        |(columns, kind)| {
            let identity = if kind == 2 { ReplicaIdentity::Full } else { ReplicaIdentity::Default };
            let named = columns.iter().enumerate();
            let columns: Vec<_> = named
                .map(|(index, (oid, is_key))| column(&format!("c{index}"), *oid, *is_key || kind == 2))
                .collect();
            let key: Vec<usize> = (0..columns.len()).filter(|index| columns[*index].is_key).collect();
            let relation = relation(identity, columns);
            let keys: &[&[usize]] = if kind == 0 { &[&key] } else { &[] };
            plan(&relation, table(&relation, keys))
        },
    )
}

/// Takes some of the numbers below `count`.
fn some(count: usize, mask: u8) -> Vec<usize> {
    (0..count).filter(|index| mask >> index & 1 == 1).collect()
}

proptest! {
    #[test]
    fn parameters_are_numbered_from_one_without_a_gap(plan in any_plan(), mask in any::<u8>(), null_mask in any::<u8>()) {
        let set = some(plan.columns.len(), mask);
        let found_by = plan.found_by().count();
        let nulls: Vec<bool> = (0..found_by).map(|index| null_mask >> index & 1 == 1).collect();
        // A row that nothing identifies is never asked for.
        let is_found = !matches!(plan.key, Key::None);
        let by_key = if is_found { nulls.iter().filter(|is_null| !**is_null).count() } else { 0 };
        let mut shapes = vec![
            (Shape::Copy { binary: false }, 0),
            (Shape::Copy { binary: true }, 0),
            (Shape::Insert, plan.inserted().count()),
            (Shape::Delete { nulls: nulls.clone() }, by_key),
            (Shape::Find { nulls: nulls.clone() }, by_key),
            (Shape::Update { set: set.clone(), nulls: nulls.clone() }, set.len() + by_key),
            (Shape::Replace { new: set.clone(), if_other: some(plan.columns.len(), mask & null_mask), nulls }, set.len() + by_key),
        ];
        if let Key::Unique(key, _) = &plan.key {
            let forms = |columns: &[usize]| columns.iter().map(|index| form(&plan.columns[*index])).collect::<Vec<_>>();
            let all = [key.as_slice(), &set].concat();
            shapes.push((Shape::UpdateMany { set: set.clone(), forms: forms(&all) }, all.len()));
            shapes.push((Shape::DeleteMany { forms: forms(key) }, key.len()));
            shapes.push((Shape::CountMany { forms: forms(key) }, key.len()));
            shapes.extend([(Shape::Insert, plan.inserted().count()), (Shape::Delete { nulls: vec![false; key.len()] }, key.len())].map(
                |(change, parameters)| (Shape::Alone { change: Box::new(change), parameters }, parameters + 3),
            ));
        }
        for (shape, count) in shapes {
            let sql = plan.sql(&shape);
            prop_assert_eq!(parameters(&sql), (1..=count).collect::<BTreeSet<_>>(), "{:?}: {}", shape, sql);
        }
    }
}

#[test]
fn null_is_looked_for_as_null() {
    let relation = relation(ReplicaIdentity::Full, vec![column("a", 114, true), column("b", 25, true)]);
    let plan = plan(&relation, table(&relation, &[]));
    let sql = plan.sql(&Shape::Delete { nulls: vec![true, false] });
    assert!(
        sql.contains(r#""a" IS NOT DISTINCT FROM NULL"#) && sql.contains(r#""b" COLLATE "C" = $1"#),
        "{sql}"
    );
    assert!(sql.contains("LIMIT 1"), "one of several equal rows: {sql}");
}

/// Three integers; the first is the key, compared by an operator of somebody's own. The last is an identity, GENERATED ALWAYS.
fn own_operator() -> Plan {
    let columns = vec![column("a", 23, true), column("b", 23, false), column("c", 23, false)];
    let relation = relation(ReplicaIdentity::Default, columns);
    let mut table = table(&relation, &[&[0]]);
    table.keys[0].operators = vec!["OPERATOR(\"x\".=)".to_owned()];
    table.has_children = true;
    plan(&relation, table)
}

#[test]
fn many_rows_are_joined_by_the_operators_of_their_key() {
    let plan = own_operator();
    let source = "(SELECT pg_catalog.unnest($1::pg_catalog._int4) AS c0, pg_catalog.unnest($2::pg_catalog.text[]) AS c1) AS v";
    assert_eq!(
        plan.sql(&Shape::UpdateMany { set: vec![2], forms: vec![Form::Array, Form::Texts] }),
        format!(
            r#"UPDATE ONLY "public"."t" AS t SET "c" = v.c1::"pg_catalog"."int4" FROM {source} WHERE t."a" OPERATOR("x".=) v.c0"#
        )
    );
    let shape = Shape::DeleteMany { forms: vec![Form::Texts] };
    let expected = r#"DELETE FROM ONLY "public"."t" AS t USING (SELECT pg_catalog.unnest($1::pg_catalog.text[]) AS c0) AS v WHERE t."a" OPERATOR("x".=) v.c0::"pg_catalog"."int4""#;
    assert_eq!(plan.sql(&shape), expected);
}

#[test]
fn what_no_update_may_assign_to_is_replaced_and_the_rest_taken_over() {
    let plan = own_operator();
    let shape = Shape::Replace { new: vec![0, 2], if_other: vec![2], nulls: vec![false] };
    assert_eq!(
        plan.sql(&shape),
        r#"WITH old AS (DELETE FROM ONLY "public"."t" WHERE "a" OPERATOR("x".=) $3::"pg_catalog"."int4" AND "c" <> $2::"pg_catalog"."int4" RETURNING *) INSERT INTO "public"."t" ("a", "b", "c") OVERRIDING SYSTEM VALUE SELECT $1::"pg_catalog"."int4", old."b", $2::"pg_catalog"."int4" FROM old"#
    );
}
