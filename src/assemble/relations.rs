//! What each relation looks like at this point of the stream.

use std::collections::HashMap;
use std::sync::Arc;

use super::Violation;
use crate::event::{Change, Event, OldRow};
use crate::pgoutput::{Message, OldTuple, Relation, Truncate, Tuple, Update};
use crate::{RelationId, Row, Xid};

#[derive(Debug, Default)]
pub(super) struct Relations {
    known: HashMap<RelationId, Arc<Relation>>,
    /// Rows come in runs of one relation: the last one spares most lookups.
    last: Option<Arc<Relation>>,
}

impl Relations {
    /// Turns what stands inside a transaction into an event; a Relation or Type is only remembered.
    ///
    /// With the event comes the (sub)transaction that the message names, inside a stream block.
    pub(super) fn resolve(&mut self, message: Message) -> Result<Option<(Option<Xid>, Event)>, Violation> {
        let (xid, change) = match message {
            Message::Insert(insert) => {
                (insert.xid, Change::Insert { new: self.row(insert.relation_id, insert.new)? })
            }
            Message::Update(update) => (update.xid, self.update(update)?),
            Message::Delete(delete) => {
                (delete.xid, Change::Delete { old: self.old_row(delete.relation_id, delete.old)? })
            }
            Message::Truncate(truncate) => (truncate.xid, self.truncate(&truncate)?),
            Message::Message(message) => return Ok(Some((message.xid, Event::Message(message)))),
            Message::Relation(_, relation) => {
                self.announce(relation);
                return Ok(None);
            }
            _ => return Ok(None),
        };
        Ok(Some((xid, Event::Change(change))))
    }

    /// The server announces a relation again after anything that emptied its cache: only a difference is news, and
    /// makes a new [`Arc`].
    fn announce(&mut self, relation: Relation) {
        if self.known.get(&relation.id).is_some_and(|known| **known == relation) {
            return;
        }
        self.last = None;
        self.known.insert(relation.id, Arc::new(relation));
    }

    fn relation(&mut self, id: RelationId) -> Result<Arc<Relation>, Violation> {
        match &self.last {
            Some(last) if last.id == id => Ok(Arc::clone(last)),
            _ => {
                let relation = self.known.get(&id).ok_or(Violation::UnknownRelation(id))?;
                self.last = Some(Arc::clone(relation));
                Ok(Arc::clone(relation))
            }
        }
    }

    fn row(&mut self, relation_id: RelationId, tuple: Tuple) -> Result<Row, Violation> {
        let relation = self.relation(relation_id)?;
        let (expected, found) = (relation.columns.len(), tuple.len());
        Row::new(relation, tuple).ok_or(Violation::ColumnCount { relation_id, expected, found })
    }

    fn old_row(&mut self, relation_id: RelationId, old: OldTuple) -> Result<OldRow, Violation> {
        match old {
            OldTuple::Key(key) => self.row(relation_id, key).map(OldRow::Key),
            OldTuple::Full(full) => self.row(relation_id, full).map(OldRow::Full),
        }
    }

    fn update(&mut self, update: Update) -> Result<Change, Violation> {
        let old = update.old.map(|old| self.old_row(update.relation_id, old)).transpose()?;
        Ok(Change::Update { old, new: self.row(update.relation_id, update.new)? })
    }

    fn truncate(&mut self, truncate: &Truncate) -> Result<Change, Violation> {
        let relations =
            truncate.relation_ids.iter().map(|&id| self.relation(id)).collect::<Result<_, _>>()?;
        let Truncate { cascade, restart_identity, .. } = *truncate;
        Ok(Change::Truncate { relations, cascade, restart_identity })
    }
}
