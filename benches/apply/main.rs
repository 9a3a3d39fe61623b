//! A backlog drained from a replication slot into another PostgreSQL, three ways in one run: by `replay --to postgres`
//! in a process of its own, by the server's own subscription, and by `pg_recvlogical` into `/dev/null`, which is as
//! fast as anything behind that walsender can be. After each drain, both tables are proved equal.
//!
//! ```text
//! cargo bench --bench apply                               # about ten minutes: the table, and what was promised
//! cargo bench --bench apply -- --shapes narrow,tpcb --pairs 7 --rows 1000000
//! cargo bench --bench apply -- --ways ceiling,stream,sql,json     # no target: what streaming, and printing, takes
//! cargo bench --bench apply -- --ways ceiling,stream --tcp        # the same as across machines, but for the distance
//! cargo bench --bench apply -- --latency                  # commit acknowledged → visible, under light load
//! cargo bench --bench apply -- --help
//! ```
//!
//! The workload of a shape runs once. Each drain has a slot of its own from before it, and a database of its own made
//! from one template. The order of the three turns from round to round; ratios are taken within a round.
//! What is timed, in the rival's favour: `replay` and `pg_recvlogical` from their start to their exit, when all is
//! flushed and acknowledged; the subscription from `ENABLE` until its last transaction is visible.
//! CPU is what the scheduler counted for each server process born during the drain, and for the process of `replay`.
#![allow(clippy::allow_attributes, reason = "tests/support asks for it")]
#![allow(clippy::expect_used, clippy::panic, reason = "a bench that can't run must say so")]

mod cpu;
mod drain;
mod latency;
mod options;
#[path = "../../tests/program/mod.rs"]
mod program;
mod programs;
mod report;
mod shapes;
mod stage;
mod stream;
#[path = "../../tests/support/mod.rs"]
mod support;
#[path = "../common/verdict.rs"]
mod verdict;

use std::path::Path;

use self::drain::{Drain, Round};
use self::options::Options;
use self::programs::Programs;
use self::report::Report;
use self::shapes::Shape;
use self::stage::Stage;

fn main() {
    let options = Options::read();
    if let [source, slot, end, streaming] = options.only_stream.as_slice() {
        return stream::drain(source, slot, end, streaming == "true", options.binary);
    }
    let programs = Programs::find(&options);
    let stage = Stage::start(options.server, options.tcp);
    println!("{}", stage.settings(&programs));
    if options.latency {
        return latency::measure(&stage, &programs, &options);
    }
    let mut report = Report::default();
    for shape in shapes::chosen(&options) {
        let drains = drains(&stage, &shape, &programs, &options);
        report.add(&shape, drains);
    }
    println!("\n{}", report.markdown());
    if let Some(path) = &options.json {
        write(path, &report.json(&stage.settings(&programs)));
    }
}

/// All rounds of one shape.
fn drains(stage: &Stage, shape: &Shape, programs: &Programs, options: &Options) -> Vec<Round> {
    eprintln!("{}: {}", shape.name, shape.about);
    let slots = (0..options.pairs).flat_map(|round| options.ways.iter().map(move |way| way.slot(round)));
    let backlog = stage.make_backlog(shape, &slots.collect::<Vec<_>>());
    let rounds = (0..options.pairs).map(|round| {
        let mut order = options.ways.clone();
        let turn = usize::try_from(round).expect("few rounds") % order.len();
        order.rotate_left(turn);
        let mut done = Round::default();
        for way in order {
            let drain = Drain::run(stage, &backlog, way, round, programs, options);
            eprintln!("  {round} {way:?}: {}", drain.line(shape.changes));
            done.insert(way, drain);
        }
        done
    });
    let rounds = rounds.collect();
    stage.forget(shape);
    rounds
}

fn write(path: &Path, json: &serde_json::Value) {
    let text = serde_json::to_string_pretty(json).expect("JSON");
    std::fs::write(path, text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
}
