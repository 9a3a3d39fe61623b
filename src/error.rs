use std::fmt;
use std::io;
use std::time::Duration;

use fallible_iterator::FallibleIterator as _;
use postgres_protocol::message::backend::ErrorFields;

use crate::capture::CaptureError;
use crate::connection::ConfigError;
use crate::copy::CopyRowError;
use crate::session::{SessionError, SourceChanged};

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
    /// No host could be used.
    #[error(transparent)]
    Connect(ConnectError),
    /// TLS was asked for and could not be had, or a certificate was not accepted.
    #[error("TLS: {0}")]
    Tls(String),
    /// A certificate or a key cannot be had from where a parameter says it is.
    #[error("{setting}: {problem}")]
    Certificate {
        /// The parameter: `sslrootcert`, `sslcert` or `sslkey`.
        setting: &'static str,
        /// Which file, what is wrong with it, and what to do.
        problem: String,
    },
    /// The server is not of the kind that `target_session_attrs` asks for.
    #[error("the server is not {wanted}, as target_session_attrs wants it")]
    WrongRole {
        /// The kind: `read-write`, `read-only`, `primary` or `standby`.
        wanted: &'static str,
    },
    /// The server asked for something that the client will not or cannot give, or did not prove who it is.
    #[error("authentication: {0}")]
    Authentication(String),
    /// The server will not take a setting without which values would not arrive as they were written.
    #[error(
        "the server refuses the session setting {setting} = '{value}', without which values would arrive altered"
    )]
    Setting {
        /// The setting's name.
        setting: &'static str,
        /// What it must be.
        value: &'static str,
        /// How the server put it.
        source: Box<ServerError>,
    },
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
    /// An earlier call left the connection in the middle of an exchange: the caller must open a new one.
    #[error("this connection is of no more use: {because}; open a new one")]
    Unusable {
        /// What happened to it.
        because: &'static str,
    },
    /// The stream can't be followed any further: bytes that no server sends, an order in which none sends them, or a
    /// position of another history.
    #[error(transparent)]
    Session(#[from] SessionError),
    /// The source is not the one that the consumer has followed up to now.
    #[error(transparent)]
    Source(#[from] SourceChanged),
    /// The capture file can't be read.
    #[error(transparent)]
    Capture(#[from] CaptureError),
    /// What a COPY gave is no row.
    #[error(transparent)]
    CopyRow(#[from] CopyRowError),
    /// The sink failed. What it had not made durable is not acknowledged.
    #[error("the sink")]
    Sink(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A server isn't in the state that this step needs: somebody has to change it.
    #[error("{problem}")]
    Precondition {
        /// What is wrong, and where. No row's value is in it.
        problem: String,
        /// What to do about it.
        mend: String,
    },
    /// The caller asked for what makes no sense.
    #[error("{0}")]
    Misuse(&'static str),
}

/// Every host that was tried, and why it was of no use.
///
/// ```
/// # async fn example(config: walferry::Config) {
/// match walferry::Connection::connect(&config).await {
///     Err(walferry::Error::Connect(failed)) => {
///         for attempt in failed.attempts() {
///             eprintln!("{}: {}", attempt.host(), attempt.error());
///         }
///     }
///     _ => {}
/// }
/// # }
/// ```
#[derive(Debug)]
pub struct ConnectError {
    attempts: Vec<Attempt>,
}

/// One host or address that was tried.
#[derive(Debug)]
pub struct Attempt {
    host: String,
    error: Error,
}

impl Attempt {
    pub(crate) fn new(host: String, error: Error) -> Self {
        Self { host, error }
    }

    /// What was tried, as in `db.example.org port 5432 (10.0.0.7)`.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Why it was of no use.
    pub fn error(&self) -> &Error {
        &self.error
    }
}

impl ConnectError {
    pub(crate) fn new(attempts: Vec<Attempt>) -> Self {
        Self { attempts }
    }

    /// What was tried, in the order of trying.
    pub fn attempts(&self) -> &[Attempt] {
        &self.attempts
    }

    /// The error that ended the search.
    fn last(&self) -> Option<&Error> {
        self.attempts.last().map(Attempt::error)
    }
}

impl fmt::Display for ConnectError {
    /// All on one line, causes included: there is no single source that `Error::source` could name.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("cannot connect")?;
        for (nth, attempt) in self.attempts.iter().enumerate() {
            write!(f, "{} {}: {}", if nth == 0 { " to" } else { ";" }, attempt.host, attempt.error)?;
            let mut cause = std::error::Error::source(&attempt.error);
            while let Some(error) = cause {
                write!(f, ": {error}")?;
                cause = error.source();
            }
        }
        Ok(())
    }
}

impl std::error::Error for ConnectError {}

/// An `ErrorResponse` of the server.
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
            Self::Setting { source, .. } => Some(&source.sqlstate),
            Self::Connect(error) => error.last()?.sqlstate(),
            _ => None,
        }
    }

    /// Whether the same attempt may succeed later with nothing changed: networks, restarts, a slot still in use.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Io { .. } | Self::Timeout { .. } | Self::Closed { .. } | Self::WrongRole { .. } => true,
            Self::Server(error) => error.is_retryable(),
            // One host that may come back is enough.
            Self::Connect(error) => error.attempts.iter().any(|attempt| attempt.error.is_retryable()),
            _ => false,
        }
    }

    /// The error with what caused it, on one line.
    #[cfg(feature = "tracing")]
    pub(crate) fn with_causes(&self) -> impl fmt::Display {
        let causes = std::iter::successors(std::error::Error::source(self), |error| error.source());
        causes.fold(self.to_string(), |line, cause| format!("{line}: {cause}")).replace('\n', " ")
    }

    /// What to do about it, where that is known.
    pub fn hint(&self) -> Option<&str> {
        match self {
            Self::Server(error) => error.known_hint().or(error.hint.as_deref()),
            Self::Connect(error) => error.last()?.hint(),
            Self::Source(changed) => Some(changed.hint()),
            Self::Precondition { mend, .. } => Some(mend),
            #[cfg(feature = "postgres")]
            Self::Sink(error) => error.downcast_ref::<crate::sink::postgres::ApplyError>()?.hint(),
            Self::Setting { .. } => {
                Some("connect to the server itself, not through a pooler that filters settings")
            }
            _ => None,
        }
    }
}

