//! Who runs the servers: Postgres refuses to run as root, so a test that does hands them to a lesser account.

use std::fs;
use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

/// An unprivileged account that root runs the servers as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Account {
    uid: u32,
    gid: u32,
}

impl Account {
    /// `None` when this process may run a server itself.
    pub(crate) fn for_servers() -> Option<Self> {
        (own_uid() == Some(0)).then(|| {
            let passwd = fs::read_to_string("/etc/passwd").expect("/etc/passwd is readable");
            ["postgres", "nobody"]
                .iter()
                .find_map(|name| Self::find(&passwd, name))
                .expect("running as root needs an account named postgres or nobody for the servers")
        })
    }

    fn find(passwd: &str, name: &str) -> Option<Self> {
        let line = passwd.lines().find(|line| line.split(':').next() == Some(name))?;
        let mut numbers = line.split(':').skip(2).map(str::parse);
        Some(Self { uid: numbers.next()?.ok()?, gid: numbers.next()?.ok()? })
    }
}

/// Runs `command` as the servers' account, in a folder that account can enter.
///
/// Libpq's environment is left out: a `PGHOST` or `PGDATA` of the developer's shell must not lead a test elsewhere.
pub(crate) fn lower(command: &mut Command) -> &mut Command {
    if let Some(account) = Account::for_servers() {
        // The standard library also drops root's supplementary groups here.
        command.uid(account.uid).gid(account.gid);
    }
    forget_libpq(command).current_dir("/")
}

/// Removes libpq's variables (`PGHOST`, `PGOPTIONS`, …) from the environment that `command` will see.
pub(crate) fn forget_libpq(command: &mut Command) -> &mut Command {
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.as_encoded_bytes().starts_with(b"PG")) {
        command.env_remove(name);
    }
    command
}

/// Gives `path` to the servers' account.
pub(crate) fn give(path: &Path) {
    if let Some(account) = Account::for_servers() {
        chown(path, Some(account.uid), Some(account.gid)).expect("root may give files away");
    }
}

/// The user id of this process; `None` where there is no `/proc` (then it is taken not to be root).
pub(crate) fn own_uid() -> Option<u32> {
    fs::metadata("/proc/self").ok().map(|process| process.uid())
}
