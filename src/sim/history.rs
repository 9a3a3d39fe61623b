//! What is done at the simulated source, in order: transactions that overlap, tables that change their columns.

use std::collections::VecDeque;
use std::time::Duration;

use super::dice::Dice;

/// One step of somebody at the source. Transactions are known by number, from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    Pause(Duration),
    Change {
        transaction: usize,
        kind: u8,
        table: usize,
    },
    Message {
        transaction: usize,
    },
    Alter {
        transaction: usize,
        table: usize,
    },
    /// A subtransaction begins, with a change.
    Sub {
        transaction: usize,
    },
    EndSub {
        transaction: usize,
        commits: bool,
    },
    End {
        transaction: usize,
        how: How,
    },
    /// Of what was prepared.
    Finish {
        transaction: usize,
        commits: bool,
    },
    /// A message outside of any transaction.
    Alone,
    /// Writes that nobody publishes.
    Noise,
    /// From here on, a crash doesn't set the slot back further than where it stands now.
    Checkpoint,
}

/// How a transaction ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum How {
    Commits,
    RollsBack,
    IsPrepared,
}

/// What is done, from first to last.
#[derive(Debug, Clone, Default)]
pub(crate) struct History {
    pub(crate) actions: Vec<Action>,
    pub(crate) transactions: usize,
}

/// Tables that are there. Nobody alters the first one.
pub(crate) const TABLES: usize = 3;

impl History {
    /// Some transactions, up to three of them at the same time.
    pub(crate) fn generate(dice: &mut Dice) -> Self {
        let transactions = 1 + dice.below(7);
        let mut queues: Vec<VecDeque<Action>> =
            (0..transactions).map(|number| transaction(number, dice).into()).collect();
        let quiet = dice.one_in(3);
        let slow = dice.one_in(4);
        let mut actions = Vec::new();
        while !queues.is_empty() {
            let turn = dice.below(queues.len().min(3));
            let steps = 1 + dice.below(if quiet { 12 } else { 4 });
            for _ in 0..steps {
                actions.extend(queues[turn].pop_front());
            }
            queues.retain(|queue| !queue.is_empty());
            beside(&mut actions, slow, dice);
        }
        Self { actions, transactions }
    }

    /// How long it takes, at least.
    pub(crate) fn busy(&self) -> Duration {
        let pause = |action: &Action| if let Action::Pause(pause) = action { *pause } else { Duration::ZERO };
        self.actions.iter().map(pause).sum::<Duration>() + Duration::from_millis(300)
    }

    /// Without some of the transactions.
    pub(crate) fn without(&self, dropped: impl Fn(usize) -> bool) -> Self {
        let mut kept = self.clone();
        kept.actions.retain(|action| action.transaction().is_none_or(|number| !dropped(number)));
        kept
    }
}

impl Action {
    pub(crate) fn transaction(&self) -> Option<usize> {
        match self {
            Self::Change { transaction, .. }
            | Self::Message { transaction }
            | Self::Alter { transaction, .. }
            | Self::Sub { transaction }
            | Self::EndSub { transaction, .. }
            | Self::End { transaction, .. }
            | Self::Finish { transaction, .. } => Some(*transaction),
            Self::Pause(_) | Self::Alone | Self::Noise | Self::Checkpoint => None,
        }
    }
}

/// What others do meanwhile.
fn beside(actions: &mut Vec<Action>, slow: bool, dice: &mut Dice) {
    if dice.one_in(3) {
        let most = if slow { 20_000 } else { 400 };
        actions.push(Action::Pause(dice.millis(most)));
    }
    match dice.below(12) {
        0 => actions.push(Action::Alone),
        1 | 2 => actions.push(Action::Noise),
        3 => actions.push(Action::Checkpoint),
        _ => {}
    }
}

fn transaction(transaction: usize, dice: &mut Dice) -> Vec<Action> {
    let mut actions = Vec::new();
    let mut depth = 0;
    let length = if dice.one_in(6) { 0 } else { 1 + dice.below(9) };
    for _ in 0..length {
        match dice.below(20) {
            0 | 1 if depth < 3 => {
                depth += 1;
                actions.push(Action::Sub { transaction });
            }
            2..=4 if depth > 0 => {
                depth -= 1;
                actions.push(Action::EndSub { transaction, commits: dice.one_in(2) });
            }
            5 => actions.push(Action::Message { transaction }),
            6 => actions.push(Action::Alter { transaction, table: 1 + dice.below(TABLES - 1) }),
            _ => {
                let kind = u8::try_from(dice.below(256)).unwrap_or_default();
                actions.push(Action::Change { transaction, kind, table: dice.below(TABLES) });
            }
        }
    }
    for _ in 0..depth {
        actions.push(Action::EndSub { transaction, commits: !dice.one_in(3) });
    }
    let how = match dice.below(10) {
        0 => How::RollsBack,
        1 | 2 => How::IsPrepared,
        _ => How::Commits,
    };
    actions.push(Action::End { transaction, how });
    if how == How::IsPrepared {
        actions.extend((0..dice.below(3)).map(|_| Action::Noise));
        actions.push(Action::Finish { transaction, commits: !dice.one_in(3) });
    }
    actions
}
