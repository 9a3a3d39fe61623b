//! What is written to the log, and how.

use std::io::IsTerminal as _;

use clap::{ArgAction, Args, ValueEnum};
use tracing_subscriber::EnvFilter;

/// The options of the log.
#[derive(Debug, Args)]
#[expect(clippy::doc_markdown, reason = "the comments are the help text")]
pub(crate) struct Log {
    /// Say more on the standard error; RUST_LOG says it in detail
    #[arg(short, long, global = true, action = ArgAction::Count)]
    verbose: u8,

    /// How to write the log
    #[arg(long, global = true, value_enum, default_value_t = LogFormat::Text)]
    log_format: LogFormat,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum LogFormat {
    Text,
    Json,
}

impl Log {
    pub(crate) fn start(&self) {
        let default = match self.verbose {
            0 => "warn",
            1 => "info",
            2 => "debug",
            _ => "trace",
        };
        let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(default));
        let log = tracing_subscriber::fmt()
            .with_env_filter(filter)
            .with_writer(std::io::stderr)
            .with_ansi(std::io::stderr().is_terminal());
        match self.log_format {
            LogFormat::Text => log.init(),
            LogFormat::Json => log.json().init(),
        }
    }
}
