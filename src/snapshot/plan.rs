//! From what is published and what the ledger has to what is to be done.

use std::sync::Arc;

use tokio_postgres::{Client, Error as SqlError};

use super::job::{self, Task};
use super::ledger::{Chunk, Entries, Entry, Ledger};
use super::monitor::TableProgress;
use super::source::{self, Published};
use super::target::{self, Load, Target};
use super::{Exported, Report, SnapshotCopy, Table};
use crate::connection::{SqlConnection, sql_error};
use crate::error::Error;

/// The tables as they are now.
pub(super) async fn tables(copy: &SnapshotCopy) -> Result<Vec<Table>, Error> {
    let source = source::look(&copy.source, None).await?;
    let mut published = source::published(source.client(), &copy.publications).await?;
    source::measure(source.client(), &mut published).await?;
    let target = SqlConnection::connect(&copy.target).await?;
    let mut entries = Ledger::new(target.client(), &copy.name).read().await?;
    let tables = published.into_iter().map(|table| {
        let (size, oid) = (table.size(), table.oid());
        let key = (table.schema, table.name);
        let is_whole = |entry: &Entry| entry.is_whole() && entry.is_of_table(oid);
        let copied_at = entries.remove(&key).filter(is_whole).map(|entry| entry.lsn());
        Table { schema: key.0, name: key.1, size, copied_at }
    });
    Ok(tables.collect())
}

/// Copies what there is to copy.
pub(super) async fn run(copy: &SnapshotCopy, snapshot: &Exported) -> Result<Report, Error> {
    let source = source::look(&copy.source, Some(snapshot)).await?;
    let mut published = source::published(source.client(), &copy.publications).await?;
    source::lock(source.client(), &published).await?;
    source::measure(source.client(), &mut published).await?;
    let target = target::look(&copy.target).await?;
    let reads_binary = target::reads_binary_of(target.client(), source.client()).await?;
    let targets = target::tables(target.client(), &published).await?;
    let ledger = Ledger::new(target.client(), &copy.name);
    ledger.prepare().await?;
    let plan = Plan { copy, snapshot, client: target.client(), entries: ledger.read().await?, ledger };
    let tasks = plan.tasks(&published, &targets, reads_binary).await?;
    let whole_before = published.len() - plan.unfinished(&published);
    drop(target);
    let report = Box::pin(job::run(copy, snapshot, tasks)).await?;
    let tables = published.len() - whole_before;
    // Up to here the locks that it holds are needed.
    drop(source);
    Ok(Report { tables, whole_before, ..report })
}

struct Plan<'a> {
    copy: &'a SnapshotCopy,
    snapshot: &'a Exported,
    client: &'a Client,
    ledger: Ledger<'a>,
    /// What the ledger had when it was read.
    entries: Entries,
}

