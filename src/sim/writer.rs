//! Writes a history into the log, step by step.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;

use super::dice::Dice;
use super::history::{Action, How, TABLES};
use super::wal::{Item, Wal, What};
use crate::pgoutput::{
    Column, Datum, Delete, Insert, LogicalMessage, Message, OldTuple, Relation, ReplicaIdentity, Truncate,
    Tuple, Update,
};
use crate::{Lsn, Oid, RelationId, Xid};

/// Who writes.
#[derive(Debug)]
pub(crate) struct Writer {
    dice: Dice,
    tables: Vec<Arc<Relation>>,
    open: BTreeMap<usize, Transaction>,
    next_xid: u32,
}

#[derive(Debug)]
struct Transaction {
    xid: Xid,
    /// The subtransactions that are open, and inside each the ones that were released into it.
    subs: Vec<Vec<Xid>>,
    /// What it has altered, and how deep in subtransactions it was then.
    altered: Vec<(usize, usize, Arc<Relation>)>,
    touched: Vec<usize>,
    prepared: Option<Lsn>,
}

impl Writer {
    pub(crate) fn new(dice: Dice) -> Self {
        let tables = (0..TABLES).map(|number| Arc::new(table(number))).collect();
        Self { dice, tables, open: BTreeMap::new(), next_xid: 700 }
    }

    /// The server started again: only what was prepared goes on.
    pub(crate) fn restart(&mut self, wal: &mut Wal) {
        wal.append(0, 40, |_| What::Restart);
        self.open.retain(|_, open| open.prepared.is_some());
    }

    /// What was prepared behind the end of the log is not.
    pub(crate) fn forget_behind(&mut self, end: Lsn) {
        self.open.retain(|_, open| open.prepared.is_some_and(|prepared| prepared <= end));
    }

    /// A transaction that holds nothing but a message, as the pipeline writes them.
    pub(crate) fn beat(&mut self, wal: &mut Wal) {
        let top = self.xid();
        // The pipeline keeps these to itself: for the sink, the transaction is empty.
        wal.append(0, 30, |_| What::Noise);
        wal.append(0, 30, |_| What::Commit { top });
    }

    pub(crate) fn act(&mut self, action: Action, wal: &mut Wal) {
        match action {
            Action::Pause(_) | Action::Checkpoint => {}
            Action::Noise => {
                let len = self.dice.between(1, 5000);
                wal.append(0, len, |_| What::Noise);
            }
            Action::Alone => {
                let content = self.text();
                wal.append(self.gap(), 50, |end| What::Alone(message(false, end, content)));
            }
            Action::Change { transaction, kind, table } => self.change(transaction, kind, table, wal),
            Action::Message { transaction } => self.message(transaction, wal),
            Action::Alter { transaction, table } => self.alter(transaction, table, wal),
            Action::Sub { transaction } => {
                let sub = self.xid();
                if let Some(open) = self.begun(transaction, wal) {
                    open.subs.push(vec![sub]);
                    self.change(transaction, 0, 0, wal);
                }
            }
            Action::EndSub { transaction, commits } => self.end_sub(transaction, commits, wal),
            Action::End { transaction, how } => self.end(transaction, how, wal),
            Action::Finish { transaction, commits } => self.finish(transaction, commits, wal),
        }
    }

    fn xid(&mut self) -> Xid {
        self.next_xid += 1;
        Xid::new(self.next_xid)
    }

    /// Mostly none, so that the end of one record is where the next begins.
    fn gap(&mut self) -> u64 {
        if self.dice.one_in(4) { self.dice.between(1, 24) } else { 0 }
    }

    fn text(&mut self) -> Bytes {
        let number = self.dice.next();
        match number % 16 {
            0 => Bytes::from_static(b""),
            1 => Bytes::from_static(b"null"),
            2 => Bytes::from(vec![b'x'; usize::try_from(number % 3000).unwrap_or_default()]),
            _ => Bytes::from(format!("{number:x}'\\")),
        }
    }

