use std::fmt;
use std::io;
use std::time::Duration;

use crate::connection::ConfigError;

/// What can go wrong on the I/O side, sorted by who must act.
///
/// No message holds a row's value. [`Error::is_retryable`] tells what passes by itself, [`Error::sqlstate`] what
/// the server called it, [`Error::hint`] what to do about it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The connection parameters are wrong: the caller must change them.
    #[error("connection parameters")]
    Config(#[from] ConfigError),
    /// The system failed: a socket, a file, a name lookup.
    #[error("{during}")]
    Io {
        /// What was being done, and to what.
        during: String,
        /// What the system said.
        source: io::Error,
    },
    /// The server's certificate, or ours, was not accepted.
    #[error("TLS: {0}")]
    Tls(String),
    /// The server asked for something that the client will not or cannot give, or did not prove who it is.
    #[error("authentication: {0}")]
    Authentication(String),
    /// The server refused, with its own words.
    #[error(transparent)]
    Server(Box<ServerError>),
    /// The server does not have what was asked for.
    #[error("{what} needs PostgreSQL {needs} or later; this server is {server}")]
    Unsupported {
        /// What was asked for.
        what: &'static str,
        /// The first major version that has it.
        needs: u32,
        /// What the server calls its version.
        server: String,
    },
    /// The peer broke the frontend/backend protocol.
    #[error("protocol: {0}")]
    Protocol(String),
    /// Nothing came within the time allowed.
    #[error("{during}: no answer within {after:?}")]
    Timeout {
        /// What was being waited for.
        during: String,
        /// How long.
        after: Duration,
    },
    /// The server ended the connection.
    #[error("the server closed the connection {during}")]
    Closed {
        /// What was going on.
        during: &'static str,
    },
}

/// An ErrorResponse of the server.
///
/// `Display` shows severity, code and message. The detail may quote data and is shown only to who asks for it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerError {
    /// `ERROR`, `FATAL` or `PANIC`, never translated.
    pub severity: String,
    /// The five characters of the SQLSTATE.
    pub sqlstate: String,
    /// The primary message, in the server's language.
    pub message: String,
    /// More about the problem; may quote data.
    pub detail: Option<String>,
    /// What the server suggests.
    pub hint: Option<String>,
}

impl fmt::Display for ServerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "server: {} {}: {}", self.severity, self.sqlstate, self.message)
    }
}

impl std::error::Error for ServerError {}

impl Error {
    /// The server's code for the error, when the server said it.
    pub fn sqlstate(&self) -> Option<&str> {
        match self {
            Self::Server(error) => Some(&error.sqlstate),
            _ => None,
        }
    }

    /// Whether the same attempt may succeed later with nothing changed: networks, restarts, a slot still in use.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Io { .. } | Self::Timeout { .. } | Self::Closed { .. } => true,
            Self::Server(error) => matches!(
                error.sqlstate.as_bytes(),
                b"55006" | b"53300" | b"57P01" | b"57P02" | b"57P03" | [b'0', b'8', ..]
            ),
            _ => false,
        }
    }

    /// What to do about it, where that is known.
    pub fn hint(&self) -> Option<&str> {
        let Self::Server(error) = self else { return None };
        let known = match error.sqlstate.as_bytes() {
            b"55006" => {
                "another process uses the slot; a dead one keeps it until wal_sender_timeout has passed"
            }
            b"53300" => "raise max_wal_senders or max_connections, or close other connections",
            b"42501" => "the role needs the REPLICATION attribute: ALTER ROLE … REPLICATION",
            b"22P05" => {
                "a value has no form in the client's encoding; the stream must run with client_encoding UTF8"
            }
            b"42883" => "a column has no binary form; ask for text",
            _ => return error.hint.as_deref(),
        };
        Some(known)
    }
}
