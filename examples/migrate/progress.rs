//! What a run does, shown while it does it: bars on a terminal, a line every ten seconds elsewhere.

use std::collections::VecDeque;
use std::io::IsTerminal as _;
use std::time::{Duration, Instant};

use indicatif::{HumanBytes, HumanCount, HumanDuration, MultiProgress, ProgressBar, ProgressStyle};
use walferry::Lsn;
use walferry::migrate::{Monitor, Stage};
use walferry::pipeline::Statistics;
use walferry::snapshot::TableProgress;

const OFTEN: Duration = Duration::from_millis(250);
const SELDOM: Duration = Duration::from_secs(10);

/// Bars for so many tables at once; the others are in the sum.
const BARS: usize = 8;

/// Shows what the run does, until it is dropped.
pub(crate) async fn show(monitor: Monitor) {
    if std::io::stderr().is_terminal() {
        let mut bars = Bars::new();
        loop {
            tokio::time::sleep(OFTEN).await;
            bars.draw(&monitor.stage());
        }
    }
    let mut pace = Pace::default();
    loop {
        tokio::time::sleep(SELDOM).await;
        eprintln!("{}", line(&monitor.stage(), &mut pace));
    }
}

fn line(stage: &Stage, pace: &mut Pace) -> String {
    match stage {
        Stage::Schema => "carrying the schema".to_owned(),
        Stage::Indexes => "making indexes and constraints".to_owned(),
        Stage::Copying(monitor) => Sum::of(&monitor.tables()).line(pace),
        Stage::Following(monitor) => following(&monitor.statistics(), pace),
        _ => "preparing".to_owned(),
    }
}

/// All tables together.
struct Sum {
    tables: usize,
    whole: usize,
    rows: u64,
    bytes: u64,
    size: u64,
    size_copied: u64,
}

impl Sum {
    fn of(tables: &[TableProgress]) -> Self {
        let sum = |of: fn(&TableProgress) -> u64| tables.iter().map(of).sum();
        Self {
            tables: tables.len(),
            whole: tables.iter().filter(|table| table.is_whole).count(),
            rows: sum(|table| table.rows),
            bytes: sum(|table| table.bytes),
            size: sum(|table| table.size),
            size_copied: sum(|table| table.size_copied),
        }
    }

    fn line(&self, pace: &mut Pace) -> String {
        let rate = pace.rate(self.size_copied);
        let left = self.size.saturating_sub(self.size_copied);
        let time = left.checked_div(rate).map_or_else(
            || "?".to_owned(),
            |seconds| HumanDuration(Duration::from_secs(seconds)).to_string(),
        );
        format!(
            "copy: {} of {} tables, {} of {}, {} rows, {} received, {}/s, {time} left",
            self.whole,
            self.tables,
            HumanBytes(self.size_copied),
            HumanBytes(self.size),
            HumanCount(self.rows),
            HumanBytes(self.bytes),
            HumanBytes(rate),
        )
    }
}

fn following(statistics: &Statistics, pace: &mut Pace) -> String {
    let Statistics { positions, transactions, changes, is_connected, .. } = statistics;
    if positions.durable.is_zero() {
        return "follow: connecting".to_owned();
    }
    let rate = pace.rate(*changes);
    let behind = pace.behind(positions.server_end, positions.durable);
    let lag = u64::from(positions.server_end).saturating_sub(positions.durable.into());
    let away = if *is_connected { "" } else { ", connecting again" };
    format!(
        "follow: {} transactions, {} changes, {rate} changes/s, lag {} and {} s, at {}{away}",
        HumanCount(*transactions),
        HumanCount(*changes),
        HumanBytes(lag),
        behind.as_secs(),
        positions.durable,
    )
}

/// How fast something grows, and how long ago the source was where the target is.
#[derive(Default)]
struct Pace {
    counts: VecDeque<(Instant, u64)>,
    ends: VecDeque<(Instant, Lsn)>,
}

impl Pace {
    /// A second's part of what the last half minute has brought.
    fn rate(&mut self, count: u64) -> u64 {
        let now = Instant::now();
        if self.counts.back().is_some_and(|(_, last)| *last > count) {
            self.counts.clear();
        }
        self.counts.push_back((now, count));
        while self.counts.len() > 2 && self.counts.front().is_some_and(|(then, _)| now - *then > 3 * SELDOM) {
            self.counts.pop_front();
        }
        let (then, before) = self.counts.front().copied().unwrap_or((now, count));
        let milliseconds = u64::try_from((now - then).as_millis()).unwrap_or(u64::MAX);
        ((count - before) * 1000).checked_div(milliseconds).unwrap_or_default()
    }

    /// Since when the source has been further than the target is.
    fn behind(&mut self, end: Lsn, durable: Lsn) -> Duration {
        let now = Instant::now();
        self.ends.push_back((now, end));
        while self.ends.front().is_some_and(|(_, end)| *end <= durable) {
            self.ends.pop_front();
        }
        self.ends.front().map_or(Duration::ZERO, |(then, _)| now - *then)
    }
}

struct Bars {
    all: MultiProgress,
    sum: ProgressBar,
    tables: Vec<ProgressBar>,
    pace: Pace,
}

impl Bars {
    fn new() -> Self {
        let all = MultiProgress::new();
        let sum = all.add(ProgressBar::new(0).with_style(style("{bar:20} {percent:>3} % {msg}")));
        Self { all, sum, tables: Vec::new(), pace: Pace::default() }
    }

    fn draw(&mut self, stage: &Stage) {
        let Stage::Copying(monitor) = stage else {
            self.tables.drain(..).for_each(|bar| bar.finish_and_clear());
            self.sum.set_style(style("{msg}"));
            self.sum.set_message(line(stage, &mut self.pace));
            return;
        };
        let tables = monitor.tables();
        let sum = Sum::of(&tables);
        self.sum.set_length(sum.size);
        self.sum.set_position(sum.size_copied);
        self.sum.set_message(sum.line(&mut self.pace));
        let busy = tables.iter().filter(|table| !table.is_whole && table.bytes > 0).take(BARS);
        let busy: Vec<_> = busy.collect();
        while self.tables.len() < busy.len() {
            let bar =
                ProgressBar::new(0).with_style(style("  {bar:30} {percent:>3} % {bytes_per_sec} {msg}"));
            self.tables.push(self.all.add(bar));
        }
        for bar in self.tables.drain(busy.len()..) {
            bar.finish_and_clear();
        }
        for (bar, table) in self.tables.iter().zip(busy) {
            bar.set_length(table.size);
            bar.set_position(table.size_copied);
            bar.set_message(format!(
                "{}.{}: {} rows, {}",
                table.schema,
                table.name,
                HumanCount(table.rows),
                HumanBytes(table.bytes)
            ));
        }
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}
