//! Many worlds, and what is found in those whose client has a bug.
//!
//! `WALFERRY_LONG=1` tries ten times as many, `WALFERRY_SEED=17` or `WALFERRY_SEED=100..200` others than usual;
//! `WALFERRY_TRACE=1` tells what happens in them.

mod bugs;
mod crashes;

use std::collections::BTreeSet;
use std::env;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use super::plan::Plan;
use super::shrink::shrink;
use super::{Outcome, run};

fn number(digits: &str) -> u64 {
    digits.parse().expect("WALFERRY_SEED is a number, or two as in 7..9")
}

fn is_set(name: &str) -> bool {
    env::var(name).is_ok_and(|value| !matches!(value.as_str(), "" | "0"))
}

fn seeds(usually: u64, long: u64) -> Range<u64> {
    let Ok(seed) = env::var("WALFERRY_SEED") else {
        return 0..if is_set("WALFERRY_LONG") { long } else { usually };
    };
    seed.split_once("..")
        .map_or_else(|| number(&seed)..number(&seed) + 1, |(first, end)| number(first)..number(end))
}

/// A run that doesn't take the test down with it.
fn outcome(plan: &Plan) -> Outcome {
    let run = catch_unwind(AssertUnwindSafe(|| run(plan, is_set("WALFERRY_TRACE"))));
    run.unwrap_or_else(|_| Outcome { findings: vec!["it panicked".to_owned()], ..Outcome::default() })
}

fn fails(plan: &Plan) -> bool {
    !outcome(plan).findings.is_empty()
}

/// Fails with all that is needed to look into it.
fn report(plan: &Plan, outcome: &Outcome) -> ! {
    for line in &outcome.trace {
        eprintln!("{line}");
    }
    let (seed, findings) = (plan.seed, &outcome.findings);
    let smallest = shrink(plan, fails);
    let left = run(&smallest, false).findings;
    panic!(
        "seed {seed}: {findings:#?}\nthe same with less: {left:#?}\n{smallest:?}\n\
         seed {seed} again: WALFERRY_TRACE=1 WALFERRY_SEED={seed} cargo test --lib survives_any_seed -- --nocapture"
    );
}

/// Tries each seed, on two threads. Gives what came about in all of them.
fn survive(seeds: Range<u64>) -> BTreeSet<&'static str> {
    let (next, seen) = (AtomicU64::new(seeds.start), Mutex::new(BTreeSet::new()));
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let seed = next.fetch_add(1, Ordering::Relaxed)
                    && seed < seeds.end
                {
                    let plan = Plan::from_seed(seed);
                    let outcome = outcome(&plan);
                    if !outcome.findings.is_empty() {
                        next.store(seeds.end, Ordering::Relaxed);
                        report(&plan, &outcome);
                    }
                    for line in &outcome.trace {
                        eprintln!("{line}");
                    }
                    seen.lock().unwrap().extend(outcome.seen);
                }
            });
        }
    });
    seen.into_inner().unwrap()
}

#[test]
fn survives_any_seed() {
    let seeds = seeds(10_000, 100_000);
    let is_all = seeds.end - seeds.start >= 10_000;
    let seen = survive(seeds);
    // What never comes about is not tried.
    for kind in [
        "crash",
        "cut",
        "hole",
        "hung up",
        "other database",
        "other system",
        "promoted behind",
        "reconnect",
        "restored",
        "rollback",
        "sink failed",
        "sink retried",
        "skipped",
        "slot ahead",
        "slot dropped",
        "slot in use",
        "slot invalidated",
        "timeout",
    ] {
        assert!(!is_all || seen.contains(kind), "{kind} never came about, only {seen:?}");
    }
    assert!(!seen.contains("another error") && !seen.contains("silence"), "{seen:?}");
}

/// Seeds that have found something, and what.
const FOUND: [(u64, &str); 5] = [
    (0, "a sink that is slow to keep its first position starved the connection"),
    (59, "a sink that is slow to say where it stands did so, too"),
    (11, "a keepalive inside of a transaction was taken for progress (planted)"),
    (1192, "behind a promotion, the sink's position went on under the old timeline"),
    (4056, "a shutdown ended in an error that passes by itself"),
];

#[test]
fn what_was_found_once_stays_right() {
    for (seed, found) in FOUND {
        let outcome = outcome(&Plan::from_seed(seed));
        assert_eq!(outcome.findings, [""; 0], "seed {seed}: {found}");
    }
}

#[test]
fn the_same_seed_is_the_same_run() {
    for seed in 0..200 {
        let plan = Plan::from_seed(seed);
        let (first, second) = (run(&plan, false), run(&plan, false));
        if first.digest != second.digest {
            assert_eq!(run(&plan, true).trace, run(&plan, true).trace, "seed {seed}");
        }
        assert_eq!((first.digest, first.steps), (second.digest, second.steps), "seed {seed}");
    }
}
