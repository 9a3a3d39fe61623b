//! Random tables, rows and mutations: what is reported is the difference that psql sees.

use std::collections::BTreeMap;

use walferry::migrate::verify::{DifferenceKind, RowKey, Verify};

use crate::pair::{Pair, Side};
use crate::support::sql::{identifier, quoted};
use crate::support::{self, Random, hostile};
use crate::types::{PRELUDE, TYPES, Type};

/// A table out of a seed.
struct Table {
    name: String,
    columns: Vec<(String, &'static Type)>,
    /// How many of the columns, from the first, are the key; none of a table without one.
    key: usize,
}

impl Table {
    fn new(random: &mut Random, seed: u64) -> Self {
        let key = random.below(3);
        let columns = (0..key.max(1) + random.below(4)).map(|at| {
            let of_key = |kind: &&Type| at >= key || kind.ordered && kind.values.len() > 3;
            let kinds: Vec<_> = TYPES.iter().filter(of_key).collect();
            (format!("{at} {}", hostile::cut(&hostile::name(random), 50)), kinds[random.below(kinds.len())])
        });
        let columns = columns.collect();
        Self { name: format!("{seed} {}", hostile::cut(&hostile::name(random), 40)), columns, key }
    }

    /// On the target the columns stand in another order, and no key is in force.
    fn create(&self, is_source: bool) -> String {
        let mut columns: Vec<_> =
            self.columns.iter().map(|(name, kind)| format!("{} {}", identifier(name), kind.name)).collect();
        if is_source && self.key > 0 {
            let key: Vec<_> = self.columns[..self.key].iter().map(|(name, _)| identifier(name)).collect();
            columns.push(format!("PRIMARY KEY ({})", key.join(", ")));
        }
        if !is_source {
            columns.reverse();
        }
        format!("CREATE TABLE {} ({})", identifier(&self.name), columns.join(", "))
    }

    fn row(&self, random: &mut Random) -> Vec<String> {
        let value = |(at, (_, kind)): (usize, &(String, &Type))| {
            if at >= self.key && random.one_in(5) {
                return "NULL".to_owned();
            }
            format!("{}::{}", quoted(random.pick(kind.values)), kind.name)
        };
        self.columns.iter().enumerate().map(value).collect()
    }

    fn insert(&self, row: &[String]) -> String {
        let names: Vec<_> = self.columns.iter().map(|(name, _)| identifier(name)).collect();
        format!(
            "INSERT INTO {} ({}) SELECT {} ON CONFLICT DO NOTHING;",
            identifier(&self.name),
            names.join(", "),
            row.join(", ")
        )
    }

    /// Changes one row, whichever it is, or a few that are equal, or adds one.
    fn mutate(&self, random: &mut Random) -> String {
        let name = identifier(&self.name);
        let skip = random.below(12);
        let one = format!("WHERE ctid = (SELECT ctid FROM {name} OFFSET {skip} LIMIT 1)");
        match random.below(4) {
            0 => format!("DELETE FROM {name} {one};"),
            1 => format!("INSERT INTO {name} SELECT * FROM {name} {one};"),
            2 => self.insert(&self.row(random)),
            _ => {
                let at = random.below(self.columns.len());
                let value = self.row(random).swap_remove(at);
                format!("UPDATE {name} SET {} = {value} {one};", identifier(&self.columns[at].0))
            }
        }
    }

    /// Every row's key and contents, as psql has them, and how often.
    fn contents(&self, side: &Side) -> BTreeMap<(String, String), u64> {
        let hex = |text: String| format!("encode(convert_to({text}, 'UTF8'), 'hex')");
        let texts: Vec<_> = self.columns.iter().map(|(name, _)| identifier(name)).collect();
        let key: Vec<_> = texts[..self.key].iter().map(|name| hex(format!("format('%s', {name})"))).collect();
        let key = if key.is_empty() {
            "''::text".to_owned()
        } else {
            format!("concat_ws(',', {})", key.join(", "))
        };
        let row = hex(format!("ROW({})::text", texts.join(", ")));
        let rows = side.run(&format!(
            "SET TimeZone = 'UTC'; SET search_path = pg_catalog; SET lc_monetary = 'C'; SET extra_float_digits = 3;
             SELECT {key} || '|' || {row} || '|' || count(*) FROM public.{} GROUP BY {key}, {row}",
            identifier(&self.name)
        ));
        let line = |line: &str| {
            let fields: Vec<_> = line.split('|').collect();
            ((fields[0].to_owned(), fields[1].to_owned()), fields[2].parse().expect("a count"))
        };
        rows.lines().map(line).collect()
    }

