//! How a table is divided: ranges of its blocks, of which each row is in exactly one.
//!
//! By the size of the file, not by `pg_class.relpages`, which is an estimate and may be 0. The last range has no end: a
//! row may have got into a block that was not there when the size was looked at.

/// A range of blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Blocks {
    pub(super) begin: u32,
    /// The first block behind it; `None` for the last range.
    pub(super) end: Option<u32>,
}

/// What is read in one piece.
pub(super) const ALL: Blocks = Blocks { begin: 0, end: None };

/// More chunks than this a table is not divided into: each is a row of the ledger.
const MOST: u64 = 100_000;

/// Divides `blocks`, which take `size` bytes together with what is stored out of line, into ranges of about `chunk_bytes`.
pub(super) fn divide(blocks: u32, size: u64, chunk_bytes: u64) -> Vec<Blocks> {
    let wanted = size.div_ceil(chunk_bytes.max(1)).clamp(1, MOST);
    let step = u64::from(blocks).div_ceil(wanted).max(1);
    let mut begins: Vec<u32> = (0..u64::from(blocks))
        .step_by(usize::try_from(step).unwrap_or(usize::MAX))
        .filter_map(|begin| u32::try_from(begin).ok())
        .collect();
    if begins.is_empty() {
        begins.push(0);
    }
    let ends = begins.iter().skip(1).map(|begin| Some(*begin)).chain([None]);
    begins.iter().zip(ends).map(|(&begin, end)| Blocks { begin, end }).collect()
}

impl Blocks {
    /// What is true of the rows in it; nothing where that are all.
    pub(super) fn predicate(self) -> Option<String> {
        let from = (self.begin > 0).then(|| format!("ctid >= '({},0)'::pg_catalog.tid", self.begin));
        let to = self.end.map(|end| format!("ctid < '({end},0)'::pg_catalog.tid"));
        match (from, to) {
            (Some(from), Some(to)) => Some(format!("{from} AND {to}")),
            (from, to) => from.or(to),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Museum, room 14: chunks by an estimate skipped rows.
    fn each_block_is_in_one(chunks: &[Blocks]) -> Result<(), TestCaseError> {
        prop_assert_eq!(chunks.first().map(|first| first.begin), Some(0));
        prop_assert_eq!(chunks.last().map(|last| last.end), Some(None));
        for pair in chunks.windows(2) {
            prop_assert_eq!(pair[0].end, Some(pair[1].begin));
            prop_assert!(pair[0].begin < pair[1].begin);
        }
        Ok(())
    }

    proptest! {
        #[test]
        fn museum_14_every_block_is_in_exactly_one_chunk(
            blocks in prop_oneof![0..200u32, 0..5_000_000u32],
            toast in 0..1u64 << 40,
            chunk_bytes in prop_oneof![1..100_000u64, 1..1u64 << 45],
        ) {
            let chunks = divide(blocks, u64::from(blocks) * 8192 + toast, chunk_bytes);
            each_block_is_in_one(&chunks)?;
            prop_assert!(chunks.len() <= usize::try_from(MOST).unwrap());
            prop_assert!(chunks.len() <= usize::try_from(blocks.max(1)).unwrap());
        }
    }

    #[test]
    fn the_largest_table_there_can_be_is_divided() {
        let chunks = divide(u32::MAX - 1, 1 << 45, 1 << 28);
        each_block_is_in_one(&chunks).unwrap();
        assert_eq!(chunks.len(), usize::try_from(MOST).unwrap());
    }

    #[test]
    fn the_last_chunk_has_no_end_and_the_only_one_no_predicate() {
        assert_eq!(ALL.predicate(), None);
        let [first, last] = divide(10, 80_000, 40_000)[..] else { panic!("two chunks") };
        assert_eq!(first.predicate().unwrap(), "ctid < '(5,0)'::pg_catalog.tid");
        assert_eq!(last.predicate().unwrap(), "ctid >= '(5,0)'::pg_catalog.tid");
        let middle = Blocks { begin: 3, end: Some(4) };
        assert_eq!(
            middle.predicate().unwrap(),
            "ctid >= '(3,0)'::pg_catalog.tid AND ctid < '(4,0)'::pg_catalog.tid"
        );
    }
}
