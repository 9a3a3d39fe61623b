use std::collections::HashSet;

use crate::event::{Change, Event};
use crate::pgoutput::Relation;
use crate::stream::HEARTBEAT;

/// Which tables' changes are passed on.
#[derive(Debug, Default)]
pub(super) struct Tables {
    pub(super) only: HashSet<(String, String)>,
    pub(super) except: HashSet<(String, String)>,
}

impl Tables {
    fn passes(&self, relation: &Relation) -> bool {
        let name = (relation.schema.clone(), relation.name.clone());
        (self.only.is_empty() || self.only.contains(&name)) && !self.except.contains(&name)
    }

    /// The event, or what is left of it. What is left out is counted, but for the heartbeats that a pipeline itself has
    /// written.
    pub(super) fn pass(&self, event: Event, left_out: &mut u64) -> Option<Event> {
        if matches!(&event, Event::Message(message) if message.transactional && message.prefix == HEARTBEAT) {
            return None;
        }
        if self.only.is_empty() && self.except.is_empty() {
            return Some(event);
        }
        let Event::Change(mut change) = event else { return Some(event) };
        *left_out += change.relations().map(|relation| u64::from(!self.passes(relation))).sum::<u64>();
        if let Change::Truncate { relations, cascade, .. } = &mut change {
            let before = relations.len();
            relations.retain(|relation| self.passes(relation));
            // What CASCADE reached is in the list: where part of it is left out, it must not be reached again.
            *cascade &= relations.len() == before;
        }
        let passes = change.relations().any(|relation| self.passes(relation));
        passes.then_some(Event::Change(change))
    }
}
