//! Who would get through the fence of a cutover: looked for before anything is closed, and again when it is.

use tokio_postgres::Client;

use crate::connection::sql_error;
use crate::error::Error;

/// Something that a fence can't hold.
struct Gap {
    /// At most one row: how many, who or what they are, and the migration's role.
    query: &'static str,
    /// In both, `{many}`, `{what}` and `{role}` stand for the row's columns.
    problem: &'static str,
    mend: &'static str,
}

const GAPS: &[Gap] = &[
    Gap {
        query: "SELECT '1', pg_catalog.quote_ident(datname), pg_catalog.quote_ident(current_user) FROM pg_catalog.pg_database \
             WHERE datname = pg_catalog.current_database() AND NOT pg_catalog.pg_has_role(datdba, 'USAGE')",
        problem: "the role {role} may not close the source's database {what} to writers: it is not its owner",
        mend: "GRANT to {role} the role that owns the database, or cut over as a superuser",
    },
    // Of other roles' sessions one is shown that they are there, and not when they began.
    Gap {
        query: "SELECT pg_catalog.count(*)::pg_catalog.text, \
               pg_catalog.string_agg(DISTINCT pg_catalog.quote_ident(a.usename), ', '), pg_catalog.quote_ident(me.rolname) \
             FROM pg_catalog.pg_roles me, pg_catalog.pg_stat_activity a JOIN pg_catalog.pg_roles r ON r.oid = a.usesysid \
             WHERE me.rolname = current_user AND NOT me.rolsuper \
               AND a.datname = pg_catalog.current_database() AND a.pid <> pg_catalog.pg_backend_pid() \
               AND (a.backend_start IS NULL OR a.backend_type = 'client backend' AND (r.rolsuper \
                 OR NOT pg_catalog.pg_has_role(r.oid, 'USAGE') AND NOT pg_catalog.pg_has_role('pg_signal_backend', 'USAGE'))) \
             GROUP BY me.rolname",
        problem: "the role {role} may not see and end all sessions of the source ({many}, of {what}): they could write on behind the fence",
        mend: "GRANT pg_read_all_stats, pg_signal_backend TO {role}; sessions of superuser roles only a superuser ends",
    },
    Gap {
        query: "SELECT pg_catalog.count(*)::pg_catalog.text, \
               pg_catalog.string_agg(DISTINCT pg_catalog.quote_ident(r.rolname), ', '), pg_catalog.quote_ident(current_user) \
             FROM pg_catalog.pg_db_role_setting s JOIN pg_catalog.pg_roles r ON r.oid = s.setrole, \
               pg_catalog.unnest(s.setconfig) one(setting) \
             WHERE r.rolcanlogin AND one.setting LIKE 'default\\_transaction\\_read\\_only=%' \
               AND NOT pg_catalog.split_part(one.setting, '=', 2)::pg_catalog.bool \
               AND s.setdatabase IN (0, (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())) \
             HAVING pg_catalog.count(*) > 0",
        problem: "the source lets sessions of some roles write whatever the database is set to ({what}): for them, default_transaction_read_only is off",
        mend: "ALTER ROLE {what} RESET default_transaction_read_only, IN DATABASE too, where pg_db_role_setting has it",
    },
    // What a subscription applies isn't asked whether its transaction is read-only.
    Gap {
        query: "SELECT pg_catalog.count(*)::pg_catalog.text, \
               pg_catalog.string_agg(DISTINCT pg_catalog.quote_ident(s.subname), ', '), pg_catalog.quote_ident(current_user) \
             FROM pg_catalog.pg_subscription s JOIN pg_catalog.pg_database d ON d.oid = s.subdbid \
             WHERE d.datname = pg_catalog.current_database() AND (s.subenabled OR EXISTS ( \
               SELECT FROM pg_catalog.pg_stat_subscription w WHERE w.subid = s.oid AND w.pid IS NOT NULL)) \
             HAVING pg_catalog.count(*) > 0",
        problem: "subscriptions write to the source ({what}), and no setting of the database keeps them from it",
        mend: "at the source, ALTER SUBSCRIPTION {what} DISABLE; make it anew at the target when that is open",
    },
];

/// Nobody would get through.
///
/// # Errors
///
/// [`Error::Precondition`] says who would.
pub(super) async fn none(source: &Client) -> Result<(), Error> {
    for gap in GAPS {
        let row = source.query_opt(gap.query, &[]).await;
        let found = row.and_then(|row| {
            row.map(|row| Ok([row.try_get(0)?, row.try_get(1)?, row.try_get(2)?])).transpose()
        });
        let found: Option<[String; 3]> =
            found.map_err(|error| sql_error("while it looked who could write behind the fence", error))?;
        if let Some([many, what, role]) = found {
            let told =
                |text: &str| text.replace("{many}", &many).replace("{what}", &what).replace("{role}", &role);
            return Err(Error::Precondition { problem: told(gap.problem), mend: told(gap.mend) });
        }
    }
    Ok(())
}
