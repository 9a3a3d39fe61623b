//! A place for a value that may not have been sent.

use super::{FromValue, Value, ValueError};

/// A column that may not have been sent: the only type that tells an unchanged value from all others.
///
/// An UPDATE doesn't send a value that is stored out of line and that it left alone. Read as any other type, such a
/// column is an error.
///
/// ```
/// use walferry::Field;
///
/// let title: Field<Option<String>> = Field::Value(None);
/// assert!(!title.is_unchanged(), "NULL is a value that was sent");
/// assert_eq!(Field::<i32>::default(), Field::Unchanged);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[expect(clippy::exhaustive_enums, reason = "complete by definition: a value was sent or not")]
pub enum Field<T> {
    /// The UPDATE left it alone. The row has a value, which isn't here.
    #[default]
    Unchanged,
    /// What the column holds.
    Value(T),
}

impl<T> Field<T> {
    /// Whether it was not sent.
    pub fn is_unchanged(&self) -> bool {
        matches!(self, Self::Unchanged)
    }

    /// What was sent.
    pub fn value(self) -> Option<T> {
        match self {
            Self::Value(value) => Some(value),
            Self::Unchanged => None,
        }
    }

    /// The same, lent.
    pub fn as_ref(&self) -> Field<&T> {
        match self {
            Self::Value(value) => Field::Value(value),
            Self::Unchanged => Field::Unchanged,
        }
    }
}

impl<'a, T: FromValue<'a>> FromValue<'a> for Field<T> {
    fn from_value(value: Value<'a>) -> Result<Self, ValueError> {
        T::from_value(value).map(Self::Value)
    }

    fn null() -> Option<Self> {
        T::null().map(Self::Value)
    }

    fn unchanged() -> Option<Self> {
        Some(Self::Unchanged)
    }
}
