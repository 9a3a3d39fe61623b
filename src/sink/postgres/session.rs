//! A session with the target: its settings, its tables, its statements, its progress.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use tokio_postgres::{Client, Statement};

use super::drift;
use super::error::{ApplyError, ApplyErrorKind, Refusal};
use super::fold::PlanIndex;
use super::plan::Plan;
use super::statement::Shape;
use super::table::Table;
use crate::connection::{Config, SqlConnection, sql_error};
use crate::error::Error;
use crate::event::RelationChange;
use crate::pgoutput::Relation;
use crate::value::Types;
use crate::{RelationId, trace};

/// What the statements rely on. The plans of joins are for a handful of rows beside a large table, whatever its
/// statistics say: an index is looked into once for each row. Each statement is planned once.
const SETTINGS: &str = "SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE; \
     SET idle_session_timeout = 0; SET row_security = off; SET xmloption = content; SET array_nulls = on; SET check_function_bodies = off; \
     SET jit = off; SET plan_cache_mode = force_generic_plan; SET enable_hashjoin = off; SET enable_mergejoin = off; \
     SET enable_seqscan = off; SET enable_material = off; SET synchronous_commit = off";

pub(super) struct Session {
    connection: Arc<SqlConnection>,
    /// Whether triggers and foreign keys that are not made for replicas are still.
    pub(super) is_replica: bool,
    /// What a flush has to wait for.
    pub(super) durably: String,
    plans: Vec<Arc<Plan>>,
    by_relation: HashMap<RelationId, PlanIndex>,
    /// What each table was announced as when the target's was found to fit.
    fitting: HashMap<RelationId, Arc<Relation>>,
    statements: Vec<HashMap<Shape, Statement>>,
    /// Those that COPY was used for.
    copied: HashSet<PlanIndex>,
    others: HashMap<&'static str, Statement>,
}

impl Session {
    pub(super) async fn open(config: &Config) -> Result<Self, ApplyError> {
        let connection = SqlConnection::connect(config).await.map_err(target)?;
        let client = connection.client();
        let refused = |error| failed("preparing the session with the target", error);
        let durably = client.query_one("SELECT pg_catalog.current_setting('synchronous_commit')", &[]).await;
        let durably: String = durably.and_then(|row| row.try_get(0)).map_err(refused)?;
        client.batch_execute(SETTINGS).await.map_err(refused)?;
        // Not every system and version has these. A session whose client is gone is to end, whatever it waits for.
        for setting in ["SET client_connection_check_interval = '5s'", "SET transaction_timeout = 0"] {
            let _ = client.batch_execute(setting).await;
        }
        let is_replica = client.batch_execute("SET session_replication_role = replica").await.is_ok();
        if !is_replica {
            trace::warn!(
                "the role may not set session_replication_role: triggers and foreign keys of the target are in force, and tables \
                 that have any are changed row by row"
            );
        }
        Ok(Self {
            connection: Arc::new(connection),
            is_replica,
            durably: if durably == "off" { "on".to_owned() } else { durably },
            plans: Vec::new(),
            by_relation: HashMap::new(),
            fitting: HashMap::new(),
            statements: Vec::new(),
            copied: HashSet::new(),
            others: HashMap::new(),
        })
    }

    pub(super) fn client(&self) -> &Client {
        self.connection.client()
    }

    /// The same, for a statement that is on its way.
    pub(super) fn connection(&self) -> Arc<SqlConnection> {
        Arc::clone(&self.connection)
    }