impl ServerError {
    /// Reads the fields of an `ErrorResponse` or `NoticeResponse`.
    ///
    /// What is not UTF-8 is shown with replacement characters: before authentication the server may still speak its
    /// own encoding, and a message to read is better than none.
    pub(crate) fn read(mut fields: ErrorFields<'_>) -> io::Result<Self> {
        let mut error = Self::blank();
        let mut translated = String::new();
        while let Some(field) = fields.next()? {
            let value = String::from_utf8_lossy(field.value_bytes()).into_owned();
            match field.type_() {
                b'S' => translated = value,
                b'V' => error.severity = value,
                b'C' => error.sqlstate = value,
                b'M' => error.message = value,
                b'D' => error.detail = Some(value),
                b'H' => error.hint = Some(value),
                _ => {}
            }
        }
        if error.severity.is_empty() {
            error.severity = translated;
        }
        Ok(error)
    }

    fn blank() -> Self {
        Self {
            severity: String::new(),
            sqlstate: String::new(),
            message: String::new(),
            detail: None,
            hint: None,
        }
    }

    /// The same for a statement that rows were given to: a message that may quote one becomes the detail.
    #[cfg(feature = "postgres")]
    pub(crate) fn without_values(self) -> Self {
        if !self.may_quote() {
            return self;
        }
        let said = [Some(self.message), self.detail, self.hint];
        let words = said.into_iter().flatten().collect::<Vec<_>>().join("\n");
        Self { message: WITHHELD.to_owned(), detail: Some(words), hint: None, ..self }
    }

    /// Whether the primary message may quote a value: of a data exception it does (`invalid input syntax for type
    /// integer: "…"`), and what a function raises may say anything.
    #[cfg(feature = "postgres")]
    fn may_quote(&self) -> bool {
        matches!(self.sqlstate.as_bytes(), [b'2', b'2', ..] | [b'P', b'0', ..])
    }

    fn is_retryable(&self) -> bool {
        matches!(self.sqlstate.as_bytes(), b"55006" | b"53300" | b"57P01" | b"57P02" | b"57P03" | [b'0', b'8', ..])
            // 08P01 says that the two sides do not understand each other; they will not tomorrow either.
            && self.sqlstate != "08P01"
    }

