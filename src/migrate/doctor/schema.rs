//! What the target's schema lacks, or has beyond the source's.

use super::check::{Check, Facts, Look};
use super::report::Severity::{Error, Warning};
use super::report::Side::Target;
use super::tables::{COLUMNS, ENUMS, KEYS, SEQUENCES, TABLES, UNIQUES};

const EXTENSIONS: Facts = Facts {
    columns: "name text, schema text, types text",
    query: "SELECT e.extname AS name, n.nspname AS schema, coalesce((SELECT string_agg(quote_ident(t.typname), ', ' ORDER BY t.typname)
         FROM pg_depend d JOIN pg_type t ON t.oid = d.objid AND t.typtype IN ('b', 'd', 'e', 'r') AND t.typcategory <> 'A'
         WHERE d.classid = 'pg_type'::regclass AND d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid AND d.deptype = 'e'),
         'no types') AS types
     FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace",
};

/// The target's column of each of the source's, where there is one: as `a`.
macro_rules! columns {
    () => {
        "FROM other o JOIN relations r ON r.schema = o.schema AND r.name = o.name AND r.relkind IN ('r', 'p')
         JOIN pg_attribute a ON a.attrelid = r.oid AND a.attname = o.attribute AND a.attnum > 0 AND NOT a.attisdropped "
    };
}

/// The target's unique indexes on published tables: as `i`, its keys as `keys`, its constraint as `c`.
macro_rules! uniques {
    () => {
        "FROM (SELECT DISTINCT schema, name FROM other) t JOIN relations r USING (schema, name)
         JOIN pg_index i ON i.indrelid = r.oid AND i.indisunique JOIN pg_class x ON x.oid = i.indexrelid
         JOIN pg_namespace n ON n.oid = x.relnamespace
         LEFT JOIN pg_constraint c ON c.conindid = i.indexrelid AND c.conrelid = r.oid AND c.contype IN ('p', 'u')
         CROSS JOIN LATERAL (SELECT array_agg(pg_get_indexdef(i.indexrelid, k, true)) AS keys FROM generate_series(1, i.indnkeyatts) k) k "
    };
}

