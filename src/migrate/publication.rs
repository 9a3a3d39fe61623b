//! The publication of a migration, made where there is none.

use super::Migration;
use super::made::{self, Made};
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
    /// those that there are.
    pub(super) async fn make_publication(
        &self,
        source: &SqlConnection,
        target: &SqlConnection,
    ) -> Result<(), Error> {
        let client = source.client();
        if is_published(source, self.publication()).await? {
            return Ok(());
        }
        let tables = async {
            if client.query_one(MAY_ALL, &[]).await?.try_get(0)? {
                return Ok("ALL TABLES".to_owned());
            }
            let rows = client.query(TABLES, &[]).await?;
            let names: Result<Vec<String>, _> = rows.iter().map(|row| row.try_get(0)).collect();
            Ok(format!("TABLE {}", names?.join(", ")))
        };
        let tables = tables.await.map_err(|error| sql_error(DURING, error))?;
        // Before it is made: what is recorded and isn't there does no harm, and what is there unrecorded would be left behind.
        made::record_made(target.client(), self.slot(), Made::Publication, self.publication()).await?;
        let create = format!("CREATE PUBLICATION {} FOR {tables}", super::identifier(self.publication()));
        let Err(error) = client.batch_execute(&create).await else { return Ok(()) };
        // One of that name came in between. Of a session that was lost nobody knows what it has done.
        if error.as_db_error().is_some() {
            made::forget(target.client(), self.slot(), Made::Publication).await?;
        }
        Err(sql_error(DURING, error))
    }
}

/// Whether the source has a publication of that name.
pub(super) async fn is_published(source: &SqlConnection, publication: &str) -> Result<bool, Error> {
    let row = source.client().query_one(EXISTS, &[&publication]).await;
    row.and_then(|row| row.try_get(0))
        .map_err(|error| sql_error("while it looked for the publication", error))
}
