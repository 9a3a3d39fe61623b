//! What the source's catalogue knows of tables and the wire doesn't say.

use std::collections::HashMap;

use crate::RelationId;

/// Facts about tables, by oid, as they were when they were read. A table that isn't here has none of these traits.
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
}

/// Facts about one table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TableFacts {
    /// Columns that are GENERATED ALWAYS AS IDENTITY: no UPDATE may assign to them.
    pub identity_always: Vec<String>,
    /// Whether other tables inherit from it, and it is not partitioned: then a statement must say ONLY.
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
}

impl FromIterator<(RelationId, TableFacts)> for Catalog {
    fn from_iter<I: IntoIterator<Item = (RelationId, TableFacts)>>(tables: I) -> Self {
        Self { tables: tables.into_iter().collect(), unknown: TableFacts::default() }
    }
}
