//! Lines to events.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::io::{BufRead, Read as _};
use std::sync::Arc;

use serde_json::value::RawValue;

use super::object::{Hex, Object, Result, Text, Time, Value};
use super::{JsonError, JsonErrorKind};
use crate::event::{Begin, Change, Commit, CommitPrepared, Event, OldRow, Prepare, RollbackPrepared};
use crate::pgoutput::{self, Column, LogicalMessage, Origin, Relation, ReplicaIdentity, Tuple};
use crate::row::Table;
use crate::value::Types;
use crate::{RelationId, Row};

/// What a line may be unless [`Reader::line_limit`] says otherwise: 2 GiB and 16 MiB.
///
/// A server sends less than 1 GiB of values in one change, of which hexadecimal makes twice as much; the rest is for
/// names. Only text that is control characters for the most part becomes longer.
const LINE_LIMIT: usize = (2 << 30) + (16 << 20);
/// How much of the buffer is kept when a long line was read.
const BUFFER: usize = 1 << 20;

/// Reads JSON Lines back as the events that [`Lines`](super::Lines) wrote.
///
/// The module's page says [what holds for a line](super#reading-it-back). One line is held at a time, up to a limit,
/// and beside it what its event needs: about as much for values, up to some twenty times as much for a hostile line that
/// is nothing but short members. After the first error there are no more events: what follows may need what was in the
/// line.
///
/// A [`Commit`] that is read back can be passed to `ReplicationStream::acknowledge` like any other. The stream counts
/// it for no more than it has handed out itself, so that it can't skip what was never delivered; but whether what *was*
/// delivered is durable, a file of another stream doesn't know.
///
/// ```
/// use walferry::pgoutput::Datum;
/// use walferry::sink::json::Reader;
/// use walferry::{Change, Event};
///
/// let lines = r#"{"event":"relation","id":16384,"schema":"public","name":"t","replica_identity":"default","columns":[{"name":"body","type_oid":25,"type_modifier":-1,"is_key":false}]}
/// {"event":"insert","relation_id":16384,"schema":"public","table":"t","new":{"body":"null"}}
/// {"event":"insert","relation_id":16384,"schema":"public","table":"t","new":{"body":0}}
/// "#;
/// let mut reader = Reader::new(lines.as_bytes());
/// let Some(Ok(Event::Change(Change::Insert { new }))) = reader.next() else { unreachable!() };
/// assert_eq!(new.get("body"), Some(Datum::Text(b"null")), "the text, not NULL");
///
/// let error = reader.next().expect("a line").expect_err("a number, which a value never is");
/// assert_eq!(error.line(), 3);
/// assert!(error.to_string().starts_with("line 3: new.body: expected null, a string, or an object"));
/// assert!(reader.next().is_none());
/// ```
#[must_use = "events are read when they are asked for"]
pub struct Reader<R> {
    input: R,
    limit: usize,
    line: u64,
    buffer: Vec<u8>,
    relations: Relations,
    failed: bool,
}

impl<R: BufRead> Reader<R> {
    /// A reader of lines from their beginning, of up to 2 GiB and 16 MiB each: what a server sends in one change fits.
    pub fn new(input: R) -> Self {
        let relations = Relations::default();
        Self { input, limit: LINE_LIMIT, line: 0, buffer: Vec::new(), relations, failed: false }
    }

    /// Which types the columns of its rows may have; the built-in ones, if not said. Lines don't tell.
    pub fn types(mut self, types: Arc<Types>) -> Self {
        self.relations.types = types;
        self
    }

    /// How long a line may be, in bytes without its line feed.
    pub fn line_limit(mut self, bytes: usize) -> Self {
        self.limit = bytes;
        self
    }

    fn advance(&mut self) -> Result<Option<Event>> {
        while self.read_line()? {
            if let Some(event) = self.relations.event(&self.buffer)? {
                return Ok(Some(event));
            }
        }
        Ok(None)
    }

