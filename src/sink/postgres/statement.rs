//! The statements for one table, as text.
//!
//! Every parameter has the target column's type, without a modifier: the server reads a value as it was sent, and the
//! assignment checks its length and scale, as it does with a literal.

use std::fmt::Write as _;

use super::plan::{Key, Plan, PlanColumn};
use super::progress;
use crate::sink::equality::Equality;
use crate::value::holds_object_names;

/// What tells statements for one table apart.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Shape {
    Copy {
        binary: bool,
    },
    Insert,
    /// Whether rows may be inserted.
    InsertNothing,
    /// One row. `nulls` are those among the columns by which it is found that are NULL.
    Update {
        set: Vec<usize>,
        nulls: Vec<bool>,
    },
    Delete {
        nulls: Vec<bool>,
    },
    /// Whether the row is there.
    Find {
        nulls: Vec<bool>,
    },
    /// A row in place of the old one. `new` are the columns that are given; only where these columns hold something else.
    Replace {
        new: Vec<usize>,
        if_other: Vec<usize>,
        nulls: Vec<bool>,
    },
    /// An UPDATE or DELETE of one row that fails if it doesn't change one.
    Sure(Box<Shape>),
    /// A change of one row that takes so many parameters, and the step of the progress, whose parameters follow; fails if
    /// it isn't one row and one step.
    Alone {
        change: Box<Shape>,
        parameters: usize,
    },
    /// Many rows by a unique key. `forms` say how each column's values are given.
    UpdateMany {
        set: Vec<usize>,
        forms: Vec<Form>,
    },
    InsertMany {
        forms: Vec<Form>,
    },
    DeleteMany {
        forms: Vec<Form>,
    },
    /// How many of the keys are there.
    CountMany {
        forms: Vec<Form>,
    },
}

/// How the values of one column are given for many rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Form {
    /// An array of the column's type.
    Array,
    /// An array of texts, each to be read as the column's type: where there is no array over it.
    Texts,
}

impl Plan {
    pub(super) fn sql(&self, shape: &Shape) -> String {
        let (only, target) = (self.only, self.target.as_str());
        match shape {
            Shape::Copy { binary } => {
                let columns = list(self.inserted(), |(_, column)| column.quoted.clone());
                let options = if *binary { " WITH (FORMAT binary)" } else { "" };
                format!("COPY {target} ({columns}) FROM STDIN{options}")
            }
            Shape::Insert => self.insert(),
            Shape::InsertNothing => {
                let columns = list(self.inserted(), |(_, column)| column.quoted.clone());
                let nothing = list(self.inserted(), |_| "NULL".to_owned());
                format!(
                    "INSERT INTO {target} ({columns}) OVERRIDING SYSTEM VALUE SELECT {nothing} WHERE false"
                )
            }
            Shape::Update { set, nulls } => {
                let assigned = list(
                    set.iter().filter_map(|index| self.columns.get(*index)).enumerate(),
                    |(at, column)| format!("{} = ${}::{}", column.quoted, at + 1, column.target.type_name),
                );
                let row = self.row_is(nulls, set.len());
                format!("UPDATE {only}{target} SET {assigned} WHERE {row}")
            }
            Shape::Delete { nulls } => format!("DELETE FROM {only}{target} WHERE {}", self.row_is(nulls, 0)),
            Shape::Find { nulls } => format!("SELECT FROM {only}{target} WHERE {}", self.row_is(nulls, 0)),
            Shape::Replace { new, if_other, nulls } => self.replace(new, if_other, nulls),
            Shape::Sure(change) => surely(&[self.sql(change)]),
            Shape::Alone { change, parameters } => {
                surely(&[self.sql(change), progress::advance(parameters + 1)])
            }
            Shape::UpdateMany { set, forms } => {
                let first = self.key.columns().len();
                let columns = set.iter().filter_map(|index| self.columns.get(*index));
                let assigned = list(columns.enumerate(), |(at, column)| {
                    format!("{} = {}", column.quoted, given(column, first + at, forms))
                });
                let (source, joined) = (self.unnest(&self.keyed(set), forms), self.joined(forms));
                format!("UPDATE {only}{target} AS t SET {assigned} FROM {source} WHERE {joined}")
            }
            Shape::InsertMany { forms } => {
                let inserted: Vec<usize> = self.inserted().map(|(index, _)| index).collect();
                let columns = list(self.inserted(), |(_, column)| column.quoted.clone());
                let values = list(self.inserted().enumerate(), |(at, (_, column))| given(column, at, forms));
                let source = self.unnest(&inserted, forms);
                format!(
                    "INSERT INTO {target} ({columns}) OVERRIDING SYSTEM VALUE SELECT {values} FROM {source}"
                )
            }
            Shape::DeleteMany { forms } => {
                let (source, joined) = (self.unnest(self.key.columns(), forms), self.joined(forms));
                format!("DELETE FROM {only}{target} AS t USING {source} WHERE {joined}")
            }
            Shape::CountMany { forms } => {
                let (source, joined) = (self.unnest(self.key.columns(), forms), self.joined(forms));
                format!("SELECT FROM {source} JOIN {only}{target} AS t ON {joined}")
            }
        }
    }

