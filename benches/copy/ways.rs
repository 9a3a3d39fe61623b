//! Who copies, and how it is run.

use std::env;
use std::process::{Command, Stdio};
use std::time::Instant;

use clap::ValueEnum;
use walferry::connection::Snapshot;
use walferry::snapshot::Exported;
use walferry::{Config, Connection, SlotOptions};

use crate::ours::MARK;
use crate::stage::Stage;
use crate::support::Cluster;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Way {
    /// This crate, one job
    #[value(name = "ours-1")]
    Ours1,
    /// This crate, two jobs
    #[value(name = "ours-2")]
    Ours2,
    /// psql into psql, one table after the other
    #[value(name = "pipe-1")]
    Pipe1,
    /// psql into psql, both tables at once
    #[value(name = "pipe-2")]
    Pipe2,
    /// A subscription's table synchronisation, both tables at once
    Native,
    /// `pg_dump` into a folder, then `pg_restore`, two jobs each
    Dump,
}

pub(crate) struct Run {
    pub(crate) seconds: f64,
    /// The most that the process took, in KiB; 0 where it is not known.
    pub(crate) memory: u64,
}

impl Way {
    pub(crate) const ALL: [Self; 6] =
        [Self::Ours1, Self::Ours2, Self::Pipe1, Self::Pipe2, Self::Native, Self::Dump];

    pub(crate) fn run(self, stage: &Stage) -> Run {
        stage.make_target();
        let run = match self {
            Self::Ours1 => ours(stage, "tables", 1),
            Self::Ours2 => ours(stage, "tables", 2),
            Self::Pipe1 => timed(|| ["a", "b"].iter().for_each(|table| pipe(stage, table))),
            Self::Pipe2 => timed(|| {
                std::thread::scope(|scope| {
                    for table in ["a", "b"] {
                        scope.spawn(move || pipe(stage, table));
                    }
                });
            }),
            Self::Native => native(stage),
            Self::Dump => timed(|| dump(stage)),
        };
        stage.check();
        run
    }
}

/// One row with a value of 200 MB.
pub(crate) fn field(stage: &Stage) -> Run {
    stage.make_target();
    let run = ours(stage, "field", 1);
    let digest = "SELECT length(v), md5(v) FROM field";
    assert_eq!(stage.target.psql("run", digest), stage.source.psql("source", digest));
    run
}

fn timed(work: impl FnOnce()) -> Run {
    let begun = Instant::now();
    work();
    Run { seconds: begun.elapsed().as_secs_f64(), memory: 0 }
}

fn ours(stage: &Stage, publication: &str, jobs: usize) -> Run {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let source: Config = stage.source.conninfo("source").parse().expect("a connection string");
    let (_holder, snapshot) = runtime.block_on(hold(&source));
    let mut command = Command::new(env::current_exe().expect("a bench has a path"));
    command.env_clear().arg(MARK).args([stage.source.conninfo("source"), stage.target.conninfo("run")]);
    command.args([publication, &jobs.to_string(), snapshot.name(), &snapshot.lsn().to_string()]);
    let begun = Instant::now();
    let output = command.stderr(Stdio::inherit()).output().expect("this program can be run");
    let seconds = begun.elapsed().as_secs_f64();
    assert!(output.status.success(), "the copy ends well");
    let memory = String::from_utf8_lossy(&output.stdout).trim().parse().expect("a number");
    Run { seconds, memory }
}

/// A temporary slot: gone with the connection.
async fn hold(source: &Config) -> (Connection, Exported) {
    let mut holder = Connection::connect(source).await.expect("a connection");
    let options = SlotOptions::new().temporary(true).snapshot(Snapshot::Use);
    let name = "bench".parse().expect("a slot's name");
    let mut slot = holder.create_slot(&name, options).await.expect("a slot");
    let name = slot.export_snapshot().await.expect("a snapshot");
    let snapshot = Exported::new(name, slot.consistent_point());
    (holder, snapshot)
}

/// Frozen, as ours is: that takes a TRUNCATE in the same transaction.
fn pipe(stage: &Stage, table: &str) {
    let mut from = psql(&stage.source, "source");
    from.arg("-c").arg(format!("COPY {table} TO STDOUT (FORMAT binary)")).stdout(Stdio::piped());
    let mut from = from.spawn().expect("psql can be run");
    let mut into = psql(&stage.target, "run");
    into.args(["-c", "BEGIN", "-c", &format!("TRUNCATE {table}")]);
    into.arg("-c").arg(format!("COPY {table} FROM STDIN (FORMAT binary, FREEZE)")).args(["-c", "COMMIT"]);
    let rows = from.stdout.take().expect("it is piped");
    let status = into.stdin(rows).status().expect("psql can be run");
    assert!(status.success() && from.wait().expect("psql ends").success(), "both ends of the pipe end well");
}

fn psql(cluster: &Cluster, database: &str) -> Command {
    let mut command = Command::new("psql");
    command.args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-d"]).arg(cluster.conninfo(database));
    command
}

fn native(stage: &Stage) -> Run {
    let source = stage.source.conninfo("source").replace('\'', "''");
    let target = |sql: &str| stage.target.psql("run", sql);
    let run = timed(|| {
        target(&format!("CREATE SUBSCRIPTION bench CONNECTION '{source}' PUBLICATION tables"));
        target(
            "DO $$ BEGIN
                WHILE EXISTS (SELECT FROM pg_subscription_rel WHERE srsubstate <> 'r') LOOP
                    PERFORM pg_sleep(0.005); COMMIT;
                END LOOP;
            END $$",
        );
    });
    target("DROP SUBSCRIPTION bench");
    run
}

fn dump(stage: &Stage) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("dump");
    let mut dump = Command::new("pg_dump");
    dump.args(["-Fd", "-j2", "-a", "-Z0", "-t", "a", "-t", "b", "-f"]).arg(&path).arg("-d");
    let dumped = dump.arg(stage.source.conninfo("source")).status().expect("pg_dump can be run");
    let mut restore = Command::new("pg_restore");
    restore.args(["-j2", "-a", "-d"]).arg(stage.target.conninfo("run")).arg(&path);
    let restored = restore.status().expect("pg_restore can be run");
    assert!(dumped.success() && restored.success(), "both end well");
}
