//! What is written to a sink, and what must be seen of it.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::{Arc, LazyLock};

use bytes::Bytes;

use super::{Transaction, Visible};
use crate::event::{Acknowledge as _, Begin, Change, Commit, Event, OldRow};
use crate::pgoutput::{Column, Datum, LogicalMessage, Relation, ReplicaIdentity, Tuple};
use crate::{Lsn, Oid, RelationId, Row, Timestamp, Xid};

/// Where it begins: the positions behind it would be in another order if they were compared as text, `10/0` before
/// `F/FFFFFF00`.
pub(super) const START: u64 = 0xF_FFFF_FF00;
/// How far a transaction is from the one before, unless they touch.
const GAP: u64 = 0x40;
/// Stands in values, to be found wherever one is repeated.
pub(super) const MARK: &[u8] = b"kZ7vQx";
/// What a commit record takes.
const RECORD: u64 = 0x20;

/// The table that all changes are of, as an [`Event`] has it:
/// `CREATE TABLE public.testkit (id text PRIMARY KEY, body text, large text)`.
///
/// What reads a storage back makes its rows with it:
///
/// ```
/// use walferry::Row;
/// use walferry::pgoutput::{Datum, Tuple};
/// use walferry::sink::testkit;
///
/// let row = Row::new(testkit::table(), Tuple::from_datums([Datum::Text(b"a"), Datum::Text(b"null"), Datum::Null]));
/// assert!(row.is_some(), "three columns, three values");
/// ```
pub fn table() -> Arc<Relation> {
    static TABLE: LazyLock<Arc<Relation>> = LazyLock::new(|| {
        let column = |name: &str, is_key| Column {
            name: name.into(),
            type_oid: Oid::new(25),
            type_modifier: -1,
            is_key,
        };
        Arc::new(Relation {
            id: RelationId::new(16384),
            schema: "public".into(),
            name: "testkit".into(),
            replica_identity: ReplicaIdentity::Default,
            columns: vec![column("id", true), column("body", false), column("large", false)],
        })
    });
    Arc::clone(&TABLE)
}

/// The values of a row: id, body, large.
type Values<'a> = [Datum<'a>; 3];

#[expect(clippy::expect_used, reason = "the type says that there are as many values as columns")]
fn row(values: Values<'_>) -> Row {
    Row::new(table(), Tuple::from_datums(values)).expect("three columns, three values")
}

fn insert(values: Values<'_>) -> Change {
    Change::Insert { new: row(values) }
}

fn update(values: Values<'_>) -> Change {
    Change::Update { old: None, new: row(values) }
}

fn update_key(old: &[u8], values: Values<'_>) -> Change {
    Change::Update { old: Some(key(old)), new: row(values) }
}

fn delete(id: &[u8]) -> Change {
    Change::Delete { old: key(id) }
}

fn key(id: &[u8]) -> OldRow {
    OldRow::Key(row([Datum::Text(id), Datum::Null, Datum::Null]))
}

fn truncate() -> Change {
    Change::Truncate { relations: vec![table()], cascade: false, restart_identity: false }
}

/// Transactions and messages, one behind the other.
#[derive(Debug, Clone)]
pub(super) struct History {
    events: Vec<Event>,
    steps: Vec<Step>,
}

/// A transaction, or a message between transactions.
#[derive(Debug, Clone)]
struct Step {
    /// The number of events up to its end.
    end: usize,
    /// Where it begins in the stream.
    begins: Lsn,
    /// What is durable with it.
    position: Lsn,
    changes: Vec<Change>,
}

impl History {
    fn new() -> Self {
        Self { events: Vec::new(), steps: Vec::new() }
    }

    /// What ordinary sources send, and what has led others astray: transaction ids and times that don't grow, a transaction
    /// that begins where the last one ended, one without changes, messages, values that are not sent.
    pub(super) fn ordinary() -> Self {
        use Datum::{Null, Text, Unchanged};
        let large = MARK.repeat(1000);
        let (a, b, c, large) = (Text(b"a"), Text(b"b"), Text(b"c"), Text(&large));
        Self::new()
            .transaction(GAP, [insert([a, Text(b"1"), large]), insert([b, Null, Null])])
            .transaction(GAP, [update([a, Text(b"2"), Unchanged]), insert([c, Text(b"3"), large])])
            .transaction(0, [delete(b"b"), insert([b, Text(b"4"), Null]), update([b, Text(b"5"), Null])])
            .message()
            .transaction(GAP, [update_key(b"c", [Text(b"d"), Text(b"6"), Unchanged])])
            .transaction(GAP, [])
            .transaction(GAP, [insert([c, Text(b"7"), Null]), delete(b"c"), insert([c, Text(b"8"), Null])])
            .transaction(GAP, [truncate(), insert([a, Text(b"9"), large])])
            .transaction(0, [update([a, Null, Unchanged]), insert([b, Text(b"10"), Null])])
            .transaction(GAP, [update_key(b"b", [c, Text(b"11"), Null]), insert([b, Text(b"12"), Null])])
    }

