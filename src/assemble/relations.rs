//! What each relation looks like at this point of the stream.

use std::collections::HashMap;
use std::sync::Arc;

use super::Violation;
use crate::event::{Change, Event, OldRow};
use crate::pgoutput::{Message, OldTuple, Relation, Truncate, Tuple, Update};
use crate::row::Table;
use crate::value::Types;
use crate::{RelationId, Row, Xid};

#[derive(Debug, Default)]
pub(super) struct Relations {
    known: HashMap<RelationId, Arc<Table>>,
    /// Rows come in runs of one relation: the last one spares most lookups.
    last: Option<Arc<Table>>,
    types: Arc<Types>,
}

impl Relations {
    /// Rows have these types from now on. The relations stay the same.
    pub(super) fn set_types(&mut self, types: Arc<Types>) {
        self.last = None;
        for table in self.known.values_mut() {
            let relation = Arc::clone(&table.relation);
            *table = Arc::new(Table { relation, types: Arc::clone(&types) });
        }
        self.types = types;
    }

    #[cfg(feature = "net")]
    pub(super) fn announced(&self, id: RelationId) -> Option<&Relation> {
        self.known.get(&id).map(|table| &*table.relation)
    }

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
            // The event is the same whether it came in a block or not: its transaction is the Begin's.
            Message::Message(mut message) => {
                let xid = message.xid.take();
                return Ok(Some((xid, Event::Message(message))));
            }
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
        if self.known.get(&relation.id).is_some_and(|known| *known.relation == relation) {
            return;
        }
        self.last = None;
        let (id, relation, types) = (relation.id, Arc::new(relation), Arc::clone(&self.types));
        self.known.insert(id, Arc::new(Table { relation, types }));
    }

    fn table(&mut self, id: RelationId) -> Result<Arc<Table>, Violation> {
        match &self.last {
            Some(last) if last.relation.id == id => Ok(Arc::clone(last)),
            _ => {
                let table = self.known.get(&id).ok_or(Violation::UnknownRelation(id))?;
                self.last = Some(Arc::clone(table));
                Ok(Arc::clone(table))
            }
        }
    }

    fn row(&mut self, relation_id: RelationId, tuple: Tuple) -> Result<Row, Violation> {
        let table = self.table(relation_id)?;
        let (expected, found) = (table.relation.columns.len(), tuple.len());
        Row::of(table, tuple).ok_or(Violation::ColumnCount { relation_id, expected, found })
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
        let relations = truncate
            .relation_ids
            .iter()
            .map(|&id| Ok(Arc::clone(&self.table(id)?.relation)))
            .collect::<Result<_, _>>()?;
        let Truncate { cascade, restart_identity, .. } = *truncate;
        Ok(Change::Truncate { relations, cascade, restart_identity })
    }
}
