//! One database into another, with minimal downtime: a composition of everything else.
//!
//! ```text
//!   Migration ─┬─ examine    what is in the way                       (doctor)
//!              ├─ Run        publication, slot, schema, copy, follow  (schema, snapshot, guard, sequence)
//!              ├─ hold       both sides at one position  ──► Verify
//!              ├─ Cutover    fence, drain, sequences, verify, open
//!              └─ clean_up   nothing is left behind
//! ```
//!
//! [The guide](crate::guide::migration) tells how, and what each step relies on.

mod begin;
mod carried;
mod cleanup;
mod cutover;
pub mod doctor;
mod fence;
mod follow;
pub mod guard;
mod hold;
mod lead;
mod made;
mod publication;
mod reverse;
mod run;
pub mod schema;
pub mod sequence;
mod state;
mod status;
pub mod verify;

use crate::connection::{Config, SlotName, SqlConnection, sql_error};
use crate::error::Error;
use crate::quote::text::identifier;
use crate::snapshot::SnapshotCopy;

pub use self::cutover::{CutOver, Cutover, PlannedStep};
pub use self::hold::Held;
pub use self::run::{Goal, Monitor, Outcome, Run, Stage};
pub use self::state::Phase;
pub use self::status::Status;

/// From where to where, and by which slot and publication.
///
/// All that a migration has to remember is kept in the target, in the schema `walferry`, under the name of the slot.
#[derive(Debug, Clone)]
pub struct Migration {
    source: Config,
    target: Config,
    slot: SlotName,
    publication: String,
}

impl Migration {
    /// What is done goes from `source` to `target`.
    ///
    /// Where one asks for `target_session_attrs=read-write`, the primary is meant: a cutover closes its database to writers.
    pub fn new(source: Config, target: Config, slot: SlotName, publication: impl Into<String>) -> Self {
        let (source, target) = (source.also_when_closed(), target.also_when_closed());
        Self { source, target, slot, publication: publication.into() }
    }

    /// Where the data is.
    pub fn source(&self) -> &Config {
        &self.source
    }

    /// Where it is to be.
    pub fn target(&self) -> &Config {
        &self.target
    }

    /// The slot that brings the changes; also the name under which the target keeps what is to be remembered.
    pub fn slot(&self) -> &SlotName {
        &self.slot
    }

    /// Which tables.
    pub fn publication(&self) -> &str {
        &self.publication
    }

    /// The copy of what is published.
    fn copying(&self) -> SnapshotCopy {
        SnapshotCopy::new(self.source.clone(), self.target.clone(), self.slot.as_str())
            .publication(&self.publication)
    }

    pub(crate) async fn connect_source(&self) -> Result<SqlConnection, Error> {
        connect(&self.source, "preparing the session with the source").await
    }

    /// Also to a database that is closed to writers: the source of a cutover, when the stream back is followed.
    pub(crate) async fn connect_target(&self) -> Result<SqlConnection, Error> {
        connect(&self.target, "preparing the session with the target").await
    }
}

/// Whatever the role or the database is set to; and one that waits, for a copy or for the lead, say, stays.
const SETTINGS: &str = "SET default_transaction_read_only = off; SET idle_session_timeout = 0";

async fn connect(config: &Config, during: &'static str) -> Result<SqlConnection, Error> {
    let connection = SqlConnection::connect(config).await?;
    let set = connection.client().batch_execute(SETTINGS).await;
    set.map_err(|error| sql_error(during, error))?;
    Ok(connection)
}
