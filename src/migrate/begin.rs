//! From nothing to where following begins: the publication, the schema, the slot, the copy. What was done before is not done again.

use std::time::Duration;

use super::hold::temporary_name;
use super::made::{self, Made};
use super::run::{Goal, Outcome, Run, Stage};
use super::state::{Phase, State};
use crate::Lsn;
use crate::connection::{Connection, SlotOptions, Snapshot, SqlConnection, sql_error};
use crate::error::Error;
use crate::snapshot::{self, Exported, SnapshotCopy};

/// How long a transaction of the source may hold up the making of the slot.
const SLOT_PATIENCE: Duration = Duration::from_secs(600);

/// What follows the copy.
pub(super) enum Begun {
    Follow(Option<Lsn>),
    End(Outcome),
}

impl Run {
    /// Everything up to where following begins.
    pub(super) async fn begin(&self) -> Result<Begun, Error> {
        let (migration, name) = (&self.migration, self.migration.slot().as_str());
        let (source, target) = (migration.connect_source().await?, migration.connect_target().await?);
        let until = match self.goal {
            Goal::Current => Some(migration.source_end_flushed(&source).await?),
            Goal::Copy | Goal::Follow => None,
        };
        let state = State::read(target.client(), name).await?;
        match state.map(|state| state.phase) {
            None | Some(Phase::Copy) => self.prepare_and_copy(&source, &target).await?,
            Some(Phase::Follow) => {}
            Some(_) => return Ok(Begun::End(Outcome::CutOver)),
        }
        if self.goal == Goal::Copy {
            let copied = snapshot::copied(migration.target(), name).await?;
            // Without the slot, an earlier call has done it.
            if !made::made(target.client(), migration.slot(), Made::Slot).await?.is_empty() {
                migration.even_out().await?;
            }
            migration.carry_sequences(0).await?;
            migration.drop_slot().await?;
            let lsn = copied.iter().map(|table| table.lsn).max().unwrap_or(Lsn::ZERO);
            return Ok(Begun::End(Outcome::Done(lsn)));
        }
        Ok(Begun::Follow(until))
    }

    async fn prepare_and_copy(&self, source: &SqlConnection, target: &SqlConnection) -> Result<(), Error> {
        let (migration, name) = (&self.migration, self.migration.slot().as_str());
        made::prepare_made(target.client()).await?;
        migration.make_publication(source, target).await?;
        State { phase: Phase::Copy, fence: None }.write(target.client(), name).await?;
        let mut carried = None;
        if let Some(schema) = &self.schema {
            self.monitor.enter(Stage::Schema);
            carried = Some((schema, schema.make_tables(migration, source, target).await?));
        }
        self.copy(target).await?;
        if let Some((schema, archive)) = carried {
            self.monitor.enter(Stage::Indexes);
            schema.make_indexes(migration, &archive, self.jobs).await?;
        }
        let analyzed = target.client().batch_execute("ANALYZE").await;
        analyzed.map_err(|error| sql_error("while it took statistics of the target", error))?;
        State { phase: Phase::Follow, fence: None }.write(target.client(), name).await
    }

    fn copying(&self) -> SnapshotCopy {
        self.migration.copying().jobs(self.jobs)
    }

    /// Copies what isn't copied: in the snapshot of the slot, if that is made now; else in one of its own.
    pub(super) async fn copy(&self, target: &SqlConnection) -> Result<(), Error> {
        let slot = self.migration.slot();
        let mut source = Connection::connect(self.migration.source()).await?;
        let options = SlotOptions::new().snapshot(Snapshot::Use).timeout(SLOT_PATIENCE);
        let (name, options) = if self.is_slot_there(&mut source, target).await? {
            if self.is_copied().await? {
                return Ok(());
            }
            (temporary_name(slot)?, options.temporary(true))
        } else {
            self.nothing_is_copied().await?;
            // Before it is made: what is recorded and isn't there does no harm.
            made::record_made(target.client(), slot, Made::Slot, slot.as_str()).await?;
            (slot.clone(), options)
        };
        let mut made = source.create_slot(&name, options).await?;
        let snapshot = Exported::new(made.export_snapshot().await?, made.consistent_point());
        let copy = self.copying();
        self.monitor.enter(Stage::Copying(copy.monitor()));
        copy.run(&snapshot).await?;
        source.close().await;
        Ok(())
    }

    /// Whether the slot is there, and was made by this migration.
    async fn is_slot_there(&self, source: &mut Connection, target: &SqlConnection) -> Result<bool, Error> {
        let slot = self.migration.slot();
        if source.slot(slot).await?.is_none() {
            return Ok(false);
        }
        if !made::made(target.client(), slot, Made::Slot).await?.is_empty() {
            return Ok(true);
        }
        Err(Error::Precondition {
            problem: format!("the source has a slot \"{slot}\" that this migration didn't make"),
            mend: format!(
                "choose another name; or, if nobody needs it: SELECT pg_drop_replication_slot('{slot}')"
            ),
        })
    }

    /// Whether each table that is published is copied.
    pub(super) async fn is_copied(&self) -> Result<bool, Error> {
        Ok(self.copying().tables().await?.iter().all(|table| table.copied_at.is_some()))
    }

    /// A slot that is gone has taken with it what was to come behind the copy.
    async fn nothing_is_copied(&self) -> Result<(), Error> {
        let (target, slot) = (self.migration.target(), self.migration.slot());
        if snapshot::copied(target, slot.as_str()).await?.is_empty() {
            return Ok(());
        }
        Err(Error::Precondition {
            problem: format!("the slot \"{slot}\" is gone, and with it the changes since the copy"),
            mend: "begin anew: `cleanup`, empty the tables of the target, then `run`".to_owned(),
        })
    }
}
