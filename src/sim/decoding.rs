//! From the log to messages, as a walsender decodes it: by the rule of the start point, in blocks or not.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::wal::{Item, Record, Wal, What, time_at};
use crate::pgoutput::{
    AbortInfo, Begin, Commit, CommitPrepared, Message, Origin, Prepare, Relation, RollbackPrepared,
    StreamAbort, StreamCommit, StreamStart,
};
use crate::stream::Streaming;
use crate::{Lsn, RelationId, Xid};

/// What this server's version, its settings and the client's options make of the same log.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Manner {
    pub(crate) major: u32,
    pub(crate) streaming: Streaming,
    /// After how many changes in memory a transaction is sent before its end.
    pub(crate) work_mem: usize,
    pub(crate) two_phase: bool,
}

impl Manner {
    fn streams(self) -> bool {
        self.streaming != Streaming::Off
    }

    /// Before 15, transactions without a change were sent.
    fn sends_empty(self) -> bool {
        self.major < 15
    }

    /// 14 and 15 send blocks of what was acknowledged long ago, and then an abort of it.
    fn streams_again(self) -> bool {
        self.major < 16 && !self.two_phase
    }
}

/// The decoding of one connection, which begins anew with each.
#[derive(Debug)]
pub(crate) struct Decoding {
    manner: Manner,
    /// What was committed before this is not sent.
    start_point: Lsn,
    open: BTreeMap<Xid, Open>,
    announced: HashMap<RelationId, Arc<Relation>>,
    /// The same inside of the blocks of a transaction.
    announced_in: HashMap<(Xid, RelationId), Arc<Relation>>,
    out: Vec<Message>,
}

#[derive(Debug, Default)]
struct Open {
    unsent: Vec<(Xid, Arc<Item>)>,
    /// Whether blocks of it were sent.
    is_streamed: bool,
    /// Subtransactions of which something was sent.
    sent: Vec<Xid>,
}

impl Decoding {
    pub(crate) fn new(manner: Manner, start_point: Lsn) -> Self {
        Self {
            manner,
            start_point,
            open: BTreeMap::new(),
            announced: HashMap::new(),
            announced_in: HashMap::new(),
            out: Vec::new(),
        }
    }

    /// What is sent when this record is read.
    pub(crate) fn decode(&mut self, record: &Record, wal: &Wal) -> Vec<Message> {
        let is_sent = record.start >= self.start_point;
        match &record.what {
            What::Item { top, xid, item } => self.item(*top, *xid, item, is_sent, wal),
            What::Abort { top, xids } => self.abort(*top, xids, record),
            What::Prepare { top, gid } if self.manner.two_phase => {
                self.prepare(*top, gid, record, is_sent, wal);
            }
            What::Finish { top, gid, prepare_end, commits } if self.manner.two_phase => {
                if is_sent {
                    self.finish(*top, gid, *prepare_end, *commits, record);
                }
            }
            What::Commit { top } | What::Finish { top, commits: true, .. } => {
                self.commit(*top, record, is_sent, wal);
            }
            What::Finish { top, .. } => self.abort(*top, &[*top], record),
            What::Alone(message) if is_sent => self.out.push(Message::Message(message.clone())),
            What::Prepare { .. } | What::Alone(_) | What::Noise => {}
            What::Restart => self.restart(wal),
        }
        std::mem::take(&mut self.out)
    }

    fn item(&mut self, top: Xid, xid: Xid, item: &Arc<Item>, is_sent: bool, wal: &Wal) {
        let open = self.open.entry(top).or_default();
        open.unsent.push((xid, Arc::clone(item)));
        let is_large = open.unsent.len() >= self.manner.work_mem;
        if self.manner.streams() && is_large && (is_sent || self.manner.streams_again()) {
            self.block(top, wal);
        }
    }

    /// Sends what there is of a transaction whose end is not known.
    fn block(&mut self, top: Xid, wal: &Wal) {
        let open = self.open.entry(top).or_default();
        let first_segment = !open.is_streamed;
        open.is_streamed = true;
        let unsent = std::mem::take(&mut open.unsent);
        open.sent.extend(unsent.iter().map(|(xid, _)| *xid));
        self.out.push(Message::StreamStart(StreamStart { xid: top, first_segment }));
        if first_segment {
            self.origin(top, Lsn::ZERO, wal);
        }
        for (xid, item) in unsent {
            self.send(&item, Some((top, xid)));
        }
        self.out.push(Message::StreamStop);
    }

    fn origin(&mut self, top: Xid, commit_lsn: Lsn, wal: &Wal) {
        let name = wal.origins.get(&top).cloned();
        self.out.extend(name.map(|name| Message::Origin(Origin { commit_lsn, name })));
    }

    fn commit(&mut self, top: Xid, record: &Record, is_sent: bool, wal: &Wal) {
        if self.streamed(top) {
            if !is_sent {
                return self.abort(top, &[top], record);
            }
            self.rest(top, wal);
            self.settle(top);
            self.out.push(Message::StreamCommit(StreamCommit {
                xid: top,
                commit_lsn: record.start,
                end_lsn: record.end,
                commit_time: time_at(record.start),
            }));
            return;
        }
        let unsent = self.open.remove(&top).unwrap_or_default().unsent;
        if !is_sent || unsent.is_empty() && !self.manner.sends_empty() {
            return;
        }
        let (commit_lsn, commit_time) = (record.start, time_at(record.start));
        self.out.push(Message::Begin(Begin { commit_lsn, commit_time, xid: top }));
        self.origin(top, record.start, wal);
        for (_, item) in &unsent {
            self.send(item, None);
        }
        self.out.push(Message::Commit(Commit { commit_lsn, end_lsn: record.end, commit_time }));
    }

