//! Published tables copied into another PostgreSQL, by this crate in a process of its own, and by what else there is: `psql`
//! piped into `psql` (raw `COPY` in binary, frozen), the server's own table synchronisation, `pg_dump` into `pg_restore`.
//! After each copy, both sides are proved equal.
//!
//! ```text
//! cargo bench --bench copy                                # about a minute: the table, and what was promised
//! cargo bench --bench copy -- --rows 5000000 --pairs 5 --ways ours-1,pipe-1
//! cargo bench --bench copy -- --help
//! ```
//!
//! Each copy goes into a database of its own, made from one template; the order of the ways turns from round to round, and
//! ratios are taken within a round. Timed is each process from its start to its exit, and the subscription from its making
//! until its tables are ready. The snapshot that ours copies at is made before. A value of 200 MB is copied at the end: no
//! more than 64 MiB of memory may be taken for that, or for anything before.
#![allow(clippy::allow_attributes, reason = "tests/support asks for it")]
#![allow(clippy::expect_used, clippy::panic, reason = "a bench that can't run must say so")]

mod ours;
mod stage;
#[path = "../../tests/support/mod.rs"]
mod support;
mod ways;

use std::collections::BTreeMap;

use clap::Parser;

use self::stage::Stage;
use self::ways::{Run, Way};

/// Copy tables into another PostgreSQL: by this crate, by raw COPY, by the server itself, by `pg_dump`
#[derive(Debug, Parser)]
#[command(name = "copy")]
pub(crate) struct Options {
    /// Rows of each of the two tables
    #[arg(long, value_name = "N", default_value_t = 1_000_000, value_parser = clap::value_parser!(u32).range(1000..=50_000_000))]
    rows: u32,

    /// How often each way is gone
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=30))]
    pairs: u32,

    /// The major version of both servers
    #[arg(long, value_name = "MAJOR", default_value_t = 15)]
    server: u32,

    /// Only these ways
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = Way::ALL)]
    ways: Vec<Way>,

    /// Cargo says so
    #[arg(long, hide = true)]
    bench: bool,
}

/// What one process may take, in KiB.
const MOST_MEMORY: u64 = 64 * 1024;

fn main() {
    if let Some(arguments) = ours::arguments() {
        return ours::run(&arguments);
    }
    let options = Options::parse();
    let stage = Stage::start(options.server, options.rows);
    println!("{}", stage.about());
    let mut runs: BTreeMap<Way, Vec<Run>> = BTreeMap::new();
    for round in 0..options.pairs {
        let mut order = options.ways.clone();
        let turn = usize::try_from(round).expect("few rounds") % order.len();
        order.rotate_left(turn);
        for way in order {
            let run = way.run(&stage);
            eprintln!("{round} {way:?}: {:.2} s, {} KiB", run.seconds, run.memory);
            runs.entry(way).or_default().push(run);
        }
    }
    println!("{}", table(&stage, &runs));
    if options.ways.contains(&Way::Ours1) {
        let field = ways::field(&stage);
        println!("a value of 200 MB: {:.2} s, {} KiB", field.seconds, field.memory);
        assert!(field.memory < MOST_MEMORY, "{} KiB", field.memory);
    }
    let most = runs.values().flatten().map(|run| run.memory).max().unwrap_or_default();
    assert!(most < MOST_MEMORY, "{most} KiB");
}

/// Medians, and those of the ratios within rounds to the pipes.
fn table(stage: &Stage, runs: &BTreeMap<Way, Vec<Run>>) -> String {
    let megabytes = stage.megabytes();
    let mut lines = vec![
        "| way | seconds | MB/s | speed to pipe-1 | to pipe-2 | memory, KiB |".to_owned(),
        "|---|--:|--:|--:|--:|--:|".to_owned(),
    ];
    for (way, of_way) in runs {
        let seconds = median(of_way.iter().map(|run| run.seconds));
        let ratio = |other| {
            let others = runs.get(&other)?;
            let ratios = of_way.iter().zip(others).map(|(run, other)| other.seconds / run.seconds);
            Some(format!("{:.2}", median(ratios)))
        };
        let [one, two] = [Way::Pipe1, Way::Pipe2].map(|pipe| ratio(pipe).unwrap_or_default());
        let memory = of_way.iter().map(|run| run.memory).max().filter(|memory| *memory > 0);
        let memory = memory.map(|memory| memory.to_string()).unwrap_or_default();
        lines.push(format!(
            "| {way:?} | {seconds:.2} | {:.0} | {one} | {two} | {memory} |",
            megabytes / seconds
        ));
    }
    lines.join("\n")
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().expect("a run")
}
