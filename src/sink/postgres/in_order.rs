//! Changes one by one, in the order of the source.

use super::apply::Applier;
use super::error::ApplyError;
use super::inflight::InFlight;
use super::origin::time_of;
use super::place::{changes, place};
use crate::event::{Acknowledge as _, Event};

/// So many statements for one row each are on their way at a time.
const WINDOW: usize = 256;

impl Applier {
    /// Applies events one by one, each transaction by itself.
    pub(super) async fn in_order(&mut self, events: &[Event]) -> Result<(), ApplyError> {
        let applied = self.one_by_one(events).await;
        if applied.is_err() {
            self.is_open = false;
            // What counts is the first error.
            let _ = self.command("ROLLBACK").await;
        }
        applied
    }

    async fn one_by_one(&mut self, events: &[Event]) -> Result<(), ApplyError> {
        let mut in_flight = InFlight::default();
        let mut first = 0;
        for (number, event) in events.iter().enumerate() {
            self.conflicts.note(events.get(number..=number).unwrap_or_default());
            let sent = match event {
                Event::Change(change) => {
                    if !std::mem::replace(&mut self.is_open, true) {
                        self.send_command(&mut in_flight, "BEGIN");
                    }
                    if self.conflicts.stop() {
                        self.send_change(&mut in_flight, number, change).await
                    } else {
                        self.change_or_leave_out(&mut in_flight, events, number, change).await
                    }
                }
                _ => Ok(()),
            };
            if let Err(objection) = sent {
                // What was sent before it comes first.
                self.settled(&mut in_flight, 0, events).await?;
                return Err(self.objected(objection, events, number));
            }
            self.settled(&mut in_flight, WINDOW, events).await?;
            if let Some(end) = event.position() {
                self.settled(&mut in_flight, 0, events).await?;
                self.conflicts.seal(events.get(number..=number).unwrap_or_default()).await?;
                let time = time_of(events.get(..=number).unwrap_or_default());
                self.commit(end, time).await.map_err(|error| error.at(place(events, number)))?;
                let transaction = events.get(first..=number).unwrap_or_default();
                self.count(transaction);
                first = number + 1;
            }
        }
        self.settled(&mut in_flight, 0, events).await?;
        self.open_changes += changes(events.get(first..).unwrap_or_default());
        Ok(())
    }
}
