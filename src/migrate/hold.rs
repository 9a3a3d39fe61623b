//! Both sides at one position, for a look at them, while writes go on.
//!
//! ```text
//!   source   ──── … ────┬─ L: a temporary slot is made, and its snapshot exported ──── … ────►  (writes go on)
//!                       │
//!   target   ── follows ┴► applied up to L, and no further ─ snapshot exported ─ follows on ──►
//! ```

use std::time::Duration;

use super::Migration;
use super::lead::Lead;
use super::state::{Phase, State};
use super::verify::Snapshots;
use crate::Lsn;
use crate::connection::{Connection, SlotName, SlotOptions, Snapshot, SqlConnection, sql_error};
use crate::error::Error;

/// How long a transaction of the source may go on that holds up the snapshot, and whoever has the lead.
const PATIENCE: Duration = Duration::from_secs(120);

/// Snapshots of both sides, equal if nothing went wrong: good as long as this lives.
#[derive(Debug)]
pub struct Held {
    lsn: Lsn,
    source: (Connection, String),
    target: (SqlConnection, String),
    /// Whether something had to be applied to get there.
    came: bool,
}

impl Held {
    /// The position of the source that both show: all that committed before, and nothing else.
    pub fn lsn(&self) -> Lsn {
        self.lsn
    }

    /// Whether the target lacked something before it was brought there.
    pub(super) fn came(&self) -> bool {
        self.came
    }

    /// Both, for whoever compares.
    pub fn snapshots(&self) -> Snapshots {
        Snapshots::new(self.lsn, self.source.1.as_str(), self.target.1.as_str())
    }
}

impl Migration {
    /// Brings both sides to one position, and holds them there for whoever looks at the snapshots. Writes go on; whoever
    /// follows gives way for as long as the target takes to get there.
    ///
    /// # Errors
    ///
    /// [`Error::Precondition`] when the copy isn't whole, nobody gives way, or the migration is cut over; [`Error::Timeout`] when a transaction of the source
    /// goes on for longer than two minutes; what following may end in.
    pub async fn hold(&self) -> Result<Held, Error> {
        let lead = Lead::take(self, PATIENCE).await?;
        self.is_still_led_by_the_source().await?;
        let held = self.hold_led().await?;
        drop(lead);
        Ok(held)
    }

    /// From when the stream back is armed, what comes from the source may be what it was brought from the target: applied there
    /// again, it would undo what was written since.
    async fn is_still_led_by_the_source(&self) -> Result<(), Error> {
        let target = self.connect_target().await?;
        let state = State::read(target.client(), self.slot().as_str()).await?;
        let Some(State { phase: Phase::Armed | Phase::Open, .. }) = state else { return Ok(()) };
        Err(Error::Precondition {
            problem: format!(
                "the migration \"{}\" is cut over: nothing more may come from the source",
                self.slot()
            ),
            mend: "with a stream back, compare in its direction, by its slot and publication".to_owned(),
        })
    }

    /// The same for whoever has the lead.
    pub(super) async fn hold_led(&self) -> Result<Held, Error> {
        let copied = self.copied_whole().await?;
        let mut source = Connection::connect(self.source()).await?;
        let options = SlotOptions::new().temporary(true).snapshot(Snapshot::Use).timeout(PATIENCE);
        let name = temporary_name(self.slot())?;
        let mut slot = source.create_slot(&name, options).await?;
        let (lsn, source_snapshot) = (slot.consistent_point(), slot.export_snapshot().await?);
        // What commits at that very position isn't in the snapshot.
        let last = Lsn::new(u64::from(lsn).saturating_sub(1));
        let followed = self.follow_to(&copied, Some(last), std::future::pending()).await?;
        let target = self.connect_target().await?;
        let exported = async {
            let client = target.client();
            client.batch_execute("SET idle_session_timeout = 0").await?;
            client.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await?;
            client.query_one("SELECT pg_catalog.pg_export_snapshot()", &[]).await?.try_get(0)
        };
        let target_snapshot = exported.await.map_err(|error| sql_error("while it held the target", error))?;
        Ok(Held {
            lsn,
            source: (source, source_snapshot),
            target: (target, target_snapshot),
            came: followed.changes > 0,
        })
    }
}

/// For a slot that lives no longer than its connection.
pub(super) fn temporary_name(slot: &SlotName) -> Result<SlotName, Error> {
    let unique = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |since| since.as_nanos() & 0xffff_ffff);
    let name = slot.as_str().get(..40).unwrap_or(slot.as_str());
    let name = format!("{name}_{:x}_{unique:x}", std::process::id());
    name.parse().map_err(|_| Error::Misuse("a slot's name has only letters, digits and underscores"))
}
