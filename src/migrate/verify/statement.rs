//! The SQL that reads a table as hashes. Everything that both sides must do alike is here.

use super::Side;
use super::plan::{Column, Piece, TablePlan};
pub(super) use crate::quote::text::{identifier, literal, qualified as quoted};

/// How rows become numbers that are the same on both servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Hashing {
    /// By MD5 rather than the servers' own hash function.
    pub(super) md5: bool,
    /// Whether both sides have texts in different encodings, so that one must be agreed upon.
    pub(super) converts: bool,
    /// The encoding that is agreed upon and that keys are read in, as this side calls it for `convert_to`.
    pub(super) encoding: &'static str,
}

impl Hashing {
    /// A text that has the same bytes on both sides.
    fn prepared(self, text: &str) -> String {
        let text = if self.converts {
            format!("pg_catalog.encode(pg_catalog.convert_to({text}, '{}'), 'escape')", self.encoding)
        } else {
            text.to_owned()
        };
        if self.md5 { format!("pg_catalog.md5({text})") } else { text }
    }

    /// 64 bits of the hash of a prepared text. Each half takes others.
    ///
    /// A collation that takes different texts for equal would hash them alike: `C` doesn't.
    fn number(self, prepared: &str, half: Half) -> String {
        match (self.md5, half) {
            (false, _) => {
                let seed = half.seed();
                format!("pg_catalog.hashtextextended({prepared} COLLATE pg_catalog.\"C\", {seed})")
            }
            (true, Half::Second) => from_digits(&format!("pg_catalog.right({prepared}, 16)")),
            (true, Half::First | Half::Key) => from_digits(&format!("pg_catalog.left({prepared}, 16)")),
        }
    }
}

fn from_digits(digits: &str) -> String {
    format!("('x' || {digits})::pg_catalog.bit(64)::pg_catalog.int8")
}

#[derive(Debug, Clone, Copy)]
enum Half {
    First,
    Second,
    Key,
}

impl Half {
    /// Seeds other than 0, with which the function leaves a step out.
    fn seed(self) -> u8 {
        match self {
            Self::First => 1,
            Self::Second => 2,
            Self::Key => 3,
        }
    }
}

/// A part of a piece: rows in these blocks; none for all of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Blocks {
    pub(super) from: u64,
    /// None for "and whatever stands behind".
    pub(super) to: Option<u64>,
}

/// One line for each class of keys that has rows: class, rows, and the sum of each half of the rows' hashes.
///
/// Sums don't depend on the order of rows, and those of a table's parts add up to those of the table. `classes` is a power
/// of two.
pub(super) fn sums(
    table: &TablePlan,
    piece: &Piece,
    blocks: Option<Blocks>,
    classes: usize,
    hashing: Hashing,
) -> String {
    let place = blocks.map(|Blocks { from, to }| {
        let end = to.map_or_else(String::new, |to| format!(" AND ctid < '({to},0)'::pg_catalog.tid"));
        format!("ctid >= '({from},0)'::pg_catalog.tid{end}")
    });
    let hashes = hashes(table, piece, place.as_deref(), false, hashing);
    format!(
        "SELECT (k & {mask})::pg_catalog.int4, pg_catalog.count(*), pg_catalog.sum(a), pg_catalog.sum(b) \
         FROM ({hashes} OFFSET '0') AS h GROUP BY 1",
        mask = classes.saturating_sub(1)
    )
}

/// One line for each row in those classes, sorted by its three numbers: hash of the key, both halves of that of the row;
/// then each column of the key, as bytes.
pub(super) fn rows(
    table: &TablePlan,
    side: Side,
    classes: usize,
    wanted: &[usize],
    hashing: Hashing,
) -> String {
    let list: Vec<_> = wanted.iter().map(usize::to_string).collect();
    let class = format!("{} & {}", key_hash(table, hashing), classes.saturating_sub(1));
    let among = format!("({class})::pg_catalog.int4 = ANY('{{{}}}'::pg_catalog.int4[])", list.join(","));
    let parts: Vec<_> =
        table.pieces(side).iter().map(|piece| hashes(table, piece, Some(&among), true, hashing)).collect();
    if parts.is_empty() {
        return "SELECT 0 WHERE false".to_owned();
    }
    let mut columns = vec!["k, a, b".to_owned()];
    columns.extend((0..table.key.len()).map(|index| format!("k{index}")));
    let columns = columns.join(", ");
    format!("SELECT {columns} FROM ({}) AS h ORDER BY k, a, b", parts.join(" UNION ALL "))
}

