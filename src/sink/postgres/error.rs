//! What can keep a change from being applied.

use std::fmt;
use std::path::PathBuf;

use tokio_postgres::error::DbError;

use crate::capture::CaptureError;
use crate::error::Error;
use crate::value::ValueError;
use crate::{Lsn, Xid};

/// Why changes can't be applied to the target: which change, by which key, and what to do. Holds no row value.
///
/// Everything before that transaction is applied, and nothing of it.
#[derive(Debug)]
pub struct ApplyError(Box<Problem>);

#[derive(Debug)]
struct Problem {
    kind: ApplyErrorKind,
    change: Option<ChangePlace>,
    hint: Option<String>,
    statement: Option<String>,
}

/// Which change it was.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ChangePlace {
    /// `INSERT`, `UPDATE`, `DELETE` or `TRUNCATE`; or `COMMIT`, where what was put off is refused.
    pub operation: &'static str,
    /// Schema and table; empty of a COMMIT.
    pub table: String,
    /// The columns by which its row is found; none of an INSERT.
    pub key: Vec<String>,
    /// Its transaction at the source.
    pub xid: Option<Xid>,
    /// Where that transaction committed, at the source.
    pub commit_lsn: Option<Lsn>,
    /// The how manieth change of its transaction, or of the part of it that the sink was given last, counted from 1.
    pub ordinal: u64,
}

/// What is wrong.
#[derive(Debug)]
#[non_exhaustive]
pub enum ApplyErrorKind {
    /// The target has no such table, or it is of a kind that takes no changes.
    MissingTable,
    /// The target's table lacks columns.
    MissingColumns {
        /// Their names.
        columns: Vec<String>,
    },
    /// An UPDATE or DELETE has found another number of rows than one.
    RowCount {
        /// How many it has found.
        found: u64,
    },
    /// The source sends nothing by which the row could be found: the table has no replica identity.
    NoIdentity,
    /// The source did not send a value that is needed.
    MissingValue {
        /// Of which column.
        column: String,
    },
    /// A binary value that the target can't take as it is has no text.
    NoText {
        /// In which column.
        column: String,
        /// Why.
        source: ValueError,
    },
    /// The target refused the change.
    Refused(Refusal),
    /// The row of `walferry.progress` is not what this sink has made it: somebody else writes to it.
    ProgressMoved,
    /// The row of `walferry.progress` can't be read.
    ProgressUnreadable,
    /// The file for changes that can't be applied can't be read or written.
    Quarantine {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: CaptureError,
    },
    /// That file holds changes of another stream, or for another target.
    OtherQuarantine {
        /// Which file.
        path: PathBuf,
    },
    /// The target can't be reached, or refused something other than a change.
    Target(Error),
    /// The sink was used after an error.
    Failed,
}

/// What the target said, without what it may have quoted of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Refusal {
    /// The five characters of the SQLSTATE.
    pub sqlstate: String,
    /// The message, of errors that speak of the schema alone.
    pub message: Option<String>,
    /// The constraint that would be violated.
    pub constraint: Option<String>,
    /// The column.
    pub column: Option<String>,
    /// The data type.
    pub data_type: Option<String>,
}

impl ApplyError {
    pub(super) fn new(kind: ApplyErrorKind) -> Self {
        Self(Box::new(Problem { kind, change: None, hint: None, statement: None }))
    }

    pub(super) fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    /// What mends it, in SQL.
    pub(super) fn with_statement(self, statement: String) -> Self {
        let mut error = self.with_hint(format!("on the target: {statement}"));
        error.0.statement = Some(statement);
        error
    }

    pub(super) fn at(mut self, change: ChangePlace) -> Self {
        self.0.change.get_or_insert(change);
        self
    }

    /// What is wrong.
    pub fn kind(&self) -> &ApplyErrorKind {
        &self.0.kind
    }

    /// Which change could not be applied, where it was one.
    pub fn change(&self) -> Option<&ChangePlace> {
        self.0.change.as_ref()
    }

