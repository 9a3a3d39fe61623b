//! What was found of each sequence, and the SQL that mends what is wrong.

pub(super) use crate::quote::text::{identifier, literal as text_literal, qualified};
use std::collections::BTreeSet;
use std::fmt;

use super::{Position, Sequence};

/// What was found, and done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SequenceReport {
    findings: Vec<SequenceFinding>,
}

impl SequenceReport {
    pub(super) fn new(findings: Vec<SequenceFinding>) -> Self {
        Self { findings }
    }

    /// Every sequence of the source, by schema and name.
    pub fn findings(&self) -> &[SequenceFinding] {
        &self.findings
    }

    /// How many were moved.
    pub fn moved(&self) -> usize {
        let moved = |finding: &&SequenceFinding| matches!(finding.outcome, SequenceOutcome::Moved { .. });
        self.findings.iter().filter(moved).count()
    }

    /// Those that would collide, or fail, if the target were written to now.
    pub fn behind(&self) -> impl Iterator<Item = &SequenceFinding> {
        self.findings.iter().filter(|finding| finding.is_behind())
    }
}

/// One sequence of the source, and the target's.
///
/// Prints on one line what is wrong, or was done.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SequenceFinding {
    /// The source's.
    pub sequence: Sequence,
    /// Where it is.
    pub at: Position,
    /// The target's, if there is one, and where it was.
    pub target: Option<(Sequence, Position)>,
    /// What is to be said of it.
    pub outcome: SequenceOutcome,
    /// Where the target's definition differs. It stays so.
    pub differences: Vec<Difference>,
}

/// What is to be said of the target's sequence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SequenceOutcome {
    /// It is where it should be.
    Level,
    /// It is further already, and stays there.
    Ahead,
    /// It would hand out what the source has handed out.
    Behind {
        /// Where it must go.
        to: Position,
    },
    /// It was behind, and was set.
    Moved {
        /// Where it is now.
        to: Position,
    },
    /// There is none.
    Missing,
    /// There is none, nor the table whose column would own it: this migration doesn't carry it.
    NoTable,
    /// It counts the other way, towards what the source has handed out. It was not touched.
    Opposite,
    /// Its limits don't let it go where the source is. It was not touched.
    OutOfRange,
}

/// Something in which the definitions of two sequences differ.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Difference {
    /// As `CREATE SEQUENCE` calls it: `INCREMENT`, `MINVALUE`, `MAXVALUE`, `CACHE`, `CYCLE`, or `AS`.
    pub what: &'static str,
    /// At the source.
    pub source: String,
    /// At the target.
    pub target: String,
}

impl SequenceFinding {
    pub(super) fn new(
        sequence: Sequence,
        at: Position,
        target: Option<(Sequence, Position)>,
        outcome: SequenceOutcome,
    ) -> Self {
        let differences = target.as_ref().map(|(target, _)| differences(&sequence, target));
        Self { sequence, at, target, outcome, differences: differences.unwrap_or_default() }
    }

    /// Whether it would collide, or fail, if the target were written to now.
    pub fn is_behind(&self) -> bool {
        match self.outcome {
            SequenceOutcome::Level
            | SequenceOutcome::Ahead
            | SequenceOutcome::Moved { .. }
            | SequenceOutcome::NoTable => false,
            SequenceOutcome::Behind { .. }
            | SequenceOutcome::Missing
            | SequenceOutcome::Opposite
            | SequenceOutcome::OutOfRange => true,
        }
    }

    /// The SQL for the target that mends it, if something is wrong.
    pub fn mend(&self) -> Option<String> {
        let target = self.target.as_ref().map(|(target, _)| target);
        match (self.outcome, target) {
            (SequenceOutcome::Missing, _) => Some(self.sequence.create()),
            (SequenceOutcome::Behind { to }, Some(target)) => Some(format!(
                "SELECT pg_catalog.setval({}::pg_catalog.regclass, {}, {});",
                text_literal(&target.to_string()),
                to.last_value,
                to.is_called
            )),
            (SequenceOutcome::Opposite | SequenceOutcome::OutOfRange, Some(target)) => {
                Some(self.sequence.alter(target))
            }
            _ => None,
        }
    }
}

