//! Changes of many rows by few statements.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};

use bytes::Bytes;
use futures_util::{SinkExt as _, pin_mut};
use tokio_postgres::Statement;

use super::encode::{Arrays, CopyRows, Parameter, form};
use super::error::{ApplyError, ApplyErrorKind};
use super::fold::{PlanIndex, Rows, Step, Updated};
use super::inflight::{Expected, InFlight, Trouble};
use super::ordered;
use super::plan::{Key, Plan, PlanColumn};
use super::session::Session;
use super::statement::Shape;
use crate::Row;
use crate::error::Error;
use crate::pgoutput::Datum;

/// As many rows as one statement takes, and as many bytes: then the next is sent while the server works on this one.
const ROWS: usize = 1000;
const BYTES: usize = 256 << 10;

/// So many of these are on their way at most: enough for the server never to wait, and not a batch's worth of memory.
const AHEAD: usize = 4;

/// From here on, COPY costs less than a statement for each row.
const COPY: usize = 16;

/// From so many bytes a row on, arrays cost less than COPY, which looks at each byte.
const WIDE: usize = 2000;

/// So many sets of columns are updated each by its own statement.
const SETS: usize = 4;

/// What is given to COPY at once.
const CHUNK: usize = 64 << 10;

/// Why changes can't be applied together.
#[derive(Debug)]
pub(super) enum Objection {
    /// A value has no form in which it could go, or the like: one by one, they will tell.
    Values(ApplyError),
    Target(Trouble),
    /// They can't be applied in another way either.
    Final(ApplyError),
}

impl From<ApplyError> for Objection {
    fn from(error: ApplyError) -> Self {
        Self::Values(error)
    }
}

impl From<tokio_postgres::Error> for Objection {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Target(Trouble::Server(error))
    }
}

impl From<(usize, Trouble)> for Objection {
    fn from((_, trouble): (usize, Trouble)) -> Self {
        Self::Target(trouble)
    }
}

/// Sends what the rows of one table come to. The order of its four parts is a rule: see [`fold`](super::fold).
pub(super) async fn send(
    session: &mut Session,
    in_flight: &mut InFlight,
    index: PlanIndex,
    rows: &Rows<'_>,
) -> Result<(), Objection> {
    let plan = session.plan_at(index)?;
    let mut to = Table { session, in_flight, index, plan: &plan };
    to.by_key(&rows.deleted, true).await?;
    to.by_key(&rows.absent, false).await?;
    for (set, updated) in by_columns(&rows.updated) {
        to.update(&set, &updated).await?;
    }
    match way(&rows.inserted) {
        Way::OneByOne => to.insert(&rows.inserted).await,
        Way::Arrays => to.insert_many(&rows.inserted).await,
        Way::Copy => to.copy(&rows.inserted).await,
    }
}

/// How new rows go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    OneByOne,
    Arrays,
    Copy,
}

