//! Messages to committed transactions.
//!
//! ```text
//!  B R I U D T M C ──────────────────────────────► Begin Change … Commit
//!  S R I … E   S R I … E   c ──► log per xid ────► Begin Change … Commit      memory, then a file
//!  S R I … E   A              └► discarded
//!  b R I U D T M P            ──────────────────► Begin Change … Prepare     K ─► CommitPrepared
//!  S R I … E   S R I … E   p ──► log per xid ────► Begin Change … Prepare     r ─► RollbackPrepared
//! ```

mod log;
mod progress;
mod relations;
mod replay;
mod violation;

#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::mem;
use std::sync::Arc;

use self::progress::{Files, InProgress};
use self::relations::Relations;
use self::replay::Replay;
pub use self::violation::Violation;
use crate::event::{Begin, Commit, CommitPrepared, Event, Prepare, RollbackPrepared};
#[cfg(feature = "net")]
use crate::pgoutput::Relation;
use crate::pgoutput::{self, Message, OldTuple, Origin, StreamAbort, StreamCommit, StreamStart, Tuple};
use crate::value::Types;
use crate::{Lsn, RelationId, Xid};

/// Puts messages together into whole committed transactions, in commit order.
///
/// Push each message, then poll events until there is none. A transaction that the server sends before it ends
/// (option `streaming`) is held back until it commits or is prepared: in memory up to a limit, and from there on in files.
///
/// ```
/// use walferry::assemble::Assembler;
/// use walferry::event::Event;
/// use walferry::pgoutput::{Begin, Commit, Message};
/// use walferry::{Lsn, Timestamp, Xid};
///
/// let commit_time = Timestamp::from_micros(0);
/// let (commit_lsn, end_lsn) = (Lsn::new(0x100), Lsn::new(0x130));
/// let mut assembler = Assembler::new();
/// assembler.push(Message::Begin(Begin { commit_lsn, commit_time, xid: Xid::new(7) }))?;
/// assembler.push(Message::Commit(Commit { commit_lsn, end_lsn, commit_time }))?;
///
/// assert!(matches!(assembler.poll()?, Some(Event::Begin(begin)) if begin.xid == Xid::new(7)));
/// assert!(matches!(assembler.poll()?, Some(Event::Commit(commit)) if commit.end_lsn() == end_lsn));
/// assert_eq!(assembler.poll()?, None);
/// # Ok::<(), walferry::assemble::Violation>(())
/// ```
#[derive(Debug, Default)]
#[must_use = "an assembler that is dropped forgets the transactions that are not complete"]
pub struct Assembler {
    relations: Relations,
    state: State,
    in_progress: InProgress,
    ready: VecDeque<Ready>,
}

/// What is complete.
#[derive(Debug)]
enum Ready {
    Event(Event),
    /// A transaction that was held back, whose events are read back one by one.
    Replay(Box<Replay>),
}

/// Where in the grammar of the stream the next message stands.
#[derive(Debug, Default)]
enum State {
    #[default]
    Between,
    /// Behind a Begin. An Origin may follow, and belongs to it: so the event waits for the next message.
    Begun(Begin),
    /// Between Begin and Commit; if the transaction is to be prepared, between Begin Prepare and Prepare.
    Inside { commit_lsn: Lsn, xid: Xid, is_prepared: bool },
    /// Between Stream Start and Stream Stop.
    Block { xid: Xid },
}

impl Assembler {
    /// An assembler at the start of a connection, which holds back up to 64 MiB.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many bytes of transactions in progress it may hold back, in all. Concerns only streams with the option
    /// `streaming`.
    pub fn memory_limit(mut self, bytes: usize) -> Self {
        self.in_progress.limit = bytes;
        self
    }

