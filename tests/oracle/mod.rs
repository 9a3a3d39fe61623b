//! Random types, random values of them, and the server's own word on what they are.
#![allow(
    clippy::allow_attributes,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "test helpers fail the test by a panic"
)]

pub(crate) mod carry;
mod leaves;
mod print;
mod schema;
mod types;
mod values;

pub(crate) use schema::Schema;

/// For each type without a modifier, `NAME|SEND`: what it is called, and its send function, or `-`.
pub(crate) fn sends_query() -> String {
    let names = leaves::LEAVES.iter().map(|leaf| crate::support::sql::quoted(leaf.name)).collect::<Vec<_>>();
    format!(
        "SELECT concat_ws('|', name, t.typname, t.typsend) FROM unnest(ARRAY[{}]) AS names (name) \
         JOIN pg_type t ON t.oid = name::regtype ORDER BY t.oid",
        names.join(", ")
    )
}

/// The names of the built-in types that random tables have columns of, or can't have.
pub(crate) fn covered(sends: &str) -> Vec<String> {
    let leaves = sends.lines().map(|line| line.split('|').nth(1).expect("a name").to_owned());
    let mut names: Vec<_> =
        leaves.chain(leaves::NOT_IN_TABLES.iter().map(|name| (*name).to_owned())).collect();
    names.sort_unstable();
    names.dedup();
    names
}
