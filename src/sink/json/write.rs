//! Events to lines.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use super::friendly::Friendly;
use crate::event::{Begin, Change, Commit, Event, OldRow};
use crate::pgoutput::{self, Column, Datum, LogicalMessage, Relation, ReplicaIdentity};
use crate::value::Value;
use crate::{Lsn, RelationId, Row, quote};

/// Writes events as JSON Lines: the text alone, without the output that [`JsonSink`](super::JsonSink) adds.
///
/// ```
/// use walferry::assemble::Assembler;
/// use walferry::pgoutput::{LogicalMessage, Message};
/// use walferry::sink::json::Lines;
///
/// let content = bytes::Bytes::from_static(b"\x00\xff");
/// let (lsn, prefix) = ("0/10".parse()?, "app".to_owned());
/// let mut assembler = Assembler::new();
/// assembler.push(Message::Message(LogicalMessage { xid: None, transactional: false, lsn, prefix, content }))?;
///
/// let (mut lines, mut json) = (Lines::default(), Vec::new());
/// lines.event(&mut json, &assembler.poll()?.expect("the message"))?;
/// let expected = r#"{"event":"message","transactional":false,"lsn":"0/10","prefix":"app","content":"00ff"}"#;
/// assert_eq!(String::from_utf8(json)?, format!("{expected}\n"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Default)]
pub struct Lines {
    announced: HashMap<RelationId, Arc<Relation>>,
    mapping: Mapping,
}

/// How values become JSON: both mappings are in the [module's documentation](super).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Mapping {
    /// Values as the server sent them; a [`Reader`](super::Reader) gives them back.
    #[default]
    Lossless,
    /// Numbers, truths, arrays, objects and json as such, for readers that don't know PostgreSQL's text.
    Friendly,
}

impl Lines {
    /// With this mapping instead of the lossless one. Before the first event.
    #[must_use = "the lines are given back with the mapping"]
    pub fn mapping(mut self, mapping: Mapping) -> Self {
        self.mapping = mapping;
        self
    }

    /// Writes an event behind what was written before; in front of it the relations that a reader needs.
    ///
    /// # Errors
    ///
    /// None that an event can cause: the type is what the serializer asks for.
    pub fn event(&mut self, out: &mut Vec<u8>, event: &Event) -> io::Result<()> {
        if let Event::Change(change) = event {
            for relation in change.relations() {
                self.announce(out, relation)?;
            }
        }
        line(out, &EventLine { event, mapping: self.mapping })
    }

    /// Ends a transaction whose end won't come: it begins again behind this, or never.
    pub fn rollback(&mut self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"event\":\"rollback\"}\n");
    }

    fn announce(&mut self, out: &mut Vec<u8>, relation: &Arc<Relation>) -> io::Result<()> {
        match self.announced.get(&relation.id) {
            Some(known) if Arc::ptr_eq(known, relation) => return Ok(()),
            _ => self.announced.insert(relation.id, Arc::clone(relation)),
        };
        line(out, &RelationLine { relation, mapping: self.mapping })
    }
}

fn line(out: &mut Vec<u8>, value: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *out, value)?;
    out.push(b'\n');
    Ok(())
}

struct EventLine<'a> {
    event: &'a Event,
    mapping: Mapping,
}

impl Serialize for EventLine<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        match self.event {
            Event::Begin(begin) => write_begin(&mut map, begin)?,
            Event::Change(change) => write_change(&mut map, change, self.mapping)?,
            Event::Message(message) => write_message(&mut map, message)?,
            Event::Commit(commit) => write_commit(&mut map, commit)?,
            Event::Prepare(prepare) => write_prepare(&mut map, prepare.message())?,
            Event::CommitPrepared(commit) => write_commit_prepared(&mut map, commit.message())?,
            Event::RollbackPrepared(rollback) => write_rollback_prepared(&mut map, rollback.message())?,
        }
        map.end()
    }
}

fn write_begin<M: SerializeMap>(map: &mut M, begin: &Begin) -> Result<(), M::Error> {
    map.serialize_entry("event", "begin")?;
    map.serialize_entry("xid", &begin.xid)?;
    map.serialize_entry("commit_lsn", &begin.commit_lsn)?;
    map.serialize_entry("commit_time", &begin.commit_time.to_string())?;
    if let Some(gid) = &begin.gid {
        map.serialize_entry("gid", gid)?;
    }
    if let Some(origin) = &begin.origin {
        map.serialize_entry("origin", &OriginObject { name: &origin.name, commit_lsn: origin.commit_lsn })?;
    }
    Ok(())
}

