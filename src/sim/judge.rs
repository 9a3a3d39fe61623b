//! The laws, and who watches that they are kept.

use std::time::Duration;

use super::plan::Plan;
use super::server::Server;
use super::storage::Disk;
use super::wal::Unit;
use crate::Lsn;
use crate::error::Error;
use crate::event::{Acknowledge as _, Event};
use crate::frame::StandbyStatusUpdate;
use crate::pipeline::Statistics;
use crate::session::{Positions, SourceChanged};

/// What was found to be against the laws, and what has to be remembered to see it.
#[derive(Debug, Default)]
pub(crate) struct Judge {
    pub(crate) findings: Vec<String>,
    /// The furthest that was confirmed: by this process, if the sink keeps no progress.
    flushed: Lsn,
    positions: Positions,
    /// How the source changed, and what it had published up to then.
    pub(crate) changed: Option<Changed>,
}

#[derive(Debug)]
pub(crate) struct Changed {
    pub(crate) before: Vec<Unit>,
    /// What was on the disk when the source was first asked who it is now.
    pub(crate) stored: Option<usize>,
}

impl Judge {
    pub(crate) fn find(&mut self, finding: impl Into<String>) {
        if self.findings.len() < 20 {
            self.findings.push(finding.into());
        }
    }

    /// Another process begins.
    pub(crate) fn restart(&mut self, is_exactly_once: bool) {
        self.positions = Positions::default();
        if !is_exactly_once {
            self.flushed = Lsn::ZERO;
        }
    }

    /// The laws of each status update.
    pub(crate) fn status(&mut self, status: &StandbyStatusUpdate, server: &Server, disk: &Disk) {
        let StandbyStatusUpdate { written, flushed, applied, .. } = *status;
        if flushed > written || applied != flushed {
            self.find(format!("confirmed {flushed}, applied {applied}, received {written}"));
        }
        // 0 makes no statement.
        if flushed < self.flushed && flushed != Lsn::ZERO {
            self.find(format!("confirmed {flushed} after {}", self.flushed));
        }
        self.flushed = self.flushed.max(flushed);
        self.durable(flushed, "confirmed", server, disk);
    }

    /// Whoever says that everything up to here is durable must have it.
    pub(crate) fn durable(&mut self, position: Lsn, how: &str, server: &Server, disk: &Disk) {
        let is_due =
            |unit: &&Unit| unit.start < position && unit.start >= server.slot.made_at && unit.counts();
        for unit in server.wal.units.iter().filter(is_due) {
            if !disk.has(unit.end) {
                let Unit { start, end, .. } = unit;
                self.find(format!("{how} {position}, and what ends at {end} (from {start}) is not durable"));
            }
        }
    }

    /// The order of what the pipeline says of itself.
    pub(crate) fn statistics(&mut self, statistics: &Statistics) {
        let Positions { flushed, durable, delivered, received, server_end } = statistics.positions;
        let before = self.positions;
        if !(flushed <= durable && durable <= delivered && delivered <= received && received <= server_end) {
            self.find(format!("positions out of order: {:?}", statistics.positions));
        }
        if flushed < before.flushed
            || durable < before.durable
            || delivered < before.delivered
            || received < before.received
            || server_end < before.server_end
        {
            self.find(format!("positions went back: {before:?}, then {:?}", statistics.positions));
        }
        self.positions = statistics.positions;
    }

    /// What a sink took exactly once was counted once by the process that has ended well.
    pub(crate) fn counted(&mut self, statistics: &Statistics, plan: &Plan, disk: &Disk) {
        let stored = disk.stored_by_process();
        let counted = (statistics.transactions, statistics.changes);
        if plan.sink.is_exactly_once && counted != stored {
            self.find(format!("counted {counted:?} transactions and changes of {stored:?}"));
        }
    }

