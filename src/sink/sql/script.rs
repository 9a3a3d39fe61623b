//! Events to script text.

use std::collections::HashMap;
use std::io::{self, Write as _};
use std::sync::Arc;

use super::SqlError;
use super::statement::{self, Statement};
use super::text::in_text;
use crate::catalog::Catalog;
use crate::event::{Change, Event, RollbackPrepared};
use crate::pgoutput::{LogicalMessage, Relation};
use crate::{Lsn, RelationId, Row, quote};

/// Writes events as a psql script: the text alone, without the output that [`SqlSink`](super::SqlSink) adds.
///
/// ```
/// use walferry::assemble::Assembler;
/// use walferry::catalog::Catalog;
/// use walferry::pgoutput::{Begin, Message};
/// use walferry::sink::sql::Script;
/// use walferry::{Lsn, Timestamp, Xid};
///
/// let begin = Begin { commit_lsn: Lsn::new(16), commit_time: Timestamp::from_micros(0), xid: Xid::new(7) };
/// let commit = walferry::pgoutput::Commit {
///     commit_lsn: Lsn::new(16),
///     end_lsn: Lsn::new(32),
///     commit_time: Timestamp::from_micros(0),
/// };
/// let mut assembler = Assembler::new();
/// assembler.push(Message::Begin(begin))?;
/// assembler.push(Message::Commit(commit))?;
///
/// let (mut script, mut sql) = (Script::new(Catalog::default()), Vec::new());
/// while let Some(event) = assembler.poll()? {
///     script.event(&mut sql, &event)?;
/// }
/// assert!(sql.ends_with(b"\nBEGIN; SET CONSTRAINTS ALL DEFERRED; -- xid 7, commit 0/10, 2000-01-01 00:00:00+00\nCOMMIT; -- 0/20\n"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Script {
    catalog: Catalog,
    has_preamble: bool,
    /// The tables of which the target was asked already what they are.
    asked: HashMap<RelationId, Arc<Relation>>,
    /// Those among them for which the open transaction has asked: if that is taken back, whoever comes next asks again.
    asked_last: Vec<RelationId>,
}

/// Runs before the first change. psql reads its own commands (`\set`) and sends the rest. To it, of numbers only 1 is true: so it
/// counts rows without asking the server.
///
/// The settings are those under which the source printed its values.
const PREAMBLE: &str = r"-- PostgreSQL changes, for psql 11 or later
\set ON_ERROR_STOP on
\encoding UTF8
SET client_min_messages = error;
ROLLBACK; -- what an interrupted script before this one may have left open
RESET client_min_messages;
\set walferry_one_row '\\if :ROW_COUNT \\\\ \\else \\\\ SELECT (''expected to change one row, changed '' || :ROW_COUNT)::int AS row \\gset walferry_ \\\\ \\endif'
SET DateStyle = 'ISO';
SET IntervalStyle = 'postgres';
SET TimeZone = 'UTC';
SET extra_float_digits = 1;
SET bytea_output = 'hex';
SET lc_monetary = 'C';
SET quote_all_identifiers = off;
SET xmloption = 'content';
SET array_nulls = on;
SELECT set_config('search_path', 'pg_catalog, ' || current_setting('search_path'), false) AS path \gset walferry_
DO $$ BEGIN
  PERFORM set_config('session_replication_role', 'replica', false);
EXCEPTION WHEN insufficient_privilege THEN
  RAISE WARNING 'triggers, rules and foreign keys of the target act on what arrives, for session_replication_role can''t be set'
    USING HINT = 'Apply as a superuser, or from PostgreSQL 15 on GRANT SET ON PARAMETER session_replication_role.';
END $$;

";

impl Script {
    /// A script that has not begun, with what is known of the source's tables.
    pub fn new(catalog: Catalog) -> Self {
        Self { catalog, has_preamble: false, asked: HashMap::new(), asked_last: Vec::new() }
    }

    /// Writes an event behind what was written before.
    ///
    /// # Errors
    ///
    /// A change that has no SQL: see [`SqlError`]. Nothing of the change is written then.
    pub fn event(&mut self, out: &mut Vec<u8>, event: &Event) -> Result<(), SqlError> {
        if !self.has_preamble {
            out.extend_from_slice(PREAMBLE.as_bytes());
            self.has_preamble = true;
        }
        let before = out.len();
        let written = self.write(out, event);
        if written.is_err() {
            out.truncate(before);
            // What was asked may be among what is not written.
            self.asked.clear();
        }
        written
    }

