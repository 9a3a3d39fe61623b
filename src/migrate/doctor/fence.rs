//! Who could write to the source behind the fence of a cutover. It looks for them itself, before it closes anything and when it has.

use super::check::{Check, Look};
use super::report::Severity::Warning;
use super::report::Side::Source;

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "fence-right",
        severity: Warning,
        side: Source,
        since: 14,
        look: Look::Here(
            "SELECT datname AS database, current_user AS role, pg_get_userbyid(datdba) AS owner FROM pg_database
             WHERE datname = current_database() AND NOT pg_has_role(datdba, 'USAGE')",
        ),
        subject: "{role:i}",
        reason: "it does not own the database, so that a cutover may not close it to writers",
        mend: "GRANT {owner:i} TO {role:i}",
    },
    // Of other roles' sessions one is shown that they are there, and not when they began.
    Check {
        id: "fence-sessions",
        severity: Warning,
        side: Source,
        since: 14,
        look: Look::Here(
            "SELECT count(*)::text AS sessions, string_agg(DISTINCT quote_ident(a.usename), ', ') AS roles, current_user AS role,
               concat_ws('; ', CASE WHEN NOT (pg_has_role('pg_read_all_stats', 'USAGE') AND pg_has_role('pg_signal_backend', 'USAGE'))
                 THEN 'GRANT pg_read_all_stats, pg_signal_backend TO ' || quote_ident(current_user) END,
                 CASE WHEN bool_or(r.rolsuper) THEN '-- a superuser''s sessions only a superuser ends: cut over as one, or close them' END) AS mend
             FROM pg_stat_activity a JOIN pg_roles r ON r.oid = a.usesysid
             WHERE current_setting('is_superuser') = 'off' AND a.datname = current_database() AND a.pid <> pg_backend_pid()
               AND (a.backend_start IS NULL OR a.backend_type = 'client backend' AND (r.rolsuper
                 OR NOT pg_has_role(r.oid, 'USAGE') AND NOT pg_has_role('pg_signal_backend', 'USAGE')))
             HAVING count(*) > 0",
        ),
        subject: "{role:i}",
        reason: "it may not see and end all sessions that are open ({sessions}, of {roles}): they could write on behind the fence of a cutover",
        mend: "{mend}",
    },
    Check {
        id: "fence-role",
        severity: Warning,
        side: Source,
        since: 14,
        look: Look::Here(
            "SELECT r.rolname AS role, 'ALTER ROLE ' || quote_ident(r.rolname)
               || CASE s.setdatabase WHEN 0 THEN '' ELSE ' IN DATABASE ' || quote_ident(current_database()) END
               || ' RESET default_transaction_read_only' AS mend
             FROM pg_db_role_setting s JOIN pg_roles r ON r.oid = s.setrole, unnest(s.setconfig) one(setting)
             WHERE r.rolcanlogin AND one.setting LIKE 'default\\_transaction\\_read\\_only=%'
               AND NOT split_part(one.setting, '=', 2)::bool
               AND s.setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
             ORDER BY r.rolname, s.setdatabase",
        ),
        subject: "{role:i}",
        reason: "its sessions may write whatever the database is set to, as default_transaction_read_only is off for it: no cutover can close \
                 the database to them",
        mend: "{mend}",
    },
    // What a subscription applies isn't asked whether its transaction is read-only.
    Check {
        id: "fence-subscription",
        severity: Warning,
        side: Source,
        since: 14,
        look: Look::Here(
            "SELECT s.subname AS subscription FROM pg_subscription s JOIN pg_database d ON d.oid = s.subdbid
             WHERE d.datname = current_database() AND (s.subenabled OR EXISTS (
               SELECT FROM pg_stat_subscription w WHERE w.subid = s.oid AND w.pid IS NOT NULL)) ORDER BY s.subname",
        ),
        subject: "{subscription:i}",
        reason: "the subscription writes to the source, and no setting of the database keeps it from that: no cutover can close it",
        mend: "ALTER SUBSCRIPTION {subscription:i} DISABLE; -- when it is time; make it anew at the target when that is open",
    },
    // Without the slot, it is an error: "prepared-transaction".
    Check {
        id: "fence-prepared",
        severity: Warning,
        side: Source,
        since: 14,
        look: Look::Here(
            "SELECT p.gid FROM given, pg_prepared_xacts p WHERE p.database = current_database()
               AND EXISTS (SELECT FROM pg_replication_slots WHERE slot_name = given.slot) ORDER BY p.gid",
        ),
        subject: "{gid:l}",
        reason: "the prepared transaction may be committed at any time, behind the fence of a cutover too",
        mend: "ROLLBACK PREPARED {gid:l}; -- or COMMIT PREPARED; whoever prepared it knows",
    },
];