/// What costs least, as far as the first rows tell.
fn way(inserted: &[Cow<'_, Row>]) -> Way {
    let Some(some) = inserted.get(..COPY) else { return Way::OneByOne };
    let byte_len: usize = some.iter().map(|row| row.tuple().byte_len()).sum();
    if byte_len < COPY * WIDE { Way::Copy } else { Way::Arrays }
}

/// So few rows are changed one by one, each by a statement that fails if it doesn't find its row: then the COMMIT need not
/// wait for the answers.
const FEW: usize = 8;

/// Whether these steps are of few rows, which [`send_few`] can change.
pub(super) fn are_few(steps: &[Step<'_>]) -> bool {
    count(steps) <= FEW
}

/// The row, if these steps are of one that [`row_by_row`] can change.
pub(super) fn single<'s, 'r>(steps: &'s [Step<'r>]) -> Option<(PlanIndex, &'s Rows<'r>)> {
    match steps {
        [Step::Rows(index, rows)] if count(steps) == 1 => Some((*index, rows)),
        _ => None,
    }
}

/// How many rows are changed; more than [`FEW`], if not each is by one statement.
fn count(steps: &[Step<'_>]) -> usize {
    let count = steps.iter().map(|step| match step {
        Step::Rows(_, rows)
            if rows.absent.is_empty() && rows.updated.iter().all(|updated| !updated.set.is_empty()) =>
        {
            rows.deleted.len() + rows.updated.len() + rows.inserted.len()
        }
        _ => FEW + 1,
    });
    count.sum()
}

/// A statement and its parameters for each of few rows, in the order of [`send`].
pub(super) fn row_by_row(plan: &Plan, rows: &Rows<'_>) -> Result<Vec<(Shape, Vec<Parameter>)>, ApplyError> {
    let mut changes = Vec::new();
    let nulls = vec![false; plan.key.columns().len()];
    for key in &rows.deleted {
        changes.push((Shape::Delete { nulls: nulls.clone() }, ordered::keyed(plan, &[], key, key)?));
    }
    for updated in &rows.updated {
        let shape = Shape::Update { set: updated.set.clone(), nulls: nulls.clone() };
        changes.push((shape, ordered::keyed(plan, &updated.set, &updated.new, updated.key)?));
    }
    for row in &rows.inserted {
        changes.push((Shape::Insert, ordered::inserted(plan, row)?));
    }
    Ok(changes)
}

/// Sends what the rows of one table come to, row by row.
pub(super) async fn send_few(
    session: &mut Session,
    in_flight: &mut InFlight,
    index: PlanIndex,
    rows: &Rows<'_>,
) -> Result<(), Objection> {
    let plan = session.plan_at(index)?;
    let changes = row_by_row(&plan, rows)?;
    let mut to = Table { session, in_flight, index, plan: &plan };
    for (shape, parameters) in changes {
        // An INSERT fails by itself.
        let shape = if shape == Shape::Insert { shape } else { Shape::Sure(Box::new(shape)) };
        to.one(shape, parameters, 1).await?;
    }
    Ok(())
}

/// Updates that assign to the same columns go together.
fn by_columns<'u, 'r>(updated: &'u [Updated<'r>]) -> Vec<(Vec<usize>, Vec<&'u Updated<'r>>)> {
    let mut groups: Vec<(Vec<usize>, Vec<&Updated<'_>>)> = Vec::new();
    let mut at: HashMap<&[usize], usize> = HashMap::new();
    for update in updated {
        let group = *at.entry(&update.set).or_insert_with(|| {
            groups.push((update.set.clone(), Vec::new()));
            groups.len() - 1
        });
        if let Some((_, group)) = groups.get_mut(group) {
            group.push(update);
        }
    }
    if groups.len() > SETS { together(groups) } else { groups }
}

/// Too many sets of columns: rows go together that have a value for each column of any set.
fn together<'u, 'r>(
    groups: Vec<(Vec<usize>, Vec<&'u Updated<'r>>)>,
) -> Vec<(Vec<usize>, Vec<&'u Updated<'r>>)> {
    let all: BTreeSet<usize> = groups.iter().flat_map(|(set, _)| set).copied().collect();
    let all: Vec<usize> = all.into_iter().collect();
    let has_all = |updated: &&Updated<'_>| {
        all.iter().all(|index| !matches!(updated.new.tuple().get(*index), Some(Datum::Unchanged) | None))
    };
    let mut whole = Vec::new();
    let mut others = Vec::new();
    for (set, updated) in groups {
        let (have, lack): (Vec<_>, Vec<_>) = updated.into_iter().partition(has_all);
        whole.extend(have);
        if !lack.is_empty() {
            others.push((set, lack));
        }
    }
    if !whole.is_empty() {
        others.push((all, whole));
    }
    others
}

struct Table<'a> {
    session: &'a mut Session,
    in_flight: &'a mut InFlight,
    index: PlanIndex,
    plan: &'a Plan,
}