    /// Where files come from for what exceeds the limit; without, exceeding it is a [`Violation::MemoryLimit`].
    ///
    /// Each is written, cut off and read back, and closed when its transaction ends: it should vanish then, as one does
    /// that has no name. A message larger than the limit is in memory while it is taken in and given out. What can't
    /// go to a file, where each subtransaction begins and what was announced, has at least 1 MiB.
    ///
    /// A file is opened, and written to, inside [`push`](Self::push), and read inside [`poll`](Self::poll).
    pub fn spill(mut self, open: impl FnMut() -> io::Result<File> + Send + Sync + 'static) -> Self {
        self.in_progress.files = Some(Files::new(open));
        self
    }

    /// Forgets everything but the limit and the files: at the start of another connection.
    pub(crate) fn restart(&mut self) {
        let in_progress = mem::take(&mut self.in_progress).emptied();
        *self = Self { in_progress, ..Self::default() };
    }

    /// Which types the columns of its rows may have; the built-in ones, if not said.
    pub fn types(mut self, types: Arc<Types>) -> Self {
        self.set_types(types);
        self
    }

    /// Rows that are assembled from here on have these types. Their relations stay the same.
    pub fn set_types(&mut self, types: Arc<Types>) {
        self.relations.set_types(types);
    }

    /// What a table was announced as last, for whoever the next message belongs to.
    #[cfg(feature = "net")]
    pub(crate) fn relation(&self, id: RelationId) -> Option<&Relation> {
        let inside =
            if let State::Block { xid } = self.state { self.in_progress.announced(xid, id) } else { None };
        inside.or_else(|| self.relations.announced(id))
    }

    /// Takes in one message, in the order of the wire.
    ///
    /// # Errors
    ///
    /// A message that can't stand here, or that the assembler can't hold. The stream can't be followed any further:
    /// start again from the last acknowledged commit, with a new assembler.
    #[inline]
    pub fn push(&mut self, message: Message) -> Result<(), Violation> {
        match message {
            Message::Begin(begin) => self.begin(begin),
            Message::Origin(origin) => self.origin(origin),
            Message::Commit(commit) => self.commit(commit),
            Message::StreamStart(start) => self.stream_start(start),
            Message::StreamStop => self.stream_stop(),
            Message::StreamCommit(commit) => self.stream_commit(commit),
            Message::StreamAbort(abort) => self.stream_abort(abort),
            Message::Message(message) if !message.transactional => self.alone(b'M', Event::Message(message)),
            Message::BeginPrepare(prepare) => self.begin_prepare(&prepare),
            Message::Prepare(prepare) => self.prepare(prepare),
            Message::StreamPrepare(prepare) => self.stream_prepare(prepare),
            Message::CommitPrepared(commit) => {
                self.alone(b'K', Event::CommitPrepared(CommitPrepared::new(commit)))
            }
            Message::RollbackPrepared(rollback) => {
                self.alone(b'r', Event::RollbackPrepared(RollbackPrepared::new(rollback)))
            }
            message => self.item(message),
        }
    }

    /// The next event that is complete.
    ///
    /// # Errors
    ///
    /// [`Violation::Spill`], when a file can't be read back.
    #[inline]
    pub fn poll(&mut self) -> Result<Option<Event>, Violation> {
        loop {
            match self.ready.pop_front() {
                None => return Ok(None),
                Some(Ready::Event(event)) => return Ok(Some(event)),
                Some(Ready::Replay(mut replay)) => {
                    if let Some(event) = replay.next(&self.relations)? {
                        self.ready.push_front(Ready::Replay(replay));
                        return Ok(Some(event));
                    }
                }
            }
        }
    }

    /// Whether every committed transaction that was pushed has been polled to its end. Transactions in progress may
    /// be held back all the same: the server keeps what is needed to send them again.
    pub fn is_idle(&self) -> bool {
        self.ready.is_empty() && matches!(self.state, State::Between | State::Block { .. })
    }

    fn begin(&mut self, begin: pgoutput::Begin) -> Result<(), Violation> {
        let State::Between = self.state else { return Err(self.unexpected(b'B')) };
        let pgoutput::Begin { commit_lsn, commit_time, xid } = begin;
        self.state = State::Begun(Begin { commit_lsn, commit_time, xid, origin: None, gid: None });
        Ok(())
    }

