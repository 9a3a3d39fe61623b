//! From a connection that takes commands to a stream.

use std::collections::{HashMap, VecDeque};
use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::flow::Flow;
use super::recording::Recording;
use super::types::TypeWatch;
use super::{ReplicationStream, State, StreamOptions, Streaming};
use crate::capture::{self, Writer};
use crate::catalog::{Catalog, TableFacts};
use crate::connection::{Connection, SlotName, SlotState};
use crate::error::Error;
use crate::session::{Session, SourceChanged, SourceState, TimelineSwitch};
use crate::{Lsn, RelationId, trace};

impl Connection {
    /// Starts the stream of a slot.
    ///
    /// One connection can start one stream in its life: after it has ended, the server answers a second one with
    /// nothing at all.
    ///
    /// # Errors
    ///
    /// [`Error::Unsupported`] for what this server's version doesn't have; [`Error::Server`] for what the server
    /// refuses: 42704 without such a slot, 55006 while another process uses it, 55000 when its WAL is gone;
    /// [`Error::Timeout`] when that takes longer than [`StreamOptions::receive_timeout`].
    pub async fn start_replication(self, options: StreamOptions) -> Result<ReplicationStream, Error> {
        options.check(self.server_version())?;
        let after = options.receive_timeout;
        let started = Box::pin(self.start(options));
        if after.is_zero() {
            return started.await;
        }
        let timeout = |_| Err(Error::Timeout { during: "starting the stream".to_owned(), after });
        tokio::time::timeout(after, started).await.unwrap_or_else(timeout)
    }

    async fn start(mut self, options: StreamOptions) -> Result<ReplicationStream, Error> {
        self.end_transaction().await?;
        let source = self.source_state(&options).await?;
        if options.start_lsn > source.wal_end {
            let (resume_lsn, wal_end) = (options.start_lsn, source.wal_end);
            return Err(SourceChanged::Restored { resume_lsn, wal_end }.into());
        }
        let context = self.describe(&source, &options).await?;
        self.warn_of_layouts(&options.publications).await?;
        let status_interval = self.status_interval(options.status_interval).await?;
        self.begin_streaming(&options.command()).await?;
        trace::info!(slot = %options.slot, start = %options.start_lsn, "streaming");

        let now = super::now();
        let session = options.session(&context, status_interval, now);
        let timer = Box::pin(tokio::time::sleep_until(session.deadline().into()));
        Ok(ReplicationStream {
            connection: self,
            session,
            types: TypeWatch::default(),
            now,
            flow: Flow::new(now),
            came: 0,
            timer,
            held: VecDeque::new(),
            held_bytes: 0,
            lost: None,
            recording: None,
            context,
            source,
            options,
            keeps_idle: false,
            state: State::Running,
            unsent: None,
        })
    }

    /// What tells whether a consumer can go on with this slot.
    async fn source_state(&mut self, options: &StreamOptions) -> Result<SourceState, Error> {
        let identity = self.identify_system().await?;
        let slot = self.slot(&options.slot).await?;
        slot.as_ref().map_or(Ok(()), |slot| fits(&options.slot, slot, &identity.database))?;
        Ok(SourceState {
            system_id: identity.system_id,
            timeline: identity.timeline,
            history: self.timeline_history(identity.timeline).await?,
            database: identity.database,
            slot: options.slot.to_string(),
            wal_end: identity.wal_flushed,
            confirmed_flush_lsn: slot.and_then(|slot| slot.confirmed_flush_lsn),
        })
    }

