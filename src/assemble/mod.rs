//! Messages to committed transactions.
//!
//! ```text
//!  B R I U D T M C ──────────────────────────────► Begin Change … Commit
//!  S R I … E   S R I … E   c ──► buffer per xid ──► Begin Change … Commit
//!  S R I … E   A              └► discarded
//! ```

mod relations;
mod streamed;
mod violation;

#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::sync::Arc;

use self::relations::Relations;
use self::streamed::Streamed;
pub use self::violation::Violation;
use crate::event::{Begin, Commit, Event};
use crate::pgoutput::{self, LogicalMessage, Message, Origin, StreamAbort, StreamCommit, StreamStart};
use crate::value::Types;
use crate::{Lsn, Xid};
#[cfg(feature = "net")]
use crate::{RelationId, pgoutput::Relation};

/// Puts messages together into whole committed transactions, in commit order.
///
/// Push each message, then poll events until there is none. A transaction that the server sends before it ends
/// (option `streaming`) is held back until it commits, in memory, up to a limit.
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
/// assert!(matches!(assembler.poll(), Some(Event::Begin(begin)) if begin.xid == Xid::new(7)));
/// assert!(matches!(assembler.poll(), Some(Event::Commit(commit)) if commit.end_lsn() == end_lsn));
/// assert_eq!(assembler.poll(), None);
/// # Ok::<(), walferry::assemble::Violation>(())
/// ```
#[derive(Debug, Default)]
#[must_use = "an assembler that is dropped forgets the transactions that are not complete"]
pub struct Assembler {
    relations: Relations,
    state: State,
    streamed: Streamed,
    ready: VecDeque<Event>,
}

/// Where in the grammar of the stream the next message stands.
#[derive(Debug, Default)]
enum State {
    #[default]
    Between,
    /// Behind a Begin. An Origin may follow, and belongs to it: so the event waits for the next message.
    Begun(Begin),
    /// Between Begin and Commit.
    Inside { commit_lsn: Lsn, xid: Xid },
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
        self.streamed.limit = bytes;
        self
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

    /// What a table was announced as last.
    #[cfg(feature = "net")]
    pub(crate) fn relation(&self, id: RelationId) -> Option<&Relation> {
        self.relations.announced(id)
    }

    /// Takes in one message, in the order of the wire.
    ///
    /// # Errors
    ///
    /// A message that can't stand here, or that the assembler can't hold. The stream can't be followed any further:
    /// start again from the last acknowledged commit, with a new assembler.
    pub fn push(&mut self, message: Message) -> Result<(), Violation> {
        match message {
            Message::Begin(begin) => self.begin(begin),
            Message::Origin(origin) => self.origin(origin),
            Message::Commit(commit) => self.commit(commit),
            Message::StreamStart(start) => self.stream_start(start),
            Message::StreamStop => self.stream_stop(),
            Message::StreamCommit(commit) => self.stream_commit(commit),
            Message::StreamAbort(abort) => self.stream_abort(abort),
            Message::Message(message) if !message.transactional => self.stand_alone(message),
            Message::BeginPrepare(_)
            | Message::Prepare(_)
            | Message::CommitPrepared(_)
            | Message::RollbackPrepared(_)
            | Message::StreamPrepare(_) => Err(Violation::Prepared),
            message => self.item(message),
        }
    }

    /// The next event that is complete.
    pub fn poll(&mut self) -> Option<Event> {
        self.ready.pop_front()
    }

    /// Whether every committed transaction that was pushed has been polled to its end. Transactions in progress may
    /// be held back all the same: the server keeps what is needed to send them again.
    pub fn is_idle(&self) -> bool {
        self.ready.is_empty() && matches!(self.state, State::Between | State::Block { .. })
    }

    fn begin(&mut self, begin: pgoutput::Begin) -> Result<(), Violation> {
        let State::Between = self.state else { return Err(self.unexpected(b'B')) };
        let pgoutput::Begin { commit_lsn, commit_time, xid } = begin;
        self.state = State::Begun(Begin { commit_lsn, commit_time, xid, origin: None });
        Ok(())
    }

    fn origin(&mut self, origin: Origin) -> Result<(), Violation> {
        match &mut self.state {
            State::Begun(begin) if begin.origin.is_none() => begin.origin = Some(origin),
            State::Block { xid } if self.streamed.may_have_origin(*xid) => {
                self.streamed.set_origin(*xid, origin)?;
            }
            _ => return Err(self.unexpected(b'O')),
        }
        Ok(())
    }

    fn commit(&mut self, commit: pgoutput::Commit) -> Result<(), Violation> {
        self.release_begin();
        let State::Inside { commit_lsn, xid } = self.state else { return Err(self.unexpected(b'C')) };
        let pgoutput::Commit { end_lsn, commit_time, .. } = commit;
        if commit.commit_lsn != commit_lsn {
            return Err(Violation::OtherCommit { begun: commit_lsn, committed: commit.commit_lsn });
        }
        self.ready.push_back(Event::Commit(Commit { commit_lsn, end_lsn, commit_time, xid }));
        self.state = State::Between;
        Ok(())
    }

    fn stand_alone(&mut self, message: LogicalMessage) -> Result<(), Violation> {
        let State::Between = self.state else { return Err(self.unexpected(b'M')) };
        self.ready.push_back(Event::Message(message));
        Ok(())
    }

    /// Whatever may stand inside a transaction, in a block or not.
    fn item(&mut self, message: Message) -> Result<(), Violation> {
        self.release_begin();
        // A server announces inside a transaction; a capture that is read from its middle announces before the first.
        let announcement = matches!(message, Message::Relation(..) | Message::Type(..));
        match self.state {
            State::Between if announcement => self.relations.resolve(message).map(drop),
            State::Inside { .. } => {
                if let Some((_, event)) = self.relations.resolve(message)? {
                    self.ready.push_back(event);
                }
                Ok(())
            }
            State::Block { xid: top } => match self.relations.resolve(message)? {
                Some((xid, event)) => self.streamed.append(top, xid.unwrap_or(top), event),
                None => Ok(()),
            },
            State::Between | State::Begun(_) => Err(self.unexpected(message.tag())),
        }
    }

    fn stream_start(&mut self, start: StreamStart) -> Result<(), Violation> {
        let State::Between = self.state else { return Err(self.unexpected(b'S')) };
        self.streamed.start(start)?;
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
        let (origin, events) = self.streamed.take(xid)?;
        self.ready.push_back(Event::Begin(Begin { commit_lsn, commit_time, xid, origin }));
        self.ready.extend(events);
        self.ready.push_back(Event::Commit(Commit { commit_lsn, end_lsn, commit_time, xid }));
        Ok(())
    }

    fn stream_abort(&mut self, abort: StreamAbort) -> Result<(), Violation> {
        let State::Between = self.state else { return Err(self.unexpected(b'A')) };
        self.streamed.abort(abort);
        Ok(())
    }

    fn release_begin(&mut self) {
        if let State::Begun(begin) = &mut self.state {
            let (commit_lsn, xid) = (begin.commit_lsn, begin.xid);
            let origin = begin.origin.take();
            let begin = Begin { origin, ..*begin };
            self.ready.push_back(Event::Begin(begin));
            self.state = State::Inside { commit_lsn, xid };
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
