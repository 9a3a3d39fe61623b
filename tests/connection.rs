//! Sessions, commands and slots on every server that is installed.
#![allow(
    clippy::allow_attributes,
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "test helpers fail the test by a panic; clippy knows only #[test] functions as tests"
)]

mod support;

use std::time::{Duration, Instant};

use support::Cluster;
use walferry::connection::{InUse, Snapshot};
use walferry::{Config, Connection, Error, SlotName, SlotOptions};

async fn connect(conninfo: &str) -> Result<Connection, Error> {
    let config: Config = conninfo.parse().unwrap();
    Connection::connect(&config).await
}

async fn connected(cluster: &Cluster) -> Connection {
    connect(&cluster.conninfo("postgres")).await.unwrap()
}

fn name(text: &str) -> SlotName {
    text.parse().unwrap()
}

#[tokio::test]
async fn says_which_server_it_is() {
    for server in support::servers() {
        let cluster = server.start();
        let mut connection = connected(&cluster).await;
        assert_eq!(
            (connection.server_version().major(), connection.server_version().minor()),
            (server.major, server.minor)
        );
        let identity = connection.identify_system().await.unwrap();
        let system = cluster.psql("postgres", "SELECT system_identifier FROM pg_control_system()");
        assert_eq!(identity.system_id.to_string(), system);
        assert_eq!((identity.timeline, identity.database.as_str()), (1, "postgres"));
        assert!(!identity.wal_flushed.is_zero());
        connection.close().await;
    }
}

#[tokio::test]
async fn pins_every_setting_that_changes_values() {
    for server in support::servers() {
        let cluster = server.start();
        cluster.psql(
            "postgres",
            "ALTER ROLE postgres SET DateStyle = 'German'; ALTER ROLE postgres SET IntervalStyle = 'sql_standard';
             ALTER ROLE postgres SET TimeZone = 'Asia/Kolkata'; ALTER ROLE postgres SET bytea_output = 'escape';
             ALTER DATABASE postgres SET extra_float_digits = -5; ALTER ROLE postgres SET search_path = public;
             ALTER ROLE postgres SET quote_all_identifiers = on; ALTER ROLE postgres SET statement_timeout = 1234;
             ALTER ROLE postgres SET client_encoding = 'LATIN1'",
        );
        let conninfo = format!("{} options='-c DateStyle=SQL'", cluster.conninfo("postgres"));
        let mut connection = connect(&conninfo).await.unwrap();
        for (setting, value) in [
            ("DateStyle", "ISO, DMY"),
            ("IntervalStyle", "postgres"),
            ("TimeZone", "UTC"),
            ("bytea_output", "hex"),
            ("extra_float_digits", "3"),
            ("search_path", "pg_catalog"),
            ("quote_all_identifiers", "off"),
            ("statement_timeout", "0"),
            ("client_encoding", "UTF8"),
            ("lc_monetary", "C"),
            ("application_name", "walferry"),
        ] {
            let shown = connection.show(setting).await.unwrap();
            // The order of day and month is input's matter alone, and comes from whoever set the style before.
            let shown =
                if setting == "DateStyle" { shown.split(',').next().unwrap().to_owned() } else { shown };
            assert_eq!(shown, value.split(',').next().unwrap(), "{setting} on {}", server.version);
        }
    }
}

#[tokio::test]
async fn passes_the_options_of_the_caller_on() {
    let cluster = support::newest().start();
    let conninfo =
        format!("{} options='-c wal_sender_timeout=12s -c my.own=x'", cluster.conninfo("postgres"));
    let mut connection = connect(&conninfo).await.unwrap();
    assert_eq!(connection.show("wal_sender_timeout").await.unwrap(), "12s");
    assert_eq!(connection.show("my.own").await.unwrap(), "x");
    let error = connection.show("no_such").await.unwrap_err();
    assert_eq!(error.sqlstate(), Some("42704"));
    assert!(matches!(connection.show("a\"; SHOW b").await, Err(Error::Server(_))));
    // An error of the server leaves the connection ready.
    assert_eq!(connection.show("wal_level").await.unwrap(), "logical");
}