impl Table<'_> {
    /// Deletes the rows with these keys; or looks that there is none.
    async fn by_key(&mut self, keys: &[&Row], delete: bool) -> Result<(), Objection> {
        let plan = self.plan;
        let forms: Vec<_> = key_columns(plan).map(form).collect();
        let mut left = keys;
        while !left.is_empty() {
            let mut arrays = Arrays::of(key_columns(plan));
            let count = fill(&mut arrays, key_columns(plan).count(), left.iter().map(|key| (*key, *key)))?;
            let shape = if delete {
                Shape::DeleteMany { forms: forms.clone() }
            } else {
                Shape::CountMany { forms: forms.clone() }
            };
            let expected = if delete { count as u64 } else { 0 };
            self.one(shape, arrays.parameters(), expected).await?;
            self.go_on().await?;
            left = left.get(count..).unwrap_or_default();
        }
        Ok(())
    }

    async fn update(&mut self, set: &[usize], updated: &[&Updated<'_>]) -> Result<(), Objection> {
        let plan = self.plan;
        let columns = || key_columns(plan).chain(set.iter().filter_map(|index| plan.columns.get(*index)));
        let forms: Vec<_> = columns().map(form).collect();
        let mut left = updated;
        while !left.is_empty() {
            let mut arrays = Arrays::of(columns());
            let count = fill(
                &mut arrays,
                key_columns(plan).count(),
                left.iter().map(|update| (update.key, update.new.as_ref())),
            )?;
            let forms = forms.clone();
            // Nothing to assign, but the rows must be there.
            let shape = if set.is_empty() {
                Shape::CountMany { forms }
            } else {
                Shape::UpdateMany { set: set.to_vec(), forms }
            };
            let statement = self.session.statement(self.index, shape).await?;
            self.send(statement, arrays.parameters(), count as u64);
            self.go_on().await?;
            left = left.get(count..).unwrap_or_default();
        }
        Ok(())
    }

    async fn insert(&mut self, rows: &[Cow<'_, Row>]) -> Result<(), Objection> {
        for row in rows {
            self.one(Shape::Insert, ordered::inserted(self.plan, row)?, 1).await?;
        }
        Ok(())
    }

    async fn insert_many(&mut self, rows: &[Cow<'_, Row>]) -> Result<(), Objection> {
        let plan = self.plan;
        let forms: Vec<_> = plan.inserted().map(|(_, column)| form(column)).collect();
        let mut left = rows;
        while !left.is_empty() {
            let mut arrays = Arrays::of(plan.inserted().map(|(_, column)| column));
            let count = fill(&mut arrays, 0, left.iter().map(|row| (row.as_ref(), row.as_ref())))?;
            let shape = Shape::InsertMany { forms: forms.clone() };
            self.one(shape, arrays.parameters(), count as u64).await?;
            self.go_on().await?;
            left = left.get(count..).unwrap_or_default();
        }
        Ok(())
    }

    async fn one(
        &mut self,
        shape: Shape,
        parameters: Vec<Parameter>,
        expected: u64,
    ) -> Result<(), Objection> {
        let statement = self.session.statement(self.index, shape).await?;
        self.send(statement, parameters, expected);
        Ok(())
    }

    /// Lets what was prepared go out, and waits while enough is on its way.
    async fn go_on(&mut self) -> Result<(), Objection> {
        tokio::task::yield_now().await;
        Ok(self.in_flight.settle(AHEAD).await?)
    }

    fn send(&mut self, statement: Statement, parameters: Vec<Parameter>, expected: u64) {
        let connection = self.session.connection();
        let answer = async move { connection.client().execute_raw(&statement, parameters).await };
        self.in_flight.send(answer, Expected::Rows(expected), 0);
    }

    async fn copy(&mut self, rows: &[Cow<'_, Row>]) -> Result<(), Objection> {
        let Some(first) = rows.first() else { return Ok(()) };
        let mut lines = CopyRows::like(first, self.plan);
        let shape = Shape::Copy { binary: lines.is_binary() };
        let statement = self.session.statement(self.index, shape).await?;
        // A COPY that is refused before it begins leaves the connection out of step: its answers are then those to other
        // statements. So what was sent before has to have succeeded, and whether rows may be inserted is tried otherwise.
        if self.session.is_first_copy(self.index) {
            self.one(Shape::InsertNothing, Vec::new(), 0).await?;
        }
        self.in_flight.settle(0).await?;
        let copy = self.session.client().copy_in::<_, Bytes>(&statement).await.map_err(|_| {
            let error = Error::Closed { during: "when a COPY began, to be opened again" };
            Objection::Final(ApplyError::new(ApplyErrorKind::Target(error)))
        })?;
        pin_mut!(copy);
        let mut count = 0;
        for row in rows {
            lines.push(row)?;
            count += 1;
            if lines.len() >= CHUNK && copy.send(lines.take()).await.is_err() {
                // Why, the end says.
                break;
            }
        }
        // A copy that has failed says so here.
        let sent = copy.send(lines.end()).await;
        let copied = copy.finish().await?;
        sent?;
        if copied == count { Ok(()) } else { Err(Objection::Target(Trouble::Found(copied))) }
    }
}

fn key_columns(plan: &Plan) -> impl Iterator<Item = &PlanColumn> {
    let columns: &[usize] = match &plan.key {
        Key::Unique(columns, _) => columns,
        _ => &[],
    };
    columns.iter().filter_map(|index| plan.columns.get(*index))
}

/// Adds as many rows as go into one statement, at least one: so many.
fn fill<'r>(
    arrays: &mut Arrays<'_>,
    keys: usize,
    rows: impl Iterator<Item = (&'r Row, &'r Row)>,
) -> Result<usize, ApplyError> {
    let mut count = 0;
    for (key, new) in rows.take(ROWS) {
        arrays.push(keys, key, new)?;
        count += 1;
        if arrays.byte_len() >= BYTES {
            break;
        }
    }
    Ok(count)
}

#[cfg(test)]
mod tests;
