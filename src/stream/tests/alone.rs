//! What a consumer needs that drives the stream by itself, without a pipeline.

use std::fs::File;

use super::*;
use crate::capture::{Events, Reader, Writer};

#[tokio::test(start_paused = true)]
async fn an_idle_position_is_told_once_the_consumer_has_kept_it() {
    let (mut stream, mut server) = streaming(options()).await;
    stream.keep_idle();
    server.send(transaction(0x100)).await;
    let (_, commit) = committed(&mut stream).await;
    server.say(&keepalive(0x900, true)).await;
    idle(&mut stream, false, SECOND).await;
    assert_eq!(stream.idle_progress(), None, "a transaction is not durable");
    stream.acknowledge(&commit);
    idle(&mut stream, false, SECOND).await;
    assert_eq!(server.status_within(SECOND).await.unwrap().flushed, commit.end_lsn());

    let progress = stream.idle_progress().expect("nothing is in flight");
    assert_eq!(progress, stream.fingerprint(Lsn::new(0x900)));
    stream.idle_kept(&progress);
    idle(&mut stream, false, SECOND).await;
    assert_eq!(server.status().await.flushed, Lsn::new(0x900));
    assert_eq!(stream.idle_progress(), None, "it is kept");
}

#[tokio::test(start_paused = true)]
async fn keeping_what_was_never_idle_acknowledges_nothing() {
    let (mut stream, mut server) = streaming(options()).await;
    stream.keep_idle();
    server.send(transaction(0x100)).await;
    committed(&mut stream).await;
    stream.idle_kept(&stream.fingerprint(Lsn::new(0x900)));
    server.say(&keepalive(0x900, true)).await;
    idle(&mut stream, false, 11 * SECOND).await;
    assert_eq!(server.status_within(SECOND).await.unwrap().flushed, Lsn::ZERO);
}

/// A stream that is recorded, with one transaction received, and its capture as it is on disk.
async fn recorded() -> (ReplicationStream, Walsender, impl Fn() -> usize) {
    let (mut stream, mut server) = streaming(options()).await;
    let file = tempfile::NamedTempFile::new().unwrap();
    stream.record(Writer::new(file.reopen().unwrap(), stream.context()).unwrap());
    server.send(transaction(0x100)).await;
    let (_, commit) = committed(&mut stream).await;
    stream.acknowledge(&commit);
    let changes = move || {
        let events = Events::new(Reader::new(File::open(file.path()).unwrap()).unwrap()).unwrap();
        events.map(Result::unwrap).filter(|event| matches!(event, Event::Change(_))).count()
    };
    (stream, server, changes)
}

#[tokio::test(start_paused = true)]
async fn what_was_recorded_is_in_the_capture_before_it_is_acknowledged() {
    let (mut stream, mut server, changes) = recorded().await;
    assert_eq!(changes(), 0, "it is gathered");
    stream.sync_recording().await.unwrap();
    assert_eq!(changes(), 1);

    server.send(transaction(0x200)).await;
    committed(&mut stream).await;
    let script = async {
        server.status().await;
        assert_eq!(changes(), 2, "the server hears nothing before it is there");
        server.peer.hear().await;
        server.say(&[message(b'c', b""), message(b'Z', b"I")].concat()).await;
    };
    tokio::join!(async { stream.stop().await.unwrap() }, script);
}

#[tokio::test(start_paused = true)]
async fn a_recording_outlives_what_was_dropped() {
    let (mut stream, mut server, changes) = recorded().await;
    // Begun, and given up before the disk has answered.
    _ = poll_once(stream.sync_recording());
    server.send(transaction(0x200)).await;
    committed(&mut stream).await;
    drop(stream);
    assert_eq!(changes(), 2);
}

/// Polls a future once, and drops it.
fn poll_once<T>(future: impl Future<Output = T>) -> Poll<T> {
    let mut future = std::pin::pin!(future);
    future.as_mut().poll(&mut Context::from_waker(std::task::Waker::noop()))
}
