use std::error::Error as _;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
use tokio_postgres::SimpleQueryMessage;

use super::*;
use crate::connection::command::tests::{connected, connected_over};
use crate::connection::peer::{Peer, error, message, row};

const STARTUP: &[u8] = b"\0\0\0\x16\0\x03\0\0user\0walferry\0\0";

/// A client's end with these bytes read ahead, and the server's end.
fn begun(left: &'static [u8]) -> (Begun, DuplexStream) {
    let (ours, theirs) = tokio::io::duplex(1 << 16);
    let socket = Socket::Pipe(ours);
    (Begun { greeting: Bytes::from_static(GREETING), left: Bytes::from_static(left), socket }, theirs)
}

/// Reads `length` bytes, at most `step` at a time.
async fn read_by(stream: &mut Begun, step: usize, length: usize) -> Vec<u8> {
    let mut read = Vec::new();
    while read.len() < length {
        let mut piece = vec![0; step.min(length - read.len())];
        let got = stream.read(&mut piece).await.unwrap();
        assert!(got > 0, "the stream ended early");
        read.extend_from_slice(&piece[..got]);
    }
    read
}

#[tokio::test]
async fn swallows_the_startup_message_and_nothing_else_however_it_is_cut() {
    let (left, sent, said) = (b"left behind", b"Query", b"the answer");
    let all = [GREETING, left, said].concat();
    for step in 1..=all.len() {
        let (mut stream, mut server) = begun(left);
        for piece in STARTUP.chunks(step) {
            stream.write_all(piece).await.unwrap();
        }
        stream.flush().await.unwrap();
        assert_eq!(read_by(&mut stream, step, GREETING.len()).await, GREETING, "{step}");
        for piece in sent.chunks(step) {
            stream.write_all(piece).await.unwrap();
        }
        for piece in said.chunks(step) {
            server.write_all(piece).await.unwrap();
        }
        let rest = all.len() - GREETING.len();
        assert_eq!(read_by(&mut stream, step, rest).await, all[GREETING.len()..], "{step}");
        stream.shutdown().await.unwrap();
        let mut heard = Vec::new();
        server.read_to_end(&mut heard).await.unwrap();
        assert_eq!(heard, sent, "{step}");
    }
}

#[tokio::test]
async fn gives_what_was_read_ahead_before_what_comes_at_every_cut() {
    let (left, said) = (b"left behind", b"the answer");
    let all = [GREETING, left, said].concat();
    for cut in 1..all.len() {
        let (mut stream, mut server) = begun(left);
        server.write_all(said).await.unwrap();
        let mut read = read_by(&mut stream, cut, cut).await;
        read.extend(read_by(&mut stream, all.len(), all.len() - cut).await);
        assert_eq!(read, all, "{cut}");
    }
}

#[tokio::test]
async fn the_end_of_the_socket_is_the_end() {
    let (mut stream, server) = begun(b"left");
    drop(server);
    let mut read = Vec::new();
    stream.read_to_end(&mut read).await.unwrap();
    assert_eq!(read, [GREETING, b"left"].concat());
}

/// Fails rather than hangs: where time is paused, it goes on when nothing else does.
async fn in_time<T>(waited: impl Future<Output = T>) -> T {
    tokio::time::timeout(std::time::Duration::from_secs(60), waited).await.expect("it waits in vain")
}

async fn session() -> (SqlConnection, Peer) {
    let (connection, peer) = connected();
    (SqlConnection::over(connection).await.unwrap(), peer)
}

fn ready() -> Vec<u8> {
    message(b'Z', b"I")
}

#[tokio::test(start_paused = true)]
async fn the_server_hears_the_first_statement_first() {
    let (session, mut peer) = session().await;
    let answer = [
        message(b'N', b"SNOTICE\0C00000\0Mnoise\0\0"),
        message(b'S', b"TimeZone\0UTC\0"),
        message(b'T', b"\0\x01a\0\0\0\0\0\0\0\0\0\0\x19\xff\xff\xff\xff\xff\xff\0\0"),
        row(&[Some("null")]),
        message(b'C', b"SELECT 1\0"),
        ready(),
    ]
    .concat();
    let talk = async {
        assert_eq!(peer.hear().await, (b'Q', b"SELECT 1\0".to_vec()));
        // As the smallest packets would bring it.
        for byte in answer {
            peer.say(&[byte]).await;
        }
    };
    let statement = session.client().simple_query("SELECT 1");
    let (rows, ()) = in_time(async { tokio::join!(statement, talk) }).await;
    let values: Vec<_> = rows
        .unwrap()
        .iter()
        .filter_map(|message| match message {
            SimpleQueryMessage::Row(row) => Some(row.get(0).map(str::to_owned)),
            _ => None,
        })
        .collect();
    assert_eq!(values, [Some("null".to_owned())]);
}