    /// What to do about it: often the statement that the target needs.
    pub fn hint(&self) -> Option<&str> {
        if let Some(hint) = &self.0.hint {
            return Some(hint);
        }
        match &self.0.kind {
            ApplyErrorKind::MissingTable => Some(
                "create it on the target, as it is on the source; a view whose INSTEAD OF triggers don't fire here is none",
            ),
            ApplyErrorKind::RowCount { .. } => Some(
                "the target has other rows than the source: compare them by the key, and mend the target",
            ),
            ApplyErrorKind::NoIdentity => {
                Some("on the source: ALTER TABLE … REPLICA IDENTITY FULL, or add a primary key")
            }
            ApplyErrorKind::MissingValue { .. } => Some(
                "a row filter of the publication made an INSERT of an UPDATE, whose large value the source does not send again: \
                 ALTER TABLE … REPLICA IDENTITY FULL there",
            ),
            ApplyErrorKind::NoText { .. } => Some("ask the source for text"),
            ApplyErrorKind::Refused(refusal) => refusal.hint(),
            ApplyErrorKind::ProgressMoved => {
                Some("another process applies changes under the same name: stop one of them")
            }
            ApplyErrorKind::ProgressUnreadable => {
                Some("it was changed by hand: see the table walferry.progress")
            }
            ApplyErrorKind::OtherQuarantine { .. } => {
                Some("give each target, and each slot, a file of its own for what it can't apply")
            }
            ApplyErrorKind::Target(error) => error.hint(),
            ApplyErrorKind::MissingColumns { .. }
            | ApplyErrorKind::Quarantine { .. }
            | ApplyErrorKind::Failed => None,
        }
    }

    /// Whether it is one change that the target's rows or constraints don't stand: what a policy may leave out.
    pub(super) fn is_conflict(&self) -> bool {
        match &self.0.kind {
            ApplyErrorKind::RowCount { .. } => true,
            // Without a value that the source doesn't have any more, no row can be inserted: the table is wrong.
            ApplyErrorKind::Refused(refusal) => match refusal.sqlstate.get(..2) {
                Some("23") => self.0.statement.is_none(),
                class => class == Some("22"),
            },
            _ => false,
        }
    }

    /// The SQL that the target needs, where its tables are not as the source's are now. The sink runs none of it.
    pub fn statement(&self) -> Option<&str> {
        self.0.statement.as_deref()
    }

    /// Whether the same changes may be applied later with nothing changed: a lost connection, a deadlock.
    pub fn is_retryable(&self) -> bool {
        match &self.0.kind {
            ApplyErrorKind::Target(error) => error.is_retryable(),
            ApplyErrorKind::Refused(refusal) => refusal.passes(),
            _ => false,
        }
    }
}

impl Refusal {
    pub(super) fn of(error: &DbError) -> Self {
        let sqlstate = error.code().code().to_owned();
        // Syntax and access rules, features, states of objects: what they quote are names.
        let is_of_schema = matches!(sqlstate.get(..2), Some("42" | "0A" | "55" | "3F"));
        Self {
            message: is_of_schema.then(|| error.message().to_owned()),
            constraint: error.constraint().map(str::to_owned),
            column: error.column().map(str::to_owned),
            data_type: error.datatype().map(str::to_owned),
            sqlstate,
        }
    }

    /// Serialisation failures, deadlocks, locks that were not to be had, servers that stop.
    pub(super) fn passes(&self) -> bool {
        matches!(
            self.sqlstate.as_bytes(),
            b"40001" | b"40P01" | b"55P03" | [b'5', b'3' | b'7', ..] | [b'0', b'8', ..]
        )
    }

