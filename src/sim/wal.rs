//! What the simulated source has written: its log, and what of it a consumer must have in the end.

use std::collections::HashMap;
use std::sync::Arc;

use crate::event::{Change, Event, OldRow};
use crate::pgoutput::{LogicalMessage, Message, OldTuple, Relation, Tuple};
use crate::session::TimelineSwitch;
use crate::{Lsn, Row, Timestamp, Xid};

/// A change or a message, and what the tables that it concerns look like.
#[derive(Debug, Clone)]
pub(crate) struct Item {
    pub(crate) relations: Vec<Arc<Relation>>,
    /// As it is sent outside of stream blocks.
    pub(crate) message: Message,
}

/// One record of the log.
#[derive(Debug, Clone)]
pub(crate) struct Record {
    pub(crate) start: Lsn,
    pub(crate) end: Lsn,
    pub(crate) what: What,
}

/// What a record says; `top` is the top-level transaction.
#[derive(Debug, Clone)]
pub(crate) enum What {
    /// A change or a message of a transaction or subtransaction.
    Item {
        top: Xid,
        xid: Xid,
        item: Arc<Item>,
    },
    Commit {
        top: Xid,
    },
    /// Subtransactions before those that they are in; the last one may be the whole transaction.
    Abort {
        top: Xid,
        xids: Vec<Xid>,
    },
    Prepare {
        top: Xid,
        gid: String,
    },
    /// The end of what was prepared: by the record that ends here.
    Finish {
        top: Xid,
        gid: String,
        prepare_end: Lsn,
        commits: bool,
    },
    /// A message outside of any transaction.
    Alone(LogicalMessage),
    /// Of tables that nobody publishes, and of other databases.
    Noise,
    /// The server started: what was open before is over.
    Restart,
}

/// How a unit of delivery ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    Commit,
    Prepare,
    CommitPrepared,
    RollbackPrepared,
    Alone,
}

/// What is delivered as a whole, and once.
#[derive(Debug, Clone)]
pub(crate) struct Unit {
    /// Where the record that ends it begins: by this the server knows whether it has to be sent.
    pub(crate) start: Lsn,
    pub(crate) end: Lsn,
    pub(crate) ending: Ending,
    pub(crate) xid: Xid,
    pub(crate) gid: Option<String>,
    pub(crate) origin: Option<String>,
    pub(crate) items: Vec<Arc<Item>>,
}

/// A transaction whose end was not written yet.
#[derive(Debug, Clone, Default)]
pub(crate) struct Open {
    pub(crate) items: Vec<(Xid, Arc<Item>)>,
    pub(crate) is_prepared: bool,
}

/// The log.
#[derive(Debug, Clone)]
pub(crate) struct Wal {
    pub(crate) records: Vec<Record>,
    pub(crate) end: Lsn,
    pub(crate) timeline: u32,
    pub(crate) history: Vec<TimelineSwitch>,
    /// What a consumer must have in the end, if it begins at the beginning.
    pub(crate) units: Vec<Unit>,
    /// Transactions that came from elsewhere.
    pub(crate) origins: HashMap<Xid, String>,
    open: HashMap<Xid, Open>,
    /// Whether transactions are published when they are prepared.
    two_phase: bool,
}

impl Wal {
    /// Where each log begins.
    pub(crate) const BEGINNING: Lsn = Lsn::new(0x0100_0000);

    pub(crate) fn new(two_phase: bool) -> Self {
        Self {
            records: Vec::new(),
            end: Self::BEGINNING,
            timeline: 1,
            history: Vec::new(),
            units: Vec::new(),
            origins: HashMap::new(),
            open: HashMap::new(),
            two_phase,
        }
    }

    /// Adds a record behind a gap, which may be 0: then one ends where the next begins.
    pub(crate) fn append(&mut self, gap: u64, len: u64, what: impl FnOnce(Lsn) -> What) {
        let start = Lsn::new(u64::from(self.end) + gap);
        let end = Lsn::new(u64::from(start) + len.max(1));
        let record = Record { start, end, what: what(end) };
        self.publish(&record);
        self.end = end;
        self.records.push(record);
    }

    fn publish(&mut self, record: &Record) {
        match &record.what {
            What::Item { top, xid, item } => {
                self.open.entry(*top).or_default().items.push((*xid, Arc::clone(item)));
            }
            What::Abort { top, xids } if xids.last() == Some(top) => drop(self.open.remove(top)),
            What::Abort { top, xids } => {
                let open = self.open.entry(*top).or_default();
                open.items.retain(|(xid, _)| !xids.contains(xid));
            }
            What::Commit { top } => self.end_unit(record, *top, Ending::Commit, None),
            What::Prepare { top, gid } => {
                if self.two_phase {
                    self.end_unit(record, *top, Ending::Prepare, Some(gid));
                } else {
                    self.open.entry(*top).or_default().is_prepared = true;
                }
            }
            What::Finish { top, gid, commits, .. } => match (self.two_phase, commits) {
                (true, true) => self.end_unit(record, *top, Ending::CommitPrepared, Some(gid)),
                (true, false) => self.end_unit(record, *top, Ending::RollbackPrepared, Some(gid)),
                (false, true) => self.end_unit(record, *top, Ending::Commit, None),
                (false, false) => drop(self.open.remove(top)),
            },
            What::Alone(message) => {
                let item = Item { relations: Vec::new(), message: Message::Message(message.clone()) };
                self.open.entry(Xid::new(0)).or_default().items.push((Xid::new(0), Arc::new(item)));
                self.end_unit(record, Xid::new(0), Ending::Alone, None);
            }
            What::Noise => {}
            What::Restart => self.open.retain(|_, open| open.is_prepared),
        }
    }

