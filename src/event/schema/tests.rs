use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::pgoutput::{Datum, ReplicaIdentity, Tuple};
use crate::{Oid, Row};

fn column(name: &str, type_oid: u32) -> Column {
    Column { name: name.into(), type_oid: Oid::new(type_oid), type_modifier: -1, is_key: false }
}

fn relation(name: &str, columns: Vec<Column>) -> Arc<Relation> {
    Arc::new(Relation {
        id: RelationId::new(1),
        schema: "public".into(),
        name: name.into(),
        replica_identity: ReplicaIdentity::Default,
        columns,
    })
}

/// A table of these columns, each a name and a type.
fn table(columns: &[(&str, u32)]) -> Arc<Relation> {
    relation("t", columns.iter().map(|(name, oid)| column(name, *oid)).collect())
}

fn told(before: &[(&str, u32)], after: &[(&str, u32)]) -> String {
    let change = RelationChange::between(&table(before), &table(after));
    change.map(|change| change.to_string()).unwrap_or_default()
}

#[test]
fn tells_what_an_alter_table_did() {
    let before = [("a", 23), ("b", 25), ("c", 25)];
    for (after, expected) in [
        (&[("a", 23), ("b", 25), ("c", 25)][..], ""),
        (&[("a", 23), ("b", 25), ("c", 25), ("d", 25)], "public.t: column d was added"),
        (&[("a", 23), ("c", 25)], "public.t: column b was dropped"),
        (&[("a", 23), ("x", 25), ("c", 25)], "public.t: column b was renamed to x, or replaced by it"),
        (&[("a", 20), ("b", 25), ("c", 25)], "public.t: the type of column a was changed"),
        (&[("a", 23), ("c", 25), ("b", 25)], "public.t: column b was dropped and added again"),
        // Dropped in the middle and added at the end: no rename, though the types are the same.
        (&[("a", 23), ("c", 25), ("d", 25)], "public.t: column b was dropped; column d was added"),
        // The last one, by another type.
        (&[("a", 23), ("b", 25), ("d", 23)], "public.t: column c was dropped; column d was added"),
    ] {
        assert_eq!(told(&before, after), expected);
    }
}

#[test]
fn tells_another_name_and_another_identity() {
    let before = table(&[("a", 23)]);
    let after = Relation {
        schema: "s".into(),
        name: "u".into(),
        replica_identity: ReplicaIdentity::Full,
        columns: vec![Column { is_key: true, ..column("a", 23) }],
        ..before.as_ref().clone()
    };
    let change = RelationChange::between(&before, &Arc::new(after)).unwrap();
    let expected = "public.t: the table is s.u now; the replica identity was changed; \
                    column a is part of the replica identity now";
    assert_eq!(change.to_string(), expected);
}

fn insert(relation: &Arc<Relation>) -> Change {
    let nulls = relation.columns.iter().map(|_| Datum::Null);
    Change::Insert { new: Row::new(Arc::clone(relation), Tuple::from_datums(nulls)).unwrap() }
}

#[test]
fn tells_each_difference_once_and_nothing_of_what_is_announced_again() {
    let (first, again) = (table(&[("a", 23)]), table(&[("a", 23)]));
    let (wider, narrower) = (table(&[("a", 23), ("b", 25)]), table(&[("a", 23)]));
    let mut watch = SchemaWatch::new();
    let shown = [first, again, Arc::clone(&wider), wider, narrower];
    let told: Vec<usize> = shown.iter().map(|relation| watch.see(&insert(relation)).len()).collect();
    assert_eq!(told, [0, 0, 1, 0, 1]);
}

