//! Which rows go together.

use std::sync::Arc;

use super::*;
use crate::pgoutput::{Relation, ReplicaIdentity};
use crate::sink::postgres::tests::{INT4, TEXT, column, plan, relation, row, table};

fn of(columns: usize) -> (Arc<Relation>, Plan) {
    let named = (0..columns).map(|at| column(&format!("c{at}"), if at == 0 { INT4 } else { TEXT }, at == 0));
    let relation = relation(ReplicaIdentity::Default, named.collect());
    let plan = plan(&relation, table(&relation, &[&[0]]));
    (relation, plan)
}

fn update<'r>(row: &'r Row, set: &[usize]) -> Updated<'r> {
    Updated { key: row, new: Cow::Borrowed(row), set: set.to_vec() }
}

#[test]
fn steps_are_few_while_each_row_is_changed_by_one_statement() {
    let (relation, _) = of(2);
    let row = row(&relation, &[Datum::Text(b"1"), Datum::Text(b"x")]);
    let rows = |deleted: usize, absent: usize, updated: &[&[usize]], inserted: usize| {
        let rows = Rows {
            deleted: vec![&row; deleted],
            absent: vec![&row; absent],
            updated: updated.iter().map(|set| update(&row, set)).collect(),
            inserted: vec![Cow::Borrowed(&row); inserted],
        };
        Step::Rows(3, rows)
    };
    for (steps, few, one) in [
        (vec![rows(2, 0, &[&[1][..]; 3], 3)], true, false),
        (vec![rows(2, 0, &[&[1][..]; 3], 4)], false, false),
        (vec![rows(4, 0, &[], 0), rows(0, 0, &[&[1][..]; 4], 0)], true, false),
        (vec![rows(4, 0, &[], 0), rows(0, 0, &[&[1][..]; 5], 0)], false, false),
        (vec![rows(1, 0, &[], 0)], true, true),
        (vec![rows(0, 0, &[&[1]], 0)], true, true),
        (vec![rows(0, 0, &[], 1)], true, true),
        (vec![rows(0, 1, &[], 0)], false, false),
        (vec![rows(0, 1, &[], 1)], false, false),
        (vec![rows(0, 0, &[&[]], 0)], false, false),
        (vec![rows(0, 0, &[&[1], &[]], 0)], false, false),
        (vec![Step::Change(0)], false, false),
        (vec![], true, false),
    ] {
        assert_eq!(
            (are_few(&steps), single(&steps).map(|(index, _)| index)),
            (few, one.then_some(3)),
            "{steps:?}"
        );
    }
}

#[test]
fn few_rows_are_changed_in_the_order_in_which_many_are() {
    let (relation, plan) = of(2);
    let row = row(&relation, &[Datum::Text(b"1"), Datum::Text(b"x")]);
    let mut rows = Rows { deleted: vec![&row], inserted: vec![Cow::Borrowed(&row)], ..Rows::default() };
    rows.updated.push(update(&row, &[1]));
    let changes = row_by_row(&plan, &rows).unwrap();
    let changes: Vec<(&Shape, usize)> =
        changes.iter().map(|(shape, parameters)| (shape, parameters.len())).collect();
    let nulls = vec![false];
    let (delete, update) = (Shape::Delete { nulls: nulls.clone() }, Shape::Update { set: vec![1], nulls });
    assert_eq!(changes, [(&delete, 1), (&update, 2), (&Shape::Insert, 2)]);
}

/// Columns to assign, and the numbers of the updates that assign to them.
fn grouped(sets: &[(&[usize], &[usize])]) -> Vec<(Vec<usize>, Vec<usize>)> {
    let (relation, _) = of(6);
    let rows: Vec<Row> = (sets.iter().enumerate())
        .map(|(number, (_, unsent))| {
            let id = number.to_string();
            let sent = |at| if unsent.contains(&at) { Datum::Unchanged } else { Datum::Text(id.as_bytes()) };
            row(&relation, &(0..6).map(sent).collect::<Vec<_>>())
        })
        .collect();
    let updated: Vec<Updated<'_>> = rows.iter().zip(sets).map(|(row, (set, _))| update(row, set)).collect();
    let number = |of: &&Updated<'_>| updated.iter().position(|updated| std::ptr::eq(updated, *of)).unwrap();
    let groups = by_columns(&updated).into_iter();
    groups.map(|(set, updated)| (set, updated.iter().map(number).collect())).collect()
}

#[test]
fn updates_go_together_that_assign_to_the_same_columns() {
    assert_eq!(
        grouped(&[(&[1], &[]), (&[2], &[]), (&[1], &[]), (&[1, 2], &[]), (&[], &[])]),
        [(vec![1], vec![0, 2]), (vec![2], vec![1]), (vec![1, 2], vec![3]), (vec![], vec![4])]
    );
}

#[test]
fn updates_of_too_many_sets_go_together_where_all_values_were_sent() {
    let none = &[][..];
    assert_eq!(
        grouped(&[(&[1], none), (&[2], &[1]), (&[3], none), (&[4], none), (&[1, 4], &[2])]),
        [(vec![2], vec![1]), (vec![1, 4], vec![4]), (vec![1, 2, 3, 4], vec![0, 2, 3])],
        "five sets"
    );
    let unsent: [(&[usize], &[usize]); 5] =
        [(&[1], &[2]), (&[2], &[1]), (&[3], &[1]), (&[4], &[1]), (&[5], &[1])];
    assert_eq!(grouped(&unsent).len(), 5, "none was sent whole");
}

#[test]
fn many_new_rows_are_copied_and_wide_ones_go_in_arrays() {
    let (relation, _) = of(2);
    let of_rows = |rows: usize, bytes: usize| {
        // Of two values, with a kind and a length each.
        let text = "x".repeat(bytes - 11);
        let row = row(&relation, &[Datum::Text(b"1"), Datum::Text(text.as_bytes())]);
        assert_eq!(row.tuple().byte_len(), bytes);
        way(&vec![Cow::Borrowed(&row); rows])
    };
    assert_eq!([of_rows(COPY - 1, WIDE), of_rows(1, 20)], [Way::OneByOne; 2]);
    assert_eq!([of_rows(COPY, WIDE - 1), of_rows(2 * COPY, 20)], [Way::Copy; 2]);
    assert_eq!([of_rows(COPY, WIDE), of_rows(2 * COPY, 2 * WIDE)], [Way::Arrays; 2]);
}

#[test]
fn a_statement_takes_so_many_rows_or_so_many_bytes() {
    let (relation, plan) = of(2);
    let filled = |text: &str| {
        let row = row(&relation, &[Datum::Text(b"1"), Datum::Text(text.as_bytes())]);
        let mut arrays = Arrays::of(plan.columns.iter());
        fill(&mut arrays, 1, std::iter::repeat_n((&row, &row), 1500)).unwrap()
    };
    assert_eq!(filled("x"), ROWS);
    assert_eq!(filled(&"x".repeat(BYTES / 3)), 3);
    assert_eq!(filled(&"x".repeat(2 * BYTES)), 1, "one at least");
}
