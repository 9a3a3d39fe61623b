//! With TLS or without: what each `sslmode` tries, and the question that the server answers with one byte.
//!
//! <https://www.postgresql.org/docs/current/libpq-ssl.html#LIBPQ-SSL-PROTECTION>

use std::io;

use bytes::BytesMut;
use postgres_protocol::message::frontend;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use super::config::SslMode;
use crate::error::Error;

/// One way to open a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encryption {
    /// In clear, without asking.
    Plain,
    /// TLS if the server has it, in clear on the same socket if not.
    Offered,
    /// TLS or nothing.
    Required,
}

/// What to try on one address, in order. The second is tried only after a [`Failure`] that is `by_encryption`.
pub(crate) fn ways(mode: SslMode) -> &'static [Encryption] {
    match mode {
        SslMode::Disable => &[Encryption::Plain],
        SslMode::Allow => &[Encryption::Plain, Encryption::Required],
        SslMode::Prefer => &[Encryption::Offered, Encryption::Plain],
        SslMode::Require | SslMode::VerifyCa | SslMode::VerifyFull => &[Encryption::Required],
    }
}

/// Where an attempt ended.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) error: Error,
    /// It was the encryption that failed, or was refused by a server that had not yet asked who we are.
    pub(crate) by_encryption: bool,
}

impl Failure {
    /// Another way of encrypting would end the same.
    pub(crate) fn final_one(error: Error) -> Self {
        Self { error, by_encryption: false }
    }

    /// TLS did not come about.
    pub(crate) fn of_tls(error: Error) -> Self {
        Self { error, by_encryption: true }
    }
}

/// The server's answer to `SSLRequest`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    /// `S`: the TLS handshake is next.
    Tls,
    /// `N`: only in clear.
    Plain,
}

/// Sends `SSLRequest` and reads the answer.
///
/// Exactly one byte may come before our next: what else is there was put there by someone between, to be taken for
/// something that came encrypted (CVE-2021-23222).
pub(crate) async fn ask_for_tls<S: AsyncRead + AsyncWrite + Unpin>(
    socket: &mut S,
) -> Result<Answer, Failure> {
    let mut request = BytesMut::new();
    frontend::ssl_request(&mut request);
    let failed = |source| Failure::final_one(Error::Io { during: "asking for TLS".to_owned(), source });
    socket.write_all(&request).await.map_err(failed)?;
    let mut answer = [0; 2];
    let read = socket.read(&mut answer).await.map_err(failed)?;
    match (read, answer) {
        (1, [b'S', _]) => Ok(Answer::Tls),
        (1, [b'N', _]) => Ok(Answer::Plain),
        (0, _) => Err(failed(io::ErrorKind::UnexpectedEof.into())),
        // An error in clear: from a server that is out of processes, or from anyone. Its text is not shown
        // (CVE-2024-10977); an attempt in clear will bring it again if it was the server's.
        (_, [b'E', _]) => {
            Err(Failure::of_tls(Error::Tls("the server refuses before TLS can begin".to_owned())))
        }
        (2, [b'S' | b'N', _]) => Err(Failure::final_one(Error::Protocol(
            "the server sent more than its one byte about TLS; is someone between?".to_owned(),
        ))),
        (_, [other, _]) => Err(Failure::final_one(Error::Protocol(format!(
            "asked for TLS, the server answered '{}' instead of S or N; is this a PostgreSQL server?",
            other.escape_ascii()
        )))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn answered(bytes: &[u8]) -> Result<Answer, Failure> {
        let (mut client, mut server) = tokio::io::duplex(64);
        server.write_all(bytes).await.unwrap();
        let answer = ask_for_tls(&mut client).await;
        let mut request = [0; 8];
        server.read_exact(&mut request).await.unwrap();
        assert_eq!(request, [0, 0, 0, 8, 0x04, 0xD2, 0x16, 0x2F]);
        answer
    }

    #[tokio::test]
    async fn reads_one_byte_and_refuses_company() {
        assert_eq!(answered(b"S").await.unwrap(), Answer::Tls);
        assert_eq!(answered(b"N").await.unwrap(), Answer::Plain);
        for bytes in [&b"SS"[..], b"S\x16\x03\x01", b"NR", b"R\0\0\0\x08", b"H", b"\0"] {
            let failure = answered(bytes).await.unwrap_err();
            assert!(matches!(failure.error, Error::Protocol(_)), "{bytes:?}");
            assert!(!failure.by_encryption, "{bytes:?} must not make `prefer` go on in clear");
        }
    }

    #[tokio::test]
    async fn shows_nothing_of_an_error_in_clear() {
        let failure = answered(b"E\0\0\0\x20SFATAL\0Mclick http://evil\0\0").await.unwrap_err();
        assert!(!failure.error.to_string().contains("evil"));
        assert!(failure.by_encryption);
    }

    #[tokio::test]
    async fn reports_a_server_that_hangs_up() {
        let (mut client, server) = tokio::io::duplex(64);
        drop(server);
        assert!(matches!(ask_for_tls(&mut client).await.unwrap_err().error, Error::Io { .. }));
    }

    #[test]
    fn never_ends_in_clear_where_tls_is_required() {
        for mode in [SslMode::Require, SslMode::VerifyCa, SslMode::VerifyFull] {
            assert_eq!(ways(mode), [Encryption::Required]);
        }
        assert_eq!(ways(SslMode::Disable), [Encryption::Plain]);
    }
}
