//! The publication and the slot of a migration, made where there is none.

use super::Migration;
use crate::connection::{SqlConnection, sql_error};
use crate::error::Error;

const EXISTS: &str = "SELECT EXISTS (SELECT FROM pg_catalog.pg_publication WHERE pubname = $1)";

const MAY_ALL: &str = "SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user";

/// What a publication of all tables would have now: no partitions but by their roots, nothing of ours or of the system's.
const TABLES: &str = "SELECT pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.relname) \
     FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
     WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relpersistence = 'p' AND c.oid >= 16384 \
     AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'walferry') ORDER BY 1";

const DURING: &str = "while it made the publication";

impl Migration {
    /// Makes the publication, if there is none: of all tables, those to come among them; or, for a role that may not do that, of
    /// those that there are. Whether it was made.
    pub(super) async fn make_publication(&self, source: &SqlConnection) -> Result<bool, Error> {
        let client = source.client();
        let name = super::identifier(self.publication());
        let made = async {
            if client.query_one(EXISTS, &[&self.publication()]).await?.try_get(0)? {
                return Ok(false);
            }
            let tables = if client.query_one(MAY_ALL, &[]).await?.try_get(0)? {
                "ALL TABLES".to_owned()
            } else {
                let rows = client.query(TABLES, &[]).await?;
                let names: Result<Vec<String>, _> = rows.iter().map(|row| row.try_get(0)).collect();
                format!("TABLE {}", names?.join(", "))
            };
            client.batch_execute(&format!("CREATE PUBLICATION {name} FOR {tables}")).await.map(|()| true)
        };
        made.await.map_err(|error| sql_error(DURING, error))
    }
}
