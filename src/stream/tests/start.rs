//! How a stream begins.

use super::*;
use crate::connection::peer::error;

#[tokio::test]
async fn what_a_server_lacks_is_refused_before_anything_is_sent() {
    for (version, options) in
        [("15.18", options().streaming(Streaming::Parallel)), ("15.18", options().origin(Origin::None))]
    {
        let (connection, peer) = connected_to(version);
        let refused = connection.start_replication(options).await.err();
        assert!(matches!(refused, Some(Error::Unsupported { needs: 16, .. })), "{refused:?}");
        assert!(peer.heard_all().await);
    }
}

#[tokio::test]
async fn a_stream_without_publications_is_refused_before_anything_is_sent() {
    let (connection, peer) = connected();
    let options = StreamOptions::new("s".parse().unwrap());
    assert!(matches!(connection.start_replication(options).await, Err(Error::Misuse(_))));
    assert!(peer.heard_all().await);
}

#[tokio::test]
async fn a_refusal_is_the_server_s() {
    let (connection, mut peer) = connected();
    let script = async {
        answer_questions(&mut peer, "0").await;
        peer.hear().await;
        peer.say(&message(b'N', b"SNOTICE\0\0")).await;
        peer.say(&message(b'S', b"TimeZone\0UTC\0")).await;
        peer.say(&error("42704", "replication slot \"s\" does not exist")).await;
    };
    let (stream, ()) = tokio::join!(connection.start_replication(options()), script);
    let error = stream.err().unwrap();
    assert_eq!(error.sqlstate(), Some("42704"));
    assert!(error.hint().unwrap().contains("slot"), "{:?}", error.hint());
}

#[tokio::test]
async fn a_server_without_a_timeout_is_told_as_often_as_was_asked() {
    let (connection, mut peer) = connected();
    let (stream, ()) = tokio::join!(connection.start_replication(options()), answer_start(&mut peer, "0"));
    let due = stream.unwrap().session.deadline().duration_since(now());
    assert!((9 * SECOND..=10 * SECOND).contains(&due), "{due:?}");
}

#[tokio::test]
async fn the_context_says_how_it_was_started() {
    let (stream, _server) = streaming(options().publication("q")).await;
    let context = stream.context();
    assert_eq!((context.slot.as_str(), context.database.as_str()), ("s", "db"));
    assert_eq!(context.publications, ["p", "q"]);
    assert_eq!((context.server_version.as_str(), context.system_id.as_str()), ("18.4", "1"));
}

#[tokio::test(start_paused = true)]
async fn a_server_that_falls_silent_at_the_start_is_given_up_in_time() {
    for answered in [false, true] {
        let (connection, mut peer) = connected();
        let script = async {
            if answered {
                answer_questions(&mut peer, "0").await;
            }
            std::future::pending::<()>().await;
        };
        let start = Instant::now();
        let error = tokio::select! {
            stream = patiently(connection.start_replication(options())) => stream.err().unwrap(),
            () = script => unreachable!(),
        };
        assert!(matches!(&error, Error::Timeout { after: MINUTE, .. }) && error.is_retryable(), "{error:?}");
        assert_eq!(start.elapsed(), MINUTE);
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_may_be_silent_for_ever_may_be_so_at_the_start() {
    let (connection, mut peer) = connected();
    let script = async {
        tokio::time::sleep(60 * MINUTE).await;
        answer_start(&mut peer, "0").await;
    };
    let (stream, ()) =
        tokio::join!(connection.start_replication(options().receive_timeout(Duration::ZERO)), script);
    assert!(stream.is_ok());
}