    /// A value in every place that a text can stand in.
    pub(super) fn of_value(value: &[u8]) -> Self {
        use Datum::{Null, Text, Unchanged};
        let text = Text(value);
        Self::new()
            .transaction(GAP, [insert([Text(b"first"), Null, Null])])
            .transaction(GAP, [insert([Text(b"beside"), Null, Null]), insert([text, text, text])])
            .transaction(GAP, [update([text, Null, Unchanged])])
            .transaction(GAP, [update_key(value, [Text(b"other"), text, Unchanged])])
            .transaction(GAP, [update_key(b"other", [text, Text(b"back"), Unchanged])])
            .transaction(GAP, [delete(value)])
    }

    /// A value that is no key.
    pub(super) fn of_large_value(value: &[u8]) -> Self {
        use Datum::{Null, Text, Unchanged};
        let large = Text(value);
        Self::new()
            .transaction(GAP, [insert([Text(b"first"), Null, Null])])
            .transaction(GAP, [insert([Text(b"giant"), Null, large]), insert([Text(b"beside"), Null, Null])])
            .transaction(GAP, [update([Text(b"giant"), Text(b"1"), Unchanged])])
            .transaction(GAP, [update([Text(b"giant"), large, Text(b"small")])])
    }

    fn transaction(mut self, gap: u64, changes: impl Into<Vec<Change>>) -> Self {
        let (changes, number) = (changes.into(), self.steps.len());
        let commit_lsn = Lsn::new(u64::from(self.position(number)) + gap);
        let end_lsn = Lsn::new(u64::from(commit_lsn) + RECORD);
        let earlier = u32::try_from(number).unwrap_or(0);
        let xid = Xid::new(900 - earlier);
        let commit_time = Timestamp::from_micros(-i64::from(earlier));
        self.events.push(Event::Begin(Begin { commit_lsn, commit_time, xid, origin: None, gid: None }));
        self.events.extend(changes.iter().cloned().map(Event::Change));
        if number == 1 {
            self.events.push(message(Some(xid), commit_lsn));
        }
        self.step(Event::Commit(Commit { commit_lsn, end_lsn, commit_time, xid }), commit_lsn, changes)
    }

    fn message(self) -> Self {
        let lsn = Lsn::new(u64::from(self.position(self.steps.len())) + GAP);
        self.step(message(None, lsn), lsn, Vec::new())
    }

    fn step(mut self, last: Event, begins: Lsn, changes: Vec<Change>) -> Self {
        let position = last.position().unwrap_or(begins);
        self.events.push(last);
        self.steps.push(Step { end: self.events.len(), begins, position, changes });
        self
    }

    /// The events of a transaction behind so many steps, up to its end, which is not there: it never comes.
    pub(super) fn stray(&self, steps: usize) -> Vec<Event> {
        let row = |id| insert([Datum::Text(id), Datum::Null, Datum::Null]);
        let here = Self { events: Vec::new(), steps: self.steps.iter().take(steps).cloned().collect() };
        let mut stray = here.transaction(0, [row(b"stray"), truncate(), row(b"another")]);
        stray.events.pop();
        stray.events
    }

    /// How many events there are.
    pub(super) fn len(&self) -> usize {
        self.events.len()
    }

    pub(super) fn events(&self, from: usize, to: usize) -> &[Event] {
        self.events.get(from..to).unwrap_or_default()
    }

    /// How many steps there are.
    pub(super) fn steps(&self) -> usize {
        self.steps.len()
    }

    /// How many steps are complete in so many events.
    pub(super) fn complete(&self, events: usize) -> usize {
        self.steps.partition_point(|step| step.end <= events)
    }

    /// How many events stand before this step.
    pub(super) fn start_of(&self, step: usize) -> usize {
        step.checked_sub(1).and_then(|last| self.steps.get(last)).map_or(0, |last| last.end)
    }