    /// The differences as psql sees them: by key, sorted.
    fn expected(&self, pair: &Pair) -> Vec<String> {
        let (source, target) = (self.contents(&pair.source), self.contents(&pair.target));
        let mut rows: BTreeMap<&(String, String), (u64, u64)> = BTreeMap::new();
        for (row, count) in &source {
            rows.entry(row).or_default().0 = *count;
        }
        for (row, count) in &target {
            rows.entry(row).or_default().1 = *count;
        }
        let mut lines = Vec::new();
        let mut lone: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
        for ((key, row), (source, target)) in rows {
            if source != target && source.max(target) > 1 {
                lines.push(format!("{key} {source}:{target}"));
            } else if source != target {
                // Without a key, no row is another one's counterpart.
                let counts = lone.entry(if self.key == 0 { row } else { key }).or_default();
                *counts = (counts.0 + source, counts.1 + target);
            }
        }
        for (key, (source, target)) in lone {
            let key = if self.key == 0 { "" } else { key };
            let pairs = source.min(target);
            let kinds = [("Differs", pairs), ("Missing", source - pairs), ("Extra", target - pairs)];
            for (kind, count) in kinds {
                lines.extend((0..count).map(|_| format!("{key} {kind}")));
            }
        }
        lines.sort();
        lines
    }
}

fn found(table: &walferry::migrate::verify::TableReport) -> Vec<String> {
    let hex = |text: &str| text.bytes().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat();
    let line = |difference: &walferry::migrate::verify::Difference| {
        let key = match &difference.key {
            RowKey::Columns(columns) => {
                let values = columns.iter().map(|(_, value)| hex(value.as_deref().unwrap_or("")));
                values.collect::<Vec<_>>().join(",")
            }
            _ => String::new(),
        };
        match difference.kind {
            DifferenceKind::Duplicated { source, target } => format!("{key} {source}:{target}"),
            kind => format!("{key} {kind:?}"),
        }
    };
    let mut lines: Vec<_> = table.differences.iter().map(line).collect();
    lines.sort();
    lines
}

#[test]
fn random_mutations_of_random_tables_are_reported_as_psql_sees_them() {
    let (oldest, newest) = (support::oldest(), support::newest());
    let pair = Pair::new(&oldest, &newest, "random", PRELUDE);
    let runtime = crate::runtime();
    let mut differences = 0;
    support::for_each_seed(60, 3000, |seed| {
        let mut random = Random::new(seed);
        let table = Table::new(&mut random, seed);
        let rows: Vec<_> = (0..random.below(40)).map(|_| table.insert(&table.row(&mut random))).collect();
        let mutations =
            |random: &mut Random| -> String { (0..random.below(5)).map(|_| table.mutate(random)).collect() };
        pair.source.run(&format!("{};{}", table.create(true), rows.concat()));
        pair.target.run(&format!("{};", table.create(false)));
        copy(&table, &pair);
        // What the source's key refuses is no change.
        let _ = pair.source.cluster.try_psql(&pair.source.database, &mutations(&mut random));
        pair.target.run(&mutations(&mut random));
        let mut verify = Verify::new().only([("public", &*table.name)]).max_keys(1000);
        if random.one_in(2) {
            verify = verify.chunk_bytes(1);
        }
        if random.one_in(3) {
            verify = verify.md5();
        }
        let report = runtime.block_on(pair.compare(&verify));
        let expected = table.expected(&pair);
        assert_eq!(found(&report.tables[0]), expected, "{:?}", table.columns);
        assert_eq!(report.is_equal(), expected.is_empty());
        let count = |side| table.contents(side).values().sum::<u64>();
        assert_eq!(report.tables[0].rows_source, count(&pair.source));
        assert_eq!(report.tables[0].rows_target, count(&pair.target));
        differences += expected.len();
        pair.both(&format!("DROP TABLE {}", identifier(&table.name)));
    });
    assert!(differences > 0, "some seeds differ");
}

/// The source's rows, by psql and COPY.
fn copy(table: &Table, pair: &Pair) {
    let names: Vec<_> = table.columns.iter().map(|(name, _)| identifier(name)).collect();
    let (name, names) = (identifier(&table.name), names.join(", "));
    let data = pair.source.run(&format!("COPY {name} ({names}) TO STDOUT"));
    if !data.is_empty() {
        pair.target.run(&format!("COPY {name} ({names}) FROM STDIN;\n{data}\n\\.\n"));
    }
}
