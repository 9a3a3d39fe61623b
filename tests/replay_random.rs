//! Random databases and random transactions through `replay` and psql into another database, in several stages.
//!
//! `WALFERRY_LONG=1` runs more of them, on every server, and `WALFERRY_SEED=17` that one again.
#![expect(clippy::panic, reason = "a helper of a test fails the test")]

mod program;
mod random;
mod support;
mod workload;

use std::collections::BTreeSet;
use std::env;

use program::{last_line, replay, run};
use random::Schema;
use support::{Cluster, Random, Server};

const STAGES: usize = 3;

fn script(cluster: &Cluster, database: &str, script: &str, seed: u64) -> String {
    let result = cluster.psql_file(database, script.as_bytes());
    result.unwrap_or_else(|error| panic!("seed {seed}, {database}: {error}"))
}

/// `replay` of everything up to now: the script, the same live and from a capture, and how many changes it has.
fn replayed(cluster: &Cluster, source: &str, seed: u64, random: &mut Random) -> (Vec<u8>, u64) {
    let folder = tempfile::tempdir().unwrap_or_else(|error| panic!("a folder: {error}"));
    let capture = folder.path().join("capture");
    let streamings: &[&str] = if cluster.major() >= 16 { &["off", "on", "parallel"] } else { &["off", "on"] };
    let conninfo = cluster.conninfo(source);
    let mut command = replay();
    command.args(["--source", &conninfo, "--slot", source, "--publication", "all", "--stop-at-current"]);
    command.args(["--streaming", random.pick(streamings), "--batch-rows", random.pick(&["1", "7", "10000"])]);
    let captures = random.one_in(2);
    if captures {
        command.arg("--capture").arg(&capture);
    }
    let output = command.output().unwrap_or_else(|error| panic!("replay: {error}"));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "seed {seed}, {source}: {errors}");
    if captures {
        let again = run(replay().arg("--from-capture").arg(&capture));
        assert!(again.stdout == output.stdout, "seed {seed}: the capture gives another script");
    }
    // replayed 3 transactions, 14 changes, …
    let changes = last_line(&output).split(' ').nth(3).and_then(|number| number.parse().ok());
    (output.stdout, changes.unwrap_or_else(|| panic!("seed {seed}: {errors}")))
}

fn differs(expected: &str, found: &str) -> String {
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<BTreeSet<_>>();
    let (want, have) = (lines(expected), lines(found));
    let missing: Vec<_> = want.difference(&have).take(5).collect();
    let extra: Vec<_> = have.difference(&want).take(5).collect();
    format!("missing {missing:#?}, extra {extra:#?}")
}

/// Says how many changes it carried.
fn carries_across(cluster: &Cluster, seed: u64) -> u64 {
    let mut carried = 0;
    let mut random = Random::new(seed);
    let mut schema = Schema::new(&mut random);
    let (source, target) = (format!("source_{seed}"), format!("target_{seed}"));
    for database in [&source, &target] {
        cluster.create_database(database);
        script(cluster, database, &schema.ddl, seed);
    }
    let via_root = random.one_in(2);
    script(
        cluster,
        &source,
        &format!("CREATE PUBLICATION \"all\" FOR ALL TABLES WITH (publish_via_partition_root = {via_root})"),
        seed,
    );
    cluster.psql(&source, &format!("SELECT pg_create_logical_replication_slot('{source}', 'pgoutput')"));
    for stage in 0..STAGES {
        script(cluster, &source, &random::stage(&mut random, &schema), seed);
        let (sql, changes) = replayed(cluster, &source, seed, &mut random);
        carried += changes;
        if let Err(error) = cluster.play(&target, &sql) {
            panic!("seed {seed}, stage {stage}: {error}{}", kept(&sql, seed));
        }
        let expected = script(cluster, &source, workload::CONTENTS, seed);
        let found = script(cluster, &target, workload::CONTENTS, seed);
        assert!(
            expected == found,
            "seed {seed}, stage {stage}: {}{}",
            differs(&expected, &found),
            kept(&sql, seed)
        );
        let alter = schema.alter(&mut random);
        for database in [&source, &target] {
            script(cluster, database, &alter, seed);
        }
    }
    cluster.psql(&source, &format!("SELECT pg_drop_replication_slot('{source}')"));
    for database in [&source, &target] {
        cluster.drop_database(database);
    }
    carried
}

/// Where to look at the script that failed.
fn kept(sql: &[u8], seed: u64) -> String {
    let path = env::temp_dir().join(format!("walferry-seed-{seed}.sql"));
    match std::fs::write(&path, sql) {
        Ok(()) => format!("\nthe script: {}", path.display()),
        Err(_) => String::new(),
    }
}

fn every_seed(server: &Server) {
    let cluster = server.start_with(&[("logical_decoding_work_mem", "64kB")]);
    let (mut carried, mut count) = (0, 0);
    support::for_each_seed(6, 100, |seed| {
        carried += carries_across(&cluster, seed);
        count += 1;
    });
    eprintln!("{carried} changes of {count} seeds on {}", server.major);
    assert!(carried > 40 * count, "the generator makes statements that the server takes");
}

#[test]
fn whatever_was_changed_arrives() {
    support::on_each_server(every_seed);
}