    fn prepare(&mut self, top: Xid, gid: &str, record: &Record, is_sent: bool, wal: &Wal) {
        let prepare = preparation(top, gid, record.start, record.end);
        if !is_sent {
            self.open.remove(&top);
        } else if self.streamed(top) {
            self.rest(top, wal);
            self.settle(top);
            self.out.push(Message::StreamPrepare(prepare));
        } else {
            let unsent = self.open.remove(&top).unwrap_or_default().unsent;
            self.out.push(Message::BeginPrepare(prepare.clone()));
            self.origin(top, record.start, wal);
            for (_, item) in &unsent {
                self.send(item, None);
            }
            self.out.push(Message::Prepare(prepare));
        }
    }

    fn finish(&mut self, xid: Xid, gid: &str, prepare_end_lsn: Lsn, commits: bool, record: &Record) {
        let gid = gid.to_owned();
        self.out.push(if commits {
            let (commit_lsn, end_lsn, commit_time) = (record.start, record.end, time_at(record.start));
            Message::CommitPrepared(CommitPrepared { commit_lsn, end_lsn, commit_time, xid, gid })
        } else {
            Message::RollbackPrepared(RollbackPrepared {
                prepare_end_lsn,
                rollback_end_lsn: record.end,
                prepare_time: time_at(prepare_end_lsn),
                rollback_time: time_at(record.start),
                xid,
                gid,
            })
        });
    }

    fn abort(&mut self, top: Xid, xids: &[Xid], record: &Record) {
        let Some(open) = self.open.get_mut(&top) else { return };
        open.unsent.retain(|(xid, _)| !xids.contains(xid));
        let was_sent = |xid: &&Xid| open.is_streamed && (open.sent.contains(xid) || **xid == top);
        let aborted: Vec<_> = xids.iter().filter(was_sent).copied().collect();
        if xids.contains(&top) {
            self.open.remove(&top);
        }
        for subxid in aborted {
            self.say_abort(
                top,
                subxid,
                AbortInfo { abort_lsn: record.start, abort_time: time_at(record.start) },
            );
        }
    }

    /// What was announced inside of the transaction has to be announced again.
    fn say_abort(&mut self, xid: Xid, subxid: Xid, info: AbortInfo) {
        self.announced_in.retain(|(top, _), _| *top != xid);
        let info = (self.manner.streaming == Streaming::Parallel).then_some(info);
        self.out.push(Message::StreamAbort(StreamAbort { xid, subxid, info }));
    }

    /// Transactions that were open when the server crashed end with an empty block and an abort.
    fn restart(&mut self, wal: &Wal) {
        let lost: Vec<_> = self.open.keys().copied().filter(|top| !wal.is_prepared(*top)).collect();
        for top in lost {
            if self.streamed(top) {
                self.out.push(Message::StreamStart(StreamStart { xid: top, first_segment: false }));
                self.out.push(Message::StreamStop);
                self.say_abort(top, top, AbortInfo { abort_lsn: Lsn::ZERO, abort_time: time_at(Lsn::ZERO) });
            }
            self.open.remove(&top);
        }
    }

    fn streamed(&self, top: Xid) -> bool {
        self.open.get(&top).is_some_and(|open| open.is_streamed)
    }

    /// The last block of a transaction that ends.
    fn rest(&mut self, top: Xid, wal: &Wal) {
        if self.open.get(&top).is_some_and(|open| !open.unsent.is_empty()) {
            self.block(top, wal);
        }
        self.open.remove(&top);
    }

    /// What was announced inside of a transaction holds for all, once that has ended well.
    fn settle(&mut self, top: Xid) {
        let settled = self.announced_in.extract_if(|(xid, _), _| *xid == top);
        self.announced.extend(settled.map(|((_, id), relation)| (id, relation)));
    }

    fn send(&mut self, item: &Item, inside: Option<(Xid, Xid)>) {
        for relation in &item.relations {
            self.announce(relation, inside.map(|(top, _)| top));
        }
        let mut message = item.message.clone();
        if let Some((top, sub)) = inside {
            match &mut message {
                Message::Insert(insert) => insert.xid = Some(sub),
                Message::Update(update) => update.xid = Some(sub),
                Message::Delete(delete) => delete.xid = Some(sub),
                Message::Truncate(truncate) => truncate.xid = Some(sub),
                // Names the top-level transaction, whoever has emitted it.
                Message::Message(message) => message.xid = Some(top),
                _ => {}
            }
        }
        self.out.push(message);
    }

    fn announce(&mut self, relation: &Arc<Relation>, top: Option<Xid>) {
        let known = match top {
            Some(top) => self.announced_in.get(&(top, relation.id)),
            None => self.announced.get(&relation.id),
        };
        if known == Some(relation) {
            return;
        }
        // Another form of the table makes the others forget theirs.
        self.announced.retain(|id, other| *id != relation.id || other == relation);
        self.announced_in.retain(|(_, id), other| *id != relation.id || other == relation);
        match top {
            Some(top) => self.announced_in.insert((top, relation.id), Arc::clone(relation)),
            None => self.announced.insert(relation.id, Arc::clone(relation)),
        };
        self.out.push(Message::Relation(top, (**relation).clone()));
    }
}

fn preparation(xid: Xid, gid: &str, prepare_lsn: Lsn, end_lsn: Lsn) -> Prepare {
    Prepare { prepare_lsn, end_lsn, prepare_time: time_at(prepare_lsn), xid, gid: gid.to_owned() }
}
