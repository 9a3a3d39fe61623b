//! One PostgreSQL database into another, with minimal downtime.
//!
//! `migrate --help` tells the commands.

mod arguments;
#[path = "../common/mod.rs"]
mod common;
mod progress;
mod report;

use std::process::ExitCode;

use walferry::migrate::doctor;
use walferry::migrate::guard::Guard;
use walferry::migrate::schema::SchemaOptions;
use walferry::migrate::verify::Verify;
use walferry::migrate::{Cutover, Goal, Migration, Outcome, Run};
use walferry::{Config, Error};

use self::arguments::{Arguments, Command, RunOptions, Sides};
use self::common::secrets::{self, Secret};
use self::common::{fail, interrupted};

fn main() -> ExitCode {
    let arguments = Arguments::read();
    let sides = arguments.sides();
    if let Err(error) = secrets::hide(Some(&sides.source), Some(&sides.target)) {
        return fail("migrate", &error);
    }
    arguments.log.start();
    let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime,
        Err(source) => return fail("migrate", &Error::Io { during: "starting the runtime".into(), source }),
    };
    match runtime.block_on(migrate(arguments)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => fail("migrate", &error),
    }
}

/// Whether all is well.
async fn migrate(arguments: Arguments) -> Result<bool, Error> {
    let migration = migration(arguments.sides())?;
    match arguments.command {
        Command::Doctor { json, schema, .. } => {
            let found = migration.examine(&doctor::Options::new().makes_schema(schema)).await?;
            print(json, || report::doctor(&found), || found.to_string());
            Ok(!found.has_errors())
        }
        Command::Run { run: options, .. } => run(migration, &options).await,
        Command::Status { json, .. } => {
            let status = migration.status().await?;
            print(json, || report::status(&status), || report::status_lines(&status));
            Ok(true)
        }
        Command::Sequences { margin, .. } => {
            let carried = migration.carry_sequences(margin).await?;
            carried.findings().iter().for_each(|finding| println!("{finding}"));
            let behind = carried.behind().count();
            eprintln!("{} sequences, {} moved, {behind} behind", carried.findings().len(), carried.moved());
            Ok(behind == 0)
        }
        Command::Verify { json, jobs, max_keys, throttle, resume, .. } => {
            let held = migration.hold().await?;
            let verify = Verify::new().jobs(jobs.get()).max_keys(max_keys).throttle(throttle).remember();
            let verify = if resume { verify.resume() } else { verify };
            let compared = verify.compare(&migration, &held.snapshots()).await?;
            print(json, || report::verify(&compared), || report::verify_lines(&compared));
            Ok(compared.is_equal())
        }
        Command::Cutover { reverse, dry_run, roll_back, margin, .. } => {
            let cutover = Cutover::new(migration).reverse(reverse).margin(margin);
            cut_over(cutover, dry_run, roll_back).await.map(|()| true)
        }
        Command::Cleanup { .. } => {
            migration.clean_up().await?.iter().for_each(|dropped| println!("dropped {dropped}"));
            Ok(true)
        }
    }
}

fn print(as_json: bool, json: impl FnOnce() -> serde_json::Value, text: impl FnOnce() -> String) {
    if as_json {
        println!("{}", json());
    } else {
        println!("{}", text());
    }
}

async fn cut_over(cutover: Cutover, dry_run: bool, roll_back: bool) -> Result<(), Error> {
    if dry_run {
        cutover.plan().await?.iter().for_each(|step| println!("{step}"));
    } else if roll_back {
        cutover.roll_back().await?;
        eprintln!("the source is open again; `run` follows on");
    } else {
        let done = cutover.run(|phase| eprintln!("cutover: {phase}")).await?;
        eprintln!("cut over at {}: the target is open, switch the clients", done.fence);
    }
    Ok(())
}

fn migration(sides: &Sides) -> Result<Migration, Error> {
    let whole = |secret: Secret, given, option: &str| -> Result<Config, Error> {
        let config = secret.whole(given).complete_from_environment()?;
        config.warnings().iter().for_each(|warning| eprintln!("warning: {option}: {warning}"));
        Ok(config)
    };
    let source = whole(secrets::SOURCE, &sides.source, "--source")?;
    let target = whole(secrets::TARGET, &sides.target, "--target")?;
    Ok(Migration::new(source, target, sides.slot.clone(), &sides.publication))
}

async fn run(migration: Migration, options: &RunOptions) -> Result<bool, Error> {
    let shutdown = interrupted()?;
    let found = migration.examine(&doctor::Options::new().makes_schema(options.schema)).await?;
    found
        .findings
        .iter()
        .filter(|finding| finding.severity > doctor::Severity::Note)
        .for_each(|finding| eprintln!("{finding}"));
    if found.keeps_from_running(migration.phase().await?) {
        return Err(Error::Precondition {
            problem: "the doctor found errors".to_owned(),
            mend: "mend what is listed above, and run again".to_owned(),
        });
    }
    let goal = match (options.copy_only, options.stop_at_current) {
        (true, _) => Goal::Copy,
        (_, true) => Goal::Current,
        _ => Goal::Follow,
    };
    let mut run = Run::new(migration).jobs(options.jobs.get()).goal(goal);
    if options.schema {
        let programs = options.programs.iter().fold(SchemaOptions::new(), SchemaOptions::programs);
        run = run.schema(programs, options.state.clone());
    }
    if let Some(budget) = options.slot_budget {
        let guard = Guard::new(budget);
        let gives_up = options.lose_migration_beyond_budget;
        run = run.guard(if gives_up { guard.lose_the_migration_beyond_budget() } else { guard });
    }
    let shown = progress::show(run.monitor());
    let outcome = tokio::select! {
        outcome = run.run(shutdown) => outcome?,
        () = shown => Outcome::Stopped,
    };
    match outcome {
        Outcome::Done(lsn) => eprintln!("done: the target has everything up to {lsn}"),
        Outcome::CutOver => eprintln!("the migration is cut over: there is nothing to follow"),
        _ => eprintln!("stopped: the same command goes on here"),
    }
    Ok(true)
}
