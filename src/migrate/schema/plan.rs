//! Which entry of an archive may be made next.

use std::collections::BTreeSet;

use super::archive::Item;

/// What is waiting, and what is being made.
#[derive(Debug)]
pub(super) struct Plan {
    /// In an order in which it could be made one by one.
    waiting: Vec<Item>,
    running: Vec<Item>,
    /// Of all entries that are made here: what else they depend on is there.
    ids: BTreeSet<u32>,
    /// Of those that aren't made yet.
    unfinished: BTreeSet<u32>,
    /// How many of these are not [late](is_late).
    early: usize,
}

impl Plan {
    pub(super) fn new(items: Vec<Item>) -> Self {
        let ids = items.iter().map(|item| item.id).collect::<BTreeSet<_>>();
        let early = items.iter().filter(|item| !is_late(item)).count();
        Self { waiting: items, running: Vec::new(), unfinished: ids.clone(), ids, early }
    }

    /// The next one that may be made beside those that are being made.
    pub(super) fn next(&mut self) -> Option<Item> {
        let index = match self.waiting.iter().position(|item| self.may_run(item)) {
            Some(index) => index,
            // Should two depend on each other, the archive's order breaks the tie.
            None if self.running.is_empty() && !self.waiting.is_empty() => 0,
            None => return None,
        };
        let item = self.waiting.remove(index);
        self.running.push(item.clone());
        Some(item)
    }

    pub(super) fn finish(&mut self, id: u32) {
        self.early -= self.running.iter().filter(|item| item.id == id && !is_late(item)).count();
        self.running.retain(|item| item.id != id);
        self.unfinished.remove(&id);
    }

    fn may_run(&self, item: &Item) -> bool {
        !item.needs.iter().any(|id| self.unfinished.contains(id))
            && (self.early == 0 || !is_late(item))
            && !self.running.iter().any(|other| self.excludes(item, other))
    }

    /// Whether both lock a table so that one would wait for the other, or each for the other. Indexes can be built on one
    /// table side by side; of all the rest it is taken that they lock what they depend on.
    fn excludes(&self, one: &Item, other: &Item) -> bool {
        let locks = |item: &Item| -> BTreeSet<u32> {
            let needs = item.needs.iter().copied();
            needs.filter(|id| !is_index(item) && !self.ids.contains(id)).collect()
        };
        !locks(one).is_disjoint(&locks(other))
    }
}

/// An index's schema may be called ATTACH; then it is only made alone.
fn is_index(item: &Item) -> bool {
    item.label.starts_with("INDEX ") && !item.label.starts_with("INDEX ATTACH ")
}

/// What reacts to definitions, or runs the users' own code: when all else is made.
fn is_late(item: &Item) -> bool {
    ["EVENT TRIGGER ", "MATERIALIZED VIEW DATA "].iter().any(|kind| item.label.starts_with(kind))
}

/// Indexes, and what is unique or excluded by one; without what depends on anything else.
pub(super) fn keys(mut items: Vec<Item>) -> Vec<Item> {
    let is_key = |item: &Item| ["INDEX ", "CONSTRAINT "].iter().any(|kind| item.label.starts_with(kind));
    let mut others: BTreeSet<u32> = items.iter().filter(|item| !is_key(item)).map(|item| item.id).collect();
    // In the archive's order: what something depends on stands before it.
    items.retain(|item| {
        let is_left_out = !is_key(item) || item.needs.iter().any(|id| others.contains(id));
        others.extend(is_left_out.then_some(item.id));
        !is_left_out
    });
    items
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(id: u32, label: &str, needs: &[u32]) -> Item {
        Item { id, label: label.to_owned(), needs: needs.to_vec() }
    }

    /// What may run at once, again and again until nothing is left.
    fn rounds(items: &[Item]) -> Vec<Vec<u32>> {
        let mut plan = Plan::new(items.to_vec());
        let mut rounds = Vec::new();
        loop {
            let round: Vec<u32> = std::iter::from_fn(|| plan.next()).map(|item| item.id).collect();
            if round.is_empty() {
                return rounds;
            }
            for id in &round {
                plan.finish(*id);
            }
            rounds.push(round);
        }
    }

    #[test]
    fn indexes_of_one_table_are_built_at_once_and_what_locks_it_is_made_alone() {
        let items = [
            item(10, "CONSTRAINT public t t_pkey o", &[1]),
            item(11, "CONSTRAINT public t t_key o", &[1]),
            item(12, "CONSTRAINT public u u_pkey o", &[2]),
            item(13, "INDEX public t_a o", &[1]),
            item(14, "INDEX public t_b o", &[1]),
        ];
        assert_eq!(rounds(&items), [vec![10, 12, 13, 14], vec![11]]);
    }

    #[test]
    fn what_depends_on_another_waits_for_it() {
        let items = [
            item(10, "CONSTRAINT public t t_pkey o", &[1]),
            item(11, "FK CONSTRAINT public u u_t o", &[10, 1, 2]),
            item(12, "FK CONSTRAINT public v v_t o", &[10, 1, 3]),
            item(13, "FK CONSTRAINT public v v_w o", &[3, 4]),
        ];
        assert_eq!(rounds(&items), [vec![10, 13], vec![11], vec![12]]);
    }

    #[test]
    fn event_triggers_and_the_filling_of_views_come_last() {
        let items = [
            item(10, "EVENT TRIGGER - e o", &[1]),
            item(11, "MATERIALIZED VIEW DATA public m o", &[2]),
            item(12, "MATERIALIZED VIEW DATA public n o", &[3, 11]),
            item(13, "INDEX public i o", &[4]),
        ];
        assert_eq!(rounds(&items), [vec![13], vec![10, 11], vec![12]]);
    }

    #[test]
    fn keys_are_what_holds_for_a_table_by_itself() {
        let items = vec![
            item(10, "CONSTRAINT public t t_pkey o", &[1]),
            item(11, "INDEX public t_a o", &[1]),
            item(12, "FK CONSTRAINT public u u_t o", &[10, 1, 2]),
            item(13, "CHECK CONSTRAINT public u u_check o", &[2]),
            item(14, "INDEX ATTACH public p_a o", &[11]),
            item(15, "INDEX public odd o", &[13]),
            item(16, "INDEX public odder o", &[15]),
            item(17, "TRIGGER public t t_late o", &[1]),
        ];
        let keys: Vec<u32> = keys(items).into_iter().map(|item| item.id).collect();
        assert_eq!(keys, [10, 11, 14]);
    }

    #[test]
    fn nothing_waits_for_ever() {
        let items = [item(10, "RULE public a o", &[11]), item(11, "RULE public b o", &[10])];
        assert_eq!(rounds(&items), [vec![10], vec![11]]);
        assert_eq!(rounds(&[]), Vec::<Vec<u32>>::new());
    }
}
