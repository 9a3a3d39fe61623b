//! SQL on a cluster, by the `psql` program: a second opinion that shares no code with the library under test.

use std::io::Write;
use std::process::{Command, Stdio};
use std::thread;

use super::Cluster;
use super::account::forget_libpq;
use super::servers::psql_program;
use super::sql;
use super::surroundings::calm;

impl Cluster {
    /// Runs `sql` and returns what it prints: values unaligned, columns separated by `|`, rows by line feeds.
    ///
    /// Each statement is its own transaction, as if typed.
    pub(crate) fn psql(&self, database: &str, sql: &str) -> String {
        self.try_psql(database, sql).unwrap_or_else(|error| panic!("psql failed: {error}\nof: {sql}"))
    }

    /// As [`Cluster::psql`], with what the server objects as the error.
    pub(crate) fn try_psql(&self, database: &str, sql: &str) -> Result<String, String> {
        self.run(database, calm(&mut psql(&["-At"])), sql.as_bytes())
    }

    /// Runs a psql script, stopping at its first error.
    pub(crate) fn psql_file(&self, database: &str, script: &[u8]) -> Result<String, String> {
        self.run(database, calm(&mut psql(&[])), script)
    }

    /// The same for what the library has written: in hostile surroundings, it must see to its settings itself.
    pub(crate) fn play(&self, database: &str, script: &[u8]) -> Result<String, String> {
        self.run(database, &mut psql(&[]), script)
    }

    /// Makes a database; any name will do.
    pub(crate) fn create_database(&self, name: &str) {
        self.psql("postgres", &format!("CREATE DATABASE {}", sql::database(name)));
    }

    /// Databases take some megabytes each: hundreds of them, made up for as many seeds, fill a disk.
    pub(crate) fn drop_database(&self, name: &str) {
        self.psql("postgres", &format!("DROP DATABASE {} WITH (FORCE)", sql::database(name)));
    }

    /// Where the next WAL record goes, like `0/1949850`.
    pub(crate) fn wal_position(&self) -> String {
        self.psql("postgres", "SELECT pg_current_wal_insert_lsn()")
    }

    /// The pids of the server processes of a type, as `pg_stat_activity.backend_type` names it: `walsender`, …
    pub(crate) fn backend_pids(&self, backend_type: &str) -> Vec<u32> {
        let literal = backend_type.replace('\'', "''");
        let sql = format!("SELECT pid FROM pg_stat_activity WHERE backend_type = '{literal}' ORDER BY pid");
        self.psql("postgres", &sql).lines().map(|pid| pid.parse().expect("a pid is a number")).collect()
    }

    /// Ends every walsender as an administrator would, waits until they are gone, and says how many there were.
    pub(crate) fn terminate_walsenders(&self) -> usize {
        let sql =
            "SELECT pg_terminate_backend(pid, 30000) FROM pg_stat_activity WHERE backend_type = 'walsender'";
        let answers = self.psql("postgres", sql);
        assert!(answers.lines().all(|gone| gone == "t"), "a walsender didn't end in 30 s");
        answers.lines().count()
    }

    fn run(&self, database: &str, command: &mut Command, script: &[u8]) -> Result<String, String> {
        command.arg("-d").arg(self.conninfo(database)).args(["-f", "-"]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("psql can be run: `apt-get install postgresql-client`");
        let mut stdin = child.stdin.take().expect("stdin is piped");
        // Beside the reading: a script and its output may both be larger than a pipe.
        let output = thread::scope(|scope| {
            // A script that stops early doesn't read its rest; the exit status tells.
            scope.spawn(move || drop(stdin.write_all(script)));
            child.wait_with_output().expect("psql can be waited for")
        });
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).trim().to_owned());
        }
        let text = String::from_utf8(output.stdout).expect("psql prints UTF-8");
        Ok(text.trim_end_matches('\n').to_owned())
    }
}

/// With what every use of it has in common.
pub(super) fn psql(flags: &[&str]) -> Command {
    let mut command = Command::new(psql_program());
    forget_libpq(&mut command).args(["-X", "-q", "-v", "ON_ERROR_STOP=1"]).args(flags);
    command
}