    fn begin_prepare(&mut self, prepare: &pgoutput::Prepare) -> Result<(), Violation> {
        let State::Between = self.state else { return Err(self.unexpected(b'b')) };
        self.state = State::Begun(begin_of(prepare));
        Ok(())
    }

    fn origin(&mut self, origin: Origin) -> Result<(), Violation> {
        match &mut self.state {
            State::Begun(begin) if begin.origin.is_none() => begin.origin = Some(origin),
            State::Block { xid } if self.in_progress.may_have_origin(*xid) => {
                self.in_progress.set_origin(*xid, origin)?;
            }
            _ => return Err(self.unexpected(b'O')),
        }
        Ok(())
    }

    fn commit(&mut self, commit: pgoutput::Commit) -> Result<(), Violation> {
        self.release_begin();
        let State::Inside { commit_lsn, xid, is_prepared: false } = self.state else {
            return Err(self.unexpected(b'C'));
        };
        let pgoutput::Commit { end_lsn, commit_time, .. } = commit;
        if commit.commit_lsn != commit_lsn {
            return Err(Violation::OtherCommit { begun: commit_lsn, committed: commit.commit_lsn });
        }
        self.give(Event::Commit(Commit { commit_lsn, end_lsn, commit_time, xid }));
        self.state = State::Between;
        Ok(())
    }

    fn prepare(&mut self, prepare: pgoutput::Prepare) -> Result<(), Violation> {
        self.release_begin();
        let State::Inside { commit_lsn, xid, is_prepared: true } = self.state else {
            return Err(self.unexpected(b'P'));
        };
        if prepare.prepare_lsn != commit_lsn {
            return Err(Violation::OtherCommit { begun: commit_lsn, committed: prepare.prepare_lsn });
        }
        if prepare.xid != xid {
            return Err(self.unexpected(b'P'));
        }
        self.give(Event::Prepare(Prepare::new(prepare)));
        self.state = State::Between;
        Ok(())
    }

    /// What stands between transactions.
    fn alone(&mut self, tag: u8, event: Event) -> Result<(), Violation> {
        let State::Between = self.state else { return Err(self.unexpected(tag)) };
        self.give(event);
        Ok(())
    }

    #[inline]
    fn give(&mut self, event: Event) {
        self.ready.push_back(Ready::Event(event));
    }

    /// Whatever may stand inside a transaction, in a block or not.
    #[inline]
    fn item(&mut self, message: Message) -> Result<(), Violation> {
        self.release_begin();
        // A server announces inside a transaction; a capture that is read from its middle announces before the first.
        let announcement = matches!(message, Message::Relation(..) | Message::Type(..));
        match self.state {
            State::Between if announcement => self.relations.resolve(message).map(drop),
            State::Inside { .. } => {
                if let Some(event) = self.relations.resolve(message)? {
                    self.give(event);
                }
                Ok(())
            }
            State::Block { xid } => self.hold_back(xid, message),
            State::Between | State::Begun(_) => Err(self.unexpected(message.tag())),
        }
    }

    /// Adds a message to the log of its transaction, which announces by itself whatever it is about.
    fn hold_back(&mut self, top: Xid, mut message: Message) -> Result<(), Violation> {
        if let Message::Relation(_, relation) = message {
            let known = self.relations.receive(relation);
            return self.in_progress.announce(top, known);
        }
        let xid = match &mut message {
            Message::Insert(insert) => {
                self.fits(top, insert.relation_id, [&insert.new])?;
                &mut insert.xid
            }
            Message::Update(update) => {
                let old = update.old.as_ref().map(OldTuple::tuple);
                self.fits(top, update.relation_id, old.into_iter().chain([&update.new]))?;
                &mut update.xid
            }
            Message::Delete(delete) => {
                self.fits(top, delete.relation_id, [delete.old.tuple()])?;
                &mut delete.xid
            }
            Message::Truncate(truncate) => {
                truncate.relation_ids.iter().try_for_each(|&id| self.fits(top, id, []))?;
                &mut truncate.xid
            }
            Message::Message(message) => &mut message.xid,
            _ => return Ok(()),
        };
        // The log is read as a block is, where each message has an id.
        let xid = *xid.get_or_insert(top);
        self.in_progress.append(top, xid, &message)
    }

