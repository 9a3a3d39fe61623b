//! What there is to be compared: tables, their columns, their key, and the relations that hold their rows on each side.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use tokio_postgres::Client;

use super::lookup::{self, Attribute, Catalogue, Name, Published};
use super::report::Proven;
use super::statement::{Blocks, identifier};
use super::{Side, Verify};
use crate::error::Error;

/// One table, as it is compared.
#[derive(Debug)]
pub(super) struct TablePlan {
    pub(super) schema: String,
    pub(super) table: String,
    /// In the source's order.
    pub(super) columns: Vec<Column>,
    /// Indexes into the columns; empty without a key.
    pub(super) key: Vec<usize>,
    pub(super) source: Vec<Piece>,
    pub(super) target: Vec<Piece>,
}

#[derive(Debug, Clone)]
pub(super) struct Column {
    pub(super) name: String,
    /// What is put behind it for comparing: nothing, or a cast.
    pub(super) cast: &'static str,
}

/// A relation that holds rows of a table: itself, or one of its partitions.
#[derive(Debug, Clone)]
pub(super) struct Piece {
    /// Quoted, with its schema.
    pub(super) name: String,
    /// Only these rows.
    pub(super) filter: Option<String>,
    /// The number of its file; none of what has no file.
    pub(super) file: Option<u32>,
    /// How many blocks it has; none if it can't be read by blocks.
    pub(super) blocks: Option<u64>,
    /// What it takes, large values included.
    pub(super) bytes: u64,
    /// About how many rows it has, if the server knows.
    pub(super) rows: Option<u64>,
}

/// A class is what is listed if one row in it differs: it needs no fewer rows, nor fewer bytes.
const ROWS_A_CLASS: u64 = 64;
const BYTES_A_CLASS: u64 = 64 << 10;

/// As many sums are kept of each side of a table, 40 bytes each.
const MOST_CLASSES: u64 = 1 << 14;

impl Column {
    pub(super) fn comparable(&self) -> String {
        format!("{}{}", identifier(&self.name), self.cast)
    }
}

impl Piece {
    /// Ranges of blocks that cover it, of which the last is open; one of all for what is small or can't be divided.
    pub(super) fn chunks(&self, chunk_bytes: u64) -> Vec<Option<Blocks>> {
        let Some(blocks) = self.blocks.filter(|_| self.bytes > chunk_bytes) else { return vec![None] };
        let count = self.bytes.div_ceil(chunk_bytes.max(1)).min(blocks.max(1));
        let step = blocks.div_ceil(count).max(1);
        (0..count)
            .map(|at| {
                let to = (at + 1 < count).then_some((at + 1) * step);
                Some(Blocks { from: at * step, to })
            })
            .collect()
    }
}

impl TablePlan {
    pub(super) fn key_columns(&self) -> impl Iterator<Item = &Column> {
        self.key.iter().filter_map(|index| self.columns.get(*index))
    }

    pub(super) fn pieces(&self, side: Side) -> &[Piece] {
        match side {
            Side::Source => &self.source,
            Side::Target => &self.target,
        }
    }

    pub(super) fn bytes(&self) -> u64 {
        self.source.iter().chain(&self.target).map(|piece| piece.bytes).sum()
    }

    /// How many classes of keys are told apart: a power of two.
    pub(super) fn classes(&self) -> usize {
        let of = |pieces: &[Piece]| {
            let bytes: u64 = pieces.iter().map(|piece| piece.bytes).sum();
            // A table that was never analysed: rows of a hundred bytes.
            let rows: u64 = pieces.iter().map(|piece| piece.rows.unwrap_or(piece.bytes / 100)).sum();
            (rows / ROWS_A_CLASS).max(rows.min(bytes / BYTES_A_CLASS))
        };
        let classes = of(&self.source).max(of(&self.target));
        usize::try_from(classes.clamp(1, MOST_CLASSES).next_power_of_two()).unwrap_or(1)
    }
}

