//! What stands in the way of a migration, and what mends it: [`Migration::examine`].
//!
//! Nothing is changed on either side: each is looked at in one transaction that may only read. Nor does it take many rights.
//! What the roles may not look at is told as [`UNCHECKED`] and stops nothing else.
//!
//! Before the first run there is neither publication nor slot, and that is no fault: a run makes them, for all tables. So all
//! tables that such a publication has count as published, until there is one.
//!
//! Servers older than 14 are not in the table: no connection is made to them. Nor is what SQL can't see: how much room the disks
//! have, and what of the schema's functions and expressions behaves otherwise on another version.
//!
//! # The checks
#![doc = include_str!("checks.md")]

mod check;
mod fence;
mod link;
mod look;
mod publication;
mod report;
mod rights;
mod schema;
mod server;
mod tables;

pub use self::report::{Finding, Report, Severity, Side};

use self::check::Check;
use self::look::{Examiner, Given};
use super::Migration;
use crate::error::Error;

/// The id of what could not be checked; its subject is the id of the check.
pub const UNCHECKED: &str = "unchecked";

/// What the migration is to do, as far as it matters here.
///
/// ```
/// use walferry::migrate::doctor::Options;
///
/// let options = Options::new().makes_schema(true);
/// ```
#[derive(Debug, Clone, Default)]
pub struct Options {
    makes_schema: bool,
    two_phase: bool,
}

impl Options {
    /// The target's tables are there already; prepared transactions are carried once they are committed.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether the migration makes the schema in the target: then nothing is said of what is missing there.
    #[must_use = "the options are returned"]
    pub fn makes_schema(mut self, makes: bool) -> Self {
        self.makes_schema = makes;
        self
    }

    /// Whether transactions are to be prepared on the target when the source prepares them.
    #[must_use = "the options are returned"]
    pub fn two_phase(mut self, wanted: bool) -> Self {
        self.two_phase = wanted;
        self
    }
}

/// The id of every check, in the order in which they are made; [`UNCHECKED`] is none of them.
///
/// ```
/// assert!(walferry::migrate::doctor::ids().any(|id| id == "wal-level"));
/// ```
pub fn ids() -> impl Iterator<Item = &'static str> {
    checks().map(|check| check.id)
}

fn checks() -> impl Iterator<Item = &'static Check> {
    let before = [server::CHECKS, link::CHECKS, rights::CHECKS];
    let topics = [publication::CHECKS, tables::CHECKS, schema::CHECKS, fence::CHECKS];
    before.into_iter().chain(topics).flatten()
}

impl Migration {
    /// Examines both sides for whatever a migration depends on and can be known beforehand.
    ///
    /// ```no_run
    /// # async fn example(migration: walferry::migrate::Migration) -> Result<(), walferry::Error> {
    /// use walferry::migrate::doctor::Options;
    ///
    /// let report = migration.examine(&Options::new()).await?;
    /// print!("{report}");
    /// assert!(!report.has_errors());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// When one of the sides can't be reached, or is lost meanwhile. Whatever else fails is a [`Finding`].
    pub async fn examine(&self, options: &Options) -> Result<Report, Error> {
        let mut examiner = Examiner::open(self, Given::new(self, options)).await?;
        let mut findings = Vec::new();
        for check in checks() {
            findings.extend(examiner.make(check).await?);
        }
        Ok(Report::new(findings))
    }

    /// Nobody could write to the source behind the fence of a cutover.
    ///
    /// # Errors
    ///
    /// [`Error::Precondition`] says who could, or what can't be seen.
    pub(super) async fn nobody_passes_the_fence(&self) -> Result<(), Error> {
        let mut examiner = Examiner::open(self, Given::new(self, &Options::new())).await?;
        for check in fence::CHECKS {
            if let Some(first) = examiner.make(check).await?.first() {
                return Err(first.refusal("the source can't be closed to writers"));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::migrate::doctor::check::Look;

    #[test]
    fn the_table_of_checks_is_what_is_checked() {
        let rows = include_str!("checks.md").lines().filter_map(|line| line.strip_prefix("| `"));
        let told: Vec<_> = rows.map(|row| row.split(" | ").take(3).collect::<Vec<_>>().join(" ")).collect();
        let made: Vec<_> =
            checks().map(|check| format!("{}` {} {}", check.id, check.severity, check.side)).collect();
        assert_eq!(told, made);
    }

    #[test]
    fn no_id_is_used_twice() {
        let mut seen = std::collections::BTreeSet::from([UNCHECKED]);
        assert!(ids().all(|id| seen.insert(id)));
    }

    /// What stands in braces is a column that the query names; else the text would be left out without a word.
    #[test]
    fn the_texts_of_a_check_name_columns_of_its_query() {
        for check in checks() {
            let (Look::Here(query) | Look::Across(_, query) | Look::Refused(_, query)) = check.look else {
                continue;
            };
            for text in [check.subject, check.reason, check.mend] {
                for place in text.split('{').skip(1) {
                    let column = place.split([':', '}']).next().unwrap();
                    let words = query.split(|c: char| !c.is_alphanumeric() && c != '_');
                    assert!(words.into_iter().any(|word| word == column), "{}: {column}", check.id);
                }
            }
        }
    }
}
