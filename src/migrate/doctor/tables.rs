//! What the source has: facts for comparisons, and what no publication carries.

use super::check::{Check, Facts, Look};
use super::report::Severity::{Note, Warning};
use super::report::Side::Source;

/// The published tables.
pub(super) const TABLES: Facts =
    Facts { columns: "schema text, name text", query: "SELECT schema, name FROM published" };

/// Their columns. `is_carried` says whether values of it come: all do but those left out of a column list, and generated ones.
pub(super) const COLUMNS: Facts = Facts {
    columns: "schema text, name text, attribute text, number int, type text, collate_name text, generated text, identity text, expression text, is_carried bool, missing text, fallback text",
    query: "SELECT p.schema, p.name, a.attname AS attribute, a.attnum AS number, format_type(a.atttypid, a.atttypmod) AS type,
       (SELECT format('%I.%I', n.nspname, l.collname) FROM pg_collation l JOIN pg_namespace n ON n.oid = l.collnamespace
        WHERE l.oid = a.attcollation) AS collate_name,
       a.attgenerated AS generated, a.attidentity AS identity,
       CASE WHEN a.attgenerated <> '' THEN pg_get_expr(d.adbin, d.adrelid) END AS expression,
       CASE WHEN a.attgenerated = '' THEN coalesce(p.attributes ? a.attname::text, true)
         ELSE coalesce(p.attributes ? a.attname::text, false) AND current_setting('server_version_num')::int >= 180000 END AS is_carried,
       (a.attmissingval::text::text[])[1] AS missing,
       CASE WHEN a.attgenerated = '' THEN pg_get_expr(d.adbin, d.adrelid) END AS fallback
     FROM published p JOIN pg_attribute a ON a.attrelid = p.oid AND a.attnum > 0 AND NOT a.attisdropped
     LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum",
};

/// What must be unique in them. `keys` are columns and expressions, as SQL writes them; `definition` is a constraint's.
pub(super) const UNIQUES: Facts = Facts {
    columns: "schema text, name text, keys text[], predicate text, is_deferrable bool, is_deferred bool, definition text",
    query: "SELECT p.schema, p.name, k.keys, pg_get_expr(i.indpred, i.indrelid) AS predicate,
       coalesce(c.condeferrable, false) AS is_deferrable, coalesce(c.condeferred, false) AS is_deferred,
       pg_get_constraintdef(c.oid) AS definition
     FROM published p JOIN pg_index i ON i.indrelid = p.oid AND i.indisunique
     LEFT JOIN pg_constraint c ON c.conindid = i.indexrelid AND c.conrelid = p.oid AND c.contype IN ('p', 'u')
     CROSS JOIN LATERAL (SELECT array_agg(pg_get_indexdef(i.indexrelid, n, true)) AS keys FROM generate_series(1, i.indnkeyatts) n) k",
};

/// Columns by which rows are found, where it is not all of them.
pub(super) const KEYS: Facts = Facts {
    columns: "schema text, name text, attributes text[]",
    query: "SELECT p.schema, p.name, array_agg(i.attribute ORDER BY i.attnum) AS attributes
     FROM published p JOIN identity i ON i.oid = p.oid WHERE p.relreplident <> 'f' GROUP BY p.schema, p.name",
};

/// Enums that are no extension's, label by label.
pub(super) const ENUMS: Facts = Facts {
    columns: "schema text, name text, label text, number int8, previous text",
    query: "SELECT n.nspname AS schema, t.typname AS name, e.enumlabel AS label,
       row_number() OVER (PARTITION BY t.oid ORDER BY e.enumsortorder) AS number,
       lag(e.enumlabel) OVER (PARTITION BY t.oid ORDER BY e.enumsortorder) AS previous
     FROM pg_enum e JOIN pg_type t ON t.oid = e.enumtypid JOIN pg_namespace n ON n.oid = t.typnamespace
     WHERE NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_type'::regclass AND d.objid = t.oid AND d.deptype = 'e')",
};

