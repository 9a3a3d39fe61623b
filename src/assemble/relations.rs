//! What each relation looks like at this point of the stream.

use std::collections::HashMap;
use std::sync::Arc;

use super::Violation;
use crate::event::{Change, Event, OldRow};
use crate::pgoutput::{LogicalMessage, Message, OldTuple, Relation, Truncate, Tuple, Update};
use crate::row::Table;
use crate::value::Types;
use crate::{RelationId, Row};

#[derive(Debug, Default)]
pub(super) struct Relations {
    known: HashMap<RelationId, Announced>,
    /// Announcements of the stream so far, those inside of transactions in progress included.
    received: u64,
    /// Rows come in runs of one relation: the last one spares most lookups.
    last: Option<Arc<Table>>,
    types: Arc<Types>,
}

#[derive(Debug)]
struct Announced {
    table: Arc<Table>,
    received: u64,
}

/// A relation, and when it was announced.
#[derive(Debug, Clone)]
pub(super) struct Known {
    pub(super) relation: Arc<Relation>,
    /// As a count of announcements.
    pub(super) received: u64,
}

impl Relations {
    /// Rows have these types from now on. The relations stay the same.
    pub(super) fn set_types(&mut self, types: Arc<Types>) {
        self.last = None;
        for announced in self.known.values_mut() {
            let relation = Arc::clone(&announced.table.relation);
            announced.table = Arc::new(Table { relation, types: Arc::clone(&types) });
        }
        self.types = types;
    }

    #[cfg(feature = "net")]
    pub(super) fn announced(&self, id: RelationId) -> Option<&Relation> {
        self.known.get(&id).map(|announced| &*announced.table.relation)
    }

    pub(super) fn known(&self, id: RelationId) -> Option<Known> {
        let Announced { table, received } = self.known.get(&id)?;
        Some(Known { relation: Arc::clone(&table.relation), received: *received })
    }

    /// Turns what stands inside a transaction into an event; a Relation or Type is only remembered.
    #[inline]
    pub(super) fn resolve(&mut self, message: Message) -> Result<Option<Event>, Violation> {
        Ok(Some(Event::Change(match message {
            Message::Insert(insert) => Change::Insert { new: self.row(insert.relation_id, insert.new)? },
            Message::Update(update) => self.update(update)?,
            Message::Delete(delete) => Change::Delete { old: self.old_row(delete.relation_id, delete.old)? },
            Message::Truncate(truncate) => self.truncate(&truncate)?,
            // The event is the same whether it came in a block or not: its transaction is the Begin's.
            Message::Message(message) => {
                return Ok(Some(Event::Message(LogicalMessage { xid: None, ..message })));
            }
            Message::Relation(_, relation) => {
                let received = self.receive(relation);
                self.learn(received);
                return Ok(None);
            }
            _ => return Ok(None),
        })))
    }

    /// Counts an announcement, and says what it announces; it is not yet what the relation is.
    pub(super) fn receive(&mut self, relation: Relation) -> Known {
        self.received += 1;
        Known { relation: Arc::new(relation), received: self.received }
    }

    /// From here on the relation is what was announced, unless something else was announced since.
    ///
    /// The server announces a relation again after anything that emptied its cache: only a difference is news, and
    /// makes a new [`Arc`].
    pub(super) fn learn(&mut self, known: Known) {
        let Known { relation, received } = known;
        match self.known.get_mut(&relation.id) {
            Some(before) if before.received >= received => {}
            Some(before) if before.table.relation == relation => before.received = received,
            _ => {
                self.last = None;
                let (id, types) = (relation.id, Arc::clone(&self.types));
                self.known.insert(id, Announced { table: Arc::new(Table { relation, types }), received });
            }
        }
    }

    /// From here on the relation is that one. If it is the same as `around`, it shares its memory.
    pub(super) fn adopt(&mut self, relation: Relation, around: &Self) {
        self.last = None;
        let id = relation.id;
        let table = match around.known.get(&id) {
            Some(known) if *known.table.relation == relation => Arc::clone(&known.table),
            _ => Arc::new(Table { relation: Arc::new(relation), types: Arc::clone(&around.types) }),
        };
        self.known.insert(id, Announced { table, received: 0 });
    }

    #[inline]
    fn table(&mut self, id: RelationId) -> Result<Arc<Table>, Violation> {
        match &self.last {
            Some(last) if last.relation.id == id => Ok(Arc::clone(last)),
            _ => {
                let Announced { table, .. } = self.known.get(&id).ok_or(Violation::UnknownRelation(id))?;
                self.last = Some(Arc::clone(table));
                Ok(Arc::clone(table))
            }
        }
    }

    #[inline]
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
