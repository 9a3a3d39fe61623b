//! Begin, Commit, Origin and Message: what stands around row changes.

use bytes::{BufMut, Bytes, BytesMut};

use crate::wire::{DecodeError, Reader, Write as _};
use crate::{Lsn, Timestamp, Xid};

/// `B`: a transaction that committed begins; its changes follow up to its [`Commit`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Begin {
    /// Where its commit record begins (the server's `final_lsn`).
    pub commit_lsn: Lsn,
    /// When it committed; under a replication origin, the origin's time, which need not grow.
    pub commit_time: Timestamp,
    /// Its id.
    pub xid: Xid,
}

impl Begin {
    #[inline]
    pub(super) fn read(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            commit_lsn: Lsn::new(r.u64()?),
            commit_time: Timestamp::from_micros(r.i64()?),
            xid: Xid::new(r.u32()?),
        })
    }

    pub(super) fn write(&self, out: &mut BytesMut) {
        out.put_u64(self.commit_lsn.into());
        out.put_i64(self.commit_time.as_micros());
        out.put_u32(self.xid.into());
    }
}

/// `C`: the transaction that the last [`Begin`] opened is complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Commit {
    /// Where its commit record begins.
    pub commit_lsn: Lsn,
    /// The first byte behind its commit record: the position to acknowledge.
    pub end_lsn: Lsn,
    /// When it committed.
    pub commit_time: Timestamp,
}

impl Commit {
    #[inline]
    pub(super) fn read(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        no_flags(r)?;
        Ok(Self {
            commit_lsn: Lsn::new(r.u64()?),
            end_lsn: Lsn::new(r.u64()?),
            commit_time: Timestamp::from_micros(r.i64()?),
        })
    }

    pub(super) fn write(&self, out: &mut BytesMut) {
        out.put_u8(0);
        out.put_u64(self.commit_lsn.into());
        out.put_u64(self.end_lsn.into());
        out.put_i64(self.commit_time.as_micros());
    }
}

/// No flag is defined for the messages that end a transaction (logicalproto.h).
pub(super) fn no_flags(r: &mut Reader<'_>) -> Result<(), DecodeError> {
    r.flags("flags", "0", 0).map(drop)
}

/// `O`: the transaction came to this server from another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// Where it committed on that server; 0 in a stream block.
    pub commit_lsn: Lsn,
    /// The name of the replication origin.
    pub name: String,
}

impl Origin {
    pub(super) fn read(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { commit_lsn: Lsn::new(r.u64()?), name: r.string()?.to_owned() })
    }

    pub(super) fn write(&self, out: &mut BytesMut) {
        out.put_u64(self.commit_lsn.into());
        out.put_string(&self.name);
    }
}

/// `M`: what someone passed to `pg_logical_emit_message`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogicalMessage {
    /// Inside a stream block the id of the *top-level* transaction, also when a subtransaction emitted it. None in an
    /// event, which belongs to the transaction around it.
    pub xid: Option<Xid>,
    /// Whether it belongs to the transaction around it. If not, it was delivered at once, and stands even when its
    /// transaction was rolled back.
    pub transactional: bool,
    /// The first byte behind its record.
    pub lsn: Lsn,
    /// Whose message it is.
    pub prefix: String,
    /// Raw bytes, in no encoding.
    pub content: Bytes,
}

impl LogicalMessage {
    pub(super) fn read(xid: Option<Xid>, r: &mut Reader<'_>, payload: &Bytes) -> Result<Self, DecodeError> {
        let transactional = r.flags("flags", "0 or 1 (transactional)", 1)? == 1;
        let lsn = Lsn::new(r.u64()?);
        let prefix = r.string()?.to_owned();
        let length = r.length("content length")?;
        Ok(Self { xid, transactional, lsn, prefix, content: payload.slice_ref(r.take(length)?) })
    }

    pub(super) fn write(&self, out: &mut BytesMut) {
        super::write_xid(out, self.xid);
        out.put_u8(self.transactional.into());
        out.put_u64(self.lsn.into());
        out.put_string(&self.prefix);
        out.put_length(self.content.len());
        out.put_slice(&self.content);
    }
}