    /// Everything must be there in the end.
    pub(crate) fn end(&mut self, plan: &Plan, server: &Server, disk: &Disk) {
        let truth: Vec<_> = server
            .wal
            .units
            .iter()
            .filter(|unit| unit.counts() && unit.start >= server.slot.made_at)
            .collect();
        let found = disk.counting();
        if plan.sink.is_exactly_once {
            self.whole(&truth, &found);
            if truth.len() != found.len() {
                self.find(format!("{} transactions and messages of {}", found.len(), truth.len()));
            }
            return;
        }
        let mut known = 0;
        for (number, segment) in disk.segments().into_iter().enumerate() {
            let Some(first) = segment.first() else { continue };
            let begin = truth.iter().position(|unit| Some(unit.end) == position(first));
            let Some(begin) = begin.filter(|begin| *begin <= known) else {
                self.find(format!("process {number} begins at {:?}, with {known} known", position(first)));
                return;
            };
            self.whole(&truth[begin..], &segment);
            known = known.max(begin + segment.len());
        }
        if known != truth.len() {
            self.find(format!("{known} transactions and messages of {}", truth.len()));
        }
    }

    /// One for one.
    fn whole(&mut self, truth: &[&Unit], found: &[&[Event]]) {
        for (nth, events) in found.iter().enumerate() {
            match truth.get(nth) {
                None => self.find(format!("more than there is: {:?}", position(events))),
                Some(unit) if !unit.is(events) => {
                    self.find(format!(
                        "expected what ends at {} ({:?}, {} items), found {:?} with {} events",
                        unit.end,
                        unit.ending,
                        unit.items.len(),
                        position(events),
                        events.len()
                    ));
                    return;
                }
                Some(_) => {}
            }
        }
    }

    /// An error that doesn't pass by itself: whether there is a reason for it.
    pub(crate) fn gave_up(&mut self, error: &Error, plan: &Plan, server: &Server, disk: &Disk) {
        let Some(changed) = self.changed.take() else {
            self.find(format!("gave up without a reason: {error}: {error:?}"));
            return;
        };
        let resume_lsn = disk.resume_lsn().filter(|_| plan.sink.is_exactly_once);
        let is_behind = |lsn: Lsn| resume_lsn.is_none_or(|resume_lsn| resume_lsn > lsn);
        let slot = &server.slot;
        let is_right = match error {
            Error::Server(refusal) => match refusal.sqlstate.as_str() {
                "42704" => !slot.exists,
                "55000" => slot.is_invalidated,
                _ => false,
            },
            Error::Source(SourceChanged::OtherSystem { .. }) => server.system_id != Server::SYSTEM_ID,
            Error::Source(SourceChanged::OtherDatabase { .. }) => server.database != Server::DATABASE,
            Error::Source(SourceChanged::PromotedBehind { promoted_at, .. }) => is_behind(*promoted_at),
            Error::Source(SourceChanged::Restored { wal_end, .. }) => is_behind(*wal_end),
            Error::Source(SourceChanged::SlotAhead { confirmed_flush_lsn, .. }) => {
                server.slot.is_made_anew
                    && resume_lsn.is_none_or(|resume_lsn| resume_lsn < *confirmed_flush_lsn)
            }
            _ => false,
        };
        if !is_right {
            self.find(format!("gave up for a wrong reason: {error}"));
        }
        if changed.stored.is_some_and(|stored| stored != disk.units.len()) {
            self.find("the sink was written to, although the source had changed");
        }
        // What is there is right, and in order, though it may not be all.
        let before: Vec<_> = changed.before.iter().filter(|unit| unit.counts()).collect();
        for segment in disk.segments() {
            let begin = before
                .iter()
                .position(|unit| segment.first().is_some_and(|first| Some(unit.end) == position(first)));
            self.whole(before.get(begin.unwrap_or_default()..).unwrap_or_default(), &segment);
        }
    }

    /// The run takes longer than it may.
    pub(crate) fn too_late(&mut self, after: Duration, server: &Server, disk: &Disk) {
        self.find(format!(
            "not at the end after {after:?}: the slot is at {} of {}, {} units of {} are durable",
            server.slot.confirmed,
            server.wal.end,
            disk.counting().len(),
            server.wal.units.iter().filter(|unit| unit.counts()).count(),
        ));
    }
}

/// Where a unit ends.
pub(crate) fn position(events: &[Event]) -> Option<Lsn> {
    events.last()?.position()
}
