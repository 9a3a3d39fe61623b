//! The three kinds of socket as one type.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};

use super::tls::TlsStream;

/// A connected socket.
#[derive(Debug)]
pub(crate) enum Socket {
    /// On this machine.
    Unix(UnixStream),
    /// In clear.
    Tcp(TcpStream),
    /// Encrypted.
    Tls(Box<TlsStream>),
    /// Given up: nothing comes and nothing goes.
    Closed,
    /// To a peer that a test scripts.
    #[cfg(test)]
    Pipe(tokio::io::DuplexStream),
}

/// Calls the same method of whichever socket it is.
macro_rules! each {
    ($socket:expr, $closed:expr, $method:ident $(, $argument:expr)*) => {
        match $socket.get_mut() {
            Socket::Closed => Poll::Ready($closed),
            Socket::Unix(socket) => Pin::new(socket).$method($($argument),*),
            Socket::Tcp(socket) => Pin::new(socket).$method($($argument),*),
            Socket::Tls(socket) => Pin::new(socket.as_mut()).$method($($argument),*),
            #[cfg(test)]
            Socket::Pipe(socket) => Pin::new(socket).$method($($argument),*),
        }
    };
}

impl AsyncRead for Socket {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        each!(self, Ok(()), poll_read, cx, buffer)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        each!(self, Err(io::ErrorKind::NotConnected.into()), poll_write, cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(self, Ok(()), poll_flush, cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(self, Ok(()), poll_shutdown, cx)
    }
}
