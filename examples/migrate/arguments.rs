//! The command line.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use walferry::SlotName;

use crate::common::log::Log;
use crate::common::secrets::{Conninfo, conninfo, without_secrets};

/// Bring one PostgreSQL database into another, with minimal downtime.
///
/// Begin with `doctor`; `run` copies and follows; `verify` proves that both sides are equal; `cutover` switches.
#[derive(Debug, Parser)]
#[command(name = "migrate", version)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,

    #[command(flatten)]
    pub(crate) log: Log,
}

/// From where to where.
#[derive(Debug, Args)]
pub(crate) struct Sides {
    /// The server that has the data: a libpq URI or key=value string; PG* variables and the password file complete it
    #[arg(long, value_name = "CONNINFO", value_parser = conninfo)]
    pub(crate) source: Conninfo,

    /// The server that is to get it; completed in the same way
    #[arg(long, value_name = "CONNINFO", value_parser = conninfo)]
    pub(crate) target: Conninfo,

    /// The replication slot, and the name under which the target keeps what is to be remembered
    #[arg(long, value_name = "NAME", default_value = "walferry")]
    pub(crate) slot: SlotName,

    /// The publication: which tables
    #[arg(long, value_name = "NAME", default_value = "walferry")]
    pub(crate) publication: String,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Look at every precondition that can be known, and say what mends it
    Doctor {
        #[command(flatten)]
        sides: Sides,
        /// As JSON, on the standard output
        #[arg(long)]
        json: bool,
        /// The target has no tables yet: run --schema will make them
        #[arg(long)]
        schema: bool,
    },
    /// Make what is missing, copy, and follow; interrupted, the same command goes on where it stopped
    Run {
        #[command(flatten)]
        sides: Sides,
        #[command(flatten)]
        run: RunOptions,
    },
    /// Say where the migration is
    Status {
        #[command(flatten)]
        sides: Sides,
        /// As JSON, on the standard output
        #[arg(long)]
        json: bool,
    },
    /// Set every sequence of the target so that nextval can't collide
    Sequences {
        #[command(flatten)]
        sides: Sides,
        /// By how many calls of nextval further than the source's
        #[arg(long, value_name = "N", default_value_t = 0)]
        margin: u64,
    },
    /// Prove table by table that both sides are equal at one position, while writes go on
    Verify {
        #[command(flatten)]
        sides: Sides,
        /// As JSON, on the standard output
        #[arg(long)]
        json: bool,
        /// How many sessions compare at once, on each side
        #[arg(long, value_name = "N", default_value = "2")]
        jobs: NonZeroUsize,
        /// How many keys of rows that differ are listed for each table; the others are counted
        #[arg(long, value_name = "N", default_value_t = 100)]
        max_keys: usize,
        /// How much of the time each session may work, in percent
        #[arg(long, value_name = "PERCENT", default_value_t = 100, value_parser = clap::value_parser!(u8).range(1..=100))]
        throttle: u8,
        /// Leave out the tables that a `verify` that was interrupted has found equal
        #[arg(long)]
        resume: bool,
    },
    /// Close the source to writers, drain, set the sequences, verify, and open the target; each step goes on where it stopped
    Cutover {
        #[command(flatten)]
        sides: Sides,
        /// Arm a stream back before the target is opened
        #[arg(long)]
        reverse: bool,
        /// Print the plan, and change nothing
        #[arg(long)]
        dry_run: bool,
        /// Go back to following: open the source again
        #[arg(long, conflicts_with_all = ["reverse", "dry_run"])]
        roll_back: bool,
        /// By how many calls of nextval the target's sequences stand further than the source's
        #[arg(long, value_name = "N", default_value_t = 32)]
        margin: u64,
    },
    /// Drop what run made: slot, publication, and what the target keeps
    Cleanup {
        #[command(flatten)]
        sides: Sides,
    },
}

#[derive(Debug, Args)]
#[expect(clippy::doc_markdown, reason = "the comments are the help text")]
#[expect(clippy::struct_excessive_bools, reason = "each is an option of the command line")]
pub(crate) struct RunOptions {
    /// Carry the schema, too, by pg_dump: tables before the copy, indexes and constraints behind it
    #[arg(long)]
    pub(crate) schema: bool,

    /// How many tables, or parts of tables, are copied at once
    #[arg(long, value_name = "N", default_value = "2")]
    pub(crate) jobs: NonZeroUsize,

    /// Where the dump of the schema is kept [default: a folder of the slot's name, in this one]
    #[arg(long, value_name = "DIR")]
    pub(crate) state: Option<PathBuf>,

    /// Where pg_dump and pg_restore are [default: looked for]
    #[arg(long, value_name = "DIR")]
    pub(crate) programs: Option<PathBuf>,

    /// Warn when the source keeps more than half of that many bytes of its log for the slot
    #[arg(long, value_name = "BYTES")]
    pub(crate) slot_budget: Option<u64>,

    /// Drop the slot when its budget is used up: the copy and what was followed are then lost
    #[arg(long, requires = "slot_budget")]
    pub(crate) lose_migration_beyond_budget: bool,

    /// Copy, set the sequences, drop the slot, and end
    #[arg(long, conflicts_with = "stop_at_current")]
    pub(crate) copy_only: bool,

    /// End once the target has everything up to now
    #[arg(long)]
    pub(crate) stop_at_current: bool,
}

impl Arguments {
    /// The command line; does not return if it is wrong.
    pub(crate) fn read() -> Self {
        Self::try_parse().unwrap_or_else(|error| without_secrets(error).exit())
    }

    pub(crate) fn sides(&self) -> &Sides {
        match &self.command {
            Command::Doctor { sides, .. }
            | Command::Run { sides, .. }
            | Command::Status { sides, .. }
            | Command::Sequences { sides, .. }
            | Command::Verify { sides, .. }
            | Command::Cutover { sides, .. }
            | Command::Cleanup { sides } => sides,
        }
    }
}
