//! A stream that begins with what was there before: the slot, its snapshot, and how one becomes the other.

use std::fmt;

use super::source::try_settings;
use super::{Exported, SnapshotRows};
use crate::catalog::Catalog;
use crate::connection::{Config, Connection, InUse, SlotName, SlotOptions};
use crate::error::Error;
use crate::event::{Begin, Commit, Event};
use crate::quote;
use crate::quote::text::literal;
use crate::session::Fingerprint;
use crate::{Lsn, ReplicationStream, StreamOptions, Timestamp, Xid};

/// A slot's stream with what the published tables held in front of it, for any sink:
/// [`Pipeline::run_snapshot`](crate::Pipeline::run_snapshot) carries it.
///
/// Where there is no slot yet, a sink gets one transaction first. In it is a [`Change::Snapshot`](crate::Change::Snapshot) for each row,
/// as [`SnapshotRows`] gives them, and it ends at the slot's consistent point. Behind it come the changes from there on:
/// none twice, none missing. Where the slot is there, a sink that keeps its [progress](crate::ChangeSink::progress) and has some
/// goes on from it; nothing is copied again.
///
/// There is an example [in the module](crate::snapshot).
///
/// # When it is interrupted
///
/// While the copy goes on, its slot is a temporary one, and of a transaction without an end a sink keeps nothing. So a process
/// that is killed leaves nothing behind, here or there, and the next one begins anew. So does this one, with a new snapshot,
/// when a connection is lost. The slot that stays is made of the temporary one when all rows are with the sink:
///
/// * before the end of the transaction, if the sink keeps its progress. The end of the transaction decides: with it the sink
///   has a position to go on from. A process that is killed between the two leaves a slot and a sink without progress; the next one is
///   told to drop the slot.
/// * when the sink has made them durable, otherwise. A process that is killed between the two copies again, as such a sink
///   may get any transaction again. Where the slot is there already, the next process can't know what the sink has, and is told
///   so: it goes on by [`Pipeline::run`](crate::Pipeline::run), without a copy.
#[must_use = "nothing is copied before a pipeline runs"]
pub struct SnapshotStream {
    pub(crate) making: Making,
    pub(crate) opened: Opened,
}

/// How slot, copy and stream are made, as often as it takes.
#[derive(Debug, Clone)]
pub(crate) struct Making {
    config: Config,
    slot: SlotOptions,
    options: StreamOptions,
}

pub(crate) enum Opened {
    /// The slot was there.
    Found(Box<ReplicationStream>),
    Copy(Box<Copying>),
}

/// A copy under way.
pub(crate) struct Copying {
    making: Making,
    /// Has the temporary slot, and its snapshot in a transaction.
    holder: Connection,
    /// The temporary slot.
    held: SlotName,
    /// All that was committed before is in the rows.
    point: Lsn,
    begun: Timestamp,
    source: Fingerprint,
    rows: SnapshotRows,
    /// The slot that stays is there, at this point.
    is_kept: bool,
}

impl SnapshotStream {
    /// Connects, and makes a slot with its snapshot if there is none of that name. Nothing is read yet.
    ///
    /// From `slot` comes whether the slot is temporary, whether standbys keep it, and how long its making may take. Whether
    /// it is for prepared transactions is asked of the stream.
    ///
    /// # Errors
    ///
    /// [`Error::Misuse`] for options that don't go together; those of [`Connection::create_slot`], [`SnapshotRows::open`] and
    /// [`Connection::start_replication`]; [`Error::Precondition`] where the source has no room for the two slots that it takes.
    pub async fn open(source: &Config, slot: SlotOptions, stream: StreamOptions) -> Result<Self, Error> {
        if slot.is_two_phase() {
            return Err(Error::Misuse(
                "a slot with a copy is made for prepared transactions by its stream: ask for two_phase there",
            ));
        }
        let making = Making { config: source.clone(), slot, options: stream };
        let opened = Box::pin(making.open()).await?;
        Ok(Self { making, opened })
    }

    /// What the source's catalogue knows of its tables and types: in the snapshot, if there is one.
    pub fn catalog(&self) -> &Catalog {
        match &self.opened {
            Opened::Found(stream) => &stream.context().catalog,
            Opened::Copy(copying) => copying.rows.catalog(),
        }
    }

    /// Where the copy ends and the stream begins; `None` where the slot was there before, and nothing is copied.
    pub fn consistent_point(&self) -> Option<Lsn> {
        match &self.opened {
            Opened::Found(_) => None,
            Opened::Copy(copying) => Some(copying.point),
        }
    }

