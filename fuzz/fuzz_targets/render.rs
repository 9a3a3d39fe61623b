//! Any events: SQL or an error that leaves nothing behind, and JSON from which they can be read back.

#![no_main]

use arbitrary::{Result, Unstructured};
use libfuzzer_sys::fuzz_target;
use walferry::assemble::Assembler;
use walferry::catalog::{Catalog, TableFacts};
use walferry::event::Event;
use walferry::pgoutput::{Begin, Message};
use walferry::sink::json::{JsonErrorKind, Lines, Reader};
use walferry::sink::sql::Script;
use walferry::{Lsn, Timestamp, Xid};
use walferry_fuzz::generate::{RELATIONS, message, plain_relation, relation};

fuzz_target!(|input: &[u8]| {
    let mut u = Unstructured::new(input);
    let Ok(catalog) = catalog(&mut u) else { return };
    let (mut script, mut lines) = (Script::new(catalog), Lines::default());
    let mut assembler = Assembler::new();
    let begin = Begin { commit_lsn: Lsn::new(1), commit_time: Timestamp::from_micros(0), xid: Xid::new(1) };
    assembler.push(Message::Begin(begin)).expect("a transaction begins");
    for place in 0..RELATIONS.len() {
        assembler.push(Message::Relation(None, plain_relation(place))).expect("a relation");
    }
    while !u.is_empty() {
        // What can't stand in a transaction is refused, and skipped here.
        let Ok(message) = message(&mut u, false, false) else { return };
        let _ = assembler.push(message);
        while let Ok(Some(event)) = assembler.poll() {
            render(&mut script, &mut lines, &event);
        }
    }
});

fn catalog(u: &mut Unstructured<'_>) -> Result<Catalog> {
    // A relation's columns, so that some of the names are those that changes will have.
    let relation = relation(u)?;
    let identity_always = relation.columns.into_iter().map(|column| column.name).collect();
    let facts = TableFacts { identity_always, has_children: u.arbitrary()? };
    Ok([
        (relation.id, facts),
        (RELATIONS[1], TableFacts { identity_always: vec!["c0".into()], has_children: false }),
    ]
    .into_iter()
    .collect())
}

fn render(script: &mut Script, lines: &mut Lines, event: &Event) {
    let mut sql = Vec::new();
    script.event(&mut sql, event).err().map(|error| error.to_string());
    // Nothing, a preamble, or whole lines.
    assert!(sql.is_empty() || sql.ends_with(b"\n"));
    assert!(std::str::from_utf8(&sql).is_ok());

    let mut json = Vec::new();
    lines.event(&mut json, event).expect("every event has JSON");
    assert!(json.ends_with(b"\n"));
    for line in json.trim_ascii_end().split(|&byte| byte == b'\n') {
        let line: serde_json::Value = serde_json::from_slice(line).expect("a line is JSON");
        assert!(line["event"].is_string());
    }
    read_back(event);
}

/// A writer of its own announces the relations again.
fn read_back(event: &Event) {
    let mut json = Vec::new();
    Lines::default().event(&mut json, event).expect("every event has JSON");
    match Reader::new(json.as_slice()).next().expect("an event or an error") {
        Ok(read) => assert_eq!(read, *event),
        // Names are arbitrary here, and no server has two columns of the same.
        Err(error) => assert!(
            matches!(error.kind(), JsonErrorKind::Unexpected { member, .. } if member == "columns"),
            "{error}"
        ),
    }
}
