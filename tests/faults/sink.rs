//! A sink that holds its pipeline to the law.

use std::io;
use std::sync::{Arc, Mutex};

use walferry::session::Fingerprint;
use walferry::sink::Progress;
use walferry::{Batch, ChangeSink, Event};

/// Keeps whole transactions once they are flushed. What breaks the order is an error.
#[derive(Clone, Default)]
pub(crate) struct Strict {
    /// What is flushed.
    kept: Arc<Mutex<Vec<Event>>>,
    written: Vec<Event>,
    /// Of a transaction whose end has not come.
    open: Vec<Event>,
    keeps_progress: bool,
}

impl Strict {
    /// A sink that keeps its position, and so the idle one too.
    pub(crate) fn with_progress() -> Self {
        Self { keeps_progress: true, ..Self::default() }
    }

    pub(crate) fn kept(&self) -> Vec<Event> {
        self.kept.lock().unwrap().clone()
    }

    fn take(&mut self, event: Event) -> io::Result<()> {
        let begins = matches!(event, Event::Begin(_));
        let ends = matches!(event, Event::Commit(_) | Event::Prepare(_));
        let inside = match &event {
            Event::Message(message) => message.transactional,
            Event::Change(_) => true,
            _ => ends,
        };
        if inside == self.open.is_empty() {
            return Err(io::Error::other("an event stands where none may"));
        }
        if begins || inside {
            self.open.push(event);
        } else {
            self.written.push(event);
        }
        if ends {
            self.written.append(&mut self.open);
        }
        Ok(())
    }
}

impl ChangeSink for Strict {
    type Error = io::Error;

    async fn write(&mut self, batch: Batch) -> io::Result<()> {
        batch.into_events().into_iter().try_for_each(|event| self.take(event))
    }

    async fn flush(&mut self) -> io::Result<()> {
        self.kept.lock().unwrap().append(&mut self.written);
        Ok(())
    }

    async fn rollback(&mut self) -> io::Result<()> {
        if self.open.is_empty() {
            return Err(io::Error::other("there is nothing to take back"));
        }
        self.open.clear();
        Ok(())
    }

    async fn progress(&mut self) -> io::Result<Progress> {
        Ok(if self.keeps_progress { Progress::None } else { Progress::Untracked })
    }

    async fn set_progress(&mut self, _: &Fingerprint) -> io::Result<()> {
        Ok(())
    }
}
