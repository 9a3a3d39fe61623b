//! A password is nowhere to be read.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use super::*;

/// A server that wants a password on TCP.
fn guarded() -> Cluster {
    let cluster =
        support::newest().options().tcp().hba("host all,replication all 127.0.0.1/32 scram-sha-256").start();
    prepare(&cluster);
    cluster.psql("postgres", "CREATE ROLE ferry LOGIN REPLICATION PASSWORD 's3cret'");
    cluster
}

fn uri(cluster: &Cluster, password: &str) -> String {
    format!("postgresql://ferry:{password}@127.0.0.1:{}/postgres", cluster.tcp_port())
}

/// A server that wants a password for the source and for the target.
fn guarded_both() -> Cluster {
    let cluster = guarded();
    cluster.psql("postgres", "CREATE DATABASE plain OWNER ferry");
    cluster.psql("plain", &format!("{TARGET_TABLE}; ALTER TABLE t OWNER TO ferry"));
    cluster
}

fn target_uri(cluster: &Cluster) -> String {
    uri(cluster, "s3cret").replace("/postgres", "/plain?application_name=x%20y")
}

fn key_value(cluster: &Cluster) -> String {
    format!(
        "host=127.0.0.1 port={} user=ferry password=s3cret dbname=postgres application_name='x y'",
        cluster.tcp_port()
    )
}

#[test]
fn a_password_is_in_no_log() {
    let cluster = guarded();
    for conninfo in [uri(&cluster, "s3cret"), key_value(&cluster)] {
        for format in ["text", "json"] {
            let mut command = replay();
            command.env("RUST_LOG", "trace").args([
                "--source",
                &conninfo,
                "--slot",
                "s",
                "--publication",
                "p",
            ]);
            let output = run(command.args(["--stop-at-current", "-vvv", "--log-format", format]));
            assert!(!stderr(&output).contains("s3cret") && !stdout(&output).contains("s3cret"));
        }
    }
}

#[test]
fn neither_a_password_nor_a_row_is_in_a_log_of_what_is_applied() {
    let cluster = guarded_both();
    let apply = || {
        let mut command = replay();
        command.args(["--source", &uri(&cluster, "s3cret"), "--slot", "s", "--publication", "p"]);
        command.args(["--to", "postgres", "--target", &target_uri(&cluster), "--stop-at-current", "-vvv"]);
        let output = command.env("RUST_LOG", "trace").output().unwrap();
        let told = stderr(&output);
        assert!(told.contains("tokio_postgres"), "the client's own log is in it: {told}");
        for secret in ["s3cret", "pr1vate"] {
            assert!(!told.contains(secret) && !stdout(&output).contains(secret), "{told}");
        }
        output.status.code()
    };
    cluster.psql("postgres", "INSERT INTO t VALUES (1, 'pr1vate'); UPDATE t SET body = 'pr1vate too'");
    assert_eq!(apply(), Some(0));
    assert_eq!(cluster.psql("plain", "SELECT body FROM t"), "pr1vate too");

    // What the target objects to, it quotes; and so does a trigger.
    cluster.psql(
        "plain",
        "ALTER TABLE t ALTER body TYPE int USING 0;
         CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS
           'BEGIN RAISE NOTICE ''%'', NEW.body; RAISE ''%'', NEW.body; END';
         CREATE TRIGGER tell BEFORE DELETE OR UPDATE ON t FOR EACH ROW EXECUTE FUNCTION tell();
         ALTER TABLE t ENABLE ALWAYS TRIGGER tell",
    );
    cluster.psql("postgres", "INSERT INTO t VALUES (2, 'pr1vate')");
    assert_eq!(apply(), Some(1), "the value is no number");
    cluster.psql("plain", "ALTER TABLE t ALTER body TYPE text");
    cluster.psql("postgres", "UPDATE t SET body = 'pr1vate three' WHERE id = 2");
    assert_eq!(apply(), Some(1), "the trigger raises an error");
}

#[test]
fn a_wrong_password_is_told_without_it() {
    let cluster = guarded();
    let mut command = replay();
    command.env("RUST_LOG", "error");
    let uri = uri(&cluster, "s3cretive");
    let told = failure(command.args(["--source", &uri, "--slot", "s", "--publication", "p"]));
    assert!(told.contains("28P01") && told.contains("hint: the password is wrong"), "{told}");
}

