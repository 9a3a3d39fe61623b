//! The course of a comparison.

use futures_util::TryStreamExt as _;
use futures_util::future::try_join;
use futures_util::stream::FuturesUnordered;

use super::classes::{Differing, Sums, class_sums, differing, enough, rounds};
use super::lookup::{self, Traits};
use super::merge::{self, Found, unreadable};
use super::notes::Notes;
use super::plan::{self, Piece, Plan, TablePlan};
use super::report::{Proven, TableReport, VerifyReport};
use super::session::{Failure, Sessions, persistently};
use super::statement::{self, Blocks, Hashing};
use super::{Migration, Progress, Side, Snapshots, Verify};
use crate::Lsn;
use crate::error::Error;

/// A row that is listed takes about that much where the server sorts.
const LISTED_ROW: u64 = 64;

pub(super) struct Comparison<'a> {
    verify: &'a Verify,
    source: Sessions<'a>,
    target: Sessions<'a>,
    notes: Notes<'a>,
    lsn: Lsn,
}

/// How the rows of each side become numbers.
#[derive(Debug, Clone, Copy)]
struct Hashings {
    source: Hashing,
    target: Hashing,
}

/// What one statement reads.
#[derive(Debug, Clone, Copy)]
struct Chunk<'a> {
    table: &'a TablePlan,
    side: Side,
    piece: &'a Piece,
    blocks: Option<Blocks>,
    /// About as many.
    bytes: u64,
}

impl<'a> Comparison<'a> {
    pub(super) fn new(verify: &'a Verify, migration: &'a Migration, at: &Snapshots) -> Self {
        let sessions = |side, config| Sessions::new(side, config, at, verify.jobs, verify.throttle);
        let (source, target) =
            (sessions(Side::Source, migration.source()), sessions(Side::Target, migration.target()));
        Self { verify, source, target, notes: Notes::of(migration), lsn: at.lsn }
    }

    pub(super) async fn run(&self, publication: &str) -> Result<VerifyReport, Error> {
        if self.verify.remembers {
            self.notes.prepare().await?;
        }
        let proven = if self.verify.resumes { self.notes.read().await? } else { Vec::new() };
        let planned = persistently(|| self.plan(publication, proven.clone())).await;
        let (plan, hashings) = planned.map_err(Failure::into_error)?;
        let bytes = plan.tables.iter().map(TablePlan::bytes).sum();
        self.tell(Progress::Planned { tables: plan.tables.len(), bytes });
        let (mut waiting, mut running) = (plan.tables.iter(), FuturesUnordered::new());
        let mut tables = Vec::new();
        loop {
            running.extend(
                waiting
                    .by_ref()
                    .take(self.verify.jobs - running.len())
                    .map(|table| self.table(table, hashings)),
            );
            let Some(table) = running.try_next().await? else { break };
            tables.push(table);
        }
        if self.verify.remembers {
            self.notes.forget().await?;
        }
        tables.sort_by(|a, b| (&a.schema, &a.table).cmp(&(&b.schema, &b.table)));
        Ok(VerifyReport { lsn: self.lsn, tables, proven_before: plan.proven })
    }

    async fn plan(&self, publication: &str, proven: Vec<Proven>) -> Result<(Plan, Hashings), Failure> {
        let (source, target) = try_join(self.source.begin(), self.target.begin()).await?;
        let plan = plan::make(self.verify, proven, publication, source.client(), target.client()).await?;
        let traits = try_join(lookup::traits(source.client()), lookup::traits(target.client())).await?;
        try_join(source.end(statement::NOTHING), target.end(statement::NOTHING)).await?;
        Ok((plan, Hashings::new(&traits.0, &traits.1, self.verify.md5)))
    }

    /// Compares one table. What is wrong with it alone keeps no other from being compared.
    async fn table(&self, table: &TablePlan, hashings: Hashings) -> Result<TableReport, Error> {
        let mut report = TableReport::new(&table.schema, &table.table);
        if let Err(failure) = self.fill(table, hashings, &mut report).await {
            report = TableReport::new(&table.schema, &table.table);
            report.unproven = Some(match failure {
                Failure::Error(error) => return Err(located(table, error)),
                Failure::Changed(side) => format!(
                    "on the {side} it was truncated, rewritten, altered, renamed or dropped after {}: \
                     compare it again, at a new position",
                    self.lsn
                ),
                Failure::Unsteady => {
                    "its rows were others when they were read again: is it a view?".to_owned()
                }
            });
        }
        if self.verify.remembers && report.is_equal() {
            let noted = persistently(|| async { Ok(self.notes.add(&report, self.lsn).await?) }).await;
            noted.map_err(Failure::into_error)?;
        }
        self.tell(Progress::Compared(&report));
        Ok(report)
    }

    async fn fill(
        &self,
        table: &TablePlan,
        hashings: Hashings,
        report: &mut TableReport,
    ) -> Result<(), Failure> {
        let classes = table.classes();
        let (source, target) = try_join(
            self.sums(table, Side::Source, classes, hashings),
            self.sums(table, Side::Target, classes, hashings),
        )
        .await?;
        report.rows_source = source.iter().map(|sums| sums.rows).sum();
        report.rows_target = target.iter().map(|sums| sums.rows).sum();
        let differing = differing(&source, &target);
        let found = self.list(table, classes, hashings, &differing).await?;
        if found.is_empty() && !differing.is_empty() {
            return Err(Failure::Unsteady);
        }
        report.differences = found.differences;
        report.differences.sort_by(|a, b| a.key.cmp(&b.key));
        report.more = found.more;
        Ok(())
    }

