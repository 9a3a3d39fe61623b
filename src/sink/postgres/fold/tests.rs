//! What is gathered comes to what the changes come to one by one.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::pgoutput::{Relation, ReplicaIdentity};
use crate::sink::postgres::tests::{INT4, TEXT, column, plan, relation, row, table};

/// The rows of the table: two values by a key.
type Rows = BTreeMap<Vec<u8>, [Option<Vec<u8>>; 2]>;

/// What a transaction does, whatever the table holds: what can't be done is left out.
#[derive(Debug, Clone)]
#[expect(clippy::option_option, reason = "not sent, NULL, or a value")]
enum Act {
    Insert(u8, [Option<u8>; 2]),
    /// None leaves a value alone, as one that is stored out of line.
    Update(u8, [Option<Option<u8>>; 2]),
    Move(u8, u8),
    Delete(u8),
}

fn act() -> impl Strategy<Value = Act> {
    let (id, value) = (0..5_u8, || proptest::option::of(0..3_u8));
    prop_oneof![
        3 => (id.clone(), [value(), value()]).prop_map(|(id, values)| Act::Insert(id, values)),
        4 => (id.clone(), [proptest::option::of(value()), proptest::option::of(value())])
            .prop_map(|(id, values)| Act::Update(id, values)),
        1 => (id.clone(), id.clone()).prop_map(|(from, to)| Act::Move(from, to)),
        3 => id.prop_map(Act::Delete),
    ]
}

fn text(value: u8) -> Vec<u8> {
    value.to_string().into_bytes()
}

fn datum(value: Option<&Vec<u8>>) -> Datum<'_> {
    value.map_or(Datum::Null, |value| Datum::Text(value))
}

struct Source {
    relation: Arc<Relation>,
    rows: Rows,
    changes: Vec<Change>,
}