/// All sequences; with the column that owns it, if one does, and what makes it anew.
pub(super) const SEQUENCES: Facts = Facts {
    columns: "schema text, name text, is_identity bool, owner_schema text, owner_name text, owner_attribute text, options text",
    query: "SELECT s.schema, s.name, s.is_identity, r.schema AS owner_schema, r.name AS owner_name, a.attname AS owner_attribute,
       format('AS %s INCREMENT BY %s MINVALUE %s MAXVALUE %s START WITH %s CACHE %s %s', format_type(q.seqtypid, NULL),
         q.seqincrement, q.seqmin, q.seqmax, q.seqstart, q.seqcache, CASE WHEN q.seqcycle THEN 'CYCLE' ELSE 'NO CYCLE' END) AS options
     FROM sequences s JOIN pg_sequence q ON q.seqrelid = s.oid
     LEFT JOIN relations r ON r.oid = s.owner
     LEFT JOIN pg_attribute a ON a.attrelid = s.owner AND a.attnum = s.owner_column",
};

/// What is no extension's, of a kind that is never published.
macro_rules! never_carried {
    ($which:literal) => {
        concat!(
            "SELECT schema, name FROM relations WHERE oid >= 16384 AND ",
            $which,
            " AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = relations.oid AND d.deptype = 'e')
              ORDER BY schema, name"
        )
    };
}

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "unlogged-table",
        severity: Warning,
        side: Source,
        since: 14,
        look: Look::Here(never_carried!("relkind = 'r' AND relpersistence = 'u'")),
        subject: "{schema:i}.{name:i}",
        reason: "it is unlogged: neither its rows nor its changes are carried",
        mend: "ALTER TABLE {schema:i}.{name:i} SET LOGGED",
    },
    Check {
        id: "temporary-table",
        severity: Note,
        side: Source,
        since: 14,
        look: Look::Here(never_carried!("relkind = 'r' AND relpersistence = 't'")),
        subject: "{schema:i}.{name:i}",
        reason: "it is a temporary table of a session, and not carried",
        mend: "-- nothing is left of it anyway when its session ends",
    },
    Check {
        id: "foreign-table",
        severity: Warning,
        side: Source,
        since: 14,
        look: Look::Here(never_carried!("relkind = 'f'")),
        subject: "{schema:i}.{name:i}",
        reason: "it is a foreign table: its rows are elsewhere, and not carried",
        mend: "-- see to it that the target reaches the foreign server; user mappings and passwords are not carried either",
    },
    Check {
        id: "materialized-view",
        severity: Warning,
        side: Source,
        since: 14,
        look: Look::Here(never_carried!("relkind = 'm'")),
        subject: "{schema:i}.{name:i}",
        reason: "the contents of a materialized view are not carried",
        mend: "-- on the target, after the cutover: REFRESH MATERIALIZED VIEW {schema:i}.{name:i}",
    },
    Check {
        id: "large-objects",
        severity: Warning,
        side: Source,
        since: 14,
        look: Look::Here("SELECT count(*)::text AS count FROM pg_largeobject_metadata HAVING count(*) > 0"),
        subject: "",
        reason: "the database has {count} large objects: neither they nor their changes are carried",
        mend: "-- while nobody writes them: pg_dump --large-objects with a table that is not there; better: bytea columns",
    },
    Check {
        id: "extension-table",
        severity: Warning,
        side: Source,
        since: 14,
        look: Look::Here(
            "SELECT p.schema, p.name, e.extname AS extension FROM published p JOIN pg_depend d
               ON d.classid = 'pg_class'::regclass AND d.objid = p.oid AND d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e'
             JOIN pg_extension e ON e.oid = d.refobjid ORDER BY p.schema, p.name",
        ),
        subject: "{schema:i}.{name:i}",
        reason: "it belongs to the extension {extension:i}, which fills it on the target too: the copy would meet those rows",
        mend: "-- make a publication that does not name it",
    },
];
