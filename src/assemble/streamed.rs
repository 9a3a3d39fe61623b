//! Transactions that the server sends before they end.

use std::collections::HashMap;

use super::Violation;
use crate::Xid;
use crate::event::{Change, Event};
use crate::pgoutput::{Origin, StreamAbort, StreamStart};

/// What each transaction in progress has done so far, by its top-level id.
#[derive(Debug)]
pub(super) struct Streamed {
    pub(super) limit: usize,
    held: usize,
    open: HashMap<Xid, Transaction>,
}

#[derive(Debug, Default)]
struct Transaction {
    origin: Option<Origin>,
    /// Each event under the (sub)transaction that it names.
    events: Vec<(Xid, Event)>,
}

impl Default for Streamed {
    fn default() -> Self {
        Self { limit: 64 << 20, held: 0, open: HashMap::new() }
    }
}

impl Streamed {
    /// A first block starts from nothing: after a reconnect the server sends a transaction again under the same id.
    pub(super) fn start(&mut self, start: StreamStart) -> Result<(), Violation> {
        if start.first_segment {
            self.discard(start.xid);
            self.open.insert(start.xid, Transaction::default());
        }
        if self.open.contains_key(&start.xid) { Ok(()) } else { Err(Violation::UnknownStream(start.xid)) }
    }

    /// An Origin follows the first Stream Start only.
    pub(super) fn may_have_origin(&self, top: Xid) -> bool {
        self.open.get(&top).is_some_and(|open| open.origin.is_none() && open.events.is_empty())
    }

    pub(super) fn set_origin(&mut self, top: Xid, origin: Origin) {
        self.open.entry(top).or_default().origin = Some(origin);
    }

    pub(super) fn append(&mut self, top: Xid, xid: Xid, event: Event) -> Result<(), Violation> {
        let event = detach(event);
        self.held += footprint(&event);
        if self.held > self.limit {
            return Err(Violation::MemoryLimit { limit: self.limit, needed: self.held });
        }
        self.open.entry(top).or_default().events.push((xid, event));
        Ok(())
    }

    /// Everything that is left of a transaction that commits.
    pub(super) fn take(
        &mut self,
        top: Xid,
    ) -> Result<(Option<Origin>, impl Iterator<Item = Event> + use<>), Violation> {
        let Transaction { origin, events } = self.open.remove(&top).ok_or(Violation::UnknownStream(top))?;
        self.release(&events);
        Ok((origin, events.into_iter().map(|(_, event)| event)))
    }

    /// Discards a transaction or a subtransaction. One that was never sent is no error: a transaction may begin and
    /// abort before its first block.
    pub(super) fn abort(&mut self, abort: StreamAbort) {
        if abort.subxid == abort.xid {
            return self.discard(abort.xid);
        }
        // By position, not by id: a Message carries the top-level id even when a subtransaction emitted it, and
        // whatever follows the first change of an aborted subtransaction belongs to it or to one inside it.
        let Some(open) = self.open.get_mut(&abort.xid) else { return };
        let Some(first) = open.events.iter().position(|(xid, _)| *xid == abort.subxid) else { return };
        let aborted = open.events.split_off(first);
        self.release(&aborted);
    }

    fn discard(&mut self, top: Xid) {
        if let Some(open) = self.open.remove(&top) {
            self.release(&open.events);
        }
    }

    fn release(&mut self, events: &[(Xid, Event)]) {
        self.held -= events.iter().map(|(_, event)| footprint(event)).sum::<usize>();
    }
}

/// Memory of an event that is held back: itself, its values, and what the allocator adds.
fn footprint(event: &Event) -> usize {
    size_of::<(Xid, Event)>() + event.byte_len() + 32
}

/// What waits long must not keep whole read buffers alive.
fn detach(event: Event) -> Event {
    let Event::Change(change) = event else { return event };
    Event::Change(match change {
        Change::Insert { new } => Change::Insert { new: new.detach() },
        Change::Update { old, new } => Change::Update { old: old.map(|old| old.detach()), new: new.detach() },
        Change::Delete { old } => Change::Delete { old: old.detach() },
        other => other,
    })
}
