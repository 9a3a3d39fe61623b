//! One running postmaster, and the watchdog that outlives the test process.

use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::Server;
use super::account::lower;
use super::lifeline::Lifeline;
use super::options::LOCALES;

const PATIENCE: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(5);

/// The shell becomes the postmaster (`exec`), so that our child is the postmaster itself, with its pid and its exit
/// status. Before that it leaves a watchdog behind, twice removed: the postmaster must not find a stranger among its
/// children. See the module `lifeline` for how that works.
const SCRIPT: &str = r#"
exec 3<&0
(
    (
        trap '' HUP INT TERM
        read -r word <&3 && exit
        kill -QUIT $$
    ) </dev/null >/dev/null 2>&1 &
)
exec "$@" </dev/null 3<&-
"#;

/// How to end a server; the signals are those of the manual's "Shutting Down the Server".
#[derive(Clone, Copy, Debug)]
pub(super) enum Stop {
    /// Sessions are ended, a checkpoint is written.
    Fast,
    /// As a crash: the next start recovers from the WAL.
    Immediately,
}

/// A postmaster that accepts connections. Dropping it stops it as a crash would.
#[derive(Debug)]
pub(super) struct Postmaster {
    child: Child,
    lifeline: Lifeline,
    running: bool,
}

impl Postmaster {
    /// Starts the server on `folder/data` and waits until it accepts connections; the error is the log's end.
    pub(super) fn start(server: &Server, folder: &Path, port: u16) -> Result<Self, String> {
        let log =
            File::options().create(true).append(true).open(log_path(folder)).expect("a log can be opened");
        let mut command = Command::new("/bin/sh");
        command.arg("-c").arg(SCRIPT).arg("sh");
        command
            .arg(server.bin.join("postgres"))
            .arg("-D")
            .arg(folder.join("data"))
            .arg("-p")
            .arg(port.to_string());
        let locales = folder.join(LOCALES);
        if locales.exists() {
            command.env("LOCPATH", locales);
        }
        // A group of its own: Ctrl-C in the terminal ends the test, and the watchdog then does its work.
        command
            .process_group(0)
            .stdin(Stdio::piped())
            .stderr(log.try_clone().expect("a log can be shared"))
            .stdout(log);
        let mut child = lower(&mut command).spawn().expect("/bin/sh can be run");
        let lifeline = Lifeline::to(&mut child);
        let mut postmaster = Self { child, lifeline, running: true };
        postmaster.wait_until_ready(folder)?;
        Ok(postmaster)
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(super) fn is_running(&mut self) -> bool {
        self.running && matches!(self.child.try_wait(), Ok(None))
    }

    pub(super) fn stop(&mut self, how: Stop) {
        if self.is_running() {
            let signal = match how {
                Stop::Fast => "INT",
                Stop::Immediately => "QUIT",
            };
            self.signal(signal);
        }
        self.reap();
    }

    fn wait_until_ready(&mut self, folder: &Path) -> Result<(), String> {
        let deadline = Instant::now() + PATIENCE;
        while !is_ready(&folder.join("data/postmaster.pid"), self.pid()) {
            if !self.is_running() || Instant::now() > deadline {
                return Err(log_tail(folder));
            }
            thread::sleep(PAUSE);
        }
        Ok(())
    }

    /// Std can send only SIGKILL, which would leave the backends to find out by themselves.
    fn signal(&self, name: &str) {
        let pid = self.pid().to_string();
        let status = Command::new("/bin/sh").args(["-c", "kill -s \"$1\" \"$2\"", "sh", name, &pid]).status();
        assert!(
            status.is_ok_and(|status| status.success()),
            "SIG{name} could not be sent to the postmaster {pid}"
        );
    }

    fn reap(&mut self) {
        let deadline = Instant::now() + PATIENCE;
        while self.is_running() {
            if Instant::now() > deadline {
                eprintln!("the postmaster {} doesn't stop: it is killed", self.pid());
                // An error means that it has just ended.
                let _ = self.child.kill();
            }
            thread::sleep(PAUSE);
        }
        if self.running {
            self.running = false;
            // At once: the pid is no longer ours.
            self.lifeline.release();
        }
    }
}

impl Drop for Postmaster {
    fn drop(&mut self) {
        self.stop(Stop::Immediately);
    }
}

pub(super) fn log_path(folder: &Path) -> PathBuf {
    folder.join("log")
}

/// The end of the server's log.
pub(super) fn log_tail(folder: &Path) -> String {
    let log = fs::read(log_path(folder)).unwrap_or_default();
    let log = String::from_utf8_lossy(&log);
    let lines: Vec<&str> = log.lines().collect();
    lines[lines.len().saturating_sub(40)..].join("\n")
}

/// The lock file's eighth line is the server's state, which `pg_ctl` waits for too: a standby's is another. Its first, the pid, tells the
/// file from one that a crashed predecessor left.
fn is_ready(lock: &Path, pid: u32) -> bool {
    let lock = fs::read_to_string(lock).unwrap_or_default();
    let mut lines = lock.lines();
    lines.next().is_some_and(|line| line.trim() == pid.to_string())
        && lines.nth(6).is_some_and(|state| matches!(state.trim(), "ready" | "standby"))
}
