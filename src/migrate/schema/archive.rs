//! An archive of `pg_dump`, which `pg_restore` lists and unpacks.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::Command;

use super::program::{Programs, run};
use crate::error::Error;

/// The first major whose scripts set `transaction_timeout`, which servers before don't know.
const TRANSACTION_TIMEOUT: u32 = 17;

#[derive(Debug, Clone, Copy)]
pub(super) enum Section {
    PreData,
    PostData,
}

impl Section {
    const fn flag(self) -> &'static str {
        match self {
            Self::PreData => "--section=pre-data",
            Self::PostData => "--section=post-data",
        }
    }
}

/// One entry of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Item {
    pub(super) id: u32,
    /// What it is, its schema, its name and its owner, as `pg_restore` prints them.
    pub(super) label: String,
    /// The entries that it depends on, of both halves.
    pub(super) needs: Vec<u32>,
}

/// An archive, and what its scripts are made with.
#[derive(Debug)]
pub(super) struct Archive {
    programs: Programs,
    path: PathBuf,
    flags: Vec<&'static str>,
    target: u32,
}

impl Archive {
    pub(super) const fn new(
        programs: Programs,
        path: PathBuf,
        flags: Vec<&'static str>,
        target: u32,
    ) -> Self {
        Self { programs, path, flags, target }
    }

    /// What is in a half, in an order in which it can be made.
    pub(super) async fn items(&self, section: Section) -> Result<Vec<Item>, Error> {
        let mut command = self.restore();
        command.args(["--list", section.flag()]);
        let chosen: BTreeSet<u32> =
            items(&utf8(self.run(command).await?)?)?.iter().map(|item| item.id).collect();
        // What depends on what is told only of all.
        let mut command = self.restore();
        command.args(["--list", "--verbose"]);
        let mut items = items(&utf8(self.run(command).await?)?)?;
        items.retain(|item| chosen.contains(&item.id));
        Ok(items)
    }

    /// The statements of a half.
    pub(super) async fn section(&self, section: Section) -> Result<String, Error> {
        let mut command = self.restore();
        command.arg(section.flag());
        self.script(command).await
    }

    /// The statements of one entry.
    pub(super) async fn item(&self, item: &Item) -> Result<String, Error> {
        let failed = |source| Error::Io { during: "writing a list for pg_restore".to_owned(), source };
        let mut list = tempfile::NamedTempFile::new().map_err(failed)?;
        writeln!(list, "{};", item.id).map_err(failed)?;
        let mut command = self.restore();
        command.arg("--use-list").arg(list.path());
        self.script(command).await
    }

    async fn script(&self, mut command: Command) -> Result<String, Error> {
        command.arg("--file=-");
        let script = utf8(self.run(command).await?)?;
        let knows_it = self.target >= TRANSACTION_TIMEOUT || self.programs.major() < TRANSACTION_TIMEOUT;
        Ok(statements(&script, knows_it))
    }

    fn restore(&self) -> Command {
        let mut command = self.programs.restore();
        command.args(&self.flags);
        command
    }

    async fn run(&self, mut command: Command) -> Result<Vec<u8>, Error> {
        command.arg(&self.path);
        run(command, "pg_restore").await
    }
}

fn utf8(bytes: Vec<u8>) -> Result<String, Error> {
    String::from_utf8(bytes).map_err(|_| Error::Precondition {
        problem: "the source's schema holds bytes that are not UTF-8, as a database in SQL_ASCII may"
            .to_owned(),
        mend: "rename what is not UTF-8 at the source, or carry the schema by hand".to_owned(),
    })
}

