//! What the catalogues know of sequences, and the two statements of each look: all positions, and all that is to be set.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use futures_util::future::try_join_all;
use tokio_postgres::{Client, Row, SimpleQueryMessage};

use super::report::{identifier, list, qualified, text_literal};
use super::{OwnerColumn, Position, Sequence};
use crate::connection::sql_error;
use crate::error::Error;

const READING: &str = "while reading sequences";

/// Operators need no schema: the session's search path is `pg_catalog`.
const SEQUENCES: &str = "SELECT c.oid, n.nspname::text, c.relname::text, pg_catalog.format_type(s.seqtypid, NULL), \
        s.seqstart, s.seqincrement, s.seqmin, s.seqmax, s.seqcache, s.seqcycle, \
        tn.nspname::text, t.relname::text, a.attname::text, a.attidentity::text, \
        pg_catalog.has_schema_privilege(n.oid, 'USAGE'), \
        pg_catalog.has_sequence_privilege(c.oid, 'SELECT'), pg_catalog.has_sequence_privilege(c.oid, 'UPDATE') \
     FROM pg_catalog.pg_sequence s JOIN pg_catalog.pg_class c ON c.oid = s.seqrelid \
     JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
     LEFT JOIN pg_catalog.pg_depend o ON o.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND o.objid = c.oid \
        AND o.objsubid = 0 AND o.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND o.refobjsubid > 0 \
        AND o.deptype IN ('a', 'i') \
     LEFT JOIN pg_catalog.pg_class t ON t.oid = o.refobjid \
     LEFT JOIN pg_catalog.pg_namespace tn ON tn.oid = t.relnamespace \
     LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = o.refobjid AND a.attnum = o.refobjsubid \
     WHERE c.relpersistence <> 't' AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'walferry') \
     AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend e WHERE e.classid = 'pg_catalog.pg_class'::pg_catalog.regclass \
        AND e.objid = c.oid AND e.objsubid = 0 AND e.deptype = 'e') \
     ORDER BY 2, 3";

/// So many in one transaction: each takes a lock, and the server's table of them is not endless.
const AT_A_TIME: usize = 1000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Source,
    Target,
}

/// Why the target has none for a sequence of the source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Absent {
    /// It doesn't have the table, either, whose column owns it.
    NoTable,
    Missing,
}

/// A sequence of the source, and the target's.
pub(super) type Pair = (Sequence, Result<Sequence, Absent>);

/// Rights that a role lacks.
#[derive(Debug, Default)]
struct Lacking {
    schemas: BTreeSet<String>,
    sequences: BTreeSet<String>,
}

/// A sequence, and what the role may do with it.
struct Listed {
    sequence: Sequence,
    schema_usable: bool,
    readable: bool,
    settable: bool,
}

/// Every sequence of the source's database that is its users'.
pub(super) async fn of_source(client: &Client) -> Result<Vec<Sequence>, Error> {
    let listed = list_all(client).await?;
    check_rights(&listed, Side::Source)?;
    Ok(listed.into_iter().map(|listed| listed.sequence).collect())
}

async fn list_all(client: &Client) -> Result<Vec<Listed>, Error> {
    let listed = async {
        let rows = client.query(SEQUENCES, &[]).await?;
        rows.iter().map(listed).collect::<Result<Vec<_>, _>>()
    };
    listed.await.map_err(|error| sql_error(READING, error))
}

fn listed(row: &Row) -> Result<Listed, tokio_postgres::Error> {
    let sequence = Sequence {
        oid: row.try_get(0)?,
        schema: row.try_get(1)?,
        name: row.try_get(2)?,
        data_type: row.try_get(3)?,
        start: row.try_get(4)?,
        increment: row.try_get(5)?,
        min: row.try_get(6)?,
        max: row.try_get(7)?,
        cache: row.try_get(8)?,
        cycle: row.try_get(9)?,
        owner: owner(row)?,
    };
    let (schema_usable, readable, settable) = (row.try_get(14)?, row.try_get(15)?, row.try_get(16)?);
    Ok(Listed { sequence, schema_usable, readable, settable })
}

