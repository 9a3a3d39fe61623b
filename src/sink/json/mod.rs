//! JSON Lines: one event a line, from which every event can be made again.
//!
//! # The mapping
//!
//! | event | line |
//! |---|---|
//! | a relation, before its first change and again when it changed | `{"event":"relation","id":16384,"schema":"public","name":"t","replica_identity":"default","columns":[{"name":"id","type_oid":23,"type_modifier":-1,"is_key":true}]}` |
//! | begin | `{"event":"begin","xid":7,"commit_lsn":"0/10","commit_time":"2026-11-22 08:25:18.01+00"}`, and `"origin":{"name":…,"commit_lsn":…}` if there is one |
//! | insert | `{"event":"insert","relation_id":16384,"schema":"public","table":"t","new":{…}}`; `snapshot` likewise |
//! | update | the same with `"event":"update"`, and before `new`, if the server sent one, `"old_key":{…}` or `"old":{…}` |
//! | delete | `"event":"delete"` with `"old_key":{…}` or `"old":{…}` |
//! | truncate | `{"event":"truncate","relation_ids":[16384],"tables":["public.t"],"cascade":false,"restart_identity":false}` |
//! | message | `{"event":"message","transactional":true,"lsn":"0/10","prefix":"p","content":"00ff"}`, the content in hexadecimal |
//! | commit | `{"event":"commit","xid":7,"commit_lsn":"0/10","end_lsn":"0/20","commit_time":…}` |
//! | prepare | `{"event":"prepare","xid":7,"gid":"g","prepare_lsn":"0/10","end_lsn":"0/20","prepare_time":…}`; its begin has the `"gid"` |
//! | commit of what was prepared | `{"event":"commit_prepared","xid":7,"gid":"g","commit_lsn":…,"end_lsn":…,"commit_time":…}` |
//! | rollback of what was prepared | `{"event":"rollback_prepared","xid":7,"gid":"g","prepare_end_lsn":…,"rollback_end_lsn":…,"prepare_time":…,"rollback_time":…}` |
//!
//! A row is an object: a member for each column, by name, in the table's order. An old key has the key's columns, and
//! any other that is not NULL; those that are missing are NULL. A value is one of
//!
//! | value | JSON |
//! |---|---|
//! | NULL | `null` |
//! | text, in the server's text form, whatever the type: a number, a date, the text `null` | `"…"` |
//! | unchanged, not sent | `{"unchanged":true}` |
//! | binary, in the server's binary form | `{"binary":"00ff"}` |
//! | text that is not UTF-8 (from a database in `SQL_ASCII`) | `{"text":"e974"}`, its bytes in hexadecimal |
//!
//! # Reading it back
//!
//! A [`Reader`] turns the lines into the events that were written, equal in every value, position and time:
//!
//! ```
//! use walferry::Event;
//! use walferry::capture::{self, Events};
//! use walferry::sink::json::{Lines, Reader};
//!
//! # let file = std::fs::File::open(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/captures/story.walferry"))?;
//! let events: Vec<Event> = Events::new(capture::Reader::new(file)?)?.collect::<Result<_, _>>()?;
//! let (mut lines, mut json) = (Lines::default(), Vec::new());
//! for event in &events {
//!     lines.event(&mut json, event)?;
//! }
//!
//! let read: Vec<Event> = Reader::new(json.as_slice()).collect::<Result<_, _>>()?;
//! assert_eq!(read, events);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! What holds for a line, whoever wrote it:
//!
//! * It is one object, and ends with a line feed. A last line without one was cut short, which is an error.
//! * Members may stand in any order. Each member of the table above has to be there, once and of its type, but those
//!   that say "if". A kind of event that isn't in the table is an error.
//! * Further members of an event, a relation, a column or an origin are ignored: a later version may add some. A row
//!   has exactly the columns of its relation, and a value exactly the forms of the table.
//! * A relation is announced before its first row, in the same file. Announcing it again, as a second run that adds to
//!   a file does, replaces it. `schema`, `table` and `tables` say what was announced, or the line is refused.
//!
//! A line says nothing of its neighbours: that transactions are whole, and none there twice, is not looked at.

mod error;
mod object;
mod read;
mod write;

#[cfg(test)]
mod tests;

use std::io;

pub use self::error::{JsonError, JsonErrorKind};
pub use self::read::Reader;
pub use self::write::Lines;
use super::{Batch, ChangeSink, Output};

/// Writes JSON Lines to an output.
#[derive(Debug)]
pub struct JsonSink {
    lines: Lines,
    output: Output,
    buffer: Vec<u8>,
}

impl JsonSink {
    /// A sink that writes to `output`.
    pub fn new(output: Output) -> Self {
        Self { lines: Lines::default(), output, buffer: Vec::new() }
    }
}

impl ChangeSink for JsonSink {
    type Error = io::Error;

    async fn write(&mut self, batch: Batch) -> io::Result<()> {
        for event in batch.events() {
            self.lines.event(&mut self.buffer, event)?;
        }
        self.output.write_all(&self.buffer).await?;
        self.buffer.clear();
        self.buffer.shrink_to(super::KEPT);
        Ok(())
    }

    async fn flush(&mut self) -> io::Result<()> {
        self.output.sync().await
    }
}
