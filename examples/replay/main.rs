//! Changes from a live server or a capture file into a sink.
//!
//! `replay --help` tells the options. Without any, the bundled capture is replayed as SQL, and no server is needed.

mod arguments;
#[path = "../common/mod.rs"]
mod common;
mod source;

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use walferry::pipeline::Statistics;
use walferry::sink::json::{JsonSink, Mapping};
use walferry::sink::postgres::PostgresSink;
use walferry::sink::sql::SqlSink;
use walferry::sink::{ChangeSink, Output};
use walferry::{Config, Error, Pipeline};

use self::arguments::{Arguments, Destination};
use self::common::secrets::{self, Conninfo};
use self::common::{fail, interrupted};
use self::source::Source;

fn main() -> ExitCode {
    let arguments = Arguments::read();
    if let Err(error) = secrets::hide(arguments.source.as_ref(), arguments.target.as_ref()) {
        return fail("replay", &error);
    }
    arguments.log.start();
    // One thread: the work is less than the server's, and waking another one for it would be most of the cost.
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(source) => return fail("replay", &Error::Io { during: "starting the runtime".into(), source }),
    };
    let replayed = runtime.block_on(replay(&arguments));
    // Not by dropping it, which would wait for a write to a pipe that nobody reads.
    runtime.shutdown_background();
    match replayed {
        Ok(Statistics { transactions, changes, acknowledged, left_out, torn_tail, .. }) => {
            if let Some(offset) = torn_tail {
                eprintln!(
                    "warning: the capture ends inside the block at byte {offset}, as after a crash or an incomplete copy; what \
                     is there from that byte on was not replayed"
                );
            }
            if left_out > 0 {
                eprintln!("left out {left_out} changes of other tables");
            }
            eprintln!("replayed {transactions} transactions, {changes} changes, acknowledged {acknowledged}");
            ExitCode::SUCCESS
        }
        Err(error) => fail("replay", &error),
    }
}

async fn replay(arguments: &Arguments) -> Result<Statistics, Error> {
    let mut shutdown = interrupted()?;
    if let Some(target) = &arguments.target {
        return apply(arguments, target, shutdown).await;
    }
    let (output, source) = tokio::select! {
        biased;
        opened = open(arguments) => opened?,
        () = &mut shutdown => return Ok(Statistics::default()),
    };
    if arguments.to == Destination::Json {
        let mapping = arguments.json_mapping.map(Mapping::from).unwrap_or_default();
        return run(arguments, source, JsonSink::new(output).mapping(mapping), shutdown).await;
    }
    let catalog = source.catalog().clone();
    run(arguments, source, SqlSink::new(output, catalog), shutdown).await
}

/// Into another server.
async fn apply(
    arguments: &Arguments,
    target: &Conninfo,
    mut shutdown: impl Future<Output = ()> + Unpin,
) -> Result<Statistics, Error> {
    let target = secrets::TARGET.whole(target).complete_from_environment()?;
    for warning in target.warnings() {
        eprintln!("warning: --target: {warning}");
    }
    let (sink, source) = tokio::select! {
        biased;
        opened = open_target(arguments, target) => opened?,
        () = &mut shutdown => return Ok(Statistics::default()),
    };
    let monitor = sink.monitor();
    let replayed = run(arguments, source, sink, shutdown).await?;
    let statistics = monitor.statistics();
    if statistics.skipped > 0 {
        eprintln!("skipped {} changes that conflict with what the target holds", statistics.skipped);
    }
    if let Some(path) = arguments.quarantine.as_ref().filter(|_| statistics.quarantined > 0) {
        eprintln!("quarantined {} changes in {}", statistics.quarantined, path.display());
    }
    Ok(replayed)
}

/// The target keeps its progress under the name of the slot. It is reached before the source is: a slot that is made for
/// a target that can't be reached would hold back the source's log for nobody.
async fn open_target(arguments: &Arguments, target: Config) -> Result<(PostgresSink, Source), Error> {
    let sink = |name: &str| {
        let sink = PostgresSink::new(target, name).on_conflict(arguments.conflict_policy());
        match &arguments.target_origin {
            Some(origin) => sink.origin(origin),
            None => sink,
        }
    };
    let Some(slot) = &arguments.slot else {
        let source = Source::open(arguments).await?;
        let name = source.slot().unwrap_or_default().to_owned();
        return Ok((sink(&name), source));
    };
    let mut sink = sink(slot.as_str());
    sink.progress().await.map_err(|error| Error::Sink(Box::new(error)))?;
    Ok((sink, Source::open(arguments).await?))
}

/// A server does not send again what an earlier run wrote and acknowledged: the next run adds to it. A capture can be
/// read again, and replaces what is there, once it has proved to be one.
async fn open(arguments: &Arguments) -> Result<(Output, Source), Error> {
    let Some(path) = &arguments.output else {
        return Ok((Output::stdout(), Source::open(arguments).await?));
    };
    let failed = |source| Error::Io { during: format!("creating {}", path.display()), source };
    if arguments.source.is_some() {
        let output = Output::append(path).await.map_err(failed)?;
        Ok((output, Source::open(arguments).await?))
    } else {
        let source = Source::open(arguments).await?;
        let is_capture = arguments.from_capture.as_ref().is_some_and(|capture| is_same_file(capture, path));
        if is_capture {
            return Err(failed(io::Error::other("it is the capture that is read, and would be lost")));
        }
        Ok((Output::create(path).await.map_err(failed)?, source))
    }
}

/// Whether both names are of one file, which has to be there for that.
fn is_same_file(one: &Path, other: &Path) -> bool {
    let identity = |path| fs::metadata(path).ok().map(|file| (file.dev(), file.ino()));
    identity(one).is_some_and(|found| identity(other) == Some(found))
}

async fn run(
    arguments: &Arguments,
    source: Source,
    sink: impl ChangeSink,
    shutdown: impl Future<Output = ()>,
) -> Result<Statistics, Error> {
    let mut pipeline = Pipeline::new(sink)
        .batch_rows(arguments.batch_rows)
        .batch_bytes(arguments.batch_bytes)
        .batch_delay(arguments.batch_delay());
    if let Some(seconds) = arguments.heartbeat {
        pipeline = pipeline.heartbeat(Duration::from_secs(seconds));
    }
    for table in &arguments.only {
        pipeline = pipeline.only(&table.schema, &table.name);
    }
    for table in &arguments.except {
        pipeline = pipeline.except(&table.schema, &table.name);
    }
    match source {
        Source::Stream(stream) => pipeline.run(*stream, shutdown).await,
        Source::Snapshot(stream) => pipeline.run_snapshot(*stream, shutdown).await,
        Source::Capture(events) => {
            let replayed = pipeline.run_capture(*events, shutdown).await;
            replayed.map_err(|error| source::locate(arguments, error))
        }
    }
}
