//! A history is the same whether its transactions are sent when they commit or while they run.
//!
//! A random history is written twice, as a server writes it: transaction by transaction in commit order, and in
//! interleaved blocks with everything in them that is rolled back later. Both must yield the same events.

use std::collections::VecDeque;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::pgoutput::Decoder;

#[derive(Debug, Clone)]
struct Transaction {
    steps: Vec<Step>,
    streamed: bool,
    end: End,
    has_origin: bool,
    message_before: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Commits,
    RollsBack,
    /// And is committed, or rolled back, when the next transaction is over.
    Prepared {
        commits: bool,
    },
}

#[derive(Debug, Clone)]
enum Step {
    /// A change of the kind that the number chooses.
    Change(u8),
    Message,
    /// A table looks different from here on: one that is the transaction's own, or the one that all of them change.
    Alter {
        shared: bool,
    },
    /// A subtransaction. One that is rolled back before a block begins is never sent.
    Sub {
        commits: bool,
        sent: bool,
        steps: Vec<Step>,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let leaf = prop_oneof![6 => any::<u8>().prop_map(Step::Change), 1 => Just(Step::Message), 1 => any::<bool>().prop_map(|shared| Step::Alter { shared })];
    leaf.prop_recursive(3, 24, 5, |inner| {
        (any::<bool>(), any::<bool>(), vec(inner, 0..5)).prop_map(|(commits, sent, steps)| Step::Sub {
            commits,
            sent,
            steps,
        })
    })
}

fn transaction() -> impl Strategy<Value = Transaction> {
    let end = prop_oneof![
        3 => Just(End::Commits),
        1 => Just(End::RollsBack),
        1 => any::<bool>().prop_map(|commits| End::Prepared { commits }),
    ];
    let flags = (any::<bool>(), end, any::<bool>(), any::<bool>());
    (vec(step(), 0..8), flags).prop_map(|(steps, (streamed, end, has_origin, message_before))| Transaction {
        steps,
        streamed,
        end,
        has_origin,
        message_before,
    })
}

/// What a transaction did, in order.
enum Token {
    /// The messages of one step, written for a block or not; and whether they last.
    Item {
        xid: Xid,
        make: Box<dyn Fn(Option<Xid>) -> Vec<Message>>,
        kept: bool,
    },
    Abort(Xid),
}

/// Walks a transaction's steps with ids that no other has.
struct Walk {
    top: Xid,
    next_xid: u32,
    label: u32,
    tokens: Vec<Token>,
}

impl Walk {
    fn of(transaction: &Transaction, top: u32) -> Vec<Token> {
        let mut walk = Self { top: Xid::new(top), next_xid: top + 1, label: 0, tokens: Vec::new() };
        walk.steps(&transaction.steps, Xid::new(top), true);
        walk.tokens
    }

    fn steps(&mut self, steps: &[Step], xid: Xid, kept: bool) {
        for step in steps {
            match step {
                Step::Change(kind) => self.change(*kind, xid, kept),
                Step::Message => self.message(xid, kept),
                Step::Alter { shared } => self.alter(*shared, xid, kept),
                Step::Sub { commits, sent, steps } => self.sub(*commits, *sent, steps, kept),
            }
        }
    }

    fn sub(&mut self, commits: bool, sent: bool, steps: &[Step], kept: bool) {
        let (first_token, first_xid) = (self.tokens.len(), self.next_xid);
        self.next_xid += 1;
        let kept = kept && commits;
        // A Message before the first change of its subtransaction would survive: a limit of the protocol.
        self.change(0, Xid::new(first_xid), kept);
        self.steps(steps, Xid::new(first_xid), kept);
        if commits {
            return;
        }
        if !sent {
            self.tokens.truncate(first_token);
        }
        // Those inside it first, also if they had been released.
        for xid in (first_xid..self.next_xid).rev() {
            self.tokens.push(Token::Abort(Xid::new(xid)));
        }
    }

