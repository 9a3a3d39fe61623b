//! Which servers this machine has.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use super::account::{self, lower};
use super::{Cluster, ClusterOptions};

const DEBIAN: &str = "/usr/lib/postgresql";
const HOW_TO_INSTALL: &str =
    "run `.ci/servers`, which installs every supported major, or `apt-get install postgresql`";

/// One installed PostgreSQL: the programs of one major version.
#[derive(Clone, Debug)]
pub(crate) struct Server {
    pub(crate) major: u32,
    pub(crate) minor: u32,
    pub(crate) bin: PathBuf,
    /// What `postgres --version` prints.
    pub(crate) version: String,
}

/// Every major that is installed, oldest first; of each the newest minor, and Debian's build of equal ones.
pub(crate) fn servers() -> Vec<Server> {
    static FOUND: OnceLock<Vec<Server>> = OnceLock::new();
    FOUND.get_or_init(find).clone()
}

/// The server of this major.
pub(crate) fn server(major: u32) -> Server {
    servers()
        .into_iter()
        .find(|server| server.major == major)
        .unwrap_or_else(|| panic!("PostgreSQL {major} isn't installed: {HOW_TO_INSTALL}"))
}

/// The server of the highest major installed.
pub(crate) fn newest() -> Server {
    servers().pop().expect("servers() is never empty")
}

/// The server of the lowest major installed.
pub(crate) fn oldest() -> Server {
    servers().swap_remove(0)
}

impl Server {
    /// A running cluster with the default settings.
    pub(crate) fn start(&self) -> Cluster {
        self.options().start()
    }

    /// A running cluster with these settings on top of the default ones.
    pub(crate) fn start_with(&self, settings: &[(&str, &str)]) -> Cluster {
        settings.iter().fold(self.options(), |options, (name, value)| options.setting(name, value)).start()
    }

    /// For a cluster that needs more: TCP, `pg_hba.conf`, files, an identity of its own.
    pub(crate) fn options(&self) -> ClusterOptions {
        ClusterOptions::new(self.clone())
    }

    /// The server that `bin` holds, if it holds one that the servers' account may run.
    fn in_folder(bin: PathBuf) -> Option<Self> {
        if !bin.join("initdb").exists() {
            return None;
        }
        let output = lower(Command::new(bin.join("postgres")).arg("--version")).output().ok()?;
        let version = String::from_utf8(output.stdout).ok()?.trim().to_owned();
        let (major, minor) = numbers(&version)?;
        Some(Self { major, minor, bin, version })
    }
}

fn find() -> Vec<Server> {
    let mut candidates: Vec<Server> = folders().into_iter().filter_map(Server::in_folder).collect();
    // Stable: of equal minors the earlier folder stays first, and Debian's are the first.
    candidates.sort_by_key(|server| (server.major, Reverse(server.minor)));
    candidates.dedup_by_key(|server| server.major);
    assert!(!candidates.is_empty(), "no PostgreSQL server found: {HOW_TO_INSTALL}");
    require(&candidates);
    candidates
}

/// CI names the majors it wants: a test that silently runs on fewer servers proves less than it says.
fn require(found: &[Server]) {
    for major in env::var("WALFERRY_REQUIRE_MAJORS").unwrap_or_default().split_whitespace() {
        let wanted: u32 = major.parse().expect("WALFERRY_REQUIRE_MAJORS is a list like \"14 15 16\"");
        assert!(
            found.iter().any(|server| server.major == wanted),
            "WALFERRY_REQUIRE_MAJORS asks for PostgreSQL {wanted}, which isn't installed: run `.ci/servers`"
        );
    }
}

fn folders() -> Vec<PathBuf> {
    let mut folders = bins_below(Path::new(DEBIAN));
    for root in own_installations() {
        folders.extend(bins_below(&root));
    }
    folders.extend(path_installation());
    folders
}

/// Where `.ci/servers` puts them.
fn own_installations() -> Vec<PathBuf> {
    if let Some(root) = env::var_os("WALFERRY_SERVERS") {
        // Absolute, because the servers don't run in our folder.
        return vec![fs::canonicalize(&root).unwrap_or_else(|_| root.into())];
    }
    let mut roots = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("target/servers")];
    // The script's second choice, for a checkout that the servers' account can't enter. Anyone may make a folder of
    // that name in /var/tmp: programs are run only from one of our own.
    if let Some(uid) = account::own_uid() {
        let elsewhere = PathBuf::from(format!("/var/tmp/walferry-servers-{uid}"));
        roots.extend(fs::metadata(&elsewhere).is_ok_and(|folder| folder.uid() == uid).then_some(elsewhere));
    }
    roots
}

fn path_installation() -> Option<PathBuf> {
    let output = Command::new("pg_config").arg("--bindir").output().ok()?;
    let bin = String::from_utf8(output.stdout).ok()?;
    Some(PathBuf::from(bin.trim()))
}

/// `root/*/bin`, in the order of their names.
fn bins_below(root: &Path) -> Vec<PathBuf> {
    let mut bins: Vec<PathBuf> =
        fs::read_dir(root).into_iter().flatten().flatten().map(|entry| entry.path().join("bin")).collect();
    bins.sort();
    bins
}

/// The folder of the newest `pg_dump` that is installed, and its major: of a server's package, or `.ci/servers`' own.
pub(crate) fn newest_pg_dump() -> (u32, PathBuf) {
    let version = |bin: &PathBuf| {
        let output = Command::new(bin.join("pg_dump")).arg("--version").output().ok()?;
        Some(numbers(&String::from_utf8(output.stdout).ok()?)?.0)
    };
    let found = folders().into_iter().filter_map(|bin| Some((version(&bin)?, bin))).max();
    let (major, bin) = found.unwrap_or_else(|| panic!("no pg_dump found: {HOW_TO_INSTALL}"));
    let required = env::var("WALFERRY_REQUIRE_MAJORS").is_ok_and(|majors| !majors.is_empty());
    assert!(!required || major >= newest().major, "pg_dump {major} is too old: run `.ci/servers`");
    (major, bin)
}

/// `postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)` → 15 and 18; `19devel` → 19 and 0.
fn numbers(version: &str) -> Option<(u32, u32)> {
    let word = version.split_whitespace().nth(2)?;
    let mut numbers = word.split(|c: char| !c.is_ascii_digit()).map(|digits| digits.parse().unwrap_or(0));
    let major = numbers.next().filter(|major| *major > 0)?;
    Some((major, numbers.next().unwrap_or(0)))
}

/// The `psql` to use: of the newest server that has one (Debian's /usr/bin/psql is a slow wrapper), else of `PATH`.
pub(crate) fn psql_program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let beside =
            servers().into_iter().rev().map(|server| server.bin.join("psql")).find(|psql| psql.exists());
        beside.unwrap_or_else(|| PathBuf::from("psql"))
    })
}
