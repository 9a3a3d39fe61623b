//! What a network and a server can do to a stream: nothing is lost, nothing comes twice, and what can't be mended is told.
#![allow(
    clippy::allow_attributes,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "test helpers fail the test by a panic; clippy knows only #[test] functions as tests"
)]

mod captures;
mod cuts;
mod outages;
mod permanent;
mod proxy;
mod script;
mod sink;
mod story;

#[path = "../program/mod.rs"]
mod program;
#[path = "../support/mod.rs"]
mod support;

use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use support::Server;

const PATIENCE: Duration = Duration::from_secs(60);
const SECOND: Duration = Duration::from_secs(1);

/// All servers that are installed, side by side.
fn on_all_servers(test: impl Fn(&Server) + Sync) {
    let servers = support::servers();
    thread::scope(|scope| {
        for server in &servers {
            let test = &test;
            scope.spawn(move || test(server));
        }
    });
}

/// A few at a time.
fn in_parallel<T: Send>(items: impl IntoIterator<Item = T, IntoIter: Send>, work: impl Fn(T) + Sync) {
    const WORKERS: usize = 3;
    let items = Mutex::new(items.into_iter());
    thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                loop {
                    let item = items.lock().unwrap().next();
                    let Some(item) = item else { return };
                    work(item);
                }
            });
        }
    });
}

fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "not in time: {what}");
        thread::sleep(Duration::from_millis(10));
    }
}