    fn item(&mut self, xid: Xid, kept: bool, make: impl Fn(Option<Xid>) -> Vec<Message> + 'static) {
        self.tokens.push(Token::Item { xid, kept, make: Box::new(make) });
    }

    fn text(&mut self) -> String {
        self.label += 1;
        format!("{} {}", self.top, self.label)
    }

    fn change(&mut self, kind: u8, xid: Xid, kept: bool) {
        let text = self.text();
        self.item(xid, kept, move |xid| vec![change(kind, xid, &text)]);
    }

    fn message(&mut self, _inside: Xid, kept: bool) {
        // Names the top-level transaction, whoever emits it.
        let content = Bytes::from(self.text());
        self.item(self.top, kept, move |xid| {
            vec![Message::Message(LogicalMessage { content: content.clone(), ..logical_message(xid) })]
        });
    }

    fn alter(&mut self, shared: bool, xid: Xid, kept: bool) {
        let name = self.text();
        let id = if shared { RELATION } else { RelationId::new(20_000 + u32::from(self.top)) };
        self.item(xid, kept, move |xid| {
            let new = Tuple::from_datums([Datum::Null]);
            vec![
                Message::Relation(xid, Relation { id, name: name.clone(), ..relation(1) }),
                Message::Insert(Insert { xid, relation_id: id, new }),
            ]
        });
    }
}

fn change(kind: u8, xid: Option<Xid>, text: &str) -> Message {
    let tuple = || Tuple::from_datums([Datum::Text(text.as_bytes())]);
    let relation_id = RELATION;
    match kind % 5 {
        0 => Message::Insert(Insert { xid, relation_id, new: tuple() }),
        1 => Message::Update(Update { xid, relation_id, old: None, new: tuple() }),
        2 => Message::Update(Update { xid, relation_id, old: Some(OldTuple::Key(tuple())), new: tuple() }),
        3 => Message::Delete(Delete { xid, relation_id, old: OldTuple::Full(tuple()) }),
        _ => Message::Truncate(Truncate {
            xid,
            cascade: kind & 64 != 0,
            restart_identity: kind & 128 != 0,
            relation_ids: vec![relation_id],
        }),
    }
}

/// Ids far enough apart for all subtransactions.
fn top(index: usize) -> u32 {
    1000 * (u32::try_from(index).unwrap() + 1)
}

fn commit_lsn(index: usize) -> u64 {
    0x100 * (index as u64 + 1)
}

/// As it is sent with `streaming` off: Begin to Commit, what was rolled back left out.
fn plain(transaction: &Transaction, index: usize) -> Vec<Message> {
    let is_prepared = matches!(transaction.end, End::Prepared { .. });
    let first = if is_prepared {
        Message::BeginPrepare(preparation(index))
    } else {
        begin(commit_lsn(index), Xid::new(top(index)))
    };
    let mut messages = vec![first];
    messages.extend(transaction.has_origin.then(|| origin("elsewhere")));
    messages.push(Message::Relation(None, relation(1)));
    for token in Walk::of(transaction, top(index)) {
        if let Token::Item { make, kept: true, .. } = token {
            messages.extend(make(None));
        }
    }
    messages.push(if is_prepared { Message::Prepare(preparation(index)) } else { commit(commit_lsn(index)) });
    messages
}

fn preparation(index: usize) -> pgoutput::Prepare {
    to_prepare(commit_lsn(index), Xid::new(top(index)), &format!("gid {index}"))
}

/// The end of what was prepared before this transaction.
fn finish(history: &[Transaction], index: usize) -> Option<Message> {
    let before = index.checked_sub(1)?;
    let End::Prepared { commits } = history.get(before)?.end else { return None };
    let (prepare, lsn) = (preparation(before), commit_lsn(index) + 0x40);
    Some(if commits {
        commit_prepared(lsn, prepare.xid, &prepare.gid)
    } else {
        rollback_prepared(&prepare, lsn)
    })
}

/// As it is sent while it runs: blocks of some steps each, and the aborts between them.
fn pieces(transaction: &Transaction, index: usize, chunks: &[usize]) -> VecDeque<Vec<Message>> {
    let xid = Xid::new(top(index));
    let mut pieces = VecDeque::new();
    let first = transaction.has_origin.then(|| origin("elsewhere"));
    let mut open: Vec<Message> = [start(xid, true)].into_iter().chain(first).collect();
    open.push(Message::Relation(Some(xid), relation(1)));
    let mut left = chunks.iter().cycle().copied();
    let mut room = left.next().unwrap();
    for token in Walk::of(transaction, top(index)) {
        let (more, close) = match token {
            Token::Item { xid, make, .. } => (make(Some(xid)), None),
            Token::Abort(subxid) => (Vec::new(), Some(abort(xid, subxid))),
        };
        open.extend(more);
        room -= 1;
        if close.is_some() || room == 0 {
            open.push(Message::StreamStop);
            pieces.push_back(mem::replace(&mut open, vec![start(xid, false)]));
            pieces.extend(close.map(|abort| vec![abort]));
            room = left.next().unwrap();
        }
    }
    open.push(Message::StreamStop);
    pieces.push_back(open);
    if transaction.end == End::RollsBack {
        pieces.push_back(vec![abort(xid, xid)]);
    }
    pieces
}

fn in_commit_order(history: &[Transaction]) -> Vec<Message> {
    let mut messages = Vec::new();
    for (index, transaction) in history.iter().enumerate() {
        messages.extend(transaction.message_before.then(|| stand_alone("now")));
        if transaction.end != End::RollsBack {
            messages.extend(plain(transaction, index));
        }
        messages.extend(finish(history, index));
    }
    messages
}

fn interleaved(history: &[Transaction], chunks: &[usize], turns: &[usize]) -> Vec<Message> {
    let mut queues: Vec<_> = history
        .iter()
        .enumerate()
        .map(|(index, one)| if one.streamed { pieces(one, index, chunks) } else { VecDeque::new() })
        .collect();
    let mut turns = turns.iter().cycle();
    let mut messages = Vec::new();
    for (index, transaction) in history.iter().enumerate() {
        // Before this one ends, some others go on.
        for _ in 0..3 {
            let queue = turns.next().unwrap() % queues.len();
            messages.extend(queues[queue].pop_front().unwrap_or_default());
        }
        messages.extend(queues[index].drain(..).flatten());
        messages.extend(transaction.message_before.then(|| stand_alone("now")));
        match (transaction.end, transaction.streamed) {
            (End::RollsBack, _) => {}
            (_, false) => messages.extend(plain(transaction, index)),
            (End::Commits, true) => messages.push(stream_commit(commit_lsn(index), Xid::new(top(index)))),
            (End::Prepared { .. }, true) => messages.push(Message::StreamPrepare(preparation(index))),
        }
        messages.extend(finish(history, index));
    }
    messages
}

/// Also by the decoder, whose state follows the blocks.
fn read(assembler: Assembler, messages: &[Message]) -> Vec<Event> {
    let (mut assembler, mut decoder) = (assembler, Decoder::new());
    let messages = messages.iter().map(|message| decoder.decode(message.encode()).unwrap());
    let events = assemble(&mut assembler, messages).unwrap();
    assert_eq!(assembler.in_progress.held, 0, "nothing is left");
    events
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn neither_streaming_nor_the_room_in_memory_changes_anything(
        history in vec(transaction(), 1..6),
        chunks in vec(1_usize..6, 1..5),
        turns in vec(any::<usize>(), 1..20),
        limit in 0..20_000_usize,
    ) {
        let expected = read(Assembler::new(), &in_commit_order(&history));
        let messages = interleaved(&history, &chunks, &turns);
        prop_assert_eq!(&read(Assembler::new(), &messages), &expected);
        for limit in [0, limit] {
            let assembler = Assembler::new().memory_limit(limit).spill(tempfile::tempfile);
            prop_assert_eq!(&read(assembler, &messages), &expected, "with a limit of {}", limit);
        }
    }
}
