//! Transactions that the server sends before they end.

use std::collections::HashMap;
use std::fmt;
use std::fs::File;
use std::io;

use super::Violation;
use super::log::{Log, Messages};
use super::relations::Known;
use crate::pgoutput::{Message, Origin, Relation, StreamAbort, StreamStart};
use crate::{RelationId, Xid};

/// Where a file comes from, for what has no room in memory.
pub(super) struct Files(Box<dyn FnMut() -> io::Result<File> + Send + Sync>);

/// What can't go to a file has room for so much, however low the limit is.
const BOOKKEEPING: usize = 1 << 20;

/// What each transaction in progress has done so far, by its top-level id.
#[derive(Debug)]
pub(super) struct InProgress {
    pub(super) limit: usize,
    pub(super) files: Option<Files>,
    /// Bytes of memory that all of them take.
    pub(super) held: usize,
    open: HashMap<Xid, Transaction>,
}

/// One of them.
#[derive(Debug, Default)]
struct Transaction {
    origin: Option<Origin>,
    log: Log,
    /// Where each subtransaction's first message is.
    first: HashMap<Xid, u64>,
    /// The relations that stand in the log: it can be read without knowing any other.
    announced: HashMap<RelationId, Vec<Announcement>>,
    /// Bytes of memory that the announcements take.
    announced_bytes: usize,
}

/// A relation that was announced inside of a transaction.
#[derive(Debug)]
struct Announcement {
    /// Where in the log.
    position: u64,
    known: Known,
}

/// A transaction that ended, to be read back.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) origin: Option<Origin>,
    pub(super) messages: Messages,
    /// Each relation as it was announced last.
    pub(super) announced: Vec<Known>,
}

impl Default for InProgress {
    fn default() -> Self {
        Self { limit: 64 << 20, files: None, held: 0, open: HashMap::new() }
    }
}

impl InProgress {
    pub(super) fn emptied(self) -> Self {
        Self { held: 0, open: HashMap::new(), ..self }
    }

    /// A first block starts from nothing: after a reconnect the server sends a transaction again under the same id.
    pub(super) fn start(&mut self, start: StreamStart) -> Result<(), Violation> {
        if start.first_segment {
            self.discard(start.xid);
            self.change(start.xid, true, |_| Ok(()))?;
        }
        if self.open.contains_key(&start.xid) { Ok(()) } else { Err(Violation::UnknownStream(start.xid)) }
    }

    /// An Origin follows the first Stream Start only.
    pub(super) fn may_have_origin(&self, top: Xid) -> bool {
        self.open.get(&top).is_some_and(|open| open.origin.is_none() && open.log.len() == 0)
    }

    pub(super) fn set_origin(&mut self, top: Xid, origin: Origin) -> Result<(), Violation> {
        self.change(top, false, |transaction| {
            transaction.origin = Some(origin);
            Ok(())
        })
    }

    /// The relation as the transaction announced it last, if it did.
    pub(super) fn announced(&self, top: Xid, id: RelationId) -> Option<&Relation> {
        let announcement = self.open.get(&top)?.announced.get(&id)?.last()?;
        Some(&announcement.known.relation)
    }

    pub(super) fn announce(&mut self, top: Xid, known: Known) -> Result<(), Violation> {
        self.change(top, false, |transaction| transaction.announce(top, known))
    }

    /// Adds a change or message of the (sub)transaction `xid`.
    pub(super) fn append(&mut self, top: Xid, xid: Xid, message: &Message) -> Result<(), Violation> {
        self.change(top, false, |transaction| {
            if xid != top {
                transaction.first.entry(xid).or_insert(transaction.log.len());
            }
            transaction.log.append(message)
        })
    }

    /// Everything that is left of a transaction that ends well.
    pub(super) fn take(&mut self, top: Xid) -> Result<Ended, Violation> {
        let transaction = self.open.remove(&top).ok_or(Violation::UnknownStream(top))?;
        self.held -= transaction.memory();
        let Transaction { origin, log, announced, .. } = transaction;
        let last = |mut announcements: Vec<Announcement>| announcements.pop().map(|last| last.known);
        let announced = announced.into_values().filter_map(last).collect();
        Ok(Ended { origin, messages: log.into_messages().map_err(Violation::spill)?, announced })
    }