    fn insert(&self) -> String {
        let target = &self.target;
        if self.inserted().next().is_none() {
            return format!("INSERT INTO {target} DEFAULT VALUES");
        }
        let columns = list(self.inserted(), |(_, column)| column.quoted.clone());
        let values = list(self.inserted().enumerate(), |(at, (_, column))| parameter(column, at));
        // Tables without an identity column accept the override, too.
        format!("INSERT INTO {target} ({columns}) OVERRIDING SYSTEM VALUE VALUES ({values})")
    }

    /// No UPDATE may assign to a GENERATED ALWAYS identity. What isn't given is taken over from the row that goes.
    fn replace(&self, new: &[usize], if_other: &[usize], nulls: &[bool]) -> String {
        let (only, target) = (self.only, &self.target);
        let row = self.row_is(nulls, new.len());
        let mut condition = String::new();
        for column in if_other
            .iter()
            .filter_map(|index| Some((new.iter().position(|at| at == index)?, self.columns.get(*index)?)))
        {
            let (at, column) = column;
            _ = write!(condition, " AND {} <> {}", column.quoted, parameter(column, at));
        }
        let all = self.assignable.join(", ");
        let values = list(self.assignable.iter(), |name| {
            let given = new
                .iter()
                .position(|index| self.columns.get(*index).is_some_and(|column| column.quoted == *name));
            match given.and_then(|at| Some((at, self.columns.get(*new.get(at)?)?))) {
                Some((at, column)) => parameter(column, at),
                None => format!("old.{name}"),
            }
        });
        format!(
            "WITH old AS (DELETE FROM {only}{target} WHERE {row}{condition} RETURNING *) \
             INSERT INTO {target} ({all}) OVERRIDING SYSTEM VALUE SELECT {values} FROM old"
        )
    }

    /// The columns of the key, then others.
    fn keyed(&self, others: &[usize]) -> Vec<usize> {
        self.key.columns().iter().chain(others).copied().collect()
    }

    /// `(SELECT unnest($1::…) AS c0, unnest($2::…) AS c1) AS v`: so that no row is put aside before it is used.
    fn unnest(&self, columns: &[usize], forms: &[Form]) -> String {
        let columns = columns.iter().filter_map(|index| self.columns.get(*index)).enumerate();
        let arrays = list(columns, |(at, column)| {
            let array = match (forms.get(at), &column.target.array) {
                (Some(Form::Array), Some(array)) => array.name.as_str(),
                _ => "pg_catalog.text[]",
            };
            format!("pg_catalog.unnest(${}::{array}) AS c{at}", at + 1)
        });
        format!("(SELECT {arrays}) AS v")
    }

