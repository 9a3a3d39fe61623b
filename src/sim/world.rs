//! What all parts of a simulated world share.

use std::collections::BTreeSet;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::io::DuplexStream;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::judge::Judge;
use super::plan::Plan;
use super::server::Server;
use super::storage::Disk;

/// One world: a source, a network, a process and what it stores.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) plan: Plan,
    state: Mutex<State>,
    /// Wakes those who wait in the order in which they came: no other primitive of tokio does.
    changed: Notify,
    began: Instant,
}

#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each says a thing of its own")]
pub(crate) struct State {
    pub(crate) server: Server,
    pub(crate) disk: Disk,
    pub(crate) judge: Judge,
    /// Steps of input and output so far.
    pub(crate) steps: u64,
    /// How many of the plan's crashes have come.
    crashes: usize,
    /// Whether the pipeline of the process runs.
    pub(crate) is_running: bool,
    /// Whether the process is to die now.
    pub(crate) is_crashed: bool,
    /// Whether the process is asked to end.
    pub(crate) is_shutdown: bool,
    /// Whether everything is over, and the process runs only to end well.
    pub(crate) is_closing: bool,
    pub(crate) connections: u64,
    /// Ends of lines on which nothing comes or goes any more, and nobody knows.
    pub(crate) attic: Vec<DuplexStream>,
    /// Kinds of things that came about.
    pub(crate) seen: BTreeSet<&'static str>,
    trace: Option<Vec<String>>,
    /// Changes with everything that happens.
    digest: u64,
}

impl World {
    pub(crate) fn new(plan: Plan, is_traced: bool) -> Arc<Self> {
        let state = State {
            server: Server::new(&plan),
            disk: Disk::default(),
            judge: Judge::default(),
            steps: 0,
            crashes: 0,
            is_running: false,
            is_crashed: false,
            is_shutdown: false,
            is_closing: false,
            connections: 0,
            attic: Vec::new(),
            seen: BTreeSet::new(),
            trace: is_traced.then(Vec::new),
            digest: 0,
        };
        let changed = Notify::new();
        Arc::new(Self { plan, state: Mutex::new(state), changed, began: Instant::now() })
    }

    /// To look, or to change something that nobody waits for.
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes something, and wakes whoever waits for it.
    pub(crate) fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let changed = change(&mut self.state());
        self.changed.notify_waiters();
        changed
    }

    /// Waits until something is so.
    pub(crate) async fn until(&self, mut is_so: impl FnMut(&mut State) -> bool) {
        loop {
            let mut changed = pin!(self.changed.notified());
            changed.as_mut().enable();
            if is_so(&mut self.state()) {
                return;
            }
            changed.await;
        }
    }

    /// One step of input or output: the process may die of it.
    pub(crate) fn step(&self, what: impl FnOnce() -> String) {
        let at = self.elapsed();
        let is_crash = self.state().step(&self.plan, at, what);
        if is_crash {
            self.changed.notify_waiters();
        }
    }

    /// The same; a process that dies of it doesn't get past.
    pub(crate) async fn survive(&self, what: impl FnOnce() -> String) {
        self.step(what);
        if self.state().is_crashed {
            std::future::pending::<()>().await;
        }
    }

    pub(crate) fn note(&self, what: impl FnOnce() -> String) {
        let at = self.elapsed();
        self.state().note(at, what);
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    /// What happened, if that was to be kept, and a number that stands for it.
    pub(crate) fn trace(&self) -> (Vec<String>, u64) {
        let mut state = self.state();
        (state.trace.take().unwrap_or_default(), state.digest)
    }
}

impl State {
    fn step(&mut self, plan: &Plan, at: Duration, what: impl FnOnce() -> String) -> bool {
        self.steps += 1;
        self.note(at, what);
        let is_due = plan.crashes.get(self.crashes).is_some_and(|step| self.steps >= *step);
        if !is_due || self.is_closing || self.is_crashed {
            return false;
        }
        self.crashes += 1;
        self.is_crashed = true;
        self.note(at, || "the process crashes".to_owned());
        true
    }

    pub(crate) fn note(&mut self, at: Duration, what: impl FnOnce() -> String) {
        let steps = self.steps;
        let micros = u64::try_from(at.as_micros()).unwrap_or_default();
        self.digest = (self.digest ^ micros ^ steps << 40).wrapping_mul(0x0100_0000_01B3);
        if let Some(trace) = &mut self.trace {
            trace.push(format!("{:>9.3} {steps:>4} {}", at.as_secs_f64(), what()));
        }
    }
}
