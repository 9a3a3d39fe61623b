//! The sink under test.

use walferry::ReplicationStream;

use crate::support::Cluster;
pub(crate) type Sink = crate::psql::Psql;
pub(crate) type SinkError = walferry::sink::sql::SqlError;
pub(crate) async fn open(
    target: &Cluster,
    database: &str,
    gathers: bool,
    stream: &ReplicationStream,
    name: &str,
) -> Sink {
    _ = (gathers, name);
    crate::psql::Psql::open(target, database, stream, 0).await
}
