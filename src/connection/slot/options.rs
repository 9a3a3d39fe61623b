//! How a slot is to be made.

use std::time::Duration;

use super::{ServerVersion, SlotName};
use crate::error::Error;
use crate::quote;

/// What becomes of the snapshot that belongs to a new slot: the database as it was at the slot's first position.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Snapshot {
    /// Under a name that other connections can adopt, until the next command on the creating connection.
    Export,
    /// For the creating connection itself, in a transaction that lasts until its next command after the slot is let
    /// go. From within it can be exported to any number of connections: [`CreatedSlot::export_snapshot`](super::CreatedSlot::export_snapshot).
    Use,
    /// There is none. Right for whoever wants only what changes from now on.
    #[default]
    Nothing,
}

/// How a slot is to be made.
///
/// ```
/// use std::time::Duration;
/// use walferry::SlotOptions;
/// use walferry::connection::Snapshot;
///
/// let options = SlotOptions::new().snapshot(Snapshot::Use).timeout(Duration::from_secs(60));
/// ```
#[derive(Debug, Clone, Default)]
#[must_use = "options do nothing before create_slot gets them"]
pub struct SlotOptions {
    temporary: bool,
    pub(super) snapshot: Snapshot,
    two_phase: bool,
    failover: bool,
    pub(super) timeout: Option<Duration>,
}

impl SlotOptions {
    /// A slot that stays, without a snapshot, for committed transactions only, with no limit on the waiting.
    pub fn new() -> Self {
        Self::default()
    }

    /// The slot goes when the connection does, and after any error on it. Not with [`SlotOptions::failover`].
    pub fn temporary(mut self, temporary: bool) -> Self {
        self.temporary = temporary;
        self
    }

    /// What becomes of the snapshot.
    pub fn snapshot(mut self, snapshot: Snapshot) -> Self {
        self.snapshot = snapshot;
        self
    }

    /// Prepared transactions are sent when they are prepared. PostgreSQL 15 and later.
    pub fn two_phase(mut self, two_phase: bool) -> Self {
        self.two_phase = two_phase;
        self
    }

    /// Standbys keep a copy of the slot, to go on from after a promotion. PostgreSQL 17 and later.
    pub fn failover(mut self, failover: bool) -> Self {
        self.failover = failover;
        self
    }

    /// How long to wait. The server makes a slot only once every transaction that has written already is over; one
    /// forgotten transaction, or one that is prepared, holds it up for ever.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    pub(crate) fn check(&self, server: &ServerVersion) -> Result<(), Error> {
        if self.temporary && self.failover {
            return Err(Error::Misuse("a slot cannot be temporary and survive a failover: choose one"));
        }
        if self.two_phase {
            server.require("a slot for two-phase commit", 15)?;
        }
        if self.failover {
            server.require("a failover slot", 17)?;
        }
        Ok(())
    }

    /// A slot that lasts as long as the copy whose snapshot belongs to it.
    #[cfg(feature = "postgres")]
    pub(crate) fn for_copy(&self) -> Self {
        Self { temporary: true, failover: false, snapshot: Snapshot::Use, ..self.clone() }
    }

    #[cfg(feature = "postgres")]
    pub(crate) fn is_temporary(&self) -> bool {
        self.temporary
    }

    #[cfg(feature = "postgres")]
    pub(crate) fn is_two_phase(&self) -> bool {
        self.two_phase
    }

    #[cfg(feature = "postgres")]
    pub(crate) fn is_failover(&self) -> bool {
        self.failover
    }

    /// `CREATE_REPLICATION_SLOT`: in parentheses from 15 on, in a fixed order of words before.
    pub(super) fn command(&self, name: &SlotName, server: &ServerVersion) -> String {
        let temporary = if self.temporary { " TEMPORARY" } else { "" };
        let options = if server.major() >= 15 { self.in_parentheses() } else { self.in_order().to_owned() };
        let name = quote::replication_identifier(name.as_str());
        format!("CREATE_REPLICATION_SLOT {name}{temporary} LOGICAL pgoutput {options}")
    }

    fn in_parentheses(&self) -> String {
        let snapshot = match self.snapshot {
            Snapshot::Export => "export",
            Snapshot::Use => "use",
            Snapshot::Nothing => "nothing",
        };
        let two_phase = if self.two_phase { ", TWO_PHASE true" } else { "" };
        let failover = if self.failover { ", FAILOVER true" } else { "" };
        format!("(SNAPSHOT '{snapshot}'{two_phase}{failover})")
    }

    fn in_order(&self) -> &'static str {
        match self.snapshot {
            Snapshot::Export => "EXPORT_SNAPSHOT",
            Snapshot::Use => "USE_SNAPSHOT",
            Snapshot::Nothing => "NOEXPORT_SNAPSHOT",
        }
    }
}
