use std::fmt;

use crate::RelationId;

/// Bytes that no PostgreSQL server sends.
///
/// Says in which message, at which byte, what was found and what was expected; never a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DecodeError {
    /// Apart, so that a result is no larger for it.
    defect: Box<Defect>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Defect {
    tag: u8,
    offset: usize,
    kind: DecodeErrorKind,
}

impl DecodeError {
    #[cold]
    #[inline(never)]
    pub(crate) fn new(tag: u8, offset: usize, kind: DecodeErrorKind) -> Self {
        Self { defect: Box::new(Defect { tag, offset, kind }) }
    }

    /// The first byte of the message; 0 when there was none.
    pub fn tag(&self) -> u8 {
        self.defect.tag
    }

    /// Where in the message the problem is, in bytes from its tag.
    pub fn offset(&self) -> usize {
        self.defect.offset
    }

    /// What is wrong there.
    pub fn kind(&self) -> &DecodeErrorKind {
        &self.defect.kind
    }
}

/// What is wrong with the bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum DecodeErrorKind {
    /// A field needs more bytes than the message has left.
    Truncated {
        /// What the field needs.
        needed: usize,
        /// What is left.
        left: usize,
    },
    /// The message is complete, and bytes follow.
    TrailingBytes {
        /// How many.
        count: usize,
    },
    /// The tag is no message of protocol 1 to 4.
    UnknownMessage,
    /// A byte that must be one of a few is none of them.
    UnexpectedByte {
        /// The field.
        field: &'static str,
        /// What it may hold.
        expected: &'static str,
        /// What it holds.
        found: u8,
    },
    /// A length or a count is negative.
    NegativeLength {
        /// The field.
        field: &'static str,
        /// What it holds.
        found: i32,
    },
    /// A string has no zero byte at its end.
    UnterminatedString,
    /// A name is not UTF-8; the stream must run with `client_encoding` UTF8.
    InvalidUtf8,
    /// A row refers to a relation that no Relation message announced.
    UnknownRelation {
        /// The relation.
        relation_id: RelationId,
        /// Whether the decoder is between Stream Start and Stream Stop. Outside, a transaction id in front of the
        /// relation is read as the relation: then a Stream Start was missed.
        in_stream_block: bool,
    },
    /// A tuple has another number of columns than its relation.
    ColumnCount {
        /// The relation.
        relation_id: RelationId,
        /// The columns of the relation.
        expected: usize,
        /// The columns of the tuple.
        found: usize,
    },
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Defect { tag, offset, kind } = &*self.defect;
        write!(f, "message '{}' at byte {offset}: {kind}", tag.escape_ascii())
    }
}

impl fmt::Display for DecodeErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated { needed, left } => {
                write!(f, "a field of {needed} bytes is cut short: {left} bytes are left")
            }
            Self::TrailingBytes { count } => {
                write!(f, "expected the end of the message, found {count} more bytes")
            }
            Self::UnknownMessage => f.write_str("expected a message of pgoutput protocol 1 to 4"),
            Self::UnexpectedByte { field, expected, found } => {
                write!(f, "{field}: expected {expected}, found 0x{found:02x}")
            }
            Self::NegativeLength { field, found } => write!(f, "{field}: expected 0 or more, found {found}"),
            Self::UnterminatedString => f.write_str("expected a zero byte at the end of a string"),
            Self::InvalidUtf8 => f.write_str("a name is not UTF-8: set client_encoding to UTF8"),
            Self::UnknownRelation { relation_id, in_stream_block } => {
                let state = if *in_stream_block { "inside" } else { "outside" };
                write!(
                    f,
                    "no Relation message announced relation {relation_id} (read {state} a stream block)"
                )
            }
            Self::ColumnCount { relation_id, expected, found } => {
                write!(f, "relation {relation_id} has {expected} columns, the tuple {found}")
            }
        }
    }
}

impl std::error::Error for DecodeError {}
