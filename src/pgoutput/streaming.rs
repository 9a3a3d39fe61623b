//! Stream Start, Stop, Commit and Abort: transactions that are sent before they end (protocol 2 and later).

use bytes::{BufMut, BytesMut};

use super::transaction::no_flags;
use crate::wire::{DecodeError, Reader};
use crate::{Lsn, Timestamp, Xid};

/// `S`: a block of changes of one transaction in progress begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamStart {
    /// The top-level transaction.
    pub xid: Xid,
    /// Whether this is its first block; then whatever was received of it before is void.
    pub first_segment: bool,
}

impl StreamStart {
    pub(super) fn read(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { xid: Xid::new(r.u32()?), first_segment: r.bool("first segment")? })
    }

    pub(super) fn write(self, out: &mut BytesMut) {
        out.put_u32(self.xid.into());
        out.put_u8(self.first_segment.into());
    }
}

/// `c`: a transaction in progress committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamCommit {
    /// The top-level transaction.
    pub xid: Xid,
    /// Where its commit record begins.
    pub commit_lsn: Lsn,
    /// The first byte behind its commit record: the position to acknowledge.
    pub end_lsn: Lsn,
    /// When it committed.
    pub commit_time: Timestamp,
}

impl StreamCommit {
    pub(super) fn read(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let xid = Xid::new(r.u32()?);
        no_flags(r)?;
        Ok(Self {
            xid,
            commit_lsn: Lsn::new(r.u64()?),
            end_lsn: Lsn::new(r.u64()?),
            commit_time: Timestamp::from_micros(r.i64()?),
        })
    }

    pub(super) fn write(&self, out: &mut BytesMut) {
        out.put_u32(self.xid.into());
        out.put_u8(0);
        out.put_u64(self.commit_lsn.into());
        out.put_u64(self.end_lsn.into());
        out.put_i64(self.commit_time.as_micros());
    }
}

/// `A`: what was sent of a transaction in progress, or of one of its subtransactions, is to be discarded.
///
/// Not proof of a rollback: servers 14 and 15 send a transaction again that was acknowledged, and then abort it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamAbort {
    /// The top-level transaction.
    pub xid: Xid,
    /// The subtransaction; the same as `xid` for all of it.
    pub subxid: Xid,
    /// Sent exactly if the option `streaming` is `parallel`.
    pub info: Option<AbortInfo>,
}

/// Where and when a transaction was rolled back. Both are 0 after a crash of the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AbortInfo {
    /// The abort record.
    pub abort_lsn: Lsn,
    /// Its time.
    pub abort_time: Timestamp,
}

impl StreamAbort {
    pub(super) fn read(r: &mut Reader<'_>, parallel: bool) -> Result<Self, DecodeError> {
        let (xid, subxid) = (Xid::new(r.u32()?), Xid::new(r.u32()?));
        let info = if parallel { Some(AbortInfo::read(r)?) } else { None };
        Ok(Self { xid, subxid, info })
    }

    pub(super) fn write(&self, out: &mut BytesMut) {
        out.put_u32(self.xid.into());
        out.put_u32(self.subxid.into());
        if let Some(info) = self.info {
            out.put_u64(info.abort_lsn.into());
            out.put_i64(info.abort_time.as_micros());
        }
    }
}

impl AbortInfo {
    fn read(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { abort_lsn: Lsn::new(r.u64()?), abort_time: Timestamp::from_micros(r.i64()?) })
    }
}
