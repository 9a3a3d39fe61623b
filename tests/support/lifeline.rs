//! How something is cleared up when the test process ends in whatever way: killed, or with a cluster in a `static`.
//!
//! A watchdog reads from a pipe of which this process holds the other end. The kernel closes that end when the process
//! is gone, at once; a word on it means that there is nothing left to do. So there is no polling, and no parent's pid
//! that may have been given to another.

use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::thread;

/// Our end of a watchdog's pipe.
#[derive(Debug)]
pub(super) struct Lifeline(ChildStdin);

impl Lifeline {
    /// Of a child whose standard input the watchdog reads.
    pub(super) fn to(child: &mut Child) -> Self {
        Self(child.stdin.take().expect("stdin is piped"))
    }

    /// There is nothing left to do for the watchdog.
    pub(super) fn release(&mut self) {
        // A watchdog that someone has killed isn't worth failing a test for.
        let _ = writeln!(self.0, "done");
    }
}

/// Runs the shell script `deed` on `path` when this process ends, unless released.
pub(super) fn watchdog(deed: &str, path: &Path) -> Lifeline {
    let mut command = Command::new("/bin/sh");
    command.arg("-c").arg(format!("trap '' HUP INT TERM\nread -r word && exit\n{deed}")).arg("sh").arg(path);
    // A group of its own, and none of our outputs: whoever ends or reads us is neither followed nor kept waiting.
    command
        .process_group(0)
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let mut child = command.spawn().expect("/bin/sh can be run");
    let lifeline = Lifeline::to(&mut child);
    // Reaps it: a released watchdog mustn't stay as a zombie.
    thread::spawn(move || child.wait());
    lifeline
}