    fn joined(&self, forms: &[Form]) -> String {
        let Key::Unique(columns, operators) = &self.key else { return "false".to_owned() };
        let columns = columns.iter().filter_map(|index| self.columns.get(*index)).zip(operators).enumerate();
        let equal = columns.map(|(at, (column, operator))| {
            format!("t.{} {operator} {}", column.quoted, given(column, at, forms))
        });
        equal.collect::<Vec<_>>().join(" AND ")
    }

    /// The condition that matches the row alone. Columns that are not NULL take a parameter each, behind the first `before`.
    fn row_is(&self, nulls: &[bool], before: usize) -> String {
        let mut next = before;
        let conditions: Vec<String> = self
            .found_by()
            .enumerate()
            .map(|(at, (column, operator))| {
                if nulls.get(at).copied().unwrap_or(false) {
                    // Not `IS NULL`, which a composite of NULLs satisfies too.
                    return format!("{} IS NOT DISTINCT FROM NULL", column.quoted);
                }
                let number = next;
                next += 1;
                match operator {
                    Some(operator) => format!("{} {operator} {}", column.quoted, parameter(column, number)),
                    None => same_text(column, number),
                }
            })
            .collect();
        // A table without columns: any row is the row.
        let row = if conditions.is_empty() { "true".to_owned() } else { conditions.join(" AND ") };
        match &self.key {
            Key::None => "false".to_owned(),
            Key::Unique(..) | Key::Columns(_) => row,
            Key::Row => {
                let (only, target) = (self.only, &self.target);
                // One of several equal rows. A ctid is unique only inside one partition.
                format!("(tableoid, ctid) = (SELECT tableoid, ctid FROM {only}{target} WHERE {row} LIMIT 1)")
            }
        }
    }
}

/// Changes of one row each, as one statement. It fails if any of them changes none, or several: by a division, as there is
/// no assertion in SQL.
pub(super) fn surely(changes: &[String]) -> String {
    let parts = list(changes.iter().enumerate(), |(at, change)| format!("c{at} AS ({change} RETURNING 1)"));
    let is_one = |at| format!("(SELECT pg_catalog.count(*) FROM c{at}) = 1");
    let all = (0..changes.len()).map(is_one).collect::<Vec<_>>().join(" AND ");
    format!("WITH {parts} SELECT 1 / ({all})::pg_catalog.int4")
}

/// The same text: 1.0 is not 1.00, -0 is not 0, and json, xml and point have no equality at all.
fn same_text(column: &PlanColumn, at: usize) -> String {
    let (name, number) = (&column.quoted, at + 1);
    match Equality::of(&column.source) {
        Equality::Exact => format!("{name} = {}", parameter(column, at)),
        Equality::ExactInBytes => format!("{name} COLLATE \"C\" = {}", parameter(column, at)),
        // `format` prints with the type's output function, as the server does; casts to text differ for some. It prints
        // nothing for NULL.
        Equality::Other => {
            let printed = if holds_object_names(column.source.type_oid) {
                format!("pg_catalog.format('%s', {})", parameter(column, at))
            } else {
                format!("${number}::pg_catalog.text")
            };
            format!(
                "({name} IS DISTINCT FROM NULL AND pg_catalog.format('%s', {name}) COLLATE \"C\" = {printed})"
            )
        }
    }
}

fn parameter(column: &PlanColumn, at: usize) -> String {
    format!("${}::{}", at + 1, column.target.type_name)
}

/// A column of `unnest`, as the target's type.
fn given(column: &PlanColumn, at: usize, forms: &[Form]) -> String {
    match (forms.get(at), &column.target.array) {
        (Some(Form::Array), Some(_)) => format!("v.c{at}"),
        _ => format!("v.c{at}::{}", column.target.type_name),
    }
}

fn list<T>(items: impl Iterator<Item = T>, write: impl FnMut(T) -> String) -> String {
    items.map(write).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests;
