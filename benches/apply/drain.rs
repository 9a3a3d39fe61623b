//! One drain of a backlog, in each of the ways.

use std::collections::BTreeMap;
use std::env;
use std::fmt::Debug;
use std::io::Read as _;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, Runtime};
use tokio_postgres::{Client, NoTls, Statement};

use crate::cpu::{self, Watch};
use crate::options::{Options, Way};
use crate::programs::Programs;
use crate::stage::{Backlog, PUBLICATION, RUN, Stage};

/// Between two looks at whether it is done: below a hundredth of a drain.
const PAUSE: Duration = Duration::from_millis(5);
const PATIENCE: Duration = Duration::from_secs(600);

/// What a drain took.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Drain {
    /// From the start until it is done, as the bench's first page says.
    pub(crate) wall: Duration,
    /// From the start until the last transaction is visible on the target.
    pub(crate) visible: Option<Duration>,
    /// CPU of the source's processes that served it: the walsender.
    pub(crate) source: Duration,
    /// CPU of the target's processes that served it: the subscription's worker, or the backends that replay used.
    pub(crate) target: Duration,
    /// CPU of the process that drained, if it is none of the target's.
    pub(crate) process: Duration,
    /// CPU that went to neither of them meanwhile: to strangers, or to this bench.
    pub(crate) others: Duration,
}

/// One drain of each way, of those that take part.
pub(crate) type Round = BTreeMap<Way, Drain>;

impl Drain {
    /// Drains the way's slot of that round into a fresh database, and proves that nothing is missing or wrong.
    pub(crate) fn run(
        stage: &Stage,
        backlog: &Backlog,
        way: Way,
        round: u32,
        programs: &Programs,
        options: &Options,
    ) -> Self {
        let slot = way.slot(round);
        stage.make_target(backlog.database);
        let job = Job { stage, backlog, slot: &slot, programs, options, probe: Probe::new(stage) };
        let drain = match way {
            Way::Ours => job.ours(),
            Way::Native => job.native(),
            Way::Ceiling => job.ceiling(),
            Way::Stream => job.stream(),
            Way::Sql => job.printed("sql"),
            Way::Json => job.printed("json"),
        };
        if way.applies() {
            stage.check(backlog, way);
        }
        stage.drop_slot(&slot);
        drain
    }

    /// What the apply side used.
    pub(crate) fn applying(&self) -> Duration {
        self.target + self.process
    }

    /// For whoever waits.
    pub(crate) fn line(&self, changes: u32) -> String {
        let each = |time: Duration| time.as_secs_f64() * 1e6 / f64::from(changes);
        format!(
            "{:.2} s (visible {:.2} s; others {:.2} s), CPU µs per change: source {:.2}, target {:.2}, process {:.2}",
            self.wall.as_secs_f64(),
            self.visible.unwrap_or_default().as_secs_f64(),
            self.others.as_secs_f64(),
            each(self.source),
            each(self.target),
            each(self.process)
        )
    }
}

struct Job<'a> {
    stage: &'a Stage,
    backlog: &'a Backlog,
    slot: &'a str,
    programs: &'a Programs,
    options: &'a Options,
    probe: Probe,
}

