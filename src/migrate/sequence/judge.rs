//! Whether the target's sequence would hand out what the source's has, and where it must go.

use super::{Position, Sequence};

/// What is to be done about one sequence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is where it should be.
    Level,
    /// It is further.
    Ahead,
    /// It must go there.
    Behind(Position),
    /// It counts the other way.
    Opposite,
    /// It can't count as far.
    OutOfRange,
}

pub(super) fn judge(source: (&Sequence, Position), target: (&Sequence, Position), margin: u64) -> Verdict {
    let ((source, at), (target, target_at)) = (source, target);
    if source.increment.signum() != target.increment.signum() {
        return Verdict::Opposite;
    }
    let exactly = source.cycle && target.cycle;
    let in_range = (target.min..=target.max).contains(&at.last_value);
    // One that takes the source's position exactly takes no margin: it would look out of place ever after.
    let goal = if in_range && !exactly { with_margin(source.increment, at, target, margin) } else { at };
    if goal == target_at {
        return Verdict::Level;
    }
    if !exactly && !is_behind(target.increment, target_at, goal) {
        return Verdict::Ahead;
    }
    if in_range { Verdict::Behind(goal) } else { Verdict::OutOfRange }
}

/// The position that is further in the direction of `increment`.
pub(super) fn furthest(increment: i64, one: Position, other: Position) -> Position {
    if is_behind(increment, one, other) { other } else { one }
}

/// Whether a sequence at `position` would next hand out something that one at `goal` has handed out, or may have.
fn is_behind(increment: i64, position: Position, goal: Position) -> bool {
    let direction = i128::from(increment.signum());
    let next = i128::from(position.last_value) + if position.is_called { i128::from(increment) } else { 0 };
    let first_free = i128::from(goal.last_value) + if goal.is_called { direction } else { 0 };
    (next - first_free) * direction < 0
}

/// `at`, which the target can hold, and so many calls on; at most half of those that it has left.
fn with_margin(increment: i64, at: Position, target: &Sequence, margin: u64) -> Position {
    let limit = if increment > 0 { target.max } else { target.min };
    let (last, step) = (i128::from(at.last_value), i128::from(increment));
    let left = (i128::from(limit) - last) / step + i128::from(!at.is_called);
    let calls = i128::from(margin).min(left / 2);
    // Between two values that fit.
    Position { last_value: i64::try_from(last + calls * step).unwrap_or(at.last_value), ..at }
}

#[cfg(test)]
mod tests;