#[tokio::test]
async fn makes_a_slot_with_every_choice_of_options() {
    for server in support::servers() {
        let cluster = server.start();
        let mut connection = connected(&cluster).await;
        let mut made = 0;
        for snapshot in [Snapshot::Export, Snapshot::Use, Snapshot::Nothing] {
            for (temporary, two_phase, failover) in
                (0..8).map(|bits| (bits & 1 != 0, bits & 2 != 0, bits & 4 != 0))
            {
                let slot = name(&format!("s{made}"));
                let options = SlotOptions::new()
                    .snapshot(snapshot)
                    .temporary(temporary)
                    .two_phase(two_phase)
                    .failover(failover)
                    .timeout(Duration::from_secs(60));
                let created = connection.create_slot(&slot, options).await;
                if temporary && failover {
                    assert!(matches!(created, Err(Error::Misuse(_))));
                    continue;
                }
                if two_phase && server.major < 15 || failover && server.major < 17 {
                    assert!(matches!(created, Err(Error::Unsupported { .. })), "{}", server.version);
                    continue;
                }
                let mut created = created.unwrap();
                made += 1;
                assert!(!created.consistent_point().is_zero());
                assert_eq!(created.snapshot_name().is_some(), snapshot == Snapshot::Export);
                let exported = match snapshot {
                    Snapshot::Use => Some(created.export_snapshot().await.unwrap()),
                    _ => created.snapshot_name().map(str::to_owned),
                };
                if let Some(exported) = exported {
                    adopt(&cluster, &exported).unwrap();
                    let point = created.consistent_point();
                    created.release().await.unwrap();
                    adopt(&cluster, &exported).unwrap_err();
                    let state = connection.slot(&slot).await.unwrap().unwrap();
                    assert_eq!(state.confirmed_flush_lsn, Some(point));
                }
                let state = connection.slot(&slot).await.unwrap().unwrap();
                assert_eq!(state.plugin.as_deref(), Some("pgoutput"));
                assert_eq!(state.database.as_deref(), Some("postgres"));
                assert_eq!(state.wal_status.as_deref(), Some("reserved"));
                assert_eq!(
                    (state.temporary, state.two_phase, state.failover),
                    (temporary, two_phase, failover)
                );
                assert_eq!(state.invalidation_reason, None);
                connection.drop_slot(&slot, InUse::Fail).await.unwrap();
                assert!(connection.slot(&slot).await.unwrap().is_none());
            }
        }
        assert_eq!(
            made,
            3 * if server.major >= 17 {
                6
            } else if server.major >= 15 {
                4
            } else {
                2
            }
        );
    }
}

fn adopt(cluster: &Cluster, snapshot: &str) -> Result<String, String> {
    let sql = format!(
        "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET TRANSACTION SNAPSHOT '{snapshot}'; SELECT 1; COMMIT"
    );
    cluster.try_psql("postgres", &sql)
}

#[tokio::test]
async fn keeps_the_snapshot_at_the_consistent_point() {
    for server in support::servers() {
        let cluster = server.start();
        cluster.psql("postgres", "CREATE TABLE t (id int); INSERT INTO t VALUES (1)");
        let mut connection = connected(&cluster).await;
        let mut slot =
            connection.create_slot(&name("s"), SlotOptions::new().snapshot(Snapshot::Use)).await.unwrap();
        cluster.psql("postgres", "INSERT INTO t VALUES (2)");
        for _ in 0..2 {
            let snapshot = slot.export_snapshot().await.unwrap();
            let counted = cluster.psql(
                "postgres",
                &format!("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET TRANSACTION SNAPSHOT '{snapshot}'; SELECT count(*) FROM public.t; COMMIT"),
            );
            assert_eq!(counted, "1");
        }
        // Letting go without a word: the next command ends the transaction.
        drop(slot);
        let second =
            connection.create_slot(&name("s2"), SlotOptions::new().snapshot(Snapshot::Use)).await.unwrap();
        drop(second);
        connection.identify_system().await.unwrap();
    }
}

#[tokio::test]
async fn tells_what_is_wrong_with_a_slot() {
    for server in support::servers() {
        let cluster = server.start();
        let mut connection = connected(&cluster).await;
        let created = connection.create_slot(&name("s"), SlotOptions::new()).await.unwrap();
        created.release().await.unwrap();
        for snapshot in [Snapshot::Nothing, Snapshot::Use] {
            let twice = connection.create_slot(&name("s"), SlotOptions::new().snapshot(snapshot)).await;
            assert_eq!(twice.unwrap_err().sqlstate(), Some("42710"));
        }
        connection.drop_slot(&name("s"), InUse::Wait).await.unwrap();
        let gone = connection.drop_slot(&name("s"), InUse::Fail).await.unwrap_err();
        assert_eq!(gone.sqlstate(), Some("42704"));
        let mut slot = connection.create_slot(&name("t"), SlotOptions::new()).await.unwrap();
        assert!(matches!(slot.export_snapshot().await, Err(Error::Misuse(_))));
        drop(slot);
        let (temporary, mut other) = (SlotOptions::new().temporary(true), connected(&cluster).await);
        other.create_slot(&name("held"), temporary).await.unwrap().release().await.unwrap();
        assert!(connection.slot(&name("held")).await.unwrap().unwrap().is_active());
        let held = connection.drop_slot(&name("held"), InUse::Fail).await.unwrap_err();
        assert_eq!((held.sqlstate(), held.is_retryable()), (Some("55006"), true));
    }
}

