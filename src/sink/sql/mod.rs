//! A psql script: the changes as SQL, one transaction per source transaction.
//!
//! `psql -f` applies it. The script pins the settings that values depend on, stops at the first error, and checks
//! after each UPDATE and DELETE that exactly one row was changed.
//!
//! | change | statement |
//! |---|---|
//! | insert | `INSERT … OVERRIDING SYSTEM VALUE`, so that identity columns take the source's value |
//! | update | `UPDATE` of the row with the old key; columns that are unchanged, or hold what the old row held, are left out |
//! | update, delete under full identity | of one row (`ctid`, `LIMIT 1`), whose columns all have the old row's text |
//! | update of a GENERATED ALWAYS identity | `DELETE` and `INSERT` in one statement, since no UPDATE may assign to it |
//! | truncate | one `TRUNCATE` with the options of the source's |
//! | message | `SELECT pg_logical_emit_message(…)` |
//! | prepare | `PREPARE TRANSACTION` under the same name: the target needs `max_prepared_transactions`, and must not be of the source's cluster, where the name is taken |
//! | commit, rollback of what was prepared | `COMMIT PREPARED`; `ROLLBACK PREPARED` if it is there |
//!
//! Each change but an insert is of the table alone, by ONLY, and of none that inherits from it. Before the first one of a table
//! the script asks the target whether that is partitioned: then there is no ONLY. So psql has a variable for each table.
//!
//! That `DELETE` and `INSERT` takes with it what the target alone has in the row: columns that are not published begin
//! again with their defaults.
//!
//! A binary value is written as the text that the server would have sent instead, so that both give the same script. Only
//! its server knows that text of a type that an extension made, and of the name of an object (`regclass` and its kin,
//! which are numbers in binary): such a value is an error, [`SqlError::Binary`].
//!
//! A generated column that the publication sends (`publish_generated_columns`, from 18 on) is assigned as any other: where the
//! target generates it, too, psql stops at the first.
//!
//! The script runs with `session_replication_role = replica`, as the server's own subscription does: what triggers
//! and cascades did on the source comes as changes of its own. A user who may not set that is warned: triggers fire
//! and foreign keys are checked, the deferrable ones at the end of the transaction.

mod identity;
mod script;
mod statement;
mod text;

#[cfg(test)]
mod tests;

use std::io;

pub use self::script::Script;
use super::{Batch, ChangeSink, Output};
use crate::catalog::Catalog;
use crate::value::ValueError;

/// Writes a [`Script`] to an output.
#[derive(Debug)]
pub struct SqlSink {
    script: Script,
    output: Output,
    buffer: Vec<u8>,
}

impl SqlSink {
    /// A sink that writes to `output`, with what is known of the source's tables.
    pub fn new(output: Output, catalog: Catalog) -> Self {
        Self { script: Script::new(catalog), output, buffer: Vec::new() }
    }
}

impl ChangeSink for SqlSink {
    type Error = SqlError;

    async fn write(&mut self, batch: Batch) -> Result<(), SqlError> {
        for event in batch.events() {
            self.script.event(&mut self.buffer, event)?;
        }
        self.output.write_all(&self.buffer).await?;
        self.buffer.clear();
        self.buffer.shrink_to(super::KEPT);
        Ok(())
    }

    async fn flush(&mut self) -> Result<(), SqlError> {
        Ok(self.output.sync().await?)
    }

    async fn rollback(&mut self) -> Result<(), SqlError> {
        self.script.rollback(&mut self.buffer);
        self.write(Batch::default()).await
    }
}

/// A change that can't be written as SQL.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SqlError {
    /// The system could not write.
    #[error("writing the SQL script")]
    Io(#[from] io::Error),
    /// A binary value that can't be told as text: of a type that is not known, of an extension's, the name of an
    /// object (`regclass`), or bytes that its type doesn't send.
    #[error(
        "table {table}, column {column}: a binary value of type {type_name} that has no text here; ask the server \
         for text, not binary"
    )]
    Binary {
        /// The table, `schema.name`.
        table: String,
        /// The column.
        column: String,
        /// The column's type, `schema.name`; its number, if no more is known.
        type_name: String,
        /// Why.
        source: ValueError,
    },
    /// An UPDATE or DELETE doesn't say which row.
    #[error(
        "table {table}: the change doesn't tell which row it means; set a replica identity on the source"
    )]
    NoIdentity {
        /// The table, `schema.name`.
        table: String,
    },
    /// A value that is needed was not sent.
    #[error(
        "table {table}, column {column}: the server left out a value that is stored out of line where it is needed \
         (an UPDATE that a row filter made an INSERT, or a partition whose replica identity differs from its root's); \
         set REPLICA IDENTITY FULL on the table and its partitions"
    )]
    MissingValue {
        /// The table, `schema.name`.
        table: String,
        /// The column.
        column: String,
    },
}
