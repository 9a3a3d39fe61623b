//! Decoding: message, relation lookup, and one visit of every column, beside the floor, which is a bounds-checked walk
//! over the length fields that builds nothing, and beside published decoders, on the same messages. What each saw is
//! asserted to be the same.
//!
//! ```text
//! cargo bench --bench decode                  # criterion, then the table
//! cargo bench --bench decode -- --promises    # the table alone: ns per message, ratios, and what was promised
//! ```
//!
//! In the table they take turns on each shape's messages, and the fastest of many turns counts: what else runs on the
//! machine only ever adds. Each takes a message as the connection gives it, and lets go of it while the clock runs, which
//! the table's first column shows by itself: one reference to the read buffer.
#![allow(clippy::allow_attributes, reason = "what is shared asks for it")]
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a bench that can't run must say so"
)]

#[path = "common/decoders.rs"]
mod decoders;
#[path = "common/frames.rs"]
mod frames;
#[path = "common/verdict.rs"]
mod verdict;

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{BatchSize, Criterion, Throughput};

use self::decoders::{Decode, FLOOR, OURS, Seen};
use self::frames::Shape;
use self::verdict::{Figure, at_least, at_most, highest, lowest, number};

const TURNS: usize = 200;
const LET_GO: &str = "let go";

fn main() {
    let shapes = frames::shapes();
    for shape in &shapes {
        assert_same(shape);
    }
    if !std::env::args().any(|argument| argument == "--promises") {
        let mut criterion = Criterion::default().configure_from_args();
        for shape in &shapes {
            in_detail(&mut criterion, shape);
        }
        criterion.final_summary();
    }
    println!("{}", table(&shapes.iter().map(Line::measure).collect::<Vec<_>>()));
}

fn assert_same(shape: &Shape) {
    let mut decoders = decoders::all(shape).into_iter();
    let (_, mut floor) = decoders.next().expect("the floor");
    let expected = floor(&mut shape.messages.clone());
    for (name, mut decode) in decoders {
        assert_eq!(decode(&mut shape.messages.clone()), expected, "{name} and the floor, on {}", shape.name);
    }
}

fn in_detail(criterion: &mut Criterion, shape: &Shape) {
    let mut group = criterion.benchmark_group(shape.name);
    group.warm_up_time(Duration::from_millis(200)).measurement_time(Duration::from_secs(1));
    group.throughput(Throughput::Elements(shape.messages.len() as u64));
    for (name, mut decode) in decoders::all(shape) {
        group.bench_function(name, |bencher| {
            bencher.iter_batched_ref(|| shape.messages.clone(), &mut decode, BatchSize::LargeInput);
        });
    }
    group.finish();
}

/// What a shape came to.
struct Line {
    name: &'static str,
    columns: usize,
    /// Nanoseconds per message, in the order of the columns of the table.
    fastest: Vec<(&'static str, f64)>,
}

impl Line {
    fn measure(shape: &Shape) -> Self {
        let let_go: Decode = Box::new(|messages| messages.drain(..).map(|_| Seen::default()).sum());
        let mut decoders = vec![(LET_GO, let_go)];
        decoders.extend(decoders::all(shape));
        let mut fastest: Vec<_> = decoders.iter().map(|(name, _)| (*name, f64::INFINITY)).collect();
        for _ in 0..TURNS {
            for ((_, decode), (_, fastest)) in decoders.iter_mut().zip(&mut fastest) {
                *fastest = fastest.min(turn(shape, decode));
            }
        }
        Self { name: shape.name, columns: shape.columns, fastest }
    }

    fn of(&self, name: &str) -> Figure {
        self.fastest.iter().find_map(|(of, time)| (*of == name).then_some(*time))
    }

    fn to_floor(&self) -> Figure {
        Some(self.of(OURS)? / self.of(FLOOR)?)
    }

    fn to_rival(&self) -> Figure {
        let rivals = self.fastest.iter().filter(|(name, _)| ![LET_GO, FLOOR, OURS].contains(name));
        Some(lowest(&rivals.map(|(_, time)| *time).collect::<Vec<_>>())? / self.of(OURS)?)
    }
}

/// Nanoseconds per message.
fn turn(shape: &Shape, decode: &mut Decode) -> f64 {
    let mut messages = shape.messages.clone();
    let start = Instant::now();
    black_box(decode(black_box(&mut messages)));
    let messages = u32::try_from(shape.messages.len()).expect("few messages");
    start.elapsed().as_secs_f64() * 1e9 / f64::from(messages)
}

fn table(lines: &[Line]) -> String {
    let names: Vec<_> = lines[0].fastest.iter().map(|(name, _)| *name).collect();
    let head = format!(
        "| ns per message | {} | walferry : floor | fastest other : walferry |\n|---|{}\n",
        names.join(" | "),
        "--:|".repeat(names.len() + 2)
    );
    let rows = lines.iter().map(|line| {
        let times: Vec<_> = line.fastest.iter().map(|(_, time)| number(Some(*time))).collect();
        let ratios = [line.to_floor(), line.to_rival()].map(number).join(" | ");
        format!("| {} | {} | {ratios} |\n", line.name, times.join(" | "))
    });
    head + &rows.collect::<String>() + "\n" + &verdicts(lines)
}

fn verdicts(lines: &[Line]) -> String {
    let to_floor = |columns| {
        let lines = lines.iter().filter(|line| line.columns == columns);
        highest(&lines.filter_map(Line::to_floor).collect::<Vec<_>>())
    };
    let to_rival: Vec<_> = lines.iter().filter_map(Line::to_rival).collect();
    [
        at_most("walferry : floor, the worst on 30 columns", 1.5, to_floor(30)),
        at_most("walferry : floor, the worst on 3 columns", 3.0, to_floor(3)),
        at_least("fastest other decoder : walferry, the worst", 5.0, lowest(&to_rival)),
    ]
    .concat()
}
