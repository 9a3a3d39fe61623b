//! What a check is: a query whose rows are findings, and the words for them.
//!
//! To add one: a [`Check`] in the list of its topic, a line in `checks.md`, a case in `tests/doctor`. Tests hold the three equal.
//!
//! All queries run behind [`COMMON`], in a session whose `search_path` is `pg_catalog` alone. So names of the catalogue stand bare,
//! and mean what they say; and what the server prints of types and expressions is qualified, and reads alike on both sides.

use std::collections::BTreeMap;

use super::link::Probe;
use super::report::{Finding, Severity, Side};
use crate::quote;

/// One thing to look at, and what to say of it.
///
/// In the three texts `{column}` stands for a column of the row, `{column:i}` for it as an identifier, `{column:l}` as a literal.
#[derive(Debug)]
pub(super) struct Check {
    pub(super) id: &'static str,
    pub(super) severity: Severity,
    /// Where the query runs.
    pub(super) side: Side,
    /// The first major version of that side for which it has a meaning.
    pub(super) since: u32,
    pub(super) look: Look,
    pub(super) subject: &'static str,
    pub(super) reason: &'static str,
    pub(super) mend: &'static str,
}

/// Where the rows come from. All columns are texts or names.
#[derive(Debug)]
pub(super) enum Look {
    /// A query.
    Here(&'static str),
    /// A query that sees, as the table `other`, what the other side has.
    Across(&'static Facts, &'static str),
    /// A statement that should go through, and a query for when it does not.
    Refused(&'static str, &'static str),
    /// What no query can see.
    Probe(Probe),
}

/// What is asked of one side to be compared on the other.
#[derive(Debug)]
pub(super) struct Facts {
    /// The columns, with their types.
    pub(super) columns: &'static str,
    pub(super) query: &'static str,
}

/// A row of a query: by column, `None` for NULL.
pub(super) type Found = BTreeMap<String, Option<String>>;

/// What all queries may use.
///
/// * `given`: what the migration is to do; one row.
/// * `relations`: whatever is in `pg_class`, with the name of its schema.
/// * `published`: the tables that the publication names, or that a publication for all tables would; with the columns
///   and the rows that it is limited to.
/// * `stored`: those and, of the partitioned ones, the partitions that hold the rows; `root` is the published table.
/// * `identity`: the columns of the replica identity of both.
/// * `sequences`: all of the database that are no extension's; `is_identity` of those that are a column's own.
pub(super) const COMMON: &str = "\
WITH given AS (
  SELECT $1::text AS publication, $2::text AS slot, $3::bool AS makes_schema, $4::bool AS two_phase, $5::text AS facts),
relations AS (
  SELECT c.oid, c.relnamespace, n.nspname::text AS schema, c.relname::text AS name, c.relkind, c.relpersistence, c.relreplident
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace),
named AS (
  SELECT schemaname::text AS schema, tablename::text AS name, to_jsonb(t) -> 'attnames' AS attributes, to_jsonb(t) ->> 'rowfilter' AS filter
  FROM given, pg_publication_tables t WHERE t.pubname = given.publication),
published AS (
  SELECT r.*, named.attributes, named.filter FROM given, relations r LEFT JOIN named USING (schema, name)
  WHERE r.relkind IN ('r', 'p') AND r.schema <> 'walferry'
    AND CASE WHEN EXISTS (SELECT FROM pg_publication WHERE pubname = given.publication) THEN named.name IS NOT NULL
        ELSE r.relkind = 'r' AND r.relpersistence = 'p' AND r.oid >= 16384 END),
stored AS (
  SELECT p.oid AS root, r.* FROM published p CROSS JOIN LATERAL (
    SELECT p.oid WHERE p.relkind = 'r'
    UNION ALL SELECT t.relid FROM pg_partition_tree(p.oid) t WHERE p.relkind = 'p' AND t.isleaf) l
  JOIN relations r ON r.oid = l.oid AND r.relkind = 'r'),
identity AS (
  SELECT t.oid, a.attnum, a.attname::text AS attribute
  FROM (SELECT oid, relreplident FROM published UNION SELECT oid, relreplident FROM stored) t
  JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped
  WHERE t.relreplident = 'f' OR EXISTS (
    SELECT FROM pg_index i WHERE i.indrelid = t.oid AND a.attnum = ANY ((i.indkey::int2[])[0:i.indnkeyatts - 1])
      AND (t.relreplident = 'd' AND i.indisprimary AND i.indimmediate OR t.relreplident = 'i' AND i.indisreplident))),
sequences AS (
  SELECT r.*, o.refobjid AS owner, o.refobjsubid AS owner_column, coalesce(o.deptype = 'i', false) AS is_identity
  FROM relations r
  LEFT JOIN pg_depend o ON o.classid = 'pg_class'::regclass AND o.objid = r.oid AND o.refclassid = 'pg_class'::regclass
    AND o.deptype IN ('a', 'i')
  WHERE r.relkind = 'S' AND r.relpersistence <> 't' AND r.oid >= 16384 AND r.schema <> 'walferry' AND NOT EXISTS (
    SELECT FROM pg_depend e WHERE e.classid = 'pg_class'::regclass AND e.objid = r.oid AND e.deptype = 'e'))
";

impl Check {
    /// What the row says.
    pub(super) fn finding(&self, row: &Found) -> Finding {
        Finding {
            id: self.id,
            severity: self.severity,
            side: self.side,
            subject: filled(self.subject, row),
            reason: filled(self.reason, row).unwrap_or_default(),
            mend: filled(self.mend, row),
        }
    }
}

/// The text with the row's columns in their places; `None` if there is no text, or a column in it is NULL.
fn filled(text: &str, row: &Found) -> Option<String> {
    let mut pieces = text.split('{');
    let mut out = pieces.next().unwrap_or_default().as_bytes().to_vec();
    for piece in pieces {
        let (place, rest) = piece.split_once('}')?;
        let (column, form) = place.split_once(':').unwrap_or((place, ""));
        let value = row.get(column)?.as_deref()?;
        match form {
            "i" => quote::identifier(&mut out, value),
            "l" => quote::literal(&mut out, value.as_bytes()),
            _ => out.extend_from_slice(value.as_bytes()),
        }
        out.extend_from_slice(rest.as_bytes());
    }
    String::from_utf8(out).ok().filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_takes_columns_as_they_are_quoted_and_as_literals() {
        let row = Found::from([("a".to_owned(), Some("x\"{b}'".to_owned())), ("b".to_owned(), None)]);
        assert_eq!(filled("{a} {a:i}.{a:l};", &row).unwrap(), r#"x"{b}' "x""{b}'".'x"{b}''';"#);
        assert_eq!(filled("plain", &row).unwrap(), "plain");
        assert_eq!(filled("no {b}", &row), None);
        assert_eq!(filled("", &row), None);
    }
}
