//! Any value, with its type: read when it is asked for.

use std::borrow::Cow;

use super::leaf::is_text;
use super::{FromValue, Shape, Type, TypeKind, Types, ValueError, transcode};
use crate::Oid;
use crate::pgoutput::Datum;

/// How deep types may lie in each other: arrays in composites in arrays.
const MAX_DEPTH: u8 = 32;

/// A value that is there, as it was sent, and what its type is.
///
/// Nothing is read before it is asked for: as a Rust type ([`read`](Self::read)), as the parts that it is made of
/// ([`shape`](Self::shape)), or in either of the server's forms ([`to_text`](Self::to_text),
/// [`to_binary`](Self::to_binary)). NULL and unchanged are no values: they are kinds of [`Datum`].
///
/// ```
/// use walferry::Oid;
/// use walferry::pgoutput::Datum;
/// use walferry::value::{Numeric, Types, Value};
///
/// let types = Types::new();
/// let value = Value::new(Datum::Text(b"{1.50,NULL}"), Oid::new(1231), &types).expect("neither NULL nor unchanged");
/// let prices: Vec<Option<Numeric>> = value.read()?;
/// assert_eq!(prices[0].as_ref().map(ToString::to_string).as_deref(), Some("1.50"));
/// assert_eq!(prices[1], None);
///
/// let binary = value.to_binary()?;
/// let same = Value::new(Datum::Binary(&binary), Oid::new(1231), &types).expect("neither NULL nor unchanged");
/// assert_eq!(same.to_text()?, "{1.50,NULL}");
/// # Ok::<(), walferry::value::ValueError>(())
/// ```
#[derive(Clone, Copy)]
pub struct Value<'a> {
    form: Form<'a>,
    type_oid: Oid,
    types: &'a Types,
    depth: u8,
}

#[derive(Clone, Copy)]
enum Form<'a> {
    Text(&'a [u8]),
    Binary(&'a [u8]),
}

impl<'a> Value<'a> {
    /// A value that was sent; `None` for one that is NULL or unchanged.
    #[inline]
    pub fn new(datum: Datum<'a>, type_oid: Oid, types: &'a Types) -> Option<Self> {
        let form = match datum {
            Datum::Text(text) => Form::Text(text),
            Datum::Binary(bytes) => Form::Binary(bytes),
            Datum::Null | Datum::Unchanged => return None,
        };
        Some(Self { form, type_oid, types, depth: 0 })
    }

    /// As it was sent: text or binary.
    #[inline]
    pub fn datum(&self) -> Datum<'a> {
        match self.form {
            Form::Text(text) => Datum::Text(text),
            Form::Binary(bytes) => Datum::Binary(bytes),
        }
    }

    /// The type, as its column has it.
    pub fn type_oid(&self) -> Oid {
        self.type_oid
    }

    /// The types that are known.
    pub fn types(&self) -> &'a Types {
        self.types
    }

    /// The type, and of a domain what it is a domain over.
    ///
    /// # Errors
    ///
    /// [`UnknownType`](super::ValueErrorKind::UnknownType).
    pub fn base(&self) -> Result<&'a Type, ValueError> {
        self.types.base(self.type_oid).ok_or_else(|| ValueError::unknown_type(self.type_oid))
    }

    /// The number of [`base`](Self::base); the type's own if it isn't known.
    #[inline]
    pub(super) fn base_oid(&self) -> Oid {
        // No type that comes with the server under a fixed number is a domain.
        if self.type_oid < Oid::FIRST_UNPINNED {
            return self.type_oid;
        }
        self.types.base(self.type_oid).map_or(self.type_oid, |base| base.oid)
    }

    /// Whether both of its forms are the same text: a label, say.
    pub(crate) fn is_text(&self) -> bool {
        let is_enum = || self.base().is_ok_and(|base| matches!(base.kind, TypeKind::Enum { .. }));
        let base_oid = self.base_oid();
        is_text(base_oid) || (base_oid >= Oid::FIRST_UNPINNED && is_enum())
    }

    /// Whether it is an `int2vector` or `oidvector`.
    pub(crate) fn is_vector(&self) -> bool {
        self.base().is_ok_and(|base| matches!(base.kind, TypeKind::Vector { .. }))
    }

    /// What the type is called in an error: by name if it comes with every server, otherwise by kind.
    pub(crate) fn type_name(&self) -> &'static str {
        self.types.base(self.type_oid).map_or("unknown", Type::static_name)
    }

    /// Reads it as a Rust type that its type goes with.
    ///
    /// # Errors
    ///
    /// [`Mismatch`](super::ValueErrorKind::Mismatch) if the types don't go together, otherwise what reading says.
    #[inline]
    pub fn read<T: FromValue<'a>>(&self) -> Result<T, ValueError> {
        T::from_value(*self)
    }

    /// The parts that it is made of.
    ///
    /// # Errors
    ///
    /// A type that isn't known, parts that can't be told from each other, types more than 32 deep in each other.
    pub fn shape(&self) -> Result<Shape<'a>, ValueError> {
        if self.depth >= MAX_DEPTH {
            return Err(ValueError::malformed("value", 0, "at most 32 types inside of each other"));
        }
        Shape::of(*self, self.base()?)
    }

    /// What the server prints: the text as it was sent, or what the binary form stands for.
    ///
    /// Text is not read, only looked at: whether it is UTF-8.
    ///
    /// # Errors
    ///
    /// Of text none but that. Of binary: bytes that the type doesn't send, a type that isn't known, the name of an
    /// object (`regclass`), which only its server knows.
    pub fn to_text(&self) -> Result<Cow<'a, str>, ValueError> {
        match self.form {
            Form::Text(text) => self.utf8(text).map(Cow::Borrowed),
            Form::Binary(bytes) => transcode::to_text(self, bytes),
        }
    }

    /// What the type's send function gives: the bytes as they were sent, or what the text stands for.
    ///
    /// The numbers of types in it are those of [`types`](Self::types).
    ///
    /// # Errors
    ///
    /// Of text: what the server doesn't print for the type, and as [`to_text`](Self::to_text).
    pub fn to_binary(&self) -> Result<Cow<'a, [u8]>, ValueError> {
        match self.form {
            Form::Text(text) => transcode::to_binary(self, self.utf8(text)?).map(Cow::Owned),
            Form::Binary(bytes) => Ok(Cow::Borrowed(bytes)),
        }
    }

    #[inline]
    fn utf8(&self, text: &'a [u8]) -> Result<&'a str, ValueError> {
        std::str::from_utf8(text)
            .map_err(|error| ValueError::malformed(self.type_name(), error.valid_up_to(), "UTF-8"))
    }

    /// The text, or the bytes.
    #[inline]
    pub(super) fn either(&self) -> Result<Either<'a>, ValueError> {
        match self.form {
            Form::Text(text) => self.utf8(text).map(Either::Text),
            Form::Binary(bytes) => Ok(Either::Binary(bytes)),
        }
    }

    pub(crate) fn mismatch(&self, target: &'static str) -> ValueError {
        ValueError::mismatch(self.type_name(), target)
    }
}

