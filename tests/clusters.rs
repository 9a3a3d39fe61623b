//! The tests' own servers: they start on every installed major, and nothing of them stays behind.

#![expect(clippy::unwrap_used, reason = "clippy knows only #[test] functions as tests, not what they call")]

mod support;

use std::env;
use std::fs;
use std::io::{self, BufRead, BufReader};
use std::net::{Ipv4Addr, TcpStream};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};

use support::Cluster;

#[test]
fn every_server_starts_and_answers() {
    for server in support::servers() {
        let cluster = server.start();
        assert_eq!(cluster.major(), server.major);
        let version = cluster.psql("postgres", "SELECT version()");
        assert!(version.starts_with(&format!("PostgreSQL {}.{}", server.major, server.minor)), "{version}");
        assert_eq!(cluster.psql("postgres", "SHOW wal_level"), "logical");
        assert_eq!(cluster.psql("postgres", "SHOW server_encoding"), "UTF8");
    }
}

#[test]
fn settings_files_and_tcp_reach_the_server() {
    let options = support::newest().options().setting("cluster_name", r"it's\me").file("note", "kept");
    let cluster = options.tcp().hba("host all all 127.0.0.1/32 reject").start();
    assert_eq!(cluster.psql("postgres", "SHOW cluster_name"), r"it's\me");
    assert_eq!(cluster.psql("postgres", "SELECT pg_read_file('note')"), "kept");
    let rules = cluster.psql("postgres", "SELECT auth_method FROM pg_hba_file_rules ORDER BY line_number");
    assert_eq!(rules, "trust\nreject");
    // What the server does with the connection is up to the rules.
    TcpStream::connect((Ipv4Addr::LOCALHOST, cluster.tcp_port())).unwrap();
}

#[test]
fn a_failed_start_shows_the_log_and_leaves_nothing() {
    let refused = catch_unwind(|| support::newest().start_with(&[("wal_level", "nonsense")]));
    let message = *refused.unwrap_err().downcast::<String>().unwrap();
    assert!(message.contains("invalid value for parameter \"wal_level\""), "{message}");
    let configuration = message.split('"').find(|word| word.ends_with("/postgresql.conf")).unwrap();
    assert!(!Path::new(configuration).ancestors().nth(2).unwrap().exists(), "{message}");
}

#[test]
fn clusters_can_have_an_identity_of_their_own() {
    let server = support::newest();
    let identifier =
        |cluster: &Cluster| cluster.psql("postgres", "SELECT system_identifier FROM pg_control_system()");
    let [copy, sibling] = [server.start(), server.start()];
    let own = server.options().own_identity().start();
    assert_eq!(identifier(&copy), identifier(&sibling));
    assert_ne!(identifier(&copy), identifier(&own));
}

#[test]
fn finds_and_ends_walsenders() {
    let cluster = support::newest().start();
    assert_eq!((cluster.terminate_walsenders(), cluster.backend_pids("walsender").len()), (0, 0));
    assert_eq!(cluster.backend_pids("checkpointer").len(), 1);
    assert!(cluster.wal_position().contains('/'));
}

#[test]
fn takes_hostile_database_names() {
    let cluster = support::newest().start();
    for name in ["a b", "it's", "back\\slash", "quo\"te", "x=y", ":colon", "ünï\tcode"] {
        cluster.create_database(name);
        assert_eq!(cluster.psql(name, "SELECT current_database()"), support::database(name));
    }
}

#[test]
fn survives_a_crash_and_a_restart() {
    let cluster = support::oldest().start();
    cluster.psql("postgres", "CREATE TABLE t AS SELECT 1 AS i");
    let first = cluster.pid();
    cluster.stop_immediately();
    assert!(is_gone(first));
    assert!(cluster.try_psql("postgres", "SELECT 1").is_err());
    cluster.restart();
    cluster.restart();
    assert_eq!(cluster.psql("postgres", "SELECT i FROM t"), "1");
    assert!(cluster.log().contains("automatic recovery"));
}

#[test]
fn nothing_stays_behind_after_a_drop_or_a_panic() {
    for server in support::servers() {
        let cluster = server.start();
        let (pid, folder) = (cluster.pid(), cluster.socket_folder().to_owned());
        assert!(!is_gone(pid));
        drop(cluster);
        assert!(is_gone(pid) && !folder.exists());

        let cluster = server.start();
        let (pid, folder) = (cluster.pid(), cluster.socket_folder().to_owned());
        let unwound = catch_unwind(AssertUnwindSafe(move || {
            let _held = cluster;
            panic!("on purpose");
        }));
        assert!(unwound.is_err() && is_gone(pid) && !folder.exists());
    }
}

#[test]
fn nothing_stays_behind_a_killed_process() {
    ends_without_a_trace("wait", |child| child.kill().unwrap());
}

#[test]
fn nothing_stays_behind_a_static() {
    ends_without_a_trace("exit", |_| {});
}

#[test]
fn nothing_stays_behind_a_stopped_server() {
    ends_without_a_trace("stop", |child| child.kill().unwrap());
}

/// Not a test by itself: what the tests above run in a process of its own.
#[test]
fn holds_a_cluster_for_another_test() {
    static HELD: OnceLock<Cluster> = OnceLock::new();
    let Ok(what) = env::var(HOLD) else { return };
    let cluster = HELD.get_or_init(|| support::newest().start());
    if what == "stop" {
        cluster.restart();
        cluster.stop_fast();
    }
    println!("\nheld {} {}", cluster.pid(), cluster.socket_folder().display());
    if what != "exit" {
        thread::sleep(Duration::from_secs(600));
    }
}

const HOLD: &str = "WALFERRY_TEST_HOLDS_A_CLUSTER";

/// Runs this program with `what` to hold, ends it by `end`, and waits until neither server nor folder is left.
fn ends_without_a_trace(what: &str, end: impl FnOnce(&mut std::process::Child)) {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["--exact", "holds_a_cluster_for_another_test", "--nocapture"]).env(HOLD, what);
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap()).lines();
    let (pid, folder) = held(&mut output);
    assert!(what == "exit" || folder.exists());
    end(&mut child);
    // Read to the end: the child would fail to print its own verdict into a closed pipe.
    output.for_each(drop);
    child.wait().unwrap();
    let deadline = Instant::now() + Duration::from_secs(30);
    while !is_gone(pid) || folder.exists() {
        assert!(
            Instant::now() < deadline,
            "server {pid} gone: {}, folder: {}",
            is_gone(pid),
            folder.display()
        );
        thread::sleep(Duration::from_millis(10));
    }
}

/// The pid and the folder that the other process says it holds.
fn held(output: &mut impl Iterator<Item = io::Result<String>>) -> (u32, PathBuf) {
    let line = output.map(Result::unwrap).find(|line| line.starts_with("held ")).unwrap();
    let mut words = line.split(' ').skip(1);
    (words.next().unwrap().parse().unwrap(), words.next().unwrap().into())
}

/// No such process, or one that only waits to be reaped.
fn is_gone(pid: u32) -> bool {
    let process = Path::new("/proc").join(pid.to_string()).join("stat");
    fs::read_to_string(process).map_or(true, |stat| stat.contains(") Z "))
}