#[test]
fn wrong_usage_repeats_no_password() {
    for arguments in [
        &["--source", "host=h password=s3cret nosuch=1", "--slot", "s", "--publication", "p"][..],
        &["--source=postgresql://u:s3cret@h/d?nosuch=1", "--slot", "s", "--publication", "p"],
        &["--source", "host=h", "password=s3cret", "--slot", "s", "--publication", "p"],
        &["--source", "postgresql://u:s3cret@h/d"],
        &[
            "--source",
            "postgresql://u:s3cret@h/d",
            "--slot",
            "s",
            "--publication",
            "p",
            "--from-capture",
            "f",
        ],
        &["--to", "postgres", "--target", "host=h password=s3cret nosuch=1"],
        &["--to", "postgres", "--target=postgresql://u:s3cret@h/d?nosuch=1"],
        &["--to", "postgres", "--target", "host=h", "password=s3cret"],
        &["--to", "postgres", "--target", "postgresql://u:s3cret@h/d", "--output", "f"],
        &["--target", "postgresql://u:s3cret@h/d"],
        &["postgresql://u:s3cret@h/d"],
        &["--password=s3cret"],
        &["--to", "postgresql://u:s3cret@h/d"],
        &["--stop-at", "host=h password=s3cret"],
        &["--copy=postgresql://u:s3cret@h/d"],
    ] {
        let output = replay().args(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        assert!(!stderr(&output).contains("s3cret"), "{}", stderr(&output));
    }
}

pub(super) fn wait_for(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !holds() {
        assert!(Instant::now() < deadline, "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Ends the program when a test fails half way.
pub(super) struct Running(pub(super) Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_password_is_not_in_the_process_title() {
    let cluster = guarded();
    let active = || cluster.psql("postgres", "SELECT active FROM pg_replication_slots") == "t";
    for source in [
        vec!["--source".to_owned(), uri(&cluster, "s3cret")],
        vec![format!("--source={}", key_value(&cluster))],
    ] {
        let mut command = replay();
        command.args(source).args(["--slot", "s", "--publication", "p"]).stdout(Stdio::null());
        let running = Running(command.stderr(Stdio::null()).spawn().unwrap());
        wait_for("a stream", active);
        let title = fs::read(format!("/proc/{}/cmdline", running.0.id())).unwrap();
        let title = String::from_utf8_lossy(&title);
        assert!(
            title.contains("--slot") && title.contains("127.0.0.1") && !title.contains("s3cret"),
            "{title}"
        );
        let name = cluster.psql("postgres", "SELECT application_name FROM pg_stat_replication");
        assert!(["walferry", "x y"].contains(&name.as_str()), "what else the string says is kept: {name}");
        drop(running);
        wait_for("its end", || !active());
    }
}

/// The variable by which the program hands a password to itself, when it starts again without it.
#[test]
fn a_variable_that_somebody_else_has_set_is_no_source() {
    let cluster = source();
    let output = run(up_to_now(&cluster).env("WALFERRY_SOURCE_CONNINFO", "host=/nosuch password=s3cret"));
    assert!(last_line(&output).starts_with("replayed 0 transactions"), "{}", last_line(&output));
    let guarded = guarded();
    let mut command = replay();
    command.args(["--source", &uri(&guarded, "s3cret"), "--slot", "s", "--publication", "p"]);
    command.args(["--stop-at-current"]).env("WALFERRY_SOURCE_CONNINFO", "host=/nosuch");
    let output = run(&mut command);
    assert!(last_line(&output).starts_with("replayed 0 transactions"), "{}", last_line(&output));
}

#[test]
fn neither_password_is_in_the_process_title() {
    let cluster = guarded_both();
    let active = || cluster.psql("postgres", "SELECT active FROM pg_replication_slots") == "t";
    let source = key_value(&cluster).replace("application_name='x y'", "");
    for (source, target) in
        [(source.clone(), target_uri(&cluster)), (cluster.conninfo("postgres"), target_uri(&cluster))]
    {
        let mut command = replay();
        command.args(["--source", &source, "--slot", "s", "--publication", "p", "--to=postgres"]);
        command.arg(format!("--target={target}")).stdout(Stdio::null()).stderr(Stdio::null());
        let running = Running(command.spawn().unwrap());
        wait_for("a stream", active);
        let title = fs::read(format!("/proc/{}/cmdline", running.0.id())).unwrap();
        let title = String::from_utf8_lossy(&title);
        assert!(title.contains("--target=") && title.contains("dbname=plain"), "{title}");
        assert!(!title.contains("s3cret"), "{title}");
        let names =
            "SELECT DISTINCT application_name FROM pg_stat_activity WHERE datname = current_database()
             AND usename = 'ferry'";
        assert_eq!(cluster.psql("plain", names), "x y", "what else the string says is kept");
        drop(running);
        wait_for("its end", || !active());
    }
}

/// As for two connections of libpq in one process.
#[test]
fn variables_complete_the_source_and_the_target() {
    let cluster = guarded_both();
    insert(&cluster, 1);
    let mut command = replay();
    command.args(["--source", "dbname=postgres", "--slot", "s", "--publication", "p", "--stop-at-current"]);
    command.args(["--to", "postgres", "--target", "dbname=plain"]);
    command.env("PGHOST", "127.0.0.1").env("PGPORT", cluster.tcp_port().to_string());
    command.env("PGUSER", "ferry").env("PGPASSWORD", "s3cret");
    run(&mut command);
    assert_eq!(cluster.psql("plain", "SELECT id FROM t"), "1");
}

#[test]
fn variables_and_the_password_file_complete_the_string() {
    let cluster = guarded();
    let port = cluster.tcp_port().to_string();
    let home = tempfile::tempdir().unwrap();
    let mut command = replay();
    command.args(["--source", "", "--slot", "s", "--publication", "p", "--stop-at-current"]);
    command
        .env("PGHOST", "127.0.0.1")
        .env("PGPORT", &port)
        .env("PGUSER", "ferry")
        .env("PGDATABASE", "postgres");
    command.env("HOME", home.path());
    let told = failure(&mut command);
    assert!(told.contains("password"), "{told}");

    let file = home.path().join(".pgpass");
    fs::write(&file, format!("127.0.0.1:{port}:postgres:ferry:s3cret\n")).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    run(&mut command);
    fs::remove_file(&file).unwrap();
    run(command.env("PGPASSWORD", "s3cret"));
}
