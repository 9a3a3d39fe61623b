//! Tables and verdicts.

use serde_json::{Value, json};

use crate::drain::{Drain, Round};
use crate::options::Way;
use crate::shapes::Shape;
use crate::verdict::{Figure, at_least, at_most, geometric_mean, highest, lowest, median, number};

#[derive(Default)]
pub(crate) struct Report {
    lines: Vec<Line>,
}

/// What a shape came to. Rates and costs are medians over the rounds, ratios medians of the rounds' ratios.
struct Line {
    name: &'static str,
    changes: u32,
    rounds: Vec<Round>,
}

impl Line {
    /// The median of what `figure` finds in each round; `None` where a way took no part.
    fn median(&self, figure: impl Fn(&Round) -> Figure) -> Figure {
        let mut found: Vec<f64> = self.rounds.iter().filter_map(figure).collect();
        median(&mut found)
    }

    /// Thousands of changes a second.
    fn rate(&self, of: impl Fn(&Round) -> Option<&Drain>) -> Figure {
        self.median(|round| Some(f64::from(self.changes) / of(round)?.wall.as_secs_f64() / 1000.0))
    }

    /// CPU microseconds per change.
    fn cost(&self, of: impl Fn(&Round) -> Figure) -> Figure {
        self.median(|round| Some(of(round)? * 1e6 / f64::from(self.changes)))
    }

    fn ratio(&self, above: impl Fn(&Round) -> Figure, below: impl Fn(&Round) -> Figure) -> Figure {
        self.median(|round| Some(above(round)? / below(round)?))
    }

    fn speedup(&self) -> Figure {
        self.ratio(|round| wall(round.get(&Way::Native)), |round| wall(round.get(&Way::Ours)))
    }

    fn of_ceiling(&self) -> Figure {
        self.ratio(|round| wall(round.get(&Way::Ceiling)), |round| wall(round.get(&Way::Ours)))
    }

    /// By how much the walsender alone is faster than the subscription.
    fn room(&self) -> Figure {
        self.ratio(|round| wall(round.get(&Way::Native)), |round| wall(round.get(&Way::Ceiling)))
    }

    /// What streaming costs, beside what it costs the server to send.
    fn streaming(&self) -> Figure {
        self.ratio(|round| process(round.get(&Way::Stream)), |round| source(round.get(&Way::Stream)))
    }

    fn source(&self) -> Figure {
        self.ratio(|round| source(round.get(&Way::Ours)), |round| source(round.get(&Way::Native)))
    }

    fn applying(&self) -> Figure {
        self.ratio(|round| applying(round.get(&Way::Ours)), |round| applying(round.get(&Way::Native)))
    }
}

fn wall(drain: Option<&Drain>) -> Figure {
    drain.map(|drain| drain.wall.as_secs_f64())
}

fn source(drain: Option<&Drain>) -> Figure {
    drain.map(|drain| drain.source.as_secs_f64())
}

fn applying(drain: Option<&Drain>) -> Figure {
    drain.map(|drain| drain.applying().as_secs_f64())
}

fn target(drain: Option<&Drain>) -> Figure {
    drain.map(|drain| drain.target.as_secs_f64())
}

fn process(drain: Option<&Drain>) -> Figure {
    drain.map(|drain| drain.process.as_secs_f64())
}

const HEAD: &str = "\
| shape | changes | ceiling k/s | native k/s | ours k/s | ours : native | ours : ceiling | walsender: ceiling | native | ours | ours : native | worker | ours: process | + backends | ours : worker |
|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|
";

const WITHOUT_A_TARGET: [Way; 3] = [Way::Stream, Way::Sql, Way::Json];

/// Thousands of changes a second; then CPU µs per change, of `pg_recvlogical` among them.
const HEAD_WITHOUT_A_TARGET: &str = "\
| shape | stream k/s | SQL k/s | JSON k/s | walsender | pg_recvlogical | stream | SQL | JSON | stream : walsender |
|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|
";

impl Report {
    pub(crate) fn add(&mut self, shape: &Shape, rounds: Vec<Round>) {
        self.lines.push(Line { name: shape.name, changes: shape.changes, rounds });
    }

    /// Rates in thousands of changes a second; from the walsender on, CPU µs per change.
    pub(crate) fn markdown(&self) -> String {
        let rows: String = self.lines.iter().map(row).collect();
        let geo = |figure: fn(&Line) -> Figure| number(geometric_mean(self.all(figure)));
        let last = format!(
            "| geometric mean | | | | | {} | {} | | | | {} | | | | {} |\n",
            geo(Line::speedup),
            geo(Line::of_ceiling),
            geo(Line::source),
            geo(Line::applying)
        );
        let (verdicts, disturbance) = (self.verdicts(), self.disturbance());
        format!("{HEAD}{rows}{last}\n{}{verdicts}\n{disturbance}", self.without_a_target())
    }

