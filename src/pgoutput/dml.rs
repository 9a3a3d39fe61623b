//! Insert, Update, Delete and Truncate. Reading the first three allocates nothing.

#![expect(
    clippy::inline_always,
    reason = "a row that isn't read in registers takes twice the time: benches/decode.rs"
)]

use std::collections::HashMap;

use bytes::{BufMut, Bytes, BytesMut};

use super::tuple::{self, Tuple};
use super::write_xid;
use crate::wire::{DecodeError, DecodeErrorKind, Reader, Write as _};
use crate::{RelationId, Xid};

/// `I`: a row was inserted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Insert {
    /// Inside a stream block the (sub)transaction that did it.
    pub xid: Option<Xid>,
    /// The table.
    pub relation_id: RelationId,
    /// The row. May hold [`Unchanged`](super::Datum::Unchanged) where a row filter made an UPDATE into an INSERT.
    pub new: Tuple,
}

impl Insert {
    #[inline(always)]
    pub(super) fn read(payload: Bytes, relations: &mut Relations) -> Result<Self, DecodeError> {
        let mut r = RowReader::open(&payload, relations)?;
        r.marker("N", |marker| (marker == b'N').then_some(()))?;
        let new = r.tuple()?;
        let (xid, relation_id) = r.finish()?;
        Ok(Self { xid, relation_id, new: new.take(payload) })
    }

    pub(super) fn write(&self, out: &mut BytesMut) {
        write_xid(out, self.xid);
        out.put_u32(self.relation_id.into());
        out.put_u8(b'N');
        self.new.write(out);
    }
}

/// What an UPDATE or DELETE says of the row as it was.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "complete by protocol definition")]
pub enum OldTuple {
    /// `K`: the columns of the replica identity; all others are NULL here, whatever they were.
    Key(Tuple),
    /// `O`: the whole row, under full replica identity.
    Full(Tuple),
}

impl OldTuple {
    #[inline]
    fn wrap(marker: u8, tuple: Tuple) -> Self {
        if marker == b'K' { Self::Key(tuple) } else { Self::Full(tuple) }
    }

    /// The columns, whichever they are.
    pub(crate) fn tuple(&self) -> &Tuple {
        match self {
            Self::Key(tuple) | Self::Full(tuple) => tuple,
        }
    }

    fn write(&self, out: &mut BytesMut) {
        let (marker, tuple) = match self {
            Self::Key(tuple) => (b'K', tuple),
            Self::Full(tuple) => (b'O', tuple),
        };
        out.put_u8(marker);
        tuple.write(out);
    }
}

/// `U`: a row was updated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Update {
    /// Inside a stream block the (sub)transaction that did it.
    pub xid: Option<Xid>,
    /// The table.
    pub relation_id: RelationId,
    /// The row as it was: always under full identity, otherwise only if the key changed or is stored out of line.
    pub old: Option<OldTuple>,
    /// The row as it is.
    pub new: Tuple,
}

impl Update {
    #[inline(always)]
    pub(super) fn read(payload: Bytes, relations: &mut Relations) -> Result<Self, DecodeError> {
        let mut r = RowReader::open(&payload, relations)?;
        let marker =
            r.marker("K, O or N", |marker| matches!(marker, b'K' | b'O' | b'N').then_some(marker))?;
        let old = if marker == b'N' { None } else { Some(r.tuple()?) };
        if old.is_some() {
            r.marker("N", |marker| (marker == b'N').then_some(()))?;
        }
        let new = r.tuple()?;
        let (xid, relation_id) = r.finish()?;
        let old = old.map(|old| OldTuple::wrap(marker, old.share(&payload)));
        Ok(Self { xid, relation_id, old, new: new.take(payload) })
    }

    pub(super) fn write(&self, out: &mut BytesMut) {
        write_xid(out, self.xid);
        out.put_u32(self.relation_id.into());
        if let Some(old) = &self.old {
            old.write(out);
        }
        out.put_u8(b'N');
        self.new.write(out);
    }
}

/// `D`: a row was deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delete {
    /// Inside a stream block the (sub)transaction that did it.
    pub xid: Option<Xid>,
    /// The table.
    pub relation_id: RelationId,
    /// The row as it was.
    pub old: OldTuple,
}

impl Delete {
    #[inline(always)]
    pub(super) fn read(payload: Bytes, relations: &mut Relations) -> Result<Self, DecodeError> {
        let mut r = RowReader::open(&payload, relations)?;
        let marker = r.marker("K or O", |marker| matches!(marker, b'K' | b'O').then_some(marker))?;
        let old = r.tuple()?;
        let (xid, relation_id) = r.finish()?;
        Ok(Self { xid, relation_id, old: OldTuple::wrap(marker, old.take(payload)) })
    }

    pub(super) fn write(&self, out: &mut BytesMut) {
        write_xid(out, self.xid);
        out.put_u32(self.relation_id.into());
        self.old.write(out);
    }
}

/// `T`: tables were emptied, in one statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Truncate {
    /// Inside a stream block the (sub)transaction that did it.
    pub xid: Option<Xid>,
    /// Whether the statement said CASCADE. The published tables that it reached are in the list.
    pub cascade: bool,
    /// Whether the statement said RESTART IDENTITY.
    pub restart_identity: bool,
    /// The tables.
    pub relation_ids: Vec<RelationId>,
}

const CASCADE: u8 = 1;
const RESTART_IDENTITY: u8 = 2;