    /// Ends the stream behind the last transaction that committed at or before `lsn`; what is copied is of the time of
    /// the snapshot in any case.
    pub fn stop_at(&mut self, lsn: Lsn) {
        self.making.options.stop_at(lsn);
        match &mut self.opened {
            Opened::Found(stream) => stream.stop_at(lsn),
            Opened::Copy(copying) => copying.making.options.stop_at(lsn),
        }
    }
}

impl Making {
    async fn open(&self) -> Result<Opened, Error> {
        let mut connection = self.connect().await?;
        if connection.slot(self.options.slot()).await?.is_some() {
            let stream = connection.start_replication(self.options.clone()).await?;
            return Ok(Opened::Found(Box::new(stream)));
        }
        self.copy_over(connection).await.map(|copying| Opened::Copy(Box::new(copying)))
    }

    /// Begins the copy anew. `is_kept`: the slot that stays was made for an earlier one, and may be there.
    pub(crate) async fn copy(&self, is_kept: bool) -> Result<Copying, Error> {
        let mut connection = self.connect().await?;
        if !is_kept && connection.slot(self.options.slot()).await?.is_some() {
            return Err(self.found());
        }
        self.copy_over(connection).await
    }

    /// Starts the stream of the slot that stays, behind a copy that the sink has.
    pub(crate) async fn start(&self, point: Lsn) -> Result<ReplicationStream, Error> {
        self.connect().await?.start_replication(self.options.clone().start_lsn(point)).await
    }

    async fn connect(&self) -> Result<Connection, Error> {
        let connection = Connection::connect(&self.config).await?;
        self.options.check(connection.server_version())?;
        self.slot.check(connection.server_version())?;
        Ok(connection)
    }

    async fn copy_over(&self, mut holder: Connection) -> Result<Copying, Error> {
        try_settings(&mut holder).await;
        self.require_room(&mut holder).await?;
        let identity = holder.identify_system().await?;
        let held = self.temporary_name(&mut holder).await?;
        let mut slot = holder.create_slot(&held, self.slot.for_copy()).await?;
        let snapshot = Exported::new(slot.export_snapshot().await?, slot.consistent_point());
        let begun = transaction_time(&mut holder).await?;
        let rows = SnapshotRows::open(holder.home(), self.options.publications(), &snapshot).await?;
        let source = Fingerprint {
            system_id: identity.system_id,
            timeline: identity.timeline,
            database: identity.database,
            slot: self.options.slot().to_string(),
            resume_lsn: Lsn::ZERO,
        };
        let (making, point) = (self.clone(), snapshot.lsn());
        Ok(Copying { making, holder, held, point, begun, source, rows, is_kept: false })
    }

    /// A slot can't be given another name: the one that stays is a second one, for a moment. That is to be known
    /// before the copy, not behind it.
    async fn require_room(&self, connection: &mut Connection) -> Result<(), Error> {
        let query = "SELECT pg_catalog.current_setting('max_replication_slots')::pg_catalog.int8 - pg_catalog.count(*) \
                     FROM pg_catalog.pg_replication_slots";
        let room: i64 = connection.query_one(query).await?.parsed(0)?.unwrap_or_default();
        if room >= 2 || self.slot.is_temporary() {
            return Ok(());
        }
        Err(Error::Precondition {
            problem: format!(
                "the source has room for {room} more replication slots, and a copy needs two: one for its snapshot, and \
                 the one that stays"
            ),
            mend: "on the source: drop a slot that nobody needs by SELECT pg_catalog.pg_drop_replication_slot('…'), or raise \
                   max_replication_slots and restart the server"
                .to_owned(),
        })
    }

    /// The name belongs to the session as long as that lasts.
    async fn temporary_name(&self, connection: &mut Connection) -> Result<SlotName, Error> {
        if self.slot.is_temporary() {
            return Ok(self.options.slot().clone());
        }
        let row = connection.query_one("SELECT pg_catalog.pg_backend_pid()").await?;
        let name = format!("walferry_copy_{}", row.required(0)?).parse();
        name.map_err(|_| Error::Protocol("the server's process has a number that is none".to_owned()))
    }

    /// The slot is there, and whether the sink has what was before it nobody knows.
    pub(crate) fn found(&self) -> Error {
        let slot = self.options.slot();
        Error::Precondition {
            problem: format!(
                "the slot \"{slot}\" is there already, and the snapshot that belonged to it is gone"
            ),
            mend: format!(
                "if the sink has the copy of an earlier run, go on without asking for one; if not, empty the sink, and on \
                 the source: SELECT pg_catalog.pg_drop_replication_slot('{slot}'); then start again"
            ),
        }
    }

