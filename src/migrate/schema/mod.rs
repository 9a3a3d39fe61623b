//! The schema, by PostgreSQL's own `pg_dump`: tables before the copy, indexes, constraints and triggers after it.
//!
//! 1. [`Migration::dump_schema`] writes an *archive*: both halves, of one moment. Change no definitions from then on.
//! 2. [`Migration::apply_pre_data`] makes what the rows need to be there: schemas, types, functions, tables, sequences. In
//!    one transaction, so all of it or nothing.
//! 3. [`Migration::apply_post_data`] makes what is better made when the rows are there: indexes, constraints, foreign keys,
//!    triggers, rules, policies; and fills materialized views. Each in a transaction of its own, as many at a time as it is
//!    given jobs, in an order that honours what depends on what.
//!
//! # Again after a failure
//!
//! Each transaction records in the target, in `walferry.made`, what it has made: the second half by what `pg_dump` calls it
//! and the SHA-256 of its definition. So what is recorded is there, and what is there is recorded. The same call again
//! makes only what is missing, even if the last one was killed while its statements went on in the server. What is there
//! but isn't recorded, somebody else has made: that is an error, and not taken for ours.
//!
//! # What is left out
//!
//! Publications and subscriptions, large objects, and the schema `walferry`. Roles, tablespaces and settings are the
//! cluster's and not the database's: make them first (`pg_dumpall --globals-only`).
//!
//! # Programs
//!
//! `pg_dump` and `pg_restore` are looked for in `PATH`, in `/usr/lib/postgresql/*/bin` and in `/usr/pgsql-*/bin`, or where
//! [`SchemaOptions::programs`] says. `pg_dump` must be at least as new as the source, and should be as new as the target:
//! the closest that is as new as both is used. It is told by variables where and as whom to connect, and never on its
//! command line, which everybody on the machine can read. `pg_restore` only unpacks: the statements go to the target by a
//! connection of ours.

mod apply;
mod archive;
mod environment;
mod plan;
mod program;

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use self::archive::{Archive, Section};
use self::program::{Programs, run};
use super::Migration;
use crate::connection::{Config, Connection};
use crate::error::Error;

/// How the schema is carried.
///
/// ```
/// use walferry::migrate::schema::SchemaOptions;
///
/// let options = SchemaOptions::new().programs("/opt/postgresql-18/bin").without_owners();
/// # let _ = options;
/// ```
#[derive(Debug, Clone, Default)]
#[must_use = "options do nothing until they are given to a step"]
pub struct SchemaOptions {
    programs: Option<PathBuf>,
    without_owners: bool,
    without_privileges: bool,
    without_tablespaces: bool,
}

impl SchemaOptions {
    /// Everything as it is at the source.
    pub fn new() -> Self {
        Self::default()
    }

    /// The folder of `pg_dump` and `pg_restore`. No other is looked at.
    pub fn programs(mut self, folder: impl Into<PathBuf>) -> Self {
        self.programs = Some(folder.into());
        self
    }

    /// Everything belongs to the role that makes it, not to the owner of the source's.
    pub const fn without_owners(mut self) -> Self {
        self.without_owners = true;
        self
    }

    /// Nothing is granted to anybody.
    pub const fn without_privileges(mut self) -> Self {
        self.without_privileges = true;
        self
    }

    /// Everything lies in the target's default tablespace.
    pub const fn without_tablespaces(mut self) -> Self {
        self.without_tablespaces = true;
        self
    }

    /// For `pg_restore`: `pg_dump` has no say in it when it writes an archive.
    fn flags(&self) -> Vec<&'static str> {
        let flags = [
            (self.without_owners, "--no-owner"),
            (self.without_privileges, "--no-privileges"),
            (self.without_tablespaces, "--no-tablespaces"),
        ];
        flags.into_iter().filter_map(|(is_set, flag)| is_set.then_some(flag)).collect()
    }
}

/// What a step has made. Counted as `pg_restore --list` does: tables, indexes, constraints, comments, ….
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Applied {
    /// How many were made now.
    pub made: usize,
    /// How many an earlier call had made.
    pub already: usize,
}

