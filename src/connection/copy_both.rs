//! The mode in which both sides send data at any time: what the stream needs of a connection.

use std::task::{Context, Poll};
use std::time::Duration;

use postgres_protocol::message::backend::Message;

use super::codec::{BackendMessage, FrontendMessage};
use super::{Connection, auth};
use crate::error::Error;

/// How long the end of a stream is waited for. A server in the midst of a transaction sends it to its end.
const END: Duration = Duration::from_secs(5);

impl Connection {
    /// Gives a command that is answered with `CopyBothResponse`.
    pub(crate) async fn begin_streaming(&mut self, command: &str) -> Result<(), Error> {
        self.usable()?;
        if self.streamed {
            return Err(Error::Misuse("a connection can start one stream only: open a new one"));
        }
        self.end_transaction().await?;
        self.unusable = Some("it streams");
        self.transport.send(FrontendMessage::Query(command)).await?;
        loop {
            match self.transport.message().await? {
                BackendMessage::CopyBoth => break,
                BackendMessage::Other(Message::NoticeResponse(_) | Message::ParameterStatus(_)) => {}
                other => return Err(self.ended_by(other)),
            }
        }
        self.streamed = true;
        // What was said before the stream is no sign of life in it.
        self.transport.take_heard();
        self.transport.during("while it streamed");
        Ok(())
    }

    /// The next message, if it takes no more than `room`; see [`next_exceeds`](Self::next_exceeds).
    #[inline]
    pub(crate) fn poll_message(
        &mut self,
        cx: &mut Context<'_>,
        room: usize,
    ) -> Poll<Result<BackendMessage, Error>> {
        self.transport.poll_message_within(cx, room)
    }

    /// Whether it is known that the next message takes more than `room`: then it is waited for in vain.
    pub(crate) fn next_exceeds(&self, room: usize) -> bool {
        self.transport.next_exceeds(room)
    }

    /// Whether any bytes have come since this was asked last.
    pub(crate) fn take_heard(&mut self) -> bool {
        self.transport.take_heard()
    }

    pub(crate) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.transport.poll_flush(cx)
    }

    pub(crate) fn feed(&mut self, message: FrontendMessage<'_>) -> Result<(), Error> {
        self.transport.feed(message)
    }

    /// The error that a message means which ends the stream.
    #[expect(clippy::unused_self, reason = "reads as what it is: the connection was ended by this")]
    pub(crate) fn ended_by(&self, message: BackendMessage) -> Error {
        match message {
            BackendMessage::Other(Message::ErrorResponse(body)) => auth::refusal(&body),
            // What a server says that shuts down: it has sent everything, and everything was acknowledged.
            BackendMessage::Other(Message::CopyDone | Message::CommandComplete(_)) => {
                Error::Closed { during: "while it streamed, because it shuts down" }
            }
            other => auth::unexpected("the stream", &other),
        }
    }

    /// Sends what was fed, says that nothing more comes, and reads on until the server takes commands again.
    pub(crate) async fn end_streaming(&mut self) -> Result<(), Error> {
        let ended = async {
            self.transport.send(FrontendMessage::CopyDone).await?;
            loop {
                match self.transport.message().await? {
                    // Data of the transaction that the server was in: it was not acknowledged, and comes again.
                    BackendMessage::CopyData(_)
                    | BackendMessage::Other(
                        Message::CopyDone
                        | Message::CommandComplete(_)
                        | Message::NoticeResponse(_)
                        | Message::ParameterStatus(_),
                    ) => {}
                    BackendMessage::Other(Message::ReadyForQuery(_)) => return Ok(()),
                    other => return Err(self.ended_by(other)),
                }
            }
        };
        let during = || "waiting for the end of the stream".to_owned();
        tokio::time::timeout(END, ended)
            .await
            .map_err(|_| Error::Timeout { during: during(), after: END })??;
        self.transport.during("during a command");
        self.unusable = None;
        Ok(())
    }
}