impl Job<'_> {
    fn ours(&self) -> Drain {
        let mut command = self.programs.replay();
        command.args(replay_arguments(self.stage, self.backlog.database, self.slot, self.options));
        self.until_the_end(&mut command);
        self.timed(|| {
            let mut visible = None;
            let (start, mut child) = (Instant::now(), spawn(&mut command));
            wait_until(|| {
                if visible.is_none() && self.probe.sees_the_marker() {
                    visible = Some(start.elapsed());
                }
                has_succeeded(&mut child)
            });
            (start.elapsed(), visible)
        })
    }

    /// Into what a script or a program reads.
    fn printed(&self, to: &str) -> Drain {
        let mut command = self.programs.replay();
        command.args(["--source", &self.stage.source(self.backlog.database), "--slot", self.slot]);
        command.args(["--publication", PUBLICATION, "--to", to]);
        command.args(self.options.binary.then_some("--binary")).args(&self.options.replay_option);
        self.until_the_end(&mut command);
        self.timed_process(&mut command)
    }

    /// What all of ours are told alike.
    fn until_the_end(&self, replay: &mut Command) {
        replay.arg("--stop-at-current");
        if self.backlog.streaming {
            replay.args(["--streaming", "on"]);
        }
    }

    /// By this bench, in a process of its own.
    fn stream(&self) -> Drain {
        let mut command = Command::new(env::current_exe().expect("a bench has a path"));
        command.arg("--only-stream").arg(self.stage.source(self.backlog.database)).arg(self.slot);
        command.args([self.backlog.end.clone(), self.backlog.streaming.to_string()]);
        command.args(self.options.binary.then_some("--binary"));
        self.timed_process(&mut command)
    }

    fn native(&self) -> Drain {
        self.probe.run(&create_subscription(
            &self.stage.source(self.backlog.database),
            self.slot,
            self.backlog.streaming,
            self.options.binary,
        ));
        let drain = self.timed(|| {
            let start = Instant::now();
            self.probe.run("ALTER SUBSCRIPTION native ENABLE");
            wait_until(|| self.probe.sees_the_marker());
            (start.elapsed(), Some(start.elapsed()))
        });
        self.probe.run(DROP_SUBSCRIPTION);
        drain
    }

    fn ceiling(&self) -> Drain {
        let mut command = self.programs.recvlogical();
        command.arg("--dbname").arg(self.stage.source(self.backlog.database));
        command.args(["--slot", self.slot, "--start", "--no-loop", "--file", "/dev/null"]);
        command.args(["--endpos", &self.backlog.end]);
        command.args(["--option", &format!("publication_names={PUBLICATION}")]);
        let streaming = self.backlog.streaming;
        command.args(["--option", if streaming { "proto_version=2" } else { "proto_version=1" }]);
        if streaming {
            command.args(["--option", "streaming=on"]);
        }
        if self.options.binary {
            command.args(["--option", "binary=true"]);
        }
        self.timed_process(&mut command)
    }

    /// From its start to its end.
    fn timed_process(&self, command: &mut Command) -> Drain {
        self.timed(|| {
            let (start, mut child) = (Instant::now(), spawn(command));
            wait_until(|| has_succeeded(&mut child));
            (start.elapsed(), None)
        })
    }

    /// Counts the CPU of what `drain` starts.
    fn timed(&self, drain: impl FnOnce() -> (Duration, Option<Duration>)) -> Drain {
        let before = (cpu::of_ended_children(), cpu::of_the_machine());
        let watch = Watch::start([self.stage.source.pid(), self.stage.target.pid()]);
        let (wall, visible) = drain();
        let [source, target] = watch.stop();
        let process = cpu::of_ended_children().saturating_sub(before.0);
        let others = cpu::of_the_machine().saturating_sub(before.1 + source + target + process);
        Drain { wall, visible, source, target, process, others }
    }
}

/// All that a drain and a stream that goes on have in common.
pub(crate) fn replay_arguments(stage: &Stage, database: &str, slot: &str, options: &Options) -> Vec<String> {
    let (source, target) = (stage.source(database), stage.target.conninfo(RUN));
    let fixed =
        ["--source", &source, "--slot", slot, "--publication", PUBLICATION, "--to", "postgres", "--target"];
    let mut arguments: Vec<String> = fixed.map(str::to_owned).into();
    arguments.push(target);
    arguments.extend(options.binary.then(|| "--binary".to_owned()));
    arguments.extend(options.replay_option.iter().cloned());
    arguments
}

/// Disabled, on a slot that is there.
pub(crate) fn create_subscription(source: &str, slot: &str, streaming: bool, binary: bool) -> String {
    format!(
        "CREATE SUBSCRIPTION native CONNECTION '{}' PUBLICATION {PUBLICATION} WITH (create_slot = false,
            slot_name = '{slot}', copy_data = false, enabled = false, streaming = {streaming}, binary = {binary})",
        source.replace('\'', "''")
    )
}

pub(crate) const DROP_SUBSCRIPTION: &str = "ALTER SUBSCRIPTION native DISABLE;
    ALTER SUBSCRIPTION native SET (slot_name = NONE);
    DROP SUBSCRIPTION native";

/// A connection to the target that looks whether the last transaction has come.
struct Probe {
    runtime: Runtime,
    client: Client,
    marker: Statement,
}

impl Probe {
    fn new(stage: &Stage) -> Self {
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        let (client, connection) = runtime
            .block_on(tokio_postgres::connect(&stage.target.conninfo(RUN), NoTls))
            .expect("the target listens");
        runtime.spawn(connection);
        let marker = runtime.block_on(client.prepare("SELECT FROM marker")).expect("a marker's table");
        Self { runtime, client, marker }
    }

    fn run(&self, sql: &str) {
        for statement in sql.split(";\n") {
            succeed(self.runtime.block_on(self.client.batch_execute(statement)));
        }
    }

    fn sees_the_marker(&self) -> bool {
        !succeed(self.runtime.block_on(self.client.query(&self.marker, &[]))).is_empty()
    }
}

fn succeed<T, E: Debug>(result: Result<T, E>) -> T {
    result.unwrap_or_else(|error| panic!("the target refuses: {error:?}"))
}

fn wait_until(mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !done() {
        assert!(Instant::now() < deadline, "not done in {} s", PATIENCE.as_secs());
        thread::sleep(PAUSE);
    }
}

pub(crate) fn spawn(command: &mut Command) -> Child {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    command.spawn().unwrap_or_else(|error| panic!("{}: {error}", command.get_program().display()))
}

/// Whether it has ended; it must not fail.
pub(crate) fn has_succeeded(child: &mut Child) -> bool {
    let Some(status) = child.try_wait().expect("a child can be waited for") else { return false };
    let mut told = String::new();
    let read = child.stderr.take().map(|mut stderr| stderr.read_to_string(&mut told));
    assert!(status.success(), "{status}: {told} {read:?}");
    true
}
