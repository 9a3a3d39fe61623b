//! A transaction that was held back, on its way out.

use super::Violation;
use super::log::Messages;
use super::relations::Relations;
use crate::event::{Begin, Event};
use crate::pgoutput::{Decoder, Message};

/// Reads the messages of a transaction back, and gives its events one by one.
#[derive(Debug)]
pub(super) struct Replay {
    begin: Option<Begin>,
    messages: Messages,
    end: Option<Event>,
    decoder: Decoder,
    /// What the transaction announced up to here.
    relations: Relations,
}

impl Replay {
    pub(super) fn new(begin: Begin, messages: Messages, end: Event) -> Self {
        let (decoder, relations) = (Decoder::inside_stream_block(), Relations::default());
        Self { begin: Some(begin), messages, end: Some(end), decoder, relations }
    }

    /// The next event. Relations that are the same as `around` share its memory, and rows have its types.
    pub(super) fn next(&mut self, around: &Relations) -> Result<Option<Event>, Violation> {
        if let Some(begin) = self.begin.take() {
            return Ok(Some(Event::Begin(begin)));
        }
        while let Some(payload) = self.messages.next().map_err(Violation::spill)? {
            let message = self.decoder.decode(payload);
            let message = message.map_err(|source| Violation::damaged_spill(&source))?;
            if let Message::Relation(_, relation) = message {
                self.relations.adopt(relation, around);
            } else if let Some(event) = self.relations.resolve(message)? {
                return Ok(Some(event));
            }
        }
        Ok(self.end.take())
    }
}