    fn known_hint(&self) -> Option<&'static str> {
        Some(match self.sqlstate.as_bytes() {
            b"55006" => {
                "another process uses the slot; a dead one keeps it until wal_sender_timeout has passed"
            }
            b"53300" => "raise max_wal_senders or max_connections, or close other connections",
            b"42704" if self.message.contains("publication") => NO_PUBLICATION,
            b"42704" if self.message.contains("replication slot") => {
                "create the slot before its stream; pg_replication_slots lists those that exist, and a temporary one is gone with \
                 its connection"
            }
            // As versions up to 15 put it, and from 16 on.
            b"42501" if ["replication", "WAL sender"].iter().any(|word| self.message.contains(word)) => {
                "the role needs the REPLICATION attribute: ALTER ROLE … REPLICATION"
            }
            b"22P05" => {
                "a value has no form in the client's encoding; the stream must run with client_encoding UTF8"
            }
            b"42883" if self.message.contains("binary") => "a column has no binary form; ask for text",
            b"28000" if self.message.contains("is not permitted to log in") => "ALTER ROLE … LOGIN",
            // Of a role that doesn't exist it says all.
            b"28000" if !self.message.starts_with("role ") => {
                "pg_hba.conf must have a line for this role, database and address (the database's own name, not the word replication)"
            }
            b"55000" if self.severity == "WARNING" => NO_PUBLICATION,
            b"55000" if self.message.contains("replication slot") => {
                "the slot no longer has what was to come, see max_slot_wal_keep_size: drop it, and copy everything anew into an \
                 empty sink"
            }
            b"28P01" => "the password is wrong, or the role has none",
            b"3D000" => "the database does not exist",
            _ => return None,
        })
    }
}

/// What stands in place of a message that may quote a row.
#[cfg(feature = "postgres")]
const WITHHELD: &str = "the server's words for it may quote a row and are left out here; its log has them";

const NO_PUBLICATION: &str = "changes from before the publication existed can't be read through it: make the publication first, the slot second";

#[cfg(test)]
mod tests {
    use super::*;

    fn server(sqlstate: &str) -> Error {
        Error::Server(Box::new(ServerError { sqlstate: sqlstate.to_owned(), ..ServerError::blank() }))
    }

    #[test]
    fn retries_what_passes_by_itself() {
        for sqlstate in ["55006", "53300", "57P01", "57P02", "57P03", "08000", "08003", "08006"] {
            assert!(server(sqlstate).is_retryable(), "{sqlstate}");
        }
        for sqlstate in [
            "28P01", "28000", "42501", "42704", "55000", "08P01", "0A000", "42883", "22P05", "58P01", "XX000",
        ] {
            assert!(!server(sqlstate).is_retryable(), "{sqlstate}");
        }
        assert!(Error::Closed { during: "at rest" }.is_retryable());
        assert!(!Error::Unusable { because: "a timeout" }.is_retryable());
    }

    #[test]
    fn a_slot_that_is_gone_is_told_with_a_way_out() {
        let told = |sqlstate: &str, message: &str| {
            let message = message.to_owned();
            let error = ServerError { sqlstate: sqlstate.to_owned(), message, ..ServerError::blank() };
            Error::Server(Box::new(error)).hint().unwrap_or_default().to_owned()
        };
        // As 14, 16 and 18 put it.
        for message in ["cannot read from logical", "can no longer get changes from", "can no longer access"]
        {
            let hint = told("55000", &format!("{message} replication slot \"s\""));
            assert!(hint.contains("max_slot_wal_keep_size"), "{hint}");
        }
        assert!(told("42704", "replication slot \"s\" does not exist").contains("temporary"));
        let start = "must be superuser or replication role to start walsender";
        for message in [start, "permission denied to start WAL sender"] {
            assert!(told("42501", message).contains("REPLICATION"), "{message}");
        }
        assert_eq!(told("42501", "permission denied for table orders"), "");
        assert!(told("28000", "no pg_hba.conf entry for host").contains("pg_hba.conf"));
        assert!(told("28000", "role \"r\" is not permitted to log in").contains("LOGIN"));
        assert_eq!(told("28000", "role \"r\" does not exist"), "");
        assert_eq!(told("55000", "something else"), "");
    }

    #[cfg(feature = "tracing")]
    #[test]
    fn an_error_is_told_with_its_causes_on_one_line() {
        let source = io::Error::other("reset\nby peer");
        let error = Error::Io { during: "receiving".to_owned(), source };
        assert_eq!(error.with_causes().to_string(), "receiving: reset by peer");
    }

    #[test]
    fn names_every_host_on_one_line() {
        let refused = Error::Io {
            during: "opening a socket".to_owned(),
            source: io::Error::new(io::ErrorKind::ConnectionRefused, "refused"),
        };
        let attempts = vec![
            Attempt::new("a port 1".to_owned(), refused),
            Attempt::new("b port 2".to_owned(), server("28P01")),
        ];
        let error = Error::Connect(ConnectError::new(attempts));
        assert_eq!(
            error.to_string(),
            "cannot connect to a port 1: opening a socket: refused; b port 2: server:  28P01: "
        );
        assert_eq!(error.sqlstate(), Some("28P01"));
        assert!(error.is_retryable());
        assert!(error.hint().is_some());
    }
}
