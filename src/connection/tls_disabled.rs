//! The twin of `tls.rs` in a build without the feature `tls`: the same names, and no way to make one.

use std::convert::Infallible;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::auth::EndPoint;
use super::config::{SslConfig, SslMode};
use crate::error::Error;

/// Cannot exist.
#[derive(Debug)]
pub(crate) struct TlsStream(Infallible);

/// Cannot exist either.
#[derive(Debug)]
pub(crate) struct Connector(Infallible);

/// Whom the handshake would be with.
#[expect(dead_code, reason = "there is no handshake")]
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer<'a> {
    /// The name that the certificate must bear.
    pub(crate) host: &'a str,
    /// TLS from the first byte.
    pub(crate) direct: bool,
}

const MISSING: &str = "this build of walferry has no TLS; enable its feature \"tls\"";

impl Connector {
    #[expect(clippy::unused_async, reason = "its twin reads files")]
    pub(crate) async fn load(ssl: &SslConfig) -> Result<Option<Self>, Error> {
        match ssl.mode {
            SslMode::Disable | SslMode::Allow | SslMode::Prefer => Ok(None),
            SslMode::Require | SslMode::VerifyCa | SslMode::VerifyFull => Err(Error::Tls(MISSING.to_owned())),
        }
    }

    #[expect(clippy::unused_async, reason = "its twin talks to the server")]
    pub(crate) async fn handshake(&self, _: TcpStream, _: Peer<'_>) -> Result<(TlsStream, EndPoint), Error> {
        match self.0 {}
    }
}

impl AsyncRead for TlsStream {
    fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, _: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.0 {}
    }
}

impl AsyncWrite for TlsStream {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, _: &[u8]) -> Poll<io::Result<usize>> {
        match self.0 {}
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.0 {}
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.0 {}
    }
}
