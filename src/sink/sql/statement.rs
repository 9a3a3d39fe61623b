//! One change as a statement.

use std::io::{self, Write as _};
use std::sync::Arc;

use super::SqlError;
use super::identity::Identity;
use crate::catalog::TableFacts;
use crate::event::OldRow;
use crate::pgoutput::{Column, Datum, Relation, Tuple};
use crate::value::{InternalChar, Types, Wire as _};
use crate::{Oid, Row, quote};

/// Ends a statement that must have changed exactly one row.
const ONE_ROW: &[u8] = b"; :walferry_one_row\n";

/// The type `"char"`, in quotes: one byte.
const CHAR: Oid = Oid::new(18);

/// Writes statements about one table.
pub(super) struct Statement<'a> {
    relation: &'a Relation,
    types: &'a Types,
    facts: &'a TableFacts,
}

impl<'a> Statement<'a> {
    /// Of a row's table.
    pub(super) fn new(row: &'a Row, facts: &'a TableFacts) -> Self {
        Self { relation: row.relation(), types: row.types(), facts }
    }

    pub(super) fn insert(&self, out: &mut Vec<u8>, row: &Row) -> Result<(), SqlError> {
        self.insert_into(out);
        if self.relation.columns.is_empty() {
            out.extend_from_slice(b" DEFAULT VALUES");
            out.extend_from_slice(ONE_ROW);
            return Ok(());
        }
        out.extend_from_slice(b" VALUES (");
        separated(out, row.iter(), b", ", |out, (column, datum)| self.value(out, column, datum))?;
        out.push(b')');
        out.extend_from_slice(ONE_ROW);
        Ok(())
    }

    pub(super) fn delete(&self, out: &mut Vec<u8>, old: &OldRow) -> Result<(), SqlError> {
        let identity = Identity::of_old(self, old)?;
        self.delete_where(out, &identity)?;
        out.extend_from_slice(ONE_ROW);
        Ok(())
    }

    pub(super) fn update(&self, out: &mut Vec<u8>, old: Option<&OldRow>, new: &Row) -> Result<(), SqlError> {
        let identity = Identity::of_update(self, old, new)?;
        let changes = Changes::of(self, old, new);
        if changes.reinsert {
            self.reinsert(out, &identity, new, &[])?;
            out.extend_from_slice(ONE_ROW);
            return Ok(());
        }
        self.update_columns(out, &identity, &changes.set)?;
        if !changes.reinsert_if_other.is_empty() {
            let updated = updated_key(old, new);
            let identity = Identity::of_update(self, None, updated.as_ref().unwrap_or(new))?;
            self.reinsert(out, &identity, new, &changes.reinsert_if_other)?;
            out.extend_from_slice(b";\n");
        }
        Ok(())
    }

