//! Reads the bundled capture, or one that is named, as Rust types: `cargo run --example typed [CAPTURE]`.

use std::error::Error;
use std::fs::File;

use serde::Deserialize;
use walferry::capture::{Events, Reader};
use walferry::de::{Typed, TypedOld};
use walferry::{Change, Event, Field};

/// A row of `notes`. Text is borrowed from what was received.
#[derive(Debug, Deserialize)]
struct Note<'a> {
    id: i32,
    author: Option<&'a str>,
    body: Option<&'a str>,
    /// Large: an UPDATE that leaves it alone doesn't send it.
    scan: Field<Option<&'a str>>,
}

/// What is sent of a row that is deleted.
#[derive(Debug, Deserialize)]
struct Key {
    id: i32,
}

fn main() -> Result<(), Box<dyn Error>> {
    let bundled = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/captures/story.walferry");
    let path = std::env::args_os().nth(1).unwrap_or_else(|| bundled.into());
    for event in Events::new(Reader::new(File::open(path)?)?)? {
        if let Event::Change(change) = event?
            && change.relations().any(|table| table.name == "notes")
        {
            println!("{}", describe(&change)?);
        }
    }
    Ok(())
}

fn describe(change: &Change) -> Result<String, walferry::RowError> {
    Ok(match change.typed::<Note<'_>, Key>()? {
        Typed::Insert { new } => format!("note {} of {:?}: {:?}{}", new.id, new.author, new.body, scan(&new)),
        Typed::Update { old: Some(TypedOld::Key(old)), new } => format!("note {} is now {}", old.id, new.id),
        Typed::Update { new, .. } => format!("note {} is changed{}", new.id, scan(&new)),
        Typed::Delete { old: TypedOld::Key(Key { id }) } => format!("note {id} is gone"),
        other => format!("{other:?}"),
    })
}

fn scan(note: &Note<'_>) -> String {
    match note.scan {
        Field::Unchanged => ", its scan is what it was".to_owned(),
        Field::Value(None) => String::new(),
        Field::Value(Some(scan)) => format!(", with a scan of {} bytes", scan.len()),
    }
}
