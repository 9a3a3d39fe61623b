//! Bytes to messages and back: the frontend/backend protocol's framing.
//!
//! `postgres_protocol` reads every message but two: it has no name for `CopyBothResponse`, and none for
//! `NegotiateProtocolVersion`. `CopyData` is split off the read buffer without a copy, since on a replication
//! connection almost every byte arrives in one.

use std::io;

use bytes::{Buf, Bytes, BytesMut};
use postgres_protocol::message::backend::{self, Header, Message};
use postgres_protocol::message::frontend;
use tokio_util::codec::{Decoder, Encoder};

/// How much room a read is given: one gulp takes in hundreds of small changes, where the server sends each by itself.
pub(crate) const GULP: usize = 64 * 1024;

/// A read buffer that grew beyond this, for a message that needed it, is let go with that message.
const LARGE: usize = 1024 * 1024;

/// The longest message that the server can build: a `StringInfo` of `MaxAllocSize` bytes, and the length itself.
pub(super) const LIMIT: usize = 0x3FFF_FFFF + 4;

/// The longest message before the server has proved who it is.
///
/// No honest message of the startup phase comes near it (libpq allows 30,000 bytes of error and 2,000 of
/// authentication), and a stranger must not make us hold a gigabyte.
const LIMIT_BEFORE_AUTHENTICATION: usize = 64 * 1024;

const COPY_BOTH: u8 = b'W';
const NEGOTIATE_PROTOCOL_VERSION: u8 = b'v';
const HEADER: usize = 5;

/// A message of the server.
pub(crate) enum BackendMessage {
    /// What was copied: the payload, a slice of the read buffer.
    CopyData(Bytes),
    /// The connection is in `CopyBoth` mode from here on.
    CopyBoth,
    /// The server speaks an older minor version than was asked for, or does not know some `_pq_.` options.
    NegotiateProtocolVersion {
        /// The newest minor version of protocol 3 that it speaks.
        newest_minor: u32,
        /// How many options it did not know.
        unknown_options: u32,
    },
    /// Any other message.
    Other(Message),
}

impl BackendMessage {
    /// The protocol's name for it, for errors.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::CopyData(_) => "CopyData",
            Self::CopyBoth => "CopyBothResponse",
            Self::NegotiateProtocolVersion { .. } => "NegotiateProtocolVersion",
            Self::Other(message) => name(message),
        }
    }
}

fn name(message: &Message) -> &'static str {
    match message {
        Message::AuthenticationOk => "AuthenticationOk",
        Message::AuthenticationCleartextPassword => "AuthenticationCleartextPassword",
        Message::AuthenticationMd5Password(_) => "AuthenticationMD5Password",
        Message::AuthenticationSasl(_) => "AuthenticationSASL",
        Message::AuthenticationSaslContinue(_) => "AuthenticationSASLContinue",
        Message::AuthenticationSaslFinal(_) => "AuthenticationSASLFinal",
        Message::AuthenticationGss | Message::AuthenticationGssContinue(_) => "AuthenticationGSS",
        Message::AuthenticationSspi => "AuthenticationSSPI",
        Message::AuthenticationKerberosV5 => "AuthenticationKerberosV5",
        Message::AuthenticationScmCredential => "AuthenticationSCMCredential",
        Message::BackendKeyData(_) => "BackendKeyData",
        Message::BindComplete => "BindComplete",
        Message::CloseComplete => "CloseComplete",
        Message::CommandComplete(_) => "CommandComplete",
        Message::CopyDone => "CopyDone",
        Message::CopyInResponse(_) => "CopyInResponse",
        Message::CopyOutResponse(_) => "CopyOutResponse",
        Message::DataRow(_) => "DataRow",
        Message::EmptyQueryResponse => "EmptyQueryResponse",
        Message::ErrorResponse(_) => "ErrorResponse",
        Message::NoData => "NoData",
        Message::NoticeResponse(_) => "NoticeResponse",
        Message::NotificationResponse(_) => "NotificationResponse",
        Message::ParameterDescription(_) => "ParameterDescription",
        Message::ParameterStatus(_) => "ParameterStatus",
        Message::ParseComplete => "ParseComplete",
        Message::PortalSuspended => "PortalSuspended",
        Message::ReadyForQuery(_) => "ReadyForQuery",
        Message::RowDescription(_) => "RowDescription",
        _ => "a message without a name here",
    }
}

