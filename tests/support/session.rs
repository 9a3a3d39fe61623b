//! A session that stays: what is begun in it goes on beside others.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

use super::Cluster;
use super::psql::psql;
use super::surroundings::calm;

/// A psql that is told more and more. Dropping it ends it, and rolls back what is open.
#[derive(Debug)]
pub(crate) struct Session {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

impl Cluster {
    pub(crate) fn session(&self, database: &str) -> Session {
        let mut command = psql(&["-At"]);
        calm(&mut command).arg("-d").arg(self.conninfo(database)).args(["-f", "-"]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("psql can be run: `apt-get install postgresql-client`");
        let stdin = child.stdin.take().expect("stdin is piped");
        let stdout = BufReader::new(child.stdout.take().expect("stdout is piped"));
        Session { child, stdin, stdout }
    }
}

impl Session {
    /// Runs `sql`, and returns when it is done.
    pub(crate) fn run(&mut self, sql: &str) {
        const DONE: &str = "-- done";
        writeln!(self.stdin, "{sql};\n\\echo '{DONE}'").expect("psql listens");
        let mut line = String::new();
        while line.trim_end() != DONE {
            line.clear();
            assert!(self.stdout.read_line(&mut line).is_ok_and(|read| read > 0), "psql ended at: {sql}");
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // An error means that it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
