//! Which change it is that fails, and why.

use super::apply::{APPLYING, Applier};
use super::drift;
use super::error::{ApplyError, ApplyErrorKind, ChangePlace};
use super::gathered::Objection;
use super::inflight::{InFlight, Trouble};
use super::session::failed;
use crate::Row;
use crate::event::{Begin, Change, Event};

impl Applier {
    pub(super) async fn settled(
        &self,
        in_flight: &mut InFlight,
        left: usize,
        events: &[Event],
    ) -> Result<(), ApplyError> {
        let settled = in_flight.settle(left).await;
        settled.map_err(|(number, trouble)| self.objected(Objection::Target(trouble), events, number))
    }

    /// Why the change of this number can't be applied.
    pub(super) fn objected(&self, objection: Objection, events: &[Event], number: usize) -> ApplyError {
        let error = match objection {
            Objection::Values(error) | Objection::Final(error) => error,
            Objection::Target(Trouble::Found(found)) => ApplyError::new(ApplyErrorKind::RowCount { found }),
            Objection::Target(Trouble::Server(error)) => failed(APPLYING, error),
        };
        let mut place = place(events, number);
        place.ordinal += self.open_changes;
        let Some(row) = row_of(events.get(number)) else { return error.at(place) };
        let Some(plan) = self.session.plan_of(row.relation()) else { return error.at(place) };
        if place.operation != "INSERT" {
            place.key = plan.key_names();
        }
        drift::explained(error, plan, row).at(place)
    }
}

pub(super) fn changes(events: &[Event]) -> u64 {
    events.iter().filter(|event| matches!(event, Event::Change(_))).count() as u64
}

fn row_of(event: Option<&Event>) -> Option<&Row> {
    match event? {
        Event::Change(change) => change.rows().last(),
        _ => None,
    }
}

/// Where the event of this number stands in its transaction.
pub(super) fn place(events: &[Event], number: usize) -> ChangePlace {
    let before = events.get(..=number).unwrap_or_default();
    let begin: Option<(usize, &Begin)> =
        before.iter().enumerate().rev().find_map(|(at, event)| match event {
            Event::Begin(begin) => Some((at, begin)),
            _ => None,
        });
    let inside = before.get(begin.map_or(0, |(at, _)| at)..).unwrap_or_default();
    let relation = match events.get(number) {
        Some(Event::Change(change)) => change.relations().next(),
        _ => None,
    };
    ChangePlace {
        operation: match events.get(number) {
            Some(Event::Change(Change::Insert { .. } | Change::Snapshot { .. })) => "INSERT",
            Some(Event::Change(Change::Update { .. })) => "UPDATE",
            Some(Event::Change(Change::Delete { .. })) => "DELETE",
            Some(Event::Change(Change::Truncate { .. })) => "TRUNCATE",
            _ => "COMMIT",
        },
        table: relation.map(|relation| format!("{}.{}", relation.schema, relation.name)).unwrap_or_default(),
        key: Vec::new(),
        xid: begin.map(|(_, begin)| begin.xid),
        commit_lsn: begin.map(|(_, begin)| begin.commit_lsn),
        ordinal: changes(inside),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::OldRow;
    use crate::pgoutput::{Datum, ReplicaIdentity};
    use crate::sink::postgres::tests::{INT4, begin, column, commit, relation, row};
    use crate::{Lsn, Xid};

    #[test]
    fn a_change_is_told_by_its_transaction_and_by_its_number_there() {
        let relation = relation(ReplicaIdentity::Default, vec![column("id", INT4, true)]);
        let row = || row(&relation, &[Datum::Text(b"1")]);
        let old = OldRow::Key(row());
        let truncate =
            Change::Truncate { relations: vec![relation.clone()], cascade: false, restart_identity: false };
        let changes = [Change::Insert { new: row() }, Change::Delete { old }, truncate];
        let update = Change::Update { old: None, new: row() };
        let mut events = vec![begin(7, None), Event::Change(update), commit(7), begin(8, None)];
        events.extend(changes.map(Event::Change));
        events.push(commit(8));
        assert_eq!(super::changes(&events), 4);
        for (number, operation, transaction, ordinal) in [
            (1, "UPDATE", 7, 1),
            (2, "COMMIT", 7, 1),
            (4, "INSERT", 8, 1),
            (5, "DELETE", 8, 2),
            (6, "TRUNCATE", 8, 3),
            (7, "COMMIT", 8, 3),
        ] {
            let table = if operation == "COMMIT" { String::new() } else { "public.t".to_owned() };
            let (xid, commit_lsn) = (Some(Xid::new(transaction)), Some(Lsn::new(transaction.into())));
            let expected = ChangePlace { operation, table, key: Vec::new(), xid, commit_lsn, ordinal };
            assert_eq!(place(&events, number), expected);
            let has_row = row_of(events.get(number)).is_some();
            assert_eq!(has_row, matches!(operation, "INSERT" | "UPDATE" | "DELETE"));
        }
        // A part of a transaction.
        let expected = ChangePlace {
            operation: "UPDATE",
            table: "public.t".to_owned(),
            ordinal: 1,
            ..ChangePlace::default()
        };
        assert_eq!(place(&events[1..], 0), expected);
    }
}
