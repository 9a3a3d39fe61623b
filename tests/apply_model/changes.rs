//! Transactions for the source. What the server refuses is rolled back to a savepoint there: that is part of the game.

use crate::schema::{Column, Role, Schema, Table, do_block};
use crate::support::Random;
use crate::support::sql::quoted;

/// What a transaction calls: `attempt` says whether it worked, and `undone` never does.
pub(crate) const FUNCTIONS: &str = r"
CREATE FUNCTION public.attempt(sql text) RETURNS bool LANGUAGE plpgsql AS $$
BEGIN EXECUTE sql; RETURN true; EXCEPTION WHEN OTHERS THEN RETURN false; END $$;
CREATE FUNCTION public.undone(sql text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN EXECUTE sql; RAISE 'undone'; EXCEPTION WHEN OTHERS THEN RETURN NULL; END $$;
";

#[derive(Debug)]
pub(crate) struct Changes<'a> {
    pub(crate) random: &'a mut Random,
    pub(crate) schema: &'a Schema,
    /// A file that the server may write.
    pub(crate) file: &'a str,
}

impl Changes<'_> {
    /// The first one: rows for every table.
    pub(crate) fn beginning(&mut self) -> String {
        let schema = self.schema;
        let mut script = String::from("BEGIN;\n");
        for table in &schema.tables {
            for _ in 0..=self.random.below(3) {
                let insert = self.insert(table);
                script += &attempt(&insert);
            }
        }
        script + "COMMIT;\n"
    }

    pub(crate) fn transaction(&mut self) -> String {
        if self.random.one_in(5) {
            return attempt(&self.statement());
        }
        let mut script = String::from("BEGIN;\n");
        for _ in 0..=self.random.below(7) {
            let statement = self.statement();
            let next = match self.random.below(14) {
                0 => format!("SELECT undone({});\n", quoted(&statement)),
                1 => format!("SELECT undone({});\n", quoted(&self.altered(&statement))),
                2 => {
                    format!("SELECT pg_logical_emit_message({}, 'prefix', 'it''s');\n", self.random.one_in(2))
                }
                _ => attempt(&statement),
            };
            script.push_str(&next);
        }
        script + if self.random.one_in(12) { "ROLLBACK;\n" } else { "COMMIT;\n" }
    }

    fn statement(&mut self) -> String {
        let table = &self.schema.tables[self.random.below(self.schema.tables.len())];
        if !table.can_change() {
            return if self.random.one_in(8) { self.truncate() } else { self.insert(table) };
        }
        match self.random.below(36) {
            0..=7 => self.insert(table),
            8..=14 => self.update(table),
            15 | 16 => self.delete(table),
            17 => self.upsert(table),
            18 => self.chain(table),
            19..=21 => self.exchange(table),
            22 | 23 => self.again_and_again(table),
            24 | 25 => self.delete_and_insert(table),
            26 => self.insert_and_delete(table),
            27 => self.copy(table),
            28 | 29 => self.duplicates(table),
            30 => self.unchanged(table),
            31 | 32 => self.reborn(table),
            33 => format!("ANALYZE {}", table.name),
            34 if self.random.one_in(2) => self.truncate(),
            _ => self.update_key(table),
        }
    }

    fn place<'a>(&mut self, table: &'a Table) -> &'a str {
        let places = table.places();
        places[self.random.below(places.len())]
    }

    fn given(&mut self, table: &Table) -> String {
        let value = |column: &Column| match column.role {
            Role::Plain => column.value(self.random),
            _ if self.random.one_in(2) => column.value(self.random),
            _ => "DEFAULT".into(),
        };
        let mut values: Vec<_> = table.columns.iter().filter(|column| column.is_given()).map(value).collect();
        let mut position = 0;
        for (nth, column) in table.columns.iter().enumerate() {
            if let Some(reference) = self.reference(table, nth) {
                values[position] = reference;
            }
            position += usize::from(column.is_given());
        }
        values.join(", ")
    }

    /// A row that is there, most of the time, for a column that refers to another table.
    fn reference(&mut self, table: &Table, column: usize) -> Option<String> {
        let (_, to, _) = table.references.iter().find(|(from, ..)| *from == column)?;
        let to = &self.schema.tables[*to];
        if self.random.one_in(5) {
            return None;
        }
        let (key, salt) = (to.names(&to.primary), self.random.below(1000));
        Some(format!("(SELECT {key} FROM {} ORDER BY md5({key}::text || {salt}) LIMIT 1)", to.name))
    }

    fn insert(&mut self, table: &Table) -> String {
        let rows: Vec<_> = (0..=self.random.below(4)).map(|_| format!("({})", self.given(table))).collect();
        let conflict = self.random.pick(&["", " ON CONFLICT DO NOTHING", " ON CONFLICT DO NOTHING"]);
        let place = self.place(table);
        format!(
            "INSERT INTO {place} ({}) OVERRIDING SYSTEM VALUE VALUES {}{conflict}",
            given_names(table),
            rows.join(", ")
        )
    }

    fn upsert(&mut self, table: &Table) -> String {
        if table.primary.is_empty() {
            return self.insert(table);
        }
        let (set, values) = (self.assignments(table, 2), self.given(table));
        format!(
            "INSERT INTO {} AS x ({}) OVERRIDING SYSTEM VALUE VALUES ({values}) ON CONFLICT ({}) DO UPDATE SET {set}",
            table.name,
            given_names(table),
            table.names(&table.primary)
        )
    }

    fn assignments(&mut self, table: &Table, up_to: usize) -> String {
        let mut columns = Vec::new();
        for _ in 0..=self.random.below(up_to) {
            let column = self.random.below(table.columns.len());
            if table.columns[column].is_given() && !columns.contains(&column) {
                columns.push(column);
            }
        }
        if columns.is_empty() {
            columns.push(0);
        }
        let set: Vec<_> = columns.into_iter().map(|column| self.assignment(table, column)).collect();
        set.join(", ")
    }

    fn assignment(&mut self, table: &Table, nth: usize) -> String {
        let column = &table.columns[nth];
        let value = match column.role {
            Role::Always | Role::Generated(..) => "DEFAULT".into(),
            _ if self.random.one_in(8) => format!("x.{}", column.name),
            _ if column.kind.is_integer() && self.random.one_in(3) => {
                format!("x.{} + {}", column.name, self.random.pick(&["1", "1", "2", "-1"]))
            }
            _ => match self.reference(table, nth) {
                Some(reference) => reference,
                None => column.value(self.random),
            },
        };
        format!("{} = {value}", column.name)
    }

    fn some(&mut self, table: &Table, of: &[&str]) -> String {
        let limit = self.random.pick(of);
        let order = self.order();
        format!(
            "(x.tableoid, x.ctid) IN (SELECT tableoid, ctid FROM {} y ORDER BY {order} LIMIT {limit})",
            table.name
        )
    }

    /// An order of rows `y` of its own.
    fn order(&mut self) -> String {
        format!("md5(y::text || {}), ctid", self.random.below(1000))
    }

    fn update(&mut self, table: &Table) -> String {
        let (set, rows) = (self.assignments(table, 2), self.some(table, &["1", "1", "2", "5", "50"]));
        format!("UPDATE {} x SET {set} WHERE {rows}", table.name)
    }

    fn update_key(&mut self, table: &Table) -> String {
        let constrained = table.constrained();
        let Some(&column) = constrained.get(self.random.below(constrained.len().max(1))) else {
            return self.update(table);
        };
        let (set, rows) = (self.assignment(table, column), self.some(table, &["1", "1", "1", "2", "50"]));
        format!("UPDATE {} x SET {set} WHERE {rows}", table.name)
    }

    fn delete(&mut self, table: &Table) -> String {
        let rows = self.some(table, &["1", "1", "2", "3", "50"]);
        format!("DELETE FROM {} x WHERE {rows}", table.name)
    }

    /// Updates of nothing.
    fn unchanged(&mut self, table: &Table) -> String {
        let column = &table.columns[0];
        let value = if column.role == Role::Plain { &column.name } else { "DEFAULT" };
        let rows = self.some(table, &["2", "50"]);
        format!("UPDATE {} x SET {} = {value} WHERE {rows}", table.name, column.name)
    }

    /// Each takes the place of the one above, from the top.
    fn chain(&mut self, table: &Table) -> String {
        let integers: Vec<_> = table
            .columns
            .iter()
            .filter(|column| column.role != Role::Always && column.is_given() && column.kind.is_integer())
            .collect();
        let Some(Column { name, .. }) = integers.get(self.random.below(integers.len().max(1))) else {
            return self.update(table);
        };
        let (direction, by) = if self.random.one_in(2) { ("DESC", "1") } else { ("ASC", "-1") };
        let table = &table.name;
        if self.random.one_in(4) {
            // In one statement: where the constraint can wait.
            return format!("UPDATE {table} SET {name} = {name} + ({by})");
        }
        do_block(&format!(
            "DECLARE r record; BEGIN
               FOR r IN SELECT tableoid t, ctid c FROM {table} y WHERE {name} IS NOT NULL ORDER BY {name} {direction} LIMIT 8 LOOP
                 UPDATE {table} SET {name} = {name} + ({by}) WHERE (tableoid, ctid) = (r.t, r.c);
               END LOOP;
             END"
        ))
    }

    /// Two rows take each other's values of a column or two.
    fn exchange(&mut self, table: &Table) -> String {
        let constrained = table.constrained();
        let nth = match constrained.get(self.random.below(constrained.len() + 1)) {
            Some(&column) => column,
            None => self.random.below(table.columns.len()),
        };
        let column = &table.columns[nth];
        if column.role == Role::Always || !column.is_given() {
            return self.update(table);
        }
        let (third, order, name, table) =
            (column.kind.value(self.random), self.order(), &column.name, &table.name);
        let first = match self.random.below(4) {
            // A third value stands between them, or nothing does: that is for constraints that can wait.
            0 | 1 => format!(
                "UPDATE {table} SET {name} = {third} WHERE (tableoid, ctid) = (a.t, a.c) RETURNING tableoid t, ctid c INTO STRICT m;"
            ),
            2 if !column.not_null => format!(
                "UPDATE {table} SET {name} = NULL WHERE (tableoid, ctid) = (a.t, a.c) RETURNING tableoid t, ctid c INTO STRICT m;"
            ),
            _ => "m := a;".into(),
        };
        do_block(&format!(
            "DECLARE a record; b record; m record; BEGIN
               SELECT tableoid t, ctid c, {name} v INTO STRICT a FROM {table} y ORDER BY {order} LIMIT 1;
               SELECT tableoid t, ctid c, {name} v INTO STRICT b FROM {table} y ORDER BY {order} LIMIT 1 OFFSET 1;
               {first}
               UPDATE {table} SET {name} = a.v WHERE (tableoid, ctid) = (b.t, b.c);
               UPDATE {table} SET {name} = b.v WHERE (tableoid, ctid) = (m.t, m.c);
             END"
        ))
    }

    /// One row, many times; in the end perhaps deleted.
    fn again_and_again(&mut self, table: &Table) -> String {
        let order = self.order();
        let mut updates = String::new();
        for _ in 0..2 + self.random.below(5) {
            let set = self.assignments(table, 2);
            updates.extend([format!(
                "UPDATE {} x SET {set} WHERE (tableoid, ctid) = (t, c) RETURNING x.tableoid, x.ctid INTO STRICT t, c;\n",
                table.name
            )]);
        }
        if self.random.one_in(4) {
            updates.extend([format!("DELETE FROM {} WHERE (tableoid, ctid) = (t, c);", table.name)]);
        }
        do_block(&format!(
            "DECLARE t oid; c tid; BEGIN
               SELECT tableoid, ctid INTO STRICT t, c FROM {} y ORDER BY {order} LIMIT 1;
               {updates}
             END",
            table.name
        ))
    }

    /// The same keys, at once.
    fn delete_and_insert(&mut self, table: &Table) -> String {
        let (rows, names, place) =
            (self.some(table, &["1", "1", "3", "50"]), given_names(table), &table.name);
        format!(
            "WITH gone AS (DELETE FROM {place} x WHERE {rows} RETURNING x.*)
             INSERT INTO {place} ({names}) OVERRIDING SYSTEM VALUE SELECT {names} FROM gone"
        )
    }

    /// A row that is deleted and comes again with its key and another value.
    fn reborn(&mut self, table: &Table) -> String {
        let again = self.delete_and_insert(table);
        let (update, name) = (self.assignments(table, 2), &table.name);
        let rows = self.some(table, &["1", "3"]);
        do_block(&format!(
            "BEGIN {again}; UPDATE {name} x SET {update} WHERE {rows}; {}; END",
            self.insert(table)
        ))
    }

    fn insert_and_delete(&mut self, table: &Table) -> String {
        let (names, values, name) = (given_names(table), self.given(table), &table.name);
        let update = if self.random.one_in(2) {
            let set = self.assignments(table, 2);
            format!(
                "UPDATE {name} x SET {set} WHERE (tableoid, ctid) = (t, c) RETURNING x.tableoid, x.ctid INTO STRICT t, c;"
            )
        } else {
            String::new()
        };
        do_block(&format!(
            "DECLARE t oid; c tid; BEGIN
               INSERT INTO {name} ({names}) OVERRIDING SYSTEM VALUE VALUES ({values}) RETURNING tableoid, ctid INTO STRICT t, c;
               {update}
               DELETE FROM {name} WHERE (tableoid, ctid) = (t, c);
             END"
        ))
    }

    fn copy(&mut self, table: &Table) -> String {
        let given: Vec<_> = table.columns.iter().filter(|column| column.is_given()).collect();
        let values: Vec<_> = given.iter().map(|column| column.kind.series(self.random)).collect();
        let (rows, file, names) = (1 + self.random.below(40), quoted(self.file), given_names(table));
        format!(
            "COPY (SELECT {} FROM generate_series(1, {rows}) g) TO {file}; COPY {} ({names}) FROM {file}",
            values.join(", "),
            table.name
        )
    }

    /// Rows once more: where nothing forbids it.
    fn duplicates(&mut self, table: &Table) -> String {
        if !table.constrained().is_empty() {
            return self.update_key(table);
        }
        let (names, order, limit) = (given_names(table), self.order(), self.random.pick(&["1", "3"]));
        format!(
            "INSERT INTO {} ({names}) OVERRIDING SYSTEM VALUE SELECT {names} FROM {} y ORDER BY {order} LIMIT {limit}",
            table.name, table.name
        )
    }

    fn truncate(&mut self) -> String {
        let tables = &self.schema.tables;
        let mut names: Vec<_> = (0..=self.random.below(2)).map(|_| self.random.below(tables.len())).collect();
        names.sort_unstable();
        names.dedup();
        let only =
            |table: &Table| if table.places().len() > 1 && self.random.one_in(2) { "ONLY " } else { "" };
        let mut only = only;
        let names: Vec<_> = names
            .into_iter()
            .map(|table| format!("{}{}", only(&tables[table]), tables[table].name))
            .collect();
        format!(
            "TRUNCATE {}{}{}",
            names.join(", "),
            self.random.pick(&["", " RESTART IDENTITY"]),
            self.random.pick(&["", " CASCADE"])
        )
    }

    /// A table that looks different for a while.
    fn altered(&mut self, statement: &str) -> String {
        let table = &self.schema.tables[self.random.below(self.schema.tables.len())].name;
        format!("ALTER TABLE {table} ADD passing text DEFAULT 'x'; {statement}")
    }
}

fn attempt(statement: &str) -> String {
    format!("SELECT attempt({});\n", quoted(statement))
}

fn given_names(table: &Table) -> String {
    let given = table.columns.iter().filter(|column| column.is_given());
    given.map(|column| column.name.as_str()).collect::<Vec<_>>().join(", ")
}
