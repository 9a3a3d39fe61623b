//! Begin Prepare, Prepare, Stream Prepare, Commit Prepared and Rollback Prepared: two-phase commit.
//!
//! A slot that was made for two-phase commit sends these to every client, also to one that asked for protocol 1.

use bytes::{BufMut, BytesMut};

use super::transaction::no_flags;
use crate::wire::{DecodeError, Reader, Write as _};
use crate::{Lsn, Timestamp, Xid};

/// `b` without flags; `P` and `p` behind their flags: a transaction at its PREPARE.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prepare {
    /// Where its prepare record begins.
    pub prepare_lsn: Lsn,
    /// The first byte behind its prepare record: the position to acknowledge.
    pub end_lsn: Lsn,
    /// When it was prepared.
    pub prepare_time: Timestamp,
    /// Its id.
    pub xid: Xid,
    /// Its global identifier: arbitrary text of at most 199 bytes.
    pub gid: String,
}

impl Prepare {
    pub(super) fn read_begin(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            prepare_lsn: Lsn::new(r.u64()?),
            end_lsn: Lsn::new(r.u64()?),
            prepare_time: Timestamp::from_micros(r.i64()?),
            xid: Xid::new(r.u32()?),
            gid: r.string()?.to_owned(),
        })
    }

    pub(super) fn write_begin(&self, out: &mut BytesMut) {
        out.put_u64(self.prepare_lsn.into());
        out.put_u64(self.end_lsn.into());
        out.put_i64(self.prepare_time.as_micros());
        out.put_u32(self.xid.into());
        out.put_string(&self.gid);
    }

    pub(super) fn read(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        no_flags(r)?;
        Self::read_begin(r)
    }

    pub(super) fn write(&self, out: &mut BytesMut) {
        out.put_u8(0);
        self.write_begin(out);
    }
}

/// `K`: a prepared transaction was committed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommitPrepared {
    /// Where the record of COMMIT PREPARED begins.
    pub commit_lsn: Lsn,
    /// The first byte behind it: the position to acknowledge.
    pub end_lsn: Lsn,
    /// When it was committed.
    pub commit_time: Timestamp,
    /// The transaction's id.
    pub xid: Xid,
    /// Its global identifier.
    pub gid: String,
}

impl CommitPrepared {
    pub(super) fn read(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        no_flags(r)?;
        Ok(Self {
            commit_lsn: Lsn::new(r.u64()?),
            end_lsn: Lsn::new(r.u64()?),
            commit_time: Timestamp::from_micros(r.i64()?),
            xid: Xid::new(r.u32()?),
            gid: r.string()?.to_owned(),
        })
    }

    pub(super) fn write(&self, out: &mut BytesMut) {
        out.put_u8(0);
        out.put_u64(self.commit_lsn.into());
        out.put_u64(self.end_lsn.into());
        out.put_i64(self.commit_time.as_micros());
        out.put_u32(self.xid.into());
        out.put_string(&self.gid);
    }
}

/// `r`: a prepared transaction was rolled back. It may be one that was never sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RollbackPrepared {
    /// The `end_lsn` of its [`Prepare`].
    pub prepare_end_lsn: Lsn,
    /// The first byte behind the record of ROLLBACK PREPARED: the position to acknowledge.
    pub rollback_end_lsn: Lsn,
    /// When it was prepared.
    pub prepare_time: Timestamp,
    /// When it was rolled back.
    pub rollback_time: Timestamp,
    /// The transaction's id.
    pub xid: Xid,
    /// Its global identifier.
    pub gid: String,
}

impl RollbackPrepared {
    pub(super) fn read(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        no_flags(r)?;
        Ok(Self {
            prepare_end_lsn: Lsn::new(r.u64()?),
            rollback_end_lsn: Lsn::new(r.u64()?),
            prepare_time: Timestamp::from_micros(r.i64()?),
            rollback_time: Timestamp::from_micros(r.i64()?),
            xid: Xid::new(r.u32()?),
            gid: r.string()?.to_owned(),
        })
    }

    pub(super) fn write(&self, out: &mut BytesMut) {
        out.put_u8(0);
        out.put_u64(self.prepare_end_lsn.into());
        out.put_u64(self.rollback_end_lsn.into());
        out.put_i64(self.prepare_time.as_micros());
        out.put_i64(self.rollback_time.as_micros());
        out.put_u32(self.xid.into());
        out.put_string(&self.gid);
    }
}
