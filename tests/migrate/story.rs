//! The story: copy, follow, verify, cut over, go on at the target, and bring back what is written there.

use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use crate::program::{migrate, run};
use crate::support::{Server, how_many, newest, oldest, server};
use crate::world::{DATABASE, Ends, World};

const WRITERS: i32 = 3;

/// Ends the program in order when it is dropped.
pub(crate) struct Running(Child);

impl Running {
    pub(crate) fn start(command: &mut Command) -> Self {
        Self(command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("migrate can be run"))
    }

    /// SIGTERM; it must end well.
    pub(crate) fn end(self) -> Output {
        let pid = self.0.id().to_string();
        let told = Command::new("kill").args(["-TERM", &pid]).status().expect("kill can be run");
        assert!(told.success());
        self.wait()
    }

    pub(crate) fn wait(mut self) -> Output {
        let mut text = Vec::new();
        std::io::Read::read_to_end(self.0.stderr.as_mut().expect("it is piped"), &mut text)
            .expect("it can be read");
        let status = self.0.wait().expect("a child can be waited for");
        let output = Output { status, stdout: Vec::new(), stderr: text };
        assert!(status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        output
    }

    pub(crate) fn kill(mut self) {
        self.0.kill().expect("our own child");
        let _ = self.0.wait();
    }

    /// It hasn't ended: else, this says why.
    pub(crate) fn assert_runs(&mut self) {
        if self.has_ended() {
            let mut text = String::new();
            std::io::Read::read_to_string(self.0.stderr.as_mut().expect("it is piped"), &mut text)
                .expect("text");
            panic!("it has ended: {text}");
        }
    }

    pub(crate) fn has_ended(&mut self) -> bool {
        self.0.try_wait().expect("a child can be asked").is_some()
    }
}

pub(crate) fn command(world: &World, words: &[&str]) -> Command {
    let mut command = migrate();
    // pg_dump is looked for there.
    command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
    let (first, options) = words.split_first().expect("a command");
    command.arg(first).args(world.both()).args(options);
    command
}

fn status(world: &World) -> serde_json::Value {
    let output = run(&mut command(world, &["status", "--json"]));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

/// Waits until changes are followed, and the target is near.
pub(crate) fn wait_until_near(world: &World, running: &mut Running) {
    let deadline = Instant::now() + Duration::from_secs(300);
    loop {
        let status = status(world);
        // Somebody has taken the slot: an earlier run may have come that far, too.
        let is_followed = status["phase"] == "follow" && status["slot"]["active"] == true;
        if is_followed && status["lag_bytes"].as_u64().is_some_and(|lag| lag < 1 << 20) {
            return;
        }
        running.assert_runs();
        assert!(Instant::now() < deadline, "not near: {status}");
        thread::sleep(Duration::from_millis(100));
    }
}

fn tell(from: &Server, to: &Server, carries_schema: bool) {
    let rows = u32::try_from(how_many(20_000, 2_000_000)).expect("few");
    let world = World::new(from, to, rows, !carries_schema);
    let folder = tempfile::tempdir().expect("a folder");
    let state = folder.path().to_str().expect("text").to_owned();
    let options: &[&str] = if carries_schema { &["--schema", "--state", &state] } else { &[] };
    let switched = thread::scope(|scope| {
        let _ends = Ends(&world);
        for writer in 1..=WRITERS {
            let world = &world;
            scope.spawn(move || world.write(writer));
        }
        let mut running = Running::start(command(&world, &["run"]).args(options));
        wait_until_near(&world, &mut running);
        // While everybody writes.
        let verified = run(&mut command(&world, &["verify", "--json"]));
        let verified: serde_json::Value = serde_json::from_slice(&verified.stdout).expect("JSON");
        assert_eq!(verified["equal"], true, "{verified:#}");
        let planned = run(&mut command(&world, &["cutover", "--reverse", "--dry-run"]));
        assert!(String::from_utf8_lossy(&planned.stdout).contains("default_transaction_read_only"));
        run(&mut command(&world, &["cutover", "--reverse"]));
        // Who followed has ended by itself.
        let output = running.wait();
        assert!(String::from_utf8_lossy(&output.stderr).contains("cut over"));
        world.assert_equal();
        let now = world.target.psql(DATABASE, "SELECT clock_timestamp()");
        world.switched.store(true, Ordering::Relaxed);
        thread::sleep(Duration::from_secs(1));
        now
    });
    world.assert_nothing_is_lost(&world.target);
    let since = format!("SELECT count(*) FROM orders WHERE at > '{switched}'");
    let written = world.target.psql(DATABASE, &since);
    assert_ne!(written, "0", "somebody has written to the target");
    // Back to the source.
    let back =
        ["run", "--slot", "walferry_reverse", "--publication", "walferry_reverse", "--stop-at-current"];
    run(&mut reversed(&world, &back));
    world.assert_equal();
    world.assert_nothing_is_lost(&world.source);
    run(&mut reversed(
        &world,
        &["cleanup", "--slot", "walferry_reverse", "--publication", "walferry_reverse"],
    ));
    run(&mut command(&world, &["cleanup"]));
    for cluster in [&world.source, &world.target] {
        let left = "SELECT (SELECT count(*) FROM pg_replication_slots) + (SELECT count(*) FROM pg_publication) \
             + (SELECT count(*) FROM pg_namespace WHERE nspname = 'walferry')";
        assert_eq!(cluster.psql(DATABASE, left), "0");
    }
}

/// From the target to the source.
pub(crate) fn reversed(world: &World, words: &[&str]) -> Command {
    let mut command = migrate();
    let (first, options) = words.split_first().expect("a command");
    let [source, target] = [&world.target, &world.source].map(|cluster| cluster.conninfo(DATABASE));
    command.args([*first, "--source", &source, "--target", &target]).args(options);
    command
}

#[test]
fn a_database_moves_between_servers_of_one_version_with_its_schema() {
    tell(&server(15), &server(15), true);
}

#[test]
fn a_database_moves_from_the_oldest_to_the_newest_version() {
    tell(&oldest(), &newest(), false);
}

#[test]
fn a_database_moves_within_the_newest_version() {
    tell(&newest(), &newest(), false);
}
