use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};

use super::{Batch, ChangeSink};
use crate::event::Event;

/// Keeps every event in memory, for tests. Clones share what they keep.
///
/// ```
/// use walferry::sink::{Batch, ChangeSink, Memory};
///
/// # let runtime = tokio::runtime::Builder::new_current_thread().build()?;
/// # runtime.block_on(async {
/// let memory = Memory::default();
/// let mut sink = memory.clone();
/// sink.write(Batch::default()).await?;
/// assert!(memory.take().is_empty());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct Memory(Arc<Mutex<Vec<Event>>>);

impl Memory {
    /// Removes and returns what has been kept so far.
    pub fn take(&self) -> Vec<Event> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl ChangeSink for Memory {
    type Error = Infallible;

    async fn write(&mut self, batch: Batch) -> Result<(), Infallible> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend(batch.into_events());
        Ok(())
    }

    async fn flush(&mut self) -> Result<(), Infallible> {
        Ok(())
    }

    /// What was taken out already stays out.
    async fn rollback(&mut self) -> Result<(), Infallible> {
        let mut events = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let inside = |event: &Event| match event {
            Event::Change(_) | Event::Begin(_) => true,
            Event::Message(message) => message.transactional,
            _ => false,
        };
        let open = events.iter().rev().take_while(|event| inside(event)).count();
        let whole = events.len() - open;
        events.truncate(whole);
        Ok(())
    }
}
