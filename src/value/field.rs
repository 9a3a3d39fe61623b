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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_what_was_not_sent_from_null_and_from_a_value() {
        let unchanged = Field::<Option<i32>>::unchanged().expect("a place for it");
        assert!(unchanged.is_unchanged());
        assert_eq!((unchanged.as_ref().value(), unchanged.value()), (None, None));
        let null = Field::<Option<i32>>::null().expect("a place for it");
        assert!(!null.is_unchanged());
        assert_eq!(null.value(), Some(None));
        assert_eq!(Field::<i32>::null(), None, "which only an Option can hold");

        let types = crate::value::Types::new();
        let seven =
            Value::new(crate::pgoutput::Datum::Text(b"7"), crate::Oid::new(23), &types).expect("a value");
        assert_eq!(seven.read(), Ok(Field::Value(7)));
        assert!(seven.read::<Field<bool>>().is_err());
    }
}
