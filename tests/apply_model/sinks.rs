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
    open_as(target, database, gathers, stream, name, "postgres").await
}

/// By a role that may do less.
pub(crate) async fn open_as(
    target: &Cluster,
    database: &str,
    gathers: bool,
    stream: &ReplicationStream,
    name: &str,
    role: &str,
) -> PostgresSink {
    let mut sink = PostgresSink::new(config(target, database).user(role), name).gather(gathers);
    if let Progress::None = sink.progress().await.expect("the target is there") {
        sink.set_progress(&stream.fingerprint(Lsn::ZERO)).await.expect("the target is there");
    }
    sink
}

/// Before a pipeline has asked it for its progress.
pub(crate) fn unopened(target: &Cluster, database: &str, gathers: bool, name: &str) -> PostgresSink {
    PostgresSink::new(config(target, database), name).gather(gathers)
}

fn config(target: &Cluster, database: &str) -> Config {
    target.conninfo(database).parse().expect("the string is right")
}
