//! From a connected socket to a session that is ready.

use std::collections::BTreeMap;
use std::fmt;

use postgres_protocol::message::backend::{Message, ParameterStatusBody};

use super::auth::{self, Channel, Credentials};
use super::codec::{BackendMessage, FrontendMessage};
use super::config::Config;
use super::transport::Transport;
use crate::error::{Error, ServerError};

/// Settings that decide how values are printed, and those that would end a transaction, or keep it from beginning.
///
/// A walsender forces none of them: what the role, the database or the server is set to would change the stream's
/// text. In the startup packet they have precedence over all of those, and over `options`.
///
/// `wal_sender_timeout` is left to the server and to `options`: 0 would make the walsender check for messages before
/// every single change, which costs it nearly a third more CPU time.
const PINNED: [(&str, &str); 15] = [
    ("client_encoding", "UTF8"),
    ("DateStyle", "ISO"),
    ("IntervalStyle", "postgres"),
    // Any positive value gives the shortest text that reads back as the same number; 3 is what PostgreSQL's own
    // subscriber sends, and means "all digits" even to servers before 12, on which some forks are based.
    ("extra_float_digits", "3"),
    ("bytea_output", "hex"),
    ("TimeZone", "UTC"),
    // regclass and its kin print a name without its schema where the path makes it visible.
    ("search_path", "pg_catalog"),
    ("quote_all_identifiers", "off"),
    ("lc_monetary", "C"),
    // That a publication isn't there is a warning.
    ("client_min_messages", "warning"),
    // A backslash in a literal is a backslash.
    ("standard_conforming_strings", "on"),
    ("statement_timeout", "0"),
    ("lock_timeout", "0"),
    ("idle_in_transaction_session_timeout", "0"),
    // A standby refuses even to look something up in a serializable transaction.
    ("default_transaction_isolation", "read committed"),
];

/// What the server said about the session while it began.
#[derive(Debug, Default)]
pub(crate) struct Session {
    parameters: BTreeMap<String, String>,
    cancel_key: Option<CancelKey>,
}

/// What shows the server that a wish to cancel comes from whom it concerns.
#[derive(Clone, Copy)]
pub(crate) struct CancelKey {
    pub(crate) process_id: i32,
    pub(crate) secret: i32,
}

impl fmt::Debug for CancelKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CancelKey").field("process_id", &self.process_id).finish_non_exhaustive()
    }
}

impl Session {
    /// A setting that the server reports: at the start, and whenever it changes.
    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.get(name).map(String::as_str)
    }

    /// The key of `BackendKeyData`; a pooler may give none.
    pub(crate) fn cancel_key(&self) -> Option<CancelKey> {
        self.cancel_key
    }

    /// Takes note of a `ParameterStatus`.
    pub(crate) fn note(&mut self, body: &ParameterStatusBody) -> Result<(), Error> {
        let broken = |_| Error::Protocol("a ParameterStatus that is not UTF-8".to_owned());
        self.parameters
            .insert(body.name().map_err(broken)?.to_owned(), body.value().map_err(broken)?.to_owned());
        Ok(())
    }
}

/// Why no session came about.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) error: Error,
    /// The server refused before it asked who we are: for how we came (with or without TLS), or for want of room.
    pub(crate) unasked: bool,
}

/// What a session is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SessionKind {
    /// `replication=database`: takes replication commands and SQL, and is a walsender.
    Replication,
    /// Takes SQL alone.
    Ordinary,
}

/// Begins a session.
pub(crate) async fn start(
    transport: &mut Transport,
    config: &Config,
    kind: SessionKind,
    credentials: &Credentials<'_>,
    channel: &Channel,
) -> Result<Session, Refusal> {
    let mut asked = false;
    let started = session(transport, config, kind, credentials, channel, &mut asked).await;
    started.map_err(|error| Refusal {
        unasked: !asked && matches!(error, Error::Server(_)),
        error: name_setting(error),
    })
}

async fn session(
    transport: &mut Transport,
    config: &Config,
    kind: SessionKind,
    credentials: &Credentials<'_>,
    channel: &Channel,
    asked: &mut bool,
) -> Result<Session, Error> {
    transport.send(FrontendMessage::Startup(&parameters(config, kind, credentials.user))).await?;
    credentials.authenticate(transport, channel, asked).await?;
    transport.authenticated();
    *asked = true;
    ready(transport).await
}

fn parameters<'a>(config: &'a Config, kind: SessionKind, user: &'a str) -> Vec<(&'a str, &'a str)> {
    let given = [
        ("user", Some(user)),
        ("database", config.database.as_deref()),
        ("replication", (kind == SessionKind::Replication).then_some("database")),
        ("application_name", Some(config.application_name.as_deref().unwrap_or("walferry"))),
        ("options", config.options.as_deref()),
    ];
    given.into_iter().filter_map(|(name, value)| Some((name, value?))).chain(PINNED).collect()
}

/// From `AuthenticationOk` to `ReadyForQuery`.
async fn ready(transport: &mut Transport) -> Result<Session, Error> {
    let mut session = Session::default();
    loop {
        match transport.message().await? {
            BackendMessage::Other(Message::ParameterStatus(body)) => session.note(&body)?,
            BackendMessage::Other(Message::BackendKeyData(body)) => {
                let (process_id, secret) = (body.process_id(), body.secret_key());
                session.cancel_key = Some(CancelKey { process_id, secret });
            }
            BackendMessage::Other(Message::NoticeResponse(_)) => {}
            BackendMessage::Other(Message::ReadyForQuery(_)) => return Ok(session),
            BackendMessage::Other(Message::ErrorResponse(body)) => return Err(auth::refusal(&body)),
            other => return Err(auth::unexpected("ReadyForQuery", &other)),
        }
    }
}

/// A refused setting is named: the server's words alone would not say why anyone set it.
fn name_setting(error: Error) -> Error {
    match error {
        Error::Server(source) => match PINNED.iter().find(|(name, _)| is_about(name, &source)) {
            Some(&(setting, value)) => Error::Setting { setting, value, source },
            None => Error::Server(source),
        },
        other => other,
    }
}

/// By the codes of "unknown setting", "bad value" and "not for you", and the one that poolers use.
fn is_about(setting: &str, error: &ServerError) -> bool {
    matches!(error.sqlstate.as_str(), "42704" | "22023" | "42501" | "08P01")
        && error.message.contains(setting)
}

#[cfg(test)]
mod tests;