const COLUMN: &str = "{schema:i}.{name:i}.{attribute:i}";

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "extension-missing",
        severity: Warning,
        side: Target,
        since: 14,
        look: Look::Across(
            &EXTENSIONS,
            "SELECT o.name, o.schema, o.types,
               CASE WHEN EXISTS (SELECT FROM pg_namespace WHERE nspname = o.schema) THEN ''
                 ELSE format('CREATE SCHEMA %I; ', o.schema) END AS first
             FROM given, other o JOIN pg_available_extensions USING (name)
             WHERE NOT makes_schema AND o.name NOT IN (SELECT extname::text FROM pg_extension) ORDER BY o.name",
        ),
        subject: "{name:i}",
        reason: "the extension is not there; on the source it brings {types}",
        mend: "{first}CREATE EXTENSION {name:i} SCHEMA {schema:i} CASCADE",
    },
    Check {
        id: "extension-unavailable",
        severity: Warning,
        side: Target,
        since: 14,
        look: Look::Across(
            &EXTENSIONS,
            "SELECT name, types FROM other WHERE name NOT IN (SELECT extname::text FROM pg_extension)
               AND name NOT IN (SELECT name::text FROM pg_available_extensions) ORDER BY name",
        ),
        subject: "{name:i}",
        reason: "the server does not have the extension; on the source it brings {types}",
        mend: "-- install its package on the target's machine; or, if nothing needs it, drop it on the source",
    },
    Check {
        id: "table-missing",
        severity: Error,
        side: Target,
        since: 14,
        look: Look::Across(
            &TABLES,
            "SELECT o.schema, o.name FROM given, other o LEFT JOIN relations r USING (schema, name)
             WHERE r.oid IS NULL AND NOT makes_schema ORDER BY 1, 2",
        ),
        subject: "{schema:i}.{name:i}",
        reason: "the table is not there",
        mend: "-- let the migration make the schema, or make the table as pg_dump --schema-only of the source says",
    },
    Check {
        id: "table-kind",
        severity: Error,
        side: Target,
        since: 14,
        look: Look::Across(
            &TABLES,
            "SELECT r.schema, r.name, CASE r.relkind WHEN 'v' THEN 'a view' WHEN 'm' THEN 'a materialized view'
               WHEN 'f' THEN 'a foreign table' WHEN 'S' THEN 'a sequence' ELSE 'no table' END AS kind
             FROM other JOIN relations r USING (schema, name) WHERE r.relkind NOT IN ('r', 'p') ORDER BY r.schema, r.name",
        ),
        subject: "{schema:i}.{name:i}",
        reason: "it is a table on the source, and {kind} here",
        mend: "-- rename it, and make the table as pg_dump --schema-only of the source says",
    },
    Check {
        id: "unlogged-target",
        severity: Warning,
        side: Target,
        since: 14,
        look: Look::Across(
            &TABLES,
            "SELECT r.schema, r.name FROM other JOIN relations r USING (schema, name) WHERE r.relpersistence = 'u' ORDER BY r.schema, r.name",
        ),
        subject: "{schema:i}.{name:i}",
        reason: "it is unlogged: a crash empties it, and the migration would go on as if its rows were there",
        mend: "ALTER TABLE {schema:i}.{name:i} SET LOGGED",
    },
    Check {
        id: "column-missing",
        severity: Error,
        side: Target,
        since: 14,
        look: Look::Across(
            &COLUMNS,
            // What rows from before have without being written again, they are to have here; and one of that place and type was renamed.
            "SELECT o.schema, o.name, CASE WHEN w.was IS NOT NULL THEN format('RENAME COLUMN %I TO %I; -- or, if it is another one: ALTER TABLE %I.%I ',
                 w.was, o.attribute, o.schema, o.name) ELSE '' END
               || format('ADD COLUMN %I %s', o.attribute, o.type)
               || coalesce(format(' DEFAULT %L; ALTER TABLE %I.%I ALTER COLUMN %I ', o.missing, o.schema, o.name, o.attribute)
                 || coalesce('SET DEFAULT ' || o.fallback, 'DROP DEFAULT'), '') AS action, o.attribute
             FROM other o JOIN relations r ON r.schema = o.schema AND r.name = o.name AND r.relkind IN ('r', 'p')
             LEFT JOIN LATERAL (SELECT a.attname AS was FROM pg_attribute a WHERE a.attrelid = r.oid AND a.attnum = o.number AND NOT a.attisdropped
               AND format_type(a.atttypid, a.atttypmod) = o.type AND NOT EXISTS (
                 SELECT FROM other n WHERE n.schema = o.schema AND n.name = o.name AND n.attribute = a.attname)) w ON true
             WHERE o.is_carried AND NOT EXISTS (
               SELECT FROM pg_attribute a WHERE a.attrelid = r.oid AND a.attname = o.attribute AND a.attnum > 0 AND NOT a.attisdropped)
             ORDER BY o.schema, o.name, o.number",
        ),
        subject: COLUMN,
        reason: "the column is not there",
        mend: "ALTER TABLE {schema:i}.{name:i} {action}",
    },
    Check {
        id: "column-type",
        severity: Warning,
        side: Target,
        since: 14,
        look: Look::Across(
            &COLUMNS,
            concat!(
                "SELECT o.schema, o.name, o.attribute, o.type AS wanted, format_type(a.atttypid, a.atttypmod) AS own ",
                columns!(),
                "WHERE o.is_carried AND o.type <> format_type(a.atttypid, a.atttypmod) ORDER BY o.schema, o.name, o.number"
            ),
        ),
        subject: COLUMN,
        reason: "its type is {own}, the source's {wanted}: some values may not fit, or be stored as others",
        mend: "ALTER TABLE {schema:i}.{name:i} ALTER COLUMN {attribute:i} TYPE {wanted} USING {attribute:i}::{wanted}",
    },
    Check {
        id: "column-collation",
        severity: Warning,
        side: Target,
        since: 14,
        look: Look::Across(
            &COLUMNS,
            concat!(
                "SELECT o.schema, o.name, o.attribute, o.type, o.collate_name AS wanted, l.own ",
                columns!(),
                "CROSS JOIN LATERAL (SELECT format('%I.%I', n.nspname, l.collname) AS own
                   FROM pg_collation l JOIN pg_namespace n ON n.oid = l.collnamespace WHERE l.oid = a.attcollation) l
                 WHERE o.is_carried AND o.collate_name <> l.own ORDER BY o.schema, o.name, o.number"
            ),
        ),
        subject: COLUMN,
        reason: "its collation is {own}, the source's {wanted}: texts sort otherwise, and what is unique may not be the same",
        mend: "ALTER TABLE {schema:i}.{name:i} ALTER COLUMN {attribute:i} TYPE {type} COLLATE {wanted}",
    },
    Check {
        id: "enum-label",
        severity: Error,
        side: Target,
        since: 14,
        look: Look::Across(
            &ENUMS,
            "SELECT o.schema, o.name, o.label, CASE WHEN o.previous IS NULL THEN 'BEFORE ' || quote_literal(f.first)
               ELSE 'AFTER ' || quote_literal(o.previous) END AS place
             FROM other o JOIN pg_namespace n ON n.nspname = o.schema JOIN pg_type t ON t.typnamespace = n.oid AND t.typname = o.name
             CROSS JOIN LATERAL (SELECT enumlabel AS first FROM pg_enum WHERE enumtypid = t.oid ORDER BY enumsortorder LIMIT 1) f
             WHERE NOT EXISTS (SELECT FROM pg_enum e WHERE e.enumtypid = t.oid AND e.enumlabel = o.label)
             ORDER BY o.schema, o.name, o.number",
        ),
        subject: "{schema:i}.{name:i}",
        reason: "the type lacks the label {label:l}: rows that have it can't be written",
        mend: "ALTER TYPE {schema:i}.{name:i} ADD VALUE {label:l} {place}",
    },
    Check {
        id: "column-unfilled",
        severity: Error,
        side: Target,
        since: 14,
        look: Look::Across(
            &COLUMNS,
            "SELECT r.schema, r.name, a.attname AS attribute FROM (SELECT DISTINCT schema, name FROM other) t JOIN relations r USING (schema, name)
             JOIN pg_attribute a ON a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped
             WHERE r.relkind IN ('r', 'p') AND a.attnotnull AND NOT a.atthasdef AND a.attidentity = '' AND NOT EXISTS (
               SELECT FROM other o WHERE o.schema = r.schema AND o.name = r.name AND o.attribute = a.attname AND o.is_carried)
             ORDER BY r.schema, r.name, a.attnum",
        ),
        subject: COLUMN,
        reason: "it is NOT NULL without a default, and the source has no values for it: no row could be inserted",
        mend: "ALTER TABLE {schema:i}.{name:i} ALTER COLUMN {attribute:i} DROP NOT NULL",
    },
    Check {
        id: "column-computed",
        severity: Error,
        side: Target,
        since: 14,
        look: Look::Across(
            &COLUMNS,
            concat!(
                "SELECT o.schema, o.name, o.attribute, CASE a.attgenerated WHEN 's' THEN 'ALTER COLUMN ' || quote_ident(a.attname) || ' DROP EXPRESSION'
                   ELSE format('DROP COLUMN %1$I, ADD COLUMN %1$I %2$s', a.attname, o.type) END AS action ",
                columns!(),
                "WHERE o.is_carried AND o.generated = '' AND a.attgenerated <> '' ORDER BY o.schema, o.name, o.number"
            ),
        ),
        subject: COLUMN,
        reason: "it is GENERATED here, and not on the source: its values would be computed instead of carried",
        mend: "ALTER TABLE {schema:i}.{name:i} {action}",
    },
    Check {
        id: "column-not-computed",
        severity: Error,
        side: Target,
        since: 14,
        look: Look::Across(
            &COLUMNS,
            concat!(
                "SELECT o.schema, o.name, o.attribute, o.type, o.expression,
                   CASE WHEN o.generated = 'v' AND current_setting('server_version_num')::int >= 180000 THEN 'VIRTUAL' ELSE 'STORED' END AS kept ",
                columns!(),
                "WHERE o.generated <> '' AND NOT o.is_carried AND a.attgenerated = '' ORDER BY o.schema, o.name, o.number"
            ),
        ),
        subject: COLUMN,
        reason: "it is GENERATED on the source, and not here: its values are neither carried nor computed",
        mend: "ALTER TABLE {schema:i}.{name:i} DROP COLUMN {attribute:i}, \
               ADD COLUMN {attribute:i} {type} GENERATED ALWAYS AS ({expression}) {kept}",
    },
    Check {
        id: "identity-always",
        severity: Warning,
        side: Target,
        since: 14,
        look: Look::Across(
            &COLUMNS,
            concat!(
                "SELECT o.schema, o.name, o.attribute ",
                columns!(),
                "WHERE o.is_carried AND a.attidentity = 'a' AND o.identity <> 'a' ORDER BY o.schema, o.name, o.number"
            ),
        ),
        subject: COLUMN,
        reason: "it is GENERATED ALWAYS AS IDENTITY here, and not on the source: no UPDATE of the source that changes it can be applied as one",
        mend: "ALTER TABLE {schema:i}.{name:i} ALTER COLUMN {attribute:i} SET GENERATED BY DEFAULT",
    },
    Check {
        id: "identity-missing",
        severity: Warning,
        side: Target,
        since: 14,
        look: Look::Across(
            &COLUMNS,
            concat!(
                "SELECT o.schema, o.name, o.attribute, CASE o.identity WHEN 'a' THEN 'ALWAYS' ELSE 'BY DEFAULT' END AS kind ",
                columns!(),
                "WHERE o.identity <> '' AND a.attidentity = '' AND NOT a.atthasdef ORDER BY o.schema, o.name, o.number"
            ),
        ),
        subject: COLUMN,
        reason: "it is an identity column on the source, and has no default here: after the cutover, rows without a value for it fail",
        mend: "ALTER TABLE {schema:i}.{name:i} ALTER COLUMN {attribute:i} SET NOT NULL, \
               ALTER COLUMN {attribute:i} ADD GENERATED {kind} AS IDENTITY",
    },
    Check {
        id: "deferrability",
        severity: Warning,
        side: Target,
        since: 14,
        look: Look::Across(
            &UNIQUES,
            concat!(
                "SELECT r.schema, r.name, x.relname AS index, o.definition,
                   CASE WHEN o.is_deferrable THEN 'deferrable' ELSE 'not deferrable' END || CASE WHEN o.is_deferred THEN ', initially deferred' ELSE '' END AS wanted,
                   CASE WHEN c.conname IS NULL THEN format('DROP INDEX %I.%I', n.nspname, x.relname)
                     ELSE format('ALTER TABLE %I.%I DROP CONSTRAINT %I', r.schema, r.name, c.conname) END AS away ",
                uniques!(),
                "JOIN other o ON o.schema = r.schema AND o.name = r.name AND o.keys = k.keys AND o.predicate IS NULL AND i.indpred IS NULL
                   AND o.definition IS NOT NULL
                 WHERE (o.is_deferrable, o.is_deferred) <> (coalesce(c.condeferrable, false), coalesce(c.condeferred, false))
                 ORDER BY r.schema, r.name, x.relname"
            ),
        ),
        subject: "{schema:i}.{index:i}",
        reason: "on the source it is {wanted}, and here it is not so: rows that exchange their keys in one transaction there collide here, or are \
                 checked later than there",
        mend: "{away}; ALTER TABLE {schema:i}.{name:i} ADD CONSTRAINT {index:i} {definition}",
    },
    Check {
        id: "extra-unique",
        severity: Warning,
        side: Target,
        since: 14,
        look: Look::Across(
            &UNIQUES,
            concat!(
                "SELECT r.schema, r.name, x.relname AS index, array_to_string(k.keys, ', ') AS keys,
                   CASE WHEN c.conname IS NULL THEN format('DROP INDEX %I.%I', n.nspname, x.relname)
                     ELSE format('ALTER TABLE %I.%I DROP CONSTRAINT %I', r.schema, r.name, c.conname) END AS away ",
                uniques!(),
                "WHERE NOT EXISTS (SELECT FROM other o WHERE o.schema = r.schema AND o.name = r.name AND o.keys <@ k.keys
                   AND (o.predicate IS NULL OR o.predicate = pg_get_expr(i.indpred, i.indrelid)))
                 ORDER BY r.schema, r.name, x.relname"
            ),
        ),
        subject: "{schema:i}.{index:i}",
        reason: "it wants {keys} to be unique, and nothing on the source does: rows that are in order there may collide here",
        mend: "{away}",
    },
    Check {
        id: "key-index-missing",
        severity: Warning,
        side: Target,
        since: 14,
        look: Look::Across(
            &KEYS,
            "SELECT r.schema, r.name, (SELECT string_agg(quote_ident(a), ', ') FROM unnest(o.attributes) a) AS columns
             FROM given, other o JOIN relations r ON r.schema = o.schema AND r.name = o.name AND r.relkind IN ('r', 'p')
             WHERE NOT makes_schema AND NOT EXISTS (
               SELECT FROM pg_index i WHERE i.indrelid = r.oid AND i.indisvalid AND i.indpred IS NULL AND o.attributes <@ (
                 SELECT array_agg(a.attname::text) FROM pg_attribute a
                 WHERE a.attrelid = r.oid AND a.attnum = ANY ((i.indkey::int2[])[0:cardinality(o.attributes) - 1])))
             ORDER BY r.schema, r.name",
        ),
        subject: "{schema:i}.{name:i}",
        reason: "no index begins with {columns}, by which the source tells its rows apart: each UPDATE and DELETE looks through the whole table",
        mend: "CREATE UNIQUE INDEX ON {schema:i}.{name:i} ({columns})",
    },
    Check {
        id: "sequence-missing",
        severity: Error,
        side: Target,
        since: 14,
        look: Look::Across(
            &SEQUENCES,
            "SELECT DISTINCT o.schema, o.name, o.options FROM given, other o
             WHERE NOT makes_schema AND NOT o.is_identity
               AND NOT EXISTS (SELECT FROM relations r WHERE r.schema = o.schema AND r.name = o.name AND r.relkind = 'S')
               AND NOT EXISTS (SELECT FROM sequences s JOIN relations t ON t.oid = s.owner
                 JOIN pg_attribute a ON a.attrelid = s.owner AND a.attnum = s.owner_column
                 WHERE t.schema = o.owner_schema AND t.name = o.owner_name AND a.attname = o.owner_attribute)
             ORDER BY o.schema, o.name",
        ),
        subject: "{schema:i}.{name:i}",
        reason: "the sequence is not there, by name or by the column that owns it",
        mend: "CREATE SEQUENCE {schema:i}.{name:i} {options}",
    },
    Check {
        id: "target-trigger",
        severity: Warning,
        side: Target,
        since: 14,
        look: Look::Across(
            &TABLES,
            "SELECT DISTINCT w.schema, w.name, g.tgname AS trigger FROM other JOIN relations r USING (schema, name)
             CROSS JOIN LATERAL (SELECT r.oid UNION SELECT relid FROM pg_partition_tree(r.oid)) t
             JOIN relations w ON w.oid = t.oid JOIN pg_trigger g ON g.tgrelid = w.oid
             WHERE NOT g.tgisinternal AND g.tgenabled IN ('R', 'A') ORDER BY w.schema, w.name, g.tgname",
        ),
        subject: "{schema:i}.{name:i}.{trigger:i}",
        reason: "the trigger fires for carried changes too: what it does comes on top of them, and they are applied row by row",
        mend: "ALTER TABLE {schema:i}.{name:i} ENABLE TRIGGER {trigger:i}",
    },
    Check {
        id: "target-rule",
        severity: Warning,
        side: Target,
        since: 14,
        look: Look::Across(
            &TABLES,
            "SELECT r.schema, r.name, w.rulename AS rule FROM other JOIN relations r USING (schema, name)
             JOIN pg_rewrite w ON w.ev_class = r.oid WHERE r.relkind IN ('r', 'p') AND w.ev_enabled IN ('R', 'A')
             ORDER BY r.schema, r.name, w.rulename",
        ),
        subject: "{schema:i}.{name:i}.{rule:i}",
        reason: "the rule holds for carried changes too: it may turn them into others",
        mend: "ALTER TABLE {schema:i}.{name:i} ENABLE RULE {rule:i}",
    },
];