    /// The transaction, which may begin now; none, if it was prepared.
    fn begun(&mut self, number: usize, wal: &mut Wal) -> Option<&mut Transaction> {
        if !self.open.contains_key(&number) {
            let xid = self.xid();
            if self.dice.one_in(5) {
                wal.origins.insert(xid, "elsewhere".to_owned());
            }
            let open = Transaction {
                xid,
                subs: Vec::new(),
                altered: Vec::new(),
                touched: Vec::new(),
                prepared: None,
            };
            self.open.insert(number, open);
        }
        self.open.get_mut(&number).filter(|open| open.prepared.is_none())
    }

    /// A table as a transaction sees it.
    fn seen(&self, number: usize, table: usize) -> Arc<Relation> {
        let own = self.open.get(&number).and_then(|open| {
            open.altered
                .iter()
                .rev()
                .find(|(_, altered, _)| *altered == table)
                .map(|(_, _, relation)| relation)
        });
        Arc::clone(own.unwrap_or(&self.tables[table]))
    }

    /// Whether another transaction has altered it, or only used it.
    fn others(&self, number: usize, table: usize, to_alter: bool) -> bool {
        self.open.iter().any(|(other, open)| {
            *other != number
                && (open.altered.iter().any(|(_, altered, _)| *altered == table)
                    || to_alter && open.touched.contains(&table))
        })
    }

    fn change(&mut self, number: usize, kind: u8, table: usize, wal: &mut Wal) {
        let table = if self.others(number, table, false) { 0 } else { table };
        let truncates = kind % 16 == 15;
        // TRUNCATE waits for everybody else, as ALTER TABLE does.
        if truncates && self.others(number, table, true) {
            return;
        }
        if self.begun(number, wal).is_none() {
            return;
        }
        let relation = self.seen(number, table);
        let message = self.row(kind, &relation);
        let item = Arc::new(Item { relations: vec![relation], message });
        if let Some(open) = self.open.get_mut(&number) {
            open.touched.push(table);
            let (top, xid) = (open.xid, open.inner());
            wal.append(self.gap(), 60, |_| What::Item { top, xid, item });
        }
    }

    fn row(&mut self, kind: u8, relation: &Relation) -> Message {
        let (xid, relation_id) = (None, relation.id);
        match kind % 16 {
            0..=7 => Message::Insert(Insert { xid, relation_id, new: self.tuple(relation, false) }),
            8 | 9 => Message::Update(Update { xid, relation_id, old: None, new: self.tuple(relation, true) }),
            10 | 11 => {
                let old = Some(OldTuple::Key(self.tuple(relation, false)));
                Message::Update(Update { xid, relation_id, old, new: self.tuple(relation, true) })
            }
            12 => {
                let old = Some(OldTuple::Full(self.tuple(relation, false)));
                Message::Update(Update { xid, relation_id, old, new: self.tuple(relation, true) })
            }
            13 | 14 => {
                Message::Delete(Delete { xid, relation_id, old: OldTuple::Key(self.tuple(relation, false)) })
            }
            _ => {
                let (cascade, restart_identity) = (kind & 64 != 0, kind & 128 != 0);
                Message::Truncate(Truncate {
                    xid,
                    cascade,
                    restart_identity,
                    relation_ids: vec![relation_id],
                })
            }
        }
    }

    fn tuple(&mut self, relation: &Relation, may_be_unchanged: bool) -> Tuple {
        let values: Vec<_> = relation.columns.iter().map(|_| (self.dice.below(8), self.text())).collect();
        Tuple::from_datums(values.iter().map(|(kind, text)| match kind {
            0 => Datum::Null,
            1 if may_be_unchanged => Datum::Unchanged,
            2 => Datum::Binary(text),
            _ => Datum::Text(text),
        }))
    }

    fn message(&mut self, number: usize, wal: &mut Wal) {
        let content = self.text();
        let Some(open) = self.begun(number, wal) else { return };
        let (top, xid) = (open.xid, open.inner());
        wal.append(0, 40, |end| {
            let message = Message::Message(message(true, end, content));
            What::Item { top, xid, item: Arc::new(Item { relations: Vec::new(), message }) }
        });
    }

