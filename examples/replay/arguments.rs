//! The command line.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::error::ErrorKind;
use clap::{CommandFactory as _, Parser, ValueEnum};
use walferry::sink::json::Mapping;
use walferry::sink::postgres::OnConflict;
use walferry::stream::{Origin, Streaming};
use walferry::{Lsn, SlotName};

use crate::common::log::Log;
use crate::common::secrets::{Conninfo, conninfo, without_secrets};

/// Replay PostgreSQL changes from a live server or a capture file, exactly as they were written.
///
/// Without options, the bundled capture is replayed as SQL.
#[derive(Debug, Parser)]
#[command(name = "replay", version)]
#[expect(clippy::doc_markdown, reason = "the comments are the help text")]
#[expect(clippy::struct_excessive_bools, reason = "each is an option of the command line")]
pub(crate) struct Arguments {
    /// The server to read from: a libpq URI or key=value string; PG* variables and the password file complete it
    #[arg(long, value_name = "CONNINFO", requires_all = ["slot", "publication"], conflicts_with = "from_capture", value_parser = conninfo)]
    pub(crate) source: Option<Conninfo>,

    /// The replication slot
    #[arg(long, value_name = "NAME", requires = "source")]
    pub(crate) slot: Option<SlotName>,

    /// A publication, by its exact name; may be repeated
    #[arg(long, value_name = "NAME", requires = "source")]
    pub(crate) publication: Vec<String>,

    /// A capture file to read from, instead of a server
    #[arg(long, value_name = "FILE")]
    pub(crate) from_capture: Option<PathBuf>,

    /// What to write, or where to apply the changes
    #[arg(long, value_enum, default_value_t = Destination::Sql)]
    pub(crate) to: Destination,

    /// The server to apply to, with --to postgres: a libpq URI or key=value string; PG* variables and the password file complete it, as they do the source
    #[arg(long, value_name = "CONNINFO", required_if_eq("to", "postgres"), conflicts_with = "output", value_parser = conninfo)]
    pub(crate) target: Option<Conninfo>,

    /// What becomes of a change that conflicts with what the target holds, with --to postgres: stop; skip it, so that it is lost; or quarantine it in a file
    #[arg(long, value_enum, value_name = "POLICY")]
    pub(crate) on_conflict: Option<ConflictArgument>,

    /// The file for what --on-conflict quarantine leaves out: a capture, which is added to
    #[arg(long, value_name = "FILE", required_if_eq("on_conflict", "quarantine"))]
    pub(crate) quarantine: Option<PathBuf>,

    /// Mark what is applied with this replication origin of the target, with --to postgres: a stream from there with --origin none leaves it out
    #[arg(long, value_name = "NAME")]
    pub(crate) target_origin: Option<String>,

    /// How values become JSON, with --to json: exactly as they were sent, or as numbers, arrays and objects
    #[arg(long, value_enum, value_name = "MAPPING")]
    pub(crate) json_mapping: Option<MappingArgument>,

    /// The file to write, instead of the standard output; changes from a server are added to one that is there
    #[arg(long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,

    /// Create the slot if there is none
    #[arg(long, requires = "source")]
    pub(crate) create_slot: bool,

    /// Let the created slot die with this process
    #[arg(long, requires = "create_slot")]
    pub(crate) temporary: bool,

    /// Copy what the published tables hold first, as snapshot rows, where there is no slot yet; into PostgreSQL, the migrate example is the fast way. A capture has the stream alone: not with --capture
    #[arg(long, requires = "create_slot", conflicts_with = "capture")]
    pub(crate) copy: bool,

    /// Also record what is received, to a new file
    #[arg(long, value_name = "FILE", requires = "source")]
    pub(crate) capture: Option<PathBuf>,

    /// End after the last transaction committed at or before this position
    #[arg(long, value_name = "LSN")]
    pub(crate) stop_at: Option<Lsn>,

    /// End after the last transaction committed before the command started
    #[arg(long, requires = "source", conflicts_with = "stop_at")]
    pub(crate) stop_at_current: bool,

    /// Whether the server sends large transactions before they end
    #[arg(long, value_enum, default_value_t = StreamingArgument::Off, requires = "source")]
    pub(crate) streaming: StreamingArgument,

    /// Ask for values in binary; the SQL is the same, but names of objects (regclass) and extensions' types have none
    #[arg(long, requires = "source")]
    pub(crate) binary: bool,

    /// Ask for prepared transactions when they are prepared; a slot that is created is made for it, one that is there is changed
    #[arg(long, requires = "source")]
    pub(crate) two_phase: bool,

    /// Ask for what is passed to pg_logical_emit_message
    #[arg(long, requires = "source")]
    pub(crate) messages: bool,

    /// Which changes, by where they came from
    #[arg(long, value_enum, default_value_t = OriginArgument::Any, requires = "source")]
    pub(crate) origin: OriginArgument,

    /// Write a batch after that many events
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    pub(crate) batch_rows: usize,

    /// Write a batch after that many bytes of values
    #[arg(long, value_name = "N", default_value_t = 8 << 20)]
    pub(crate) batch_bytes: usize,

