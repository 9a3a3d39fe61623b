//! Ending a stream on purpose: at a position, and at once.

use super::*;

/// What is committed up to the end of a stream that stops there, with a keepalive behind each transaction.
async fn committed_up_to(stop: u64, last_keepalive: u64) -> Option<Vec<u64>> {
    let (mut stream, mut server) = streaming(options()).await;
    stream.stop_at(Lsn::new(stop));
    for lsn in [0x100, 0x200, 0x300] {
        server.send(transaction(lsn)).await;
    }
    server.keepalive(last_keepalive).await;
    let mut seen = Vec::new();
    while let Ok(next) = timeout(SECOND, next(&mut stream)).await {
        match next.transpose().unwrap() {
            Some(Event::Commit(commit)) => seen.push(commit.commit_lsn().into()),
            Some(_) => {}
            None => return Some(seen),
        }
    }
    None
}

#[tokio::test(start_paused = true)]
async fn stops_behind_the_last_transaction_that_committed_at_or_before() {
    for (stop, expected) in [
        (0x0ff, vec![]),
        (0x100, vec![0x100]),
        (0x1ff, vec![0x100]),
        (0x200, vec![0x100, 0x200]),
        (0x201, vec![0x100, 0x200]),
        (0x2ff, vec![0x100, 0x200]),
    ] {
        assert_eq!(committed_up_to(stop, 0x308).await, Some(expected), "{stop:x}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_prepared_before_and_committed_behind_comes_prepared() {
    for (stop, expected) in [(0x0ff, ""), (0x100, "bP"), (0x1ff, "bP"), (0x200, "bPK")] {
        let (mut stream, mut server) = streaming(options().two_phase(true)).await;
        stream.stop_at(Lsn::new(stop));
        server.send(prepared(0x100, 0x200)).await;
        server.send(transaction(0x300)).await;
        let mut seen = String::new();
        while let Some(event) = patiently(next(&mut stream)).await {
            seen.push(match event.unwrap() {
                Event::Begin(_) => 'b',
                Event::Prepare(_) => 'P',
                Event::CommitPrepared(_) => 'K',
                other => panic!("{other:?}"),
            });
        }
        assert_eq!(seen, expected, "{stop:x}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_keepalive_ends_it_when_nothing_more_commits() {
    assert_eq!(committed_up_to(0x400, 0x3ff).await, None, "the server has not come there yet");
    assert_eq!(committed_up_to(0x400, 0x400).await, Some(vec![0x100, 0x200, 0x300]));
}

#[tokio::test(start_paused = true)]
async fn a_keepalive_inside_of_a_transaction_does_not_end_it() {
    let (mut stream, mut server) = streaming(options()).await;
    stream.stop_at(Lsn::new(0x150));
    server.send([begin(0x100), announce()]).await;
    server.keepalive(0x900).await;
    server.send([insert("x"), commit(0x100)]).await;
    assert_eq!(committed(&mut stream).await.0, 1);
    idle(&mut stream, false, SECOND).await;
    server.keepalive(0x900).await;
    assert!(next(&mut stream).await.is_none());
    assert!(next(&mut stream).await.is_none());
}

#[tokio::test(start_paused = true)]
async fn asks_a_quiet_server_how_far_it_is() {
    let (mut stream, mut server) = streaming(options()).await;
    stream.stop_at(Lsn::new(0x100));
    let script = async {
        for _ in 0..3 {
            let status = timeout(SECOND + SECOND / 10, server.status()).await.unwrap();
            assert!(status.reply_requested);
            server.keepalive(0x50).await;
        }
        server.status().await;
        server.keepalive(0x100).await;
    };
    let (end, ()) = tokio::join!(next(&mut stream), script);
    assert!(end.is_none());
}

#[tokio::test(start_paused = true)]
async fn tells_what_is_acknowledged_then_that_it_ends_and_reads_to_the_end() {
    let (mut stream, mut server) = streaming(options()).await;
    server.send(transaction(0x100)).await;
    let (_, commit) = committed(&mut stream).await;
    stream.acknowledge(&commit);
    server.send([begin(0x200), announce(), insert("x")]).await;
    let script = async {
        assert_eq!(server.status().await.flushed, Lsn::new(0x108));
        assert_eq!(server.peer.hear().await, (b'c', Vec::new()));
        // What a server says that was inside of a transaction.
        server.say(&message(b'c', b"")).await;
        server.send([insert("y"), super::commit(0x200)]).await;
        server.say(&keepalive(0x208, true)).await;
        for tag in [b"COPY 0\0".as_slice(), b"START_REPLICATION\0"] {
            server.say(&message(b'C', tag)).await;
        }
        server.say(&message(b'Z', b"I")).await;
        answer_questions(&mut server.peer, "60000").await;
        server
    };
    let client = async {
        let connection = stream.stop().await.unwrap();
        // One connection, one stream: the server would answer a second one with nothing.
        connection.start_replication(options()).await.err()
    };
    let (error, server) = tokio::join!(client, script);
    assert!(matches!(error, Some(Error::Misuse(_))), "{error:?}");
    assert!(server.peer.heard_all().await, "the second stream was not asked for");
}

#[tokio::test(start_paused = true)]
async fn does_not_wait_for_a_server_that_never_ends() {
    let (stream, mut server) = streaming(options()).await;
    let start = Instant::now();
    let script = async {
        for _ in 0..100 {
            tokio::time::sleep(SECOND / 10).await;
            server.send([stand_alone(0x100)]).await;
        }
    };
    tokio::select! {
        stopped = stream.stop() => assert!(matches!(stopped, Err(Error::Timeout { .. }))),
        () = script => panic!("it waits"),
    }
    assert_eq!(start.elapsed(), 5 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn does_not_wait_for_a_server_that_takes_nothing() {
    let (mut stream, _server) = streaming(options()).await;
    // More than the pipe holds: as if a dead link had kept what was sent before.
    stream.connection.feed(FrontendMessage::CopyData(&vec![0; 2 << 20])).unwrap();
    let stopped = patiently(stream.stop()).await;
    assert!(matches!(stopped, Err(Error::Timeout { .. })), "{stopped:?}");
}
