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

/// Whether a slot would send a change: `D`, `I`, `T` or `U`.
const COMES: &str = "SELECT EXISTS (SELECT FROM pg_catalog.pg_logical_slot_peek_binary_changes($1, \
     $2::pg_catalog.text::pg_catalog.pg_lsn, NULL, 'proto_version', '1', 'publication_names', $3) \
     WHERE pg_catalog.get_byte(data, 0) IN (68, 73, 84, 85))";

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
    /// [`Error::Precondition`] when the copy isn't whole, nobody gives way, or the source was written to behind a cutover; [`Error::Timeout`] when a transaction of the source
    /// goes on for longer than two minutes; what following may end in.
    pub async fn hold(&self) -> Result<Held, Error> {
        let lead = Lead::take(self, PATIENCE).await?;
        let held = if self.is_cut_over().await? { self.hold_apart().await? } else { self.hold_led().await? };
        drop(lead);
        Ok(held)
    }

    /// The same for whoever has the lead.
    pub(super) async fn hold_led(&self) -> Result<Held, Error> {
        let copied = self.copied_whole().await?;
        let (lsn, source) = self.hold_source().await?;
        let followed = self.follow_to(&copied, Some(last_before(lsn)), std::future::pending()).await?;
        Ok(Held { lsn, source, target: self.hold_target().await?, came: followed.changes > 0 })
    }

    /// The same behind a cutover, where nothing more is applied: what comes from the source may be what it was brought from the
    /// target, and would undo what was written there since.
    async fn hold_apart(&self) -> Result<Held, Error> {
        let (lsn, source) = self.hold_source().await?;
        if self.comes(last_before(lsn)).await? {
            return Err(Error::Precondition {
                problem: format!(
                    "the migration \"{}\" is cut over, and the source was written to since: nothing more may come from there",
                    self.slot()
                ),
                mend: "with a stream back, compare in its direction, by its slot and publication".to_owned(),
            });
        }
        Ok(Held { lsn, source, target: self.hold_target().await?, came: false })
    }

    /// From when the stream back is armed.
    async fn is_cut_over(&self) -> Result<bool, Error> {
        let target = self.connect_target().await?;
        let state = State::read(target.client(), self.slot().as_str()).await?;
        Ok(state.is_some_and(|state| state.phase >= Phase::Armed))
    }

    /// Whether the slot has changes up to a position; it keeps them.
    async fn comes(&self, last: Lsn) -> Result<bool, Error> {
        let source = self.connect_source().await?;
        let (slot, publication) = (self.slot().as_str(), super::identifier(self.publication()));
        let row = source.client().query_one(COMES, &[&slot, &last.to_string(), &publication]).await;
        row.and_then(|row| row.try_get(0))
            .map_err(|error| sql_error("while it looked what comes from the source", error))
    }

    /// The position, and who holds the source there.
    async fn hold_source(&self) -> Result<(Lsn, (Connection, String)), Error> {
        let mut source = Connection::connect(self.source()).await?;
        let options = SlotOptions::new().temporary(true).snapshot(Snapshot::Use).timeout(PATIENCE);
        let name = temporary_name(self.slot())?;
        let mut slot = source.create_slot(&name, options).await?;
        let (lsn, snapshot) = (slot.consistent_point(), slot.export_snapshot().await?);
        Ok((lsn, (source, snapshot)))
    }

    async fn hold_target(&self) -> Result<(SqlConnection, String), Error> {
        let target = self.connect_target().await?;
        let exported = async {
            let client = target.client();
            client.batch_execute("SET idle_session_timeout = 0").await?;
            client.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await?;
            client.query_one("SELECT pg_catalog.pg_export_snapshot()", &[]).await?.try_get(0)
        };
        let snapshot = exported.await.map_err(|error| sql_error("while it held the target", error))?;
        Ok((target, snapshot))
    }
}

/// What commits at the position of a snapshot isn't in it.
pub(super) fn last_before(lsn: Lsn) -> Lsn {
    Lsn::new(u64::from(lsn).saturating_sub(1))
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
