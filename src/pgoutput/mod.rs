//! The messages of the `pgoutput` plugin, protocol 1 to 4: read, and written.
//!
//! Nineteen messages, named as in the server's `logicalproto.h`. The decoder is strict: a byte that the layout
//! doesn't name, a flag that isn't defined, a length that doesn't fit is a [`DecodeError`] that says where.
//!
//! Source: PostgreSQL manual, "Logical Replication Message Formats", and `src/backend/replication/logical/proto.c`.

mod dml;
mod prepared;
mod relation;
mod streaming;
mod transaction;
mod tuple;

#[cfg(test)]
pub(crate) mod tests;

use bytes::{BufMut, Bytes, BytesMut};

pub use self::dml::{Delete, Insert, OldTuple, Truncate, Update};
pub use self::prepared::{CommitPrepared, Prepare, RollbackPrepared};
pub use self::relation::{Column, Relation, ReplicaIdentity, Type};
pub use self::streaming::{AbortInfo, StreamAbort, StreamCommit, StreamStart};
pub use self::transaction::{Begin, Commit, LogicalMessage, Origin};
pub use self::tuple::{Datum, Datums, Tuple};
use crate::wire::Reader;
pub use crate::wire::{DecodeError, DecodeErrorKind};
use crate::{Lsn, Xid};

/// One message of the output plugin.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "complete by protocol definition; a new protocol version is opted into"
)]
pub enum Message {
    /// `B`
    Begin(Begin),
    /// `C`
    Commit(Commit),
    /// `O`
    Origin(Origin),
    /// `R`, with the transaction that it was sent in, inside a stream block.
    Relation(Option<Xid>, Relation),
    /// `Y`, with the transaction that it was sent in, inside a stream block.
    Type(Option<Xid>, Type),
    /// `I`
    Insert(Insert),
    /// `U`
    Update(Update),
    /// `D`
    Delete(Delete),
    /// `T`
    Truncate(Truncate),
    /// `M`
    Message(LogicalMessage),
    /// `S`
    StreamStart(StreamStart),
    /// `E`
    StreamStop,
    /// `c`
    StreamCommit(StreamCommit),
    /// `A`
    StreamAbort(StreamAbort),
    /// `b`
    BeginPrepare(Prepare),
    /// `P`
    Prepare(Prepare),
    /// `K`
    CommitPrepared(CommitPrepared),
    /// `r`
    RollbackPrepared(RollbackPrepared),
    /// `p`
    StreamPrepare(Prepare),
}

/// Reads messages in the order in which the server sent them.
///
/// Two things depend on what came before: whether a transaction id precedes the fields (only between Stream Start
/// and Stream Stop), and how many columns a relation has. So one decoder serves one connection from its start, and a
/// new connection takes a new decoder. After an error the messages that follow mean nothing.
///
/// ```
/// use walferry::pgoutput::{Decoder, Message};
///
/// let begin = [b"B".as_slice(), &[0; 7], &[9], &[0; 8], &1067_u32.to_be_bytes()].concat();
/// let Message::Begin(begin) = Decoder::new().decode(begin.into())? else { unreachable!() };
/// assert_eq!((begin.commit_lsn.to_string(), begin.xid.into()), ("0/9".to_owned(), 1067_u32));
/// # Ok::<(), walferry::pgoutput::DecodeError>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct Decoder {
    relations: dml::Relations,
    parallel: bool,
}

impl Decoder {
    /// A decoder at the start of a connection.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether the stream was started with the option `streaming` set to `parallel`: then, and only then, Stream
    /// Abort says where and when.
    #[must_use = "the decoder that was given is moved into the one returned"]
    pub fn parallel_streaming(mut self, parallel: bool) -> Self {
        self.parallel = parallel;
        self
    }

    /// A decoder between Stream Start and Stream Stop, which knows no relation.
    pub(crate) fn inside_stream_block() -> Self {
        let mut decoder = Self::new();
        decoder.relations.in_stream_block = true;
        decoder
    }

