//! A process that streams, and does no more.

use std::future::poll_fn;
use std::pin::Pin;

use futures_core::Stream as _;
use tokio::runtime::Builder;
use walferry::stream::Streaming;
use walferry::{Config, Connection, Error, Event, StreamOptions};

use crate::stage::PUBLICATION;

/// Takes every event up to `end`, and acknowledges each transaction, as if it were durable.
pub(crate) fn drain(source: &str, slot: &str, end: &str, streaming: bool, binary: bool) {
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    let changes = runtime.block_on(async {
        let config: Config = source.parse().expect("a conninfo");
        let streaming = if streaming { Streaming::On } else { Streaming::Off };
        let options = StreamOptions::new(slot.parse().expect("a slot's name"));
        let options = options.publication(PUBLICATION).streaming(streaming).binary(binary).gulps(true);
        let connection = Connection::connect(&config).await?;
        let mut stream = connection.start_replication(options).await?;
        stream.stop_at(end.parse().expect("a position"));
        let mut changes = 0_u64;
        while let Some(event) = poll_fn(|context| Pin::new(&mut stream).poll_next(context)).await {
            match event? {
                Event::Change(_) => changes += 1,
                Event::Commit(commit) => stream.acknowledge(&commit),
                _ => {}
            }
        }
        stream.stop().await?;
        Ok::<_, Error>(changes)
    });
    assert!(changes.unwrap_or_else(|error| panic!("{error}")) > 0, "something was streamed");
}
