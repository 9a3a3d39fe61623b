//! What gives the rows of a published table, wherever they go.

use super::chunk::{self, Blocks};
use super::columns::{Column, identifier, qualified};
use super::source::Published;

/// A `COPY … TO STDOUT` of each part of a table.
#[derive(Debug)]
pub(super) struct Query {
    /// Quoted, in their order.
    columns: String,
    filter: Option<String>,
    /// Whether all rows of a part can be had without a query, which costs the server less.
    is_plain: bool,
}

impl Query {
    /// Gives these of the columns that are published.
    pub(super) fn new(table: &Published, columns: &[&Column]) -> Self {
        let names: Vec<String> = columns.iter().map(|column| identifier(&column.name)).collect();
        // A list of generated columns, or of none, only a query takes.
        let is_plain =
            table.is_ordinary() && !columns.is_empty() && !columns.iter().any(|column| column.is_generated);
        Self { columns: names.join(", "), filter: table.filter.clone(), is_plain }
    }

    /// The columns as a list, without parentheses.
    pub(super) fn columns(&self) -> &str {
        &self.columns
    }

    /// Gives the rows in these blocks of a part.
    pub(super) fn copy(&self, schema: &str, table: &str, blocks: Blocks, format: &str) -> String {
        let from = qualified(schema, table);
        let filter = self.filter.as_ref().map(|filter| format!("({filter})"));
        if self.is_plain && filter.is_none() && blocks == chunk::ALL {
            return format!("COPY {from} ({}) TO STDOUT (FORMAT {format})", self.columns);
        }
        let conditions: Vec<String> = filter.into_iter().chain(blocks.predicate()).collect();
        let filtered = if conditions.is_empty() { "" } else { " WHERE " };
        format!(
            "COPY (SELECT {} FROM ONLY {from}{filtered}{}) TO STDOUT (FORMAT {format})",
            self.columns,
            conditions.join(" AND ")
        )
    }
}
