//! A socket and its two buffers: messages in, messages out.
//!
//! Not `tokio_util::codec::Framed`: its write half needs the `Sink` trait, its buffer sinks to small reads once
//! slices of it are lent out, and a replication stream wants to say itself when to flush.

use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

#[cfg(feature = "postgres")]
use bytes::Buf as _;
use bytes::BytesMut;
use futures_core::Stream;
use tokio::io::{AsyncReadExt as _, AsyncWrite as _, AsyncWriteExt as _};
use tokio_util::codec::{Decoder as _, Encoder as _};

#[cfg(feature = "postgres")]
use super::codec::make_room;
use super::codec::{BackendMessage, Codec, FrontendMessage, GULP, WireError};
use super::socket::Socket;
use crate::error::Error;

/// One connection's bytes, framed.
///
/// Every method is cancel-safe: what a dropped future had read or not yet written stays in the buffers.
#[derive(Debug)]
pub(crate) struct Transport {
    socket: Socket,
    codec: Codec,
    read: BytesMut,
    write: BytesMut,
    /// What goes on, for the error when the server hangs up.
    during: &'static str,
    /// The bytes were not the protocol: nothing after them can be trusted to begin where it seems to.
    broken: bool,
    /// Whether any bytes have come since somebody asked.
    has_heard: bool,
}

impl Transport {
    pub(crate) fn new(socket: Socket) -> Self {
        Self {
            socket,
            codec: Codec::new(),
            read: BytesMut::with_capacity(GULP),
            write: BytesMut::new(),
            during: "while connecting",
            broken: false,
            has_heard: false,
        }
    }

    /// Lifts the limit on message lengths: the server has proved who it is.
    pub(crate) fn authenticated(&mut self) {
        self.codec.authenticated();
    }

    /// Says what goes on from here: "while …", for the error when the server hangs up.
    pub(crate) fn during(&mut self, what: &'static str) {
        self.during = what;
    }

    /// Puts a message into the write buffer. Nothing is sent before [`Transport::flush`].
    pub(crate) fn feed(&mut self, message: FrontendMessage<'_>) -> Result<(), Error> {
        self.codec.encode(message, &mut self.write).map_err(|error| match error {
            // The encoder does no I/O: what it calls an I/O error is a string with a NUL or a message over 2 GiB.
            WireError::Io(source) => Error::Io { during: "writing a message".to_owned(), source },
            WireError::Broken(what) => Error::Protocol(what),
        })
    }

