//! A database that is hard to carry across: hostile names, hard types, every replica identity, every kind of change.
#![allow(dead_code, clippy::allow_attributes, reason = "each program that includes this uses a part of it")]

use walferry::stream::Streaming;

/// A publication whose name holds a quote, a comma and a capital, and one that publishes through partition roots.
pub(crate) const PUBLICATIONS: [&str; 3] = [r#"It's "all", Publication\"#, "inserts, only", "by_root"];

/// The ways in which a server of that version can send the workload: a name that a database and a slot may have.
pub(crate) fn variants(major: u32) -> Vec<(&'static str, Streaming)> {
    let mut variants = vec![("plain", Streaming::Off), ("streamed", Streaming::On)];
    if major >= 16 {
        variants.push(("parallel", Streaming::Parallel));
    }
    variants
}

/// Tables, for both sides.
pub(crate) const TABLES: &str = include_str!("tables.sql");

/// Publications, for the source.
pub(crate) const PUBLISH: &str = include_str!("publish.sql");

/// Changes, for the source.
pub(crate) const CHANGES: &str = include_str!("changes.sql");

/// Every table with its rows, each as the server prints it, in an order that depends on nothing else.
pub(crate) const CONTENTS: &str = include_str!("contents.sql");