    /// Reads one message: the payload of one [`XLogData`](crate::frame::XLogData).
    ///
    /// Allocates nothing for Insert, Update and Delete; their tuples keep `payload` alive.
    ///
    /// # Errors
    ///
    /// Bytes that no server sends, or a row of a relation that was not announced.
    #[expect(clippy::inline_always, reason = "as in dml.rs")]
    #[inline(always)]
    pub fn decode(&mut self, payload: Bytes) -> Result<Message, DecodeError> {
        match payload.first() {
            Some(b'I') => Insert::read(payload, &mut self.relations).map(Message::Insert),
            Some(b'U') => Update::read(payload, &mut self.relations).map(Message::Update),
            Some(b'D') => Delete::read(payload, &mut self.relations).map(Message::Delete),
            Some(b'B') => decode_begin(&payload),
            Some(b'C') => decode_commit(&payload),
            _ => self.decode_other(&payload),
        }
    }

    #[inline(never)]
    fn decode_other(&mut self, payload: &Bytes) -> Result<Message, DecodeError> {
        let (tag, mut reader) = Reader::open(payload)?;
        let r = &mut reader;
        let message = match tag {
            b'O' => Message::Origin(Origin::read(r)?),
            b'R' => Message::Relation(self.relations.xid(r)?, Relation::read(r)?),
            b'Y' => Message::Type(self.relations.xid(r)?, Type::read(r)?),
            b'T' => Message::Truncate(Truncate::read(self.relations.xid(r)?, r)?),
            b'M' => Message::Message(LogicalMessage::read(self.relations.xid(r)?, r, payload)?),
            b'S' => Message::StreamStart(StreamStart::read(r)?),
            b'E' => Message::StreamStop,
            b'c' => Message::StreamCommit(StreamCommit::read(r)?),
            b'A' => Message::StreamAbort(StreamAbort::read(r, self.parallel)?),
            b'b' => Message::BeginPrepare(Prepare::read_begin(r)?),
            b'P' => Message::Prepare(Prepare::read(r)?),
            b'K' => Message::CommitPrepared(CommitPrepared::read(r)?),
            b'r' => Message::RollbackPrepared(RollbackPrepared::read(r)?),
            b'p' => Message::StreamPrepare(Prepare::read(r)?),
            _ => return Err(DecodeError::new(tag, 0, DecodeErrorKind::UnknownMessage)),
        };
        reader.finish()?;
        self.remember(&message);
        Ok(message)
    }

    fn remember(&mut self, message: &Message) {
        match message {
            Message::Relation(_, relation) => self.relations.announce(relation.id, relation.columns.len()),
            Message::StreamStart(_) => self.relations.in_stream_block = true,
            Message::StreamStop => self.relations.in_stream_block = false,
            _ => {}
        }
    }
}

impl Message {
    /// The byte that the message begins with.
    pub fn tag(&self) -> u8 {
        match self {
            Self::Begin(_) => b'B',
            Self::Commit(_) => b'C',
            Self::Origin(_) => b'O',
            Self::Relation(..) => b'R',
            Self::Type(..) => b'Y',
            Self::Insert(_) => b'I',
            Self::Update(_) => b'U',
            Self::Delete(_) => b'D',
            Self::Truncate(_) => b'T',
            Self::Message(_) => b'M',
            Self::StreamStart(_) => b'S',
            Self::StreamStop => b'E',
            Self::StreamCommit(_) => b'c',
            Self::StreamAbort(_) => b'A',
            Self::BeginPrepare(_) => b'b',
            Self::Prepare(_) => b'P',
            Self::CommitPrepared(_) => b'K',
            Self::RollbackPrepared(_) => b'r',
            Self::StreamPrepare(_) => b'p',
        }
    }

