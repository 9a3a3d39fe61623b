//! The other end of the line: a server that does as a test says.

use bytes::{BufMut as _, BytesMut};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};

use super::socket::Socket;
use super::transport::Transport;

/// A server by script.
pub(crate) struct Peer(pub(crate) DuplexStream);

/// A transport, and who is at its other end.
pub(super) fn pipe() -> (Transport, Peer) {
    let (ours, theirs) = tokio::io::duplex(1 << 20);
    (Transport::new(Socket::Pipe(ours)), Peer(theirs))
}

/// One message in bytes.
pub(crate) fn message(tag: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = BytesMut::new();
    bytes.put_u8(tag);
    bytes.put_u32(u32::try_from(payload.len() + 4).unwrap());
    bytes.put_slice(payload);
    bytes.to_vec()
}

/// An authentication request or answer.
pub(super) fn authentication(code: u32, payload: &[u8]) -> Vec<u8> {
    message(b'R', &[&code.to_be_bytes()[..], payload].concat())
}

/// A row of text.
pub(crate) fn row(columns: &[Option<&str>]) -> Vec<u8> {
    let mut payload = BytesMut::new();
    payload.put_u16(u16::try_from(columns.len()).unwrap());
    for column in columns {
        match column {
            None => payload.put_i32(-1),
            Some(text) => {
                payload.put_u32(u32::try_from(text.len()).unwrap());
                payload.put_slice(text.as_bytes());
            }
        }
    }
    message(b'D', &payload)
}

/// An `ErrorResponse`.
pub(crate) fn error(sqlstate: &str, text: &str) -> Vec<u8> {
    message(b'E', format!("SFEHLER\0VFATAL\0C{sqlstate}\0M{text}\0\0").as_bytes())
}

impl Peer {
    pub(crate) async fn say(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).await.unwrap();
    }

    /// Tag and payload of the next message.
    pub(crate) async fn hear(&mut self) -> (u8, Vec<u8>) {
        let tag = self.0.read_u8().await.unwrap();
        (tag, self.payload().await)
    }

    /// The payload of a message without a tag: the first one.
    pub(crate) async fn payload(&mut self) -> Vec<u8> {
        let length = self.0.read_u32().await.unwrap();
        let mut payload = vec![0; usize::try_from(length).unwrap() - 4];
        self.0.read_exact(&mut payload).await.unwrap();
        payload
    }

    /// Whether nothing more has come, once the other end is gone.
    pub(crate) async fn heard_all(mut self) -> bool {
        self.0.read_u8().await.is_err()
    }
}
