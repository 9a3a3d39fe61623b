//! What a run of changes comes to, row by row: so that many rows go into one statement.
//!
//! Readers of the target see the state at the end of a transaction alone. So the changes of a row may be taken together, and
//! those of different rows in another order, if what they come to is the same, each row is looked for as it would have
//! been, and nothing in between can be noticed:
//!
//! * Rows are told apart by the text of a unique key of the target; a change that moves a row to another key, or has a NULL
//!   in it, isn't taken together with others.
//! * For each table, first what goes is deleted, then what stays is updated, then what is new is inserted. The numbers of rows
//!   that were found have to be the numbers of keys.
//! * What sets off triggers or rules, and everything that is no change of a row, stands by itself: all that came before
//!   is applied before it.
//!
//! An order that a constraint of the target doesn't stand makes the target object, never a wrong row: then the changes
//! are applied one by one.

use std::borrow::Cow;
use std::collections::HashMap;
use std::hash::{BuildHasher, BuildHasherDefault, Hasher, RandomState};

use super::plan::{Assignments, Key, Plan};
use crate::event::{Change, OldRow};
use crate::pgoutput::{Datum, ReplicaIdentity, Tuple};
use crate::{Oid, Row};

/// Which of the plans.
pub(super) type PlanIndex = usize;

/// What is to be done, in order.
#[derive(Debug)]
pub(super) enum Step<'a> {
    Rows(PlanIndex, Rows<'a>),
    /// The change of this number, by itself.
    Change(usize),
}

/// What the changes of one table come to.
#[derive(Debug, Default)]
pub(super) struct Rows<'a> {
    /// Rows by whose key one is to be deleted.
    pub(super) deleted: Vec<&'a Row>,
    /// Rows that have come and gone: there must be none.
    pub(super) absent: Vec<&'a Row>,
    pub(super) updated: Vec<Updated<'a>>,
    pub(super) inserted: Vec<Cow<'a, Row>>,
}

#[derive(Debug)]
pub(super) struct Updated<'a> {
    /// A row that has its key.
    pub(super) key: &'a Row,
    /// What it becomes.
    pub(super) new: Cow<'a, Row>,
    /// The columns to assign.
    pub(super) set: Vec<usize>,
}

/// What the changes of one row come to, up to now.
#[derive(Debug)]
enum Net<'a> {
    Inserted(Cow<'a, Row>),
    Updated(Updated<'a>),
    Deleted(&'a Row),
    /// Deleted, and inserted again.
    Replaced(&'a Row, Cow<'a, Row>),
    /// Inserted, and deleted again.
    Absent(&'a Row),
}

#[derive(Debug, Default)]
struct Pending<'a> {
    rows: Vec<Net<'a>>,
    /// Where the row with the key of this hash stands. Made when it is asked for first: most tables only grow.
    by_key: Option<HashMap<u64, usize, BuildHasherDefault<Hashed>>>,
}

/// Takes changes in, and gives steps.
#[derive(Debug)]
pub(super) struct Fold<'a> {
    hashes: RandomState,
    /// By the index of the plan.
    pending: Vec<Option<Pending<'a>>>,
    /// The families of those that are partitioned or partitions.
    families: Vec<(PlanIndex, (Oid, bool))>,
    steps: Vec<Step<'a>>,
}

impl<'a> Fold<'a> {
    pub(super) fn new() -> Self {
        Self { hashes: RandomState::new(), pending: Vec::new(), families: Vec::new(), steps: Vec::new() }
    }

    /// Takes in the change of this number; `plan` is that of its table, if it is one of a row.
    pub(super) fn push(&mut self, number: usize, change: &'a Change, plan: Option<(PlanIndex, &Plan)>) {
        let gathered = plan.filter(|(_, plan)| plan.gathers).and_then(|(index, plan)| {
            self.keep_apart(index, plan);
            if self.pending.len() <= index {
                self.pending.resize_with(index + 1, || None);
            }
            let pending = self.pending.get_mut(index)?.get_or_insert_default();
            pending.take(change, plan, &self.hashes)
        });
        if gathered.is_none() {
            self.settle();
            self.steps.push(Step::Change(number));
        }
    }

    pub(super) fn finish(mut self) -> Vec<Step<'a>> {
        self.settle();
        self.steps
    }

    /// A row of a partition can be named by the partition and by the table that is partitioned: then order counts.
    fn keep_apart(&mut self, index: PlanIndex, plan: &Plan) {
        let Some((root, is_partitioned)) = plan.family else { return };
        let same_rows = |(other, (its_root, its)): &(PlanIndex, (Oid, bool))| {
            *other != index && *its_root == root && (is_partitioned || *its)
        };
        if self.families.iter().any(same_rows) {
            self.settle();
        }
        if self.families.iter().all(|(other, _)| *other != index) {
            self.families.push((index, (root, is_partitioned)));
        }
    }

    /// What was taken together up to here comes before what follows.
    pub(super) fn settle(&mut self) {
        self.families.clear();
        for (index, pending) in self.pending.iter_mut().enumerate() {
            if let Some(pending) = pending.take().filter(|pending| !pending.rows.is_empty()) {
                self.steps.push(Step::Rows(index, pending.into_rows()));
            }
        }
    }
}