    /// Sends what the write buffer holds.
    pub(crate) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        while !self.write.is_empty() {
            let written = ready!(pin!(self.socket.write_buf(&mut self.write)).poll(cx)).map_err(sending)?;
            if written == 0 {
                return Poll::Ready(Err(sending(io::ErrorKind::WriteZero.into())));
            }
        }
        Pin::new(&mut self.socket).poll_flush(cx).map_err(sending)
    }

    /// Sends what the write buffer holds.
    pub(crate) async fn flush(&mut self) -> Result<(), Error> {
        std::future::poll_fn(|cx| self.poll_flush(cx)).await
    }

    /// Puts a message into the write buffer and sends it.
    pub(crate) async fn send(&mut self, message: FrontendMessage<'_>) -> Result<(), Error> {
        self.feed(message)?;
        self.flush().await
    }

    /// The next message. The end of the connection is [`Error::Closed`].
    pub(crate) fn poll_message(&mut self, cx: &mut Context<'_>) -> Poll<Result<BackendMessage, Error>> {
        self.poll_message_within(cx, usize::MAX)
    }

    /// The next message, if it takes no more than `room`. One that does is left where it is, most of it on the way:
    /// then [`next_exceeds`](Self::next_exceeds) is true, and nothing that arrives wakes the caller.
    #[inline]
    pub(crate) fn poll_message_within(
        &mut self,
        cx: &mut Context<'_>,
        room: usize,
    ) -> Poll<Result<BackendMessage, Error>> {
        if self.broken {
            return Poll::Ready(Err(Error::Unusable { because: "the server broke the protocol" }));
        }
        loop {
            if self.next_exceeds(room) {
                return Poll::Pending;
            }
            match self.codec.decode(&mut self.read) {
                Ok(Some(message)) => return Poll::Ready(Ok(message)),
                Ok(None) => {}
                Err(WireError::Broken(what)) => {
                    self.broken = true;
                    return Poll::Ready(Err(Error::Protocol(what)));
                }
                Err(WireError::Io(source)) => return Poll::Ready(Err(receiving(source))),
            }
            let read = ready!(pin!(self.socket.read_buf(&mut self.read)).poll(cx)).map_err(receiving)?;
            if read == 0 {
                return Poll::Ready(Err(self.closed()));
            }
            self.has_heard = true;
        }
    }

    /// Whether any bytes have come since this was asked last.
    pub(crate) fn take_heard(&mut self) -> bool {
        std::mem::take(&mut self.has_heard)
    }

    /// Whether it is known that the next message takes more than `room`.
    #[inline]
    pub(crate) fn next_exceeds(&self, room: usize) -> bool {
        self.codec.next_len(&self.read).is_some_and(|next| next > room)
    }

    /// The next message. The end of the connection is [`Error::Closed`].
    pub(crate) async fn message(&mut self) -> Result<BackendMessage, Error> {
        std::future::poll_fn(|cx| self.poll_message(cx)).await
    }

    /// What has been read beyond the last message.
    #[cfg(feature = "postgres")]
    pub(super) fn buffered(&self) -> &[u8] {
        &self.read
    }

    /// Takes bytes from the front of what has been read.
    #[cfg(feature = "postgres")]
    pub(super) fn take(&mut self, bytes: usize) {
        self.read.advance(bytes);
    }

    /// Reads more, behind what has been read. The end of the connection is an error.
    #[cfg(feature = "postgres")]
    pub(super) fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        make_room(&mut self.read);
        let read = ready!(pin!(self.socket.read_buf(&mut self.read)).poll(cx)).map_err(receiving)?;
        Poll::Ready(if read == 0 { Err(self.closed()) } else { Ok(()) })
    }

    /// Sends bytes that are framed already, as many as go at once. Nothing may wait in the write buffer.
    #[cfg(feature = "postgres")]
    pub(super) fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<Result<usize, Error>> {
        let written = ready!(Pin::new(&mut self.socket).poll_write(cx, bytes)).map_err(sending)?;
        Poll::Ready(if written == 0 { Err(sending(io::ErrorKind::WriteZero.into())) } else { Ok(written) })
    }

    /// The socket, and what has been read from it beyond the last message.
    #[cfg(feature = "postgres")]
    pub(super) fn into_parts(self) -> (Socket, BytesMut) {
        (self.socket, self.read)
    }

    /// Says goodbye as well as it can be said at once, and closes.
    pub(crate) async fn close(mut self) {
        // The server ends the session at EOF just as well: a goodbye that cannot be sent is nothing to report.
        if self.send(FrontendMessage::Terminate).await.is_ok() {
            let _ = self.socket.shutdown().await;
        }
    }

    /// Closes the socket at once, whatever is on its way.
    pub(crate) fn hang_up(&mut self) {
        self.socket = Socket::Closed;
    }

    /// Tells the server that nothing more will come.
    pub(crate) async fn shutdown(&mut self) {
        // Best done is done: the socket may be gone already.
        let _ = self.socket.shutdown().await;
    }

    fn closed(&self) -> Error {
        if self.read.is_empty() {
            return Error::Closed { during: self.during };
        }
        let source = io::Error::new(io::ErrorKind::UnexpectedEof, "the connection ended inside a message");
        receiving(source)
    }
}

impl Stream for Transport {
    type Item = Result<BackendMessage, Error>;

    /// Never ends by itself: the end of the connection is an error, and is so again when asked again.
    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().poll_message(cx).map(Some)
    }
}

fn sending(source: io::Error) -> Error {
    Error::Io { during: "sending to the server".to_owned(), source }
}

fn receiving(source: io::Error) -> Error {
    Error::Io { during: "receiving from the server".to_owned(), source }
}
