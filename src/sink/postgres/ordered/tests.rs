//! What the changes of a row take.

use tokio_postgres::types::{Format, ToSql as _, Type};

use super::*;
use crate::sink::postgres::tests::{INT4, TEXT, column, plan, relation, row, table};

const NUMERIC: u32 = 1700;

/// A table with this identity, and this unique key on the target.
fn planned(identity: ReplicaIdentity, keys: &[&[usize]]) -> Plan {
    let is_full = identity == ReplicaIdentity::Full;
    let columns = vec![column("id", INT4, true), column("n", NUMERIC, is_full), column("b", TEXT, is_full)];
    let relation = relation(identity, columns);
    plan(&relation, table(&relation, keys))
}

const ID: Datum<'_> = Datum::Binary(&[0, 0, 0, 7]);
/// The number 0, with a digit behind the point.
const NUMBER: Datum<'_> = Datum::Binary(&[0, 0, 0, 0, 0, 0, 0, 1]);

#[test]
fn a_row_is_told_by_what_the_source_sends_of_it_or_by_nothing() {
    let told = |plan: &Plan, old: Option<fn(Row) -> OldRow>| {
        let row = || row(&plan.relation, &[ID, NUMBER, Datum::Null]);
        let update = operations(plan, &Change::Update { old: old.map(|old| old(row())), new: row() });
        if let Some(old) = old {
            let delete = operations(plan, &Change::Delete { old: old(row()) });
            assert_eq!(delete.is_ok(), update.is_ok());
        }
        match update {
            Ok(operations) => assert_eq!(operations.len(), 1),
            Err(error) => {
                assert!(matches!(error.kind(), ApplyErrorKind::NoIdentity));
                return false;
            }
        }
        true
    };
    let (default, full) = (ReplicaIdentity::Default, ReplicaIdentity::Full);
    assert!(told(&planned(default, &[&[0]]), None) && told(&planned(default, &[]), Some(OldRow::Key)));
    assert!(
        told(&planned(full, &[]), Some(OldRow::Full)) && told(&planned(full, &[&[0]]), Some(OldRow::Full))
    );
    assert!(!told(&planned(full, &[&[0]]), None), "the old row belongs to the identity");
    assert!(!told(&planned(full, &[]), Some(OldRow::Key)), "a part of the row is not the row");
    let unflagged = relation(ReplicaIdentity::Nothing, vec![column("id", INT4, false); 3]);
    let unflagged = plan(&unflagged, table(&unflagged, &[]));
    assert!(!told(&unflagged, None) && !told(&unflagged, Some(OldRow::Full)));
}

#[test]
fn a_row_without_a_key_is_found_by_texts_where_equal_values_may_have_others() {
    let found_by = |plan: &Plan| {
        let row = row(&plan.relation, &[ID, NUMBER, Datum::Null]);
        let (nulls, parameters) = found_by(plan, &row).unwrap();
        let is_binary =
            parameters.iter().map(|given| matches!(given.encode_format(&Type::TEXT), Format::Binary));
        (nulls, is_binary.collect::<Vec<_>>())
    };
    assert_eq!(found_by(&planned(ReplicaIdentity::Full, &[])), (vec![false, false, true], vec![true, false]));
    assert_eq!(found_by(&planned(ReplicaIdentity::Full, &[&[1]])), (vec![false], vec![true]));
}

#[test]
fn an_identity_that_may_have_changed_is_replaced_behind_the_update_by_the_key_that_the_row_then_has() {
    let columns = vec![column("id", INT4, false), column("n", NUMERIC, false), column("b", TEXT, true)];
    let relation = relation(ReplicaIdentity::Default, columns);
    let mut table = table(&relation, &[&[2]]);
    table.columns[0].is_always = true;
    let plan = plan(&relation, table);
    let x = Datum::Text(b"x");
    let new = row(&relation, &[ID, NUMBER, Datum::Unchanged]);
    let old = Some(OldRow::Key(row(&relation, &[Datum::Null, Datum::Null, x])));
    let operations = operations(&plan, &Change::Update { old, new }).unwrap();
    let [update, replace] = operations.as_slice() else { panic!("{operations:?}") };
    assert_eq!(update.shape, Shape::Update { set: vec![1], nulls: vec![false] });
    assert_eq!((update.expected, update.parameters.len()), (Expected::Rows(1), 2));
    assert_eq!(replace.shape, Shape::Replace { new: vec![0, 1], if_other: vec![0], nulls: vec![false] });
    assert_eq!((replace.expected, replace.parameters.len()), (Expected::AtMostOne, 3));
}

#[test]
fn an_update_that_assigns_nothing_looks_for_its_row() {
    let plan = planned(ReplicaIdentity::Default, &[&[0]]);
    let new = row(&plan.relation, &[ID, Datum::Unchanged, Datum::Unchanged]);
    let operations = operations(&plan, &Change::Update { old: None, new }).unwrap();
    let [find] = operations.as_slice() else { panic!("{operations:?}") };
    assert_eq!((&find.shape, find.expected), (&Shape::Find { nulls: vec![false] }, Expected::Rows(1)));
}

#[test]
fn only_the_tables_that_the_source_names_are_truncated() {
    let tables = ["a".to_owned(), "ONLY b".to_owned()];
    assert_eq!(truncate(&tables, false), "TRUNCATE a, ONLY b");
    assert_eq!(truncate(&tables, true), "TRUNCATE a, ONLY b RESTART IDENTITY");
}