    fn alter(&mut self, number: usize, table: usize, wal: &mut Wal) {
        if self.others(number, table, true) {
            return;
        }
        let mut relation = (*self.seen(number, table)).clone();
        if relation.columns.len() > 1 && self.dice.one_in(2) {
            relation.columns.pop();
        } else {
            relation.columns.push(column(&format!("added_{}", self.dice.below(1000)), false));
        }
        let Some(open) = self.begun(number, wal) else { return };
        open.altered.push((open.subs.len(), table, Arc::new(relation)));
        open.touched.push(table);
    }

    fn end_sub(&mut self, number: usize, commits: bool, wal: &mut Wal) {
        let Some(open) = self.open.get_mut(&number).filter(|open| open.prepared.is_none()) else { return };
        let depth = open.subs.len();
        let Some(ended) = open.subs.pop() else { return };
        if commits {
            open.altered.iter_mut().for_each(|(at, _, _)| *at = (*at).min(depth - 1));
            // One that is released into the transaction itself ends with that.
            if let Some(outer) = open.subs.last_mut() {
                outer.extend(ended);
            }
            return;
        }
        open.altered.retain(|(at, _, _)| *at < depth);
        let top = open.xid;
        // Those inside it come first.
        let xids = ended.into_iter().rev().collect();
        wal.append(0, 34, |_| What::Abort { top, xids });
    }

    fn end(&mut self, number: usize, how: How, wal: &mut Wal) {
        while self.open.get(&number).is_some_and(|open| open.prepared.is_none() && !open.subs.is_empty()) {
            self.end_sub(number, true, wal);
        }
        let Some(top) = self.begun(number, wal).map(|open| open.xid) else { return };
        match how {
            How::Commits => {
                wal.append(self.gap(), 46, |_| What::Commit { top });
                self.learn(number);
            }
            How::RollsBack => {
                wal.append(self.gap(), 34, |_| What::Abort { top, xids: vec![top] });
                self.open.remove(&number);
            }
            How::IsPrepared => {
                let gid = gid(number, top);
                wal.append(self.gap(), 90, |_| What::Prepare { top, gid });
                if let Some(open) = self.open.get_mut(&number) {
                    open.prepared = Some(wal.end);
                }
            }
        }
    }

    fn finish(&mut self, number: usize, commits: bool, wal: &mut Wal) {
        let Some(open) = self.open.get(&number) else { return };
        let (Some(prepare_end), top) = (open.prepared, open.xid) else { return };
        let gid = gid(number, top);
        wal.append(self.gap(), 48, |_| What::Finish { top, gid, prepare_end, commits });
        if commits {
            self.learn(number);
        } else {
            self.open.remove(&number);
        }
    }

    /// What it altered is so for everybody.
    fn learn(&mut self, number: usize) {
        let altered = self.open.remove(&number).map(|open| open.altered).unwrap_or_default();
        for (_, table, relation) in altered {
            self.tables[table] = relation;
        }
    }
}

impl Transaction {
    /// The innermost subtransaction.
    fn inner(&self) -> Xid {
        self.subs.last().and_then(|sub| sub.first()).copied().unwrap_or(self.xid)
    }
}

fn gid(number: usize, xid: Xid) -> String {
    format!("gid {number} of {xid}")
}

fn message(transactional: bool, lsn: Lsn, content: Bytes) -> LogicalMessage {
    LogicalMessage { xid: None, transactional, lsn, prefix: "simulated".to_owned(), content }
}

fn table(number: usize) -> Relation {
    Relation {
        id: RelationId::new(16_384 + u32::try_from(number).unwrap_or_default()),
        schema: "public".to_owned(),
        name: format!("table_{number}"),
        replica_identity: ReplicaIdentity::Default,
        columns: vec![column("id", true), column("value", false)],
    }
}

fn column(name: &str, is_key: bool) -> Column {
    Column { name: name.to_owned(), type_oid: Oid::new(25), type_modifier: -1, is_key }
}
