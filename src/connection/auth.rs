//! Proving who we are, and letting the server prove who it is.
//!
//! <https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-START-UP>. The server chooses the method;
//! what it may choose is for the parameters to say (`require_auth`, `channel_binding`), since a false server
//! would choose the one that gives the password away.

use std::io;

use fallible_iterator::FallibleIterator as _;
use postgres_protocol::authentication::md5_hash;
use postgres_protocol::authentication::sasl::{
    ChannelBinding as Gs2, SCRAM_SHA_256, SCRAM_SHA_256_PLUS, ScramSha256,
};
use postgres_protocol::message::backend::{AuthenticationSaslBody, Message};

use super::codec::{BackendMessage, FrontendMessage};
use super::config::{AuthMethod, ChannelBinding, RequireAuth};
use super::transport::Transport;
use crate::error::{Error, ServerError};

/// What stands for the TLS connection in SCRAM: `tls-server-end-point`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum EndPoint {
    /// The hash of the server's certificate.
    #[cfg_attr(not(feature = "tls"), expect(dead_code, reason = "only TLS has one"))]
    Hash(Vec<u8>),
    /// No hash is defined for the certificate, and why.
    #[cfg_attr(not(feature = "tls"), expect(dead_code, reason = "only TLS lacks one"))]
    Unknown(String),
}

/// What lies between us and the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Channel {
    /// A network, in clear.
    Plain,
    /// A Unix socket: nobody between.
    Unix,
    /// TLS.
    Tls(EndPoint),
}

/// Who we are, and what the server may ask for.
pub(crate) struct Credentials<'a> {
    pub(crate) user: &'a str,
    pub(crate) password: Option<&'a str>,
    pub(crate) channel_binding: ChannelBinding,
    /// The password may go over a network in clear.
    pub(crate) cleartext_without_tls: bool,
    pub(crate) require_auth: &'a RequireAuth,
}

impl Credentials<'_> {
    /// Takes part in whatever the server asks for until it says `AuthenticationOk`. `asked` is set once the server has
    /// asked for anything: from then on a refusal is about who we are, not about how we came.
    pub(crate) async fn authenticate(
        &self,
        transport: &mut Transport,
        channel: &Channel,
        asked: &mut bool,
    ) -> Result<(), Error> {
        let request = next(transport).await?;
        *asked = !matches!(request, Message::AuthenticationOk);
        match request {
            Message::AuthenticationOk => return self.unasked(),
            Message::AuthenticationCleartextPassword => self.cleartext(transport, channel).await?,
            Message::AuthenticationMd5Password(body) => self.md5(transport, body.salt()).await?,
            Message::AuthenticationSasl(body) => self.sasl(transport, channel, &body).await?,
            other => return Err(unsupported(&BackendMessage::Other(other))),
        }
        match next(transport).await? {
            Message::AuthenticationOk => Ok(()),
            other => Err(unexpected("AuthenticationOk", &BackendMessage::Other(other))),
        }
    }

    /// The server wants no proof: trust, peer, or a client certificate.
    fn unasked(&self) -> Result<(), Error> {
        self.permit(AuthMethod::None)
    }

    async fn cleartext(&self, transport: &mut Transport, channel: &Channel) -> Result<(), Error> {
        self.permit(AuthMethod::Password)?;
        if *channel == Channel::Plain && !self.cleartext_without_tls {
            return Err(refused(
                "the server wants the password in clear over a network without TLS; use sslmode=require or better, \
                 or set password_encryption and pg_hba.conf to scram-sha-256",
            ));
        }
        transport.send(FrontendMessage::Password(self.password()?.as_bytes())).await
    }

    async fn md5(&self, transport: &mut Transport, salt: [u8; 4]) -> Result<(), Error> {
        self.permit(AuthMethod::Md5)?;
        let hash = md5_hash(self.user.as_bytes(), self.password()?.as_bytes(), salt);
        transport.send(FrontendMessage::Password(hash.as_bytes())).await
    }

    async fn sasl(
        &self,
        transport: &mut Transport,
        channel: &Channel,
        offer: &AuthenticationSaslBody,
    ) -> Result<(), Error> {
        let choice = choose(offered(offer)?, channel, self.channel_binding)?;
        self.permit(AuthMethod::ScramSha256)?;
        let mut scram = ScramSha256::new(self.password()?.as_bytes(), choice.gs2());
        let first =
            FrontendMessage::SaslInitialResponse { mechanism: choice.mechanism(), data: scram.message() };
        transport.send(first).await?;
        match next(transport).await? {
            Message::AuthenticationSaslContinue(body) => {
                scram.update(body.data()).map_err(|error| unproved(&error))?;
            }
            other => return Err(unexpected("AuthenticationSASLContinue", &BackendMessage::Other(other))),
        }
        transport.send(FrontendMessage::SaslResponse(scram.message())).await?;
        match next(transport).await? {
            Message::AuthenticationSaslFinal(body) => {
                scram.finish(body.data()).map_err(|error| unproved(&error))
            }
            // A server that does not know the password cannot sign, and might hope that nobody asks.
            Message::AuthenticationOk => {
                Err(refused("the server ended SCRAM without proving that it knows the password"))
            }
            other => Err(unexpected("AuthenticationSASLFinal", &BackendMessage::Other(other))),
        }
    }

    /// `require_auth`, and `channel_binding=require`: only SCRAM binds.
    fn permit(&self, method: AuthMethod) -> Result<(), Error> {
        if self.channel_binding == ChannelBinding::Require && method != AuthMethod::ScramSha256 {
            return Err(Error::Authentication(format!(
                "channel_binding=require, but the server chose \"{}\", which binds nothing",
                word(method)
            )));
        }
        if !self.require_auth.accepts(method) {
            let method = word(method);
            return Err(Error::Authentication(format!(
                "require_auth does not allow \"{method}\", which the server chose"
            )));
        }
        Ok(())
    }

    fn password(&self) -> Result<&str, Error> {
        self.password.filter(|password| !password.is_empty()).ok_or_else(|| {
            Error::Authentication(format!(
                "the server wants a password for \"{}\", and there is none: set password, PGPASSWORD or the password file",
                self.user
            ))
        })
    }
}

