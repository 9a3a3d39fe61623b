//! When the server is told, whatever the consumer does.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::task::JoinHandle;

use super::*;

#[tokio::test(start_paused = true)]
async fn a_status_goes_out_every_interval_in_both_modes() {
    for keep_alive in [false, true] {
        let (mut stream, mut server) = streaming(options().receive_timeout(Duration::ZERO)).await;
        let start = Instant::now();
        let script = async {
            for nth in 1..=6 {
                server.status().await;
                assert_eq!(start.elapsed().as_secs(), 10 * nth);
            }
        };
        tokio::join!(idle(&mut stream, keep_alive, MINUTE + SECOND), patiently(script));
    }
}

#[tokio::test(start_paused = true)]
async fn the_interval_is_a_third_of_the_server_s_timeout_if_that_is_less() {
    let (connection, mut peer) = connected();
    let (stream, ()) = tokio::join!(connection.start_replication(options()), answer_start(&mut peer, "3000"));
    let (mut stream, mut server) = (stream.unwrap(), Walsender { peer, flushed: Lsn::ZERO });
    let start = Instant::now();
    tokio::join!(idle(&mut stream, true, 2 * SECOND), patiently(server.status()));
    assert_eq!(start.elapsed(), 2 * SECOND);
    assert_eq!(stream.session.deadline(), (start + 3 * SECOND).into_std());
}

#[tokio::test(start_paused = true)]
async fn a_wish_for_a_reply_is_met_at_once_in_both_modes() {
    for keep_alive in [false, true] {
        let (mut stream, mut server) = streaming(options()).await;
        let start = Instant::now();
        let script = async {
            for _ in 0..3 {
                server.say(&keepalive(0x100, true)).await;
                server.status().await;
                assert_eq!(start.elapsed(), Duration::ZERO);
            }
        };
        tokio::join!(idle(&mut stream, keep_alive, SECOND), patiently(script));
    }
}

#[tokio::test(start_paused = true)]
async fn a_wish_for_a_reply_is_met_in_the_midst_of_a_transaction() {
    for keep_alive in [false, true] {
        let (mut stream, mut server) = streaming(options()).await;
        server.send([begin(0x100), announce(), insert("x")]).await;
        server.say(&keepalive(0x100, true)).await;
        if keep_alive {
            idle(&mut stream, true, SECOND).await;
        } else {
            assert!(matches!(event(&mut stream).await, Event::Begin(_)));
            assert!(matches!(event(&mut stream).await, Event::Change(_)));
            idle(&mut stream, false, SECOND).await;
        }
        assert_eq!(server.status().await.flushed, Lsn::ZERO);
    }
}

#[tokio::test(start_paused = true)]
async fn a_wish_for_a_reply_is_met_while_data_flows() {
    let (mut stream, mut server) = streaming(options()).await;
    server.send([begin(0x100), announce(), insert("x")]).await;
    server.say(&keepalive(0x100, true)).await;
    server.send([insert("y"), insert("z")]).await;
    for _ in 0..3 {
        event(&mut stream).await;
    }
    assert!(server.status_within(Duration::from_millis(1)).await.is_some(), "before the data ends");
}

/// Keepalives starved by a slow consumer: Electric #4105, PeerDB #4324, Conduit #182.
#[tokio::test(start_paused = true)]
async fn museum_12_a_consumer_slow_at_each_event_starves_nobody() {
    for held in [false, true] {
        let (mut stream, mut server) = streaming(options()).await;
        let changes = (0..200).map(|nth| insert(&nth.to_string()));
        server.send([begin(0x100), announce()].into_iter().chain(changes).chain([commit(0x100)])).await;
        if held {
            idle(&mut stream, true, SECOND).await;
        }
        let consumer = async {
            for _ in 0..202 {
                event(&mut stream).await;
                tokio::time::sleep(SECOND).await;
            }
        };
        let script = async {
            for _ in 0..19 {
                timeout(11 * SECOND, server.status()).await.expect("a status every ten seconds");
            }
        };
        tokio::join!(consumer, script);
    }
}