/// Both sides' versions, what fits them, and the one server that will be dumped.
struct Fitting {
    programs: Programs,
    source: Arc<Config>,
    target: u32,
}

impl Migration {
    /// Writes the source's schema into the file `archive`, for its owner's eyes alone. Nothing if the file is there: the
    /// halves must be of one dump.
    ///
    /// # Errors
    ///
    /// [`Error::Precondition`] if no `pg_dump` fits, or it fails: with its own words. The file is then not there.
    pub async fn dump_schema(&self, options: &SchemaOptions, archive: &Path) -> Result<(), Error> {
        if archive.exists() {
            return Ok(());
        }
        let fitting = self.fitting(options).await?;
        let failed = |source| Error::Io { during: format!("writing {}", archive.display()), source };
        let folder = archive.parent().filter(|folder| !folder.as_os_str().is_empty());
        // Beside it, so that the last step is a rename. Only its owner may read it.
        let file = tempfile::NamedTempFile::new_in(folder.unwrap_or(Path::new("."))).map_err(failed)?;
        let mut command = fitting.programs.dump();
        command.args(["--format=custom", "--section=pre-data", "--section=post-data"]);
        command.args(["--no-publications", "--no-subscriptions", "--exclude-schema=walferry"]);
        command.args(["--no-blobs", "--encoding=UTF8", "--lock-wait-timeout=60s"]);
        command.arg("--file").arg(file.path()).envs(environment::of(&fitting.source)?);
        run(command, "pg_dump").await?;
        file.persist(archive).map_err(|error| failed(error.error))?;
        Ok(())
    }

    /// Makes what the rows need to be there. Nothing if it is made.
    ///
    /// # Errors
    ///
    /// [`Error::Precondition`] if the target refuses a statement: a role or an extension that it lacks, or a table that is
    /// there. The target is then as it was.
    pub async fn apply_pre_data(&self, options: &SchemaOptions, archive: &Path) -> Result<Applied, Error> {
        let archive = self.archive(options, archive).await?;
        let items = archive.items(Section::PreData).await?.len();
        let made = apply::pre_data(self, &archive).await?;
        Ok(if made { Applied { made: items, already: 0 } } else { Applied { made: 0, already: items } })
    }

    /// Makes what is better made when the rows are there, `jobs` at a time. Only what isn't made yet.
    ///
    /// At the first failure nothing more is begun, and what runs is waited for. What was made stays.
    ///
    /// # Errors
    ///
    /// [`Error::Precondition`] if the target refuses a statement, and which it is: rows that a constraint forbids, say.
    pub async fn apply_post_data(
        &self,
        options: &SchemaOptions,
        archive: &Path,
        jobs: NonZeroUsize,
    ) -> Result<Applied, Error> {
        let archive = self.archive(options, archive).await?;
        let items = archive.items(Section::PostData).await?;
        apply::post_data(self, &archive, items, jobs).await
    }

    /// Of the second half what holds for each table by itself, and finds its rows: for tables that are not of one moment yet.
    pub(super) async fn apply_keys(
        &self,
        options: &SchemaOptions,
        archive: &Path,
        jobs: NonZeroUsize,
    ) -> Result<Applied, Error> {
        let archive = self.archive(options, archive).await?;
        let items = plan::keys(archive.items(Section::PostData).await?);
        apply::post_data(self, &archive, items, jobs).await
    }

    async fn archive(&self, options: &SchemaOptions, path: &Path) -> Result<Archive, Error> {
        let Fitting { programs, target, .. } = self.fitting(options).await?;
        Ok(Archive::new(programs, path.to_owned(), options.flags(), target))
    }

    async fn fitting(&self, options: &SchemaOptions) -> Result<Fitting, Error> {
        let source = Connection::connect_ordinary(self.source()).await?;
        let target = Connection::connect_ordinary(self.target()).await?;
        let (from, to) = (source.server_version().major(), target.server_version().major());
        let programs = Programs::find(options.programs.as_deref(), from, to).await?;
        let home = Arc::clone(source.home());
        source.close().await;
        target.close().await;
        Ok(Fitting { programs, source: home, target: to })
    }
}