    /// What the ways take that end in no server, and the walsender for them; nothing if none took part.
    fn without_a_target(&self) -> String {
        let took_part =
            |way| self.lines.iter().flat_map(|line| &line.rounds).any(|round| round.contains_key(way));
        if !WITHOUT_A_TARGET.iter().any(took_part) {
            return String::new();
        }
        let rows: String = self.lines.iter().map(row_without_a_target).collect();
        format!("{HEAD_WITHOUT_A_TARGET}{rows}\n")
    }

    /// Every single drain, in seconds.
    pub(crate) fn json(&self, settings: &str) -> Value {
        let shapes = self.lines.iter().map(|line| {
            let rounds = line.rounds.iter().map(round_json).collect::<Vec<_>>();
            json!({"shape": line.name, "changes": line.changes, "rounds": rounds})
        });
        json!({"settings": settings.lines().collect::<Vec<_>>(), "shapes": shapes.collect::<Vec<_>>()})
    }

    fn all(&self, figure: impl Fn(&Line) -> Figure) -> Vec<f64> {
        self.lines.iter().filter_map(figure).collect()
    }

    /// How far the wall times can be trusted.
    fn disturbance(&self) -> String {
        let rounds = self.lines.iter().flat_map(|line| &line.rounds);
        let drains = rounds.flat_map(Round::values);
        let share = |drain: &Drain| drain.others.as_secs_f64() / drain.wall.as_secs_f64();
        let mut shares: Vec<f64> = drains.map(share).collect();
        let (middle, worst) = (median(&mut shares), highest(&shares));
        format!(
            "Other work took {} of a processor (median of the drains), at worst {}.",
            number(middle),
            number(worst)
        )
    }

    /// A line for each promise that was measured.
    fn verdicts(&self) -> String {
        let speedups = self.all(Line::speedup);
        let walled = |line: &Line| line.room().filter(|room| *room < 1.3).and_then(|_| line.of_ceiling());
        let source = |line: &Line| line.source();
        let applying = self.all(Line::applying);
        [
            at_least("wall time, ours : native, geometric mean", 1.3, geometric_mean(speedups.clone())),
            at_least("wall time, ours : native, the worst", 0.95, lowest(&speedups)),
            at_least(
                "ours : ceiling, the worst where ceiling : native is below 1.3",
                0.85,
                lowest(&self.all(walled)),
            ),
            at_most("walsender CPU, ours : native, the worst", 1.05, highest(&self.all(source))),
            at_most("CPU of applying, ours : native, geometric mean", 0.8, geometric_mean(applying.clone())),
            at_most("CPU of applying, ours : native, the worst", 1.0, highest(&applying)),
            at_most(
                "CPU of streaming : the walsender's, the worst",
                0.25,
                highest(&self.all(Line::streaming)),
            ),
        ]
        .concat()
    }
}

fn row(line: &Line) -> String {
    let figures = [
        line.rate(|round| round.get(&Way::Ceiling)),
        line.rate(|round| round.get(&Way::Native)),
        line.rate(|round| round.get(&Way::Ours)),
        line.speedup(),
        line.of_ceiling(),
        line.cost(|round| source(round.get(&Way::Ceiling))),
        line.cost(|round| source(round.get(&Way::Native))),
        line.cost(|round| source(round.get(&Way::Ours))),
        line.source(),
        line.cost(|round| applying(round.get(&Way::Native))),
        line.cost(|round| process(round.get(&Way::Ours))),
        line.cost(|round| target(round.get(&Way::Ours))),
        line.applying(),
    ];
    format!("| {} | {} | {} |\n", line.name, line.changes, figures.map(number).join(" | "))
}

fn row_without_a_target(line: &Line) -> String {
    let rates = WITHOUT_A_TARGET.map(|way| line.rate(|round| round.get(&way)));
    let walsender = line.cost(|round| source(round.get(&Way::Stream)));
    let costs = [Way::Ceiling, Way::Stream, Way::Sql, Way::Json];
    let costs = costs.map(|way| line.cost(|round| process(round.get(&way))));
    let figures = rates.into_iter().chain([walsender]).chain(costs).chain([line.streaming()]);
    format!("| {} | {} |\n", line.name, figures.map(number).collect::<Vec<_>>().join(" | "))
}

fn round_json(round: &Round) -> Value {
    let drain = |drain: &Drain| {
        json!({
            "wall": drain.wall.as_secs_f64(),
            "visible": drain.visible.map(|visible| visible.as_secs_f64()),
            "source": drain.source.as_secs_f64(),
            "target": drain.target.as_secs_f64(),
            "process": drain.process.as_secs_f64(),
            "others": drain.others.as_secs_f64(),
        })
    };
    round.iter().map(|(way, of)| (format!("{way:?}").to_lowercase(), drain(of))).collect()
}
