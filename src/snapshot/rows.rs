//! The rows of published tables at a snapshot, for whoever takes them.

use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures_core::Stream;

use super::job::located;
use super::query::Query;
use super::relation::relations;
use super::{Exported, chunk, source};
use crate::Row;
use crate::catalog::Catalog;
use crate::connection::{Config, Connection, Side, SqlConnection};
use crate::copy::RowReader;
use crate::error::Error;
use crate::pgoutput::Relation;

/// What published tables hold at a snapshot: a [`Stream`] of rows, one table after the other.
///
/// A row is what the stream of a slot sends of the same row when it is inserted: the same
/// [`Relation`], the same bytes in each column, under the same settings of the session. A table that is published
/// through its root has the root's name and columns. Values are text, whatever is asked of the stream: see
/// [`copy`](crate::copy).
///
/// One session reads. It is the reader's pace that counts: who takes no row holds the server up, not memory here. All the
/// while the tables are locked in `ACCESS SHARE` mode, and the server's vacuum leaves what the snapshot sees.
///
/// ```no_run
/// use std::future::poll_fn;
/// use std::pin::Pin;
///
/// use futures_core::Stream;
/// use walferry::connection::Snapshot;
/// use walferry::snapshot::{Exported, SnapshotRows};
/// use walferry::{Config, Connection, SlotOptions};
///
/// # async fn example(source: Config) -> Result<(), Box<dyn std::error::Error>> {
/// let mut connection = Connection::connect(&source).await?;
/// let options = SlotOptions::new().snapshot(Snapshot::Use);
/// let mut slot = connection.create_slot(&"shop".parse()?, options).await?;
/// let snapshot = Exported::new(slot.export_snapshot().await?, slot.consistent_point());
///
/// let mut rows = SnapshotRows::open(&source, &["shop".to_owned()], &snapshot).await?;
/// while let Some(row) = poll_fn(|cx| Pin::new(&mut rows).poll_next(cx)).await {
///     println!("{:?}", row?);
/// }
/// # Ok(())
/// # }
/// ```
#[must_use = "nothing is read before somebody asks for rows"]
pub struct SnapshotRows {
    /// What is left to be read.
    parts: VecDeque<Part>,
    step: Step,
    catalog: Catalog,
    relations: Vec<Arc<Relation>>,
    /// Has the tables locked.
    _lock: SqlConnection,
}

/// Where some of a table's rows are.
struct Part {
    relation: Arc<Relation>,
    schema: String,
    table: String,
    copy: String,
}

enum Step {
    /// From one part to the next.
    Turn(Turn),
    Part(Box<Reading>),
    /// All was read, or an error was given.
    Ended,
}

type Turn = Pin<Box<dyn Future<Output = Result<Option<Box<Reading>>, Error>> + Send + Sync>>;

struct Reading {
    connection: Connection,
    part: Part,
    rows: RowReader,
}

impl SnapshotRows {
    /// Connects to read the tables of these publications at a snapshot. Whoever exported it may end once this has returned.
    ///
    /// # Errors
    ///
    /// * [`Error::Precondition`], with what mends it: no such publication; a snapshot that is gone; a table that was rewritten since.
    /// * [`Error::Server`] where the server refuses. A role that is subject to row security gets 42501.
    pub async fn open(source: &Config, publications: &[String], snapshot: &Exported) -> Result<Self, Error> {
        Box::pin(open(source, publications, snapshot)).await
    }

    /// What the source's catalogue knows of its tables and types, in the snapshot.
    pub fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    /// The tables, in the order in which they are read.
    pub fn relations(&self) -> &[Arc<Relation>] {
        &self.relations
    }