/// Endless reconnects and unbounded memory under a slow sink: Electric #4105, PeerDB #4324, Conduit #182. Beside
/// a sink that takes ten minutes, traffic goes on: a megabyte is read ahead, then the server waits, and lives.
#[tokio::test(start_paused = true)]
async fn museum_12_read_ahead_is_bounded_and_loses_nothing() {
    const CHANGES: usize = 4000;
    let (mut stream, server) = streaming(options()).await;
    let text = |nth: usize| format!("{nth:01024}");
    let changes = (0..CHANGES).map(|nth| insert(&text(nth)));
    let (sending, statuses) =
        by_themselves(server, [begin(0x100), announce()].into_iter().chain(changes).chain([commit(0x100)]));
    idle(&mut stream, true, 10 * MINUTE).await;
    assert!(!sending.is_finished(), "the server has to wait");
    assert!((READ_AHEAD - 2048..=READ_AHEAD).contains(&stream.held_bytes), "{}", stream.held_bytes);

    let mut seen = 0;
    loop {
        match event(&mut stream).await {
            Event::Begin(_) => {}
            Event::Change(Change::Insert { new }) => {
                assert_eq!(new.tuple().get(0), Some(Datum::Text(text(seen).as_bytes())));
                seen += 1;
            }
            Event::Commit(_) => break,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((seen, stream.held_bytes), (CHANGES, 0));
    drop((sending.await.unwrap(), stream));
    let statuses = statuses.await.unwrap();
    assert_eq!(statuses.len(), 60, "one every ten seconds");
    assert!(statuses.iter().all(|status| status.flushed.is_zero()), "the position is unmoved");
}

/// A message of any length beside a sink that still holds the last one: it is left with the server, whose silence says
/// nothing meanwhile.
#[tokio::test(start_paused = true)]
async fn what_is_too_long_to_be_read_ahead_stays_where_it_is() {
    let (mut stream, server) = streaming(options()).await;
    // What the pipe has room for, and a little more.
    let large = "x".repeat(READ_AHEAD + (256 << 10));
    let (sending, statuses) = by_themselves(server, [begin(0x100), announce(), insert(&large), insert("y")]);
    idle(&mut stream, true, 10 * MINUTE).await;
    assert!(!sending.is_finished(), "its beginning alone is read");
    event(&mut stream).await;
    let Event::Change(Change::Insert { new }) = event(&mut stream).await else { panic!("the insert") };
    assert_eq!(new.tuple().get(0), Some(Datum::Text(large.as_bytes())));
    let resumed = Instant::now();
    let error = patiently(failure(&mut stream, true)).await;
    assert!(matches!(error, Error::Timeout { after: MINUTE, .. }), "silence means something again: {error}");
    assert_eq!(resumed.elapsed(), MINUTE);
    drop((sending.await.unwrap(), stream));
    let asked = statuses.await.unwrap().into_iter().filter(|status| status.reply_requested).count();
    assert_eq!(asked, 1, "in the last minute");
}

/// Sends messages and collects status updates, each as fast as it can.
fn by_themselves(
    server: Walsender,
    messages: impl IntoIterator<Item = Message>,
) -> (JoinHandle<impl Send>, JoinHandle<Vec<StandbyStatusUpdate>>) {
    let (mut from_client, mut to_client) = tokio::io::split(server.peer.0);
    let bytes: Vec<_> = messages.into_iter().map(|message| data(&message)).collect();
    let sending = tokio::spawn(async move {
        to_client.write_all(&bytes.concat()).await.unwrap();
        to_client
    });
    let statuses = tokio::spawn(async move {
        let mut statuses = Vec::new();
        let mut buffer = [0; 39];
        while from_client.read_exact(&mut buffer).await.is_ok() {
            statuses.push(StandbyStatusUpdate::decode(&buffer[5..]).unwrap());
        }
        statuses
    });
    (sending, statuses)
}

/// A cut link that holds the slot for 20 minutes: PeerDB #3682.
#[tokio::test(start_paused = true)]
async fn museum_12_a_black_hole_is_asked_at_half_time_and_given_up_at_full() {
    for keep_alive in [false, true] {
        let (mut stream, mut server) = streaming(options()).await;
        let start = Instant::now();
        let script = async {
            let mut asked = Vec::new();
            while start.elapsed() < 59 * SECOND {
                match server.status_within(SECOND).await {
                    Some(status) if status.reply_requested => asked.push(start.elapsed().as_secs()),
                    _ => {}
                }
            }
            asked
        };
        let (error, asked) = tokio::join!(failure(&mut stream, keep_alive), script);
        assert_eq!(start.elapsed(), MINUTE);
        assert_eq!(asked, [30]);
        assert!(matches!(error, Error::Timeout { after: MINUTE, .. }) && error.is_retryable());
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_answers_is_waited_for_without_end() {
    let (mut stream, mut server) = streaming(options()).await;
    let script = async {
        loop {
            if server.status().await.reply_requested {
                server.keepalive(0x100).await;
            }
        }
    };
    tokio::select! {
        () = idle(&mut stream, false, 60 * MINUTE) => {}
        () = script => {}
    }
}

#[tokio::test(start_paused = true)]
async fn a_consumer_that_was_away_gives_the_server_its_time_to_answer() {
    for keep_alive in [false, true] {
        let (mut stream, mut server) = streaming(options()).await;
        tokio::time::sleep(60 * MINUTE).await;
        let script = async {
            assert!(server.status().await.reply_requested);
            tokio::time::sleep(20 * SECOND).await;
            server.keepalive(0x100).await;
        };
        tokio::join!(idle(&mut stream, keep_alive, 40 * SECOND), patiently(script));
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_came_while_the_consumer_was_away_counts() {
    for keep_alive in [false, true] {
        let (mut stream, mut server) = streaming(options()).await;
        idle(&mut stream, keep_alive, 31 * SECOND).await;
        server.keepalive(0x100).await;
        tokio::time::sleep(60 * MINUTE).await;
        idle(&mut stream, keep_alive, SECOND).await;
    }
}
