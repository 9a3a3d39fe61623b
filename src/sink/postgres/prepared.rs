//! Prepared transactions.
//!
//! A transaction that is prepared keeps the locks of its rows: the progress can't be changed in it. It is prepared first, and
//! the progress moved behind it; what was done already when it comes again is told by the target's own list of
//! prepared transactions.

use super::apply::Applier;
use super::error::ApplyError;
use super::origin::time_of;
use super::session::failed;
use crate::event::{Acknowledge as _, Event};
use crate::{Xid, quote};

/// How many events, from the first on, are to be applied in one go: transactions that are not prepared; or one that is; or
/// the end of one.
pub(super) fn run_of(events: &[Event]) -> usize {
    let is_prepared = |event: &Event| {
        matches!(event, Event::Prepare(_) | Event::CommitPrepared(_) | Event::RollbackPrepared(_))
    };
    let Some(end) = events.iter().position(is_prepared) else { return events.len() };
    let begin = match events.get(end) {
        Some(Event::Prepare(_)) => {
            let before = events.get(..end).unwrap_or_default();
            before.iter().rposition(|event| matches!(event, Event::Begin(_))).unwrap_or(0)
        }
        _ => end,
    };
    if begin == 0 { end + 1 } else { begin }
}

const EXISTS: &str = "SELECT FROM pg_catalog.pg_prepared_xacts \
     WHERE gid = $1 AND database = pg_catalog.current_database()";

impl Applier {
    /// Applies a transaction up to where it is prepared; or ends one that was.
    pub(super) async fn prepared(&mut self, events: &[Event]) -> Result<(), ApplyError> {
        let Some((last, changes)) = events.split_last() else { return Ok(()) };
        match last {
            Event::Prepare(prepare) if !self.was_prepared(events).await? => {
                self.part(changes).await?;
                if !std::mem::take(&mut self.is_open) {
                    self.command("BEGIN").await?;
                }
                self.mark_now(prepare.end_lsn(), Some(prepare.time())).await?;
                self.command(&format!("PREPARE TRANSACTION {}", self.gid(prepare.xid()))).await?;
            }
            Event::CommitPrepared(commit) => {
                self.mark_now(commit.end_lsn(), Some(commit.time())).await?;
                self.end_prepared("COMMIT PREPARED", commit.xid()).await?;
            }
            Event::RollbackPrepared(rollback) => {
                self.mark_now(rollback.end_lsn(), Some(rollback.time())).await?;
                self.end_prepared("ROLLBACK PREPARED", rollback.xid()).await?;
            }
            _ => {}
        }
        self.is_prepared = false;
        if let Some(end) = last.position() {
            self.commit(end, time_of(events)).await?;
        }
        self.count(events);
        Ok(())
    }

    /// Whether these events belong to a transaction that was prepared before, whole.
    pub(super) async fn was_prepared(&mut self, events: &[Event]) -> Result<bool, ApplyError> {
        if let Some(Event::Begin(begin)) = events.first()
            && begin.gid.is_some()
        {
            self.is_prepared = self.knows(begin.xid).await?;
        }
        Ok(self.is_prepared)
    }

    async fn end_prepared(&self, command: &str, xid: Xid) -> Result<(), ApplyError> {
        if self.knows(xid).await? {
            self.command(&format!("{command} {}", self.gid(xid))).await?;
        }
        Ok(())
    }

    async fn knows(&self, xid: Xid) -> Result<bool, ApplyError> {
        let found = self.session.client().query_opt(EXISTS, &[&self.gid_of(xid)]).await;
        found.map(|row| row.is_some()).map_err(|error| failed("looking for a prepared transaction", error))
    }

    fn gid_of(&self, xid: Xid) -> String {
        format!("walferry:{}:{xid}", self.name)
    }

    fn gid(&self, xid: Xid) -> String {
        let mut out = Vec::new();
        quote::literal(&mut out, self.gid_of(xid).as_bytes());
        String::from_utf8_lossy(&out).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sink::postgres::tests::{begin, commit, commit_prepared, prepare, rollback_prepared};

    /// How many events each go is of.
    fn runs(mut events: &[Event]) -> Vec<usize> {
        let mut runs = Vec::new();
        while !events.is_empty() {
            let run = run_of(events);
            assert!((1..=events.len()).contains(&run), "it goes on, and no further than there are events");
            runs.push(run);
            events = &events[run..];
        }
        runs
    }

    #[test]
    fn what_is_prepared_and_the_end_of_it_are_applied_by_themselves() {
        let plain = |number| [begin(number, None), commit(number)];
        let prepared = |number| [begin(number, Some("g")), prepare(number)];
        assert_eq!(runs(&[plain(1), plain(2)].concat()), [4]);
        assert_eq!(runs(&[plain(1), prepared(2), prepared(3), plain(4)].concat()), [2, 2, 2, 2]);
        let ends = [commit_prepared(2), rollback_prepared(3), commit_prepared(4)];
        assert_eq!(runs(&[&plain(1)[..], &plain(5), &ends, &plain(6)].concat()), [4, 1, 1, 1, 2]);
        // Its beginning came in a batch before.
        assert_eq!(runs(&[&[prepare(1)][..], &plain(2)].concat()), [1, 2]);
    }
}
