//! Runs this very program under callgrind, and reads what it counted.

use std::process::{Command, Stdio};
use std::{env, fs};

/// Counts the instructions of this program, given these arguments, inside the function of that name, which may hold `*`.
pub(crate) fn count(function: &str, arguments: &[&str]) -> u64 {
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
    let text = fs::read_to_string(out).expect("callgrind has written what it counted");
    // Valgrind's manual, "Callgrind Format Specification".
    let total =
        text.lines().find_map(|line| line.strip_prefix("totals: ")).expect("callgrind tells the total");
    let instructions = total.parse().expect("a number");
    assert!(instructions > 0, "callgrind saw {function} run");
    instructions
}
