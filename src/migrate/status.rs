//! Where a migration is, for people and scripts.

use super::Migration;
use super::guard::{Guard, Standing};
use super::state::{Phase, State};
use crate::Lsn;
use crate::connection::{SqlConnection, sql_error};
use crate::error::Error;

const PROGRESS: &str = "SELECT resume_lsn::pg_catalog.text FROM walferry.progress WHERE name = $1";
const HAS_PROGRESS: &str = "SELECT pg_catalog.to_regclass('walferry.progress') IS NOT NULL";

/// Where a migration is.
#[derive(Debug)]
#[non_exhaustive]
pub struct Status {
    /// What was done last; `None` if it hasn't begun.
    pub phase: Option<Phase>,
    /// Tables that are published.
    pub tables: usize,
    /// Those that are wholly copied.
    pub copied: usize,
    /// How far the source is.
    pub source_end: Lsn,
    /// How far the target is, when changes are followed.
    pub applied: Option<Lsn>,
    /// What the slot keeps, if it is there.
    pub slot: Option<Standing>,
    /// Sequences of the target that would give what the source has given.
    pub sequences_behind: usize,
}

impl Status {
    /// What the target lacks of the source's log, in bytes; more than what it lacks of changes.
    pub fn lag(&self) -> Option<u64> {
        let applied = u64::from(self.applied?);
        Some(u64::from(self.source_end).saturating_sub(applied))
    }
}

impl Migration {
    /// What was done last; `None` if it hasn't begun. Changes nothing.
    ///
    /// # Errors
    ///
    /// When the target can't be reached, or refuses to say.
    pub async fn phase(&self) -> Result<Option<Phase>, Error> {
        let target = self.connect_target().await?;
        Ok(State::read(target.client(), self.slot().as_str()).await?.map(|state| state.phase))
    }

    /// Looks where the migration is. Changes nothing.
    pub async fn status(&self) -> Result<Status, Error> {
        let (source, target) = (self.connect_source().await?, self.connect_target().await?);
        let name = self.slot().as_str();
        let state = State::read(target.client(), name).await?;
        let (tables, sequences_behind) = match state {
            Some(_) => (self.copying().tables().await?, self.sequences_behind().await?.len()),
            None => (Vec::new(), 0),
        };
        let slot = match Guard::new(u64::MAX).look(self).await {
            Ok(standing) => Some(standing),
            Err(Error::Precondition { .. }) => None,
            Err(error) => return Err(error),
        };
        Ok(Status {
            phase: state.map(|state| state.phase),
            tables: tables.len(),
            copied: tables.iter().filter(|table| table.copied_at.is_some()).count(),
            source_end: self.source_end(&source).await?,
            applied: applied(&target, name).await?,
            slot,
            sequences_behind,
        })
    }
}

async fn applied(target: &SqlConnection, name: &str) -> Result<Option<Lsn>, Error> {
    let client = target.client();
    let read = async {
        let exists: bool = client.query_one(HAS_PROGRESS, &[]).await?.try_get(0)?;
        if !exists {
            return Ok(None);
        }
        client.query_opt(PROGRESS, &[&name]).await?.map(|row| row.try_get::<_, String>(0)).transpose()
    };
    let text = read.await.map_err(|error| sql_error("while it asked how far the target is", error))?;
    Ok(text.and_then(|text| text.parse().ok()))
}
