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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_rows_are_allowed_as_were_expected() {
        let allowed = |expected: Expected| (0..4).filter(|rows| expected.allows(*rows)).collect::<Vec<_>>();
        assert_eq!(allowed(Expected::Rows(2)), [2]);
        assert_eq!(allowed(Expected::AtMostOne), [0, 1]);
        assert_eq!(allowed(Expected::Anything), [0, 1, 2, 3]);
    }

    #[tokio::test]
    async fn the_first_that_failed_is_told_and_what_came_behind_it_forgotten() {
        let mut in_flight = InFlight::default();
        for (of, rows) in [(5, 1), (6, 7), (7, 8)] {
            let answer = async move {
                // The first is there at once, the others are waited for.
                if of > 5 {
                    tokio::task::yield_now().await;
                }
                Ok(rows)
            };
            in_flight.send(answer, Expected::Rows(1), of);
        }
        assert!(in_flight.settle(2).await.is_ok(), "two may still be on their way");
        assert!(matches!(in_flight.settle(1).await, Err((6, Trouble::Found(7)))));
        assert!(in_flight.settle(0).await.is_ok());
    }
}
