use std::sync::Arc;

use bytes::{BufMut, BytesMut};

use super::types;
use crate::catalog::{Catalog, TableFacts};
use crate::value::Types;
use crate::wire::{DecodeError, DecodeErrorKind, Reader, Write as _};
use crate::{Lsn, RelationId};

/// How a captured stream was started, and what can't be known from its frames.
///
/// A reader ignores keys that it doesn't know, so that a later version can add some.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Context {
    /// The server's own words for its version.
    pub server_version: String,
    /// The identifier of the server's database system.
    pub system_id: String,
    /// The timeline that the server was on; 0 if that is not known.
    pub timeline: u32,
    /// The database.
    pub database: String,
    /// The slot.
    pub slot: String,
    /// The publications.
    pub publications: Vec<String>,
    /// Where the stream was asked to start.
    pub start_lsn: Lsn,
    /// Whether the option `streaming` was `parallel`: Stream Abort is longer then.
    pub parallel_streaming: bool,
    /// What the catalogue knew of the tables and of the types.
    pub catalog: Catalog,
}

impl Context {
    pub(super) fn write(&self, out: &mut BytesMut) {
        for (key, value) in self.pairs() {
            out.put_length(key.len());
            out.put_slice(key.as_bytes());
            out.put_length(value.len());
            out.put_slice(value.as_bytes());
        }
    }

    fn pairs(&self) -> Vec<(&'static str, String)> {
        let mut pairs = vec![
            ("server_version", self.server_version.clone()),
            ("system_id", self.system_id.clone()),
            ("database", self.database.clone()),
            ("slot", self.slot.clone()),
            ("start_lsn", self.start_lsn.to_string()),
            ("parallel_streaming", self.parallel_streaming.to_string()),
        ];
        if self.timeline != 0 {
            pairs.push(("timeline", self.timeline.to_string()));
        }
        pairs.extend(self.publications.iter().map(|name| ("publication", name.clone())));
        for (id, facts) in self.catalog.iter() {
            if facts.has_children {
                pairs.push(("has_children", id.to_string()));
            }
            pairs
                .extend(facts.identity_always.iter().map(|name| ("identity_always", format!("{id} {name}"))));
        }
        pairs.extend(self.catalog.types().inserted().map(|known| ("type", types::print(known))));
        pairs
    }

    pub(super) fn read(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut context = Self::default();
        let mut tables = std::collections::HashMap::<RelationId, TableFacts>::new();
        let mut types = Types::new();
        while r.left() > 0 {
            let (key, value) = (text(r)?, text(r)?);
            let unreadable = || {
                r.fail(DecodeErrorKind::UnexpectedByte {
                    field: "context",
                    expected: "a value that fits its key",
                    found: 0,
                })
            };
            match key {
                "server_version" => value.clone_into(&mut context.server_version),
                "system_id" => value.clone_into(&mut context.system_id),
                "timeline" => context.timeline = value.parse().map_err(|_| unreadable())?,
                "database" => value.clone_into(&mut context.database),
                "slot" => value.clone_into(&mut context.slot),
                "start_lsn" => context.start_lsn = value.parse().map_err(|_| unreadable())?,
                "parallel_streaming" => {
                    context.parallel_streaming = value.parse().map_err(|_| unreadable())?;
                }
                "publication" => context.publications.push(value.to_owned()),
                "has_children" => {
                    let id = value.parse().map(RelationId::new).map_err(|_| unreadable())?;
                    tables.entry(id).or_default().has_children = true;
                }
                "identity_always" => {
                    let (id, column) = value.split_once(' ').ok_or_else(unreadable)?;
                    let id = id.parse().map(RelationId::new).map_err(|_| unreadable())?;
                    tables.entry(id).or_default().identity_always.push(column.to_owned());
                }
                "type" => drop(types.insert(types::parse(value).ok_or_else(unreadable)?)),
                _ => {}
            }
        }
        context.catalog = tables.into_iter().collect();
        context.catalog.set_types(Arc::new(types));
        Ok(context)
    }
}

pub(super) fn text<'a>(r: &mut Reader<'a>) -> Result<&'a str, DecodeError> {
    let length = r.length("text length")?;
    let bytes = r.take(length)?;
    std::str::from_utf8(bytes).map_err(|_| r.fail(DecodeErrorKind::InvalidUtf8))
}