    /// Sees to it that the log knows the relation, and that rows are of it.
    fn fits<'a>(
        &mut self,
        top: Xid,
        relation_id: RelationId,
        rows: impl IntoIterator<Item = &'a Tuple>,
    ) -> Result<(), Violation> {
        if self.in_progress.announced(top, relation_id).is_none() {
            let known = self.relations.known(relation_id).ok_or(Violation::UnknownRelation(relation_id))?;
            self.in_progress.announce(top, known)?;
        }
        let expected =
            self.in_progress.announced(top, relation_id).map_or(0, |relation| relation.columns.len());
        let found = rows.into_iter().map(Tuple::len).find(|&found| found != expected);
        found.map_or(Ok(()), |found| Err(Violation::ColumnCount { relation_id, expected, found }))
    }

    fn stream_start(&mut self, start: StreamStart) -> Result<(), Violation> {
        let State::Between = self.state else { return Err(self.unexpected(b'S')) };
        self.in_progress.start(start)?;
        self.state = State::Block { xid: start.xid };
        Ok(())
    }

    fn stream_stop(&mut self) -> Result<(), Violation> {
        let State::Block { .. } = self.state else { return Err(self.unexpected(b'E')) };
        self.state = State::Between;
        Ok(())
    }

    fn stream_commit(&mut self, commit: StreamCommit) -> Result<(), Violation> {
        let State::Between = self.state else { return Err(self.unexpected(b'c')) };
        let StreamCommit { xid, commit_lsn, end_lsn, commit_time } = commit;
        let begin = Begin { commit_lsn, commit_time, xid, origin: None, gid: None };
        self.release(begin, Event::Commit(Commit { commit_lsn, end_lsn, commit_time, xid }))
    }

    fn stream_prepare(&mut self, prepare: pgoutput::Prepare) -> Result<(), Violation> {
        let State::Between = self.state else { return Err(self.unexpected(b'p')) };
        self.release(begin_of(&prepare), Event::Prepare(Prepare::new(prepare)))
    }

    /// Lets a transaction go that was held back. What it announced holds for those that follow.
    fn release(&mut self, mut begin: Begin, end: Event) -> Result<(), Violation> {
        let mut ended = self.in_progress.take(begin.xid)?;
        begin.origin = ended.origin.take();
        ended.announced.drain(..).for_each(|known| self.relations.learn(known));
        self.ready.push_back(Ready::Replay(Box::new(Replay::new(begin, ended.messages, end))));
        Ok(())
    }

    fn stream_abort(&mut self, abort: StreamAbort) -> Result<(), Violation> {
        let State::Between = self.state else { return Err(self.unexpected(b'A')) };
        self.in_progress.abort(abort)
    }

    fn release_begin(&mut self) {
        if let State::Begun(begin) = &mut self.state {
            let (commit_lsn, xid, is_prepared) = (begin.commit_lsn, begin.xid, begin.gid.is_some());
            let (origin, gid) = (begin.origin.take(), begin.gid.take());
            let begin = Begin { origin, gid, ..*begin };
            self.give(Event::Begin(begin));
            self.state = State::Inside { commit_lsn, xid, is_prepared };
        }
    }

    #[cold]
    fn unexpected(&self, message: u8) -> Violation {
        let place = match self.state {
            State::Between => "between transactions",
            State::Begun(_) | State::Inside { .. } => "inside a transaction",
            State::Block { .. } => "inside a stream block",
        };
        Violation::Unexpected { message, place }
    }
}

fn begin_of(prepare: &pgoutput::Prepare) -> Begin {
    Begin {
        commit_lsn: prepare.prepare_lsn,
        commit_time: prepare.prepare_time,
        xid: prepare.xid,
        origin: None,
        gid: Some(prepare.gid.clone()),
    }
}