/// Reads what `pg_restore --list --verbose` prints: `ID; OID OID LABEL`, and below it, after a tab, `depends on: ID ID`.
fn items(list: &str) -> Result<Vec<Item>, Error> {
    let mut items: Vec<Item> = Vec::new();
    for line in list.lines().filter(|line| !line.is_empty()) {
        if let Some(needs) = line.strip_prefix(";\tdepends on:") {
            let needs = needs.split_whitespace().map(|id| id.parse().map_err(|_| unknown_line()));
            let item = items.last_mut().ok_or_else(unknown_line)?;
            item.needs = needs.collect::<Result<_, _>>()?;
        } else if !line.starts_with(';') {
            items.push(item(line).ok_or_else(unknown_line)?);
        }
    }
    Ok(items)
}

fn item(line: &str) -> Option<Item> {
    let (id, rest) = line.split_once("; ")?;
    let label = rest.splitn(3, ' ').nth(2)?.trim_end().to_owned();
    Some(Item { id: id.parse().ok()?, label, needs: Vec::new() })
}

fn unknown_line() -> Error {
    Error::Protocol("pg_restore --list printed a line that is no entry of an archive".to_owned())
}

/// A script without what is psql's alone: `\restrict` at its head, and `\unrestrict` with the same word, which nobody can
/// guess, at its end. Without the head's remarks on versions, too, so that the same definition gives the same text.
fn statements(script: &str, knows_transaction_timeout: bool) -> String {
    const RESTRICT: &str = "\\restrict ";
    let is_head =
        |line: &&str| line.trim().is_empty() || line.starts_with("--") || line.starts_with(RESTRICT);
    let head = script.split_inclusive('\n').take_while(is_head).map(str::len).sum();
    let (head, body) = script.split_at(head);
    let mut body = body.to_owned();
    if let Some(word) = head.lines().find_map(|line| line.strip_prefix(RESTRICT)) {
        body = body.replace(&format!("\n\\unrestrict {word}\n"), "\n");
    }
    if !knows_transaction_timeout {
        // The first is the script's own: nothing of the source stands before it.
        body = body.replacen("SET transaction_timeout = 0;\n", "", 1);
    }
    body
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_read_with_what_they_depend_on() {
        let list = ";\n; Archive created at 2026-11-23 06:02:12 UTC\n;\n\
            2451; 2606 16395 CONSTRAINT public t t_pkey postgres\n;\tdepends on: 221\n\
            2447; 1259 16415 INDEX public i x postgres\n\
            2462; 2606 16405 FK CONSTRAINT public u u_t_fkey \n;\tdepends on: 2451 221 223\n";
        let item =
            |id, label: &str, needs: &[u32]| Item { id, label: label.to_owned(), needs: needs.to_vec() };
        let expected = [
            item(2451, "CONSTRAINT public t t_pkey postgres", &[221]),
            item(2447, "INDEX public i x postgres", &[]),
            item(2462, "FK CONSTRAINT public u u_t_fkey", &[2451, 221, 223]),
        ];
        assert_eq!(items(list).unwrap(), expected);
        assert!(items("what is this\n").is_err());
        assert!(items(";\tdepends on: 1\n").is_err());
    }

    #[test]
    fn a_script_loses_what_is_psql_s_and_nothing_else() {
        let script = "--\n-- PostgreSQL database dump\n--\n\n\\restrict abc\n\n-- Dumped from database version 18.6\n\n\
            SET statement_timeout = 0;\nSET transaction_timeout = 0;\n\n\
            COMMENT ON TABLE t IS 'a\n\\restrict abc\n\\unrestrict abcd\nSET transaction_timeout = 0;\n-- b';\n\n\
            --\n-- PostgreSQL database dump complete\n--\n\n\\unrestrict abc\n\n";
        let body = "SET statement_timeout = 0;\nSET transaction_timeout = 0;\n\n\
            COMMENT ON TABLE t IS 'a\n\\restrict abc\n\\unrestrict abcd\nSET transaction_timeout = 0;\n-- b';\n\n\
            --\n-- PostgreSQL database dump complete\n--\n\n\n";
        assert_eq!(statements(script, true), body);
        assert_eq!(statements(script, false), body.replacen("SET transaction_timeout = 0;\n", "", 1));
    }
}