impl Truncate {
    pub(super) fn read(xid: Option<Xid>, r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let count = r.length("number of relations")?;
        let flags =
            r.flags("options", "1 (CASCADE), 2 (RESTART IDENTITY) or both", CASCADE | RESTART_IDENTITY)?;
        let mut relation_ids = Vec::with_capacity(count.min(r.left() / size_of::<RelationId>()));
        for _ in 0..count {
            relation_ids.push(RelationId::new(r.u32()?));
        }
        Ok(Self {
            xid,
            cascade: flags & CASCADE != 0,
            restart_identity: flags & RESTART_IDENTITY != 0,
            relation_ids,
        })
    }

    pub(super) fn write(&self, out: &mut BytesMut) {
        write_xid(out, self.xid);
        out.put_length(self.relation_ids.len());
        let cascade = if self.cascade { CASCADE } else { 0 };
        let restart_identity = if self.restart_identity { RESTART_IDENTITY } else { 0 };
        out.put_u8(cascade | restart_identity);
        for &id in &self.relation_ids {
            out.put_u32(id.into());
        }
    }
}

/// How many relations are looked up without a hash, if their ids don't collide.
const RECENT: usize = 16;

/// What a decoder must know to read row changes.
#[derive(Debug, Clone, Default)]
pub(super) struct Relations {
    /// Whether a transaction id precedes the fields: only between Stream Start and Stream Stop.
    pub(super) in_stream_block: bool,
    columns: HashMap<RelationId, u16>,
    /// Rows come of few relations at a time. Those of late, each where its id says, spare most lookups.
    recent: [Option<(RelationId, u16)>; RECENT],
}

impl Relations {
    /// The latest announcement counts, also one from a transaction that is rolled back later: whatever changes a
    /// table makes the server announce it again to everyone.
    pub(super) fn announce(&mut self, id: RelationId, columns: usize) {
        // A Relation counts its columns in 15 bits.
        self.columns.insert(id, u16::try_from(columns).unwrap_or(u16::MAX));
        *self.recent(id) = None;
    }

    #[expect(clippy::indexing_slicing, reason = "a remainder by the length is within it")]
    #[inline(always)]
    fn recent(&mut self, id: RelationId) -> &mut Option<(RelationId, u16)> {
        let [.., low] = u32::from(id).to_be_bytes();
        &mut self.recent[usize::from(low) % RECENT]
    }

    #[inline(always)]
    fn columns_of(&mut self, id: RelationId) -> Option<u16> {
        match *self.recent(id) {
            Some((recent, columns)) if recent == id => Some(columns),
            _ => self.look_up(id),
        }
    }

    #[inline(never)]
    fn look_up(&mut self, id: RelationId) -> Option<u16> {
        let columns = *self.columns.get(&id)?;
        *self.recent(id) = Some((id, columns));
        Some(columns)
    }

    /// Reads the transaction id of a message that has one in a stream block.
    #[inline]
    pub(super) fn xid(&self, r: &mut Reader<'_>) -> Result<Option<Xid>, DecodeError> {
        if self.in_stream_block { r.u32().map(|xid| Some(Xid::new(xid))) } else { Ok(None) }
    }
}

/// Reads one row change: the head that all three have, then markers and tuples.
struct RowReader<'a> {
    reader: Reader<'a>,
    xid: Option<Xid>,
    relation_id: RelationId,
    columns: u16,
}

impl<'a> RowReader<'a> {
    #[inline(always)]
    fn open(payload: &'a [u8], relations: &mut Relations) -> Result<Self, DecodeError> {
        let (_, mut reader) = Reader::open(payload)?;
        let xid = relations.xid(&mut reader)?;
        let relation_id = RelationId::new(reader.u32()?);
        let Some(columns) = relations.columns_of(relation_id) else {
            let in_stream_block = relations.in_stream_block;
            return Err(
                reader.fail_behind(4, DecodeErrorKind::UnknownRelation { relation_id, in_stream_block })
            );
        };
        Ok(Self { reader, xid, relation_id, columns })
    }

    #[inline(always)]
    fn marker<T>(
        &mut self,
        expected: &'static str,
        parse: impl FnOnce(u8) -> Option<T>,
    ) -> Result<T, DecodeError> {
        self.reader.byte_as("tuple marker", expected, parse)
    }

    #[inline(always)]
    fn tuple(&mut self) -> Result<Span, DecodeError> {
        let found = self.reader.count_i16("number of columns")?;
        if found != self.columns {
            return Err(self.reader.fail_behind(
                2,
                DecodeErrorKind::ColumnCount {
                    relation_id: self.relation_id,
                    expected: self.columns.into(),
                    found: found.into(),
                },
            ));
        }
        let start = self.reader.offset();
        tuple::skip(&mut self.reader, found)?;
        Ok(Span { columns: found, start, end: self.reader.offset() })
    }

    #[inline(always)]
    fn finish(self) -> Result<(Option<Xid>, RelationId), DecodeError> {
        self.reader.finish()?;
        Ok((self.xid, self.relation_id))
    }
}

/// Where in the message a tuple lies that was walked.
struct Span {
    columns: u16,
    start: usize,
    end: usize,
}

impl Span {
    /// Takes the message over instead of sharing it: a reference count costs as much as walking three columns.
    #[inline(always)]
    fn take(&self, message: Bytes) -> Tuple {
        Tuple::from_checked(self.columns, self.start, message)
    }

    /// Where another tuple follows.
    fn share(&self, message: &Bytes) -> Tuple {
        self.take(message.slice(..self.end))
    }
}