    /// Ends a transaction whose end won't come: it begins again behind this, or never.
    pub fn rollback(&mut self, out: &mut Vec<u8>) {
        for id in self.asked_last.drain(..) {
            self.asked.remove(&id);
        }
        out.extend_from_slice(b"ROLLBACK; -- the connection was lost\n");
    }

    fn write(&mut self, out: &mut Vec<u8>, event: &Event) -> Result<(), SqlError> {
        match event {
            Event::Begin(begin) => {
                self.asked_last.clear();
                // What the source checked at the end of a statement that changed many rows, or at the end of the
                // transaction, can't be checked between the statements here.
                writeln!(
                    out,
                    "BEGIN; SET CONSTRAINTS ALL DEFERRED; -- xid {}, commit {}, {}",
                    begin.xid, begin.commit_lsn, begin.commit_time
                )?;
            }
            Event::Commit(commit) => writeln!(out, "COMMIT; -- {}", commit.end_lsn())?,
            Event::Prepare(prepare) => {
                prepared(out, "PREPARE TRANSACTION", prepare.gid(), prepare.end_lsn())?;
            }
            Event::CommitPrepared(commit) => {
                prepared(out, "COMMIT PREPARED", commit.gid(), commit.end_lsn())?;
            }
            Event::RollbackPrepared(rollback) => rollback_prepared(out, rollback)?,
            Event::Message(message) => emit_message(out, message)?,
            Event::Change(change) => self.change(out, change)?,
        }
        Ok(())
    }

    fn statement<'a>(&'a self, row: &'a Row) -> Statement<'a> {
        Statement::new(row, self.catalog.table(row.relation().id))
    }

    /// Lets the target say, once, whether ONLY can be said of a table: of a partitioned one it can't, whatever the source's
    /// is. And whether it takes changes. What was known of the source's tables when the stream began doesn't do: some inherit only since then.
    fn ask(&mut self, out: &mut Vec<u8>, relation: &Arc<Relation>) -> io::Result<()> {
        let is_asked = |known: &Arc<Relation>| {
            Arc::ptr_eq(known, relation) || (&known.schema, &known.name) == (&relation.schema, &relation.name)
        };
        if self.asked.get(&relation.id).is_some_and(is_asked) {
            return Ok(());
        }
        self.asked.insert(relation.id, Arc::clone(relation));
        self.asked_last.push(relation.id);
        statement::ask(out, relation)
    }

    fn change(&mut self, out: &mut Vec<u8>, change: &Change) -> Result<(), SqlError> {
        match change {
            Change::Truncate { relations, .. } => {
                relations.iter().try_for_each(|relation| self.ask(out, relation))?;
            }
            change => change.rows().try_for_each(|row| self.ask(out, row.relation()))?,
        }
        match in_text(change)?.as_ref() {
            Change::Snapshot { row } | Change::Insert { new: row } => self.statement(row).insert(out, row),
            Change::Update { old, new } => self.statement(new).update(out, old.as_ref(), new),
            Change::Delete { old } => self.statement(old.row()).delete(out, old),
            Change::Truncate { relations, cascade, restart_identity } => {
                statement::truncate(out, relations, *cascade, *restart_identity);
                Ok(())
            }
        }
    }
}

fn prepared(out: &mut Vec<u8>, command: &str, gid: &str, end_lsn: Lsn) -> io::Result<()> {
    write!(out, "{command} ")?;
    quote::literal(out, gid.as_bytes());
    writeln!(out, "; -- {end_lsn}")
}

/// The transaction may be one that was prepared before the stream began, and so never here.
fn rollback_prepared(out: &mut Vec<u8>, rollback: &RollbackPrepared) -> io::Result<()> {
    out.extend_from_slice(b"SELECT format('ROLLBACK PREPARED %L', gid) FROM pg_prepared_xacts WHERE gid = ");
    quote::literal(out, rollback.gid().as_bytes());
    writeln!(out, " AND database = current_database() \\gexec\n-- {}", rollback.end_lsn())
}

/// Carried across as what it was; the answer, its position, goes to a variable of psql.
fn emit_message(out: &mut Vec<u8>, message: &LogicalMessage) -> Result<(), SqlError> {
    write!(out, "SELECT pg_logical_emit_message({}, ", message.transactional)?;
    quote::literal(out, message.prefix.as_bytes());
    out.extend_from_slice(b", ");
    quote::bytea_literal(out, &message.content);
    out.extend_from_slice(b"::bytea) AS message \\gset walferry_\n");
    Ok(())
}
