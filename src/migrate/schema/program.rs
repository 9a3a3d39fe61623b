//! Which `pg_dump` and `pg_restore`, and how they are run.

use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};

use crate::error::Error;

/// The programs of one folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Programs {
    folder: PathBuf,
    major: u32,
}

impl Programs {
    /// Those that fit both servers best, of the folder that is named, or of all where they usually are.
    pub(super) async fn find(folder: Option<&Path>, source: u32, target: u32) -> Result<Self, Error> {
        let folders = folder.map_or_else(usual_folders, |folder| vec![folder.to_owned()]);
        let mut found: Vec<Self> = Vec::new();
        for folder in folders {
            if !has_both(&folder) || found.iter().any(|known| known.folder == folder) {
                continue;
            }
            let output = run(command(&folder, "pg_dump", &["--version"]), "pg_dump --version").await?;
            found.extend(major(&output).map(|major| Self { folder, major }));
        }
        fitting(&found, source, target).cloned().ok_or_else(|| none_fits(&found, folder, source, target))
    }

    pub(super) const fn major(&self) -> u32 {
        self.major
    }

    pub(super) fn dump(&self) -> Command {
        command(&self.folder, "pg_dump", &[])
    }

    pub(super) fn restore(&self) -> Command {
        command(&self.folder, "pg_restore", &[])
    }
}

fn usual_folders() -> Vec<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders = std::env::split_paths(&path).collect::<Vec<_>>();
    let packaged = [("/usr/lib/postgresql", ""), ("/usr", "pgsql-")];
    for (parent, prefix) in packaged {
        let entries = std::fs::read_dir(parent).into_iter().flatten().flatten();
        let versions =
            entries.filter(|entry| entry.file_name().as_encoded_bytes().starts_with(prefix.as_bytes()));
        folders.extend(versions.map(|entry| entry.path().join("bin")));
    }
    folders
}

/// Debian's wrapper is left aside: it chooses among the programs by rules of its own.
fn has_both(folder: &Path) -> bool {
    ["pg_dump", "pg_restore"].into_iter().all(|name| {
        let program = folder.join(name).canonicalize();
        program.is_ok_and(|program| program.is_file() && !program.ends_with("pg_wrapper"))
    })
}

/// `pg_dump (PostgreSQL) 15.18 (Debian …)` → 15
fn major(output: &[u8]) -> Option<u32> {
    let word = std::str::from_utf8(output).ok()?.split_whitespace().nth(2)?;
    word.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

/// The closest that is as new as both; else the newest that can read the source.
fn fitting(found: &[Programs], source: u32, target: u32) -> Option<&Programs> {
    let as_new_as = |least: u32| found.iter().filter(move |programs| programs.major >= least);
    as_new_as(source.max(target))
        .min_by_key(|programs| programs.major)
        .or_else(|| as_new_as(source).max_by_key(|programs| programs.major))
}

fn none_fits(found: &[Programs], folder: Option<&Path>, source: u32, target: u32) -> Error {
    let seen = found.iter().map(|programs| format!("{} in {}", programs.major, programs.folder.display()));
    let seen = match (seen.collect::<Vec<_>>().as_slice(), folder) {
        ([], Some(folder)) => format!("there are none in {}", folder.display()),
        ([], None) => "there are none".to_owned(),
        (seen, _) => format!("there is {}", seen.join(", ")),
    };
    let newest = source.max(target);
    Error::Precondition {
        problem: format!("the schema needs pg_dump and pg_restore of PostgreSQL {source} or later; {seen}"),
        mend: format!(
            "install those of {newest} (Debian: apt-get install postgresql-client-{newest}, of apt.postgresql.org where Debian has \
             none; Red Hat: dnf install postgresql{newest}; macOS: brew install libpq), or name their folder"
        ),
    }
}

/// What the shell that started us has in variables for libpq must not lead elsewhere.
fn command(folder: &Path, program: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(folder.join(program));
    command.args(arguments).env("LC_ALL", "C");
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.as_encoded_bytes().starts_with(b"PG")) {
        command.env_remove(name);
    }
    command
}

