//! What the publication carries, and what it does not.

use super::check::{Check, Look};
use super::report::Severity::{Error, Note, Warning};
use super::report::Side::Source;

/// Whether the publication carries updates or deletes, which need an identity.
macro_rules! identity_is_needed {
    () => {
        "NOT EXISTS (SELECT FROM given, pg_publication WHERE pubname = given.publication AND NOT pubupdate AND NOT pubdelete)"
    };
}

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "publication-missing",
        severity: Note,
        side: Source,
        since: 14,
        look: Look::Here(
            "SELECT publication FROM given WHERE NOT EXISTS (SELECT FROM pg_publication WHERE pubname = given.publication)",
        ),
        subject: "{publication:i}",
        reason: "there is no such publication yet: a run makes it, for all tables",
        mend: "CREATE PUBLICATION {publication:i} FOR ALL TABLES",
    },
    Check {
        id: "publication-actions",
        severity: Error,
        side: Source,
        since: 14,
        look: Look::Here(
            "SELECT publication, concat_ws(', ', CASE WHEN NOT pubinsert THEN 'insert' END, CASE WHEN NOT pubupdate THEN 'update' END,
               CASE WHEN NOT pubdelete THEN 'delete' END, CASE WHEN NOT pubtruncate THEN 'truncate' END) AS missing
             FROM given JOIN pg_publication ON pubname = publication
             WHERE NOT (pubinsert AND pubupdate AND pubdelete AND pubtruncate)",
        ),
        subject: "{publication:i}",
        reason: "it does not carry: {missing}; these changes would be lost without a word",
        mend: "ALTER PUBLICATION {publication:i} SET (publish = 'insert, update, delete, truncate')",
    },
    Check {
        id: "unpublished-table",
        severity: Note,
        side: Source,
        since: 14,
        look: Look::Here(
            "SELECT r.schema, r.name, publication FROM given JOIN pg_publication ON pubname = publication AND NOT puballtables
             CROSS JOIN relations r
             WHERE r.relkind = 'r' AND r.relpersistence = 'p' AND r.oid >= 16384 AND r.schema <> 'walferry'
               AND r.oid NOT IN (SELECT oid FROM stored) ORDER BY r.schema, r.name",
        ),
        subject: "{schema:i}.{name:i}",
        reason: "the publication does not name it: neither its rows nor its changes are carried",
        mend: "ALTER PUBLICATION {publication:i} ADD TABLE ONLY {schema:i}.{name:i}",
    },
    Check {
        id: "column-list",
        severity: Note,
        side: Source,
        since: 15,
        look: Look::Here(
            "SELECT p.schema, p.name, string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum) AS missing
             FROM published p JOIN pg_attribute a ON a.attrelid = p.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
             WHERE NOT p.attributes ? a.attname::text GROUP BY p.schema, p.name ORDER BY p.schema, p.name",
        ),
        subject: "{schema:i}.{name:i}",
        reason: "the publication's column list leaves out {missing}: the target has no values for them",
        mend: "-- name the table in the publication without a column list",
    },
    Check {
        id: "row-filter",
        severity: Note,
        side: Source,
        since: 15,
        look: Look::Here("SELECT schema, name FROM published WHERE filter IS NOT NULL ORDER BY schema, name"),
        subject: "{schema:i}.{name:i}",
        reason: "the publication has a row filter for it: the target has fewer rows than the source",
        mend: "-- name the table in the publication without WHERE",
    },
    Check {
        id: "replica-identity",
        severity: Error,
        side: Source,
        since: 14,
        look: Look::Here(concat!(
            "SELECT DISTINCT schema, name FROM stored s
             WHERE NOT EXISTS (SELECT FROM identity i WHERE i.oid = s.oid) AND ",
            identity_is_needed!(),
            " AND EXISTS (SELECT FROM pg_attribute WHERE attrelid = s.oid AND attnum > 0 AND NOT attisdropped) ORDER BY schema, name"
        )),
        subject: "{schema:i}.{name:i}",
        reason: "it has no replica identity (no primary key that is not deferrable, say): as soon as it is published, the source's own UPDATE and \
                 DELETE on it fail",
        mend: "ALTER TABLE {schema:i}.{name:i} REPLICA IDENTITY FULL; -- better: give it a primary key",
    },
    Check {
        id: "identity-full",
        severity: Note,
        side: Source,
        since: 14,
        look: Look::Here(
            "SELECT DISTINCT schema, name FROM stored WHERE relreplident = 'f'
               AND NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = stored.oid AND i.indisprimary) ORDER BY schema, name",
        ),
        subject: "{schema:i}.{name:i}",
        reason: "its replica identity is the whole row, and it has no key: for each UPDATE and DELETE the target looks through the table",
        mend: "-- give it a primary key, then: ALTER TABLE {schema:i}.{name:i} REPLICA IDENTITY DEFAULT",
    },
    Check {
        id: "partition-identity",
        severity: Error,
        side: Source,
        since: 14,
        look: Look::Here(
            "SELECT s.schema, s.name, p.schema AS root_schema, p.name AS root_name, CASE p.relreplident
                 WHEN 'f' THEN 'FULL' WHEN 'd' THEN 'DEFAULT'
                 WHEN 'i' THEN 'USING INDEX ' || (SELECT quote_ident(x.relname) FROM pg_index r
                   JOIN pg_partition_tree(r.indexrelid) t ON t.isleaf JOIN pg_index l ON l.indexrelid = t.relid AND l.indrelid = s.oid
                   JOIN pg_class x ON x.oid = l.indexrelid WHERE r.indrelid = p.oid AND r.indisreplident) END AS identity
             FROM stored s JOIN published p ON p.oid = s.root AND p.relkind = 'p'
             WHERE (SELECT array_agg(attribute ORDER BY attribute) FROM identity i WHERE i.oid = s.oid)
                 IS DISTINCT FROM (SELECT array_agg(attribute ORDER BY attribute) FROM identity i WHERE i.oid = p.oid)
               OR (s.relreplident = 'f') <> (p.relreplident = 'f') ORDER BY s.schema, s.name",
        ),
        subject: "{schema:i}.{name:i}",
        reason: "its replica identity is not that of {root_schema:i}.{root_name:i}, as which its changes are published: old rows come with other \
                 columns than are announced, or not at all",
        mend: "ALTER TABLE {schema:i}.{name:i} REPLICA IDENTITY {identity}",
    },
    Check {
        id: "partition-layout",
        severity: Error,
        side: Source,
        since: 14,
        // What the server of 14 has prepared to bring a row into the root's order, it throws away when it hears of a change of the
        // table while it announces it. From 15 on, it keeps it.
        look: Look::Here(
            "SELECT s.schema, s.name, p.schema AS root_schema, p.name AS root_name, publication
             FROM given, stored s JOIN published p ON p.oid = s.root AND p.relkind = 'p'
             WHERE current_setting('server_version_num')::int < 150000 AND EXISTS (
               SELECT FROM pg_attribute a JOIN pg_attribute r ON r.attrelid = p.oid AND r.attname = a.attname AND r.attnum <> a.attnum
               WHERE a.attrelid = s.oid AND a.attnum > 0) ORDER BY s.schema, s.name",
        ),
        subject: "{schema:i}.{name:i}",
        reason: "its columns do not have the places that they have in {root_schema:i}.{root_name:i}, as which its changes are published: a server of version 14 \
                 sends values in the wrong columns when it announces the table while somebody alters it",
        mend: "ALTER PUBLICATION {publication:i} SET (publish_via_partition_root = false)",
    },
    Check {
        id: "column-list-identity",
        severity: Error,
        side: Source,
        since: 15,
        look: Look::Here(concat!(
            "SELECT DISTINCT p.schema, p.name, publication,
               (SELECT string_agg(quote_ident(i.attribute), ', ' ORDER BY i.attnum) FROM identity i
                WHERE i.oid = s.oid AND NOT p.attributes ? i.attribute) AS missing,
               (SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum) FROM pg_attribute a
                WHERE a.attrelid = p.oid AND a.attnum > 0 AND NOT a.attisdropped AND (p.attributes ? a.attname::text
                  OR EXISTS (SELECT FROM identity i WHERE i.oid = s.oid AND i.attribute = a.attname))) AS columns,
               coalesce(' WHERE (' || p.filter || ')', '') AS filter
             FROM given, stored s JOIN published p ON p.oid = s.root
             WHERE EXISTS (SELECT FROM identity i WHERE i.oid = s.oid AND NOT p.attributes ? i.attribute) AND ",
            identity_is_needed!(),
            " ORDER BY p.schema, p.name"
        )),
        subject: "{schema:i}.{name:i}",
        reason: "the publication leaves out {missing}, of its replica identity: the source's own UPDATE and DELETE on it fail",
        mend: "ALTER PUBLICATION {publication:i} DROP TABLE {schema:i}.{name:i}; \
               ALTER PUBLICATION {publication:i} ADD TABLE {schema:i}.{name:i} ({columns}){filter}",
    },
    Check {
        id: "filter-identity",
        severity: Error,
        side: Source,
        since: 15,
        look: Look::Here(concat!(
            "SELECT DISTINCT s.schema, s.name FROM given JOIN pg_publication b ON b.pubname = publication
             JOIN pg_publication_rel f ON f.prpubid = b.oid AND f.prqual IS NOT NULL
             JOIN published p ON p.oid = f.prrelid JOIN stored s ON s.root = p.oid
             CROSS JOIN LATERAL regexp_matches(f.prqual::text, ':varattno (\\d+)', 'g') m
             JOIN pg_attribute a ON a.attrelid = p.oid AND a.attnum = (m[1])::int
             WHERE NOT EXISTS (SELECT FROM identity i WHERE i.oid = s.oid AND i.attribute = a.attname) AND ",
            identity_is_needed!(),
            " ORDER BY s.schema, s.name"
        )),
        subject: "{schema:i}.{name:i}",
        reason: "the publication's row filter uses columns outside of its replica identity: the source's own UPDATE and DELETE on it fail",
        mend: "ALTER TABLE {schema:i}.{name:i} REPLICA IDENTITY FULL",
    },
    Check {
        id: "filter-toast",
        severity: Warning,
        side: Source,
        since: 15,
        look: Look::Here(
            "SELECT s.schema, s.name, string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum) AS columns
             FROM published p JOIN stored s ON s.root = p.oid
             JOIN pg_attribute a ON a.attrelid = s.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attlen = -1 AND a.attstorage <> 'p'
             WHERE p.filter IS NOT NULL AND s.relreplident <> 'f' AND a.attgenerated = ''
               AND NOT EXISTS (SELECT FROM identity i WHERE i.oid = s.oid AND i.attribute = a.attname)
             GROUP BY s.schema, s.name ORDER BY s.schema, s.name",
        ),
        subject: "{schema:i}.{name:i}",
        reason: "it has a row filter, and {columns} may be stored out of line: an UPDATE by which a row begins to fit the filter arrives as an \
                 INSERT without them, which can't be applied",
        mend: "ALTER TABLE {schema:i}.{name:i} REPLICA IDENTITY FULL",
    },
];