    /// The slot is there, and the sink has nothing.
    pub(crate) fn cut_off(&self) -> Error {
        let slot = self.options.slot();
        Error::Precondition {
            problem: format!(
                "the slot \"{slot}\" is there already, and the sink has nothing of it: a copy was cut off at its very end, or \
                 the slot was made without one"
            ),
            mend: format!(
                "on the source: SELECT pg_catalog.pg_drop_replication_slot('{slot}'); then start again, which copies"
            ),
        }
    }

    /// The sink is further than nothing, and there is no slot to go on from.
    pub(crate) fn gone(&self, resume_lsn: Lsn) -> Error {
        let slot = self.options.slot();
        Error::Precondition {
            problem: format!(
                "the sink has everything up to {resume_lsn}, and the source has no slot \"{slot}\" any more to go on from \
                 there"
            ),
            mend: "empty the sink, its progress included, and start again, which copies".to_owned(),
        }
    }
}

/// When the snapshot was taken, by the server's clock.
async fn transaction_time(connection: &mut Connection) -> Result<Timestamp, Error> {
    let query = "SELECT (1000000 * EXTRACT(epoch FROM pg_catalog.now() - '2000-01-01 00:00:00+00'::pg_catalog.timestamptz))\
                 ::pg_catalog.int8";
    let micros = connection.query_one(query).await?.parsed(0)?;
    Ok(Timestamp::from_micros(micros.unwrap_or_default()))
}

impl Copying {
    pub(crate) fn rows(&mut self) -> &mut SnapshotRows {
        &mut self.rows
    }

    /// What begins the transaction that the rows are in. It has no number: nobody made it.
    pub(crate) fn begin(&self) -> Event {
        Event::Begin(Begin {
            commit_lsn: self.point,
            commit_time: self.begun,
            xid: Xid::new(0),
            origin: None,
            gid: None,
        })
    }

    /// What ends it.
    pub(crate) fn commit(&self) -> Event {
        Event::Commit(Commit {
            commit_lsn: self.point,
            end_lsn: self.point,
            commit_time: self.begun,
            xid: Xid::new(0),
        })
    }

    pub(crate) fn point(&self) -> Lsn {
        self.point
    }

    /// What a sink has to keep that has the copy, or, at 0/0, nothing.
    pub(crate) fn fingerprint(&self, resume_lsn: Lsn) -> Fingerprint {
        Fingerprint { resume_lsn, ..self.source.clone() }
    }

    /// Makes the slot that stays. `replaces`: one that was made for an earlier copy goes.
    pub(crate) async fn keep(&mut self, replaces: bool) -> Result<(), Error> {
        if self.making.slot.is_temporary() || self.is_kept {
            return Ok(());
        }
        let (held, slot) = (literal(self.held.as_str()), literal(self.making.options.slot().as_str()));
        if replaces {
            let drop = format!(
                "SELECT pg_catalog.pg_drop_replication_slot(slot_name) FROM pg_catalog.pg_replication_slots \
                 WHERE slot_name = {slot}"
            );
            self.holder.simple_query(&drop).await?;
        }
        let copy = format!("SELECT pg_catalog.pg_copy_logical_replication_slot({held}, {slot}, false)");
        self.holder.simple_query(&copy).await?;
        self.is_kept = true;
        Ok(())
    }

    /// Whether the temporary slot is still there to be kept.
    pub(crate) async fn check(&mut self) -> Result<(), Error> {
        self.holder.simple_query("SELECT 1").await.map(drop)
    }

    /// Starts the stream, behind the rows, which the sink has.
    pub(crate) async fn start(mut self) -> Result<ReplicationStream, Error> {
        let Making { slot, options, .. } = self.making.clone();
        if !self.is_kept {
            self.keep(false).await.map_err(|error| self.unkept(&error))?;
        }
        drop(self.rows);
        if !slot.is_temporary() {
            self.holder.drop_slot(&self.held, InUse::Fail).await?;
        }
        if slot.is_failover() {
            let name = quote::replication_identifier(options.slot().as_str());
            self.holder.simple_query(&format!("ALTER_REPLICATION_SLOT {name} (FAILOVER true)")).await?;
        }
        self.holder.start_replication(options.start_lsn(self.point)).await
    }

    /// The sink has the rows, and what changed since can't be had.
    fn unkept(&self, error: &Error) -> Error {
        let slot = self.making.options.slot();
        Error::Precondition {
            problem: format!(
                "the sink has the copy, and the slot \"{slot}\" that goes on behind it could not be made: {error}"
            ),
            mend: "empty the sink, and start again, which copies".to_owned(),
        }
    }
}

impl fmt::Debug for SnapshotStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SnapshotStream")
            .field("slot", self.making.options.slot())
            .field("consistent_point", &self.consistent_point())
            .finish_non_exhaustive()
    }
}
