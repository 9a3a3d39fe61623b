//! CPU time of processes that come and go, from Linux's `/proc`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// Often enough that the end of a process that dies unseen is below a hundredth of a drain; a look costs 0.05 ms.
const PAUSE: Duration = Duration::from_millis(5);

/// In which `/proc` counts where it doesn't count finer: `USER_HZ` is 100 on every processor of today.
const TICK: Duration = Duration::from_millis(10);

/// Watches the children that two postmasters have from now on.
#[derive(Debug)]
pub(crate) struct Watch {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<[Duration; 2]>,
}

impl Watch {
    pub(crate) fn start(postmasters: [u32; 2]) -> Self {
        assert!(postmasters.iter().all(|pid| children(*pid).count() > 0), "/proc lists a process's children");
        let stop = Arc::new(AtomicBool::new(false));
        let mut broods = postmasters.map(Brood::new);
        let told = Arc::clone(&stop);
        let thread = thread::spawn(move || {
            loop {
                // Read before the last look, so that the last look comes after the stop.
                let last = told.load(Ordering::Acquire);
                broods.iter_mut().for_each(Brood::look);
                if last {
                    return broods.map(|brood| brood.total());
                }
                thread::sleep(PAUSE);
            }
        });
        Self { stop, thread }
    }

    /// The CPU time of each postmaster's new children together.
    pub(crate) fn stop(self) -> [Duration; 2] {
        // Who has just been left alone ends or falls idle meanwhile.
        thread::sleep(4 * PAUSE);
        self.stop.store(true, Ordering::Release);
        self.thread.join().expect("the watch goes on")
    }
}

/// The children that a process got since the watch began, and what each has used so far.
#[derive(Debug)]
struct Brood {
    parent: u32,
    old: BTreeSet<u32>,
    used: BTreeMap<u32, Duration>,
}

impl Brood {
    fn new(parent: u32) -> Self {
        Self { parent, old: children(parent).collect(), used: BTreeMap::new() }
    }

    fn look(&mut self) {
        for child in children(self.parent).filter(|child| !self.old.contains(child)) {
            if let Some(used) = on_cpu(child) {
                self.used.insert(child, used);
            }
        }
    }

    fn total(&self) -> Duration {
        self.used.values().sum()
    }
}

/// None of a process that has ended, as the servers have when a failure ends the bench.
fn children(parent: u32) -> impl Iterator<Item = u32> {
    let path = format!("/proc/{parent}/task/{parent}/children");
    let text = fs::read_to_string(path).unwrap_or_default();
    text.split_ascii_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<_>>().into_iter()
}

/// Of a process with one thread, as all of the server's are; `None` once it has ended.
fn on_cpu(pid: u32) -> Option<Duration> {
    let text = fs::read_to_string(format!("/proc/{pid}/schedstat")).ok()?;
    text.split(' ').next()?.parse().ok().map(Duration::from_nanos)
}

/// The CPU time of our own children that were waited for: exact to 10 ms each of user and system time.
pub(crate) fn of_ended_children() -> Duration {
    let text = fs::read_to_string("/proc/self/stat").expect("/proc/self/stat");
    // proc_pid_stat(5): the name in brackets is the second field, and cutime and cstime are the 16th and 17th.
    let (_, behind_name) = text.rsplit_once(") ").expect("a name in brackets");
    TICK * behind_name.split(' ').skip(13).take(2).map(number).sum::<u32>()
}

/// The CPU time that all processors together have spent on anything at all, or have been denied by the host.
pub(crate) fn of_the_machine() -> Duration {
    let text = fs::read_to_string("/proc/stat").expect("/proc/stat");
    // proc_stat(5): user nice system idle iowait irq softirq steal, behind `cpu`.
    let ticks = text.split_ascii_whitespace().skip(1).take(8).enumerate();
    let busy = ticks.filter(|(field, _)| !matches!(field, 3 | 4)).map(|(_, ticks)| number(ticks));
    TICK * busy.sum()
}

fn number(ticks: &str) -> u32 {
    ticks.parse().expect("ticks fit")
}