    /// What is durable with so many steps.
    pub(super) fn position(&self, steps: usize) -> Lsn {
        let last = steps.checked_sub(1).and_then(|last| self.steps.get(last));
        last.map_or(Lsn::new(START), |last| last.position)
    }

    /// How many steps are durable at this position.
    pub(super) fn up_to(&self, position: Lsn) -> usize {
        self.steps.partition_point(|step| step.position <= position)
    }

    /// A position behind so many steps where nothing is, if there is room for one.
    pub(super) fn idle_behind(&self, steps: usize) -> Option<Lsn> {
        let idle = Lsn::new(u64::from(self.position(steps)) + GAP / 2);
        self.steps.get(steps).is_none_or(|next| idle < next.begins).then_some(idle)
    }

    /// What a log holds of the first so many steps.
    pub(super) fn log(&self, steps: usize) -> Vec<Transaction> {
        let transaction =
            |step: &Step| Transaction { end_lsn: Some(step.position), changes: step.changes.clone() };
        let changed = self.steps.iter().take(steps).filter(|step| !step.changes.is_empty());
        changed.map(transaction).collect()
    }

    /// What a mirror holds behind the first so many steps, by key.
    pub(super) fn rows(&self, steps: usize) -> Vec<Row> {
        let mut rows = BTreeMap::new();
        self.steps
            .iter()
            .take(steps)
            .flat_map(|step| &step.changes)
            .for_each(|change| apply(&mut rows, change));
        rows.into_values().collect()
    }

    /// The number of transactions that a log holds of the first so many steps.
    pub(super) fn in_log(&self, steps: RangeInclusive<usize>) -> RangeInclusive<usize> {
        let count =
            |steps: usize| self.steps.iter().take(steps).filter(|step| !step.changes.is_empty()).count();
        count(*steps.start())..=count(*steps.end())
    }
}

fn message(xid: Option<Xid>, lsn: Lsn) -> Event {
    let (prefix, content) = ("testkit".into(), Bytes::from_static(b"\0'null'"));
    Event::Message(LogicalMessage { xid: None, transactional: xid.is_some(), lsn, prefix, content })
}

fn apply(rows: &mut BTreeMap<Bytes, Row>, change: &Change) {
    match change {
        Change::Snapshot { row } | Change::Insert { new: row } => _ = rows.insert(id(row), row.clone()),
        Change::Update { old, new } => {
            let before = rows.remove(&id(old.as_ref().map_or(new, OldRow::row)));
            let mut kept = before.iter().flat_map(|before| before.tuple().iter());
            let merged = new.map(|datum| {
                let kept = kept.next();
                if datum == Datum::Unchanged { kept.unwrap_or(datum) } else { datum }
            });
            rows.insert(id(new), merged);
        }
        Change::Delete { old } => _ = rows.remove(&id(old.row())),
        Change::Truncate { .. } => rows.clear(),
    }
}

/// A row's key.
pub(super) fn id(row: &Row) -> Bytes {
    match row.tuple().get(0) {
        Some(Datum::Text(id) | Datum::Binary(id)) => Bytes::copy_from_slice(id),
        _ => Bytes::new(),
    }
}

/// The transactions among a log's events that are complete.
///
/// It reads as the [events'](Event) rule says: what follows a transaction that was begun and has no end stands outside of
/// it.
pub fn transactions(events: impl IntoIterator<Item = Event>) -> Vec<Transaction> {
    let (mut complete, mut open) = (Vec::new(), None::<Vec<Change>>);
    for event in events {
        match &event {
            Event::Begin(_) => open = Some(Vec::new()),
            Event::Change(change) => open.iter_mut().for_each(|open| open.push(change.clone())),
            Event::Message(message) if message.transactional => {}
            Event::Commit(_) | Event::Prepare(_) => {
                let changes = open.take();
                complete.extend(changes.map(|changes| Transaction { end_lsn: event.position(), changes }));
            }
            _ => open = None,
        }
    }
    complete
}

impl Visible {
    /// The same, as two of them can be compared.
    pub(super) fn normal(mut self) -> Self {
        match &mut self {
            Self::Log(transactions) => transactions.retain(|transaction| !transaction.changes.is_empty()),
            Self::Rows(rows) => rows.sort_by_cached_key(id),
        }
        self
    }
}