    /// Whether there was one more.
    fn read_line(&mut self) -> Result<bool> {
        self.buffer.clear();
        self.buffer.shrink_to(BUFFER);
        self.line += 1;
        // The line feed, or one byte too many.
        let most = u64::try_from(self.limit).unwrap_or(u64::MAX).saturating_add(1);
        self.input.by_ref().take(most).read_until(b'\n', &mut self.buffer).map_err(JsonErrorKind::Io)?;
        match self.buffer.last() {
            Some(b'\n') => Ok(true),
            Some(_) if self.buffer.len() > self.limit => Err(JsonErrorKind::TooLong { limit: self.limit }),
            Some(_) => Err(JsonErrorKind::CutShort),
            None => Ok(false),
        }
    }
}

impl<R: BufRead> Iterator for Reader<R> {
    type Item = std::result::Result<Event, JsonError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let event = self.advance().map_err(|kind| JsonError::new(self.line, kind));
        self.failed = event.is_err();
        event.transpose()
    }
}

impl<R> fmt::Debug for Reader<R> {
    /// Shows no line: it holds values.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader").field("line", &self.line).field("limit", &self.limit).finish_non_exhaustive()
    }
}

/// The relations that were announced up to here.
#[derive(Default)]
struct Relations {
    announced: HashMap<RelationId, Arc<Table>>,
    types: Arc<Types>,
}

impl Relations {
    /// The event of a line; none for an announcement, or the end of a transaction that has none.
    fn event(&mut self, line: &[u8]) -> Result<Option<Event>> {
        let mut line = Object::line(line)?;
        let Text(kind) = line.member("event", "the kind of an event")?;
        Ok(Some(match &*kind {
            "relation" => {
                self.announce(relation(&mut line)?);
                return Ok(None);
            }
            "rollback" => return Ok(None),
            "begin" => Event::Begin(begin(&mut line)?),
            "message" => Event::Message(message(&mut line)?),
            "commit" => Event::Commit(commit(&mut line)?),
            "prepare" => Event::Prepare(Prepare::new(prepare(&mut line)?)),
            "commit_prepared" => Event::CommitPrepared(CommitPrepared::new(commit_prepared(&mut line)?)),
            "rollback_prepared" => {
                Event::RollbackPrepared(RollbackPrepared::new(rollback_prepared(&mut line)?))
            }
            kind => Event::Change(self.change(kind, &mut line)?),
        }))
    }

    /// As the assembler does: only a difference is news, and makes a new [`Arc`].
    fn announce(&mut self, relation: Relation) {
        if self.announced.get(&relation.id).is_none_or(|known| *known.relation != relation) {
            let (id, types) = (relation.id, Arc::clone(&self.types));
            self.announced.insert(id, Arc::new(Table { relation: Arc::new(relation), types }));
        }
    }

    fn change(&self, kind: &str, line: &mut Object<'_>) -> Result<Change> {
        let row_change = match kind {
            "snapshot" => snapshot,
            "insert" => insert,
            "update" => update,
            "delete" => delete,
            "truncate" => return self.truncate(line),
            _ => return Err(JsonErrorKind::UnknownEvent),
        };
        let table = self.table(line)?;
        row_change(line, &table)
    }

    fn truncate(&self, line: &mut Object<'_>) -> Result<Change> {
        let ids: Vec<RelationId> = line.member("relation_ids", "an array of relations' oids")?;
        let relation = |id| self.known(id).map(|table| Arc::clone(&table.relation));
        let relations = ids.into_iter().map(relation).collect::<Result<Vec<_>>>()?;
        let tables: Vec<Text<'_>> = line.member("tables", "an array of tables' names")?;
        let names = relations.iter().map(|relation| format!("{}.{}", relation.schema, relation.name));
        if !names.eq(tables.iter().map(|Text(name)| &**name)) {
            return Err(line.unexpected("tables", "the names that were announced for relation_ids"));
        }
        let cascade = line.member("cascade", "true or false")?;
        Ok(Change::Truncate {
            relations,
            cascade,
            restart_identity: line.member("restart_identity", "true or false")?,
        })
    }