impl Source {
    fn row(&self, key: &[u8], values: [Datum<'_>; 2]) -> Row {
        row(&self.relation, &[Datum::Text(key), values[0], values[1]])
    }

    fn is_full(&self) -> bool {
        self.relation.replica_identity == ReplicaIdentity::Full
    }

    /// The old row as it is sent.
    fn old(&self, key: &[u8]) -> OldRow {
        if self.is_full() {
            let values = &self.rows[key];
            OldRow::Full(self.row(key, [datum(values[0].as_ref()), datum(values[1].as_ref())]))
        } else {
            OldRow::Key(self.row(key, [Datum::Null, Datum::Null]))
        }
    }

    fn run(&mut self, act: &Act) {
        match act {
            Act::Insert(id, values) => {
                let (key, values) = (text(*id), values.map(|value| value.map(text)));
                if self.rows.contains_key(&key) {
                    return;
                }
                let new = self.row(&key, [datum(values[0].as_ref()), datum(values[1].as_ref())]);
                self.changes.push(Change::Insert { new });
                self.rows.insert(key, values);
            }
            Act::Update(id, values) => {
                let key = text(*id);
                let Some(before) = self.rows.get(&key).cloned() else { return };
                let given = values.map(|value| value.map(|value| value.map(text)));
                let sent = |at: usize| match &given[at] {
                    Some(value) => datum(value.as_ref()),
                    // Out of line is only what is there.
                    None if before[at].is_some() => Datum::Unchanged,
                    None => Datum::Null,
                };
                let new = self.row(&key, [sent(0), sent(1)]);
                let old = self.is_full().then(|| self.old(&key));
                self.changes.push(Change::Update { old, new });
                let [one, other] = before;
                let [first, second] = given;
                self.rows.insert(key, [first.unwrap_or(one), second.unwrap_or(other)]);
            }
            Act::Move(from, to) => {
                let (from, to) = (text(*from), text(*to));
                if self.rows.contains_key(&to) || !self.rows.contains_key(&from) {
                    return;
                }
                let old = Some(self.old(&from));
                let values = self.rows[&from].clone();
                let new = self.row(&to, [datum(values[0].as_ref()), datum(values[1].as_ref())]);
                self.changes.push(Change::Update { old, new });
                self.rows.remove(&from);
                self.rows.insert(to, values);
            }
            Act::Delete(id) => {
                let key = text(*id);
                if self.rows.contains_key(&key) {
                    self.changes.push(Change::Delete { old: self.old(&key) });
                    self.rows.remove(&key);
                }
            }
        }
    }
}

fn key(row: &Row) -> Vec<u8> {
    match row.tuple().get(0) {
        Some(Datum::Text(key)) => key.to_vec(),
        other => panic!("no key: {other:?}"),
    }
}

fn value(row: &Row, column: usize) -> Option<Vec<u8>> {
    match row.tuple().get(column) {
        Some(Datum::Text(value)) => Some(value.to_vec()),
        Some(Datum::Null) => None,
        other => panic!("column {column} was not sent: {other:?}"),
    }
}

/// Does what the target does; each row must be found where it is looked for.
fn apply(rows: &mut Rows, step: &Step<'_>, changes: &[Change]) {
    match step {
        Step::Rows(_, gathered) => {
            for gone in &gathered.deleted {
                assert!(rows.remove(&key(gone)).is_some(), "there is a row to delete");
            }
            for absent in &gathered.absent {
                assert!(!rows.contains_key(&key(absent)), "a row that came and went is not there");
            }
            for update in &gathered.updated {
                let found = rows.get_mut(&key(update.key)).expect("there is a row to update");
                for column in &update.set {
                    found[*column - 1] = value(&update.new, *column);
                }
            }
            for new in &gathered.inserted {
                let values = [value(new, 1), value(new, 2)];
                assert!(rows.insert(key(new), values).is_none(), "a new row has a place");
            }
        }
        Step::Change(number) => match &changes[*number] {
            Change::Insert { new } => {
                assert!(rows.insert(key(new), [value(new, 1), value(new, 2)]).is_none());
            }
            Change::Update { old, new } => {
                let before = old.as_ref().map_or(new, OldRow::row);
                let mut values = rows.remove(&key(before)).expect("there is a row to update");
                for column in [1, 2] {
                    if new.tuple().get(column) != Some(Datum::Unchanged) {
                        values[column - 1] = value(new, column);
                    }
                }
                assert!(rows.insert(key(new), values).is_none());
            }
            Change::Delete { old } => assert!(rows.remove(&key(old.row())).is_some()),
            other => panic!("not made here: {other:?}"),
        },
    }
}

fn any_rows() -> impl Strategy<Value = Rows> {
    proptest::collection::btree_map(
        (0..5_u8).prop_map(text),
        [0..3_u8, 0..3].prop_map(|values| values.map(|value| Some(text(value)))),
        0..5,
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn gathered_changes_come_to_what_they_come_to_one_by_one(
        before in any_rows(),
        acts in vec(act(), 0..25),
        is_full in any::<bool>(),
    ) {
        let identity = if is_full { ReplicaIdentity::Full } else { ReplicaIdentity::Default };
        let columns = vec![column("id", INT4, true), column("a", TEXT, is_full), column("b", TEXT, is_full)];
        let relation = relation(identity, columns);
        let plan = plan(&relation, table(&relation, &[&[0]]));
        let mut source = Source { relation, rows: before.clone(), changes: Vec::new() };
        for act in &acts {
            source.run(act);
        }
        let mut fold = Fold::new();
        for (number, change) in source.changes.iter().enumerate() {
            fold.push(number, change, Some((0, &plan)));
        }
        let mut target = before;
        for step in fold.finish() {
            apply(&mut target, &step, &source.changes);
        }
        prop_assert_eq!(target, source.rows);
    }
}

/// Otherwise the property above holds of a fold that gathers nothing.
#[test]
fn changes_of_a_row_become_one() {
    let relation =
        relation(ReplicaIdentity::Default, vec![column("id", INT4, true), column("a", TEXT, false)]);
    let plan = plan(&relation, table(&relation, &[&[0]]));
    let row = |id: &'static str, a| row(&relation, &[Datum::Text(id.as_bytes()), a]);
    let update = |id, a| Change::Update { old: None, new: row(id, a) };
    let changes = [
        update("1", Datum::Text(b"x")),
        update("1", Datum::Unchanged),
        Change::Insert { new: row("2", Datum::Null) },
        update("2", Datum::Text(b"null")),
        Change::Delete { old: OldRow::Key(row("3", Datum::Null)) },
        Change::Insert { new: row("3", Datum::Text(b"")) },
        Change::Insert { new: row("4", Datum::Null) },
        Change::Delete { old: OldRow::Key(row("4", Datum::Null)) },
    ];
    let mut fold = Fold::new();
    for (number, change) in changes.iter().enumerate() {
        fold.push(number, change, Some((0, &plan)));
    }
    let steps = fold.finish();
    let [Step::Rows(0, rows)] = steps.as_slice() else { panic!("{} steps", steps.len()) };
    let counts = [rows.deleted.len(), rows.absent.len(), rows.updated.len(), rows.inserted.len()];
    assert_eq!(counts, [1, 1, 1, 2]);
    assert_eq!(value(&rows.inserted[0], 1), Some(b"null".to_vec()), "the text, not NULL");
}

/// Which tables' rows are changed, in which order, when a row is inserted into each of these.
fn order_of(inserts: &[usize]) -> Vec<usize> {
    // Two partitions, and the table that they belong to; another that is partitioned; one that has nothing to do with them.
    let families = [Some((1, false)), Some((1, false)), Some((1, true)), Some((2, true)), None];
    let relation = relation(ReplicaIdentity::Default, vec![column("id", INT4, true)]);
    let plans = families.map(|family| {
        let table = table(&relation, &[&[0]]);
        let family = family.map(|(root, is_partitioned)| (Oid::new(root), is_partitioned));
        plan(&relation, crate::sink::postgres::table::Table { family, ..table })
    });
    let new = |number: usize| row(&relation, &[Datum::Text(number.to_string().as_bytes())]);
    let changes: Vec<Change> = (0..inserts.len()).map(|number| Change::Insert { new: new(number) }).collect();
    let mut fold = Fold::new();
    for (number, index) in inserts.iter().enumerate() {
        fold.push(number, &changes[number], Some((*index, &plans[*index])));
    }
    let table_of = |step: &Step<'_>| match step {
        Step::Rows(index, _) => *index,
        Step::Change(number) => panic!("change {number} stands by itself"),
    };
    fold.finish().iter().map(table_of).collect()
}

#[test]
fn a_partition_is_kept_apart_from_the_table_that_it_belongs_to_and_from_no_other() {
    for (inserts, expected) in [
        (&[2, 0][..], &[2, 0][..]),
        (&[1, 2, 1], &[1, 2, 1]),
        (&[3, 0, 2], &[0, 3, 2]),
        (&[0, 1, 0], &[0, 1]),
        (&[2, 3, 2], &[2, 3]),
        (&[2, 4, 2], &[2, 4]),
        (&[2, 2], &[2]),
    ] {
        assert_eq!(order_of(inserts), expected, "{inserts:?}");
    }
}

#[test]
fn an_update_that_is_no_single_one_on_the_target_stands_by_itself() {
    let columns = || vec![column("id", INT4, true), column("a", INT4, false)];
    let (default, full) = (ReplicaIdentity::Default, ReplicaIdentity::Full);
    let values = |a: &'static [u8]| [Datum::Text(b"1"), Datum::Text(a)];
    // Whether no UPDATE may assign to the column; the old row that was sent; and whether it stands by itself.
    for (identity, is_always, old, expected) in [
        (default, false, None, false),
        (full, false, None, true),
        (full, false, Some(b"7"), false),
        (full, true, Some(b"7"), true),
        (full, true, Some(b"8"), false),
        (default, true, None, true),
    ] {
        let relation = relation(identity, columns());
        let mut table = table(&relation, &[&[0]]);
        table.columns[1].is_always = is_always;
        let plan = plan(&relation, table);
        let old = old.map(|a| OldRow::Full(row(&relation, &values(a))));
        let change = Change::Update { old, new: row(&relation, &values(b"8")) };
        let mut fold = Fold::new();
        fold.push(0, &change, Some((0, &plan)));
        let steps = fold.finish();
        assert_eq!(matches!(steps[..], [Step::Change(0)]), expected, "{change:?}");
    }
}

#[test]
fn what_was_not_sent_again_is_taken_from_the_row_before() {
    let relation =
        relation(ReplicaIdentity::Default, vec![column("id", INT4, true), column("a", TEXT, false)]);
    let row = |datums: [Datum<'_>; 2]| row(&relation, &datums);
    let (one, x) = (Datum::Text(b"1"), Datum::Text(b"x"));
    let before = row([one, x]);
    for (new, expected) in [
        ([Datum::Unchanged, Datum::Unchanged], [one, x]),
        ([one, Datum::Unchanged], [one, x]),
        ([Datum::Unchanged, Datum::Null], [one, Datum::Null]),
    ] {
        assert_eq!(*over(&before, &row(new)).unwrap(), row(expected));
    }
    let whole = row([one, Datum::Null]);
    assert!(
        matches!(over(&before, &whole), Some(Cow::Borrowed(same)) if std::ptr::eq(same, &raw const whole))
    );
}

#[test]
fn two_keys_of_one_hash_are_not_taken_for_one() {
    let relation = relation(ReplicaIdentity::Default, vec![column("id", INT4, true)]);
    let plan = plan(&relation, table(&relation, &[&[0]]));
    let (hashes, [one, other]) =
        (RandomState::new(), [b"1", b"2"].map(|id| row(&relation, &[Datum::Text(id)])));
    let of_one_hash =
        |hash| Pending { rows: vec![Net::Deleted(&one)], by_key: Some([(hash, 0)].into_iter().collect()) };
    let hash = |row: &Row| hash(row, &plan, &hashes).unwrap();
    assert_eq!(of_one_hash(hash(&one)).find(&one, &plan, &hashes), Some(Some(0)));
    assert_eq!(of_one_hash(hash(&other)).find(&other, &plan, &hashes), None);
}

#[test]
fn a_hash_is_not_hashed_again() {
    let hash = 0x0123_4567_89ab_cdef_u64;
    assert_eq!(BuildHasherDefault::<Hashed>::default().hash_one(hash), hash);
}
