use std::error::Error;
use std::{fmt, io};

use crate::RelationId;

/// A line from which no event can be made.
///
/// Says which line, which member of it and what was expected there; never a value.
#[derive(Debug)]
pub struct JsonError {
    line: u64,
    kind: JsonErrorKind,
}

impl JsonError {
    #[cold]
    pub(super) fn new(line: u64, kind: JsonErrorKind) -> Self {
        Self { line, kind }
    }

    /// The number of the line; the first is 1.
    pub fn line(&self) -> u64 {
        self.line
    }

    /// What is wrong with it.
    pub fn kind(&self) -> &JsonErrorKind {
        &self.kind
    }
}

/// What is wrong with a line.
///
/// A member inside of others is named by its path: `new.body` is the column `body` of the member `new`.
#[derive(Debug)]
#[non_exhaustive]
pub enum JsonErrorKind {
    /// The input could not be read.
    Io(io::Error),
    /// The line is longer than the limit of the reader.
    TooLong {
        /// The limit, in bytes.
        limit: usize,
    },
    /// The last line has no line feed at its end.
    CutShort,
    /// The line is not one JSON object in UTF-8.
    NotAnObject {
        /// The byte of the line, from 1, up to which it could be one.
        column: usize,
    },
    /// The member `event` names no kind of event that is known.
    UnknownEvent,
    /// A member is not there.
    Missing {
        /// The member.
        member: String,
    },
    /// A member is there more than once.
    Duplicate {
        /// The member.
        member: String,
    },
    /// A member holds something else than it has to.
    Unexpected {
        /// The member.
        member: String,
        /// What it has to hold.
        expected: &'static str,
    },
    /// No line before this one announced the relation.
    UnknownRelation {
        /// The relation.
        relation_id: RelationId,
    },
    /// A row has a member that is no column of its relation.
    UnknownColumn {
        /// The row.
        member: String,
        /// The relation.
        relation_id: RelationId,
    },
}

impl fmt::Display for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.kind)
    }
}

impl fmt::Display for JsonErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(_) => f.write_str("could not be read"),
            Self::TooLong { limit } => {
                write!(f, "longer than {limit} bytes; Reader::line_limit allows longer ones")
            }
            Self::CutShort => f.write_str("cut short: the last line has no line feed at its end"),
            Self::NotAnObject { column } => {
                write!(f, "expected one JSON object, found something else at byte {column}")
            }
            Self::UnknownEvent => f.write_str("event: expected a kind of event that this version knows"),
            Self::Missing { member } => write!(f, "{member}: expected, but not there"),
            Self::Duplicate { member } => write!(f, "{member}: expected once, but there more than once"),
            Self::Unexpected { member, expected } => write!(f, "{member}: expected {expected}"),
            Self::UnknownRelation { relation_id } => {
                write!(f, "no line before this one announced relation {relation_id}")
            }
            Self::UnknownColumn { member, relation_id } => {
                write!(f, "{member}: expected the columns of relation {relation_id}, found one more")
            }
        }
    }
}

impl Error for JsonError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.kind {
            JsonErrorKind::Io(error) => Some(error),
            _ => None,
        }
    }
}