    /// The relation that a change names three times.
    fn table(&self, line: &mut Object<'_>) -> Result<Arc<Table>> {
        let table = self.known(line.member("relation_id", "a relation's oid")?)?;
        for (member, name) in [("schema", &table.relation.schema), ("table", &table.relation.name)] {
            let Text(found) = line.member(member, "a name")?;
            if found != *name {
                return Err(line.unexpected(member, "the name that was announced for relation_id"));
            }
        }
        Ok(table)
    }

    fn known(&self, relation_id: RelationId) -> Result<Arc<Table>> {
        let known = self.announced.get(&relation_id).map(Arc::clone);
        known.ok_or(JsonErrorKind::UnknownRelation { relation_id })
    }
}

const LSN: &str = "a WAL position, as in 16/B374D848";
const TIME: &str = "a time in UTC, as in 2026-11-22 08:25:18.01+00, or an infinity";
const XID: &str = "a transaction id";
const GID: &str = "the name of a prepared transaction";

fn begin(line: &mut Object<'_>) -> Result<Begin> {
    let Time(commit_time) = line.member("commit_time", TIME)?;
    Ok(Begin {
        commit_lsn: line.member("commit_lsn", LSN)?,
        commit_time,
        xid: line.member("xid", XID)?,
        origin: line.optional_object("origin.")?.map(origin).transpose()?,
        gid: line.optional("gid", GID)?,
    })
}

fn origin(mut object: Object<'_>) -> Result<Origin> {
    Ok(Origin { commit_lsn: object.member("commit_lsn", LSN)?, name: object.member("name", "a name")? })
}

fn commit(line: &mut Object<'_>) -> Result<Commit> {
    let Time(commit_time) = line.member("commit_time", TIME)?;
    Ok(Commit {
        commit_lsn: line.member("commit_lsn", LSN)?,
        end_lsn: line.member("end_lsn", LSN)?,
        commit_time,
        xid: line.member("xid", XID)?,
    })
}

fn prepare(line: &mut Object<'_>) -> Result<pgoutput::Prepare> {
    let Time(prepare_time) = line.member("prepare_time", TIME)?;
    Ok(pgoutput::Prepare {
        prepare_lsn: line.member("prepare_lsn", LSN)?,
        end_lsn: line.member("end_lsn", LSN)?,
        prepare_time,
        xid: line.member("xid", XID)?,
        gid: line.member("gid", GID)?,
    })
}

fn commit_prepared(line: &mut Object<'_>) -> Result<pgoutput::CommitPrepared> {
    let Time(commit_time) = line.member("commit_time", TIME)?;
    Ok(pgoutput::CommitPrepared {
        commit_lsn: line.member("commit_lsn", LSN)?,
        end_lsn: line.member("end_lsn", LSN)?,
        commit_time,
        xid: line.member("xid", XID)?,
        gid: line.member("gid", GID)?,
    })
}

fn rollback_prepared(line: &mut Object<'_>) -> Result<pgoutput::RollbackPrepared> {
    let Time(prepare_time) = line.member("prepare_time", TIME)?;
    let Time(rollback_time) = line.member("rollback_time", TIME)?;
    Ok(pgoutput::RollbackPrepared {
        prepare_end_lsn: line.member("prepare_end_lsn", LSN)?,
        rollback_end_lsn: line.member("rollback_end_lsn", LSN)?,
        prepare_time,
        rollback_time,
        xid: line.member("xid", XID)?,
        gid: line.member("gid", GID)?,
    })
}

fn message(line: &mut Object<'_>) -> Result<LogicalMessage> {
    let Hex(content) = line.member("content", "bytes in hexadecimal")?;
    Ok(LogicalMessage {
        xid: None,
        transactional: line.member("transactional", "true or false")?,
        lsn: line.member("lsn", LSN)?,
        prefix: line.member("prefix", "a string")?,
        content,
    })
}

fn relation(line: &mut Object<'_>) -> Result<Relation> {
    let expected = "lossless: another mapping can't be read back";
    if line.optional("mapping", expected)?.is_some_and(|Text(mapping)| mapping != "lossless") {
        return Err(line.unexpected("mapping", expected));
    }
    Ok(Relation {
        id: line.member("id", "a relation's oid")?,
        schema: line.member("schema", "a name")?,
        name: line.member("name", "a name")?,
        replica_identity: replica_identity(line)?,
        columns: columns(line)?,
    })
}

