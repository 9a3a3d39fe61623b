//! What the roles of both sides may do.

use super::check::{Check, Look};
use super::report::Severity::{Error, Warning};
use super::report::Side::{Source, Target};
use super::tables::{SEQUENCES, TABLES};

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "replication-role",
        severity: Error,
        side: Source,
        since: 14,
        look: Look::Here(
            "SELECT rolname AS role FROM pg_roles WHERE rolname = current_user AND NOT rolreplication AND NOT rolsuper",
        ),
        subject: "{role:i}",
        reason: "it lacks the attribute REPLICATION, without which it gets neither slot nor stream",
        mend: "ALTER ROLE {role:i} REPLICATION",
    },
    Check {
        id: "publication-right",
        severity: Error,
        side: Source,
        since: 14,
        look: Look::Here(
            "SELECT current_user AS role, publication FROM given WHERE current_setting('is_superuser') = 'off'
               AND NOT EXISTS (SELECT FROM pg_publication WHERE pubname = given.publication)
               AND (NOT has_database_privilege(current_database(), 'CREATE')
                 OR EXISTS (SELECT FROM stored JOIN pg_class c USING (oid) WHERE NOT pg_has_role(c.relowner, 'USAGE')))",
        ),
        subject: "{role:i}",
        reason: "there is no publication yet, and the role may not make it: for all tables a superuser may, for those that there are their owner, with CREATE on the database",
        mend: "CREATE PUBLICATION {publication:i} FOR ALL TABLES; -- as a superuser",
    },
    Check {
        id: "schema-right",
        severity: Error,
        side: Source,
        since: 14,
        look: Look::Here(
            "SELECT DISTINCT schema, current_user AS role FROM stored WHERE NOT has_schema_privilege(relnamespace, 'USAGE') ORDER BY schema",
        ),
        subject: "{schema:i}",
        reason: "the role lacks USAGE on the schema: the copy can't read its tables",
        mend: "GRANT USAGE ON SCHEMA {schema:i} TO {role:i}",
    },
    Check {
        id: "select-right",
        severity: Error,
        side: Source,
        since: 14,
        look: Look::Here(
            "SELECT schema, name, current_user AS role FROM stored WHERE NOT has_table_privilege(oid, 'SELECT') ORDER BY schema, name",
        ),
        subject: "{schema:i}.{name:i}",
        reason: "the role lacks SELECT on it: the copy can't read it",
        mend: "GRANT SELECT ON {schema:i}.{name:i} TO {role:i}",
    },
    Check {
        id: "sequence-right",
        severity: Error,
        side: Source,
        since: 14,
        look: Look::Here(
            "SELECT DISTINCT schema, name, current_user AS role FROM sequences
             WHERE NOT has_table_privilege(oid, 'SELECT') ORDER BY schema, name",
        ),
        subject: "{schema:i}.{name:i}",
        reason: "the role lacks SELECT on the sequence: how far it is can't be carried across",
        mend: "GRANT SELECT ON SEQUENCE {schema:i}.{name:i} TO {role:i}",
    },
    Check {
        id: "row-security",
        severity: Error,
        side: Source,
        since: 14,
        look: Look::Here(
            "SELECT schema, name, current_user AS role FROM stored WHERE row_security_active(oid) ORDER BY schema, name",
        ),
        subject: "{schema:i}.{name:i}",
        reason: "row security hides rows of it from the role: the copy is refused, so that none is missed",
        mend: "ALTER ROLE {role:i} BYPASSRLS",
    },
    Check {
        id: "create-right",
        severity: Error,
        side: Target,
        since: 14,
        look: Look::Here(
            "SELECT current_database() AS database, current_user AS role FROM given
             WHERE NOT has_database_privilege(current_database(), 'CREATE')
               AND (makes_schema OR to_regnamespace('walferry') IS NULL)",
        ),
        subject: "{database:i}",
        reason: "the role may make no schema in it: the migration keeps what it has to remember in the schema walferry",
        mend: "GRANT CREATE ON DATABASE {database:i} TO {role:i}",
    },
    Check {
        id: "own-schema-right",
        severity: Warning,
        side: Target,
        since: 14,
        look: Look::Here(
            "SELECT current_user AS role FROM pg_namespace WHERE nspname = 'walferry'
               AND NOT (has_schema_privilege(oid, 'USAGE') AND has_schema_privilege(oid, 'CREATE'))",
        ),
        subject: "\"walferry\"",
        reason: "the role lacks USAGE or CREATE on the schema, where the migration keeps what it has to remember",
        mend: "GRANT USAGE, CREATE ON SCHEMA walferry TO {role:i}",
    },
    Check {
        id: "target-schema-right",
        severity: Error,
        side: Target,
        since: 14,
        look: Look::Across(
            &TABLES,
            "SELECT DISTINCT r.schema, current_user AS role FROM other JOIN relations r USING (schema, name)
             WHERE NOT has_schema_privilege(r.relnamespace, 'USAGE') ORDER BY r.schema",
        ),
        subject: "{schema:i}",
        reason: "the role lacks USAGE on the schema: it can't write its tables",
        mend: "GRANT USAGE ON SCHEMA {schema:i} TO {role:i}",
    },
    Check {
        id: "write-right",
        severity: Error,
        side: Target,
        since: 14,
        look: Look::Across(
            &TABLES,
            "SELECT r.schema, r.name, p.missing, current_user AS role FROM other JOIN relations r USING (schema, name)
             CROSS JOIN LATERAL (SELECT string_agg(privilege, ', ') AS missing
               FROM unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE']) privilege
               WHERE NOT has_table_privilege(r.oid, privilege)) p
             WHERE p.missing IS NOT NULL AND r.relkind IN ('r', 'p') ORDER BY r.schema, r.name",
        ),
        subject: "{schema:i}.{name:i}",
        reason: "the role lacks {missing} on it",
        mend: "GRANT {missing} ON {schema:i}.{name:i} TO {role:i}",
    },
    Check {
        id: "target-sequence-right",
        severity: Error,
        side: Target,
        since: 14,
        look: Look::Across(
            &SEQUENCES,
            "SELECT DISTINCT r.schema, r.name, current_user AS role FROM other JOIN relations r USING (schema, name)
             WHERE r.relkind = 'S' AND NOT (has_table_privilege(r.oid, 'UPDATE') AND has_table_privilege(r.oid, 'SELECT'))
             ORDER BY r.schema, r.name",
        ),
        subject: "{schema:i}.{name:i}",
        reason: "the role lacks SELECT or UPDATE on the sequence: it can't be brought to where the source's is",
        mend: "GRANT SELECT, UPDATE ON SEQUENCE {schema:i}.{name:i} TO {role:i}",
    },
    Check {
        id: "target-row-security",
        severity: Error,
        side: Target,
        since: 14,
        look: Look::Across(
            &TABLES,
            "SELECT r.schema, r.name, current_user AS role FROM other JOIN relations r USING (schema, name)
             WHERE r.relkind IN ('r', 'p') AND row_security_active(r.oid) ORDER BY r.schema, r.name",
        ),
        subject: "{schema:i}.{name:i}",
        reason: "row security holds for the role: changes are refused, or do not find their rows",
        mend: "ALTER ROLE {role:i} BYPASSRLS",
    },
    Check {
        id: "replica-mode",
        severity: Warning,
        side: Target,
        since: 14,
        look: Look::Refused(
            "SET LOCAL session_replication_role = replica",
            "SELECT current_user AS role, CASE WHEN current_setting('server_version_num')::int >= 150000
               THEN 'GRANT SET ON PARAMETER session_replication_role TO ' || quote_ident(current_user)
               ELSE 'ALTER ROLE ' || quote_ident(current_user) || ' SUPERUSER; -- before 15 nothing less will do' END AS mend",
        ),
        subject: "{role:i}",
        reason: "it may not set session_replication_role: triggers of the target fire for changes that the source's have been through, foreign \
                 keys hold at every moment, and tables that have either are changed row by row",
        mend: "{mend}",
    },
];