/// The hashes of rows: `k` of the key, `a` and `b` of the row; and if they are to be shown, `k0` and so on of the key.
///
/// `OFFSET` keeps the planner from writing an expression out at each place where its result is used. As a literal of no
/// type it is known to be nothing early enough for workers to share the scan; the number 0 is not.
fn hashes(
    table: &TablePlan,
    piece: &Piece,
    restriction: Option<&str>,
    shows_key: bool,
    hashing: Hashing,
) -> String {
    let (first, second) = (hashing.number("r", Half::First), hashing.number("r", Half::Second));
    let mut texts = vec![format!("{} AS r", hashing.prepared(&row_text(table.columns.iter())))];
    let mut key = first.clone();
    if !table.key.is_empty() {
        texts.push(format!("{} AS t", hashing.prepared(&key_text(table))));
        key = hashing.number("t", Half::Key);
    }
    let mut numbers = vec![format!("{key} AS k, {first} AS a, {second} AS b")];
    for (index, column) in table.key_columns().enumerate().filter(|_| shows_key) {
        texts.push(format!("{} AS k{index}", shown_text(column, hashing)));
        numbers.push(format!("k{index}"));
    }
    let conditions: Vec<_> =
        piece.filter.as_deref().into_iter().chain(restriction).map(|one| format!("({one})")).collect();
    let conditions =
        if conditions.is_empty() { String::new() } else { format!("WHERE {}", conditions.join(" AND ")) };
    // Under the name by which the row filter may call it.
    let (name, alias) = (&piece.name, identifier(&table.table));
    format!(
        "SELECT {} FROM (SELECT {} FROM ONLY {name} AS {alias} {conditions} OFFSET '0') AS s",
        numbers.join(", "),
        texts.join(", ")
    )
}

/// The hash that puts a row into its class, from the columns themselves.
fn key_hash(table: &TablePlan, hashing: Hashing) -> String {
    if table.key.is_empty() {
        return hashing.number(&hashing.prepared(&row_text(table.columns.iter())), Half::First);
    }
    hashing.number(&hashing.prepared(&key_text(table)), Half::Key)
}

/// `concat` of one value is what its type prints; a cast may not be. Where the key is one column, that is cheaper.
fn key_text(table: &TablePlan) -> String {
    let mut columns = table.key_columns();
    match (columns.next(), columns.next()) {
        (Some(only), None) => format!("pg_catalog.concat({})", only.comparable()),
        _ => row_text(table.key_columns()),
    }
}

/// What distinguishes everything: fields are quoted, NULL is nothing and an empty text is `""`.
fn row_text<'a>(columns: impl Iterator<Item = &'a Column>) -> String {
    let columns: Vec<_> = columns.map(Column::comparable).collect();
    format!("ROW({})::pg_catalog.text", columns.join(", "))
}

/// `num_nulls`, because a composite of NULLs alone is `NULL` to `IS NULL`.
fn shown_text(column: &Column, hashing: Hashing) -> String {
    let name = identifier(&column.name);
    let bytes = format!("pg_catalog.convert_to(pg_catalog.concat({name}), '{}')", hashing.encoding);
    format!("CASE pg_catalog.num_nulls({name}) WHEN 0 THEN {bytes} END")
}

/// A check of nothing.
pub(super) const NOTHING: &str = "SELECT true";

/// Whether the pieces are still the files that they were in the snapshot, under the same names.
///
/// TRUNCATE and ALTER TABLE put another file in the table's place, and a snapshot from before then sees nothing in it, or
/// what it should not see. Right within a transaction that has read the pieces: its locks keep them as they are.
pub(super) fn unchanged(pieces: &[Piece]) -> String {
    let each: Vec<_> = pieces
        .iter()
        .map(|piece| {
            let file = piece.file.map_or_else(|| "NULL".to_owned(), |file| file.to_string());
            format!(
                "pg_catalog.pg_relation_filenode(pg_catalog.to_regclass({})) IS NOT DISTINCT FROM {file}",
                literal(&piece.name)
            )
        })
        .collect();
    if each.is_empty() { NOTHING.to_owned() } else { format!("SELECT {}", each.join(" AND ")) }
}
