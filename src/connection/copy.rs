//! From one server's `COPY … TO STDOUT` to another's `COPY … FROM STDIN`, without looking at what is between.
//!
//! `CopyData` is framed alike in both directions: the bytes that one server sends are those that the other expects. Only the
//! headers are read, to find where the data ends; a row that is larger than the buffer passes through in parts.
//!
//! Or to who reads the rows here, one by one.

use std::task::{Context, Poll, ready};

use bytes::Bytes;
use postgres_protocol::message::backend::Message;

use super::codec::{BackendMessage, FrontendMessage, LIMIT};
use super::{Connection, auth};
use crate::error::Error;

const COPY_DATA: u8 = b'd';
const HEADER: usize = 5;

/// How much is read before the target takes it. A socket alone holds too little: it is said to have room when it is nearly
/// empty, and the target has nothing to do until the next bytes are there.
const AHEAD: usize = 512 * 1024;

/// What takes the copy's rows, and what gives them, until one of them fails or all rows are across.
///
/// When it is dropped before [`Splice::finish`] has returned, both connections are of no more use.
#[derive(Debug)]
pub(crate) struct Splice<'a> {
    source: &'a mut Connection,
    target: &'a mut Connection,
    frames: Frames,
    /// How many bytes at the front of what the source's connection has read are data that is still to be written.
    framed: usize,
}

/// Rows on either side. They differ where the target has left some out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) sent: u64,
    pub(crate) taken: u64,
}

/// Which of the two servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Source,
    Target,
}

type Failure = (Side, Error);

impl<'a> Splice<'a> {
    /// Begins both: `from` is a `COPY … TO STDOUT`, `into` a `COPY … FROM STDIN`, of the same format.
    pub(crate) async fn begin(
        source: &'a mut Connection,
        from: &str,
        target: &'a mut Connection,
        into: &str,
    ) -> Result<Self, Failure> {
        source.begin_copy(from, true).await.map_err(at(Side::Source))?;
        target.begin_copy(into, false).await.map_err(at(Side::Target))?;
        Ok(Self { source, target, frames: Frames::default(), framed: 0 })
    }

    /// Brings some more across, and says how many bytes. `None`: there is no more.
    pub(crate) async fn pass(&mut self) -> Result<Option<usize>, Failure> {
        loop {
            if let Some(written) = std::future::poll_fn(|cx| self.poll_pass(cx)).await? {
                return Ok(Some(written));
            }
            if self.source.copy_has_ended().await.map_err(at(Side::Source))? {
                return Ok(None);
            }
        }
    }

    /// Writes what the target takes, and reads ahead meanwhile: neither server waits while the other is at work. A target
    /// that gives up is heard at once. `None`: what comes next is no data, and all before it is across.
    fn poll_pass(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<usize>, Failure>> {
        loop {
            let buffered = self.source.transport.buffered();
            let unread = buffered.get(self.framed..).unwrap_or_default();
            self.framed += self.frames.run(unread).map_err(at(Side::Source))?;
            let (data, next) = buffered.split_at_checked(self.framed).unwrap_or_default();
            let is_last = self.frames.ends_before(next);
            if data.is_empty() && is_last {
                return Poll::Ready(Ok(None));
            }
            if let Poll::Ready(written) = self.target.poll_copy(cx, data) {
                let written = written.map_err(at(Side::Target))?;
                self.source.transport.take(written);
                self.framed -= written;
                return Poll::Ready(Ok(Some(written)));
            }
            if is_last || buffered.len() >= AHEAD {
                return Poll::Pending;
            }
            ready!(self.source.transport.poll_fill(cx)).map_err(at(Side::Source))?;
        }
    }

    /// Lets the target know that this was all, once [`Splice::pass`] has given `None`.
    pub(crate) async fn finish(self) -> Result<Counts, Failure> {
        let sent = self.source.copied().await.map_err(at(Side::Source))?;
        let done = self.target.transport.send(FrontendMessage::CopyDone).await;
        done.map_err(at(Side::Target))?;
        let taken = self.target.copied().await.map_err(at(Side::Target))?;
        Ok(Counts { sent, taken })
    }
}

fn at(side: Side) -> impl Fn(Error) -> Failure {
    move |error| (side, error)
}

/// Where in a run of `CopyData` messages we are.
#[derive(Debug, Default)]
struct Frames {
    /// How much of the message is to come that has begun to pass.
    rest: usize,
}

impl Frames {
    /// How many bytes at the front are `CopyData`, whole or in part: they are taken as gone.
    fn run(&mut self, bytes: &[u8]) -> Result<usize, Error> {
        let mut end = self.rest.min(bytes.len());
        self.rest -= end;
        while self.rest == 0 {
            let Some(&[COPY_DATA, a, b, c, d]) = bytes.get(end..).and_then(<[u8]>::first_chunk::<HEADER>)
            else {
                break;
            };
            // The length counts itself but not the tag.
            let length = usize::try_from(u32::from_be_bytes([a, b, c, d])).unwrap_or(usize::MAX);
            if !(HEADER - 1..=LIMIT).contains(&length) {
                return Err(Error::Protocol(format!(
                    "a CopyData claims a length of {length}, from 4 to {LIMIT} are possible; is this a PostgreSQL server?"
                )));
            }
            let whole = end + 1 + length;
            end = whole.min(bytes.len());
            self.rest = whole - end;
        }
        Ok(end)
    }