impl Plan<'_> {
    /// What is left to copy, noted in the ledger. Nothing is noted before every table is known to fit.
    async fn tasks(
        &self,
        published: &[Published],
        targets: &[Option<Target>],
        reads_binary: bool,
    ) -> Result<Vec<Task>, Error> {
        let mut loads = Vec::new();
        for (index, (table, target)) in published.iter().zip(targets).enumerate() {
            if !self.is_whole(table) {
                loads.push((index, table, Arc::new(Load::fit(table, target.as_ref(), reads_binary)?)));
            }
        }
        self.copy.monitor.begin(published.iter().map(|table| self.progress(table)).collect());
        let mut tasks = Vec::new();
        for (index, table, load) in loads {
            let chunks = self.chunks(table, &load).await?;
            self.note_progress(index, &chunks);
            let can_freeze =
                targets.get(index).and_then(Option::as_ref).is_some_and(|target| target.can_freeze);
            let is_frozen = can_freeze && chunks.len() == 1;
            let left = chunks.into_iter().filter(|chunk| chunk.rows.is_none());
            tasks.extend(left.map(|chunk| Task { table: index, load: Arc::clone(&load), chunk, is_frozen }));
        }
        Ok(tasks)
    }

    fn entry(&self, table: &Published) -> Option<&Entry> {
        self.entries.get(&(table.schema.clone(), table.name.clone()))
    }

    fn is_whole(&self, table: &Published) -> bool {
        self.entry(table).is_some_and(|entry| entry.is_whole() && entry.is_of_table(table.oid()))
    }

    fn unfinished(&self, published: &[Published]) -> usize {
        published.iter().filter(|table| !self.is_whole(table)).count()
    }

    /// The chunks of a table at this snapshot, those that are copied among them.
    async fn chunks(&self, table: &Published, load: &Load) -> Result<Vec<Chunk>, Error> {
        let entry = self.entry(table);
        let is_same = |entry: &&Entry| entry.is_of(self.snapshot) && entry.is_of_table(table.oid());
        if let Some(entry) = entry.filter(is_same) {
            return Ok(entry.chunks.clone());
        }
        let chunks = divide(table, self.copy.chunk_bytes);
        self.begin((table.oid(), load), entry, &chunks).await?;
        Ok(chunks)
    }

    /// Notes what is to be copied of a table, which must be empty. What an earlier run brought of it at another snapshot
    /// goes in the same transaction; so do the rows of an earlier table of that name, what was followed of it among them.
    async fn begin(
        &self,
        (oid, load): (u32, &Load),
        before: Option<&Entry>,
        chunks: &[Chunk],
    ) -> Result<(), Error> {
        let begun = async {
            self.client.batch_execute(target::BEGIN).await?;
            if before.is_some_and(|entry| entry.has_rows() || entry.is_whole()) {
                self.empty(load).await?;
            }
            if before.is_some() {
                self.ledger.forget(load.key()).await?;
            }
            if self.client.query_opt(&load.exists(), &[]).await?.is_some() {
                self.client.batch_execute("ROLLBACK").await?;
                return Ok(false);
            }
            self.ledger.begin(load.key(), Some(oid), self.snapshot, chunks).await?;
            self.client.batch_execute("COMMIT").await?;
            Ok(true)
        };
        let begun = begun.await.map_err(|error| sql_error("while beginning the copy of a table", error))?;
        if begun { Ok(()) } else { Err(load.occupied()) }
    }

    /// Removes rows that an earlier run brought. A TRUNCATE is refused where another table refers to this one.
    async fn empty(&self, load: &Load) -> Result<(), SqlError> {
        self.client.batch_execute("SAVEPOINT whole").await?;
        if self.client.batch_execute(&load.truncate()).await.is_ok() {
            return Ok(());
        }
        self.client.batch_execute("ROLLBACK TO whole").await?;
        self.client.batch_execute(&load.delete()).await
    }

    fn progress(&self, table: &Published) -> TableProgress {
        let (size, is_whole) = (table.size(), self.is_whole(table));
        let rows = self.entry(table).filter(|_| is_whole).map(|entry| rows(&entry.chunks));
        TableProgress {
            schema: table.schema.clone(),
            name: table.name.clone(),
            rows: rows.unwrap_or_default(),
            bytes: 0,
            size,
            size_copied: if is_whole { size } else { 0 },
            is_whole,
            chunks_left: 0,
        }
    }

    fn note_progress(&self, table: usize, chunks: &[Chunk]) {
        let copied: Vec<&Chunk> = chunks.iter().filter(|chunk| chunk.rows.is_some()).collect();
        let size = |chunk: &Chunk| chunk.size;
        self.copy.monitor.change(table, |progress| {
            progress.rows = rows(chunks);
            progress.size = chunks.iter().map(size).sum();
            progress.size_copied = copied.iter().copied().map(size).sum();
            progress.chunks_left = chunks.len() - copied.len();
            progress.is_whole = progress.chunks_left == 0;
        });
    }
}

fn rows(chunks: &[Chunk]) -> u64 {
    chunks.iter().filter_map(|chunk| chunk.rows).sum()
}

fn divide(table: &Published, chunk_bytes: u64) -> Vec<Chunk> {
    let mut chunks = Vec::new();
    for part in &table.parts {
        let ranges = part.chunks(chunk_bytes);
        let mut left = part.size;
        for (behind, blocks) in (1..=ranges.len() as u64).rev().zip(ranges) {
            let size = left / behind;
            left -= size;
            let number = i32::try_from(chunks.len()).unwrap_or(i32::MAX);
            let (schema, table) = (part.schema.clone(), part.table.clone());
            chunks.push(Chunk { number, schema, table, blocks, size, rows: None });
        }
    }
    chunks
}