/// What is to be compared, and what is left out, since it was proven before.
#[derive(Debug)]
pub(super) struct Plan {
    /// The largest first.
    pub(super) tables: Vec<TablePlan>,
    pub(super) proven: Vec<Proven>,
}

/// Looks at both sides. Everything that keeps a table from being compared is told at once, before the work begins.
pub(super) async fn make(
    verify: &Verify,
    proven: Vec<Proven>,
    publication: &str,
    source: &Client,
    target: &Client,
) -> Result<Plan, Error> {
    let published = published(publication, source, target).await?;
    let (proven, wanted) = choose(verify, proven, publication, published)?;
    let target_oids = lookup::relations(target, wanted.iter().map(Published::name)).await?;
    let sides = (
        Catalogue::read(source, wanted.iter().map(|one| one.oid), Side::Source).await?,
        Catalogue::read(target, target_oids.values().copied(), Side::Target).await?,
    );
    let mut problems = Vec::new();
    let mut tables = Vec::new();
    for one in wanted {
        match target_oids.get(&one.name()) {
            None => problems.push(format!("the target has no table {}.{}", one.schema, one.table)),
            Some(oid) => tables.push(table(one, *oid, &sides, &mut problems)),
        }
    }
    if !problems.is_empty() {
        let mend = "give the target the tables and columns that are published, as they are on the source";
        return Err(Error::Precondition { problem: listed(&problems), mend: mend.to_owned() });
    }
    tables.sort_by_key(|table| std::cmp::Reverse(table.bytes()));
    Ok(Plan { tables, proven })
}

/// What the publication publishes; partitions under the name of their root where they can be compared together.
async fn published(publication: &str, source: &Client, target: &Client) -> Result<Vec<Published>, Error> {
    let Some(published) = lookup::published(source, publication).await? else {
        return Err(Error::Precondition {
            problem: format!("the source has no publication {}", identifier(publication)),
            mend: "name the publication that the migration follows".to_owned(),
        });
    };
    let whole: Vec<_> = published.iter().filter(|one| one.is_whole()).map(|one| one.oid).collect();
    let roots = lookup::whole_roots(source, &whole).await?;
    let there = lookup::relations(target, roots.values().map(Published::name)).await?;
    // By name, because all partitions of a root lead to the same one.
    let mut found = BTreeMap::new();
    for one in published {
        let root = roots.get(&one.oid).filter(|root| there.contains_key(&root.name()));
        let one = root.cloned().unwrap_or(one);
        found.insert(one.name(), one);
    }
    Ok(found.into_values().collect())
}

/// Those to be left out, and those to be compared.
fn choose(
    verify: &Verify,
    mut proven: Vec<Proven>,
    publication: &str,
    published: Vec<Published>,
) -> Result<(Vec<Proven>, Vec<Published>), Error> {
    let names: BTreeSet<_> = published.iter().map(Published::name).collect();
    let unknown = verify.only.iter().flatten().find(|name| !names.contains(name));
    if let Some((schema, table)) = unknown {
        return Err(Error::Precondition {
            problem: format!("the publication {} has no table {schema}.{table}", identifier(publication)),
            mend: "name tables that are published, as the source has them".to_owned(),
        });
    }
    let is_wanted =
        |name: &Name| names.contains(name) && verify.only.as_ref().is_none_or(|only| only.contains(name));
    proven.retain(|one| is_wanted(&one.name()));
    proven.sort();
    let left_out: BTreeSet<_> = proven.iter().map(Proven::name).collect();
    let wanted: Vec<_> = published
        .into_iter()
        .filter(|one| is_wanted(&one.name()) && !left_out.contains(&one.name()))
        .collect();
    if proven.is_empty() && wanted.is_empty() {
        return Err(Error::Precondition {
            problem: format!("the publication {} has no tables", identifier(publication)),
            mend: "add the tables that are to be compared".to_owned(),
        });
    }
    Ok((proven, wanted))
}

