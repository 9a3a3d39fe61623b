//! Runs this very program under callgrind, and reads what it counted.

use std::process::{Command, Stdio};
use std::{env, fs};

/// What ran inside the function.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Cost {
    pub(crate) instructions: u64,
    /// Calls of the C library's allocator that give memory.
    pub(crate) allocations: u64,
}

/// Counts what this program, given these arguments, does inside the function of that name, which may hold `*`.
pub(crate) fn count(function: &str, arguments: &[&str]) -> Cost {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("out");
    let mut valgrind = Command::new("valgrind");
    valgrind.args([
        "--tool=callgrind",
        "--quiet",
        "--collect-atstart=no",
        "--compress-strings=no",
        "--compress-pos=no",
    ]);
    valgrind
        .arg(format!("--toggle-collect={function}"))
        .arg(format!("--callgrind-out-file={}", out.display()));
    valgrind.arg(env::current_exe().expect("a program has a path")).args(arguments).stdout(Stdio::null());
    let status = valgrind.status().expect("valgrind: install it, or run .ci/instructions, which does");
    assert!(status.success(), "valgrind, {arguments:?}: {status}");
    let cost = read(&fs::read_to_string(out).expect("callgrind has written what it counted"));
    assert!(cost.instructions > 0, "callgrind saw {function} run");
    cost
}

/// Source: valgrind's manual, "Callgrind Format Specification".
fn read(text: &str) -> Cost {
    let mut cost = Cost::default();
    let mut called = "";
    for line in text.lines() {
        if let Some(name) = line.strip_prefix("cfn=") {
            called = name;
        } else if let Some(calls) = line.strip_prefix("calls=") {
            let count = calls
                .split(' ')
                .next()
                .and_then(|count| count.parse::<u64>().ok())
                .expect("calls=COUNT POSITION");
            cost.allocations += if ALLOCATORS.contains(&called) { count } else { 0 };
        } else if let Some(total) = line.strip_prefix("totals: ") {
            cost.instructions = total.parse().expect("a number");
        }
    }
    cost
}

const ALLOCATORS: [&str; 4] = ["malloc", "calloc", "realloc", "posix_memalign"];
