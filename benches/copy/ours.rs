//! This crate's copy, in a process that does nothing else.

use std::env;
use std::fs;

use walferry::snapshot::{Exported, SnapshotCopy};

/// What stands before the arguments of such a process.
pub(crate) const MARK: &str = "--copy-and-exit";

pub(crate) struct Arguments {
    source: String,
    target: String,
    publication: String,
    jobs: usize,
    snapshot: String,
    lsn: String,
}

/// What this process is to copy, if it is one that copies.
pub(crate) fn arguments() -> Option<Arguments> {
    let mut arguments = env::args().skip_while(|argument| argument != MARK).skip(1);
    let source = arguments.next()?;
    let mut next = || arguments.next().expect("six arguments");
    let (target, publication, jobs) = (next(), next(), next().parse().expect("a number"));
    Some(Arguments { source, target, publication, jobs, snapshot: next(), lsn: next() })
}

/// Copies, and prints the most memory that this process has taken, in KiB.
pub(crate) fn run(arguments: &Arguments) {
    let config = |text: &str| text.parse().expect("a connection string");
    let copy = SnapshotCopy::new(config(&arguments.source), config(&arguments.target), "bench")
        .publication(arguments.publication.as_str())
        .jobs(arguments.jobs);
    let snapshot = Exported::new(arguments.snapshot.as_str(), arguments.lsn.parse().expect("an LSN"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(copy.run(&snapshot)).unwrap_or_else(|error| panic!("{error}; {:?}", error.hint()));
    let status = fs::read_to_string("/proc/self/status").expect("Linux");
    let most = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("the most memory");
    println!("{}", most.trim().trim_end_matches(" kB"));
}