/// A message to the server.
#[derive(Clone, Copy)]
pub(crate) enum FrontendMessage<'a> {
    /// The first message: protocol 3.0, then pairs of name and value.
    Startup(&'a [(&'a str, &'a str)]),
    /// A password, in clear or hashed.
    Password(&'a [u8]),
    /// The chosen SASL mechanism and its first words.
    SaslInitialResponse {
        /// A name that the server offered.
        mechanism: &'a str,
        /// The mechanism's first message.
        data: &'a [u8],
    },
    /// The SASL mechanism's further words.
    SaslResponse(&'a [u8]),
    /// A replication command or SQL, by the simple query protocol.
    Query(&'a str),
    /// One `CopyData`.
    CopyData(&'a [u8]),
    /// The end of what the client copies.
    CopyDone,
    /// Goodbye.
    Terminate,
}

/// What can be wrong with the bytes themselves.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WireError {
    /// The socket failed.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The bytes are not the protocol.
    #[error("{0}")]
    Broken(String),
}

/// The framing, and how long a message may be.
#[derive(Debug)]
pub(crate) struct Codec {
    limit: usize,
}

impl Codec {
    /// For a server that has not proved who it is yet.
    pub(crate) fn new() -> Self {
        Self { limit: LIMIT_BEFORE_AUTHENTICATION }
    }

    /// From here on messages may be as long as the server can build them.
    pub(crate) fn authenticated(&mut self) {
        self.limit = LIMIT;
    }

    /// How long the message is that the bytes begin with, if they say so yet, and say what can be.
    #[inline]
    pub(crate) fn next_len(&self, bytes: &[u8]) -> Option<usize> {
        self.header(bytes).ok().flatten().map(|(_, length)| length)
    }

    #[inline]
    fn header(&self, bytes: &[u8]) -> Result<Option<(u8, usize)>, WireError> {
        let header = Header::parse(bytes).map_err(|_| too_short(bytes))?;
        let Some(header) = header else { return Ok(None) };
        // `Header::parse` refuses lengths below 4, so the conversion cannot fail.
        let length = usize::try_from(header.len()).map_err(|_| too_short(bytes))?;
        if length > self.limit {
            return Err(too_long(header.tag(), length, self.limit));
        }
        Ok(Some((header.tag(), length)))
    }
}

impl Decoder for Codec {
    type Item = BackendMessage;
    type Error = WireError;

    #[inline]
    fn decode(&mut self, buffer: &mut BytesMut) -> Result<Option<BackendMessage>, WireError> {
        let Some((tag, length)) = self.header(buffer)? else {
            make_room(buffer);
            return Ok(None);
        };
        // The length counts itself but not the tag.
        if buffer.len() <= length {
            make_room(buffer);
            return Ok(None);
        }
        let mut message = buffer.split_to(length + 1);
        if length > LARGE && buffer.len() <= LARGE {
            detach(buffer);
        }
        match tag {
            backend::COPY_DATA_TAG => {
                message.advance(HEADER);
                Ok(Some(BackendMessage::CopyData(message.freeze())))
            }
            COPY_BOTH => copy_both(message.split_off(HEADER)).map(Some),
            NEGOTIATE_PROTOCOL_VERSION => negotiate(message.split_off(HEADER)).map(Some),
            _ => other(tag, &mut message).map(Some),
        }
    }
}

/// Gives the next read a gulp of room, and no more: the claimed length is never allocated before its bytes arrive.
pub(super) fn make_room(buffer: &mut BytesMut) {
    if buffer.capacity() - buffer.len() < GULP / 4 {
        buffer.reserve(GULP);
    }
    if buffer.capacity() > LARGE && buffer.len() < GULP {
        detach(buffer);
    }
}

/// Moves what is left into memory of its own: the buffer would keep all of a large message's for as long as the
/// connection lives.
fn detach(buffer: &mut BytesMut) {
    let mut small = BytesMut::with_capacity(buffer.len() + GULP);
    small.extend_from_slice(buffer);
    *buffer = small;
}

/// `int8` overall format, `int16` number of columns, an `int16` format for each.
fn copy_both(mut payload: BytesMut) -> Result<BackendMessage, WireError> {
    let columns = payload.try_get_u8().ok().and_then(|_format| payload.try_get_u16().ok());
    match columns {
        Some(columns) if payload.len() == 2 * usize::from(columns) => Ok(BackendMessage::CopyBoth),
        _ => Err(malformed(COPY_BOTH)),
    }
}

/// `int32` newest minor version, `int32` number of unknown options, their names as strings.
fn negotiate(mut payload: BytesMut) -> Result<BackendMessage, WireError> {
    let numbers = payload.try_get_u32().ok().zip(payload.try_get_u32().ok());
    let Some((newest_minor, unknown_options)) = numbers else {
        return Err(malformed(NEGOTIATE_PROTOCOL_VERSION));
    };
    let named = payload.as_ref().split(|&byte| byte == 0).skip(1).count();
    if u32::try_from(named) != Ok(unknown_options) || payload.last().is_some_and(|&last| last != 0) {
        return Err(malformed(NEGOTIATE_PROTOCOL_VERSION));
    }
    Ok(BackendMessage::NegotiateProtocolVersion { newest_minor, unknown_options })
}

fn other(tag: u8, message: &mut BytesMut) -> Result<BackendMessage, WireError> {
    match Message::parse(message) {
        Ok(Some(message)) => Ok(BackendMessage::Other(message)),
        Ok(None) => Err(malformed(tag)),
        Err(source) => Err(WireError::Broken(format!(
            "message '{}' cannot be read ({source}); is this a PostgreSQL server?",
            tag.escape_ascii()
        ))),
    }
}

#[cold]
fn too_short(bytes: &[u8]) -> WireError {
    let tag = bytes.first().map(|tag| tag.escape_ascii().to_string()).unwrap_or_default();
    WireError::Broken(format!(
        "message '{tag}' claims a length below 4, which the length field alone takes; is this a PostgreSQL server?"
    ))
}

#[cold]
fn too_long(tag: u8, length: usize, limit: usize) -> WireError {
    let tag = tag.escape_ascii();
    WireError::Broken(format!(
        "message '{tag}' claims {length} bytes, at most {limit} are possible here; is this a PostgreSQL server?"
    ))
}

#[cold]
fn malformed(tag: u8) -> WireError {
    WireError::Broken(format!("message '{}' does not have the layout of its kind", tag.escape_ascii()))
}

impl Encoder<FrontendMessage<'_>> for Codec {
    type Error = WireError;

    fn encode(&mut self, message: FrontendMessage<'_>, buffer: &mut BytesMut) -> Result<(), WireError> {
        match message {
            FrontendMessage::Startup(parameters) => {
                frontend::startup_message(parameters.iter().copied(), buffer)?;
            }
            FrontendMessage::Password(password) => frontend::password_message(password, buffer)?,
            FrontendMessage::SaslInitialResponse { mechanism, data } => {
                frontend::sasl_initial_response(mechanism, data, buffer)?;
            }
            FrontendMessage::SaslResponse(data) => frontend::sasl_response(data, buffer)?,
            FrontendMessage::Query(text) => frontend::query(text, buffer)?,
            FrontendMessage::CopyData(payload) => frontend::CopyData::new(payload)?.write(buffer),
            FrontendMessage::CopyDone => frontend::copy_done(buffer),
            FrontendMessage::Terminate => frontend::terminate(buffer),
        }
        Ok(())
    }
}

#[cfg(fuzzing)]
pub mod pieces;
#[cfg(test)]
mod tests;
