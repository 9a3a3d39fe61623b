//! CopyData payloads of a replication connection: what wraps every pgoutput message, and what answers it.
//!
//! Source: PostgreSQL manual, "Streaming Replication Protocol".

use bytes::{Buf, BufMut, Bytes, BytesMut};

use crate::wire::{DecodeError, DecodeErrorKind, Reader};
use crate::{Lsn, Timestamp};

/// One CopyData payload from the server.
///
/// ```
/// use walferry::frame::Frame;
///
/// // 'k', the end of the server's WAL, its clock, and no wish for an answer.
/// let keepalive = [b"k".as_slice(), &0x16_0000_0000_u64.to_be_bytes(), &0_i64.to_be_bytes(), &[0]].concat();
/// let Frame::PrimaryKeepalive(keepalive) = Frame::decode(keepalive.into())? else { unreachable!() };
/// assert_eq!(keepalive.wal_end.to_string(), "16/0");
/// # Ok::<(), walferry::pgoutput::DecodeError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Frame {
    /// One message of the output plugin.
    XLogData(XLogData),
    /// How far the server is, and whether it wants an answer.
    PrimaryKeepalive(PrimaryKeepalive),
    /// A payload of a later protocol. It holds no change: changes come in [`Frame::XLogData`] only, so a reader
    /// counts it and goes on, as the server's own worker does.
    Unknown {
        /// Its first byte.
        tag: u8,
    },
}

/// `w`: one message of the output plugin, and where it stood in the WAL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct XLogData {
    /// The record of the change; 0 for Relation, Type, and what precedes them. Not a measure of progress: it goes
    /// backwards when transactions overlap.
    pub start: Lsn,
    /// The same as `start` in logical decoding.
    pub end: Lsn,
    /// The server's clock when it sent this.
    pub clock: Timestamp,
    /// Exactly one pgoutput message.
    pub payload: Bytes,
}

/// `k`: how far the server is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PrimaryKeepalive {
    /// Everything below was sent.
    pub wal_end: Lsn,
    /// The server's clock when it sent this.
    pub clock: Timestamp,
    /// Whether the server ends the connection unless a status update follows soon.
    pub reply_requested: bool,
}

/// `r`: what the client has, sent to the server. [`flushed`](Self::flushed) moves the slot and lets the server
/// remove WAL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StandbyStatusUpdate {
    /// Received up to here.
    pub written: Lsn,
    /// Durable up to here; 0 makes no statement.
    pub flushed: Lsn,
    /// Visible to readers up to here.
    pub applied: Lsn,
    /// The client's clock.
    pub clock: Timestamp,
    /// Whether the server shall answer with a keepalive at once.
    pub reply_requested: bool,
}

impl Frame {
    /// Reads one CopyData payload. The message inside stays bytes: see [`Decoder`](crate::pgoutput::Decoder).
    ///
    /// # Errors
    ///
    /// A payload that is empty, cut short or too long, or with a reply flag other than 0 and 1.
    #[inline]
    pub fn decode(mut payload: Bytes) -> Result<Self, DecodeError> {
        let (tag, mut reader) = Reader::open(&payload)?;
        match tag {
            b'w' => {
                let start = Lsn::new(reader.u64()?);
                let end = Lsn::new(reader.u64()?);
                let clock = Timestamp::from_micros(reader.i64()?);
                let header = reader.offset();
                payload.advance(header);
                Ok(Self::XLogData(XLogData { start, end, clock, payload }))
            }
            b'k' => {
                let keepalive = PrimaryKeepalive {
                    wal_end: Lsn::new(reader.u64()?),
                    clock: Timestamp::from_micros(reader.i64()?),
                    reply_requested: reader.bool("reply request")?,
                };
                reader.finish()?;
                Ok(Self::PrimaryKeepalive(keepalive))
            }
            tag => Ok(Self::Unknown { tag }),
        }
    }
}

impl XLogData {
    /// The payload as a server sends it.
    pub fn encode(&self) -> Bytes {
        let mut out = BytesMut::with_capacity(25 + self.payload.len());
        out.put_u8(b'w');
        out.put_u64(self.start.into());
        out.put_u64(self.end.into());
        out.put_i64(self.clock.as_micros());
        out.put_slice(&self.payload);
        out.freeze()
    }
}

impl PrimaryKeepalive {
    /// The payload as a server sends it.
    pub fn encode(&self) -> Bytes {
        let mut out = BytesMut::with_capacity(18);
        out.put_u8(b'k');
        out.put_u64(self.wal_end.into());
        out.put_i64(self.clock.as_micros());
        out.put_u8(self.reply_requested.into());
        out.freeze()
    }
}

impl StandbyStatusUpdate {
    /// Reads a status update as a server does; for tests that play the server.
    ///
    /// # Errors
    ///
    /// Anything but the 34 bytes of a status update.
    pub fn decode(payload: &[u8]) -> Result<Self, DecodeError> {
        let (tag, mut reader) = Reader::open(payload)?;
        if tag != b'r' {
            return Err(DecodeError::new(tag, 0, DecodeErrorKind::UnknownMessage));
        }
        let update = Self {
            written: Lsn::new(reader.u64()?),
            flushed: Lsn::new(reader.u64()?),
            applied: Lsn::new(reader.u64()?),
            clock: Timestamp::from_micros(reader.i64()?),
            reply_requested: reader.bool("reply request")?,
        };
        reader.finish()?;
        Ok(update)
    }

    /// The payload as the client sends it.
    pub fn encode(&self) -> Bytes {
        let mut out = BytesMut::with_capacity(34);
        out.put_u8(b'r');
        out.put_u64(self.written.into());
        out.put_u64(self.flushed.into());
        out.put_u64(self.applied.into());
        out.put_i64(self.clock.as_micros());
        out.put_u8(self.reply_requested.into());
        out.freeze()
    }
}