impl fmt::Display for SequenceFinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sequence {}: at the source {}, ", self.sequence, self.at)?;
        match (&self.target, self.outcome) {
            (Some((target, at)), outcome) => {
                write!(f, "at the target {at}")?;
                if target.to_string() != self.sequence.to_string() {
                    write!(f, " as {target}")?;
                }
                match outcome {
                    SequenceOutcome::Moved { to } => write!(f, ", now {to}")?,
                    SequenceOutcome::Behind { .. } => f.write_str(", behind")?,
                    SequenceOutcome::Opposite => f.write_str(", and it counts the other way")?,
                    SequenceOutcome::OutOfRange => {
                        write!(f, ", and it counts from {} to {}", target.min, target.max)?;
                    }
                    _ => {}
                }
            }
            (None, SequenceOutcome::NoTable) => f.write_str("and the target doesn't have its table")?,
            (None, _) => f.write_str("and the target doesn't have it")?,
        }
        for Difference { what, source, target } in &self.differences {
            write!(f, "; {what} is {source} at the source, {target} at the target")?;
        }
        Ok(())
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", if self.is_called { "" } else { "before " }, self.last_value)
    }
}

/// As it stands in SQL: schema and name in quotes.
impl fmt::Display for Sequence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&qualified(&self.schema, &self.name))
    }
}

impl Sequence {
    /// The statement that makes such a one.
    fn create(&self) -> String {
        let options = self.options();
        match &self.owner {
            Some(owner) if owner.identity.is_some() => format!(
                "ALTER TABLE {} ALTER COLUMN {} ADD GENERATED {} AS IDENTITY (SEQUENCE NAME {self} {options});",
                qualified(&owner.schema, &owner.table),
                identifier(&owner.column),
                owner.identity.unwrap_or_default(),
            ),
            Some(owner) => format!(
                "CREATE SEQUENCE {self} AS {} {options} OWNED BY {}.{};",
                self.data_type,
                qualified(&owner.schema, &owner.table),
                identifier(&owner.column),
            ),
            None => format!("CREATE SEQUENCE {self} AS {} {options};", self.data_type),
        }
    }

    /// The statement that makes `target` such a one.
    fn alter(&self, target: &Self) -> String {
        // Where it is now may be outside of the new limits.
        format!(
            "ALTER SEQUENCE {target} AS {} {} RESTART WITH {};",
            self.data_type,
            self.options(),
            self.start
        )
    }

    fn options(&self) -> String {
        format!(
            "INCREMENT BY {} MINVALUE {} MAXVALUE {} START WITH {} CACHE {} {}",
            self.increment,
            self.min,
            self.max,
            self.start,
            self.cache,
            cycle(self)
        )
    }
}

const fn cycle(sequence: &Sequence) -> &'static str {
    if sequence.cycle { "CYCLE" } else { "NO CYCLE" }
}

fn differences(source: &Sequence, target: &Sequence) -> Vec<Difference> {
    let words = |sequence: &Sequence| {
        [
            ("AS", sequence.data_type.clone()),
            ("INCREMENT", sequence.increment.to_string()),
            ("MINVALUE", sequence.min.to_string()),
            ("MAXVALUE", sequence.max.to_string()),
            ("CACHE", sequence.cache.to_string()),
            ("CYCLE", cycle(sequence).to_owned()),
        ]
    };
    let pairs = words(source).into_iter().zip(words(target));
    let differing = pairs.filter(|((_, source), (_, target))| source != target);
    differing.map(|((what, source), (_, target))| Difference { what, source, target }).collect()
}

/// The first few, and how many more there are.
pub(super) fn list(names: &BTreeSet<String>) -> String {
    const SHOWN: usize = 10;
    let shown = names.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
    match names.len().checked_sub(SHOWN) {
        None | Some(0) => shown,
        Some(more) => format!("{shown} and {more} more"),
    }
}
