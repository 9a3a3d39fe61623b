//! The types of the database, from its catalogue.

use super::Connection;
use super::command::TextRow;
use crate::Oid;
use crate::error::Error;
use crate::value::{Type, TypeField, TypeKind, Types};

/// One row for each label of an enum and each column of a composite, and one for each type that has none; in order.
///
/// One statement, so that all of it is of one moment. Numbers below 10000 are the same on every server. The row type of
/// a table, and the array of it, is worth reading only where it is used: a database has as many as tables. The server
/// knows what uses a type in order not to drop it (`pg_depend`, where what an array has to do with its own element is
/// internal).
///
/// An array is one that its element calls its array: other types may have a `typelem` and are no arrays. A delimiter is
/// a byte, and may be one that is no character.
const QUERY: &str = "SELECT t.oid, n.nspname, t.typname, CASE WHEN e.oid IS NULL THEN t.typtype ELSE 'a' END, \
     CASE WHEN e.oid IS NOT NULL THEN e.oid WHEN t.typtype = 'd' THEN t.typbasetype \
     WHEN t.typtype = 'r' THEN r.rngsubtype WHEN t.typtype = 'm' THEN m.rngtypid END, \
     e.typdelim::pg_catalog.int4, p.name, p.type \
     FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace \
     LEFT JOIN pg_catalog.pg_type e ON e.oid = t.typelem AND e.typarray = t.oid AND t.typlen = -1 \
     LEFT JOIN pg_catalog.pg_class c ON c.oid = coalesce(e.typrelid, t.typrelid) \
     LEFT JOIN pg_catalog.pg_range r ON r.rngtypid = t.oid \
     LEFT JOIN pg_catalog.pg_range m ON m.rngmultitypid = t.oid \
     LEFT JOIN LATERAL (\
     SELECT enumlabel AS name, NULL::pg_catalog.oid AS type, enumsortorder AS position \
     FROM pg_catalog.pg_enum WHERE t.typtype = 'e' AND enumtypid = t.oid UNION ALL \
     SELECT attname, atttypid, attnum FROM pg_catalog.pg_attribute \
     WHERE t.typtype = 'c' AND attrelid = t.typrelid AND attnum > 0 AND NOT attisdropped) p ON true \
     WHERE t.oid >= 10000 AND t.typtype <> 'p' AND t.typisdefined \
     AND (c.relkind IS NULL OR c.relkind = 'c' OR coalesce(e.oid, t.oid) IN (\
     SELECT coalesce(a.typelem, d.refobjid) FROM pg_catalog.pg_depend d \
     LEFT JOIN pg_catalog.pg_type a ON a.oid = d.refobjid AND a.typlen = -1 AND a.typelem <> 0 \
     WHERE d.refclassid = 'pg_catalog.pg_type'::pg_catalog.regclass AND d.deptype <> 'i' \
     AND d.classid IN ('pg_catalog.pg_class'::pg_catalog.regclass, 'pg_catalog.pg_type'::pg_catalog.regclass))) \
     ORDER BY t.oid, p.position";

impl Connection {
    /// Reads the types that the users of the database made, as its catalogue has them now: which may be ahead of a
    /// stream, or change.
    ///
    /// They are its enums, domains, composites, ranges and multiranges, the arrays of all types, and the base types
    /// that extensions bring; those of `information_schema`, too. The row type of a table is among them where a column,
    /// another type or a range uses it, or an array of it; that of a catalogue, or a type that is only declared, is not.
    ///
    /// A stream does this by itself: see [`Row::types`](crate::Row::types).
    ///
    /// ```no_run
    /// # async fn example(connection: &mut walferry::Connection) -> Result<(), walferry::Error> {
    /// for found in connection.load_types().await?.inserted() {
    ///     println!("{}.{}: {:?}", found.schema, found.name, found.kind);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn load_types(&mut self) -> Result<Types, Error> {
        self.end_transaction().await?;
        self.read_types().await
    }

    /// The same within the transaction that is open: as they are in its snapshot.
    pub(crate) async fn read_types(&mut self) -> Result<Types, Error> {
        let mut types: Vec<Type> = Vec::new();
        for row in self.simple_query(QUERY).await? {
            let oid = row.oid(0)?;
            let found = match types.pop() {
                Some(last) if last.oid == oid => last,
                other => {
                    types.extend(other);
                    begin(oid, &row)?
                }
            };
            types.push(with_part(found, &row)?);
        }
        Ok(types.into_iter().collect())
    }
}

fn begin(oid: Oid, row: &TextRow) -> Result<Type, Error> {
    let kind = match row.required(3)? {
        "a" => array(row)?,
        "c" => TypeKind::Composite { fields: Vec::new() },
        "d" => TypeKind::Domain { base: row.oid(4)? },
        "e" => TypeKind::Enum { labels: Vec::new() },
        "m" => TypeKind::Multirange { range: row.oid(4)? },
        "r" => TypeKind::Range { subtype: row.oid(4)? },
        _ => TypeKind::Base,
    };
    let (schema, name) = (row.required(1)?.to_owned().into(), row.required(2)?.to_owned().into());
    Ok(Type { oid, schema, name, kind })
}

/// An array whose delimiter is a part of a character can't be taken apart as text.
fn array(row: &TextRow) -> Result<TypeKind, Error> {
    let element = row.oid(4)?;
    let delimiter = row.parsed::<u8>(5).ok().flatten().filter(u8::is_ascii).map(char::from);
    Ok(delimiter.map_or(TypeKind::Base, |delimiter| TypeKind::Array { element, delimiter }))
}

fn with_part(mut found: Type, row: &TextRow) -> Result<Type, Error> {
    let Some(name) = row.text(6)? else { return Ok(found) };
    match &mut found.kind {
        TypeKind::Enum { labels } => labels.push(name.to_owned()),
        TypeKind::Composite { fields } => {
            fields.push(TypeField { name: name.to_owned(), type_oid: row.oid(7)? });
        }
        _ => {}
    }
    Ok(found)
}
