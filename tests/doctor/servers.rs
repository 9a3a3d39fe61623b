//! What is wrong with a server as a whole, and what is found on the way to it.

use std::fs;

use walferry::migrate::doctor::{Options, Report, Side};

use crate::examined::{config, examine, migration, of, patient};
use crate::pooler::Pooler;
use crate::support::{Cluster, Server, on_each_server};

/// What is tried here and in `main.rs`.
pub(crate) const TRIED: [&str; 13] = [
    "wal-level",
    "replication-slots",
    "wal-senders",
    "commit-timestamps",
    "prepared-transactions",
    "source-standby",
    "target-standby",
    "source-pooler",
    "target-pooler",
    "same-database",
    "target-older",
    "disk-size",
    "fence-sessions",
];

fn ids(report: &Report) -> Vec<&'static str> {
    report.findings.iter().map(|finding| finding.id).collect()
}

fn starved(server: &Server) -> Cluster {
    patient(
        server,
        &[
            ("wal_level", "replica"),
            ("max_replication_slots", "0"),
            ("max_wal_senders", "0"),
            ("track_commit_timestamp", "on"),
            ("max_prepared_transactions", "0"),
        ],
    )
}

#[test]
fn settings_that_need_a_restart_are_mended_by_one() {
    on_each_server(|server| {
        let (source, target) = (starved(server), starved(server));
        let migration =
            migration(config(&source, "postgres", "postgres"), config(&target, "postgres", "postgres"));
        let options = Options::new().two_phase(true);
        let report = examine(&migration, &options);
        let expected =
            ["wal-level", "replication-slots", "wal-senders", "prepared-transactions", "commit-timestamps"];
        for id in expected {
            let found = of(&report, id);
            assert_eq!(found.len(), 1, "{id} in:\n{report}");
            let mend = found[0].mend.as_deref().unwrap();
            assert!(mend.ends_with("; -- then restart the server"), "{mend}");
            let cluster = if found[0].side == Side::Source { &source } else { &target };
            cluster.psql("postgres", mend);
        }
        assert_eq!(of(&report, "replication-connection").len(), 1, "{report}");
        assert!(!ids(&examine(&migration, &Options::new())).contains(&"prepared-transactions"));
        source.restart();
        target.restart();
        assert_eq!(ids(&examine(&migration, &options)), ["disk-size", "publication-missing"]);
    });
}

#[test]
fn a_standby_is_told_on_either_side() {
    on_each_server(|server| {
        let standby = patient(server, &[]);
        standby.stop_fast();
        fs::write(standby.data_folder().join("standby.signal"), "").unwrap();
        standby.restart();
        let other = patient(server, &[]);
        let [standby_config, other_config] =
            [&standby, &other].map(|cluster| config(cluster, "postgres", "postgres"));
        let as_source = migration(standby_config.clone(), other_config.clone());
        let as_target = migration(other_config, standby_config);
        assert_eq!(of(&examine(&as_source, &Options::new()), "source-standby").len(), 1);
        let report = examine(&as_target, &Options::new());
        let found = of(&report, "target-standby");
        assert_eq!(found.len(), 1, "{report}");
        standby.psql("postgres", found[0].mend.as_deref().unwrap());
        assert_eq!(of(&examine(&as_source, &Options::new()), "source-standby"), []);
        assert_eq!(of(&examine(&as_target, &Options::new()), "target-standby"), []);
    });
}

#[test]
fn a_pooler_is_told_on_either_side() {
    on_each_server(|server| {
        let (source, target) = (patient(server, &[]), patient(server, &[]));
        let poolers = [&source, &target].map(Pooler::before);
        let [pooled_source, pooled_target] = [(&source, &poolers[0]), (&target, &poolers[1])]
            .map(|(cluster, pooler)| pooler.conninfo(cluster, "postgres").parse().unwrap());
        let report = examine(&migration(pooled_source, pooled_target), &Options::new());
        assert_eq!(
            ids(&report),
            ["source-pooler", "target-pooler", "disk-size", "publication-missing"],
            "{report}"
        );
        let [source, target] = [&source, &target].map(|cluster| config(cluster, "postgres", "postgres"));
        assert_eq!(
            ids(&examine(&migration(source, target), &Options::new())),
            ["disk-size", "publication-missing"]
        );
    });
}

/// By whatever address; and not where only the names are the same, as on a clone.
#[test]
fn one_database_on_both_sides_is_told() {
    on_each_server(|server| {
        let (cluster, clone) = (patient(server, &[]), patient(server, &[]));
        cluster.create_database("b");
        let [a, b, c] = [(&cluster, "postgres"), (&cluster, "b"), (&clone, "postgres")]
            .map(|(cluster, database)| config(cluster, database, "postgres"));
        let found =
            |target| of(&examine(&migration(a.clone(), target), &Options::new()), "same-database").len();
        assert_eq!([found(a.clone()), found(b), found(c)], [1, 0, 0]);
    });
}

/// And told how to: a superuser's sessions no right ends but his own.
#[test]
fn who_may_not_see_and_end_all_sessions_is_told() {
    const ID: &str = "fence-sessions";
    on_each_server(|server| {
        let (source, target) = (patient(server, &[]), patient(server, &[]));
        source.psql("postgres", "CREATE ROLE mover LOGIN REPLICATION; CREATE ROLE app LOGIN");
        let migration =
            migration(config(&source, "postgres", "mover"), config(&target, "postgres", "postgres"));
        let found = || of(&examine(&migration, &Options::new()), ID);
        assert_eq!(found(), []);
        let app = source.conninfo("postgres").replace("user=postgres", "user=app");
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let connected = runtime.block_on(tokio_postgres::connect(&app, tokio_postgres::NoTls));
        let (client, connection) = connected.unwrap();
        let connection = runtime.spawn(connection);
        let mend = found().remove(0).mend.unwrap();
        assert_eq!(mend, "GRANT pg_read_all_stats, pg_signal_backend TO mover");
        source.psql("postgres", &mend);
        assert_eq!(found(), []);
        let session = source.session("postgres");
        let mend = found().remove(0).mend.unwrap();
        assert!(mend.starts_with("-- a superuser's sessions"), "{mend}");
        drop((session, client));
        runtime.block_on(connection).unwrap().unwrap();
    });
}