    fn update_columns(
        &self,
        out: &mut Vec<u8>,
        identity: &Identity<'_>,
        set: &[(&Column, Datum<'_>)],
    ) -> Result<(), SqlError> {
        if set.is_empty() {
            // Nothing to assign, but the row must be there: \gset fails unless there is exactly one.
            out.extend_from_slice(b"SELECT 1 AS row FROM ");
            self.target(out);
            identity.where_clause(self, out)?;
            out.extend_from_slice(b" \\gset walferry_\n");
            return Ok(());
        }
        out.extend_from_slice(b"UPDATE ");
        self.target(out);
        out.extend_from_slice(b" SET ");
        separated(out, set.iter(), b", ", |out, (column, datum)| {
            quote::identifier(out, &column.name);
            out.extend_from_slice(b" = ");
            self.value(out, column, *datum)
        })?;
        identity.where_clause(self, out)?;
        out.extend_from_slice(ONE_ROW);
        Ok(())
    }

    /// Replaces a row, for no UPDATE may assign to a GENERATED ALWAYS identity. Values that were not sent are taken
    /// over from the row that is deleted. With `if_other`, only where these columns hold something else.
    fn reinsert(
        &self,
        out: &mut Vec<u8>,
        identity: &Identity<'_>,
        new: &Row,
        if_other: &[(&Column, Datum<'_>)],
    ) -> Result<(), SqlError> {
        out.extend_from_slice(b"WITH old AS (");
        self.delete_where(out, identity)?;
        for (column, datum) in if_other {
            out.extend_from_slice(b" AND ");
            quote::identifier(out, &column.name);
            out.extend_from_slice(b" <> ");
            self.value(out, column, *datum)?;
        }
        out.extend_from_slice(b" RETURNING *) ");
        self.insert_into(out);
        out.extend_from_slice(b" SELECT ");
        separated(out, new.iter(), b", ", |out, (column, datum)| match datum {
            Datum::Unchanged => {
                out.extend_from_slice(b"old.");
                quote::identifier(out, &column.name);
                Ok(())
            }
            datum => self.value(out, column, datum),
        })?;
        out.extend_from_slice(b" FROM old");
        Ok(())
    }

    /// `INSERT INTO t (…) OVERRIDING SYSTEM VALUE`, which tables without an identity column accept too.
    fn insert_into(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"INSERT INTO ");
        table(out, self.relation);
        let names = &self.relation.columns;
        if names.is_empty() {
            return;
        }
        for (index, column) in names.iter().enumerate() {
            out.extend_from_slice(if index == 0 { b" (" } else { b", " });
            quote::identifier(out, &column.name);
        }
        out.extend_from_slice(b") OVERRIDING SYSTEM VALUE");
    }

    fn delete_where(&self, out: &mut Vec<u8>, identity: &Identity<'_>) -> Result<(), SqlError> {
        out.extend_from_slice(b"DELETE FROM ");
        self.target(out);
        identity.where_clause(self, out)
    }

    /// The table alone, without those that inherit from it.
    pub(super) fn target(&self, out: &mut Vec<u8>) {
        target(out, self.relation);
    }

    fn value(&self, out: &mut Vec<u8>, column: &Column, datum: Datum<'_>) -> Result<(), SqlError> {
        match datum {
            Datum::Null => out.extend_from_slice(b"NULL"),
            // Without a type of its own, the literal takes the column's.
            Datum::Text(text) => self.literal(out, column, text),
            // Binary ones were made text before.
            Datum::Binary(_) | Datum::Unchanged => return Err(self.missing_value(column)),
        }
        Ok(())
    }

    /// A value as the server printed it, but for a `"char"` that is not ASCII: its number stands for it, which every
    /// version reads.
    pub(super) fn literal(&self, out: &mut Vec<u8>, column: &Column, text: &[u8]) {
        match high_byte(text) {
            Some(byte) if self.types.base(column.type_oid).is_some_and(|base| base.oid == CHAR) => {
                let number = i8::from_ne_bytes([byte]);
                out.extend_from_slice(format!("({number})::\"char\"").as_bytes());
            }
            _ => quote::literal(out, text),
        }
    }

    fn table_name(&self) -> String {
        format!("{}.{}", self.relation.schema, self.relation.name)
    }

    pub(super) fn no_identity(&self) -> SqlError {
        SqlError::NoIdentity { table: self.table_name() }
    }

    pub(super) fn missing_value(&self, column: &Column) -> SqlError {
        SqlError::MissingValue { table: self.table_name(), column: column.name.clone() }
    }
}

/// The key that a row has behind its UPDATE: one that is stored out of line and was not changed is in the old row only.
fn updated_key(old: Option<&OldRow>, new: &Row) -> Option<Row> {
    let datums = old?.row().tuple().iter().zip(new.tuple().iter());
    let merged = datums.map(|(old, new)| if new == Datum::Unchanged { old } else { new });
    Row::with_types(Arc::clone(new.relation()), Arc::clone(new.types()), Tuple::from_datums(merged))
}

/// What an UPDATE has to do.
struct Changes<'a> {
    /// Columns to assign.
    set: Vec<(&'a Column, Datum<'a>)>,
    /// Whether a column changed that can't be assigned.
    reinsert: bool,
    /// Columns that can't be assigned, and may have changed.
    reinsert_if_other: Vec<(&'a Column, Datum<'a>)>,
}

impl<'a> Changes<'a> {
    fn of(statement: &Statement<'_>, old: Option<&'a OldRow>, new: &'a Row) -> Self {
        let mut changes = Self { set: Vec::new(), reinsert: false, reinsert_if_other: Vec::new() };
        let mut old_datums = old.map(|old| old.row().tuple().iter());
        for (column, datum) in new.iter() {
            let old_datum = old_datums.as_mut().and_then(Iterator::next);
            let before = match old {
                Some(OldRow::Full(_)) => old_datum,
                Some(OldRow::Key(_)) if column.is_key => old_datum,
                // No old row means that the key is what it was.
                None if column.is_key => Some(datum),
                _ => None,
            };
            if datum == Datum::Unchanged || before == Some(datum) {
                continue;
            }
            match (statement.facts.is_identity_always(&column.name), before) {
                (false, _) => changes.set.push((column, datum)),
                (true, Some(_)) => changes.reinsert = true,
                (true, None) => changes.reinsert_if_other.push((column, datum)),
            }
        }
        changes
    }
}

/// A variable of psql for what is said in front of the table's name: ONLY, where it has rows of its own.
///
/// A view whose INSTEAD OF triggers don't fire says that all went well, and nothing was done. Of those that a session of
/// replicas has, these are all; and they can't be made others.
pub(super) fn ask(out: &mut Vec<u8>, relation: &Relation) -> io::Result<()> {
    let mut name = Vec::new();
    table(&mut name, relation);
    write!(
        out,
        "SELECT CASE WHEN relkind IN ('r', 'f') THEN 'ONLY' WHEN relkind = 'v' \
         AND current_setting('session_replication_role') = 'replica' \
         AND EXISTS (SELECT FROM pg_trigger WHERE tgrelid = c.oid AND tgtype & 64 <> 0) \
         THEN (('INSTEAD OF triggers do not fire here: put a table in the place of the view ' || relname)::int)::text \
         ELSE '' END AS only_{} FROM pg_class c WHERE oid = ",
        relation.id
    )?;
    quote::literal(out, &name);
    out.extend_from_slice(b"::regclass \\gset walferry_\n");
    Ok(())
}

pub(super) fn truncate(
    out: &mut Vec<u8>,
    relations: &[Arc<Relation>],
    cascade: bool,
    restart_identity: bool,
) {
    for (index, relation) in relations.iter().enumerate() {
        out.extend_from_slice(if index == 0 { b"TRUNCATE " } else { b", " });
        target(out, relation);
    }
    if restart_identity {
        out.extend_from_slice(b" RESTART IDENTITY");
    }
    if cascade {
        out.extend_from_slice(b" CASCADE");
    }
    out.extend_from_slice(b";\n");
}

/// The table alone, without those that inherit from it: the target was [asked](ask) before.
fn target(out: &mut Vec<u8>, relation: &Relation) {
    out.extend_from_slice(format!(":walferry_only_{} ", relation.id).as_bytes());
    table(out, relation);
}

fn table(out: &mut Vec<u8>, relation: &Relation) {
    quote::identifier(out, &relation.schema);
    out.push(b'.');
    quote::identifier(out, &relation.name);
}

/// The byte that a `"char"` is, if it is not ASCII: from version 15 on in octal, `\351`, before that itself, which is no
/// text in any encoding.
fn high_byte(text: &[u8]) -> Option<u8> {
    let byte = match *text {
        [byte] => byte,
        [b'\\', _, _, _] => InternalChar::from_text(std::str::from_utf8(text).ok()?).ok()?.0,
        _ => return None,
    };
    (!byte.is_ascii()).then_some(byte)
}

fn separated<T>(
    out: &mut Vec<u8>,
    items: impl Iterator<Item = T>,
    separator: &[u8],
    mut write: impl FnMut(&mut Vec<u8>, T) -> Result<(), SqlError>,
) -> Result<(), SqlError> {
    for (index, item) in items.enumerate() {
        if index > 0 {
            out.extend_from_slice(separator);
        }
        write(out, item)?;
    }
    Ok(())
}
