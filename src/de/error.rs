//! What serde says, without the values that it would repeat.

use std::cell::Cell;
use std::fmt::{self, Display};

use serde::de::{self, Expected, Unexpected};

use crate::value::ValueError;

/// What is wrong, before it is known where.
#[derive(Debug)]
pub(super) enum Error {
    Value(ValueError),
    /// In words that hold no value.
    Shape(String),
    /// What serde calls a field may be a name or a value: only who gave it as a name knows.
    UnknownField,
}

impl Error {
    /// An error about this name, which is no value.
    pub(super) fn about(self, name: &str) -> Self {
        match self {
            Self::UnknownField => Self::Shape(format!("the Rust type has no field {name}")),
            other => other,
        }
    }
}

impl From<ValueError> for Error {
    fn from(source: ValueError) -> Self {
        Self::Value(source)
    }
}

impl Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Value(source) => source.fmt(f),
            Self::Shape(words) => f.write_str(words),
            Self::UnknownField => f.write_str("the Rust type has no such name"),
        }
    }
}

impl std::error::Error for Error {}

thread_local! {
    /// On its way through serde's words for errors, which can't hold it.
    static RAISED: Cell<Option<ValueError>> = const { Cell::new(None) };
}
const RAISED_HERE: &str = "another value";

/// The error of whichever deserializer it is: this crate's own gets it as it is, others in words.
pub(super) fn raise<E: de::Error>(source: ValueError) -> E {
    let words = source.to_string();
    RAISED.set(Some(source));
    let error = E::invalid_value(Unexpected::Other(RAISED_HERE), &words.as_str());
    RAISED.set(None);
    error
}

/// The names of fields that a type has, and what it expects, come from the program; everything else may come from the row.
impl de::Error for Error {
    fn custom<T: Display>(_: T) -> Self {
        Self::Shape("the Rust type refuses the value".to_owned())
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::Shape(format!("expected {expected}, found {}", kind(found)))
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        match RAISED.take() {
            Some(source) if found == Unexpected::Other(RAISED_HERE) => Self::Value(source),
            _ => Self::Shape(format!("expected {expected}, found another {}", kind(found))),
        }
    }

    fn invalid_length(found: usize, expected: &dyn Expected) -> Self {
        Self::Shape(format!("expected {expected}, found {found} parts"))
    }

    fn unknown_variant(_: &str, expected: &'static [&'static str]) -> Self {
        Self::Shape(format!("expected one of the labels {}", expected.join(", ")))
    }

    fn unknown_field(_: &str, _: &'static [&'static str]) -> Self {
        Self::UnknownField
    }

    fn missing_field(field: &'static str) -> Self {
        Self::Shape(format!("there is no column {field}"))
    }

    fn duplicate_field(field: &'static str) -> Self {
        Self::Shape(format!("there are two columns for the field {field}"))
    }
}

fn kind(found: Unexpected<'_>) -> &'static str {
    match found {
        Unexpected::Bool(_) => "boolean",
        Unexpected::Unsigned(_) | Unexpected::Signed(_) => "integer",
        Unexpected::Float(_) => "float",
        Unexpected::Char(_) | Unexpected::Str(_) => "text",
        Unexpected::Bytes(_) => "bytes",
        Unexpected::Unit | Unexpected::Option => "NULL",
        Unexpected::Seq => "array",
        Unexpected::Map => "composite",
        _ => "kind of value",
    }
}