/// The word of `require_auth` for it.
fn word(method: AuthMethod) -> &'static str {
    match method {
        AuthMethod::None => "none",
        AuthMethod::Password => "password",
        AuthMethod::Md5 => "md5",
        _ => "scram-sha-256",
    }
}

/// The mechanism, and the channel binding flag of its GS2 header (RFC 5802, section 6).
#[derive(Debug, PartialEq, Eq)]
enum Choice<'a> {
    /// `p`: bound to this certificate.
    Bound(&'a [u8]),
    /// `y`: we could, and think that the server cannot. A server that can then knows that someone lies.
    ServerCannot,
    /// `n`: we cannot.
    ClientCannot,
}

impl Choice<'_> {
    fn mechanism(&self) -> &'static str {
        match self {
            Self::Bound(_) => SCRAM_SHA_256_PLUS,
            Self::ServerCannot | Self::ClientCannot => SCRAM_SHA_256,
        }
    }

    fn gs2(&self) -> Gs2 {
        match self {
            Self::Bound(hash) => Gs2::tls_server_end_point(hash.to_vec()),
            Self::ServerCannot => Gs2::unrequested(),
            Self::ClientCannot => Gs2::unsupported(),
        }
    }
}

/// Which of the two SCRAMs the server offers.
#[derive(Debug, Clone, Copy, Default)]
struct Offer {
    plain: bool,
    plus: bool,
}

fn offered(body: &AuthenticationSaslBody) -> Result<Offer, Error> {
    let mut offer = Offer::default();
    let mut mechanisms = body.mechanisms();
    let broken = |_| Error::Protocol("AuthenticationSASL holds no list of mechanisms".to_owned());
    while let Some(mechanism) = mechanisms.next().map_err(broken)? {
        offer.plain |= mechanism == SCRAM_SHA_256;
        offer.plus |= mechanism == SCRAM_SHA_256_PLUS;
    }
    Ok(offer)
}