    /// The plan for a table as it was announced; and whether another one was in force for it before.
    pub(super) async fn plan(
        &mut self,
        relation: &Arc<Relation>,
        types: &Types,
    ) -> Result<(PlanIndex, bool), ApplyError> {
        let known = self.by_relation.get(&relation.id).copied();
        if let Some(index) = known
            && self
                .plans
                .get(index)
                .is_some_and(|plan| Arc::ptr_eq(&plan.relation, relation) || plan.relation == *relation)
        {
            return Ok((index, false));
        }
        let table = self.table(relation).await?;
        let index = self.plans.len();
        let before = self.fitting.get(&relation.id);
        let plan = Plan::new(relation, types, table, before)?;
        if let Some(change) = before.and_then(|before| RelationChange::between(before, relation)) {
            trace::info!(%change, "a table of the source has changed");
            drop(change);
        }
        self.fitting.insert(relation.id, Arc::clone(relation));
        self.plans.push(Arc::new(plan));
        self.statements.push(HashMap::new());
        if let Some(statements) = known.and_then(|known| self.statements.get_mut(known)) {
            statements.clear();
        }
        self.by_relation.insert(relation.id, index);
        Ok((index, known.is_some()))
    }

    async fn table(&self, relation: &Relation) -> Result<Table, ApplyError> {
        // States of triggers that fire in this session: of replicas, or of others; and always.
        let firing: &[&str] = if self.is_replica { &["R", "A"] } else { &["O", "A"] };
        let found = Table::load(self.client(), &relation.schema, &relation.name, firing).await;
        let found = found.map_err(|error| failed("looking at the tables of the target", error))?;
        found.ok_or_else(|| drift::missing_table(relation, self.fitting.get(&relation.id)))
    }

    /// `ONLY `, if other tables inherit from this one now: for a TRUNCATE, which would empty those that came since it was
    /// looked at, and nobody would notice.
    pub(super) async fn only(&self, relation: &Relation) -> Result<&'static str, ApplyError> {
        Ok(if self.table(relation).await?.has_children { "ONLY " } else { "" })
    }

    /// The plan of this number.
    pub(super) fn plan_at(&self, index: PlanIndex) -> Result<Arc<Plan>, ApplyError> {
        self.plans.get(index).map(Arc::clone).ok_or_else(|| ApplyError::new(ApplyErrorKind::Failed))
    }

    /// The plan that is in force for a table.
    pub(super) fn plan_of(&self, relation: &Relation) -> Option<&Arc<Plan>> {
        self.plans.get(*self.by_relation.get(&relation.id)?)
    }

    /// Looks at the tables again when they are needed next: they may not be what they were.
    pub(super) fn forget_plans(&mut self) {
        self.plans.clear();
        self.by_relation.clear();
        self.statements.clear();
        self.copied.clear();
    }

    /// Whether COPY is used for a table for the first time.
    pub(super) fn is_first_copy(&mut self, index: PlanIndex) -> bool {
        self.copied.insert(index)
    }

    /// A statement for one table, prepared once.
    pub(super) async fn statement(
        &mut self,
        index: PlanIndex,
        shape: Shape,
    ) -> Result<Statement, tokio_postgres::Error> {
        let known = self.statements.get(index).and_then(|statements| statements.get(&shape));
        if let Some(statement) = known {
            return Ok(statement.clone());
        }
        let sql = self.plans.get(index).map(|plan| plan.sql(&shape)).unwrap_or_default();
        let statement = self.client().prepare(&sql).await?;
        if let Some(statements) = self.statements.get_mut(index) {
            // As many as there are sets of columns that are not sent again.
            const MANY: usize = 1000;
            if statements.len() >= MANY {
                statements.clear();
            }
            statements.insert(shape, statement.clone());
        }
        Ok(statement)
    }

    /// A statement that is none of a table's, prepared once.
    pub(super) async fn other(&mut self, sql: &'static str) -> Result<Statement, tokio_postgres::Error> {
        if let Some(statement) = self.others.get(sql) {
            return Ok(statement.clone());
        }
        let statement = self.client().prepare(sql).await?;
        self.others.insert(sql, statement.clone());
        Ok(statement)
    }
}

pub(super) fn target(error: Error) -> ApplyError {
    ApplyError::new(ApplyErrorKind::Target(error))
}

/// What the target said, or how it was lost.
pub(super) fn failed(during: &'static str, error: tokio_postgres::Error) -> ApplyError {
    match error.as_db_error() {
        Some(refusal) => ApplyError::new(ApplyErrorKind::Refused(Refusal::of(refusal))),
        None => target(sql_error(during, error)),
    }
}