impl<'a> Pending<'a> {
    /// `None` if the change has to stand by itself.
    fn take(&mut self, change: &'a Change, plan: &Plan, hashes: &RandomState) -> Option<()> {
        match change {
            Change::Insert { new } | Change::Snapshot { row: new } => self.insert(new, plan, hashes),
            Change::Update { old, new } => self.update(old.as_ref(), new, plan, hashes),
            Change::Delete { old } => self.delete(old.row(), plan, hashes),
            Change::Truncate { .. } => None,
        }
    }

    fn insert(&mut self, new: &'a Row, plan: &Plan, hashes: &RandomState) -> Option<()> {
        if new.tuple().iter().any(|datum| datum == Datum::Unchanged) {
            return None;
        }
        if self.by_key.is_none() {
            self.rows.push(Net::Inserted(Cow::Borrowed(new)));
            return Some(());
        }
        let Some(at) = self.find(new, plan, hashes)? else {
            self.add(new, Net::Inserted(Cow::Borrowed(new)), plan, hashes);
            return Some(());
        };
        let net = self.rows.get_mut(at)?;
        *net = match net {
            Net::Deleted(key) => Net::Replaced(key, Cow::Borrowed(new)),
            Net::Absent(_) => Net::Inserted(Cow::Borrowed(new)),
            Net::Inserted(_) | Net::Updated(_) | Net::Replaced(..) => return None,
        };
        Some(())
    }

    fn update(
        &mut self,
        old: Option<&'a OldRow>,
        new: &'a Row,
        plan: &Plan,
        hashes: &RandomState,
    ) -> Option<()> {
        let Assignments { set, key_changes, replaces, replaces_if_other } = plan.assignments(old, new);
        // A partition that sends no old row where its root says that it does has another identity than the root.
        let lacks_old = old.is_none() && plan.relation.replica_identity == ReplicaIdentity::Full;
        if lacks_old || key_changes || replaces || !replaces_if_other.is_empty() {
            return None;
        }
        let key = old.map_or(new, OldRow::row);
        let Some(at) = self.find(key, plan, hashes)? else {
            let updated = Updated { key, new: Cow::Borrowed(new), set };
            self.add(key, Net::Updated(updated), plan, hashes);
            return Some(());
        };
        match self.rows.get_mut(at)? {
            Net::Inserted(row) | Net::Replaced(_, row) => *row = over(row, new)?,
            Net::Updated(updated) => {
                if updated.set == set {
                    updated.new = Cow::Borrowed(new);
                } else {
                    updated.new = over(&updated.new, new)?;
                    updated.set.extend(set);
                    updated.set.sort_unstable();
                    updated.set.dedup();
                }
            }
            Net::Deleted(_) | Net::Absent(_) => return None,
        }
        Some(())
    }

