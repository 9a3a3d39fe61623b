use std::sync::Arc;

use super::*;
use crate::connection::Config;
use crate::connection::peer::{Peer, error, message, pipe, row};
use crate::connection::socket::Socket;
use crate::connection::startup::Session;
use crate::connection::transport::Transport;
use crate::connection::version::ServerVersion;

pub(crate) fn connected() -> (Connection, Peer) {
    connected_to("18.4")
}

pub(crate) fn connected_to(version: &str) -> (Connection, Peer) {
    let (ours, theirs) = tokio::io::duplex(1 << 20);
    (connected_over(ours, version), Peer(theirs))
}

/// To whoever has the other end of the pipe.
pub(crate) fn connected_over(pipe: tokio::io::DuplexStream, version: &str) -> Connection {
    let mut transport = Transport::new(Socket::Pipe(pipe));
    transport.authenticated();
    Connection {
        transport,
        session: Session::default(),
        version: ServerVersion::read(version).unwrap(),
        transaction: Transaction::None,
        canceller: None,
        home: Arc::default(),
        given: Arc::default(),
        streamed: false,
        unusable: None,
    }
}

impl Connection {
    /// As if it had been made with these parameters.
    pub(crate) fn at(self, home: Config) -> Self {
        let home = Arc::new(home);
        Self { given: Arc::clone(&home), home, ..self }
    }
}

async fn answered(says: &[Vec<u8>]) -> (Result<Vec<TextRow>, Error>, Connection) {
    let (mut connection, mut peer) = connected();
    peer.say(&says.concat()).await;
    tokio::io::AsyncWriteExt::shutdown(&mut peer.0).await.unwrap();
    let rows = connection.simple_query("SELECT").await;
    assert_eq!(peer.hear().await, (b'Q', b"SELECT\0".to_vec()));
    (rows, connection)
}

fn ready(status: u8) -> Vec<u8> {
    message(b'Z', &[status])
}

#[tokio::test]
async fn keeps_null_apart_from_its_name() {
    let says = [
        message(b'T', &[0, 0]),
        row(&[None, Some("null"), Some("")]),
        message(b'N', b"SNOTICE\0\0"),
        message(b'S', b"TimeZone\0UTC\0"),
        message(b'C', b"SELECT 1\0"),
        ready(b'T'),
    ];
    let (rows, connection) = answered(&says).await;
    let rows = rows.unwrap();
    assert_eq!(rows[0].text(0).unwrap(), None);
    assert_eq!(rows[0].text(1).unwrap(), Some("null"));
    assert_eq!(rows[0].required(2).unwrap(), "");
    assert!(rows[0].required(0).is_err() && rows[0].text(3).is_err());
    assert_eq!(connection.transaction, Transaction::Open);
    assert_eq!(connection.session.parameter("TimeZone"), Some("UTC"));
}

#[tokio::test]
async fn is_ready_again_after_the_server_s_error() {
    let (outcome, connection) = answered(&[row(&[]), error("42601", "no"), ready(b'E')]).await;
    assert_eq!(outcome.unwrap_err().sqlstate(), Some("42601"));
    assert_eq!(connection.transaction, Transaction::Failed);
    assert!(connection.usable().is_ok());
}

#[tokio::test]
async fn says_what_the_server_said_before_it_hung_up() {
    let (outcome, connection) = answered(&[error("57P01", "terminating connection")]).await;
    assert_eq!(outcome.unwrap_err().sqlstate(), Some("57P01"));
    assert!(matches!(connection.usable(), Err(Error::Unusable { .. })));
}

#[tokio::test]
async fn is_of_no_more_use_once_the_protocol_is_broken() {
    for bytes in [
        message(b'd', b"copy"),
        message(b'W', &[0; 3]),
        message(b'R', &[0; 4]),
        message(b'Z', b"?"),
        message(b'D', &[0, 1, 0, 0, 0, 9]),
        message(b'?', b""),
        Vec::new(),
    ] {
        let (outcome, connection) = answered(&[bytes]).await;
        outcome.unwrap_err();
        assert!(matches!(connection.usable(), Err(Error::Unusable { .. })));
    }
}

#[tokio::test]
async fn wants_one_row_where_one_is_due() {
    for rows in [0, 2] {
        let (mut connection, mut peer) = connected();
        peer.say(&[row(&[Some("1")]).repeat(rows), ready(b'I')].concat()).await;
        assert!(connection.query_one("SELECT").await.is_err());
    }
}

#[tokio::test]
async fn reads_what_identify_system_says() {
    let (mut connection, mut peer) = connected();
    let columns = [Some("7370000000000000001"), Some("2"), Some("0/1949850"), Some("orders")];
    peer.say(&[row(&columns), ready(b'I')].concat()).await;
    let identity = connection.identify_system().await.unwrap();
    assert_eq!((identity.system_id, identity.timeline), (7_370_000_000_000_000_001, 2));
    assert_eq!((identity.wal_flushed, identity.database.as_str()), (Lsn::new(0x194_9850), "orders"));
    peer.say(&[row(&[Some("x"), Some("2"), Some("0/0"), None]), ready(b'I')].concat()).await;
    assert!(matches!(connection.identify_system().await, Err(Error::Protocol(_))));
}

#[tokio::test]
async fn quotes_each_part_of_a_setting_s_name() {
    let (mut connection, mut peer) = connected();
    peer.say(&[row(&[Some("x")]), ready(b'I')].concat()).await;
    assert_eq!(connection.show("my.o\"wn").await.unwrap(), "x");
    assert_eq!(peer.hear().await.1, b"SHOW \"my\".\"o\"\"wn\"\0");
}

#[tokio::test]
async fn trusts_nothing_after_a_message_that_cannot_be_read() {
    let (mut transport, mut peer) = pipe();
    peer.say(&[message(b'?', b""), ready(b'I')].concat()).await;
    assert!(matches!(transport.message().await, Err(Error::Protocol(_))));
    assert!(matches!(transport.message().await, Err(Error::Unusable { .. })));
}

#[tokio::test]
async fn writes_and_reads_copy_data_in_pieces() {
    let (connection, mut peer) = connected();
    let mut transport = connection.transport;
    let big = vec![7; 3 << 20];
    let both = async {
        transport.feed(FrontendMessage::CopyData(&big)).unwrap();
        transport.send(FrontendMessage::CopyDone).await.unwrap();
        match transport.message().await.unwrap() {
            BackendMessage::CopyData(payload) => payload,
            other => panic!("{}", other.name()),
        }
    };
    let script = async {
        assert_eq!(peer.hear().await, (b'd', big.clone()));
        assert_eq!(peer.hear().await, (b'c', Vec::new()));
        peer.say(&message(b'd', &big)).await;
    };
    assert_eq!(tokio::join!(both, script).0, big);
}
