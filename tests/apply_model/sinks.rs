//! The sink under test, as a pipeline begins with it.

use walferry::sink::Progress;
use walferry::sink::postgres::PostgresSink;
use walferry::{ChangeSink as _, Config, Lsn, ReplicationStream};

use crate::support::Cluster;

pub(crate) async fn open(
    target: &Cluster,
    database: &str,
    gathers: bool,
    stream: &ReplicationStream,
    name: &str,
) -> PostgresSink {
    let mut sink = unopened(target, database, gathers, name);
    if let Progress::None = sink.progress().await.expect("the target is there") {
        sink.set_progress(&stream.fingerprint(Lsn::ZERO)).await.expect("the target is there");
    }
    sink
}

/// Before a pipeline has asked it for its progress.
pub(crate) fn unopened(target: &Cluster, database: &str, gathers: bool, name: &str) -> PostgresSink {
    let config: Config = target.conninfo(database).parse().expect("the string is right");
    PostgresSink::new(config, name).gather(gathers)
}