    /// Whether another message than `CopyData` comes next, as far as is known.
    fn ends_before(&self, bytes: &[u8]) -> bool {
        self.rest == 0 && bytes.first().is_some_and(|tag| *tag != COPY_DATA)
    }
}

impl Connection {
    /// Begins to read the rows of a `COPY … TO STDOUT`.
    pub(crate) async fn copy_out(&mut self, command: &str) -> Result<(), Error> {
        self.begin_copy(command, true).await
    }

    /// The next of them: a CopyData of a server is one row. `None` if there is no more; then [`copied`](Self::copied) tells how
    /// many they were.
    pub(crate) fn poll_row(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, Error>> {
        loop {
            return Poll::Ready(match ready!(self.transport.poll_message(cx))? {
                BackendMessage::CopyData(row) => Ok(Some(row)),
                BackendMessage::Other(Message::CopyDone) => Ok(None),
                BackendMessage::Other(Message::NoticeResponse(_) | Message::ParameterStatus(_)) => continue,
                other => Err(objection(other)),
            });
        }
    }

    /// Gives a COPY, and reads on until its data begins.
    async fn begin_copy(&mut self, command: &str, is_out: bool) -> Result<(), Error> {
        self.usable()?;
        self.unusable = Some("a copy on it was not brought to its end");
        self.transport.during("while it copied");
        self.transport.send(FrontendMessage::Query(command)).await?;
        loop {
            match self.transport.message().await? {
                BackendMessage::Other(Message::CopyOutResponse(_)) if is_out => return Ok(()),
                BackendMessage::Other(Message::CopyInResponse(_)) if !is_out => return Ok(()),
                BackendMessage::Other(Message::NoticeResponse(_) | Message::ParameterStatus(_)) => {}
                other => return Err(objection(other)),
            }
        }
    }

    /// Reads a message that is not data. Says whether it is the end of the data.
    async fn copy_has_ended(&mut self) -> Result<bool, Error> {
        match self.transport.message().await? {
            BackendMessage::Other(Message::CopyDone) => Ok(true),
            BackendMessage::Other(Message::NoticeResponse(_) | Message::ParameterStatus(_)) => Ok(false),
            other => Err(objection(other)),
        }
    }

    /// Sends some of a copy's data, if there is any, unless the server has given up on it.
    fn poll_copy(&mut self, cx: &mut Context<'_>, data: &[u8]) -> Poll<Result<usize, Error>> {
        if let Poll::Ready(error) = self.poll_objection(cx) {
            return Poll::Ready(Err(error));
        }
        if data.is_empty() {
            return Poll::Pending;
        }
        match self.transport.poll_write(cx, data) {
            // A server that hangs up has said why: it may be read now, if it could not before.
            Poll::Ready(Err(error)) => match self.poll_objection(cx) {
                Poll::Ready(objection @ Error::Server(_)) => Poll::Ready(Err(objection)),
                _ => Poll::Ready(Err(error)),
            },
            sent => sent,
        }
    }

    /// What the server says in the midst of what it is sent: it says nothing if all is well.
    fn poll_objection(&mut self, cx: &mut Context<'_>) -> Poll<Error> {
        loop {
            match ready!(self.transport.poll_message(cx)) {
                Ok(BackendMessage::Other(Message::NoticeResponse(_) | Message::ParameterStatus(_))) => {}
                Ok(other) => return Poll::Ready(objection(other)),
                Err(error) => return Poll::Ready(error),
            }
        }
    }

    /// The end of a COPY: how many rows the server counted.
    pub(crate) async fn copied(&mut self) -> Result<u64, Error> {
        let mut rows = None;
        loop {
            match self.transport.message().await? {
                BackendMessage::Other(Message::CommandComplete(body)) => {
                    let tag = body.tag().unwrap_or_default();
                    rows = tag.strip_prefix("COPY ").and_then(|rows| rows.parse().ok());
                }
                BackendMessage::Other(Message::ReadyForQuery(_)) => break,
                BackendMessage::Other(Message::NoticeResponse(_) | Message::ParameterStatus(_)) => {}
                other => return Err(objection(other)),
            }
        }
        self.unusable = None;
        self.transport.during("during a command");
        rows.ok_or_else(|| Error::Protocol("a COPY ended without the number of its rows".to_owned()))
    }
}

/// The error that a message means which has no place in a copy.
fn objection(message: BackendMessage) -> Error {
    match message {
        BackendMessage::Other(Message::ErrorResponse(body)) => match auth::refusal(&body) {
            Error::Server(refusal) => Error::Server(Box::new(refusal.without_values())),
            other => other,
        },
        other => auth::unexpected("a copy", &other),
    }
}

#[cfg(test)]
mod tests;
