//! The types of a database: those that come with every server, and those that its users made.

use std::borrow::Cow;
use std::collections::HashMap;

use super::builtin::TYPES;
use crate::Oid;

/// A type, as the catalogue `pg_type` has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Type {
    /// Its object identifier: of built-in types the same on every server, of others different in every database.
    pub oid: Oid,
    /// The schema that it is in: `pg_catalog` for built-in types.
    pub schema: Cow<'static, str>,
    /// Its name in the catalogue: `int4`, not `integer`; an array's usually begins with `_`.
    pub name: Cow<'static, str>,
    /// How it is made.
    pub kind: TypeKind,
}

/// How a type is made.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum TypeKind {
    /// Of itself.
    Base,
    /// An array: [`ArrayText`](super::ArrayText), [`ArrayBinary`](super::ArrayBinary).
    Array {
        /// The type of its elements.
        element: Oid,
        /// What separates them in text: `;` for `box`, `,` for every other built-in type.
        delimiter: char,
    },
    /// `int2vector` or `oidvector`: text with blanks, in binary form an array.
    Vector {
        /// The type of its elements.
        element: Oid,
    },
    /// A range: [`Range`](super::Range).
    Range {
        /// The type of its bounds.
        subtype: Oid,
    },
    /// A multirange: [`Multirange`](super::Multirange).
    Multirange {
        /// The type of its ranges.
        range: Oid,
    },
    /// No column's type, but one that a function may name.
    Pseudo,
    /// An enum: text, and in binary form the same.
    Enum {
        /// Its labels, in order.
        labels: Vec<String>,
    },
    /// A row type: [`CompositeText`](super::CompositeText), [`CompositeBinary`](super::CompositeBinary).
    Composite {
        /// Its columns, without dropped ones.
        fields: Vec<TypeField>,
    },
    /// Another type with conditions on it; both of its forms are that type's.
    Domain {
        /// That type, which may be a domain, too.
        base: Oid,
    },
}

/// A column of a composite type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TypeField {
    /// Its name.
    pub name: String,
    /// Its type.
    pub type_oid: Oid,
}

/// The types that are known: the built-in ones, and those that were inserted.
///
/// Built-in are the types that a column can have on every server from 14 on, under the same number: all of `pg_type.dat`
/// but the row types of the catalogues themselves. Pseudo-types are there, too.
///
/// ```
/// use walferry::Oid;
/// use walferry::value::{Type, TypeKind, Types};
///
/// let mut types = Types::new();
/// assert_eq!(types.get(Oid::new(23)).map(|integer| integer.name.as_ref()), Some("int4"));
///
/// let (oid, base) = (Oid::new(16400), Oid::new(25));
/// let kind = TypeKind::Domain { base };
/// types.insert(Type { oid, schema: "public".into(), name: "email".into(), kind });
/// assert_eq!(types.base(oid).map(|base| base.name.as_ref()), Some("text"));
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Types {
    by_oid: HashMap<Oid, Type>,
}

impl Types {
    /// The built-in types alone.
    pub fn new() -> Self {
        Self::default()
    }

    /// The built-in types, by oid.
    pub fn built_in() -> &'static [Type] {
        &TYPES
    }

    /// Adds a type, and returns what had its number before among those inserted. A built-in type stays what it is.
    pub fn insert(&mut self, new: Type) -> Option<Type> {
        self.by_oid.insert(new.oid, new)
    }

    /// The type of this number.
    pub fn get(&self, oid: Oid) -> Option<&Type> {
        let built_in = TYPES.binary_search_by_key(&oid, |known| known.oid).ok();
        built_in.and_then(|index| TYPES.get(index)).or_else(|| self.by_oid.get(&oid))
    }

    /// The type of this number, or, of a domain, what it is a domain over: its values look like that type's.
    ///
    /// `None` where a type on the way isn't known, or leads back to itself.
    pub fn base(&self, oid: Oid) -> Option<&Type> {
        let mut found = self.get(oid)?;
        // A chain of domains is no longer than there are types.
        for _ in 0..=self.by_oid.len() {
            let TypeKind::Domain { base } = found.kind else { return Some(found) };
            found = self.get(base)?;
        }
        None
    }

    /// The types that were inserted, by oid.
    pub fn inserted(&self) -> impl Iterator<Item = &Type> {
        let mut types: Vec<_> = self.by_oid.values().collect();
        types.sort_unstable_by_key(|inserted| inserted.oid);
        types.into_iter()
    }
}

impl FromIterator<Type> for Types {
    fn from_iter<I: IntoIterator<Item = Type>>(types: I) -> Self {
        Self { by_oid: types.into_iter().map(|inserted| (inserted.oid, inserted)).collect() }
    }
}

#[cfg(test)]
mod tests;
