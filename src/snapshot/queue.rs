//! Which chunk comes next.

use std::collections::VecDeque;

/// Chunks that are left, each with the relation that it is loaded into, and the relations that jobs are at.
///
/// Sessions that load one relation wait for each other whenever it grows. So a job takes the first chunk of those whose
/// relation the fewest jobs are at.
pub(super) struct Queue<R, T> {
    left: VecDeque<(R, T)>,
    loading: Vec<R>,
}

impl<R: Clone + PartialEq, T> Queue<R, T> {
    pub(super) fn new(tasks: impl IntoIterator<Item = (R, T)>) -> Self {
        Self { left: tasks.into_iter().collect(), loading: Vec::new() }
    }

    /// What a job is to do, and what it says when it has [done](Self::done) it.
    pub(super) fn take(&mut self) -> Option<(R, T)> {
        let jobs_at = |relation: &R| self.loading.iter().filter(|loading| *loading == relation).count();
        let (first, _) = self.left.iter().enumerate().min_by_key(|(_, (relation, _))| jobs_at(relation))?;
        let (relation, task) = self.left.remove(first)?;
        self.loading.push(relation.clone());
        Some((relation, task))
    }

    /// One job less is at this relation.
    pub(super) fn done(&mut self, relation: &R) {
        if let Some(job) = self.loading.iter().position(|loading| loading == relation) {
            self.loading.swap_remove(job);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jobs_share_a_relation_only_when_no_other_has_a_chunk_left() {
        let mut queue = Queue::new([("large", 1), ("large", 2), ("large", 3), ("small", 4), ("small", 5)]);
        assert_eq!(queue.take(), Some(("large", 1)));
        assert_eq!(queue.take(), Some(("small", 4)));
        queue.done(&"small");
        assert_eq!(queue.take(), Some(("small", 5)));
        queue.done(&"large");
        assert_eq!(queue.take(), Some(("large", 2)));
        assert_eq!(queue.take(), Some(("large", 3)));
        assert_eq!(queue.take(), None);
    }
}