#[test]
fn looks_at_each_table_of_a_truncate() {
    let other =
        |columns| Arc::new(Relation { id: RelationId::new(2), ..relation("u", columns).as_ref().clone() });
    let truncate = |relations| Change::Truncate { relations, cascade: false, restart_identity: false };
    let mut watch = SchemaWatch::new();
    assert!(watch.see(&truncate(vec![table(&[]), other(vec![])])).is_empty());
    let news = watch.see(&truncate(vec![table(&[("a", 23)]), other(vec![column("b", 25)])]));
    assert_eq!(news.iter().map(|change| change.after.name.as_str()).collect::<Vec<_>>(), ["t", "u"]);
}

impl ColumnChange {
    fn sides(&self) -> (Option<&Column>, Option<&Column>) {
        match self {
            Self::Added(column) => (None, Some(column)),
            Self::Dropped(column) => (Some(column), None),
            Self::RenamedOrReplaced { before, after }
            | Self::Readded { before, after }
            | Self::Retyped { before, after }
            | Self::KeyChanged { before, after } => (Some(before), Some(after)),
        }
    }
}

/// Takes each of these columns out once; all must be there.
fn without(columns: &[Column], gone: Vec<&Column>) -> Vec<Column> {
    let mut left = columns.to_vec();
    for column in gone {
        let at = left.iter().position(|candidate| candidate == column).expect("a change is of a column");
        left.remove(at);
    }
    left
}

fn any_columns() -> impl Strategy<Value = Vec<Column>> {
    // Few names and types, so that they meet; a hostile publisher may repeat a name.
    let column = (0..6_u8, 0..2_u32, any::<bool>())
        .prop_map(|(name, oid, is_key)| Column { is_key, ..column(&format!("c{name}"), oid) });
    vec(column, 0..7)
}

/// As in every table that there is.
fn distinct(mut columns: Vec<Column>) -> Vec<Column> {
    let mut names = std::collections::HashSet::new();
    columns.retain(|column| names.insert(column.name.clone()));
    columns
}

proptest! {
    #[test]
    fn columns_that_are_in_no_change_are_the_same_in_the_same_order(before in any_columns(), after in any_columns()) {
        let (old, new) = (relation("t", before.clone()), relation("t", after.clone()));
        let change = RelationChange::between(&old, &new);
        prop_assert_eq!(change.is_none(), before == after);
        let changes = change.map(|change| change.columns).unwrap_or_default();
        let gone = changes.iter().filter_map(|change| change.sides().0).collect();
        let come = changes.iter().filter_map(|change| change.sides().1).collect();
        let (mut kept, mut stayed) = (without(&before, gone), without(&after, come));
        if distinct(before.clone()) != before || distinct(after.clone()) != after {
            // Which of two equal columns is meant can't be told.
            for columns in [&mut kept, &mut stayed] {
                columns.sort_by_key(|column| (column.name.clone(), column.type_oid, column.is_key));
            }
        }
        prop_assert_eq!(kept, stayed);
    }

    #[test]
    fn a_change_is_what_its_name_says(before in any_columns(), after in any_columns()) {
        let (before, after) = (relation("t", distinct(before)), relation("t", distinct(after)));
        let has = |relation: &Relation, name: &str| relation.columns.iter().any(|column| column.name == name);
        let (old, new) = (Arc::clone(&before), Arc::clone(&after));
        for change in RelationChange::between(&before, &after).into_iter().flat_map(|change| change.columns) {
            match change {
                ColumnChange::RenamedOrReplaced { before, after } => {
                    prop_assert!(!has(&new, &before.name) && !has(&old, &after.name));
                    prop_assert_eq!(before.type_oid, after.type_oid);
                }
                ColumnChange::Retyped { before, after } => {
                    prop_assert!(before.name == after.name && before.type_oid != after.type_oid);
                }
                ColumnChange::KeyChanged { before, after } => {
                    prop_assert!(before.name == after.name && before.is_key != after.is_key);
                }
                ColumnChange::Readded { before, after } => prop_assert_eq!(before.name, after.name),
                ColumnChange::Added(column) => prop_assert!(!has(&old, &column.name)),
                ColumnChange::Dropped(column) => prop_assert!(!has(&new, &column.name)),
            }
        }
    }
}
