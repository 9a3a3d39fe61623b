//! Settings, limits and states of the servers, and what of the two databases has to agree.

use super::check::{Check, Facts, Look};
use super::report::Severity::{Error, Note, Warning};
use super::report::Side::{Source, Target};

const SERVER: Facts = Facts {
    columns: "major int, version text, encoding text, lc_collate text, lc_ctype text, provider text, locale text",
    query: "SELECT current_setting('server_version_num')::int / 10000 AS major, current_setting('server_version') AS version,
       pg_encoding_to_char(d.encoding) AS encoding, d.datcollate AS lc_collate, d.datctype AS lc_ctype,
       coalesce(to_jsonb(d) ->> 'datlocprovider', 'c') AS provider,
       coalesce(to_jsonb(d) ->> 'datlocale', to_jsonb(d) ->> 'daticulocale', '') AS locale
     FROM pg_database d WHERE d.datname = current_database()",
};

/// Clones have one system identifier, but were not started at one microsecond.
const DATABASE: Facts = Facts {
    columns: "system text, started text, database text",
    query: "SELECT (pg_control_system()).system_identifier::text AS system, pg_postmaster_start_time()::text AS started,
       current_database() AS database",
};

/// A database whose collations have changed since its indexes were built. (The columns are there from 15 on.)
const COLLATION_VERSION: &str = "SELECT datname AS database, datcollversion AS recorded, \
     coalesce(pg_database_collation_actual_version(oid), 'none') AS actual FROM pg_database \
     WHERE datname = current_database() AND datcollversion <> coalesce(pg_database_collation_actual_version(oid), 'none')";
const COLLATION_VERSION_REASON: &str = "the system's collation is of version {actual}, and the indexes of texts were built with {recorded}: \
     they may miss rows, and unique ones may hold a key twice";
const COLLATION_VERSION_MEND: &str =
    "ALTER DATABASE {database:i} REFRESH COLLATION VERSION; -- behind REINDEX DATABASE {database:i}";

/// Settings of the role that our sessions do not override when they begin.
const TIMEOUTS: &str = "SELECT name, current_setting(name) AS value, current_user AS role, current_database() AS database \
     FROM pg_settings WHERE name IN ('idle_session_timeout', 'transaction_timeout') AND setting <> '0'";
