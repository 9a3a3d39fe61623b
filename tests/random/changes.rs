//! Transactions. A statement that the server refuses (a key that is there, an update without an identity) is part of
//! the game: psql rolls it back to a savepoint of its own and goes on.

use std::fmt::{self, Write as _};

use super::Random;
use super::schema::{Role, Schema, Table};

/// Transactions for the source.
pub(crate) fn stage(random: &mut Random, schema: &Schema) -> String {
    let mut script =
        String::from("\\set ON_ERROR_STOP off\n\\set ON_ERROR_ROLLBACK on\nSET extra_float_digits = 1;\n");
    for _ in 0..6 + random.below(20) {
        transaction(random, schema, &mut script);
    }
    script
}

fn transaction(random: &mut Random, schema: &Schema, script: &mut String) {
    let alone = random.one_in(4);
    if alone {
        return script.push_str(&statement(random, schema));
    }
    script.push_str("BEGIN;\n");
    let mut savepoints = 0;
    for _ in 0..random.below(14) {
        match random.below(12) {
            0 => {
                savepoints += 1;
                line(script, format_args!("SAVEPOINT s{savepoints};"));
            }
            1 if savepoints > 0 => {
                let back = 1 + random.below(savepoints);
                line(script, format_args!("ROLLBACK TO s{back};"));
                savepoints = back;
            }
            2 if savepoints > 0 => {
                line(script, format_args!("RELEASE s{savepoints};"));
                savepoints -= 1;
            }
            3 if random.one_in(2) => script.push_str(&undone(random, schema)),
            _ => script.push_str(&statement(random, schema)),
        }
    }
    script.push_str(if random.one_in(8) { "ROLLBACK;\n" } else { "COMMIT;\n" });
}

fn line(script: &mut String, line: fmt::Arguments<'_>) {
    writeln!(script, "{line}").expect("a String takes all");
}

fn statement(random: &mut Random, schema: &Schema) -> String {
    let table = &schema.tables[random.below(schema.tables.len())];
    match random.below(20) {
        8..=13 => update(random, table),
        14 | 15 => format!("DELETE FROM {} WHERE {};\n", table.name, some_rows(random, table)),
        16 => bulk(random, table),
        17 => exchange(random, table),
        18 if random.one_in(3) => truncate(random, schema),
        19 => format!("ANALYZE {};\n", table.name),
        _ => insert(random, table),
    }
}

fn columns(table: &Table) -> impl Iterator<Item = &super::schema::Column> {
    table.columns.iter().filter(|column| column.role != Role::Generated)
}

fn names(table: &Table) -> String {
    columns(table).map(|column| column.name.as_str()).collect::<Vec<_>>().join(", ")
}

fn insert(random: &mut Random, table: &Table) -> String {
    let rows: Vec<_> = (0..=random.below(4))
        .map(|_| {
            let values: Vec<_> = columns(table)
                .map(|column| match column.role {
                    Role::Plain => column.value(random),
                    _ if random.one_in(2) => column.value(random),
                    _ => "DEFAULT".into(),
                })
                .collect();
            format!("({})", values.join(", "))
        })
        .collect();
    let rows = rows.join(", ");
    format!(
        "INSERT INTO {} ({}) OVERRIDING SYSTEM VALUE VALUES {rows} ON CONFLICT DO NOTHING;\n",
        table.name,
        names(table)
    )
}

fn bulk(random: &mut Random, table: &Table) -> String {
    let values: Vec<_> = columns(table).map(|column| column.series(random)).collect();
    let (rows, values) = (1 + random.below(300), values.join(", "));
    format!(
        "INSERT INTO {} ({}) OVERRIDING SYSTEM VALUE SELECT {values} FROM generate_series(1, {rows}) g ON CONFLICT DO NOTHING;\n",
        table.name,
        names(table)
    )
}

/// A few rows, in an order of their own.
fn some_rows(random: &mut Random, table: &Table) -> String {
    let (salt, limit) = (random.below(1 << 20), random.pick(&["1", "1", "2", "3", "50"]));
    format!(
        "(tableoid, ctid) IN (SELECT tableoid, ctid FROM {} x ORDER BY md5(format('%s {salt}', x)), ctid LIMIT {limit})",
        table.name
    )
}

fn update(random: &mut Random, table: &Table) -> String {
    let mut set = Vec::new();
    let wanted = 1 + random.below(2);
    for _ in 0..wanted {
        let column = &table.columns[random.below(table.columns.len())];
        if !set.iter().any(|(name, _)| *name == &column.name) {
            let value = match column.role {
                Role::Always | Role::Generated => "DEFAULT".into(),
                _ if random.one_in(5) => column.name.clone(),
                _ => column.value(random),
            };
            set.push((&column.name, value));
        }
    }
    let set: Vec<_> = set.iter().map(|(name, value)| format!("{name} = {value}")).collect();
    format!("UPDATE {} SET {} WHERE {};\n", table.name, set.join(", "), some_rows(random, table))
}

/// Two keys change places through a third one.
fn exchange(random: &mut Random, table: &Table) -> String {
    let Some(key) = columns(table).find(|column| column.in_key && column.role == Role::Plain) else {
        return update(random, table);
    };
    let [a, b, c] = [key.value(random), key.value(random), key.value(random)];
    let (table, key) = (&table.name, &key.name);
    let step = |from: &str, to: &str| {
        format!(
            "UPDATE {table} SET {key} = {to} WHERE {key} = (SELECT {key} FROM {table} WHERE false UNION ALL SELECT {from});\n"
        )
    };
    [step(&a, &c), step(&b, &a), step(&c, &b)].concat()
}

fn truncate(random: &mut Random, schema: &Schema) -> String {
    let mut tables: Vec<_> = (0..=random.below(2))
        .map(|_| schema.tables[random.below(schema.tables.len())].name.as_str())
        .collect();
    tables.sort_unstable();
    tables.dedup();
    format!(
        "TRUNCATE {}{}{};\n",
        tables.join(", "),
        random.pick(&["", " RESTART IDENTITY"]),
        random.pick(&["", " CASCADE"])
    )
}

/// A table that looks different for a while.
fn undone(random: &mut Random, schema: &Schema) -> String {
    let table = &schema.tables[random.below(schema.tables.len())];
    let (name, insert) = (&table.name, insert(random, table));
    format!(
        "SAVEPOINT alter_table;\nALTER TABLE {name} ADD passing text DEFAULT 'x';\n{insert}{}ROLLBACK TO alter_table;\n{insert}",
        bulk(random, table)
    )
}