/// Runs a program to its end, and returns what it prints. It ends with the future, too.
pub(super) async fn run(mut command: Command, name: &str) -> Result<Vec<u8>, Error> {
    let failed = |source| Error::Io { during: format!("running {name}"), source };
    let mut errors = tempfile::tempfile().map_err(failed)?;
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    let (stdout, running) = errors
        .try_clone()
        .and_then(|stderr| command.stderr(stderr).spawn())
        .map(Running::new)
        .map_err(failed)?;
    let child = Arc::clone(&running.0);
    let ended = tokio::task::spawn_blocking(move || {
        let mut output = Vec::new();
        if let Some(mut stdout) = stdout {
            stdout.read_to_end(&mut output)?;
        }
        let status = child.lock().unwrap_or_else(PoisonError::into_inner).wait()?;
        Ok::<_, io::Error>((status, output))
    });
    let (status, output) = ended.await.map_err(io::Error::other).and_then(|ended| ended).map_err(failed)?;
    drop(running);
    if status.success() {
        return Ok(output);
    }
    let problem = format!("{name} failed, {status}: {}", complaint(&mut errors).map_err(failed)?);
    Err(Error::Precondition { problem, mend: "mend what it complains of, and do it again".to_owned() })
}

/// A process that is stopped when nobody waits for it any more.
struct Running(Arc<Mutex<Child>>);

impl Running {
    fn new(mut child: Child) -> (Option<std::process::ChildStdout>, Self) {
        (child.stdout.take(), Self(Arc::new(Mutex::new(child))))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Of one that has ended, this does nothing.
        let _ = self.0.lock().unwrap_or_else(PoisonError::into_inner).kill();
    }
}

/// What a program says of its failure, on one line, without what may quote a row.
fn complaint(errors: &mut std::fs::File) -> io::Result<String> {
    const ENOUGH: u64 = 4096;
    let mut said = Vec::new();
    errors.seek(SeekFrom::Start(0))?;
    errors.take(ENOUGH).read_to_end(&mut said)?;
    let said = String::from_utf8_lossy(&said);
    let lines = said.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("DETAIL:"));
    Ok(lines.collect::<Vec<_>>().join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn programs(majors: &[u32]) -> Vec<Programs> {
        let folder = |major: &u32| PathBuf::from(format!("/{major}"));
        majors.iter().map(|major| Programs { folder: folder(major), major: *major }).collect()
    }

    #[test]
    fn the_closest_that_is_as_new_as_both_servers_is_taken() {
        let chosen = |majors: &[u32], source, target| {
            fitting(&programs(majors), source, target).map(|programs| programs.major)
        };
        assert_eq!(chosen(&[18, 14, 16, 17], 14, 16), Some(16));
        assert_eq!(chosen(&[14, 18], 14, 16), Some(18));
        assert_eq!(chosen(&[14, 15], 14, 16), Some(15), "the newest that reads the source");
        assert_eq!(chosen(&[18, 14], 16, 14), Some(18));
        assert_eq!(chosen(&[14, 15], 16, 14), None);
        assert_eq!(chosen(&[], 14, 14), None);
    }

    #[test]
    fn what_is_missing_is_told_with_what_there_is_and_how_to_install_it() {
        let error = none_fits(&programs(&[14, 15]), None, 16, 18);
        assert_eq!(
            error.to_string(),
            "the schema needs pg_dump and pg_restore of PostgreSQL 16 or later; there is 14 in /14, 15 in /15"
        );
        assert!(error.hint().unwrap_or_default().contains("postgresql-client-18"));
        let error = none_fits(&[], Some(Path::new("/opt")), 16, 16).to_string();
        assert!(error.ends_with("there are none in /opt"), "{error}");
    }

    #[test]
    fn the_version_is_read_from_what_pg_dump_prints() {
        assert_eq!(major(b"pg_dump (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n"), Some(15));
        assert_eq!(major(b"pg_dump (PostgreSQL) 19devel\n"), Some(19));
        assert_eq!(major(b"pg_dump"), None);
    }
}