const TIMEOUTS_MEND: &str = "ALTER ROLE {role:i} IN DATABASE {database:i} SET {name} = 0";

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "same-database",
        severity: Error,
        side: Target,
        since: 14,
        look: Look::Across(
            &DATABASE,
            "SELECT database FROM other WHERE database = current_database() AND started = pg_postmaster_start_time()::text
               AND system = (pg_control_system()).system_identifier::text",
        ),
        subject: "{database:i}",
        reason: "source and target are one database of one server: every change would come back as a new one",
        mend: "-- name another database as the target",
    },
    Check {
        id: "source-standby",
        severity: Error,
        side: Source,
        since: 14,
        look: Look::Here("SELECT WHERE pg_is_in_recovery()"),
        subject: "",
        reason: "the server is a standby: no publication can be made there, and no sequence or fence be set",
        mend: "SELECT pg_promote(); -- or name the primary",
    },
    Check {
        id: "target-standby",
        severity: Error,
        side: Target,
        since: 14,
        look: Look::Here("SELECT WHERE pg_is_in_recovery()"),
        subject: "",
        reason: "the server is a standby: nothing can be written there",
        mend: "SELECT pg_promote(); -- or name the primary",
    },
    Check {
        id: "target-older",
        severity: Warning,
        side: Target,
        since: 14,
        look: Look::Across(
            &SERVER,
            "SELECT version, current_setting('server_version') AS own FROM other
             WHERE major > current_setting('server_version_num')::int / 10000",
        ),
        subject: "",
        reason: "PostgreSQL {own} is older than the source's {version}: it may lack types, functions and collations, and take no dump of its schema",
        mend: "-- name a target of at least the source's version",
    },
    Check {
        id: "wal-level",
        severity: Error,
        side: Source,
        since: 14,
        look: Look::Here(
            "SELECT current_setting('wal_level') AS level WHERE current_setting('wal_level') <> 'logical'",
        ),
        subject: "wal_level",
        reason: "it is {level}: the WAL does not hold what changes are decoded from",
        mend: "ALTER SYSTEM SET wal_level = 'logical'; -- then restart the server",
    },
    Check {
        id: "replication-slots",
        severity: Error,
        side: Source,
        since: 14,
        look: Look::Here(
            "SELECT used::text, allowed::text, (allowed + 4)::text AS enough FROM given, (
               SELECT (SELECT count(*) FROM pg_replication_slots) AS used,
                 current_setting('max_replication_slots')::int AS allowed) s
             WHERE used >= allowed AND NOT EXISTS (SELECT FROM pg_replication_slots WHERE slot_name = given.slot)",
        ),
        subject: "max_replication_slots",
        reason: "{used} of {allowed} slots are taken: there is none left for this migration",
        mend: "ALTER SYSTEM SET max_replication_slots = {enough}; -- then restart the server",
    },
    Check {
        id: "wal-senders",
        severity: Error,
        side: Source,
        since: 14,
        look: Look::Here(
            "SELECT used::text, allowed::text, (allowed + 4)::text AS enough FROM given, (
               SELECT (SELECT count(*) FROM pg_stat_replication) AS used,
                 current_setting('max_wal_senders')::int AS allowed) s
             WHERE used >= allowed
               AND NOT EXISTS (SELECT FROM pg_replication_slots WHERE slot_name = given.slot AND active)",
        ),
        subject: "max_wal_senders",
        reason: "{used} of {allowed} walsenders are busy: there is none left for this migration",
        mend: "ALTER SYSTEM SET max_wal_senders = {enough}; -- then restart the server",
    },
    Check {
        id: "prepared-transactions",
        severity: Error,
        side: Target,
        since: 14,
        look: Look::Here(
            "SELECT FROM given WHERE two_phase AND current_setting('max_prepared_transactions') = '0'",
        ),
        subject: "max_prepared_transactions",
        reason: "it is 0, and transactions are to be prepared here when the source prepares them",
        mend: "ALTER SYSTEM SET max_prepared_transactions = 20; -- then restart the server",
    },
    Check {
        id: "slot-lost",
        severity: Error,
        side: Source,
        since: 14,
        look: Look::Here(
            "SELECT slot_name FROM given, pg_replication_slots WHERE slot_name = given.slot AND wal_status = 'lost'",
        ),
        subject: "{slot_name:i}",
        reason: "the server has given the slot up: what it held back is gone, and the target must be copied anew",
        mend: "SELECT pg_drop_replication_slot({slot_name:l})",
    },
    Check {
        id: "slot-foreign",
        severity: Error,
        side: Source,
        since: 14,
        look: Look::Here(
            "SELECT slot_name, concat_ws(', ', slot_type, plugin, 'database ' || quote_ident(database)) AS kind
             FROM given, pg_replication_slots WHERE slot_name = given.slot
               AND (slot_type <> 'logical' OR plugin <> 'pgoutput' OR database <> current_database() OR temporary)",
        ),
        subject: "{slot_name:i}",
        reason: "a slot of that name is there, and of no use here ({kind}): it belongs to something else",
        mend: "-- give this migration another slot's name",
    },
    Check {
        id: "prepared-transaction",
        severity: Error,
        side: Source,
        since: 14,
        look: Look::Here(
            "SELECT gid, database FROM given, pg_prepared_xacts
             WHERE NOT EXISTS (SELECT FROM pg_replication_slots WHERE slot_name = given.slot) ORDER BY prepared",
        ),
        subject: "{gid:l}",
        reason: "a prepared transaction waits for its end: no slot comes about before",
        mend: "COMMIT PREPARED {gid:l}; -- in the database {database:i}; or ROLLBACK PREPARED",
    },
    Check {
        id: "old-transaction",
        severity: Warning,
        side: Source,
        since: 14,
        look: Look::Here(
            "SELECT pid::text, date_trunc('second', now() - xact_start)::text AS age FROM given, pg_stat_activity
             WHERE backend_xid IS NOT NULL AND xact_start < now() - interval '10 s'
               AND NOT EXISTS (SELECT FROM pg_replication_slots WHERE slot_name = given.slot) ORDER BY xact_start",
        ),
        subject: "process {pid}",
        reason: "its transaction has written, and is {age} old: a slot comes about only when all are ended that were open before",
        mend: "SELECT pg_terminate_backend({pid}); -- or wait for it",
    },
    Check {
        id: "hidden-activity",
        severity: Note,
        side: Source,
        since: 14,
        look: Look::Here("SELECT current_user AS role WHERE NOT pg_has_role('pg_read_all_stats', 'USAGE')"),
        subject: "{role:i}",
        reason: "it does not see the transactions of other roles: old ones would hold up the making of the slot, and are not told here",
        mend: "GRANT pg_read_all_stats TO {role:i}",
    },
    Check {
        id: "slot-wal-keep",
        severity: Warning,
        side: Source,
        since: 14,
        look: Look::Here(
            "SELECT current_setting(s.name) AS keep, pg_size_pretty(pg_database_size(current_database())) AS size,
               (2 * pg_database_size(current_database()) / 1048576 + 1)::text AS enough
             FROM pg_settings s WHERE s.name = 'max_slot_wal_keep_size' AND s.setting::int8 >= 0
               AND s.setting::int8 * 1048576 < pg_database_size(current_database())",
        ),
        subject: "max_slot_wal_keep_size",
        reason: "it is {keep}, and the database {size}: if more is written during the copy, the slot is lost, and all begins anew",
        mend: "ALTER SYSTEM SET max_slot_wal_keep_size = '{enough}MB'; SELECT pg_reload_conf()",
    },
    Check {
        id: "idle-slot-timeout",
        severity: Warning,
        side: Source,
        since: 18,
        look: Look::Here(
            "SELECT current_setting(name) AS value FROM pg_settings WHERE name = 'idle_replication_slot_timeout' AND setting <> '0'",
        ),
        subject: "idle_replication_slot_timeout",
        reason: "it is {value}: if the migration pauses for longer, the slot is lost, and all begins anew",
        mend: "ALTER SYSTEM SET idle_replication_slot_timeout = 0; SELECT pg_reload_conf()",
    },
    Check {
        id: "failover",
        severity: Note,
        side: Source,
        since: 14,
        look: Look::Here(
            "SELECT count(*)::text AS slots FROM pg_replication_slots WHERE slot_type = 'physical' HAVING count(*) > 0",
        ),
        subject: "",
        reason: "the server has slots for standbys ({slots}): if one of them takes over, the slot of this migration is not there, unless it \
                 is a failover slot (17 and later) that is synchronised; then all begins anew",
        mend: "-- avoid a failover until the cutover, or have the slot synchronised: sync_replication_slots on the standby",
    },
    Check {
        id: "wal-sender-timeout",
        severity: Note,
        side: Source,
        since: 14,
        look: Look::Here("SELECT current_database() AS database WHERE current_setting('wal_sender_timeout') = '0'"),
        subject: "wal_sender_timeout",
        reason: "it is 0: the server then looks for messages before each change, which costs it nearly a third more",
        mend: "ALTER DATABASE {database:i} SET wal_sender_timeout = '60s'",
    },
    Check {
        id: "commit-timestamps",
        severity: Note,
        side: Source,
        since: 14,
        look: Look::Here("SELECT WHERE current_setting('track_commit_timestamp') = 'on'"),
        subject: "track_commit_timestamp",
        reason: "it is on: each transaction costs a little more, and no migration needs it",
        mend: "ALTER SYSTEM SET track_commit_timestamp = off; -- then restart the server",
    },
    Check {
        id: "source-timeouts",
        severity: Warning,
        side: Source,
        since: 14,
        look: Look::Here(TIMEOUTS),
        subject: "{name}",
        reason: "it is {value} for this role here: the transaction that holds the snapshot of a copy lives longer, and would be ended",
        mend: TIMEOUTS_MEND,
    },
    Check {
        id: "target-timeouts",
        severity: Note,
        side: Target,
        since: 14,
        look: Look::Here(TIMEOUTS),
        subject: "{name}",
        reason: "it is {value} for this role here: sessions that wait for changes set it to 0, others would be ended and begin again",
        mend: TIMEOUTS_MEND,
    },
    Check {
        id: "disk-size",
        severity: Note,
        side: Source,
        since: 14,
        look: Look::Here(
            "SELECT current_database() AS database, pg_size_pretty(pg_database_size(current_database())) AS size",
        ),
        subject: "{database:i}",
        reason: "it takes {size}: the target needs about that, and room for the WAL of the copy; the source needs room for the WAL that it \
                 writes meanwhile",
        mend: "",
    },
    Check {
        id: "encoding",
        severity: Error,
        side: Target,
        since: 14,
        look: Look::Across(
            &SERVER,
            "SELECT current_database() AS database, other.encoding AS wanted, pg_encoding_to_char(d.encoding) AS own
             FROM other, pg_database d WHERE d.datname = current_database()
               AND other.encoding <> pg_encoding_to_char(d.encoding)
               AND (other.encoding = 'SQL_ASCII' OR pg_encoding_to_char(d.encoding) <> 'UTF8')",
        ),
        subject: "{database:i}",
        reason: "its encoding is {own}, the source's {wanted}: not every text of the source has a form in it",
        mend: "-- make the target by CREATE DATABASE {database:i} ENCODING {wanted:l} TEMPLATE template0",
    },
    Check {
        id: "collation",
        severity: Warning,
        side: Target,
        since: 14,
        look: Look::Across(
            &SERVER,
            "SELECT current_database() AS database, concat_ws(' ', o.lc_collate, o.lc_ctype, o.provider, o.locale) AS wanted,
               concat_ws(' ', d.datcollate, d.datctype, l.provider, l.locale) AS own
             FROM other o, pg_database d CROSS JOIN LATERAL (
               SELECT coalesce(to_jsonb(d) ->> 'datlocprovider', 'c') AS provider,
                 coalesce(to_jsonb(d) ->> 'datlocale', to_jsonb(d) ->> 'daticulocale', '') AS locale) l
             WHERE d.datname = current_database() AND lower(replace(concat_ws(' ', o.lc_collate, o.lc_ctype, o.provider, o.locale), '-', ''))
               <> lower(replace(concat_ws(' ', d.datcollate, d.datctype, l.provider, l.locale), '-', ''))",
        ),
        subject: "{database:i}",
        reason: "its collation ({own}: LC_COLLATE, LC_CTYPE, provider, locale) is not the source's ({wanted}): texts sort otherwise, and \
                 upper, lower and patterns may find others",
        mend: "-- make the target by CREATE DATABASE {database:i} with the source's locale and TEMPLATE template0",
    },
    Check {
        id: "source-collation-version",
        severity: Warning,
        side: Source,
        since: 15,
        look: Look::Here(COLLATION_VERSION),
        subject: "{database:i}",
        reason: COLLATION_VERSION_REASON,
        mend: COLLATION_VERSION_MEND,
    },
    Check {
        id: "target-collation-version",
        severity: Warning,
        side: Target,
        since: 15,
        look: Look::Here(COLLATION_VERSION),
        subject: "{database:i}",
        reason: COLLATION_VERSION_REASON,
        mend: COLLATION_VERSION_MEND,
    },
];