/// A form that was chosen, with the text looked at.
pub(super) enum Either<'a> {
    Text(&'a str),
    Binary(&'a [u8]),
}

impl std::fmt::Debug for Value<'_> {
    /// Shows type, form and length, not the value.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Value").field("type_oid", &self.type_oid).field("datum", &self.datum()).finish()
    }
}

/// A value inside of another one: an element, a field, a bound.
///
/// What was escaped in the text around it is its own; everything else is lent.
#[derive(Clone)]
pub struct Item<'a> {
    form: ItemForm<'a>,
    type_oid: Oid,
    types: &'a Types,
    depth: u8,
}

#[derive(Clone)]
enum ItemForm<'a> {
    Text(Cow<'a, str>),
    Binary(&'a [u8]),
}

impl<'a> Item<'a> {
    pub(super) fn text(around: Value<'a>, text: Cow<'a, str>, type_oid: Oid) -> Self {
        Self { form: ItemForm::Text(text), type_oid, types: around.types, depth: around.depth + 1 }
    }

    #[inline]
    pub(super) fn binary(around: Value<'a>, bytes: &'a [u8], type_oid: Oid) -> Self {
        Self { form: ItemForm::Binary(bytes), type_oid, types: around.types, depth: around.depth + 1 }
    }

    /// The value, for as long as the item lives.
    #[inline]
    pub fn value(&self) -> Value<'_> {
        let form = match &self.form {
            ItemForm::Text(text) => Form::Text(text.as_bytes()),
            ItemForm::Binary(bytes) => Form::Binary(bytes),
        };
        Value { form, type_oid: self.type_oid, types: self.types, depth: self.depth }
    }

    /// The value, for as long as what it was read from lives; `None` if it is the item's own.
    pub fn borrowed(&self) -> Option<Value<'a>> {
        let form = match &self.form {
            ItemForm::Text(Cow::Borrowed(text)) => Form::Text(text.as_bytes()),
            ItemForm::Text(Cow::Owned(_)) => return None,
            ItemForm::Binary(bytes) => Form::Binary(bytes),
        };
        Some(Value { form, type_oid: self.type_oid, types: self.types, depth: self.depth })
    }
}

impl std::fmt::Debug for Item<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.value().fmt(f)
    }
}

impl Type {
    /// What it is called in an error.
    pub(super) fn static_name(&self) -> &'static str {
        match (&self.name, &self.kind) {
            (Cow::Borrowed(name), _) => name,
            (_, TypeKind::Base) => "base type",
            (_, TypeKind::Array { .. }) => "array",
            (_, TypeKind::Vector { .. }) => "vector",
            (_, TypeKind::Range { .. }) => "range",
            (_, TypeKind::Multirange { .. }) => "multirange",
            (_, TypeKind::Pseudo) => "pseudo-type",
            (_, TypeKind::Enum { .. }) => "enum",
            (_, TypeKind::Composite { .. }) => "composite",
            (_, TypeKind::Domain { .. }) => "domain",
        }
    }
}
