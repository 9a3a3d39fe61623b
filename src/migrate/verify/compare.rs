//! The course of a comparison.

use futures_util::TryStreamExt as _;
use futures_util::future::try_join;
use futures_util::stream::FuturesUnordered;
use tokio_postgres::SimpleQueryRow;

use super::lookup::{self, Traits};
use super::merge::{self, Found, unreadable};
use super::plan::{self, Piece, Plan, TablePlan};
use super::report::{TableReport, VerifyReport};
use super::session::{Failure, Sessions, persistently};
use super::statement::{self, Blocks, Hashing};
use super::{Migration, Progress, Side, Snapshots, Verify};
use crate::Lsn;
use crate::error::Error;

/// A row that is listed takes about that much where the server sorts.
const LISTED_ROW: u64 = 64;

/// A table is not read more often than that to be listed.
const ROUNDS: u64 = 16;

pub(super) struct Comparison<'a> {
    verify: &'a Verify,
    source: Sessions<'a>,
    target: Sessions<'a>,
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

/// What a class of keys adds up to on one side.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Sums {
    rows: u64,
    first: i128,
    second: i128,
}

/// A class that is not the same on both sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Differing {
    class: usize,
    source: u64,
    target: u64,
}

impl<'a> Comparison<'a> {
    pub(super) fn new(verify: &'a Verify, migration: &'a Migration, at: &Snapshots) -> Self {
        let sessions = |side, config| Sessions::new(side, config, at, verify.jobs, verify.throttle);
        let (source, target) =
            (sessions(Side::Source, migration.source()), sessions(Side::Target, migration.target()));
        Self { verify, source, target, lsn: at.lsn }
    }

    pub(super) async fn run(&self, publication: &str) -> Result<VerifyReport, Error> {
        let planned = persistently(|| self.plan(publication)).await;
        let (plan, hashings) = planned.map_err(|failure| match failure {
            Failure::Error(error) => error,
            Failure::Changed(_) | Failure::Unsteady => unreadable(),
        })?;
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
        tables.sort_by(|a, b| (&a.schema, &a.table).cmp(&(&b.schema, &b.table)));
        Ok(VerifyReport { lsn: self.lsn, tables, skipped: plan.skipped })
    }

    async fn plan(&self, publication: &str) -> Result<(Plan, Hashings), Failure> {
        let (source, target) = try_join(self.source.begin(), self.target.begin()).await?;
        let plan = plan::make(self.verify, publication, source.client(), target.client()).await?;
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

impl Sums {
    /// No table has rows enough for 128 bits to overflow.
    fn add(&mut self, other: Self) {
        self.rows += other.rows;
        self.first = self.first.wrapping_add(other.first);
        self.second = self.second.wrapping_add(other.second);
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

fn class_sums(row: &SimpleQueryRow) -> Option<(usize, Sums)> {
    let text = |at| row.try_get(at).ok().flatten();
    let rows = text(1)?.parse().ok()?;
    Some((
        text(0)?.parse().ok()?,
        Sums { rows, first: text(2)?.parse().ok()?, second: text(3)?.parse().ok()? },
    ))
}

fn differing(source: &[Sums], target: &[Sums]) -> Vec<Differing> {
    let both = source.iter().zip(target).enumerate();
    both.filter(|(_, (source, target))| source != target)
        .map(|(class, (source, target))| Differing { class, source: source.rows, target: target.rows })
        .collect()
}

/// Divides classes so that no more rows than that are listed at once, or a few times as many of a large table.
fn rounds(differing: &[Differing], most: u64) -> Vec<Vec<Differing>> {
    let rows = |one: &Differing| one.source + one.target;
    let limit = most.max(differing.iter().map(rows).sum::<u64>() / ROUNDS);
    let mut rounds: Vec<Vec<Differing>> = Vec::new();
    let mut room = 0;
    for one in differing {
        if rounds.is_empty() || rows(one) > room {
            rounds.push(Vec::new());
            room = limit;
        }
        rounds.last_mut().into_iter().for_each(|round| round.push(*one));
        room = room.saturating_sub(rows(one));
    }
    rounds
}

/// The first classes that have as many rows on the source, and the others.
fn enough(missing: &[Differing], wanted: usize) -> (&[Differing], &[Differing]) {
    let wanted = u64::try_from(wanted).unwrap_or(u64::MAX);
    let mut rows = 0;
    let enough = missing.iter().position(|one| {
        let has = rows >= wanted;
        rows += one.source;
        has
    });
    missing.split_at_checked(enough.unwrap_or(missing.len())).unwrap_or((missing, &[]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class(class: usize, source: u64, target: u64) -> Differing {
        Differing { class, source, target }
    }

    #[test]
    fn every_class_that_differs_is_listed_in_one_round() {
        let classes: Vec<_> =
            (0..100_u64).map(|at| class(usize::try_from(at).unwrap(), at * 7 % 50, 3)).collect();
        for most in [0, 1, 60, 1_000_000] {
            let rounds = rounds(&classes, most);
            assert_eq!(rounds.concat(), classes, "{most}");
            assert!(rounds.iter().all(|round| !round.is_empty()), "{most}");
            assert!(u64::try_from(rounds.len()).unwrap() <= 2 * ROUNDS, "{most}: {}", rounds.len());
        }
        assert_eq!(rounds(&classes, 1_000_000).len(), 1);
        assert!(rounds(&[], 1).is_empty());
    }

    #[test]
    fn as_many_classes_are_listed_as_hold_the_keys_that_are_wanted() {
        let missing = [class(1, 5, 0), class(4, 5, 0), class(9, 5, 0)];
        for (wanted, listed) in [(0, 0), (1, 1), (5, 1), (6, 2), (15, 3), (16, 3)] {
            let (some, others) = enough(&missing, wanted);
            assert_eq!((some.len(), others.len()), (listed, 3 - listed), "{wanted}");
        }
    }

    #[test]
    fn sums_of_parts_are_the_sum_of_the_whole() {
        let part = Sums { rows: 1, first: i128::from(i64::MAX), second: i128::from(i64::MIN) };
        let mut whole = Sums::default();
        for _ in 0..3 {
            whole.add(part);
        }
        assert_eq!(whole.rows, 3);
        assert_eq!(whole.first, i128::from(i64::MAX) * 3);
        assert_eq!(whole.second, i128::from(i64::MIN) * 3);
    }
}