fn choose(offer: Offer, channel: &Channel, wanted: ChannelBinding) -> Result<Choice<'_>, Error> {
    if offer.plus && !matches!(channel, Channel::Tls(_)) {
        // libpq's check: an honest server never does, so someone ended the TLS on the way.
        return Err(refused("the server offers SCRAM-SHA-256-PLUS without TLS; is someone between?"));
    }
    let choice = match (channel, wanted) {
        (_, ChannelBinding::Disable) | (Channel::Plain | Channel::Unix, ChannelBinding::Prefer) => {
            Choice::ClientCannot
        }
        (Channel::Plain | Channel::Unix, ChannelBinding::Require) => {
            return Err(refused("channel_binding=require, but the connection has no TLS to bind to"));
        }
        (Channel::Tls(EndPoint::Unknown(why)), ChannelBinding::Require) => {
            return Err(Error::Authentication(format!("channel_binding=require, but {why}")));
        }
        // Not `y`: the server can, and would take that for an attack.
        (Channel::Tls(EndPoint::Unknown(_)), ChannelBinding::Prefer) => Choice::ClientCannot,
        (Channel::Tls(EndPoint::Hash(hash)), _) if offer.plus => Choice::Bound(hash),
        (Channel::Tls(EndPoint::Hash(_)), ChannelBinding::Require) => {
            return Err(refused("channel_binding=require, but the server does not offer SCRAM-SHA-256-PLUS"));
        }
        (Channel::Tls(EndPoint::Hash(_)), ChannelBinding::Prefer) => Choice::ServerCannot,
    };
    if !offer.plain && !matches!(choice, Choice::Bound(_)) {
        return Err(refused("the server offers no SASL mechanism that can be used here; SCRAM-SHA-256 can"));
    }
    Ok(choice)
}

/// The next message of the authentication, past notices; what refuses is an error.
pub(crate) async fn next(transport: &mut Transport) -> Result<Message, Error> {
    loop {
        match transport.message().await? {
            BackendMessage::Other(Message::ErrorResponse(body)) => return Err(refusal(&body)),
            BackendMessage::Other(Message::NoticeResponse(_)) => {}
            BackendMessage::Other(message) => return Ok(message),
            BackendMessage::NegotiateProtocolVersion { newest_minor, unknown_options } => {
                accept(newest_minor, unknown_options)?;
            }
            other => return Err(unexpected("an authentication message", &other)),
        }
    }
}

/// An `ErrorResponse` as an error.
pub(crate) fn refusal(body: &postgres_protocol::message::backend::ErrorResponseBody) -> Error {
    match ServerError::read(body.fields()) {
        Ok(error) => Error::Server(Box::new(error)),
        Err(_) => Error::Protocol("an ErrorResponse whose fields cannot be read".to_owned()),
    }
}

/// We ask for protocol 3.0 and no options: a server that answers at all can do that.
///
/// The field holds the whole version number (3 << 16 | minor) on the servers that exist, the minor alone by the manual.
fn accept(newest: u32, unknown_options: u32) -> Result<(), Error> {
    if newest & 0xFFFF_0000 != 3 << 16 && newest >> 16 != 0 || unknown_options != 0 {
        return Err(Error::Protocol(
            "the server cannot speak protocol 3.0, or refuses options that were not sent".to_owned(),
        ));
    }
    Ok(())
}

fn refused(why: &str) -> Error {
    Error::Authentication(why.to_owned())
}

fn unproved(error: &io::Error) -> Error {
    Error::Authentication(format!("SCRAM-SHA-256 failed: {error}"))
}

fn unsupported(message: &BackendMessage) -> Error {
    let name = message.name();
    if name.starts_with("Authentication") {
        return Error::Authentication(format!(
            "the server wants {name}; this client knows scram-sha-256, md5, password and client certificates"
        ));
    }
    unexpected("an authentication request", message)
}

/// The peer is out of order.
pub(crate) fn unexpected(expected: &str, message: &BackendMessage) -> Error {
    Error::Protocol(format!("expected {expected}, got {}", message.name()))
}

#[cfg(test)]
mod tests;
