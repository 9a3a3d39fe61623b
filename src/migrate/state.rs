//! How far a migration is, in the target.

use tokio_postgres::Client;

use crate::Lsn;
use crate::connection::{make_room, sql_error};
use crate::error::Error;

const CREATE: &str = "CREATE TABLE IF NOT EXISTS walferry.migration (\
     name pg_catalog.text PRIMARY KEY, phase pg_catalog.text NOT NULL, fence pg_catalog.pg_lsn, \
     updated_at pg_catalog.timestamptz NOT NULL DEFAULT pg_catalog.now()); \
     COMMENT ON TABLE walferry.migration IS 'How far each migration into this database is'";

const EXISTS: &str = "SELECT pg_catalog.to_regclass('walferry.migration') IS NOT NULL";

const READ: &str = "SELECT phase, fence::pg_catalog.text FROM walferry.migration WHERE name = $1";

const WRITE: &str = "INSERT INTO walferry.migration (name, phase, fence) \
     VALUES ($1, $2, $3::pg_catalog.text::pg_catalog.pg_lsn) ON CONFLICT (name) DO UPDATE \
     SET phase = EXCLUDED.phase, fence = EXCLUDED.fence, updated_at = pg_catalog.now()";

/// Nobody's step is undone by it: somebody else may be cutting over, or cleaning up.
const BEGIN_CUTOVER: &str = "UPDATE walferry.migration SET phase = 'fence', fence = NULL, updated_at = pg_catalog.now() \
     WHERE name = $1 AND phase = 'follow'";

/// What a migration has done so far. Each is kept in the target when it is done, and what comes next is begun behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Phase {
    /// Tables are being copied.
    Copy,
    /// All tables that were published then are copied; changes are followed.
    Follow,
    /// The cutover has begun: the source is being closed to writers. Whoever follows ends.
    Fence,
    /// The source is closed to writers, and has written nothing since the fence.
    Fenced,
    /// The target has everything up to the fence.
    Drained,
    /// The target's sequences stand where the source's do, or behind.
    Sequences,
    /// Both sides are equal at the fence.
    Verified,
    /// The stream back is armed, if one was wanted.
    Armed,
    /// The target is open to writers: there is no way back but by the stream back.
    Open,
}

impl Phase {
    const ALL: [Self; 9] = [
        Self::Copy,
        Self::Follow,
        Self::Fence,
        Self::Fenced,
        Self::Drained,
        Self::Sequences,
        Self::Verified,
        Self::Armed,
        Self::Open,
    ];

    /// As the target has it, and as people read it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Copy => "copy",
            Self::Follow => "follow",
            Self::Fence => "fence",
            Self::Fenced => "fenced",
            Self::Drained => "drained",
            Self::Sequences => "sequences",
            Self::Verified => "verified",
            Self::Armed => "armed",
            Self::Open => "open",
        }
    }

    fn read(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|phase| phase.as_str() == text)
    }
}

impl std::fmt::Display for Phase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How far it is; `None` if it hasn't begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct State {
    pub(super) phase: Phase,
    /// Behind the last change of the source that the target is to have.
    pub(super) fence: Option<Lsn>,
}

impl State {
    pub(super) async fn read(client: &Client, name: &str) -> Result<Option<Self>, Error> {
        let row = async {
            let exists: bool = client.query_one(EXISTS, &[]).await?.try_get(0)?;
            if exists { client.query_opt(READ, &[&name]).await } else { Ok(None) }
        };
        let row = row.await.map_err(|error| sql_error("while it read how far the migration is", error))?;
        let Some(row) = row else { return Ok(None) };
        let read = || {
            let phase = Phase::read(row.try_get(0).ok()?)?;
            let fence: Option<&str> = row.try_get(1).ok()?;
            Some(Self { phase, fence: fence.map(str::parse).transpose().ok()? })
        };
        read().map(Some).ok_or_else(|| Error::Precondition {
            problem: format!(
                "walferry.migration in the target says of \"{name}\" what this version doesn't know"
            ),
            mend: "go on with the version that wrote it".to_owned(),
        })
    }

    /// From following to the fence. Whether it was followed.
    pub(super) async fn begin_cutover(client: &Client, name: &str) -> Result<bool, Error> {
        let begun = client.execute(BEGIN_CUTOVER, &[&name]).await;
        Ok(begun.map_err(|error| sql_error("while it wrote how far the migration is", error))? == 1)
    }

    pub(super) async fn write(self, client: &Client, name: &str) -> Result<(), Error> {
        let written = async {
            make_room(client, CREATE).await?;
            let fence = self.fence.map(|fence| fence.to_string());
            client.execute(WRITE, &[&name, &self.phase.as_str(), &fence]).await
        };
        written.await.map(drop).map_err(|error| sql_error("while it wrote how far the migration is", error))
    }
}
