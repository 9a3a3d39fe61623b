//! Who starts the program again when it has ended.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::program::replay;
use crate::support::Cluster;
use crate::{World, bank};

/// Whether the program ends when the target is lost: then it is started again, as it would be by what watches it.
const ENDS_WITH_THE_TARGET: bool = false;

#[derive(Clone)]
pub(crate) struct Keeper<'w> {
    world: &'w World,
    logs: Arc<TempDir>,
    kept: Arc<Mutex<Kept>>,
}

struct Kept {
    child: Child,
    killed: bool,
    lives: Vec<Life>,
}

/// One that is over.
struct Life {
    status: ExitStatus,
    killed: bool,
    log: String,
}

impl<'w> Keeper<'w> {
    pub(crate) fn new(world: &'w World) -> Self {
        let logs = Arc::new(tempfile::tempdir().expect("a folder"));
        let child = start(world, logs.path().join("0"));
        let kept = Arc::new(Mutex::new(Kept { child, killed: false, lives: Vec::new() }));
        Self { world, logs, kept }
    }

    /// Starts it again whenever it has ended, until it is over.
    pub(crate) fn keep(&self) {
        while !self.world.over.load(Ordering::Relaxed) {
            thread::sleep(Duration::from_millis(5));
            let mut kept = self.kept();
            if let Some(status) = kept.child.try_wait().expect("a child can be asked")
                && !self.world.over.load(Ordering::Relaxed)
            {
                let life = Life { status, killed: kept.killed, log: self.log(kept.lives.len()) };
                kept.lives.push(life);
                kept.child = start(self.world, self.path(kept.lives.len()));
                kept.killed = false;
            }
        }
        // Also when a test has failed.
        let mut kept = self.kept();
        let _ = kept.child.kill();
        let _ = kept.child.wait();
    }

    /// SIGKILL.
    pub(crate) fn kill(&self) {
        let mut kept = self.kept();
        if kept.child.try_wait().expect("a child can be asked").is_none() {
            kept.killed = true;
            kept.child.kill().expect("our own child");
        }
    }

    /// Ends it in order.
    pub(crate) fn end(&self) {
        let mut kept = self.kept();
        let pid = kept.child.id().to_string();
        let told = Command::new("/bin/sh").args(["-c", "kill -s TERM \"$1\"", "sh", &pid]).status();
        assert!(told.expect("a shell").success());
        let deadline = Instant::now() + Duration::from_secs(30);
        let status = loop {
            if let Some(status) = kept.child.try_wait().expect("a child can be asked") {
                break status;
            }
            assert!(Instant::now() < deadline, "it does not end");
            thread::sleep(Duration::from_millis(10));
        };
        let log = self.log(kept.lives.len());
        assert_eq!(status.code(), Some(0), "{log}");
        let last = log.lines().last().unwrap_or_default();
        assert!(last.starts_with("replayed ") && last.contains(" changes, acknowledged "), "{last}");
        assert!(!log.contains(bank::MARK), "{log}");
        self.world.over.store(true, Ordering::Relaxed);
    }

    /// What it has said lately.
    pub(crate) fn said(&self) -> String {
        let lives = self.kept().lives.len();
        let lately = lives.saturating_sub(2)..=lives;
        lately.fold(String::new(), |said, life| format!("{said}\n-- life {life}\n{}", self.log(life)))
    }

    /// How each of its lives ended: killed, or with an error that names what was lost and no value.
    pub(crate) fn judge(&self) {
        let kept = self.kept();
        let (mut killed, mut lost) = (0, 0);
        for life in &kept.lives {
            assert!(!life.log.contains(bank::MARK), "a row's value: {}", life.log);
            if life.killed {
                killed += 1;
                continue;
            }
            assert_eq!(life.status.code(), Some(1), "{}", life.log);
            let words = life.log.lines().last().unwrap_or_default();
            assert!(words.starts_with("replay: "), "{}", life.log);
            // One that found nobody when it was started has not begun.
            let has_begun = life.log.contains("streaming");
            if has_begun {
                lost += 1;
                assert!(
                    ENDS_WITH_THE_TARGET && words.contains("target"),
                    "it ended though it need not: {}",
                    life.log
                );
            }
        }
        let unborn = kept.lives.len() - killed - lost;
        eprintln!("{}: killed {killed}, ended {lost}, not begun {unborn}", self.world.source.major());
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn path(&self, life: usize) -> PathBuf {
        self.logs.path().join(life.to_string())
    }

    fn log(&self, life: usize) -> String {
        let log = fs::read(self.path(life)).unwrap_or_default();
        String::from_utf8_lossy(&log).into_owned()
    }
}

fn start(world: &World, log: PathBuf) -> Child {
    let conninfo =
        |cluster: &Cluster| format!("{} application_name=walferry_chaos", cluster.conninfo("postgres"));
    let mut command = replay();
    command.args(["--source", &conninfo(&world.source), "--slot", "bank", "--publication", "p", "-v"]);
    command.args(["--to", "postgres", "--target", &conninfo(&world.target), "--batch-ms", "20"]);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(File::create(log).expect("a log"));
    command.spawn().expect("replay can be run")
}