#[tokio::test]
async fn gives_up_a_slot_that_an_open_transaction_holds_up() {
    for server in support::servers() {
        let cluster = server.start();
        cluster.psql("postgres", "CREATE TABLE t (id int)");
        cluster.psql("postgres", "BEGIN; INSERT INTO t VALUES (1); PREPARE TRANSACTION 'forgotten'");
        let mut connection = connected(&cluster).await;
        let started = Instant::now();
        let options = SlotOptions::new().timeout(Duration::from_millis(500));
        let error = connection.create_slot(&name("s"), options).await.unwrap_err();
        assert!(matches!(error, Error::Timeout { .. }) && error.is_retryable(), "{error:?}");
        assert!(started.elapsed() < Duration::from_secs(5));
        // The transaction is still there; the slot that waited for it is not, and the connection goes on.
        assert!(connection.slot(&name("s")).await.unwrap().is_none());
        let options = SlotOptions::new().snapshot(Snapshot::Use).timeout(Duration::from_millis(100));
        assert!(matches!(connection.create_slot(&name("s"), options).await, Err(Error::Timeout { .. })));
        cluster.psql("postgres", "ROLLBACK PREPARED 'forgotten'");
        drop(connection.create_slot(&name("s"), SlotOptions::new()).await.unwrap());
    }
}

#[tokio::test]
async fn names_every_host_and_reason_but_no_password() {
    let cluster = support::newest().options().tcp().hba("host all alice 127.0.0.1/32 scram-sha-256").start();
    cluster.psql("postgres", "CREATE ROLE alice LOGIN REPLICATION PASSWORD 'right'");
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let port = cluster.tcp_port();
    let conninfo = format!(
        "host=localhost,127.0.0.1 hostaddr=127.0.0.1,127.0.0.1 port={closed},{port} user=alice dbname=postgres password=hunter2"
    );
    let error = connect(&conninfo).await.unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains(&format!("localhost port {closed} (127.0.0.1)")) && text.contains("refused"),
        "{text}"
    );
    assert!(text.contains(&format!("127.0.0.1 port {port}: server: FATAL 28P01")), "{text}");
    assert!(
        !text.contains("hunter2") && !format!("{error:?}").contains("hunter2") && !text.contains('\n'),
        "{text}"
    );
    assert_eq!(error.sqlstate(), Some("28P01"));
    let nameless = connect("host=name.invalid user=alice connect_timeout=5").await.unwrap_err().to_string();
    assert!(nameless.contains("name.invalid port 5432: looking up the name"), "{nameless}");
    let without = format!("host=127.0.0.1 port={port} user=alice dbname=postgres");
    let error = connect(&without).await.unwrap_err().to_string();
    assert!(error.contains("PGPASSWORD"), "{error}");
    connect(&conninfo.replace("hunter2", "right")).await.unwrap();
}

#[tokio::test]
async fn gives_a_silent_host_only_its_time() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let cluster = support::newest().options().tcp().start();
    let ports = format!("{},{}", silent.local_addr().unwrap().port(), cluster.tcp_port());
    let conninfo =
        format!("host=127.0.0.1,127.0.0.1 port={ports} user=postgres dbname=postgres connect_timeout=1");
    let started = Instant::now();
    connect(&conninfo).await.unwrap();
    assert!(started.elapsed() >= Duration::from_secs(1));
}

#[tokio::test]
async fn finds_the_server_of_the_wanted_role() {
    let cluster = support::newest().start();
    let reader = support::newest().start_with(&[("default_transaction_read_only", "on")]);
    let hosts = format!("host={},{}", reader.socket_folder().display(), cluster.socket_folder().display());
    let base = format!("{hosts} port={} user=postgres dbname=postgres", cluster.port());
    for (target, read_only) in [
        ("any", "on"),
        ("read-write", "off"),
        ("read-only", "on"),
        ("primary", "on"),
        ("prefer-standby", "on"),
    ] {
        let mut connection = connect(&format!("{base} target_session_attrs={target}")).await.unwrap();
        assert_eq!(connection.show("default_transaction_read_only").await.unwrap(), read_only, "{target}");
    }
    let error = connect(&format!("{base} target_session_attrs=standby")).await.unwrap_err();
    assert!(error.to_string().contains("is not standby") && error.is_retryable(), "{error}");
}

#[tokio::test]
async fn is_of_no_more_use_after_a_call_that_was_not_waited_for() {
    let cluster = support::newest().start();
    cluster.psql("postgres", "CREATE TABLE t (id int)");
    cluster.psql("postgres", "BEGIN; INSERT INTO t VALUES (1); PREPARE TRANSACTION 'forgotten'");
    let mut connection = connected(&cluster).await;
    let (slot, options) = (name("s"), SlotOptions::new());
    let dropped =
        tokio::time::timeout(Duration::from_millis(100), connection.create_slot(&slot, options)).await;
    assert!(dropped.is_err());
    assert!(matches!(connection.identify_system().await, Err(Error::Unusable { .. })));
}

#[tokio::test]
async fn explains_a_role_without_the_replication_attribute() {
    let cluster = support::newest().start();
    cluster.psql("postgres", "CREATE ROLE plain LOGIN");
    let error =
        connect(&cluster.conninfo("postgres").replace("user=postgres", "user=plain")).await.unwrap_err();
    assert_eq!(error.sqlstate(), Some("42501"));
    assert!(error.hint().unwrap().contains("REPLICATION"));
    cluster.psql("postgres", "ALTER ROLE plain REPLICATION");
    connect(&cluster.conninfo("postgres").replace("user=postgres", "user=plain")).await.unwrap();
}
