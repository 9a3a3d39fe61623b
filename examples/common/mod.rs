//! What the programs have in common.

pub(crate) mod log;
pub(crate) mod secrets;

use std::error::Error as _;
use std::future::poll_fn;
use std::process::ExitCode;
use std::task::Poll;

use tokio::signal::unix::{SignalKind, signal};
use walferry::Error;

/// One line: what, where, and how to mend it.
pub(crate) fn fail(program: &str, error: &Error) -> ExitCode {
    let mut parts = vec![program.to_owned(), error.to_string()];
    let mut cause = error.source();
    while let Some(error) = cause {
        parts.push(error.to_string());
        cause = error.source();
    }
    let hint = error.hint().map(|hint| format!(" (hint: {hint})")).unwrap_or_default();
    eprintln!("{}{hint}", parts.join(": ").replace('\n', " "));
    ExitCode::FAILURE
}

/// Ready at SIGINT or SIGTERM.
pub(crate) fn interrupted() -> Result<impl Future<Output = ()> + Unpin, Error> {
    let listen =
        |kind| signal(kind).map_err(|source| Error::Io { during: "listening for signals".into(), source });
    let (mut interrupt, mut terminate) = (listen(SignalKind::interrupt())?, listen(SignalKind::terminate())?);
    Ok(poll_fn(move |cx| {
        if interrupt.poll_recv(cx).is_ready() || terminate.poll_recv(cx).is_ready() {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }))
}