fn replica_identity(line: &mut Object<'_>) -> Result<ReplicaIdentity> {
    let expected = "default, nothing, full or index";
    let Text(name) = line.member("replica_identity", expected)?;
    Ok(match &*name {
        "default" => ReplicaIdentity::Default,
        "nothing" => ReplicaIdentity::Nothing,
        "full" => ReplicaIdentity::Full,
        "index" => ReplicaIdentity::Index,
        _ => return Err(line.unexpected("replica_identity", expected)),
    })
}

fn columns(line: &mut Object<'_>) -> Result<Vec<Column>> {
    let raw: Vec<&RawValue> = line.member("columns", "an array of columns")?;
    // As many as the wire can say, and a tuple hold.
    if i16::try_from(raw.len()).is_err() {
        return Err(line.unexpected("columns", "no more than 32767 columns"));
    }
    let columns = raw.into_iter().enumerate().map(column).collect::<Result<Vec<_>>>()?;
    let mut names = HashSet::new();
    if !columns.iter().all(|column| names.insert(&column.name)) {
        return Err(line.unexpected("columns", "columns of different names"));
    }
    Ok(columns)
}

fn column((index, raw): (usize, &RawValue)) -> Result<Column> {
    let mut object = Object::element(raw, format!("columns[{index}]."))?;
    Ok(Column {
        name: object.member("name", "a name")?,
        type_oid: object.member("type_oid", "a type's oid")?,
        type_modifier: object.member("type_modifier", "an integer of 32 bits")?,
        is_key: object.member("is_key", "true or false")?,
    })
}

fn snapshot(line: &mut Object<'_>, table: &Arc<Table>) -> Result<Change> {
    new_row(line, table).map(|row| Change::Snapshot { row })
}

fn insert(line: &mut Object<'_>, table: &Arc<Table>) -> Result<Change> {
    new_row(line, table).map(|new| Change::Insert { new })
}

fn update(line: &mut Object<'_>, table: &Arc<Table>) -> Result<Change> {
    Ok(Change::Update { old: old_row(line, table)?, new: new_row(line, table)? })
}

fn delete(line: &mut Object<'_>, table: &Arc<Table>) -> Result<Change> {
    let old = old_row(line, table)?;
    Ok(Change::Delete { old: old.ok_or_else(|| line.missing("old"))? })
}

fn new_row(line: &mut Object<'_>, table: &Arc<Table>) -> Result<Row> {
    row(line.object("new.")?, "new", table, |_| false)
}

fn old_row(line: &mut Object<'_>, table: &Arc<Table>) -> Result<Option<OldRow>> {
    let (key, full) = (line.optional_object("old_key.")?, line.optional_object("old.")?);
    Ok(match (key, full) {
        (Some(_), Some(_)) => return Err(line.unexpected("old_key", "no old row beside it")),
        (Some(key), None) => Some(OldRow::Key(row(key, "old_key", table, |column| !column.is_key)?)),
        (None, Some(full)) => Some(OldRow::Full(row(full, "old", table, |_| false)?)),
        (None, None) => None,
    })
}

/// `omitted` says of which columns nothing means NULL.
fn row(
    mut members: Object<'_>,
    place: &str,
    table: &Arc<Table>,
    omitted: impl Fn(&Column) -> bool,
) -> Result<Row> {
    let mut values = Vec::with_capacity(table.relation.columns.len());
    for column in &table.relation.columns {
        values.push(match members.column(&column.name)? {
            Some(value) => value,
            None if omitted(column) => Value::Null,
            None => return Err(members.missing(&column.name)),
        });
    }
    let unknown =
        || JsonErrorKind::UnknownColumn { member: place.to_owned(), relation_id: table.relation.id };
    if !members.is_empty() {
        return Err(unknown());
    }
    Row::of(Arc::clone(table), Tuple::from_datums(values.iter().map(Value::datum))).ok_or_else(unknown)
}
