//! JSON Lines: one event a line, from which every event can be made again.
//!
//! # The lossless mapping
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
//! | the end of a transaction that has none: the connection was lost, and it comes again, or never | `{"event":"rollback"}` |
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
//! * What stands between a begin and a `rollback`, or another begin, or the end of the file, is of a transaction that
//!   isn't whole: it comes again behind it, or never. A `rollback` is no event, and a [`Reader`] gives none for it.
//!
//! A line says nothing of its neighbours: that transactions are whole, and none there twice, is not looked at.
//!
//! # The friendly mapping
//!
//! [`Mapping::Friendly`] is for readers that don't know PostgreSQL's text. The lines are the same, but for rows, and
//! whether values come as text or as binary makes no difference:
//!
//! | value | JSON |
//! |---|---|
//! | NULL | `null` |
//! | unchanged, not sent | no member; the line has `"unchanged":["body"]` behind `new` (`"old_unchanged"` behind an old row) |
//! | boolean | `true`, `false` |
//! | smallint, integer, oid, xid, cid | a number |
//! | bigint, xid8, and numeric without a point | a number from -2<sup>53</sup> to 2<sup>53</sup>, which a double holds; beyond it a string of the digits |
//! | numeric with a point, `NaN`, `Infinity` | a string: `1.50` keeps its scale |
//! | real, double precision | a number, of the server's own shortest digits; `NaN`, `Infinity` and `-Infinity` are strings |
//! | json, jsonb | what they hold, in the same words, without blanks around it and with a blank for each line break; a string of it, if a reader may refuse it |
//! | arrays | an array for each dimension; one whose indices don't begin with 1, and a vector (`int2vector`), the string of its text |
//! | composites | an object of the fields by name; the string of its text, if the names aren't known |
//! | a domain | as what it is over |
//! | any other type: text, bytea (`\\x00ff`), dates, ranges, enums, … | the string of its text |
//!
//! Readers refuse json with numbers beyond a double (`1e400`), with half of a surrogate pair (`"\ud800"`), or where more
//! than 100 arrays and objects lie in each other; in parts of a value such json is a string, too. A value that isn't what
//! its type prints is the string of its text. What has no text is what it is in the lossless mapping: `{"binary":"00ff"}`
//! the binary form of an extension's type or of the name of an object (`regclass`), `{"text":"e974"}` text that is not
//! UTF-8.
//!
//! This mapping loses what the other one keeps: NULL and the json `null` are the same, a reader of doubles rounds what
//! json itself holds, and nothing says of a string what it was. So it is not read back: the line of a relation ends with
//! `"mapping":"friendly"`, and a [`Reader`] refuses it.
//!
//! ```
//! use walferry::assemble::Assembler;
//! use walferry::pgoutput::Decoder;
//! use walferry::sink::json::{Lines, Mapping};
//!
//! let messages: [&'static [u8]; 3] = [
//!     b"B\0\0\0\0\0\0\x01\0\0\x03\x03\xd7\xfcm^\xe7\0\0\x04\x2b",
//!     b"R\0\0@\0public\0notes\0d\0\x03\x01id\0\0\0\0\x17\xff\xff\xff\xff\
//!       \0tags\0\0\0\x03\xf1\xff\xff\xff\xff\0body\0\0\0\x0e\xda\xff\xff\xff\xff",
//!     b"I\0\0@\0N\0\x03t\0\0\0\x011t\0\0\0\x08{a,NULL}t\0\0\0\x08{\"n\": 1}",
//! ];
//! let (mut decoder, mut assembler) = (Decoder::new(), Assembler::new());
//! let (mut lines, mut json) = (Lines::default().mapping(Mapping::Friendly), Vec::new());
//! for message in messages {
//!     assembler.push(decoder.decode(message.into())?)?;
//! }
//! while let Some(event) = assembler.poll()? {
//!     lines.event(&mut json, &event)?;
//! }
//! let json = String::from_utf8(json)?;
//! assert!(json.ends_with(concat!(r#""new":{"id":1,"tags":["a",null],"body":{"n": 1}}}"#, "\n")));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod error;
mod friendly;
mod inline;
mod object;
mod read;
mod write;

#[cfg(test)]
mod tests;

use std::io;

pub use self::error::{JsonError, JsonErrorKind};
pub use self::read::Reader;
pub use self::write::{Lines, Mapping};
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

    /// With this mapping instead of the lossless one.
    #[must_use = "the sink is given back with the mapping"]
    pub fn mapping(mut self, mapping: Mapping) -> Self {
        self.lines = self.lines.mapping(mapping);
        self
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

    async fn rollback(&mut self) -> io::Result<()> {
        self.lines.rollback(&mut self.buffer);
        self.write(Batch::default()).await
    }
}
