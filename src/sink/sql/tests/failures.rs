//! What has no SQL, and what the sink does around the text.

use tokio::io::AsyncReadExt as _;

use super::*;

/// Changes that can't be written, and what the error names.
fn refused() -> Vec<(Change, &'static str)> {
    let keyless = relation(ReplicaIdentity::Nothing, vec![column("body", TEXT, -1, false)]);
    // More bytes than an integer has.
    let secret = Datum::Binary(b"secret");
    let insert = |datum| Change::Insert { new: row(&keyed(), [Text(b"secret"), datum, Null]) };
    let delete = |old| Change::Delete { old };
    vec![
        (insert(Unchanged), "table public.t, column body: the server left out a value"),
        (
            update(&keyed(), None, [secret, Text(b"secret"), Null]),
            "column id: a binary value of type pg_catalog.int4",
        ),
        (update(&keyed(), None, [Unchanged, Text(b"secret"), Null]), "column id: the server left out"),
        (update(&full(), None, [Text(b"secret"), Null, Null]), "public.t: the change doesn't tell which row"),
        (update(&keyless, None, [Text(b"secret")]), "public.t: the change doesn't tell which row"),
        (delete(OldRow::Key(row(&keyless, [Text(b"secret")]))), "the change doesn't tell which row"),
        (delete(OldRow::Key(row(&keyed(), [Unchanged, Null, Null]))), "column id: the server left out"),
        (delete(OldRow::Full(row(&full(), [secret, Text(b"secret"), Null]))), "column id: a binary value"),
    ]
}

#[test]
fn nothing_is_written_of_a_change_that_has_no_sql() {
    for (change, named) in refused() {
        let mut sql = b"before".to_vec();
        let error = begun(Catalog::default()).event(&mut sql, &Event::Change(change)).unwrap_err();
        assert_eq!(sql, b"before");
        assert!(error.to_string().contains(named), "{error}");
    }
}

#[test]
fn an_error_shows_no_value() {
    for (change, _) in refused() {
        let error = sql_of(Catalog::default(), change).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("secret"), "{error:?}");
    }
}

#[test]
fn a_reinsertion_that_fails_half_way_leaves_nothing() {
    // The beginning of a DELETE was written already.
    let old = OldRow::Key(row(&keyed(), [Unchanged, Null, Null]));
    let change = update(&keyed(), Some(old), [Text(b"2"), Text(b"x"), Null]);
    let mut sql = Vec::new();
    begun(facts(&["id"])).event(&mut sql, &Event::Change(change)).unwrap_err();
    assert_eq!(sql, b"");
}

#[test]
fn the_preamble_stands_once_and_first() {
    let (mut script, mut sql) = (Script::new(Catalog::default()), Vec::new());
    let (bad, _) = refused().swap_remove(0);
    script.event(&mut sql, &Event::Change(bad)).unwrap_err();
    let preamble = sql.clone();
    script.event(&mut sql, &message(true, "p", b"")).unwrap();
    let sql = String::from_utf8(sql).unwrap();
    assert!(sql.starts_with("-- PostgreSQL changes, for psql") && preamble.ends_with(b"\n\n"));
    assert_eq!(sql.matches("ON_ERROR_STOP on").count(), 1);
}

#[tokio::test]
async fn the_sink_writes_what_the_script_says() {
    let (writer, mut reader) = tokio::io::duplex(1 << 16);
    let mut sink = SqlSink::new(Output::writer(writer), Catalog::default());
    let events = [message(true, "a", b"1"), message(true, "b", b"2")];
    for event in &events {
        let mut batch = Batch::default();
        batch.push(event.clone());
        sink.write(batch).await.unwrap();
    }
    sink.flush().await.unwrap();
    drop(sink);
    let (mut script, mut expected) = (Script::new(Catalog::default()), Vec::new());
    for event in &events {
        script.event(&mut expected, event).unwrap();
    }
    let mut found = Vec::new();
    reader.read_to_end(&mut found).await.unwrap();
    assert_eq!(found, expected);
}
