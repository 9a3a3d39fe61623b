//! What ends a stream, and what doesn't.

use super::*;
use crate::connection::peer::error;

fn notice(severity: &str, sqlstate: &str) -> Vec<u8> {
    let text = "skipped loading publication \"p\"";
    message(b'N', format!("S{severity}\0V{severity}\0C{sqlstate}\0M{text}\0\0").as_bytes())
}

/// The error after a begun transaction and these bytes.
async fn after(bytes: &[u8], keep_alive: bool) -> Error {
    let (mut stream, mut server) = streaming(options()).await;
    server.send([begin(0x100), announce(), insert("x")]).await;
    server.say(bytes).await;
    patiently(failure(&mut stream, keep_alive)).await
}

#[tokio::test(start_paused = true)]
async fn an_error_of_the_server_ends_it_with_the_server_s_words() {
    for keep_alive in [false, true] {
        let failed = after(&error("57P01", "terminating connection"), keep_alive).await;
        assert_eq!(failed.sqlstate(), Some("57P01"));
        assert!(failed.is_retryable());
        let failed = after(&error("42704", "publication \"p\" does not exist"), keep_alive).await;
        assert_eq!(failed.sqlstate(), Some("42704"));
        assert!(!failed.is_retryable());
        assert!(failed.hint().unwrap().contains("publication first"), "{:?}", failed.hint());
    }
}

/// So a server shuts down: no `CopyDone` comes first.
#[tokio::test(start_paused = true)]
async fn a_server_that_shuts_down_may_be_asked_again_later() {
    for keep_alive in [false, true] {
        let error = after(&message(b'C', b"COPY 0\0"), keep_alive).await;
        assert!(matches!(error, Error::Closed { .. }) && error.is_retryable());
        assert!(error.to_string().contains("shuts down"), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_hangs_up_may_be_asked_again_later() {
    for keep_alive in [false, true] {
        let (mut stream, server) = streaming(options()).await;
        server.hang_up().await;
        let error = failure(&mut stream, keep_alive).await;
        assert!(matches!(error, Error::Closed { .. }) && error.is_retryable());
        assert_eq!(error.to_string(), "the server closed the connection while it streamed");
    }
}

#[tokio::test(start_paused = true)]
async fn a_publication_that_is_not_found_is_fatal() {
    for keep_alive in [false, true] {
        let error = after(&notice("WARNING", "55000"), keep_alive).await;
        assert_eq!(error.sqlstate(), Some("55000"));
        assert!(!error.is_retryable() && error.hint().unwrap().contains("publication first"));
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_server_may_say_at_any_moment_ends_nothing() {
    for keep_alive in [false, true] {
        let (mut stream, mut server) = streaming(options()).await;
        for message in transaction(0x100) {
            server.say(&notice("NOTICE", "55000")).await;
            server.say(&notice("WARNING", "01000")).await;
            server.say(&super::message(b'S', b"TimeZone\0UTC\0")).await;
            server.send([message]).await;
        }
        if keep_alive {
            idle(&mut stream, true, SECOND).await;
        }
        assert_eq!(committed(&mut stream).await.0, 1);
    }
}

#[tokio::test(start_paused = true)]
async fn frames_of_a_later_protocol_are_counted() {
    let (mut stream, mut server) = streaming(options()).await;
    for tag in [b's', b'z'] {
        server.say(&message(b'd', &[tag, 1])).await;
    }
    server.send(transaction(0x100)).await;
    committed(&mut stream).await;
    assert_eq!(stream.unknown_frames(), 2);
}

#[tokio::test(start_paused = true)]
async fn bytes_that_no_server_sends_end_it() {
    for (bytes, expected) in [
        (message(b'd', b""), "the stream near 0/0"),
        (message(b'd', b"kshort"), "the stream near 0/0"),
        (data(&commit(0x200)), "the stream near 0/0"),
        (message(b'c', b""), "the server closed the connection while it streamed, because it shuts down"),
        (message(b'T', b"\0\0"), "protocol: "),
        (message(b'W', &[0; 3]), "protocol: "),
    ] {
        let error = after(&bytes, false).await;
        assert!(error.to_string().starts_with(expected), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_error_beside_slow_work_ends_it_before_what_was_read_ahead() {
    let (mut stream, mut server) = streaming(options()).await;
    server.send(transaction(0x100)).await;
    server.say(&notice("WARNING", "55000")).await;
    server.send(transaction(0x200)).await;
    // Whoever disregards the error must not go on past what the server has left out.
    failure(&mut stream, true).await;
}

/// Whether to come again is in the server's last words: a status update that can't be sent must not drown them.
#[tokio::test(start_paused = true)]
async fn a_server_that_takes_nothing_more_is_heard_out() {
    for keep_alive in [false, true] {
        let (mut stream, mut server) = streaming(options()).await;
        server.say(&keepalive(0x100, true)).await;
        server.send(transaction(0x200)).await;
        server.say(&error("42704", "publication \"p\" does not exist")).await;
        drop(server);
        tokio::time::sleep(MINUTE).await;
        assert_eq!(failure(&mut stream, keep_alive).await.sqlstate(), Some("42704"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_that_takes_longer_than_the_timeout_is_waited_for_as_long_as_it_goes_on() {
    let (mut stream, mut server) = streaming(options()).await;
    let messages = [begin(0x100), announce(), insert(&"x".repeat(1000)), commit(0x100)];
    let bytes: Vec<u8> = messages.iter().flat_map(data).collect();
    let slowly = async {
        for piece in bytes.chunks(bytes.len() / 10) {
            tokio::time::sleep(20 * SECOND).await;
            server.say(piece).await;
        }
        server
    };
    let (changes, mut server) = tokio::join!(async { committed(&mut stream).await.0 }, slowly);
    assert_eq!(changes, 1);
    server.say(&keepalive(0x900, false)[..5]).await;
    let start = Instant::now();
    assert!(matches!(failure(&mut stream, false).await, Error::Timeout { .. }), "and no longer");
    assert!(start.elapsed() >= MINUTE && start.elapsed() <= MINUTE + SECOND, "{:?}", start.elapsed());
}
