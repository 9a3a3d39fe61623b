//! How much the tests generate that generate.
//!
//! `WALFERRY_LONG=1` is the long form: many times as much, on every server. `WALFERRY_SHORT=1` is a tenth: to see that the
//! tests run somewhere. `WALFERRY_SEED=17` is one seed again, the one that a failure named, and
//! `WALFERRY_SEED=100..200` are others than usual.

use std::env;
use std::ops::Range;
use std::thread;

use super::{Server, newest, oldest, servers};

/// Whether this is the long form.
pub(crate) fn is_long() -> bool {
    is_set("WALFERRY_LONG")
}

pub(super) fn is_set(variable: &str) -> bool {
    env::var(variable).is_ok_and(|value| !matches!(value.as_str(), "" | "0"))
}

/// How many to generate.
pub(crate) fn how_many(usually: u64, long: u64) -> usize {
    usize::try_from(in_this_form(usually, long)).expect("no more than a machine can count")
}

fn in_this_form(usually: u64, long: u64) -> u64 {
    match (is_long(), is_set("WALFERRY_SHORT")) {
        (true, _) => long,
        (false, true) => usually.div_ceil(10),
        (false, false) => usually,
    }
}

/// Tries each seed. When one fails, says how to try it again.
pub(crate) fn for_each_seed(usually: u64, long: u64, mut test: impl FnMut(u64)) {
    for seed in seeds(usually, long) {
        let again = Again(seed);
        test(seed);
        drop(again);
    }
}

fn seeds(usually: u64, long: u64) -> Range<u64> {
    let Ok(seed) = env::var("WALFERRY_SEED") else {
        return 0..in_this_form(usually, long);
    };
    let number = |digits: &str| digits.parse::<u64>().expect("WALFERRY_SEED is a number, or two as in 7..9");
    seed.split_once("..")
        .map_or_else(|| number(&seed)..number(&seed) + 1, |(first, end)| number(first)..number(end))
}

struct Again(u64);

impl Drop for Again {
    fn drop(&mut self) {
        if thread::panicking() {
            let (seed, long) = (self.0, if is_long() { "WALFERRY_LONG=1 " } else { "" });
            let test = env!("CARGO_CRATE_NAME");
            eprintln!("seed {seed} again: WALFERRY_SEED={seed} {long}cargo test --test {test}");
        }
    }
}

/// The servers that what was generated is tried on: the oldest and the newest, or all of them.
pub(crate) fn servers_to_try() -> Vec<Server> {
    if is_long() {
        return servers();
    }
    let mut ends = vec![oldest(), newest()];
    ends.dedup_by_key(|server| server.major);
    ends
}

/// Runs a test on each of [`servers_to_try`], all at the same time.
pub(crate) fn on_each_server(test: impl Fn(&Server) + Sync) {
    let servers = servers_to_try();
    thread::scope(|scope| {
        for server in &servers {
            scope.spawn(|| test(server));
        }
    });
}