/// A struct, because `serde_json::Value` would sort its members, or not, by another crate's choice of features.
#[derive(Serialize)]
struct OriginObject<'a> {
    name: &'a str,
    commit_lsn: Lsn,
}

fn write_commit<M: SerializeMap>(map: &mut M, commit: &Commit) -> Result<(), M::Error> {
    map.serialize_entry("event", "commit")?;
    map.serialize_entry("xid", &commit.xid())?;
    map.serialize_entry("commit_lsn", &commit.commit_lsn())?;
    map.serialize_entry("end_lsn", &commit.end_lsn())?;
    map.serialize_entry("commit_time", &commit.commit_time().to_string())
}

fn write_prepare<M: SerializeMap>(map: &mut M, prepare: &pgoutput::Prepare) -> Result<(), M::Error> {
    map.serialize_entry("event", "prepare")?;
    map.serialize_entry("xid", &prepare.xid)?;
    map.serialize_entry("gid", &prepare.gid)?;
    map.serialize_entry("prepare_lsn", &prepare.prepare_lsn)?;
    map.serialize_entry("end_lsn", &prepare.end_lsn)?;
    map.serialize_entry("prepare_time", &prepare.prepare_time.to_string())
}

fn write_commit_prepared<M: SerializeMap>(
    map: &mut M,
    commit: &pgoutput::CommitPrepared,
) -> Result<(), M::Error> {
    map.serialize_entry("event", "commit_prepared")?;
    map.serialize_entry("xid", &commit.xid)?;
    map.serialize_entry("gid", &commit.gid)?;
    map.serialize_entry("commit_lsn", &commit.commit_lsn)?;
    map.serialize_entry("end_lsn", &commit.end_lsn)?;
    map.serialize_entry("commit_time", &commit.commit_time.to_string())
}

fn write_rollback_prepared<M: SerializeMap>(
    map: &mut M,
    rollback: &pgoutput::RollbackPrepared,
) -> Result<(), M::Error> {
    map.serialize_entry("event", "rollback_prepared")?;
    map.serialize_entry("xid", &rollback.xid)?;
    map.serialize_entry("gid", &rollback.gid)?;
    map.serialize_entry("prepare_end_lsn", &rollback.prepare_end_lsn)?;
    map.serialize_entry("rollback_end_lsn", &rollback.rollback_end_lsn)?;
    map.serialize_entry("prepare_time", &rollback.prepare_time.to_string())?;
    map.serialize_entry("rollback_time", &rollback.rollback_time.to_string())
}

fn write_message<M: SerializeMap>(map: &mut M, message: &LogicalMessage) -> Result<(), M::Error> {
    map.serialize_entry("event", "message")?;
    map.serialize_entry("transactional", &message.transactional)?;
    map.serialize_entry("lsn", &message.lsn)?;
    map.serialize_entry("prefix", &message.prefix)?;
    map.serialize_entry("content", &hex(&message.content))
}

fn write_change<M: SerializeMap>(map: &mut M, change: &Change, mapping: Mapping) -> Result<(), M::Error> {
    match change {
        Change::Snapshot { row } => {
            write_table(map, "snapshot", row)?;
            write_new(map, row, mapping)
        }
        Change::Insert { new } => {
            write_table(map, "insert", new)?;
            write_new(map, new, mapping)
        }
        Change::Update { old, new } => {
            write_table(map, "update", new)?;
            if let Some(old) = old {
                write_old(map, old, mapping)?;
            }
            write_new(map, new, mapping)
        }
        Change::Delete { old } => {
            write_table(map, "delete", old.row())?;
            write_old(map, old, mapping)
        }
        Change::Truncate { relations, cascade, restart_identity } => {
            map.serialize_entry("event", "truncate")?;
            let ids: Vec<_> = relations.iter().map(|relation| relation.id).collect();
            map.serialize_entry("relation_ids", &ids)?;
            let names: Vec<_> = relations.iter().map(|r| format!("{}.{}", r.schema, r.name)).collect();
            map.serialize_entry("tables", &names)?;
            map.serialize_entry("cascade", cascade)?;
            map.serialize_entry("restart_identity", restart_identity)
        }
    }
}

fn write_table<M: SerializeMap>(map: &mut M, event: &str, row: &Row) -> Result<(), M::Error> {
    let relation = row.relation();
    map.serialize_entry("event", event)?;
    map.serialize_entry("relation_id", &relation.id)?;
    map.serialize_entry("schema", &relation.schema)?;
    map.serialize_entry("table", &relation.name)
}

