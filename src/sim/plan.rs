//! Everything that a run depends on, out of one seed.

use std::time::Duration;

use super::dice::Dice;
use super::history::History;
use crate::sink::SinkKind;
use crate::stream::Streaming;

/// What happens in one run. The same plan gives the same run.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    pub(crate) major: u32,
    pub(crate) streaming: Streaming,
    pub(crate) two_phase: bool,
    /// After how many changes a transaction is sent before its end.
    pub(crate) work_mem: usize,
    pub(crate) memory_limit: usize,
    pub(crate) wal_sender_timeout: Duration,
    pub(crate) receive_timeout: Duration,
    pub(crate) history: History,
    pub(crate) incidents: Vec<Incident>,
    /// So many connections fare badly; those behind them are good ones.
    pub(crate) unlucky: u64,
    pub(crate) sink: SinkPlan,
    /// At which steps the process crashes, counted over the whole run.
    pub(crate) crashes: Vec<u64>,
    pub(crate) batch_rows: usize,
    pub(crate) batch_delay: Duration,
    pub(crate) heartbeat: bool,
    /// What is wrong with the client, to see whether that is found.
    pub(crate) bug: Option<Bug>,
}

/// Something that happens to the server, or that somebody does to the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Incident {
    pub(crate) at: Duration,
    pub(crate) what: Happening,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Happening {
    /// The server stops at once, and is away for so long.
    Crash(Duration),
    /// It stops when its clients have everything.
    Stop(Duration),
    /// `pg_terminate_backend`.
    Terminate,
    /// The process is asked to end, and started again.
    Restart,
    /// It is killed.
    Kill,
    /// The source is not the same afterwards.
    Change(SourceChange),
}

/// What a source can become.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SourceChange {
    /// A standby takes over that lacks the last records.
    Promoted(usize),
    /// A backup takes over that lacks the last records, on the same timeline.
    Restored(usize),
    SlotDropped,
    SlotInvalidated,
    /// The slot is dropped and made again.
    SlotMadeAnew,
    OtherSystem,
    OtherDatabase,
}

/// What the sink is like.
#[derive(Debug, Clone)]
pub(crate) struct SinkPlan {
    pub(crate) kind: SinkKind,
    /// Keeps its progress together with the data.
    pub(crate) is_exactly_once: bool,
    /// Of its calls, one in so many is slow; 0 for none.
    pub(crate) slow_one_in: usize,
    pub(crate) slow: Duration,
    /// Which of its calls fail.
    pub(crate) failures: Vec<u64>,
    /// Which of them fail in a way that passes.
    pub(crate) passing: Vec<u64>,
}

/// A client that is wrong on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bug {
    /// What was delivered is acknowledged, whether durable or not.
    AcknowledgesAtDelivery,
    /// After a reconnect, what begins at or before the last position that was seen is left out.
    SkipsUpToTheLast,
    /// The position of a keepalive is confirmed, whatever is in flight.
    ConfirmsKeepalives,
    /// The sink is not told to forget half a transaction.
    ForgetsRollbacks,
    /// Goes on where the last commit record begins, not where it ends.
    ResumesAtTheCommit,
    /// Leaves out what commits at the resume position, not only before it.
    SkipsAtTheResumePosition,
    /// Takes what the server sends, though the sink has it.
    TrustsARewoundSlot,
    /// Confirms idle positions that the sink has not kept.
    KeepsNoIdlePosition,
    /// What was written is acknowledged, whether flushed or not.
    AcknowledgesWrites,
    /// With a flush, what was handed out meanwhile is acknowledged too.
    AcknowledgesMeanwhile,
    /// When the sink's error has passed, nobody asks what it has after all.
    TrustsWhatItSaw,
}