    /// Whether it begins or ends a transaction that commits behind `stop`: commits come in the order of the WAL, so
    /// nothing that follows commits before.
    pub(crate) fn commits_behind(&self, stop: Option<Lsn>) -> bool {
        let commit_lsn = match self {
            Self::Begin(begin) => begin.commit_lsn,
            Self::StreamCommit(commit) => commit.commit_lsn,
            Self::BeginPrepare(prepare) | Self::StreamPrepare(prepare) => prepare.prepare_lsn,
            Self::CommitPrepared(commit) => commit.commit_lsn,
            // The record's own beginning isn't sent.
            Self::RollbackPrepared(rollback) => rollback.rollback_end_lsn,
            _ => return false,
        };
        stop.is_some_and(|stop| commit_lsn > stop)
    }

    /// The bytes as a server sends them: what [`Decoder::decode`] reads.
    pub fn encode(&self) -> Bytes {
        let mut out = BytesMut::new();
        self.write(&mut out);
        out.freeze()
    }

    /// The same, behind what is there.
    pub(crate) fn write(&self, out: &mut BytesMut) {
        out.put_u8(self.tag());
        self.write_fields(out);
    }

    /// About how many bytes that takes; where there are many, they are counted.
    pub(crate) fn byte_len(&self) -> usize {
        const HEAD: usize = 64;
        HEAD + match self {
            Self::Insert(insert) => insert.new.byte_len(),
            Self::Update(update) => {
                update.old.as_ref().map_or(0, |old| old.tuple().byte_len()) + update.new.byte_len()
            }
            Self::Delete(delete) => delete.old.tuple().byte_len(),
            Self::Message(message) => message.prefix.len() + message.content.len(),
            _ => 0,
        }
    }

    fn write_fields(&self, out: &mut BytesMut) {
        match self {
            Self::Begin(begin) => begin.write(out),
            Self::Commit(commit) => commit.write(out),
            Self::Origin(origin) => origin.write(out),
            Self::Relation(xid, relation) => {
                write_xid(out, *xid);
                relation.write(out);
            }
            Self::Type(xid, r#type) => {
                write_xid(out, *xid);
                r#type.write(out);
            }
            Self::Insert(insert) => insert.write(out),
            Self::Update(update) => update.write(out),
            Self::Delete(delete) => delete.write(out),
            Self::Truncate(truncate) => truncate.write(out),
            Self::Message(message) => message.write(out),
            Self::StreamStart(start) => start.write(out),
            Self::StreamStop => {}
            Self::StreamCommit(commit) => commit.write(out),
            Self::StreamAbort(abort) => abort.write(out),
            Self::BeginPrepare(prepare) => prepare.write_begin(out),
            Self::Prepare(prepare) | Self::StreamPrepare(prepare) => prepare.write(out),
            Self::CommitPrepared(commit) => commit.write(out),
            Self::RollbackPrepared(rollback) => rollback.write(out),
        }
    }
}

// These two by themselves: beside rows, their fields would be stored byte by byte.
#[inline(never)]
fn decode_begin(message: &[u8]) -> Result<Message, DecodeError> {
    whole(message, Begin::read).map(Message::Begin)
}

#[inline(never)]
fn decode_commit(message: &[u8]) -> Result<Message, DecodeError> {
    whole(message, Commit::read).map(Message::Commit)
}

/// Reads a message to its end.
#[expect(clippy::inline_always, reason = "as in dml.rs")]
#[inline(always)]
fn whole<'a, T>(
    message: &'a [u8],
    read: impl FnOnce(&mut Reader<'a>) -> Result<T, DecodeError>,
) -> Result<T, DecodeError> {
    let (_, mut reader) = Reader::open(message)?;
    let read = read(&mut reader)?;
    reader.finish()?;
    Ok(read)
}

fn write_xid(out: &mut BytesMut, xid: Option<Xid>) {
    if let Some(xid) = xid {
        out.put_u32(xid.into());
    }
}