fn write_new<M: SerializeMap>(map: &mut M, row: &Row, mapping: Mapping) -> Result<(), M::Error> {
    map.serialize_entry("new", &RowObject { row, key_only: false, mapping })?;
    write_unchanged(map, "unchanged", row, mapping)
}

fn write_old<M: SerializeMap>(map: &mut M, old: &OldRow, mapping: Mapping) -> Result<(), M::Error> {
    match old {
        OldRow::Key(row) => map.serialize_entry("old_key", &RowObject { row, key_only: true, mapping })?,
        OldRow::Full(row) => map.serialize_entry("old", &RowObject { row, key_only: false, mapping })?,
    }
    write_unchanged(map, "old_unchanged", old.row(), mapping)
}

/// The columns that the friendly mapping has no value for.
fn write_unchanged<M: SerializeMap>(
    map: &mut M,
    member: &str,
    row: &Row,
    mapping: Mapping,
) -> Result<(), M::Error> {
    let unchanged = row.iter().filter(|(_, datum)| *datum == Datum::Unchanged);
    let names: Vec<_> = unchanged.map(|(column, _)| &column.name).collect();
    if mapping == Mapping::Lossless || names.is_empty() {
        return Ok(());
    }
    map.serialize_entry(member, &names)
}

struct RowObject<'a> {
    row: &'a Row,
    /// Leaves out what isn't in the key; the server sends NULL there.
    key_only: bool,
    mapping: Mapping,
}

impl RowObject<'_> {
    fn shows(&self, column: &Column, datum: Datum<'_>) -> bool {
        match datum {
            Datum::Null => !self.key_only || column.is_key,
            Datum::Unchanged => self.mapping == Mapping::Lossless,
            Datum::Text(_) | Datum::Binary(_) => true,
        }
    }
}

impl Serialize for RowObject<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let columns = self.row.iter().filter(|&(column, datum)| self.shows(column, datum));
        match self.mapping {
            Mapping::Lossless => {
                serializer.collect_map(columns.map(|(column, datum)| (&column.name, Lossless(datum))))
            }
            Mapping::Friendly => serializer.collect_map(columns.map(|(column, datum)| {
                (&column.name, Value::new(datum, column.type_oid, self.row.types()).map(Friendly::new))
            })),
        }
    }
}

/// A value as the server sent it.
pub(super) struct Lossless<'a>(pub(super) Datum<'a>);

impl Serialize for Lossless<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Datum::Null => serializer.serialize_unit(),
            Datum::Unchanged => serializer.collect_map([("unchanged", true)]),
            Datum::Binary(bytes) => serializer.collect_map([("binary", hex(bytes))]),
            Datum::Text(bytes) => match std::str::from_utf8(bytes) {
                Ok(text) => serializer.serialize_str(text),
                Err(_) => serializer.collect_map([("text", hex(bytes))]),
            },
        }
    }
}

pub(super) fn hex(bytes: &[u8]) -> String {
    let mut out = Vec::with_capacity(2 * bytes.len());
    quote::hex(&mut out, bytes);
    String::from_utf8_lossy(&out).into_owned()
}

struct RelationLine<'a> {
    relation: &'a Relation,
    mapping: Mapping,
}

impl Serialize for RelationLine<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let relation = self.relation;
        let identity = match relation.replica_identity {
            ReplicaIdentity::Default => "default",
            ReplicaIdentity::Nothing => "nothing",
            ReplicaIdentity::Full => "full",
            ReplicaIdentity::Index => "index",
        };
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("event", "relation")?;
        map.serialize_entry("id", &relation.id)?;
        map.serialize_entry("schema", &relation.schema)?;
        map.serialize_entry("name", &relation.name)?;
        map.serialize_entry("replica_identity", identity)?;
        let columns: Vec<_> = relation.columns.iter().map(ColumnObject).collect();
        map.serialize_entry("columns", &columns)?;
        if self.mapping == Mapping::Friendly {
            map.serialize_entry("mapping", "friendly")?;
        }
        map.end()
    }
}

struct ColumnObject<'a>(&'a Column);

impl Serialize for ColumnObject<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("name", &self.0.name)?;
        map.serialize_entry("type_oid", &self.0.type_oid)?;
        map.serialize_entry("type_modifier", &self.0.type_modifier)?;
        map.serialize_entry("is_key", &self.0.is_key)?;
        map.end()
    }
}