    /// Adds one side of a table up, chunk by chunk.
    async fn sums(
        &self,
        table: &TablePlan,
        side: Side,
        classes: usize,
        hashings: Hashings,
    ) -> Result<Vec<Sums>, Failure> {
        let mut waiting = Vec::new();
        for piece in table.pieces(side) {
            let chunks = piece.chunks(self.verify.chunk_bytes);
            let bytes = piece.bytes / u64::try_from(chunks.len()).unwrap_or(1).max(1);
            waiting.extend(chunks.into_iter().map(|blocks| Chunk { table, side, piece, blocks, bytes }));
        }
        let (mut waiting, mut running) = (waiting.into_iter(), FuturesUnordered::new());
        let mut all = vec![Sums::default(); classes];
        loop {
            let room = self.verify.jobs - running.len();
            running.extend(waiting.by_ref().take(room).map(|chunk| self.chunk(chunk, classes, hashings)));
            let Some(found) = running.try_next().await? else { return Ok(all) };
            for (class, sums) in found {
                all.get_mut(class).ok_or_else(unreadable)?.add(sums);
            }
        }
    }

    async fn chunk(
        &self,
        chunk: Chunk<'_>,
        classes: usize,
        hashings: Hashings,
    ) -> Result<Vec<(usize, Sums)>, Failure> {
        let Chunk { table, side, piece, blocks, bytes } = chunk;
        let sql = statement::sums(table, piece, blocks, classes, hashings.of(side));
        let found = persistently(|| self.read(side, piece, &sql)).await?;
        let rows = found.iter().map(|(_, sums)| sums.rows).sum();
        self.tell(Progress::Read { side, schema: &table.schema, table: &table.table, bytes, rows });
        Ok(found)
    }

    /// One chunk's sums, all of them or none.
    async fn read(&self, side: Side, piece: &Piece, sql: &str) -> Result<Vec<(usize, Sums)>, Failure> {
        let session = self.sessions(side).begin().await?;
        let mut rows = session.rows(sql).await?;
        let mut found = Vec::new();
        while let Some(row) = rows.next().await? {
            found.push(class_sums(&row).ok_or_else(unreadable)?);
        }
        drop(rows);
        session.end(&statement::unchanged(std::slice::from_ref(piece))).await?;
        Ok(found)
    }

    /// The differences in classes that differ.
    async fn list(
        &self,
        table: &TablePlan,
        classes: usize,
        hashings: Hashings,
        differing: &[Differing],
    ) -> Result<Found, Failure> {
        let mut found = Found::up_to(self.verify.max_keys);
        // Of a class that the target has nothing of, every row is missing, once, where there is a key. There may be many.
        let counts = |one: &Differing| one.target == 0 && !table.key.is_empty();
        let (missing, mixed): (Vec<_>, Vec<_>) = differing.iter().partition(|one| counts(one));
        for round in rounds(&mixed, self.verify.chunk_bytes / LISTED_ROW) {
            found.extend(self.listed(table, classes, hashings, &round, found.room()).await?);
        }
        let (some, others) = enough(&missing, found.room());
        if !some.is_empty() {
            found.extend(self.listed(table, classes, hashings, some, found.room()).await?);
        }
        found.more += others.iter().map(|one| one.source).sum::<u64>();
        Ok(found)
    }

    async fn listed(
        &self,
        table: &TablePlan,
        classes: usize,
        hashings: Hashings,
        round: &[Differing],
        limit: usize,
    ) -> Result<Found, Failure> {
        let wanted: Vec<_> = round.iter().map(|one| one.class).collect();
        let sql = |side| statement::rows(table, side, classes, &wanted, hashings.of(side));
        let (source_sql, target_sql) = (sql(Side::Source), sql(Side::Target));
        persistently(|| self.listed_once(table, &source_sql, &target_sql, limit)).await
    }

    /// Sessions are always taken in this order, so that no two tables wait for each other's.
    async fn listed_once(
        &self,
        table: &TablePlan,
        source_sql: &str,
        target_sql: &str,
        limit: usize,
    ) -> Result<Found, Failure> {
        let source = self.source.begin().await?;
        let target = self.target.begin().await?;
        let (left, right) = try_join(source.rows(source_sql), target.rows(target_sql)).await?;
        let found = merge::compare(table, left, right, limit).await?;
        source.end(&statement::unchanged(&table.source)).await?;
        target.end(&statement::unchanged(&table.target)).await?;
        Ok(found)
    }

    fn sessions(&self, side: Side) -> &Sessions<'a> {
        match side {
            Side::Source => &self.source,
            Side::Target => &self.target,
        }
    }

    fn tell(&self, progress: Progress<'_>) {
        if let Some(monitor) = &self.verify.monitor {
            monitor(progress);
        }
    }
}

impl Hashings {
    /// A server without an encoding has bytes alone, which are taken for what they would be on the other side.
    fn new(source: &Traits, target: &Traits, md5: bool) -> Self {
        let md5 = md5 || source.probe != target.probe;
        let converts = source.encoding != target.encoding;
        let of = |traits: &Traits| {
            let encoding = if traits.encoding == "SQL_ASCII" { "SQL_ASCII" } else { "UTF8" };
            Hashing { md5, converts, encoding }
        };
        Self { source: of(source), target: of(target) }
    }

    fn of(self, side: Side) -> Hashing {
        match side {
            Side::Source => self.source,
            Side::Target => self.target,
        }
    }
}

/// Says which table it was that a server could not read.
fn located(table: &TablePlan, error: Error) -> Error {
    match error {
        Error::Server(refusal) if !Error::Server(refusal.clone()).is_retryable() => Error::Precondition {
            problem: format!("{}.{} can't be read: {refusal}", table.schema, table.table),
            mend: refusal.hint.unwrap_or_else(|| "see the server's log; it may need repair".to_owned()),
        },
        error => error,
    }
}
