//! Classes of keys, and what their rows add up to.

use tokio_postgres::SimpleQueryRow;

/// A table is not read more often than that to be listed.
const ROUNDS: u64 = 16;

/// What a class of keys adds up to on one side.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Sums {
    pub(super) rows: u64,
    first: i128,
    second: i128,
}

/// A class that is not the same on both sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Differing {
    pub(super) class: usize,
    pub(super) source: u64,
    pub(super) target: u64,
}

impl Sums {
    /// No table has rows enough for 128 bits to overflow.
    pub(super) fn add(&mut self, other: Self) {
        self.rows += other.rows;
        self.first = self.first.wrapping_add(other.first);
        self.second = self.second.wrapping_add(other.second);
    }
}

pub(super) fn class_sums(row: &SimpleQueryRow) -> Option<(usize, Sums)> {
    let text = |at| row.try_get(at).ok().flatten();
    let rows = text(1)?.parse().ok()?;
    Some((
        text(0)?.parse().ok()?,
        Sums { rows, first: text(2)?.parse().ok()?, second: text(3)?.parse().ok()? },
    ))
}

pub(super) fn differing(source: &[Sums], target: &[Sums]) -> Vec<Differing> {
    let both = source.iter().zip(target).enumerate();
    both.filter(|(_, (source, target))| source != target)
        .map(|(class, (source, target))| Differing { class, source: source.rows, target: target.rows })
        .collect()
}

/// Divides classes so that no more rows than that are listed at once, or a few times as many of a large table.
pub(super) fn rounds(differing: &[Differing], most: u64) -> Vec<Vec<Differing>> {
    let rows = |one: &Differing| one.source + one.target;
    let limit = most.max(differing.iter().map(rows).sum::<u64>() / ROUNDS);
    let mut rounds: Vec<Vec<Differing>> = Vec::new();
    let mut room = 0;
    for one in differing {
        if rounds.is_empty() || rows(one) > room {
            rounds.push(Vec::new());
            room = limit;
        }
        rounds.last_mut().into_iter().for_each(|round| round.push(*one));
        room = room.saturating_sub(rows(one));
    }
    rounds
}

/// The first classes that have as many rows on the source, and the others.
pub(super) fn enough(missing: &[Differing], wanted: usize) -> (&[Differing], &[Differing]) {
    let wanted = u64::try_from(wanted).unwrap_or(u64::MAX);
    let mut rows = 0;
    let enough = missing.iter().position(|one| {
        let has = rows >= wanted;
        rows += one.source;
        has
    });
    missing.split_at_checked(enough.unwrap_or(missing.len())).unwrap_or((missing, &[]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class(class: usize, source: u64, target: u64) -> Differing {
        Differing { class, source, target }
    }

    #[test]
    fn every_class_that_differs_is_listed_in_one_round() {
        let classes: Vec<_> =
            (0..100_u64).map(|at| class(usize::try_from(at).unwrap(), at * 7 % 50, 3)).collect();
        for most in [0, 1, 60, 1_000_000] {
            let rounds = rounds(&classes, most);
            assert_eq!(rounds.concat(), classes, "{most}");
            assert!(rounds.iter().all(|round| !round.is_empty()), "{most}");
            assert!(u64::try_from(rounds.len()).unwrap() <= 2 * ROUNDS, "{most}: {}", rounds.len());
        }
        assert_eq!(rounds(&classes, 1_000_000).len(), 1);
        assert!(rounds(&[], 1).is_empty());
    }

    #[test]
    fn as_many_classes_are_listed_as_hold_the_keys_that_are_wanted() {
        let missing = [class(1, 5, 0), class(4, 5, 0), class(9, 5, 0)];
        for (wanted, listed) in [(0, 0), (1, 1), (5, 1), (6, 2), (15, 3), (16, 3)] {
            let (some, others) = enough(&missing, wanted);
            assert_eq!((some.len(), others.len()), (listed, 3 - listed), "{wanted}");
        }
    }

    #[test]
    fn sums_of_parts_are_the_sum_of_the_whole() {
        let part = Sums { rows: 1, first: i128::from(i64::MAX), second: i128::from(i64::MIN) };
        let mut whole = Sums::default();
        for _ in 0..3 {
            whole.add(part);
        }
        assert_eq!(whole.rows, 3);
        assert_eq!(whole.first, i128::from(i64::MAX) * 3);
        assert_eq!(whole.second, i128::from(i64::MIN) * 3);
    }
}
