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

/// An old row that is sent by its key has NULL in place of the other values.
#[test]
fn a_value_is_assigned_unless_the_old_row_is_known_to_have_it() {
    let (one, two, x, null) = (Datum::Text(b"1"), Datum::Text(b"2"), Datum::Text(b"x"), Datum::Null);
    let (default, full) = (ReplicaIdentity::Default, ReplicaIdentity::Full);
    for (identity, old, new, set) in [
        (default, None, [one, null], &[1][..]),
        (default, Some([one, null]), [two, null], &[0, 1]),
        (full, Some([one, x]), [one, x], &[]),
        (full, Some([one, null]), [one, null], &[]),
        (full, Some([one, x]), [one, null], &[1]),
        (full, Some([one, null]), [two, x], &[0, 1]),
        (full, Some([one, x]), [one, Datum::Unchanged], &[]),
    ] {
        let is_full = identity == full;
        let relation = relation(identity, vec![column("id", INT4, true), column("b", TEXT, is_full)]);
        let plan = plan(&relation, table(&relation, &[&[0]]));
        let old = old.map(|old| row(&relation, &old));
        let old = old.map(|old| if is_full { OldRow::Full(old) } else { OldRow::Key(old) });
        assert_eq!(plan.assignments(old.as_ref(), &row(&relation, &new)).set, set, "{old:?} to {new:?}");
    }
}

#[test]
fn the_label_of_an_enum_goes_in_binary_to_the_enum_of_the_same_name() {
    let mut types = Types::new();
    let (oid, kind) = (Oid::new(16_500), TypeKind::Enum { labels: Vec::new() });
    types.insert(crate::value::Type { oid, schema: "public".into(), name: "mood".into(), kind });
    let takes = |is_enum, name: &str, reads_binary| {
        let target = target(&column("a", 16_600, false));
        let type_name = quoted("public", name);
        takes_binary(oid, &types, &TableColumn { type_name, is_enum, reads_binary, ..target })
    };
    assert!(takes(true, "mood", true));
    assert!(!takes(true, "other", true) && !takes(false, "mood", true) && !takes(true, "mood", false));
}

#[test]
fn a_row_without_a_key_is_found_by_all_that_is_not_the_targets_own() {
    let columns = vec![column("id", INT4, true), column("b", TEXT, true)];
    let relation = relation(ReplicaIdentity::Full, columns);
    let found_by = |keys: &[&[usize]], generated: Option<usize>| {
        let mut table = table(&relation, keys);
        if let Some(at) = generated {
            table.columns[at].is_generated = true;
        }
        let plan = plan(&relation, table);
        let found_by: Vec<usize> = plan.found_by().map(|(column, _)| column.index).collect();
        (found_by, plan.key_names())
    };
    assert_eq!(found_by(&[], None), (vec![0, 1], vec![]));
    assert_eq!(found_by(&[], Some(1)), (vec![0], vec![]));
    assert_eq!(found_by(&[&[1]], None), (vec![1], vec!["b".to_owned()]));
}

#[test]
fn changes_are_gathered_of_tables_that_hold_rows_and_set_nothing_off() {
    let gathers = |columns: Vec<Column>, of: fn(&mut Table)| {
        let relation = relation(ReplicaIdentity::Default, columns);
        let mut table = table(&relation, &[]);
        of(&mut table);
        plan(&relation, table).gathers
    };
    let id = || vec![column("id", INT4, true)];
    assert!(gathers(id(), |_| {}));
    assert!(!gathers(id(), |table| table.fires = true));
    assert!(!gathers(id(), |table| table.holds_rows = false), "a view");
    assert!(!gathers(vec![], |_| {}), "nothing tells its rows apart");
}