    fn end_unit(&mut self, record: &Record, top: Xid, ending: Ending, gid: Option<&String>) {
        let open = self.open.remove(&top).unwrap_or_default();
        self.units.push(Unit {
            start: record.start,
            end: record.end,
            ending,
            xid: top,
            gid: gid.cloned(),
            origin: self.origins.get(&top).cloned(),
            items: open.items.into_iter().map(|(_, item)| item).collect(),
        });
    }

    /// Whether a transaction of before a restart goes on behind it.
    pub(crate) fn is_prepared(&self, top: Xid) -> bool {
        let prepares =
            |record: &Record| matches!(record.what, What::Prepare { top: prepared, .. } if prepared == top);
        self.records.iter().any(prepares)
    }

    /// Forgets the last records: the log ends where the first of them began.
    pub(crate) fn forget(&mut self, records: usize) {
        let kept = self.records.len().saturating_sub(records);
        let mut shorter =
            Self { history: self.history.clone(), timeline: self.timeline, ..Self::new(self.two_phase) };
        shorter.origins.clone_from(&self.origins);
        for record in self.records.drain(..).take(kept) {
            shorter.publish(&record);
            shorter.end = record.end;
            shorter.records.push(record);
        }
        *self = shorter;
    }

    /// A standby becomes the primary where its log ends.
    pub(crate) fn promote(&mut self) {
        self.history.push(TimelineSwitch { timeline: self.timeline, end_lsn: self.end });
        self.timeline += 1;
    }
}

impl Unit {
    /// The consumer must have it: a server may leave out transactions without changes, and does so as it likes.
    pub(crate) fn counts(&self) -> bool {
        self.ending != Ending::Commit || !self.items.is_empty()
    }

    /// Whether this is what the events say, to the last byte.
    pub(crate) fn is(&self, events: &[Event]) -> bool {
        let (Some(end), inner) = (events.last(), self.inner(events)) else { return false };
        let is_end = match (self.ending, end) {
            (Ending::Commit, Event::Commit(commit)) => {
                (commit.commit_lsn(), commit.end_lsn(), commit.xid()) == (self.start, self.end, self.xid)
            }
            (Ending::Prepare, Event::Prepare(prepare)) => {
                (prepare.message().prepare_lsn, prepare.xid()) == (self.start, self.xid)
                    && self.gid.as_deref() == Some(prepare.gid())
            }
            (Ending::CommitPrepared, Event::CommitPrepared(commit)) => {
                commit.message().commit_lsn == self.start && self.gid.as_deref() == Some(commit.gid())
            }
            (Ending::RollbackPrepared, Event::RollbackPrepared(rollback)) => {
                self.gid.as_deref() == Some(rollback.gid())
            }
            (Ending::Alone, Event::Message(_)) => true,
            _ => false,
        };
        is_end
            && inner.is_some_and(|inner| {
                inner.len() == self.items.len()
                    && self.items.iter().zip(inner).all(|(item, event)| item.is(event))
            })
    }

    /// The events between the first and the last, if the first is right.
    fn inner<'a>(&self, events: &'a [Event]) -> Option<&'a [Event]> {
        match self.ending {
            Ending::Alone => Some(events),
            Ending::CommitPrepared | Ending::RollbackPrepared => Some(events.get(1..).unwrap_or(&[])),
            Ending::Commit | Ending::Prepare => {
                let (Event::Begin(begin), rest) = events.split_first()? else { return None };
                let is_right = begin.commit_lsn == self.start
                    && begin.xid == self.xid
                    && begin.gid == self.gid
                    && begin.origin.as_ref().map(|origin| &origin.name) == self.origin.as_ref();
                is_right.then(|| &rest[..rest.len().saturating_sub(1)])
            }
        }
    }
}

impl Item {
    fn is(&self, event: &Event) -> bool {
        let row = |row: &Row, tuple: &Tuple| {
            row.tuple() == tuple && self.relations.first().is_some_and(|relation| relation == row.relation())
        };
        let old = |old: &OldRow, tuple: &OldTuple| match (old, tuple) {
            (OldRow::Key(old), OldTuple::Key(tuple)) | (OldRow::Full(old), OldTuple::Full(tuple)) => {
                row(old, tuple)
            }
            _ => false,
        };
        match (&self.message, event) {
            (Message::Insert(insert), Event::Change(Change::Insert { new })) => row(new, &insert.new),
            (Message::Update(update), Event::Change(Change::Update { old: found, new })) => {
                let is_old = match (found, &update.old) {
                    (Some(found), Some(tuple)) => old(found, tuple),
                    (None, None) => true,
                    _ => false,
                };
                is_old && row(new, &update.new)
            }
            (Message::Delete(delete), Event::Change(Change::Delete { old: found })) => {
                old(found, &delete.old)
            }
            (Message::Truncate(truncate), Event::Change(change)) => matches!(change,
                Change::Truncate { relations, cascade, restart_identity }
                    if *relations == self.relations
                        && (*cascade, *restart_identity) == (truncate.cascade, truncate.restart_identity)),
            (Message::Message(message), Event::Message(found)) => {
                (message.transactional, message.lsn, &message.prefix, &message.content)
                    == (found.transactional, found.lsn, &found.prefix, &found.content)
            }
            _ => false,
        }
    }
}

/// When what stands at a position was written, by the clock of the simulated source.
pub(crate) fn time_at(lsn: Lsn) -> Timestamp {
    Timestamp::from_micros(i64::try_from(u64::from(lsn)).unwrap_or_default())
}