    /// The first timeline has no history, and a server may have lost the file of a later one.
    async fn timeline_history(&mut self, timeline: u32) -> Result<Vec<TimelineSwitch>, Error> {
        const UNDEFINED_FILE: &str = "58P01";
        if timeline == 1 {
            return Ok(Vec::new());
        }
        match self.query_one(&format!("TIMELINE_HISTORY {timeline}")).await {
            Ok(row) => Ok(TimelineSwitch::read_history(row.required(1)?)),
            Err(error) if error.sqlstate() == Some(UNDEFINED_FILE) => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }

    /// What a capture of the stream needs to know.
    async fn describe(
        &mut self,
        source: &SourceState,
        options: &StreamOptions,
    ) -> Result<capture::Context, Error> {
        let mut catalog = self.catalog().await?;
        catalog.set_types(Arc::new(self.load_types().await?));
        Ok(capture::Context {
            server_version: self.server_version().to_string(),
            system_id: source.system_id.to_string(),
            timeline: source.timeline,
            database: source.database.clone(),
            slot: options.slot.to_string(),
            publications: options.publications.clone(),
            start_lsn: options.start_lsn,
            parallel_streaming: options.streaming == Streaming::Parallel,
            catalog,
        })
    }

    /// Facts about the tables of the database, as they are now, or in the snapshot of the transaction that is open.
    pub(crate) async fn catalog(&mut self) -> Result<Catalog, Error> {
        let rows = self
            .simple_query(
                "SELECT c.oid, p.is_parent, a.attname FROM pg_catalog.pg_class c \
                 CROSS JOIN LATERAL (SELECT c.relkind = 'r' AND EXISTS \
                 (SELECT FROM pg_catalog.pg_inherits i WHERE i.inhparent = c.oid)) AS p (is_parent) \
                 LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 \
                 AND a.attidentity = 'a' AND NOT a.attisdropped \
                 WHERE c.relkind IN ('r', 'p') AND (p.is_parent OR a.attname IS NOT NULL)",
            )
            .await?;
        let mut tables = HashMap::<RelationId, TableFacts>::new();
        for row in rows {
            let Some(id) = row.parsed::<u32>(0)? else { continue };
            let facts = tables.entry(RelationId::new(id)).or_default();
            facts.has_children = row.flag(1)?;
            facts.identity_always.extend(row.text(2)?.map(str::to_owned));
        }
        Ok(tables.into_iter().collect())
    }

    /// The server asks for a sign of life at half of its timeout, but is not heard while nobody reads: so it gets
    /// one before it asks.
    async fn status_interval(&mut self, wanted: Duration) -> Result<Duration, Error> {
        let row = self
            .query_one("SELECT setting FROM pg_catalog.pg_settings WHERE name = 'wal_sender_timeout'")
            .await?;
        Ok(match row.parsed(0)? {
            Some(milliseconds @ 1..) => wanted.min(Duration::from_millis(milliseconds) / 3),
            _ => wanted,
        })
    }
}

/// The server refuses the others, too, but some with the words that it has for a slot whose log is gone.
fn fits(name: &SlotName, slot: &SlotState, database: &str) -> Result<(), Error> {
    let (what, mend) = match (slot.plugin.as_deref(), slot.database.as_deref()) {
        (Some("pgoutput"), Some(of)) if of == database => return Ok(()),
        (Some("pgoutput"), Some(of)) => {
            (format!("belongs to the database \"{of}\", and this is \"{database}\""), "connect to that one")
        }
        (Some(plugin), _) => {
            (format!("was made for the plugin {plugin}"), "name one that was made for pgoutput")
        }
        (None, _) => ("is a physical one".to_owned(), "name a logical one"),
    };
    Err(Error::Precondition {
        problem: format!("slot {name} {what}"),
        mend: format!("{mend}, or let one be made under another name"),
    })
}

/// Files without a name: nothing is left of them, however this process ends.
fn spill_files(folder: Option<PathBuf>) -> impl FnMut() -> io::Result<File> {
    let folder = folder.unwrap_or_else(std::env::temp_dir);
    move || {
        tempfile::tempfile_in(&folder)
            .map_err(|source| io::Error::new(source.kind(), format!("{}: {source}", folder.display())))
    }
}

impl StreamOptions {
    fn session(&self, context: &capture::Context, status_interval: Duration, now: Instant) -> Session {
        let mut session = Session::new(now)
            .times(status_interval, self.receive_timeout)
            .parallel_streaming(context.parallel_streaming)
            .memory_limit(self.memory_limit)
            .spill(spill_files(self.spill_folder.clone()))
            .types(Arc::clone(context.catalog.types()));
        if self.start_lsn != Lsn::ZERO {
            session.resume_from(self.start_lsn);
        }
        if let Some(lsn) = self.stop_at {
            session.stop_at(lsn);
        }
        session
    }
}

impl ReplicationStream {
    /// How the stream was started, and what the source's catalogue knew of its tables then. Its types are those that
    /// are known by now.
    pub fn context(&self) -> &capture::Context {
        &self.context
    }

    /// Also writes every frame to a capture, as it is taken in. The [`Pipeline`](crate::Pipeline) makes the capture
    /// durable before it acknowledges; whoever acknowledges by itself does so by [`sync_recording`](Self::sync_recording).
    ///
    /// ```no_run
    /// # fn example(stream: &mut walferry::ReplicationStream) -> std::io::Result<()> {
    /// use walferry::capture::Writer;
    ///
    /// let file = std::fs::File::create_new("orders.capture")?;
    /// let writer = Writer::new(file, stream.context())?;
    /// stream.record(writer);
    /// # Ok(())
    /// # }
    /// ```
    pub fn record(&mut self, capture: Writer<File>) {
        self.recording = Some(Recording::new(capture));
    }
}