    /// Discards a transaction or a subtransaction. One that was never sent is no error: a transaction may begin and
    /// abort before its first block.
    pub(super) fn abort(&mut self, abort: StreamAbort) -> Result<(), Violation> {
        if abort.subxid == abort.xid {
            self.discard(abort.xid);
            return Ok(());
        }
        if !self.open.contains_key(&abort.xid) {
            return Ok(());
        }
        self.change(abort.xid, false, |transaction| transaction.cut(abort.subxid))
    }

    fn discard(&mut self, top: Xid) {
        if let Some(open) = self.open.remove(&top) {
            self.held -= open.memory();
        }
    }

    /// Changes a transaction, and sees to it that all of them still have room.
    fn change(
        &mut self,
        top: Xid,
        is_new: bool,
        change: impl FnOnce(&mut Transaction) -> io::Result<()>,
    ) -> Result<(), Violation> {
        let transaction = self.open.entry(top).or_default();
        let before = if is_new { 0 } else { transaction.memory() };
        change(transaction).map_err(Violation::spill)?;
        self.held = self.held + transaction.memory() - before;
        self.make_room()
    }

    /// Moves the largest to files until the others have room.
    fn make_room(&mut self) -> Result<(), Violation> {
        let Some(files) = &mut self.files else { return within(self.limit, self.held) };
        while self.held > self.limit {
            let logs = self.open.values_mut().map(|open| &mut open.log);
            let largest = logs.max_by_key(|log| log.memory()).filter(|log| log.memory() > 0);
            let Some(log) = largest else { return within(self.limit.max(BOOKKEEPING), self.held) };
            self.held -= log.memory();
            log.spill(&mut files.0).map_err(Violation::spill)?;
        }
        Ok(())
    }
}

fn within(limit: usize, needed: usize) -> Result<(), Violation> {
    if needed <= limit { Ok(()) } else { Err(Violation::MemoryLimit { limit, needed }) }
}

impl Transaction {
    /// Behind each subtransaction that is rolled back the server announces again what it uses: what is the same as
    /// before is nothing new, and only counts as announced later.
    fn announce(&mut self, top: Xid, known: Known) -> io::Result<()> {
        let announcements = self.announced.entry(known.relation.id).or_default();
        if let Some(last) = announcements.last_mut()
            && last.known.relation == known.relation
        {
            last.known.received = known.received;
            return Ok(());
        }
        let message = Message::Relation(Some(top), (*known.relation).clone());
        let room = announcements.capacity();
        self.announced_bytes += byte_len(&known.relation);
        announcements.push(Announcement { position: self.log.len(), known });
        self.announced_bytes += (announcements.capacity() - room) * size_of::<Announcement>();
        self.log.append(&message)
    }

    /// By position, not by id: a Message carries the top-level id even when a subtransaction emitted it, and whatever
    /// follows the first change of an aborted subtransaction belongs to it or to one inside it.
    fn cut(&mut self, subxid: Xid) -> io::Result<()> {
        let Some(position) = self.first.remove(&subxid) else { return Ok(()) };
        self.first.retain(|_, first| *first < position);
        for announcements in self.announced.values_mut() {
            for cut in announcements.extract_if(.., |announcement| announcement.position >= position) {
                self.announced_bytes -= byte_len(&cut.known.relation);
            }
        }
        self.log.truncate(position)
    }

    /// Also what an empty one takes: a publisher could open any number of them.
    fn memory(&self) -> usize {
        let origin = self.origin.as_ref().map_or(0, |origin| origin.name.len());
        let firsts = self.first.capacity() * size_of::<(Xid, u64)>();
        let announcements =
            self.announced.capacity() * size_of::<(RelationId, Vec<Announcement>)>() + self.announced_bytes;
        size_of::<(Xid, Self)>() + origin + firsts + announcements + self.log.memory()
    }
}

/// Memory of a relation.
fn byte_len(relation: &Relation) -> usize {
    let names: usize = relation.columns.iter().map(|column| column.name.len()).sum();
    size_of_val(relation)
        + size_of_val(relation.columns.as_slice())
        + relation.schema.len()
        + relation.name.len()
        + names
}

impl Files {
    pub(super) fn new(open: impl FnMut() -> io::Result<File> + Send + Sync + 'static) -> Self {
        Self(Box::new(open))
    }
}

impl fmt::Debug for Files {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Files")
    }
}