fn owner(row: &Row) -> Result<Option<OwnerColumn>, tokio_postgres::Error> {
    let names = (row.try_get(10)?, row.try_get(11)?, row.try_get(12)?);
    let (Some(schema), Some(table), Some(column)) = names else { return Ok(None) };
    let identity = match row.try_get::<_, Option<&str>>(13)? {
        Some("a") => Some("ALWAYS"),
        Some("d") => Some("BY DEFAULT"),
        _ => None,
    };
    Ok(Some(OwnerColumn { schema, table, column, identity }))
}

fn check_rights<'a>(listed: impl IntoIterator<Item = &'a Listed>, side: Side) -> Result<(), Error> {
    let mut lacking = Lacking::default();
    for listed in listed {
        if !listed.schema_usable {
            lacking.schemas.insert(listed.sequence.schema.clone());
        }
        if !listed.readable || side == Side::Target && !listed.settable {
            lacking.sequences.insert(listed.sequence.to_string());
        }
    }
    let (does, right, place) = match side {
        Side::Source => ("read", "SELECT", "source"),
        Side::Target => ("set", "SELECT, UPDATE", "target"),
    };
    let mut mend = Vec::new();
    if !lacking.schemas.is_empty() {
        let schemas = lacking.schemas.iter().map(|schema| identifier(schema));
        mend.push(format!("GRANT USAGE ON SCHEMA {} TO the role", schemas.collect::<Vec<_>>().join(", ")));
    }
    if !lacking.sequences.is_empty() {
        let all = lacking.sequences.iter().cloned().collect::<Vec<_>>().join(", ");
        mend.push(format!("GRANT {right} ON SEQUENCE {all} TO the role"));
    }
    if mend.is_empty() {
        return Ok(());
    }
    let problem = if lacking.sequences.is_empty() {
        format!("the {place}'s role may not {does} the sequences of {}", list(&lacking.schemas))
    } else {
        format!("the {place}'s role may not {does} {}", list(&lacking.sequences))
    };
    Err(Error::Precondition { problem, mend: format!("on the {place}: {}", mend.join("; ")) })
}

/// Finds the target's sequence for each. Rights matter only to those that are found.
pub(super) async fn pair(sources: Vec<Sequence>, target: &Client) -> Result<Vec<Pair>, Error> {
    let listed = list_all(target).await?;
    let chosen = {
        let ours = Names::of(&sources);
        let theirs = Names::of(listed.iter().map(|listed| &listed.sequence));
        sources.iter().map(|source| choose(source, &ours, &theirs)).collect::<Vec<_>>()
    };
    let wanted = chosen.iter().flatten().collect::<BTreeSet<_>>();
    let wanted = wanted.into_iter().filter_map(|index| listed.get(*index));
    check_rights(wanted, Side::Target)?;
    let missing = sources.iter().zip(&chosen).filter(|(_, chosen)| chosen.is_none());
    let mut tables = has_tables(target, missing.map(|(source, _)| source)).await?.into_iter();
    let targets = chosen.into_iter().map(|chosen| match chosen.and_then(|index| listed.get(index)) {
        Some(found) => Ok(found.sequence.clone()),
        None if tables.next() == Some(false) => Err(Absent::NoTable),
        None => Err(Absent::Missing),
    });
    let targets = targets.collect::<Vec<_>>();
    Ok(sources.into_iter().zip(targets).collect())
}

