//! What the source's catalogue knows of tables and types, and the wire doesn't say.

use std::collections::HashMap;
use std::sync::Arc;

use crate::RelationId;
use crate::value::Types;

/// Facts about tables, by oid, as they were when they were read; and the types. A table that isn't here has none of
/// these traits.
///
/// ```
/// use walferry::RelationId;
/// use walferry::catalog::{Catalog, TableFacts};
///
/// let invoices = RelationId::new(16384);
/// let facts = TableFacts { identity_always: vec!["number".into()], has_children: false };
/// let catalog = Catalog::from_iter([(invoices, facts)]);
/// assert!(catalog.table(invoices).is_identity_always("number"));
/// assert!(!catalog.table(RelationId::new(1)).is_identity_always("number"));
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Catalog {
    tables: HashMap<RelationId, TableFacts>,
    unknown: TableFacts,
    types: Arc<Types>,
}

/// Facts about one table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TableFacts {
    /// Columns that are GENERATED ALWAYS AS IDENTITY: no UPDATE may assign to them.
    pub identity_always: Vec<String>,
    /// Whether other tables inherit from it, and it is not partitioned: then a statement must say ONLY. On the target it may be
    /// otherwise, and one may come to inherit later: sinks of this crate ask there.
    pub has_children: bool,
}

impl TableFacts {
    /// Whether the column is GENERATED ALWAYS AS IDENTITY.
    pub fn is_identity_always(&self, column: &str) -> bool {
        self.identity_always.iter().any(|always| always == column)
    }
}

impl Catalog {
    /// What is known of a table.
    pub fn table(&self, id: RelationId) -> &TableFacts {
        self.tables.get(&id).unwrap_or(&self.unknown)
    }

    /// Every table of which something is known, in the order of oids.
    pub fn iter(&self) -> impl Iterator<Item = (RelationId, &TableFacts)> {
        let mut ids: Vec<_> = self.tables.keys().copied().collect();
        ids.sort_unstable();
        ids.into_iter().filter_map(|id| Some((id, self.tables.get(&id)?)))
    }

    /// The types: the built-in ones, and those that were read from the source.
    pub fn types(&self) -> &Arc<Types> {
        &self.types
    }

    /// Says what the types are.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use walferry::Oid;
    /// use walferry::catalog::Catalog;
    /// use walferry::value::{Type, TypeKind, Types};
    ///
    /// let kind = TypeKind::Enum { labels: vec!["null".into()] };
    /// let mood = Type { oid: Oid::new(16400), schema: "public".into(), name: "mood".into(), kind };
    /// let mut catalog = Catalog::default();
    /// catalog.set_types(Arc::new(Types::from_iter([mood])));
    /// assert!(catalog.types().get(Oid::new(16400)).is_some());
    /// ```
    pub fn set_types(&mut self, types: Arc<Types>) {
        self.types = types;
    }
}

impl FromIterator<(RelationId, TableFacts)> for Catalog {
    fn from_iter<I: IntoIterator<Item = (RelationId, TableFacts)>>(tables: I) -> Self {
        Self { tables: tables.into_iter().collect(), ..Self::default() }
    }
}