    pub(crate) fn poll_row(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Row, Error>>> {
        let polled = self.poll_step(cx);
        if let Poll::Ready(None | Some(Err(_))) = &polled {
            self.step = Step::Ended;
        }
        polled
    }

    fn poll_step(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Row, Error>>> {
        loop {
            match &mut self.step {
                Step::Turn(turn) => match ready!(turn.as_mut().poll(cx))? {
                    Some(reading) => self.step = Step::Part(reading),
                    None => return Poll::Ready(None),
                },
                Step::Part(reading) => match ready!(reading.poll_row(cx))? {
                    Some(row) => return Poll::Ready(Some(Ok(row))),
                    None => self.turn(),
                },
                Step::Ended => return Poll::Ready(None),
            }
        }
    }

    fn turn(&mut self) {
        let Step::Part(reading) = std::mem::replace(&mut self.step, Step::Ended) else { return };
        let (next, types) = (self.parts.pop_front(), Arc::clone(self.catalog.types()));
        self.step = Step::Turn(Box::pin(async move {
            let connection = reading.finish().await?;
            match next {
                Some(part) => Reading::begin(connection, part, types).await.map(Some),
                None => Ok(None),
            }
        }));
    }
}

async fn open(config: &Config, publications: &[String], snapshot: &Exported) -> Result<SnapshotRows, Error> {
    let lock = source::look(config, Some(snapshot)).await?;
    let mut published = source::published(lock.client(), publications).await?;
    source::lock(lock.client(), &published).await?;
    source::measure(lock.client(), &mut published).await?;
    published.sort_by(|one, other| (&one.schema, &one.name).cmp(&(&other.schema, &other.name)));
    let relations = relations(lock.client(), &published).await?;
    let mut connection = source::read(config, snapshot).await?;
    let mut catalog = connection.catalog().await?;
    catalog.set_types(Arc::new(connection.read_types().await?));
    let mut parts = VecDeque::new();
    for (table, relation) in published.into_iter().zip(&relations) {
        let query = Query::new(&table, &table.columns.iter().collect::<Vec<_>>());
        parts.extend(table.parts.into_iter().map(|part| Part {
            relation: Arc::clone(relation),
            copy: query.copy(&part.schema, &part.table, chunk::ALL, "text"),
            schema: part.schema,
            table: part.table,
        }));
    }
    let step = match parts.pop_front() {
        Some(first) => {
            let types = Arc::clone(catalog.types());
            Step::Turn(Box::pin(async move { Reading::begin(connection, first, types).await.map(Some) }))
        }
        None => Step::Ended,
    };
    Ok(SnapshotRows { parts, step, catalog, relations, _lock: lock })
}

impl Reading {
    async fn begin(
        mut connection: Connection,
        part: Part,
        types: Arc<crate::value::Types>,
    ) -> Result<Box<Self>, Error> {
        let begun = connection.copy_out(&part.copy).await;
        begun.map_err(|error| part.located(error))?;
        let rows = RowReader::new(Arc::clone(&part.relation), types);
        Ok(Box::new(Self { connection, part, rows }))
    }

    fn poll_row(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Row>, Error>> {
        let line = ready!(self.connection.poll_row(cx)).map_err(|error| self.part.located(error))?;
        let row = line.map(|line| self.rows.read(&line)).transpose();
        Poll::Ready(row.map_err(Error::CopyRow))
    }

    /// The server has counted, too; and what was read is what the snapshot sees, if the table is the same as then.
    async fn finish(mut self: Box<Self>) -> Result<Connection, Error> {
        let counted = self.connection.copied().await.map_err(|error| self.part.located(error))?;
        let (read, quoted) = (self.rows.rows(), self.part.quoted());
        if counted != read {
            return Err(Error::Protocol(format!(
                "the server sent {read} rows of {quoted}, and says {counted}"
            )));
        }
        source::require_unchanged(&mut self.connection, &self.part.schema, &self.part.table).await?;
        Ok(self.connection)
    }
}

impl Part {
    fn quoted(&self) -> String {
        super::columns::qualified(&self.schema, &self.table)
    }

    fn located(&self, error: Error) -> Error {
        located(Side::Source, error, &self.quoted())
    }
}

impl Stream for SnapshotRows {
    type Item = Result<Row, Error>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().poll_row(cx)
    }
}

impl fmt::Debug for SnapshotRows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SnapshotRows")
            .field("relations", &self.relations.len())
            .field("parts_left", &self.parts.len())
            .finish_non_exhaustive()
    }
}
