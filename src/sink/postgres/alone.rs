//! The change of one row, alone in its batch: one statement, which is the transaction.
//!
//! So it is seen soonest: the server reads one message, the sink waits for one answer, and each is woken once.

use super::apply::Applier;
use super::error::{ApplyError, ApplyErrorKind};
use super::fold::{PlanIndex, Rows};
use super::gathered::{self, Objection};
use super::inflight::Trouble;
use super::statement::Shape;
use crate::Lsn;

impl Applier {
    /// Changes the row, moves the progress, and commits. The statement fails as a whole; what only the commit finds wrong,
    /// of a deferred constraint, comes before the server is ready again, for which this waits.
    pub(super) async fn alone(
        &mut self,
        index: PlanIndex,
        rows: &Rows<'_>,
        end: Lsn,
    ) -> Result<(), Objection> {
        let plan = self.session.plan_at(index)?;
        let before = self.progress.as_ref().map(|progress| progress.resume_lsn.to_string());
        let (Some((change, mut parameters)), Some(before)) =
            (gathered::row_by_row(&plan, rows)?.pop(), before)
        else {
            return Err(ApplyError::new(ApplyErrorKind::ProgressUnreadable).into());
        };
        let shape = Shape::Alone { change: Box::new(change), parameters: parameters.len() };
        let statement = self.session.statement(index, shape).await?;
        parameters.extend([self.name.clone(), end.to_string(), before].map(Into::into));
        match self.session.client().execute_raw(&statement, parameters).await? {
            1 => self.moved(end),
            found => return Err(Objection::Target(Trouble::Found(found))),
        }
        Ok(())
    }
}