    /// Let a change wait for that many milliseconds at most, until it is written and flushed
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub(crate) batch_ms: u64,

    /// Write an empty message to the source after that many seconds without a change, so that the slot of a quiet server moves
    #[arg(long, value_name = "SECONDS", requires = "source", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) heartbeat: Option<u64>,

    /// Hold back at most that much of transactions in progress in memory; more goes to temporary files
    #[arg(long, value_name = "BYTES", default_value_t = 64 << 20)]
    pub(crate) memory_limit: usize,

    /// Only this table; may be repeated; exact names, a schema with a dot in double quotes
    #[arg(long, value_name = "SCHEMA.TABLE")]
    pub(crate) only: Vec<TableName>,

    /// Not this table; may be repeated; exact names
    #[arg(long, value_name = "SCHEMA.TABLE")]
    pub(crate) except: Vec<TableName>,

    #[command(flatten)]
    pub(crate) log: Log,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Destination {
    /// A psql script, one transaction per source transaction
    Sql,
    /// JSON lines, one event a line
    Json,
    /// Another server: each transaction exactly once, from where the target itself says that it stands
    Postgres,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ConflictArgument {
    /// Stop, and apply nothing of its transaction (default)
    Stop,
    /// Leave the change out: it is lost
    Skip,
    /// Leave the change out, and write it to the file of --quarantine
    Quarantine,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum MappingArgument {
    /// Every value as the server sent it, which can be read back (default)
    Lossless,
    /// Numbers as numbers where a double holds them, json inlined, arrays and composites as such
    Friendly,
}

impl From<MappingArgument> for Mapping {
    fn from(argument: MappingArgument) -> Self {
        match argument {
            MappingArgument::Lossless => Self::Lossless,
            MappingArgument::Friendly => Self::Friendly,
        }
    }
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum StreamingArgument {
    Off,
    On,
    Parallel,
}

impl From<StreamingArgument> for Streaming {
    fn from(argument: StreamingArgument) -> Self {
        match argument {
            StreamingArgument::Off => Self::Off,
            StreamingArgument::On => Self::On,
            StreamingArgument::Parallel => Self::Parallel,
        }
    }
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum OriginArgument {
    Any,
    None,
}

impl From<OriginArgument> for Origin {
    fn from(argument: OriginArgument) -> Self {
        match argument {
            OriginArgument::Any => Self::Any,
            OriginArgument::None => Self::None,
        }
    }
}

/// A table's name: what stands before and behind the first dot, or behind a schema in double quotes.
#[derive(Debug, Clone)]
pub(crate) struct TableName {
    pub(crate) schema: String,
    pub(crate) name: String,
}

impl FromStr for TableName {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const EXPECTED: &str =
            "expected SCHEMA.TABLE, or \"SCHEMA\".TABLE for a schema with a dot in its name";
        let Some(quoted) = text.strip_prefix('"') else {
            let (schema, name) = text.split_once('.').ok_or(EXPECTED)?;
            return Ok(Self { schema: schema.to_owned(), name: name.to_owned() });
        };
        // A quote that is doubled belongs to the name, as in SQL; the first one that isn't ends it.
        let end = quoted.replace("\"\"", "\0\0").find('"').ok_or(EXPECTED)?;
        let (schema, rest) = quoted.split_at(end);
        let name = rest.strip_prefix("\".").ok_or(EXPECTED)?;
        Ok(Self { schema: schema.replace("\"\"", "\""), name: name.to_owned() })
    }
}

impl Arguments {
    /// The command line; does not return if it is wrong.
    pub(crate) fn read() -> Self {
        let arguments = Self::try_parse().unwrap_or_else(|error| without_secrets(error).exit());
        for (is_given, option, destination) in [
            (arguments.json_mapping.is_some(), "--json-mapping is for --to json", Destination::Json),
            (arguments.target.is_some(), "--target is for --to postgres", Destination::Postgres),
            (
                arguments.target_origin.is_some(),
                "--target-origin is for --to postgres",
                Destination::Postgres,
            ),
            (arguments.on_conflict.is_some(), "--on-conflict is for --to postgres", Destination::Postgres),
        ] {
            if is_given && arguments.to != destination {
                Self::command().error(ErrorKind::ArgumentConflict, option).exit();
            }
        }
        if arguments.quarantine.is_some() && arguments.on_conflict != Some(ConflictArgument::Quarantine) {
            let told = "--quarantine is for --on-conflict quarantine";
            Self::command().error(ErrorKind::ArgumentConflict, told).exit();
        }
        arguments
    }

    pub(crate) fn conflict_policy(&self) -> OnConflict {
        match (self.on_conflict, &self.quarantine) {
            (Some(ConflictArgument::Skip), _) => OnConflict::Skip,
            (Some(ConflictArgument::Quarantine), Some(path)) => OnConflict::Quarantine(path.clone()),
            _ => OnConflict::Stop,
        }
    }

    pub(crate) fn batch_delay(&self) -> Duration {
        Duration::from_millis(self.batch_ms)
    }
}
