use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::event::{Change, Event};
use crate::pgoutput::Relation;
use crate::stream::HEARTBEAT;
use crate::{Lsn, RelationId};

/// Which tables' changes are passed on.
#[derive(Debug, Default)]
pub(super) struct Tables {
    pub(super) only: HashSet<(String, String)>,
    pub(super) except: HashSet<(String, String)>,
    /// At which position of the source each table was copied, and which one it was; no others are passed on, if there are any.
    pub(super) copied: HashMap<(String, String), (Lsn, Option<RelationId>)>,
    /// Where the transaction commits, or is prepared, that is on its way. A slot, and with it a snapshot, is made only when
    /// nothing is prepared: so what was prepared before it was committed before it.
    commit: Lsn,
    /// What was found out about the tables that have come.
    known: HashMap<RelationId, (Arc<Relation>, Way)>,
}

/// What becomes of the changes of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// Those of transactions that commit at this position or behind it are passed on. The others are in the copy.
    From(Lsn),
    LeftOut,
}

impl Tables {
    /// Whether everything passes.
    fn is_open(&self) -> bool {
        self.only.is_empty() && self.except.is_empty() && self.copied.is_empty()
    }

    fn way(&mut self, relation: &Arc<Relation>) -> Way {
        if let Some((known, way)) = self.known.get(&relation.id)
            && Arc::ptr_eq(known, relation)
        {
            return *way;
        }
        let name = (relation.schema.clone(), relation.name.clone());
        let is_wanted = (self.only.is_empty() || self.only.contains(&name)) && !self.except.contains(&name);
        let way = match self.copied.get(&name) {
            // Another table that has the name by now was not copied.
            Some((lsn, id)) if is_wanted && id.is_none_or(|id| id == relation.id) => Way::From(*lsn),
            None if is_wanted && self.copied.is_empty() => Way::From(Lsn::ZERO),
            _ => Way::LeftOut,
        };
        self.known.insert(relation.id, (Arc::clone(relation), way));
        way
    }

    fn passes(&mut self, relation: &Arc<Relation>) -> bool {
        matches!(self.way(relation), Way::From(lsn) if lsn <= self.commit)
    }

    /// The event, or what is left of it. What is left out is counted, but for what is in the copy of its table, and for the
    /// heartbeats that a pipeline itself has written.
    #[inline]
    pub(super) fn pass(&mut self, event: Event, left_out: &mut u64) -> Option<Event> {
        if matches!(&event, Event::Message(message) if message.transactional && message.prefix == HEARTBEAT) {
            return None;
        }
        if self.is_open() {
            return Some(event);
        }
        let mut change = match event {
            Event::Change(change) => change,
            Event::Begin(begin) => {
                self.commit = begin.commit_lsn;
                return Some(Event::Begin(begin));
            }
            other => return Some(other),
        };
        *left_out += change.relations().map(|table| u64::from(self.way(table) == Way::LeftOut)).sum::<u64>();
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
