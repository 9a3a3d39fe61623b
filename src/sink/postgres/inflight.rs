//! Statements that are on their way, one behind the other, without waiting for each.

use std::collections::VecDeque;
use std::future::Future;
use std::task::{Context, Poll, Waker};

use tokio::task::JoinSet;
use tokio_postgres::Error;

/// Statements in the order in which the server gets them.
#[derive(Default)]
pub(super) struct InFlight {
    open: VecDeque<Statement>,
}

struct Statement {
    answer: Answer,
    expected: Expected,
    of: usize,
}

enum Answer {
    Ready(Result<u64, Error>),
    /// A task takes it in, whatever else is waited for: the connection gives nobody anything while somebody before him
    /// doesn't take what is his. Each notice of a trigger is a part of its own.
    Awaited(JoinSet<Result<u64, Error>>),
}

/// How many rows a statement has to find or change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Expected {
    Rows(u64),
    /// One, or none.
    AtMostOne,
    /// It isn't one that counts.
    Anything,
}

/// What went wrong first.
#[derive(Debug)]
pub(super) enum Trouble {
    /// It found so many rows.
    Found(u64),
    Server(Error),
}

impl InFlight {
    /// Sends a statement. `of` says later which it was, if it fails.
    pub(super) fn send(
        &mut self,
        answer: impl Future<Output = Result<u64, Error>> + Send + 'static,
        expected: Expected,
        of: usize,
    ) {
        let mut answer = Box::pin(answer);
        // A request goes out when it is first asked for its answer: now, before any that follow.
        let answer = match answer.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(ready) => Answer::Ready(ready),
            Poll::Pending => {
                let mut task = JoinSet::new();
                task.spawn(answer);
                Answer::Awaited(task)
            }
        };
        self.open.push_back(Statement { answer, expected, of });
    }

    /// Waits until no more than that many are on their way.
    ///
    /// # Errors
    ///
    /// The first that failed, and which it was. What was sent behind it is forgotten: the server skips it.
    pub(super) async fn settle(&mut self, left: usize) -> Result<(), (usize, Trouble)> {
        while self.open.len() > left {
            let Some(Statement { answer, expected, of }) = self.open.pop_front() else { break };
            let answer = match answer {
                Answer::Ready(ready) => Some(ready),
                // None if it panicked, which it told by itself.
                Answer::Awaited(mut task) => task.join_next().await.and_then(Result::ok),
            };
            let trouble = match answer {
                Some(Ok(rows)) if expected.allows(rows) => continue,
                Some(Ok(rows)) => Trouble::Found(rows),
                Some(Err(error)) => Trouble::Server(error),
                None => Trouble::Found(0),
            };
            self.open.clear();
            return Err((of, trouble));
        }
        Ok(())
    }
}

impl Expected {
    fn allows(self, rows: u64) -> bool {
        match self {
            Self::Rows(expected) => rows == expected,
            Self::AtMostOne => rows <= 1,
            Self::Anything => true,
        }
    }
}
