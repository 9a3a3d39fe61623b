//! What the server says that a value is.
//!
//! By the type's output function, and by its send function. That of a container names the types in it by number, and
//! the numbers of types that a user made differ from database to database: so containers of these are taken apart by
//! the server itself, down to what has the same number everywhere.
//!
//! One type says less in text than in its bytes: of a tsquery's equal operators in a row, which binds first. No text can
//! carry that, that of `pg_dump` neither, so what is compared is what the server reads in its own text.

use std::collections::HashMap;

use super::leaves::LEAVES;
use super::types::{Kind, Types};
use crate::support::sql::identifier;

const TSQUERY: &str = "tsquery";

/// Writes queries for one server.
#[derive(Debug)]
pub(super) struct Printer<'a> {
    types: &'a Types,
    /// Send functions by the names of the leaves.
    sends: HashMap<&'a str, &'a str>,
}

impl<'a> Printer<'a> {
    pub(super) fn new(types: &'a Types, sends: &'a str) -> Self {
        let pair = |line: &'a str| {
            let mut words = line.split('|');
            Some((words.next()?, words.nth(1)?))
        };
        Self { types, sends: sends.lines().filter_map(pair).collect() }
    }

    /// The text of a value, or NULL: a cast to text has its own ideas of inet, bpchar, bool and others.
    pub(super) fn text(value: &str) -> String {
        format!("CASE WHEN {value} IS NOT DISTINCT FROM NULL THEN NULL ELSE format('%s', {value}) END")
    }

    /// The bytes that a stream has to carry of a value, in hexadecimal: those of the send function, or of the text.
    pub(super) fn wire(&self, value: &str, number: usize, binary: bool) -> String {
        let found = self.types.get(number);
        let send = match &found.kind {
            _ if !binary => "",
            Kind::Leaf(leaf) if LEAVES[*leaf].has_no_binary_form() => "",
            Kind::Leaf(_) => return self.leaf(value, &found.name),
            Kind::Domain(base) => {
                let value = format!("({value})::{}", self.types.get(*base).name);
                return self.wire(&value, *base, true);
            }
            Kind::Enum(_) => "enum_send",
            Kind::Composite(_) => "record_send",
            Kind::Range { .. } => "range_send",
            Kind::Multirange(_) => "multirange_send",
            Kind::Array(_) => "array_send",
        };
        if send.is_empty() {
            return format!("encode(convert_to({}, 'UTF8'), 'hex')", Self::text(value));
        }
        format!("encode({send}({value}), 'hex')")
    }

    fn leaf(&self, value: &str, name: &str) -> String {
        match self.sends[name] {
            "-" => "'no binary form'".to_owned(),
            // refcursor
            "textsend" => format!("encode(textsend(({value})::text), 'hex')"),
            send => format!("encode({send}({value}), 'hex')"),
        }
    }

    /// The same of values that are the same, in any database of this server; NULL of NULL.
    pub(super) fn sent(&self, value: &str, number: usize, depth: usize) -> String {
        let found = self.types.get(number);
        if found.name == TSQUERY {
            return self.leaf(&format!("({value})::text::tsquery"), TSQUERY);
        }
        if self.is_the_same_everywhere(number) || matches!(found.kind, Kind::Enum(_)) {
            return self.wire(value, number, true);
        }
        let x = format!("x{depth}");
        let parts = match &found.kind {
            Kind::Leaf(_) | Kind::Enum(_) => return self.wire(value, number, true),
            Kind::Domain(base) => {
                return self.sent(&format!("({value})::{}", self.types.get(*base).name), *base, depth);
            }
            Kind::Composite(fields) => {
                let field = |(name, number): &(String, usize)| {
                    let field = format!("({x}).{}", identifier(name));
                    format!("coalesce({}, '-')", self.sent(&field, *number, depth + 1))
                };
                format!("concat_ws(',', {})", fields.iter().map(field).collect::<Vec<_>>().join(", "))
            }
            Kind::Range { subtype, .. } => {
                let [low, high] =
                    ["lower", "upper"].map(|end| self.sent(&format!("{end}({x})"), *subtype, depth + 1));
                format!(
                    "concat_ws(',', isempty({x}), lower_inc({x}), lower_inf({x}), upper_inc({x}), upper_inf({x}), \
                     coalesce({low}, '-'), coalesce({high}, '-'))"
                )
            }
            Kind::Multirange(range) => self.elements(&x, *range, depth),
            Kind::Array(element) => {
                let elements = self.elements(&x, *element, depth);
                format!("concat(array_dims({x}), {elements})")
            }
        };
        format!(
            "(SELECT concat('<', {parts}, '>') FROM (SELECT {value} AS {x} OFFSET 0) AS s{depth} \
             WHERE {x} IS DISTINCT FROM NULL)"
        )
    }

    fn elements(&self, x: &str, element: usize, depth: usize) -> String {
        let y = format!("y{depth}");
        format!(
            "(SELECT string_agg(coalesce({}, '-'), ',' ORDER BY i{depth}) FROM (SELECT {y}, row_number() OVER () AS i{depth} \
             FROM (SELECT unnest({x}) AS {y}) AS u{depth}) AS n{depth})",
            self.sent(&y, element, depth + 1)
        )
    }

    fn is_the_same_everywhere(&self, number: usize) -> bool {
        match &self.types.get(number).kind {
            Kind::Leaf(_) => self.types.get(number).name != TSQUERY,
            Kind::Array(element) => self.is_the_same_everywhere(*element),
            Kind::Range { .. } | Kind::Multirange(_) => !self.types.get(number).name.contains('.'),
            Kind::Enum(_) | Kind::Domain(_) | Kind::Composite(_) => false,
        }
    }
}
