//! Which row is meant, and which columns.

use super::*;
use crate::sink::postgres::tests::{INT4, TEXT, column, plan, relation, row, table, target};

fn key_of(identity: ReplicaIdentity, is_key: [bool; 3], keys: &[&[usize]], nullable: &[usize]) -> Key {
    let columns =
        ["a", "b", "c"].iter().zip(is_key).map(|(name, is_key)| column(name, INT4, is_key)).collect();
    let relation = relation(identity, columns);
    let mut table = table(&relation, keys);
    for index in nullable {
        table.columns[*index].is_not_null = false;
    }
    Key::of(&relation, &table)
}

#[test]
fn a_row_is_found_by_the_first_unique_key_of_which_all_columns_are_sent() {
    let Key::Unique(columns, _) =
        key_of(ReplicaIdentity::Default, [false, true, true], &[&[0], &[1, 2]], &[])
    else {
        panic!("a unique key is sent whole");
    };
    assert_eq!(columns, [1, 2]);
}

#[test]
fn the_sources_key_alone_is_no_unique_one() {
    for (identity, is_key, keys) in [
        (ReplicaIdentity::Default, [true, false, false], &[][..]),
        (ReplicaIdentity::Index, [true, false, false], &[&[0, 1][..]]),
    ] {
        assert!(matches!(key_of(identity, is_key, keys, &[]), Key::Columns(columns) if columns == [0]));
    }
    assert!(matches!(key_of(ReplicaIdentity::Nothing, [false; 3], &[&[0]], &[]), Key::None));
    assert!(matches!(key_of(ReplicaIdentity::Default, [false; 3], &[&[0]], &[]), Key::None));
}

#[test]
fn under_full_identity_a_unique_key_serves_that_has_no_nulls() {
    let key = key_of(ReplicaIdentity::Full, [true; 3], &[&[0], &[1]], &[0]);
    assert!(matches!(key, Key::Unique(columns, _) if columns == [1]));
    assert!(matches!(key_of(ReplicaIdentity::Full, [true; 3], &[&[0]], &[0]), Key::Row));
}

fn assignments(target: impl Fn(&mut TableColumn), new: [Datum<'_>; 2]) -> Assignments {
    let relation =
        relation(ReplicaIdentity::Default, vec![column("id", INT4, true), column("b", TEXT, false)]);
    let mut table = table(&relation, &[&[0]]);
    target(&mut table.columns[1]);
    let new = row(&relation, &new);
    plan(&relation, table).assignments(None, &new)
}

#[test]
fn what_was_not_sent_again_is_not_assigned() {
    let id = Datum::Text(b"1");
    assert_eq!(assignments(|_| {}, [id, Datum::Null]).set, [1]);
    assert!(assignments(|_| {}, [id, Datum::Unchanged]).set.is_empty());
    assert!(assignments(|column| column.is_generated = true, [id, Datum::Null]).set.is_empty());
}

#[test]
fn an_identity_that_is_always_generated_is_replaced_where_it_may_be_another() {
    let found = assignments(|column| column.is_always = true, [Datum::Text(b"1"), Datum::Text(b"7")]);
    assert_eq!((found.set, found.replaces, found.replaces_if_other), (vec![], false, vec![1]));
}

#[test]
fn a_key_that_changes_is_told() {
    let relation =
        relation(ReplicaIdentity::Default, vec![column("id", INT4, true), column("b", TEXT, false)]);
    let plan = plan(&relation, table(&relation, &[&[0]]));
    let old = OldRow::Key(row(&relation, &[Datum::Text(b"1"), Datum::Null]));
    for (id, changes) in [(b"1", false), (b"2", true)] {
        let new = row(&relation, &[Datum::Text(id), Datum::Null]);
        assert_eq!(plan.assignments(Some(&old), &new).key_changes, changes);
    }
}

#[test]
fn binary_values_go_to_the_same_built_in_type_alone() {
    let types = Types::new();
    let takes = |source: u32, on_target: u32| {
        takes_binary(Oid::new(source), &types, &target(&column("a", on_target, false)))
    };
    assert!(takes(INT4, INT4) && takes(1007, 1007));
    assert!(!takes(INT4, 20), "int8");
    assert!(!takes(3615, 3615), "no server reads an empty tsquery");
    assert!(!takes(2205, 2205), "a regclass is a number of the source's own");
    assert!(!takes(16_500, 16_500), "the same number is another type there");
}