/// The sequences of one side, by number, under what they can be found by.
#[derive(Default)]
struct Names<'a> {
    by_owner: BTreeMap<[&'a str; 3], Vec<usize>>,
    by_name: BTreeMap<[&'a str; 2], usize>,
}

impl<'a> Names<'a> {
    fn of(sequences: impl IntoIterator<Item = &'a Sequence>) -> Self {
        let mut names = Self::default();
        for (index, sequence) in sequences.into_iter().enumerate() {
            names.by_name.insert([&sequence.schema, &sequence.name], index);
            if let Some(owner) = &sequence.owner {
                names.by_owner.entry(owner.key()).or_default().push(index);
            }
        }
        names
    }

    fn owned_by<'b>(&'b self, owner: Option<&'b OwnerColumn>) -> &'b [usize] {
        owner.and_then(|owner| self.by_owner.get(&owner.key())).map_or(&[], Vec::as_slice)
    }
}

impl OwnerColumn {
    fn key(&self) -> [&str; 3] {
        [&self.schema, &self.table, &self.column]
    }
}

/// By the column that owns it, whatever it is called; else by name. A column may own more than one.
fn choose(source: &Sequence, ours: &Names<'_>, theirs: &Names<'_>) -> Option<usize> {
    let owner = source.owner.as_ref();
    let named = theirs.by_name.get(&[source.schema.as_str(), source.name.as_str()]).copied();
    match (ours.owned_by(owner), theirs.owned_by(owner)) {
        ([_], [only]) => Some(*only),
        _ => named,
    }
}

/// Of each sequence that a column owns, whether the target has the column's table; `true` of others.
async fn has_tables<'a>(
    target: &Client,
    sequences: impl Iterator<Item = &'a Sequence>,
) -> Result<Vec<bool>, Error> {
    let table = |owner: &OwnerColumn| text_literal(&qualified(&owner.schema, &owner.table));
    let asked = sequences.map(|sequence| match &sequence.owner {
        Some(owner) => format!("(pg_catalog.to_regclass({}) IS NOT NULL)", table(owner)),
        None => "(true)".to_owned(),
    });
    let asked = asked.collect::<Vec<_>>();
    if asked.is_empty() {
        return Ok(Vec::new());
    }
    let sql = format!("SELECT t.is_there FROM (VALUES {}) AS t (is_there)", asked.join(", "));
    let rows = target.query(&sql, &[]).await;
    let rows = rows.and_then(|rows| rows.iter().map(|row| row.try_get(0)).collect());
    rows.map_err(|error| sql_error(READING, error))
}

/// Where they are, in their order: in one round trip.
pub(super) async fn positions(client: &Client, sequences: &[&Sequence]) -> Result<Vec<Position>, Error> {
    let statements = sequences.chunks(AT_A_TIME).map(|some| {
        some.iter().fold(String::new(), |sql, sequence| {
            sql + "SELECT last_value, is_called FROM " + &sequence.to_string() + ";"
        })
    });
    let statements = statements.collect::<Vec<_>>();
    let answers = try_join_all(statements.iter().map(|sql| client.simple_query(sql))).await;
    let answers = answers.map_err(|error| sql_error(READING, error))?;
    let rows = answers.iter().flatten().filter_map(|message| match message {
        SimpleQueryMessage::Row(row) => Some((row.get(0), row.get(1))),
        _ => None,
    });
    let positions = rows.filter_map(|(last_value, is_called)| {
        Some(Position { last_value: last_value?.parse().ok()?, is_called: is_called? == "t" })
    });
    let positions = positions.collect::<Vec<_>>();
    if positions.len() != sequences.len() {
        let told = format!("{READING}: {} of {} told their position", positions.len(), sequences.len());
        return Err(Error::Protocol(told));
    }
    Ok(positions)
}

/// Sets them: in one round trip.
pub(super) async fn set(client: &Client, goals: &BTreeMap<u32, (i64, Position)>) -> Result<(), Error> {
    let goals = goals.iter().map(|(oid, (_, goal))| (oid, goal)).collect::<Vec<_>>();
    let statements = goals.chunks(AT_A_TIME).map(|some| {
        let mut values = String::new();
        for (oid, Position { last_value, is_called }) in some {
            let comma = if values.is_empty() { "" } else { ", " };
            // In quotes, because the lowest of all has no literal without.
            let _ = write!(
                values,
                "{comma}({oid}::pg_catalog.oid::pg_catalog.regclass, '{last_value}'::pg_catalog.int8, {is_called})"
            );
        }
        format!("SELECT pg_catalog.setval(s.id, s.value, s.is_called) FROM (VALUES {values}) AS s (id, value, is_called)")
    });
    let statements = statements.collect::<Vec<_>>();
    let set = try_join_all(statements.iter().map(|sql| client.simple_query(sql))).await;
    set.map(|_| ()).map_err(|error| sql_error("while setting sequences", error))
}
