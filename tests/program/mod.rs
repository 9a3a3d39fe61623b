//! The programs, as other people's scripts run them.
#![allow(
    clippy::allow_attributes,
    clippy::expect_used,
    clippy::panic,
    dead_code,
    reason = "test helpers fail the test by a panic; each test binary uses a part of them"
)]

use std::env;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::OnceLock;

/// The replay example, built like this test, in an environment without any variable.
pub(crate) fn replay() -> Command {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    program(&PROGRAM, "replay")
}

/// The migrate example, in the same way.
pub(crate) fn migrate() -> Command {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    program(&PROGRAM, "migrate")
}

fn program(path: &'static OnceLock<PathBuf>, name: &str) -> Command {
    let mut command = Command::new(path.get_or_init(|| built(name)));
    command.env_clear().env("HOME", "/nonexistent");
    command
}

/// Where cargo has put the example, built anew if need be.
pub(crate) fn built(name: &str) -> PathBuf {
    let mut build = Command::new(env!("CARGO"));
    // What cargo tells a test of its package, it doesn't tell who builds by hand; and a build script that looks at it would run
    // again each time, and everything behind it be compiled anew.
    let of_this_test = |name: &str| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_");
    for (name, _) in env::vars_os().filter(|(name, _)| name.to_str().is_some_and(of_this_test)) {
        build.env_remove(name);
    }
    build.args(["build", "--quiet", "--example", name, "--manifest-path"]);
    build.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"));
    if !cfg!(debug_assertions) {
        build.arg("--release");
    }
    assert!(build.status().expect("cargo can be run").success(), "the example {name} builds");
    let this = env::current_exe().expect("a test has a path");
    this.ancestors().nth(2).expect("target/PROFILE/deps/TEST").join("examples").join(name)
}

/// Runs it; it must succeed.
pub(crate) fn run(command: &mut Command) -> Output {
    let output = command.output().expect("replay can be run");
    assert!(output.status.success(), "{command:?}\n{}", String::from_utf8_lossy(&output.stderr));
    output
}

pub(crate) fn last_line(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).lines().last().unwrap_or_default().to_owned()
}
