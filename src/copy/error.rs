use std::fmt;

/// A row that no PostgreSQL server writes in COPY's text format.
///
/// Says of which table, in which row and field and at which byte; never a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopyRowError {
    table: String,
    row: u64,
    field: usize,
    offset: usize,
    kind: CopyRowErrorKind,
}

/// What is wrong with the row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum CopyRowErrorKind {
    /// It has no line feed at its end.
    Unterminated,
    /// A line feed stands in its midst.
    BytesBehind,
    /// `\N` is not all of its field.
    BytesBehindNull,
    /// A control character stands by itself that is always escaped.
    Unescaped,
    /// A backslash is followed by what none is written for.
    UnknownEscape,
    /// A field has more than the 2 GiB that a column can have.
    TooLong,
    /// It has another number of fields than the table has columns.
    FieldCount {
        /// The columns of the table.
        expected: usize,
        /// The fields of the row.
        found: usize,
    },
}

impl CopyRowError {
    #[cold]
    pub(super) fn new(table: String, row: u64, field: usize, offset: usize, kind: CopyRowErrorKind) -> Self {
        Self { table, row, field, offset, kind }
    }

    /// Which row of the table it is, counted from 1.
    pub fn row(&self) -> u64 {
        self.row
    }

    /// Which field of the row, counted from 1.
    pub fn field(&self) -> usize {
        self.field
    }

    /// Where in the row, in bytes.
    pub fn offset(&self) -> usize {
        self.offset
    }

    /// What is wrong there.
    pub fn kind(&self) -> CopyRowErrorKind {
        self.kind
    }
}

impl fmt::Display for CopyRowError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { table, row, field, offset, kind } = self;
        write!(f, "copied row {row} of {table}, field {field}, at byte {offset}: {kind}")
    }
}

impl fmt::Display for CopyRowErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unterminated => f.write_str("expected a line feed at the end of the row: it is cut short"),
            Self::BytesBehind => f.write_str("expected the end of the row behind the line feed"),
            Self::BytesBehindNull => f.write_str("expected the end of the field behind NULL"),
            Self::Unescaped => {
                f.write_str("expected a backslash and a letter instead of a control character")
            }
            Self::UnknownEscape => f.write_str(r"expected one of \, b, f, n, r, t and v behind a backslash"),
            Self::TooLong => f.write_str("expected a field of less than 2 GiB"),
            Self::FieldCount { expected, found } => {
                write!(f, "the table has {expected} columns, the row {found} fields")
            }
        }
    }
}

impl std::error::Error for CopyRowError {}