    /// What the code means, in words.
    fn meaning(&self) -> &'static str {
        match self.sqlstate.as_bytes() {
            b"23502" => "a NULL where the target wants a value",
            b"23503" => "a foreign key of the target",
            b"23505" => "a unique key of the target holds the value already",
            b"23514" => "a check constraint of the target",
            b"23P01" => "an exclusion constraint of the target",
            b"22001" => "the value is too long for the target's column",
            b"22003" => "the number is out of the range of the target's column",
            b"22P02" | b"22007" | b"22008" | b"22P03" => "the value is not one of the target's type",
            b"40001" => "a serialisation failure",
            b"40P01" => "a deadlock",
            b"P0001" => "a trigger of the target raised an error",
            _ => "the target refused it",
        }
    }

    fn hint(&self) -> Option<&'static str> {
        let says = |words: &str| self.message.as_deref().is_some_and(|message| message.contains(words));
        Some(match self.sqlstate.as_bytes() {
            b"23503" => {
                "the target's foreign keys are not in force where the role may set session_replication_role to replica: \
                 a superuser, or GRANT SET ON PARAMETER session_replication_role"
            }
            b"23505" => {
                "the target has a row that the source has not; or the source's constraint is deferrable, and the target's must \
                 be, too"
            }
            b"22001" | b"22003" | b"22P02" => "give the target's column the type that it has on the source",
            b"25006" => {
                "the target is a standby, or read-only: connect to the primary, by target_session_attrs=read-write"
            }
            b"42501" if says("row-level security") => {
                "the role needs BYPASSRLS, or must own the target's table"
            }
            b"42501" => "the role needs INSERT, SELECT, UPDATE, DELETE and TRUNCATE on the target's tables",
            b"55000" if says("replica identity") => {
                "the target's table is in a publication of its own: give it a primary key or REPLICA IDENTITY FULL there, or take it out"
            }
            b"55000" if says("prepared transactions") => {
                "on the target: max_prepared_transactions must be above 0 for prepared transactions"
            }
            _ => return None,
        })
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (SQLSTATE {}", self.meaning(), self.sqlstate)?;
        for (what, name) in
            [("constraint", &self.constraint), ("column", &self.column), ("type", &self.data_type)]
        {
            if let Some(name) = name {
                write!(f, ", {what} {name}")?;
            }
        }
        f.write_str(")")?;
        match &self.message {
            Some(message) => write!(f, ": {message}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for ChangePlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.operation)?;
        // A COMMIT is of no table.
        if !self.table.is_empty() {
            write!(f, " of {}", self.table)?;
        }
        if !self.key.is_empty() {
            write!(f, " by ({})", self.key.join(", "))?;
        }
        write!(f, ", change {}", self.ordinal)?;
        if let Some(xid) = self.xid {
            write!(f, " of transaction {xid}")?;
        }
        match self.commit_lsn {
            Some(lsn) => write!(f, " that committed at {lsn}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for ApplyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(change) = &self.0.change {
            write!(f, "{change}: ")?;
        }
        match &self.0.kind {
            ApplyErrorKind::MissingTable => f.write_str("the target has no such table"),
            ApplyErrorKind::MissingColumns { columns } => {
                write!(f, "the target's table has no column {}", columns.join(", "))
            }
            ApplyErrorKind::RowCount { found } => write!(f, "the target has {found} such rows, expected 1"),
            ApplyErrorKind::NoIdentity => f.write_str("nothing tells which row is meant"),
            ApplyErrorKind::MissingValue { column } => write!(f, "the source did not send column {column}"),
            ApplyErrorKind::NoText { column, .. } => {
                write!(f, "the binary value of column {column} can't be written as text")
            }
            ApplyErrorKind::Refused(refusal) => refusal.fmt(f),
            ApplyErrorKind::ProgressMoved => {
                f.write_str("the target's progress was changed by somebody else")
            }
            ApplyErrorKind::ProgressUnreadable => f.write_str("the target's progress can't be read"),
            ApplyErrorKind::Quarantine { path, .. } => write!(f, "the quarantine file {}", path.display()),
            ApplyErrorKind::OtherQuarantine { path } => {
                write!(f, "the quarantine file {} is of another stream or target", path.display())
            }
            ApplyErrorKind::Target(_) => f.write_str("the target"),
            ApplyErrorKind::Failed => f.write_str("the sink has failed before"),
        }
    }
}

impl std::error::Error for ApplyError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.0.kind {
            ApplyErrorKind::Target(error) => Some(error),
            ApplyErrorKind::NoText { source, .. } => Some(source),
            ApplyErrorKind::Quarantine { source, .. } => Some(source),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
