use crate::Lsn;
use crate::event::{Acknowledge as _, Event};

/// Events in the order of the stream; may begin and end inside a transaction.
#[derive(Debug, Default)]
pub struct Batch {
    events: Vec<Event>,
    byte_len: usize,
}

impl Batch {
    /// Adds an event behind the others.
    #[inline]
    pub fn push(&mut self, event: Event) {
        self.byte_len += event.byte_len();
        self.events.push(event);
    }

    /// The events.
    pub fn events(&self) -> &[Event] {
        &self.events
    }

    /// The events, to keep.
    pub fn into_events(self) -> Vec<Event> {
        self.events
    }

    /// The end of the last transaction that is complete in this batch, or the position of a message behind it: what is
    /// acknowledged when the batch is durable. `None` if nothing is complete.
    pub fn last_position(&self) -> Option<Lsn> {
        self.events.iter().rev().find_map(Event::position)
    }

    /// Removes the events from this one on.
    pub(crate) fn truncate(&mut self, len: usize) {
        let removed = self.events.drain(len.min(self.events.len())..);
        self.byte_len -= removed.map(|event| event.byte_len()).sum::<usize>();
    }

    /// The number of events.
    pub fn len(&self) -> usize {
        self.events.len()
    }

    /// Whether there is no event.
    pub fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// Bytes that the events' values take.
    pub fn byte_len(&self) -> usize {
        self.byte_len
    }
}

impl Extend<Event> for Batch {
    fn extend<I: IntoIterator<Item = Event>>(&mut self, events: I) {
        events.into_iter().for_each(|event| self.push(event));
    }
}
