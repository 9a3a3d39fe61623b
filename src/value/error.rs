use std::fmt;

use crate::Oid;

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
    /// The type asked for isn't for values of its type.
    Mismatch {
        /// What was asked for.
        target: &'static str,
    },
    /// It is NULL, and the type asked for has no place for that.
    Null,
    /// The server left it out, since the UPDATE left it alone or since it isn't part of the key, and the type asked
    /// for has no place for that.
    Unchanged,
    /// It is of a type that isn't known.
    UnknownType {
        /// The type.
        oid: Oid,
    },
    /// It has another form only on its server: a type of an extension, or the name of an object.
    OneForm,
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

    #[cold]
    pub(crate) fn mismatch(type_name: &'static str, target: &'static str) -> Self {
        Self { type_name, kind: ValueErrorKind::Mismatch { target } }
    }

    #[cold]
    pub(crate) fn null() -> Self {
        Self { type_name: "NULL", kind: ValueErrorKind::Null }
    }

    #[cold]
    pub(crate) fn unchanged() -> Self {
        Self { type_name: "unchanged", kind: ValueErrorKind::Unchanged }
    }

    #[cold]
    pub(crate) fn unknown_type(oid: Oid) -> Self {
        Self { type_name: "unknown", kind: ValueErrorKind::UnknownType { oid } }
    }

    #[cold]
    pub(crate) fn one_form(type_name: &'static str) -> Self {
        Self { type_name, kind: ValueErrorKind::OneForm }
    }

    /// The same, named as it was asked for.
    pub(super) fn into_target(mut self, name: &'static str) -> Self {
        if let ValueErrorKind::Mismatch { target } = &mut self.kind {
            *target = name;
        }
        self
    }

    /// The type of the value: of PostgreSQL, by the name that `format_type` gives, where it is known; or of another crate, by its path,
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
            ValueErrorKind::Mismatch { target } => {
                write!(f, "{}: a value of this type isn't read as {target}", self.type_name)
            }
            ValueErrorKind::Null => f.write_str("NULL, which only an Option can hold"),
            ValueErrorKind::Unchanged => {
                write!(
                    f,
                    "{}: not sent, for the UPDATE left it alone; only a Field can say so",
                    self.type_name
                )
            }
            ValueErrorKind::UnknownType { oid } => {
                write!(f, "type {oid} is not known; read the types of the database that it is from")
            }
            ValueErrorKind::OneForm => {
                write!(
                    f,
                    "{}: only its server can turn one form into the other; ask for text",
                    self.type_name
                )
            }
        }
    }
}

impl std::error::Error for ValueError {}
