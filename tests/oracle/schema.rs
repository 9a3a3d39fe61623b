//! Tables with a column of every type, and what happens to their rows.

use std::fmt::Write as _;

use super::print::Printer;
use super::types::Types;
use crate::support::sql::identifier;
use crate::support::{Random, hostile};

/// What the sessions that make values and those that look at them have in common, whatever the database's settings.
pub(crate) const PINNED: &str =
    "SET client_min_messages = error; SET DateStyle = 'ISO'; SET IntervalStyle = 'postgres';
SET TimeZone = 'UTC'; SET extra_float_digits = 1; SET bytea_output = 'hex'; SET lc_monetary = 'C';
SET standard_conforming_strings = on; SET xmloption = 'content'; SET array_nulls = on;
SET quote_all_identifiers = off; SET search_path = pg_catalog;
";

const TABLES: usize = 3;
const ROWS: usize = 8;

#[derive(Debug)]
pub(crate) struct Schema {
    types: Types,
    tables: Vec<Table>,
    /// Whether there are columns with names of objects.
    pub(crate) names_objects: bool,
}

#[derive(Debug)]
struct Table {
    own_name: String,
    /// As SQL says it.
    name: String,
    columns: Vec<Column>,
    full_identity: bool,
}

#[derive(Debug)]
struct Column {
    name: String,
    type_number: usize,
}

impl Schema {
    pub(crate) fn new(random: &mut Random) -> Self {
        let mut types = Types::new(random, "\"Types of \\ 'it'\"");
        let mut tables: Vec<_> = (0..TABLES).map(|index| Table::new(random, index)).collect();
        let names_objects = random.one_in(2);
        for number in Types::leaves().chain(types.others()) {
            if types.names_objects(number) && !names_objects {
                continue;
            }
            tables[random.below(TABLES)].add(random, number);
            if types.can_have_array(number) && random.one_in(2) {
                let array = types.array_of(number);
                tables[random.below(TABLES)].add(random, array);
            }
        }
        Self { types, tables, names_objects }
    }

    /// What makes it, in every database.
    pub(crate) fn ddl(&self) -> String {
        let mut ddl = format!(
            "{PINNED}CREATE SCHEMA \"Types of \\ 'it'\";\nCREATE SCHEMA \"T.\"\"s\";\n{}",
            self.types.ddl()
        );
        for Table { name, columns, full_identity, .. } in &self.tables {
            let listed = columns.iter().fold(String::new(), |listed, column| {
                listed + &format!(",\n  {} {}", column.name, self.types.get(column.type_number).name)
            });
            let identity = if *full_identity { "FULL" } else { "DEFAULT" };
            writeln!(ddl, "CREATE TABLE {name} (id int PRIMARY KEY{listed});").expect("a String takes all");
            writeln!(ddl, "ALTER TABLE {name} REPLICA IDENTITY {identity};").expect("a String takes all");
            // What is stored out of line, and left alone by an UPDATE, is not sent again.
            writeln!(ddl, "ALTER TABLE {name} SET (toast_tuple_target = 128);").expect("a String takes all");
            for column in columns.iter().filter(|column| self.types.can_be_long(column.type_number)) {
                writeln!(ddl, "ALTER TABLE {name} ALTER {} SET STORAGE EXTERNAL;", column.name)
                    .expect("a String takes all");
            }
        }
        ddl
    }

    /// Rows are inserted, all are updated, some twice, and some deleted.
    pub(crate) fn changes(&self, random: &mut Random) -> String {
        let mut script = PINNED.to_owned();
        for table in &self.tables {
            let mut lines: Vec<_> = (0..ROWS).map(|id| self.insert(random, table, id)).collect();
            lines.extend((0..ROWS).map(|id| self.update(random, table, id)));
            lines.extend((0..ROWS).step_by(3).map(|id| self.update(random, table, id)));
            lines.push(format!("UPDATE {} SET id = id + 100 WHERE id = 1;\n", table.name));
            lines.push(format!("DELETE FROM {} WHERE id IN (3, 101);\n", table.name));
            for transaction in lines.chunks(5) {
                script.extend(["BEGIN;\n", &transaction.concat(), "COMMIT;\n"]);
            }
        }
        script
    }

    fn insert(&self, random: &mut Random, table: &Table, id: usize) -> String {
        let values = table.columns.iter().fold(String::new(), |values, column| {
            values + ",\n  " + &self.types.value(random, column.type_number)
        });
        format!("INSERT INTO {} VALUES ({id}{values});\n", table.name)
    }

    /// Most of the columns; the others stay what they were, large ones without being sent.
    fn update(&self, random: &mut Random, table: &Table, id: usize) -> String {
        let mut set = String::from("id = id");
        for column in &table.columns {
            if !random.one_in(5) {
                let value = self.types.value(random, column.type_number);
                write!(set, ",\n  {} = {value}", column.name).expect("a String takes all");
            }
        }
        format!("UPDATE {} SET {set}\nWHERE id = {id};\n", table.name)
    }

    /// A query for all that is in the tables, a line for each value: equal where the values are.
    pub(crate) fn contents(&self, sends: &str) -> String {
        let printer = Printer::new(&self.types, sends);
        self.each_value(|column, value| {
            let (number, label) = (column.type_number, &self.types.get(column.type_number).name);
            let label = crate::support::sql::quoted(&format!("{} {label}", column.name)).replace('\n', "\\n");
            let text = Printer::text(value);
            format!(
                "concat_ws(' ', {label}, to_json({text}), coalesce({}, 'NULL'))",
                printer.sent(value, number, 0)
            )
        })
    }

    /// A query for the bytes that a stream has to say of each value.
    pub(crate) fn on_the_wire(&self, sends: &str, binary: bool) -> String {
        let printer = Printer::new(&self.types, sends);
        self.each_value(|column, value| {
            format!("coalesce({}, 'NULL')", printer.wire(value, column.type_number, binary))
        })
    }

    /// `TABLE|ID|COLUMN|…` in that order, the columns counted from 1: the key is 0.
    fn each_value(&self, print: impl Fn(&Column, &str) -> String) -> String {
        let mut script = PINNED.to_owned();
        for (index, Table { name, columns, .. }) in self.tables.iter().enumerate() {
            let printed = columns.iter().enumerate().map(|(at, column)| {
                let value = format!("\"the row\".{}", column.name);
                format!("({}, {})", at + 1, print(column, &value))
            });
            let printed = printed.collect::<Vec<_>>().join(",\n  ");
            writeln!(
                script,
                "SELECT concat_ws('|', {index}, \"the row\".id, at, line) FROM {name} AS \"the row\",\n LATERAL \
                 (VALUES {printed}) AS printed (at, line) ORDER BY \"the row\".id, at;"
            )
            .expect("a String takes all");
        }
        script
    }

    /// Which table it is.
    pub(crate) fn position(&self, name: &str) -> usize {
        self.tables.iter().position(|table| table.own_name == name).expect("one of the tables")
    }
}

impl Table {
    fn new(random: &mut Random, index: usize) -> Self {
        let name = format!("{}{index}", hostile::cut(&hostile::name(random), 60));
        Self {
            name: format!("\"T.\"\"s\".{}", identifier(&name)),
            own_name: name,
            columns: Vec::new(),
            full_identity: random.one_in(2),
        }
    }

    fn add(&mut self, random: &mut Random, type_number: usize) {
        let name = format!("{}{}", hostile::cut(&hostile::name(random), 58), self.columns.len());
        self.columns.push(Column { name: identifier(&name), type_number });
    }
}