#[tokio::test(start_paused = true)]
async fn what_the_server_sent_before_the_handover_is_not_lost() {
    let (ours, theirs) = tokio::io::duplex(1 << 16);
    let (mut connection, mut peer) = (connected_over(ours, "18.4"), Peer(theirs));
    // Last words that arrive in one piece with the end of an answer stay in the read buffer.
    let says = [message(b'C', b"SET\0"), ready(), error("57P01", "ADMINISTRATOR")].concat();
    peer.say(&says).await;
    connection.simple_query("SET a = 1").await.unwrap();
    let session = SqlConnection::over(connection).await.unwrap();
    let failed = in_time(session.client().batch_execute("SELECT 1")).await.unwrap_err();
    let failed = sql_error("while applying", failed);
    assert_eq!(failed.to_string(), "the server closed the connection while applying");
    assert!(failed.is_retryable());
}

#[tokio::test]
async fn a_connection_that_ends_without_a_word_is_worth_another_try() {
    let (session, peer) = session().await;
    drop(peer);
    let failed = session.client().batch_execute("SELECT 1").await.unwrap_err();
    let failed = sql_error("while applying", failed);
    assert!(failed.is_retryable(), "{failed:?}");
}

#[tokio::test(start_paused = true)]
async fn dropping_it_closes_the_socket_in_the_midst_of_a_statement() {
    let (session, mut peer) = session().await;
    let statement = async { session.client().batch_execute("SELECT pg_sleep(9)").await };
    let heard = async {
        tokio::select! {
            _ = statement => panic!("there was no answer"),
            heard = peer.hear() => heard,
        }
    };
    assert_eq!(in_time(heard).await.0, b'Q');
    drop(session);
    assert!(in_time(peer.heard_all()).await);
}

async fn refused(says: &[u8]) -> Error {
    let (session, mut peer) = session().await;
    let talk = async {
        peer.hear().await;
        peer.say(&[says, &ready()].concat()).await;
    };
    let statement = session.client().batch_execute("SELECT 1");
    let (answered, ()) = in_time(async { tokio::join!(statement, talk) }).await;
    sql_error("while applying", answered.unwrap_err())
}

#[tokio::test(start_paused = true)]
async fn a_refusal_keeps_the_servers_own_words() {
    let says = message(
        b'E',
        b"SFEHLER\0VERROR\0C23505\0Mduplicate key\0DKey (a)=(7) exists.\0HLook.\0Wsomewhere\0\0",
    );
    let Error::Server(told) = refused(&says).await else { panic!("another error") };
    assert_eq!(told.to_string(), "server: ERROR 23505: duplicate key");
    assert_eq!(told.detail.as_deref(), Some("Key (a)=(7) exists."));
    assert_eq!(told.hint.as_deref(), Some("Look."));
}

#[tokio::test(start_paused = true)]
async fn words_that_quote_a_value_are_kept_for_who_asks() {
    for sqlstate in ["22P02", "22003", "P0001"] {
        let fields =
            format!("SERROR\0VERROR\0C{sqlstate}\0Minvalid input: \"s3cret\"\0Ds3cret too\0Htry s3cret\0\0");
        let error = refused(&message(b'E', fields.as_bytes())).await;
        assert!(!error.to_string().contains("s3cret"), "{error}");
        assert!(!error.hint().unwrap_or_default().contains("s3cret"));
        assert!(error.source().is_none());
        let Error::Server(told) = error else { panic!("another error") };
        assert_eq!(told.detail.as_deref(), Some("invalid input: \"s3cret\"\ns3cret too\ntry s3cret"));
    }
}

#[tokio::test(start_paused = true)]
async fn bytes_that_are_not_the_protocol_do_not_pass_by_themselves() {
    let error = refused(&message(b'?', b"")).await;
    assert!(matches!(error, Error::Protocol(_)), "{error:?}");
    assert!(error.to_string().starts_with("protocol: while applying: "), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_value_that_cannot_be_sent_is_not_told() {
    let (session, mut peer) = session().await;
    let statement = async { session.client().query("SELECT $1", &[&"s3cret"]).await.unwrap_err() };
    let answers = async {
        peer.hear().await;
        let parameter = message(b't', b"\0\x01\0\0\0\x17");
        peer.say(&[message(b'1', b""), parameter, message(b'n', b""), ready()].concat()).await;
    };
    let (failed, ()) = in_time(async { tokio::join!(statement, answers) }).await;
    let error = sql_error("while applying", failed);
    assert_eq!(error.to_string(), "protocol: while applying: error serializing parameter 0");
    assert!(!format!("{error:?}").contains("s3cret"));
}
