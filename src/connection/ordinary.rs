//! A session for SQL that tokio-postgres drives, on a connection that we made.
//!
//! There is one way to a server: hosts, TLS, authentication and the pinned settings are [`dial`](super::dial)'s, for
//! changes and for SQL alike. tokio-postgres takes a stream of bytes over, and wants to begin a session on it; here one
//! has begun already.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf as _, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::task::JoinSet;
use tokio_postgres::config::SslMode;
use tokio_postgres::tls::NoTlsStream;
use tokio_postgres::{Client, NoTls};

use super::socket::Socket;
use super::{Config, Connection};
use crate::error::{Error, ServerError};

/// What a server says at the least to let somebody in: `AuthenticationOk`, and `ReadyForQuery` outside of a transaction.
const GREETING: &[u8] = b"R\0\0\0\x08\0\0\0\0Z\0\0\0\x05I";

/// A session for SQL. Dropping it closes the socket at once: the server rolls back what is open, as soon as it notices.
pub(crate) struct SqlConnection {
    client: Client,
    process_id: Option<i32>,
    /// The task that moves the bytes; dropping this ends it.
    _driver: JoinSet<()>,
}

impl fmt::Debug for SqlConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqlConnection").finish_non_exhaustive()
    }
}

impl SqlConnection {
    /// Connects as [`Connection::connect`] does, to the server that the parameters name, with the same pinned settings.
    pub(crate) async fn connect(config: &Config) -> Result<Self, Error> {
        Self::over(Connection::connect_ordinary(config).await?).await
    }

    /// Hands a session that is ready over to tokio-postgres.
    async fn over(connection: Connection) -> Result<Self, Error> {
        let process_id = connection.session.cancel_key().map(|key| key.process_id);
        let (socket, left) = connection.transport.into_parts();
        let begun = Begun { greeting: Bytes::from_static(GREETING), left: left.freeze(), socket };
        let mut config = tokio_postgres::Config::new();
        // The name only keeps it from asking the system for one: the server never hears of it.
        config.user("walferry").ssl_mode(SslMode::Disable);
        let begun = config.connect_raw(begun, NoTls).await;
        let (client, connection) =
            begun.map_err(|error| sql_error("while taking the connection over", error))?;
        let mut driver = JoinSet::new();
        driver.spawn(drive(connection));
        Ok(Self { client, process_id, _driver: driver })
    }

    /// The process that works for the session, as the greeting named it; a pooler names none, or one of its own.
    pub(crate) fn process_id(&self) -> Option<i32> {
        self.process_id
    }

    /// What runs statements.
    ///
    /// At the level `debug` it writes parameters to the log by their `Debug`: theirs must show no value.
    pub(crate) fn client(&self) -> &Client {
        &self.client
    }
}

/// A role that may make no schema isn't asked for one that is there.
const SCHEMA: &str = "DO $$ BEGIN \
     IF pg_catalog.to_regnamespace('walferry') IS NULL THEN CREATE SCHEMA IF NOT EXISTS walferry; END IF; END $$";

/// Makes tables of ours, by `CREATE TABLE IF NOT EXISTS walferry.…`, in the schema that holds all of them.
pub(crate) async fn make_room(client: &Client, tables: &str) -> Result<(), tokio_postgres::Error> {
    client.batch_execute(SCHEMA).await?;
    client.batch_execute(tables).await
}

/// Moves the bytes until the connection ends. How it ended, the statement that waits learns.
///
/// Notices go no further. The connection as a future would write them to the log, and a notice may quote a row.
async fn drive(mut connection: tokio_postgres::Connection<Begun, NoTlsStream>) {
    while let Some(Ok(_)) = std::future::poll_fn(|cx| connection.poll_message(cx)).await {}
}

/// An error of tokio-postgres in our words. `during` is "while …".
///
/// No value is in it: of parameters and columns that could not be converted only the number is told, and a message that
/// may quote a row becomes the [detail](ServerError::detail).
pub(crate) fn sql_error(during: &'static str, error: tokio_postgres::Error) -> Error {
    if let Some(refusal) = error.as_db_error() {
        return Error::Server(Box::new(server_error(refusal)));
    }
    if error.is_closed() {
        return Error::Closed { during };
    }
    let what = error.to_string();
    let source = error.into_source().and_then(|source| source.downcast::<io::Error>().ok());
    match source {
        // What postgres-protocol calls invalid input is bytes that are not the protocol, or a text with a NUL.
        Some(source) if source.kind() == io::ErrorKind::InvalidInput => {
            Error::Protocol(format!("{during}: {what}: {source}"))
        }
        Some(source) => Error::Io { during: during.to_owned(), source: *source },
        None => Error::Protocol(format!("{during}: {what}")),
    }
}

fn server_error(refusal: &tokio_postgres::error::DbError) -> ServerError {
    let severity = refusal
        .parsed_severity()
        .map_or_else(|| refusal.severity().to_owned(), |severity| severity.to_string());
    let error = ServerError {
        severity,
        sqlstate: refusal.code().code().to_owned(),
        message: refusal.message().to_owned(),
        detail: refusal.detail().map(str::to_owned),
        hint: refusal.hint().map(str::to_owned),
    };
    error.without_values()
}

/// A socket on which a session has begun, for a client that wants to begin one.
///
/// Whatever the client writes before it has read the greeting is its `StartupMessage`: until a server answers, there
/// is nothing else that it may say. That is swallowed, and everything behind it goes its way untouched.
struct Begun {
    /// What is left to be read of the answer to the `StartupMessage`.
    greeting: Bytes,
    /// What the server had sent behind its own greeting, before the socket was handed over.
    left: Bytes,
    socket: Socket,
}

impl AsyncRead for Begun {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let Self { greeting, left, socket } = &mut *self;
        let ahead = if greeting.is_empty() { left } else { greeting };
        if ahead.is_empty() {
            return Pin::new(socket).poll_read(cx, buffer);
        }
        let given = ahead.split_to(ahead.len().min(buffer.remaining()));
        buffer.put_slice(&given);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Begun {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.greeting.has_remaining() {
            return Poll::Ready(Ok(bytes.len()));
        }
        Pin::new(&mut self.socket).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests;