/// How one table is compared.
fn table(one: Published, oid: u32, sides: &(Catalogue, Catalogue), problems: &mut Vec<String>) -> TablePlan {
    let (source, target) = sides;
    let there: HashMap<_, _> =
        target.attributes(oid).iter().map(|attribute| (&*attribute.name, attribute)).collect();
    let mut columns = Vec::new();
    let mut key: Vec<Option<(i64, usize)>> = Vec::new();
    for attribute in source.attributes(one.oid) {
        let is_published = one.publishes(&attribute.name);
        let Some(other) = there.get(&*attribute.name).filter(|_| is_published) else {
            // A key of which a part isn't compared is none.
            key.extend(attribute.key_position.map(|_| None));
            if is_published && !attribute.is_generated {
                let column = identifier(&attribute.name);
                problems.push(format!("the target's {}.{} has no column {column}", one.schema, one.table));
            }
            continue;
        };
        key.extend(attribute.key_position.map(|position| Some((position, columns.len()))));
        columns.push(Column { name: attribute.name.clone(), cast: cast(attribute, other) });
    }
    let mut key: Vec<_> = key.into_iter().collect::<Option<_>>().unwrap_or_default();
    key.sort_unstable();
    let mut pieces = source.pieces(one.oid);
    for piece in &mut pieces {
        piece.filter.clone_from(&one.filter);
    }
    TablePlan {
        schema: one.schema,
        table: one.table,
        columns,
        key: key.into_iter().map(|(_, index)| index).collect(),
        source: pieces,
        target: target.pieces(oid),
    }
}

/// `"char"` beyond ASCII is printed otherwise from 15 on than before: its number is not.
fn cast(source: &Attribute, target: &Attribute) -> &'static str {
    const CHAR: u32 = 18;
    const CHARS: u32 = 1002;
    match (source.type_oid, target.type_oid) {
        (CHAR, CHAR) => "::pg_catalog.int4",
        (CHARS, CHARS) => "::pg_catalog.int4[]",
        _ => "",
    }
}

/// The first of them: a target that has nothing at all has too many.
fn listed(problems: &[String]) -> String {
    const MANY: usize = 20;
    let mut text: Vec<_> = problems.iter().take(MANY).cloned().collect();
    if let Some(more) = problems.len().checked_sub(MANY).filter(|more| *more > 0) {
        text.push(format!("and {more} more such things"));
    }
    text.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHUNK: u64 = 1 << 20;

    fn piece(blocks: Option<u64>, bytes: u64) -> Piece {
        Piece { name: "t".to_owned(), filter: None, file: Some(1), blocks, bytes, rows: None }
    }

    #[test]
    fn chunks_cover_every_block_once_and_the_last_is_open() {
        for (blocks, bytes) in
            [(1, CHUNK + 1), (7, CHUNK * 3 + 1), (65_536, CHUNK * 2), (100_000, CHUNK * 1000), (0, CHUNK * 2)]
        {
            let chunks: Vec<_> = piece(Some(blocks), bytes).chunks(CHUNK).into_iter().flatten().collect();
            assert!(!chunks.is_empty());
            let mut next = 0;
            for chunk in &chunks {
                assert_eq!(chunk.from, next, "{blocks} blocks, {bytes} bytes");
                next = chunk.to.unwrap_or(u64::MAX);
            }
            assert_eq!(next, u64::MAX, "{blocks} blocks, {bytes} bytes");
        }
    }

    #[test]
    fn what_is_small_or_has_no_blocks_is_read_at_once() {
        assert_eq!(piece(Some(10), CHUNK).chunks(CHUNK), [None]);
        assert_eq!(piece(None, CHUNK * 9).chunks(CHUNK), [None]);
    }

    #[test]
    fn classes_are_a_power_of_two_that_fits_the_rows() {
        for (bytes, classes) in [(0, 1), (100 * 64, 1), (100 * 6400, 128), (u64::MAX / 2, 1 << 14)] {
            let table = TablePlan {
                schema: "s".to_owned(),
                table: "t".to_owned(),
                columns: Vec::new(),
                key: Vec::new(),
                source: vec![piece(None, bytes)],
                target: Vec::new(),
            };
            assert_eq!(table.classes(), classes, "{bytes}");
        }
    }
}
