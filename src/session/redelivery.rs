//! What comes again although it is durable: after a crash a server may have forgotten what was acknowledged.

use super::SessionError;
use crate::Lsn;
use crate::event::{Acknowledge as _, Event};

/// Leaves out whole transactions that ended before a position, which is the end of one.
///
/// The server's own rule is used: a transaction is durable if its commit record *begins* before the position. A position
/// inside of a transaction says nothing, since all its changes may share one, and the end of one commit may be where
/// the next begins.
#[derive(Debug, Default)]
pub(crate) struct Redelivery {
    resume_lsn: Lsn,
    skipping: Option<Lsn>,
    skipped: u64,
}

impl Redelivery {
    pub(crate) fn resume_from(&mut self, lsn: Lsn) {
        self.resume_lsn = self.resume_lsn.max(lsn);
    }

    /// How many transactions were left out.
    pub(crate) fn skipped(&self) -> u64 {
        self.skipped
    }

    /// Whether the event is new: no part of what was durable before.
    #[inline]
    pub(crate) fn passes(&mut self, event: &Event) -> Result<bool, SessionError> {
        if let Event::Begin(begin) = event {
            self.skipping = (begin.commit_lsn < self.resume_lsn).then_some(begin.commit_lsn);
        }
        let Some(end_lsn) = event.position() else {
            return Ok(self.skipping.is_none());
        };
        let commit_lsn = match event {
            Event::Commit(_) | Event::Prepare(_) => self.skipping.take(),
            Event::CommitPrepared(commit) => self.before(commit.message().commit_lsn),
            // Of these, no more is known than where they end.
            _ => (end_lsn <= self.resume_lsn).then_some(end_lsn),
        };
        let Some(commit_lsn) = commit_lsn else { return Ok(true) };
        if end_lsn > self.resume_lsn {
            return Err(SessionError::NotABoundary { resume_lsn: self.resume_lsn, commit_lsn, end_lsn });
        }
        self.skipped += 1;
        Ok(false)
    }

    fn before(&self, commit_lsn: Lsn) -> Option<Lsn> {
        (commit_lsn < self.resume_lsn).then_some(commit_lsn)
    }
}