impl Plan {
    pub(crate) fn from_seed(seed: u64) -> Self {
        let mut dice = Dice::part(seed, 1);
        let major = dice.pick(&[14, 15, 16, 17, 18]);
        let streaming = dice.pick(&[Streaming::Off, Streaming::On, Streaming::Parallel]);
        let streaming =
            if major < 16 && streaming == Streaming::Parallel { Streaming::On } else { streaming };
        let calm = dice.one_in(8);
        let seconds = |dice: &mut Dice| Duration::from_secs(dice.pick(&[3, 10, 60]));
        let wal_sender_timeout = seconds(&mut dice);
        let history = History::generate(&mut dice);
        let is_exactly_once = !dice.one_in(3);
        let mut sink = SinkPlan::generate(is_exactly_once, calm, wal_sender_timeout, &mut dice);
        sink.vary(calm, &mut Dice::part(seed, 5));
        let crashes = if calm { Vec::new() } else { crashes(&mut dice) };
        let busy = u64::try_from(history.busy().as_millis()).unwrap_or_default();
        let may_change = is_exactly_once || crashes.is_empty() && sink.failures.is_empty();
        Self {
            seed,
            major,
            streaming,
            two_phase: major >= 15 && dice.one_in(2),
            work_mem: dice.pick(&[1, 2, 5]),
            memory_limit: dice.pick(&[64 << 20, 64 << 20, 64 << 20, 0]),
            wal_sender_timeout,
            receive_timeout: seconds(&mut dice),
            incidents: if calm {
                Vec::new()
            } else {
                incidents(may_change, is_exactly_once, busy, &mut dice)
            },
            unlucky: if calm { 0 } else { dice.next() % 4 },
            history,
            sink,
            crashes,
            batch_rows: dice.pick(&[1, 2, 3, 10_000]),
            batch_delay: dice.millis(200),
            heartbeat: dice.one_in(8),
            bug: None,
        }
    }
}

impl SinkPlan {
    fn generate(is_exactly_once: bool, calm: bool, timeout: Duration, dice: &mut Dice) -> Self {
        let slow_one_in = if dice.one_in(3) { 1 + dice.below(8) } else { 0 };
        let slow = match dice.below(4) {
            0 => 10 * timeout,
            1 => timeout,
            _ => dice.millis(2000),
        };
        let failures = if !calm && dice.one_in(4) { 1 + dice.below(3) } else { 0 };
        let failures = (0..failures).map(|_| dice.between(1, 25)).collect();
        let (kind, passing) = (SinkKind::Append, Vec::new());
        Self { kind, is_exactly_once, slow_one_in, slow, failures, passing }
    }

    fn vary(&mut self, calm: bool, dice: &mut Dice) {
        self.kind = dice.pick(&[SinkKind::Append, SinkKind::Mirror]);
        let passing = if !calm && dice.one_in(3) { 1 + dice.below(5) } else { 0 };
        self.passing = (0..passing).map(|_| dice.between(1, 30)).collect();
    }
}

fn crashes(dice: &mut Dice) -> Vec<u64> {
    let count = dice.below(4);
    let mut crashes: Vec<_> = (0..count).map(|_| dice.between(1, 120)).collect();
    crashes.sort_unstable();
    crashes.dedup();
    crashes
}

fn incidents(may_change: bool, may_restart: bool, busy: u64, dice: &mut Dice) -> Vec<Incident> {
    let span = dice.pick(&[200, busy, busy, 30_000]);
    let mut incidents: Vec<_> = (0..dice.below(4))
        .map(|_| {
            let down = dice.millis(8000);
            let what = match dice.below(8) {
                0..=2 => Happening::Crash(down),
                3 | 4 => Happening::Stop(down),
                5 if may_restart => Happening::Restart,
                6 if may_change => Happening::Change(SourceChange::generate(dice)),
                _ => Happening::Terminate,
            };
            Incident { at: dice.millis(span), what }
        })
        .collect();
    incidents.sort_by_key(|incident| incident.at);
    // One change of the source is enough to tell from the others.
    let mut has_changed = false;
    incidents.retain(|incident| {
        let is_change = matches!(incident.what, Happening::Change(_));
        !is_change || !std::mem::replace(&mut has_changed, true)
    });
    if may_restart && dice.one_in(if has_changed { 2 } else { 4 }) {
        let after = incidents.last().map_or(Duration::ZERO, |incident| incident.at + Duration::from_secs(1));
        incidents.push(Incident { at: after + dice.millis(2000), what: Happening::Kill });
    }
    incidents
}

impl SourceChange {
    fn generate(dice: &mut Dice) -> Self {
        match dice.below(10) {
            0..=3 => Self::Promoted(dice.pick(&[0, 0, 0, 1, 2, 5])),
            4 => Self::Restored(dice.below(12)),
            5 => Self::SlotDropped,
            6 => Self::SlotInvalidated,
            7 => Self::SlotMadeAnew,
            8 => Self::OtherSystem,
            _ => Self::OtherDatabase,
        }
    }
}
