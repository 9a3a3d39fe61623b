//! A replication origin: marks what the sink writes, for streams that leave out what was replicated.
//!
//! It is no progress: on 16 and later, a transaction that is rolled back moves it, too. So it is never read.
//!
//! Source: PostgreSQL manual, "Replication Progress Tracking".

use std::time::Duration;

use super::apply::Applier;
use super::error::ApplyError;
use super::inflight::{Expected, InFlight};
use super::session::{Session, failed};
use crate::event::Event;
use crate::{Lsn, Timestamp};

const CREATE: &str = "SELECT pg_catalog.pg_replication_origin_create($1) \
     WHERE pg_catalog.pg_replication_origin_oid($1) IS NULL";

const SET_UP: &str = "SELECT pg_catalog.pg_replication_origin_session_setup($1) \
     WHERE NOT pg_catalog.pg_replication_origin_session_is_setup()";

/// Where the transaction stands that is committed next, and when it was committed there. Stays in force until it is said anew.
const MARK: &str = "SELECT pg_catalog.pg_replication_origin_xact_setup($1::pg_catalog.text::pg_catalog.pg_lsn, \
     coalesce($2::pg_catalog.text::pg_catalog.timestamptz, pg_catalog.now()))";

/// A session that has just ended still holds its origin for a moment.
const PATIENCE: u32 = 50;
const MOMENT: Duration = Duration::from_millis(200);

const DOING: &str = "setting up the replication origin in the target";

impl Session {
    /// Marks with this origin all that the session writes.
    pub(super) async fn set_up_origin(&self, name: &str) -> Result<(), ApplyError> {
        let create = self.client().execute(CREATE, &[&name]).await;
        create.map_err(|error| with_hint(failed(DOING, error)))?;
        let mut left = PATIENCE;
        loop {
            let Err(error) = self.client().execute(SET_UP, &[&name]).await else { return Ok(()) };
            left -= 1;
            let is_held = error.code().is_some_and(|code| code.code() == "55006");
            if left == 0 || !is_held {
                let error = failed(DOING, error);
                return Err(if is_held { error.with_hint(HELD) } else { with_hint(error) });
            }
            tokio::time::sleep(MOMENT).await;
        }
    }
}

const HELD: &str = "another session has the same origin: give each sink one of its own";

fn with_hint(error: ApplyError) -> ApplyError {
    error.with_hint(
        "an origin's name begins neither with pg_ nor is it any or none; the role needs EXECUTE on \
         pg_replication_origin_oid, _create, _session_is_setup, _session_setup and _xact_setup; and the target room for one more: \
         max_active_replication_origins, up to 17 max_replication_slots",
    )
}

impl Applier {
    /// Sends the mark of the transaction that is committed next, if an origin is wanted.
    pub(super) async fn mark(
        &mut self,
        in_flight: &mut InFlight,
        end: Lsn,
        time: Option<Timestamp>,
    ) -> Result<(), tokio_postgres::Error> {
        if self.origin.is_none() {
            return Ok(());
        }
        let statement = self.session.other(MARK).await?;
        let (connection, end) = (self.session.connection(), end.to_string());
        let time = time.map(|time| time.to_string());
        let marked = async move { connection.client().execute(&statement, &[&end, &time]).await };
        in_flight.send(marked, Expected::Anything, 0);
        Ok(())
    }

    /// Marks what is committed next, and waits for it.
    pub(super) async fn mark_now(&mut self, end: Lsn, time: Option<Timestamp>) -> Result<(), ApplyError> {
        let mut in_flight = InFlight::default();
        let marked = self.mark(&mut in_flight, end, time).await;
        marked.map_err(|error| with_hint(failed(DOING, error)))?;
        self.settled(&mut in_flight, 0, &[]).await
    }
}

/// When the last transaction among these ended.
pub(super) fn time_of(events: &[Event]) -> Option<Timestamp> {
    events.iter().rev().find_map(|event| match event {
        Event::Commit(commit) => Some(commit.commit_time()),
        Event::Prepare(prepare) => Some(prepare.time()),
        Event::CommitPrepared(commit) => Some(commit.time()),
        Event::RollbackPrepared(rollback) => Some(rollback.time()),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sink::postgres::tests::{begin, commit, commit_prepared, prepare, rollback_prepared};

    #[test]
    fn the_time_is_that_of_the_last_end() {
        for last in [commit, prepare, commit_prepared, rollback_prepared] {
            let events = [commit(7), begin(8, None), last(9), begin(10, None)];
            assert_eq!(time_of(&events), Some(Timestamp::from_micros(9)));
        }
        assert_eq!(time_of(&[begin(8, None)]), None);
    }
}
