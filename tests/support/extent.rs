//! How much the tests generate that generate.
//!
//! `WALFERRY_LONG=1` is the long form: many times as much, on every server. `WALFERRY_SEED=17` is one seed again, the
//! one that a failure named.

use std::env;
use std::ops::Range;
use std::thread;

use super::{Server, newest, oldest, servers};

/// Whether this is the long form.
pub(crate) fn is_long() -> bool {
    env::var("WALFERRY_LONG").is_ok_and(|value| !matches!(value.as_str(), "" | "0"))
}

/// How many to generate.
pub(crate) fn how_many(usually: usize, long: usize) -> usize {
    if is_long() { long } else { usually }
}

/// Which seeds to try.
pub(crate) fn seeds(usually: u64, long: u64) -> Range<u64> {
    let Ok(seed) = env::var("WALFERRY_SEED") else { return 0..if is_long() { long } else { usually } };
    let seed = seed.parse().expect("WALFERRY_SEED is a number");
    seed..seed + 1
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
