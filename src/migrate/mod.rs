//! One database into another, with minimal downtime: a composition of everything else.

pub mod doctor;
pub mod guard;
mod made;
pub mod schema;
pub mod sequence;
pub mod verify;

use crate::connection::{Config, SlotName, SqlConnection};
use crate::error::Error;

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
    pub fn new(source: Config, target: Config, slot: SlotName, publication: impl Into<String>) -> Self {
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

    pub(crate) async fn connect_source(&self) -> Result<SqlConnection, Error> {
        SqlConnection::connect(&self.source).await
    }

    pub(crate) async fn connect_target(&self) -> Result<SqlConnection, Error> {
        SqlConnection::connect(&self.target).await
    }
}
