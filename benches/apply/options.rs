//! The command line.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};

/// Drain a backlog into another PostgreSQL: by replay, by the server's own subscription, by pg_recvlogical.
#[derive(Debug, Parser)]
#[command(name = "apply")]
#[expect(
    clippy::doc_markdown,
    clippy::struct_excessive_bools,
    reason = "a command line: the comments are the help text"
)]
pub(crate) struct Options {
    /// Rows of the narrow shapes; the others scale with it. With few, much of what is measured is how either side starts
    #[arg(long, value_name = "N", default_value_t = 1_000_000, value_parser = clap::value_parser!(u32).range(1000..=10_000_000))]
    pub(crate) rows: u32,

    /// Only these shapes, by name
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub(crate) shapes: Vec<String>,

    /// How often each shape is drained by each
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=30))]
    pub(crate) pairs: u32,

    /// The major version of both servers
    #[arg(long, value_name = "MAJOR", default_value_t = 15)]
    pub(crate) server: u32,

    /// Ask for values in binary, all three
    #[arg(long)]
    pub(crate) binary: bool,

    /// Reach the source over TCP, where the kernel joins what the server sends; a Unix socket keeps every change apart
    #[arg(long)]
    pub(crate) tcp: bool,

    /// Only these ways
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = Way::APPLYING)]
    pub(crate) ways: Vec<Way>,

    /// Also write every single drain to this file
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,

    /// Measure latency under light load instead: the time from a commit's acknowledgement to its being visible
    #[arg(long)]
    pub(crate) latency: bool,

    /// How long each measurement of latency takes
    #[arg(long, value_name = "N", default_value_t = 10, requires = "latency")]
    pub(crate) seconds: u32,

    /// The replay program, instead of this crate's, which is built
    #[arg(long, value_name = "FILE")]
    pub(crate) replay: Option<PathBuf>,

    /// A further option of replay, such as --replay-option=--batch-ms=5; may be repeated
    #[arg(long, value_name = "OPTION", allow_hyphen_values = true)]
    pub(crate) replay_option: Vec<String>,

    /// Drain as a process of its own that streams, and does no more: conninfo, slot, end, whether transactions are streamed
    #[arg(long, hide = true, num_args = 4)]
    pub(crate) only_stream: Vec<String>,

    /// Cargo says so
    #[arg(long, hide = true)]
    bench: bool,
}

/// Who drains.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Way {
    /// `replay --to postgres`
    Ours,
    /// The server's own subscription
    Native,
    /// `pg_recvlogical` into `/dev/null`
    Ceiling,
    /// Every event of a `ReplicationStream` taken and dropped, every transaction acknowledged
    Stream,
    /// `replay --to sql` into `/dev/null`
    Sql,
    /// `replay --to json` into `/dev/null`
    Json,
}

impl Way {
    const APPLYING: [Self; 3] = [Self::Ours, Self::Native, Self::Ceiling];

    /// Whether what it drains ends up in the target.
    pub(crate) fn applies(self) -> bool {
        matches!(self, Self::Ours | Self::Native)
    }

    /// Whether it is the replay program.
    pub(crate) fn replays(self) -> bool {
        matches!(self, Self::Ours | Self::Sql | Self::Json)
    }

    /// The slot that this one drains in that round.
    pub(crate) fn slot(self, round: u32) -> String {
        format!("{self:?}_{round}").to_lowercase()
    }
}

impl Options {
    /// The command line; does not return if it is wrong.
    pub(crate) fn read() -> Self {
        Self::parse()
    }
}
