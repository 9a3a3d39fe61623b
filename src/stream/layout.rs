//! Partitions that a server of version 14 mixes up.

use std::collections::BTreeSet;

use crate::connection::Connection;
use crate::error::Error;
use crate::trace;

/// What is published as its root, and has columns in other places.
const OTHER_PLACES: &str = "SELECT b.pubname, pg_catalog.format('%I.%I', n.nspname, c.relname) \
     FROM pg_catalog.pg_publication b JOIN pg_catalog.pg_publication_tables t ON t.pubname = b.pubname \
     JOIN pg_catalog.pg_namespace rn ON rn.nspname = t.schemaname \
     JOIN pg_catalog.pg_class r ON r.relnamespace = rn.oid AND r.relname = t.tablename \
     CROSS JOIN LATERAL pg_catalog.pg_partition_tree(r.oid) l JOIN pg_catalog.pg_class c ON c.oid = l.relid \
     JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
     WHERE b.pubviaroot AND r.relkind = 'p' AND l.isleaf AND EXISTS (SELECT FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_attribute ra \
     ON ra.attrelid = r.oid AND ra.attname = a.attname AND ra.attnum <> a.attnum WHERE a.attrelid = c.oid AND a.attnum > 0)";

impl Connection {
    /// Tells of tables some of whose rows may come with the values in the wrong columns, since nothing in the stream tells.
    ///
    /// A server of version 14 throws away what brings a partition's row into its root's order, when it hears of a change of the
    /// table while it announces it. From 15 on, it keeps it.
    pub(super) async fn warn_of_layouts(&mut self, publications: &[String]) -> Result<(), Error> {
        if self.server_version().major() > 14 || !cfg!(feature = "tracing") {
            return Ok(());
        }
        let rows = self.simple_query(OTHER_PLACES).await?;
        let mut partitions = BTreeSet::new();
        for row in &rows {
            if publications.iter().any(|name| row.required(0).is_ok_and(|published| published == name)) {
                partitions.insert(row.required(1)?);
            }
        }
        if !partitions.is_empty() {
            trace::warn!(
                ?partitions,
                "a server of version 14 may send rows of these with the values in the wrong columns, since they are published as tables \
                 that have the columns in other places; on the source: ALTER PUBLICATION … SET (publish_via_partition_root = false)"
            );
        }
        Ok(())
    }
}
