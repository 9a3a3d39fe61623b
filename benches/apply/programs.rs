//! The programs that are measured.

use std::path::PathBuf;
use std::process::Command;

use crate::options::{Options, Way};
use crate::program::built;
use crate::support;

pub(crate) struct Programs {
    replay: PathBuf,
    recvlogical: PathBuf,
}

impl Programs {
    /// Finds or builds what the chosen ways need.
    pub(crate) fn find(options: &Options) -> Self {
        let ours = options.ways.iter().any(|way| way.replays());
        let replay =
            options.replay.clone().unwrap_or_else(|| if ours { built("replay") } else { PathBuf::new() });
        let ceiling = options.ways.contains(&Way::Ceiling) && !options.latency;
        let recvlogical = if ceiling { recvlogical(options.server) } else { PathBuf::new() };
        Self { replay, recvlogical }
    }

    pub(crate) fn replay(&self) -> Command {
        let mut command = Command::new(&self.replay);
        command.env_clear().env("HOME", "/nonexistent");
        command
    }

    pub(crate) fn recvlogical(&self) -> Command {
        let mut command = Command::new(&self.recvlogical);
        command.env_clear();
        command
    }

    pub(crate) fn names(&self) -> String {
        format!("replay: {}; ceiling: {}", self.replay.display(), self.recvlogical.display())
    }
}

/// Beside the server, or else of the newest server that has it.
fn recvlogical(major: u32) -> PathBuf {
    let mut servers = support::servers();
    servers.sort_by_key(|server| server.major == major);
    let programs = servers.iter().rev().map(|server| server.bin.join("pg_recvlogical"));
    programs.into_iter().find(|program| program.exists()).expect(
        "pg_recvlogical is beside a server: `apt-get install postgresql`, or leave it out: `--ways ours,native`",
    )
}