    fn delete(&mut self, old: &'a Row, plan: &Plan, hashes: &RandomState) -> Option<()> {
        let Some(at) = self.find(old, plan, hashes)? else {
            self.add(old, Net::Deleted(old), plan, hashes);
            return Some(());
        };
        let net = self.rows.get_mut(at)?;
        *net = match net {
            Net::Inserted(_) => Net::Absent(old),
            Net::Updated(Updated { key, .. }) | Net::Replaced(key, _) => Net::Deleted(key),
            Net::Deleted(_) | Net::Absent(_) => return None,
        };
        Some(())
    }

    /// Where the row of this key stands, if it is there. `None` if that can't be told.
    #[expect(clippy::option_option, reason = "the outer one is for the caller's `?`")]
    fn find(&mut self, key: &Row, plan: &Plan, hashes: &RandomState) -> Option<Option<usize>> {
        if self.by_key.is_none() {
            let mut by_key =
                HashMap::with_capacity_and_hasher(self.rows.len(), BuildHasherDefault::default());
            for (at, net) in self.rows.iter().enumerate() {
                if by_key.insert(hash(net.key(), plan, hashes)?, at).is_some() {
                    return None;
                }
            }
            self.by_key = Some(by_key);
        }
        let Some(&at) = self.by_key.as_ref()?.get(&hash(key, plan, hashes)?) else { return Some(None) };
        // Two keys of one hash are not worth telling apart.
        same_key(self.rows.get(at)?.key(), key, plan).then_some(Some(at))
    }

    fn add(&mut self, key: &Row, net: Net<'a>, plan: &Plan, hashes: &RandomState) {
        if let (Some(by_key), Some(hash)) = (&mut self.by_key, hash(key, plan, hashes)) {
            by_key.insert(hash, self.rows.len());
        }
        self.rows.push(net);
    }

    fn into_rows(self) -> Rows<'a> {
        let mut rows = Rows::default();
        for net in self.rows {
            match net {
                Net::Inserted(row) => rows.inserted.push(row),
                Net::Updated(updated) => rows.updated.push(updated),
                Net::Deleted(key) => rows.deleted.push(key),
                Net::Replaced(key, row) => {
                    rows.deleted.push(key);
                    rows.inserted.push(row);
                }
                Net::Absent(key) => rows.absent.push(key),
            }
        }
        rows
    }
}

impl Net<'_> {
    fn key(&self) -> &Row {
        match self {
            Self::Inserted(row) => row,
            Self::Updated(updated) => updated.key,
            Self::Deleted(key) | Self::Replaced(key, _) | Self::Absent(key) => key,
        }
    }
}

/// A row, and what an UPDATE makes of it: a value that was not sent again stays.
fn over<'a>(row: &Row, new: &'a Row) -> Option<Cow<'a, Row>> {
    if new.tuple().iter().all(|datum| datum != Datum::Unchanged) {
        return Some(Cow::Borrowed(new));
    }
    let datums = row.tuple().iter().zip(new.tuple());
    let merged =
        Tuple::from_datums(datums.map(|(before, now)| if now == Datum::Unchanged { before } else { now }));
    Row::with_types(new.relation().clone(), new.types().clone(), merged).map(Cow::Owned)
}

/// `None` for a key with a NULL, or with what was not sent.
fn hash(row: &Row, plan: &Plan, hashes: &RandomState) -> Option<u64> {
    let Key::Unique(columns, _) = &plan.key else { return None };
    let mut state = hashes.build_hasher();
    for column in columns {
        match row.tuple().get(*column)? {
            Datum::Text(bytes) | Datum::Binary(bytes) => {
                state.write_usize(bytes.len());
                state.write(bytes);
            }
            Datum::Null | Datum::Unchanged => return None,
        }
    }
    Some(state.finish())
}

fn same_key(one: &Row, other: &Row, plan: &Plan) -> bool {
    plan.key.columns().iter().all(|column| one.tuple().get(*column) == other.tuple().get(*column))
}

/// What is a hash already.
#[derive(Default)]
struct Hashed(u64);

impl Hasher for Hashed {
    fn finish(&self) -> u64 {
        self.0
    }

    /// Of a number, its bytes.
    fn write(&mut self, bytes: &[u8]) {
        self.0 = bytes.first_chunk().map_or(0, |hash| u64::from_ne_bytes(*hash));
    }
}

#[cfg(test)]
mod tests;
