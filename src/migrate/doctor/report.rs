//! What was found, for people and for programs.

use std::fmt;

use crate::error::Error;
use crate::migrate::state::Phase;

/// What a stream meets when it comes to a change that wants it. What came before may want it as it is.
const MET_WHILE_FOLLOWING: [&str; 3] = ["table-missing", "column-missing", "enum-label"];

/// What an examination found: see [`Migration::examine`](crate::migrate::Migration::examine).
///
/// Prints one finding after another, the worst first, each with what mends it.
///
/// ```
/// use walferry::migrate::doctor::Report;
///
/// assert_eq!(Report::default().worst(), None);
/// assert_eq!(Report::default().to_string(), "nothing stands in the way\n");
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[must_use = "an error in it means that the migration would fail, or lose something"]
#[non_exhaustive]
pub struct Report {
    /// What was found, the worst first, then in the order of [`ids`](super::ids).
    pub findings: Vec<Finding>,
}

/// One thing that stands in the way, or that one should know.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// Which check it is that found it: one of the [table](super#the-checks). It stays the same from version to version.
    pub id: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// Where it is, and where what mends it is to be run.
    pub side: Side,
    /// What it is about: a table, a column, a setting, a role. Names are quoted as in SQL.
    pub subject: Option<String>,
    /// What is wrong with it, and what comes of that. No row's value is in it.
    pub reason: String,
    /// What to do about it: SQL, wherever SQL can do it. Behind `--` stands what is left to do by hand.
    pub mend: Option<String>,
}

/// How bad a [`Finding`] is. A worse one is greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Severity {
    /// Good to know.
    Note,
    /// Something may be lost, late or other than expected; the migration goes on.
    Warning,
    /// The migration would fail, or lose something for certain.
    Error,
}

/// One of the two servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_enums, reason = "a migration has two sides")]
pub enum Side {
    /// Where the data is.
    Source,
    /// Where it is to be.
    Target,
}

impl Report {
    pub(super) fn new(mut findings: Vec<Finding>) -> Self {
        findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
        Self { findings }
    }

    /// The severity of the worst finding; `None` without any.
    pub fn worst(&self) -> Option<Severity> {
        self.findings.iter().map(|finding| finding.severity).max()
    }

    /// Whether a migration should not begin.
    pub fn has_errors(&self) -> bool {
        self.worst() == Some(Severity::Error)
    }

    /// Whether a migration that is there should not go on. What the target's tables have lacked since the copy doesn't keep it from
    /// that: following stops where it is wanted, and tells it. A column that was renamed has its old name in what comes before.
    ///
    /// ```no_run
    /// # async fn example(migration: walferry::migrate::Migration) -> Result<(), walferry::Error> {
    /// use walferry::migrate::doctor::Options;
    ///
    /// let report = migration.examine(&Options::new()).await?;
    /// if report.keeps_from_running(migration.phase().await?) {
    ///     print!("{report}");
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn keeps_from_running(&self, phase: Option<Phase>) -> bool {
        let is_met =
            |finding: &Finding| phase == Some(Phase::Follow) && MET_WHILE_FOLLOWING.contains(&finding.id);
        let mut errors = self.findings.iter().filter(|finding| finding.severity == Severity::Error);
        errors.any(|finding| !is_met(finding))
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.findings.is_empty() {
            return f.write_str("nothing stands in the way\n");
        }
        self.findings.iter().try_for_each(|finding| writeln!(f, "{finding}"))
    }
}

impl Finding {
    /// What can't be done while it is so.
    pub(in crate::migrate) fn refusal(&self, what: &str) -> Error {
        let subject = self.subject.as_deref().map(|subject| format!("{subject}: ")).unwrap_or_default();
        Error::Precondition {
            problem: format!("{what}: {}: {subject}{}", self.id, self.reason),
            mend: self.mend.clone().unwrap_or_else(|| "see what `doctor` says".to_owned()),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}: ", self.severity, self.side, self.id)?;
        if let Some(subject) = &self.subject {
            write!(f, "{subject}: ")?;
        }
        f.write_str(&self.reason)?;
        self.mend.as_ref().map_or(Ok(()), |mend| write!(f, "\n    {mend}"))
    }
}

impl Severity {
    /// `note`, `warning` or `error`, as a program would write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

impl Side {
    pub(super) const fn other(self) -> Self {
        match self {
            Self::Source => Self::Target,
            Self::Target => Self::Source,
        }
    }

    /// `source` or `target`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Target => "target",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
