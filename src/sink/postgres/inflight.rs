//! Statements that are on their way, one behind the other, without waiting for each.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use tokio_postgres::Error;

type Answer = Pin<Box<dyn Future<Output = Result<u64, Error>> + Send>>;

/// Statements in the order in which the server gets them.
#[derive(Default)]
pub(super) struct InFlight {
    open: VecDeque<Statement>,
}

struct Statement {
    answer: Answer,
    ready: Option<Result<u64, Error>>,
    expected: Expected,
    of: usize,
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
        let mut answer: Answer = Box::pin(answer);
        // A request goes out when it is first asked for its answer. For that it is asked again, when it is waited for.
        let ready = match answer.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(ready) => Some(ready),
            Poll::Pending => None,
        };
        self.open.push_back(Statement { answer, ready, expected, of });
    }

    /// Waits until no more than that many are on their way.
    ///
    /// # Errors
    ///
    /// The first that failed, and which it was. What was sent behind it is forgotten: the server skips it.
    pub(super) async fn settle(&mut self, left: usize) -> Result<(), (usize, Trouble)> {
        while self.open.len() > left {
            let Some(Statement { answer, ready, expected, of }) = self.open.pop_front() else { break };
            let answer = match ready {
                Some(ready) => ready,
                None => answer.await,
            };
            let trouble = match answer {
                Ok(rows) if expected.allows(rows) => continue,
                Ok(rows) => Trouble::Found(rows),
                Err(error) => Trouble::Server(error),
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
