use std::fmt;

/// A value that can't be read as its type, or has no place in another one.
///
/// Says which type, where, and what was expected; never the value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ValueError {
    type_name: &'static str,
    kind: ValueErrorKind,
}

/// What is wrong with a value.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ValueErrorKind {
    /// It isn't what PostgreSQL prints or sends for the type.
    Malformed {
        /// What was expected.
        expected: &'static str,
        /// Where, in bytes from the value's beginning.
        at: usize,
    },
    /// The type asked for can't hold it.
    OutOfRange {
        /// What can't hold it.
        target: &'static str,
    },
}

impl ValueError {
    /// Not what PostgreSQL prints or sends.
    #[cold]
    pub(crate) fn malformed(type_name: &'static str, at: usize, expected: &'static str) -> Self {
        Self { type_name, kind: ValueErrorKind::Malformed { expected, at } }
    }

    /// More than `target` can hold.
    #[cold]
    pub(crate) fn out_of_range(type_name: &'static str, target: &'static str) -> Self {
        Self { type_name, kind: ValueErrorKind::OutOfRange { target } }
    }

    /// The type of the value: of PostgreSQL, by the name that `format_type` gives; or of another crate, by its path,
    /// where a value of that is converted.
    pub fn type_name(&self) -> &'static str {
        self.type_name
    }

    /// What is wrong.
    pub fn kind(&self) -> &ValueErrorKind {
        &self.kind
    }
}

impl fmt::Display for ValueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            ValueErrorKind::Malformed { expected, at } => {
                write!(f, "{} at byte {at}: expected {expected}", self.type_name)
            }
            ValueErrorKind::OutOfRange { target } => {
                write!(f, "{}: the value is outside of what {target} can hold", self.type_name)
            }
        }
    }
}

impl std::error::Error for ValueError {}
