//! Makes the checks: a session with each side, in a transaction that only reads.

use std::collections::HashMap;

use tokio_postgres::types::ToSql;

use super::check::{COMMON, Check, Facts, Found, Look};
use super::link;
use super::report::{Finding, Severity, Side};
use super::{Options, UNCHECKED};
use crate::connection::{SqlConnection, sql_error};
use crate::error::Error;
use crate::migrate::Migration;

const DURING: &str = "while examining it";

/// One snapshot, whatever a pooler did to the settings that we came with. Row security is to refuse, not to hide. What fails
/// goes back to the savepoint, and no further.
const BEGIN: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; \
     SET LOCAL search_path = pg_catalog; SET LOCAL row_security = off; SET LOCAL quote_all_identifiers = off; \
     SAVEPOINT look";

/// A session with one side.
pub(super) struct Session {
    connection: SqlConnection,
    major: u32,
}

/// What the queries are given.
#[derive(Debug)]
pub(super) struct Given {
    publication: String,
    slot: String,
    makes_schema: bool,
    two_phase: bool,
}

/// Both sides.
pub(super) struct Examiner<'a> {
    pub(super) migration: &'a Migration,
    pub(super) given: Given,
    source: Session,
    target: Session,
    /// What was asked already: by side and query.
    told: HashMap<(Side, &'static str), String>,
}

impl Given {
    pub(super) fn new(migration: &Migration, options: &Options) -> Self {
        Self {
            publication: migration.publication().to_owned(),
            slot: migration.slot().to_string(),
            makes_schema: options.makes_schema,
            two_phase: options.two_phase,
        }
    }
}

impl<'a> Examiner<'a> {
    pub(super) async fn open(migration: &'a Migration, given: Given) -> Result<Self, Error> {
        // As the role and the database are set: a migration's own sessions set what matters to them themselves.
        let source = Session::begin(SqlConnection::connect(migration.source()).await?).await?;
        let target = Session::begin(SqlConnection::connect(migration.target()).await?).await?;
        Ok(Self { migration, given, source, target, told: HashMap::new() })
    }

    /// What one check finds, or that it can't be made.
    pub(super) async fn make(&mut self, check: &Check) -> Result<Vec<Finding>, Error> {
        if self.session(check.side).major < check.since {
            return Ok(Vec::new());
        }
        match self.rows(check).await {
            Ok(rows) => Ok(rows.iter().map(|row| check.finding(row)).collect()),
            Err(error) if is_refusal(&error) => Ok(vec![unchecked(check, &error)]),
            Err(error) => Err(error),
        }
    }

    async fn rows(&mut self, check: &Check) -> Result<Vec<Found>, Error> {
        let session = self.session(check.side);
        match &check.look {
            Look::Here(query) => session.found(query, &self.given, "").await,
            Look::Across(facts, query) => self.across(check.side, facts, query).await,
            Look::Refused(trial, query) => match session.attempt(trial).await {
                Ok(()) => Ok(Vec::new()),
                Err(error) if is_refusal(&error) => session.found(query, &self.given, "").await,
                Err(error) => Err(error),
            },
            Look::Probe(probe) => link::probe(*probe, self).await,
        }
    }

    /// The rows of a query on this side which sees facts of the other.
    pub(super) async fn across(
        &mut self,
        side: Side,
        facts: &Facts,
        query: &str,
    ) -> Result<Vec<Found>, Error> {
        let told = self.told(side.other(), facts).await?;
        let seen = format!(
            ", other AS (SELECT f.* FROM given, json_to_recordset(given.facts::json) AS f({})) {query}",
            facts.columns
        );
        self.session(side).found(&seen, &self.given, &told).await
    }

    /// Facts of that side, as JSON that the server writes and the other reads.
    async fn told(&mut self, side: Side, facts: &Facts) -> Result<String, Error> {
        if let Some(told) = self.told.get(&(side, facts.query)) {
            return Ok(told.clone());
        }
        let query = facts.query;
        let asked =
            format!("SELECT coalesce(json_agg(row_to_json(f)), '[]')::text AS facts FROM ({query}) f");
        let rows = self.session(side).found(&asked, &self.given, "").await?;
        let told = rows.first().and_then(|row| row.get("facts").cloned().flatten()).unwrap_or_default();
        self.told.insert((side, query), told.clone());
        Ok(told)
    }

    pub(super) fn session(&self, side: Side) -> &Session {
        match side {
            Side::Source => &self.source,
            Side::Target => &self.target,
        }
    }
}

impl Session {
    async fn begin(connection: SqlConnection) -> Result<Self, Error> {
        let client = connection.client();
        let begun = async {
            client.batch_execute(BEGIN).await?;
            let version = "SELECT current_setting('server_version_num')::int4 / 10000";
            client.query_one(version, &[]).await?.try_get::<_, i32>(0)
        };
        let major = begun.await.map_err(|error| sql_error(DURING, error))?;
        Ok(Self { major: u32::try_from(major).unwrap_or_default(), connection })
    }

    pub(super) fn process_id(&self) -> Option<i32> {
        self.connection.process_id()
    }

    /// The rows of a query behind [`COMMON`], of text.
    pub(super) async fn found(&self, query: &str, given: &Given, facts: &str) -> Result<Vec<Found>, Error> {
        let Given { publication, slot, makes_schema, two_phase } = given;
        let parameters: [&(dyn ToSql + Sync); 5] = [publication, slot, makes_schema, two_phase, &facts];
        let rows = self.connection.client().query(&format!("{COMMON}{query}"), &parameters).await;
        let rows = rows.and_then(|rows| rows.iter().map(text).collect());
        let rows = rows.map_err(|error| sql_error(DURING, error));
        if rows.as_ref().is_err_and(is_refusal) {
            self.back().await?;
        }
        rows
    }

    /// Whether a statement goes through. It is taken back either way.
    async fn attempt(&self, statement: &str) -> Result<(), Error> {
        let done = self.run(statement).await;
        if done.as_ref().err().is_none_or(is_refusal) {
            self.back().await?;
        }
        done
    }

    async fn back(&self) -> Result<(), Error> {
        self.run("ROLLBACK TO look").await
    }

    async fn run(&self, statement: &str) -> Result<(), Error> {
        self.connection.client().batch_execute(statement).await.map_err(|error| sql_error(DURING, error))
    }
}

fn text(row: &tokio_postgres::Row) -> Result<Found, tokio_postgres::Error> {
    let column = |(index, column): (usize, &tokio_postgres::Column)| {
        Ok((column.name().to_owned(), row.try_get::<_, Option<&str>>(index)?.map(str::to_owned)))
    };
    row.columns().iter().enumerate().map(column).collect()
}

/// Whether the server did not like the statement, and goes on with the session.
fn is_refusal(error: &Error) -> bool {
    matches!(error, Error::Server(refusal) if refusal.severity == "ERROR")
}

fn unchecked(check: &Check, error: &Error) -> Finding {
    let mend = (error.sqlstate() == Some("42501"))
        .then(|| "-- run the doctor as a role that may look there, a superuser for example".to_owned());
    Finding {
        id: UNCHECKED,
        severity: Severity::Warning,
        side: check.side,
        subject: Some(check.id.to_owned()),
        reason: format!("this could not be checked: {error}"),
        mend,
    }
}
