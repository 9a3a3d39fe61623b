//! The schema as a run carries it: what is made before the copy and behind it, from one dump.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use super::Migration;
use super::made::{self, Made};
use super::schema::SchemaOptions;
use crate::connection::{SqlConnection, sql_error};
use crate::error::Error;

const DATABASE: &str = "SELECT system_identifier || '-' || oid FROM pg_catalog.pg_control_system(), pg_catalog.pg_database \
     WHERE datname = pg_catalog.current_database()";

/// How the schema is carried, and where the dump is kept.
#[derive(Debug)]
pub(super) struct Carried {
    options: SchemaOptions,
    folder: PathBuf,
}

impl Carried {
    pub(super) fn new(options: SchemaOptions, folder: PathBuf) -> Self {
        Self { options, folder }
    }

    /// What the rows need to be there. Gives the dump, for what is made behind them.
    pub(super) async fn make_tables(
        &self,
        migration: &Migration,
        source: &SqlConnection,
        target: &SqlConnection,
    ) -> Result<PathBuf, Error> {
        let failed =
            |source| Error::Io { during: format!("making the folder {}", self.folder.display()), source };
        std::fs::create_dir_all(&self.folder).map_err(failed)?;
        let archive = self.archive(source).await?;
        if made::made(target.client(), migration.slot(), Made::PreData).await?.is_empty() {
            // One that is there is of an earlier migration, or of a moment that has passed.
            remove(&archive)?;
        }
        migration.dump_schema(&self.options, &archive).await?;
        migration.apply_pre_data(&self.options, &archive).await?;
        Ok(archive)
    }

    /// What is better made when the rows are there.
    pub(super) async fn make_indexes(
        &self,
        migration: &Migration,
        archive: &Path,
        jobs: usize,
    ) -> Result<(), Error> {
        let jobs = NonZeroUsize::new(jobs).unwrap_or(NonZeroUsize::MIN);
        if migration.is_uneven().await? {
            // Or a foreign key finds rows without those that they refer to.
            migration.apply_keys(&self.options, archive, jobs).await?;
            migration.even_out().await?;
        }
        migration.apply_post_data(&self.options, archive, jobs).await.map(drop)
    }

    /// The file of the dump, by the source's database: migrations of several may share a folder.
    async fn archive(&self, source: &SqlConnection) -> Result<PathBuf, Error> {
        let row = source.client().query_one(DATABASE, &[]).await;
        let database: String = row
            .and_then(|row| row.try_get(0))
            .map_err(|error| sql_error("while it asked which database the source is", error))?;
        Ok(self.folder.join(format!("schema-{database}.dump")))
    }
}

fn remove(archive: &Path) -> Result<(), Error> {
    match std::fs::remove_file(archive) {
        Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
            Err(Error::Io { during: format!("removing {}", archive.display()), source })
        }
        _ => Ok(()),
    }
}
