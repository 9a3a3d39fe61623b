//! Values on their way into either form.

use super::*;

#[test]
fn the_name_of_an_object_is_refused_in_binary_and_written_from_text() {
    let cluster = source();
    cluster.psql("postgres", "ALTER TABLE t ADD about regclass; INSERT INTO t VALUES (1, NULL, 't')");
    let told = failure(up_to_now(&cluster).arg("--binary"));
    let expected = "table public.t, column about: a binary value of type pg_catalog.regclass that has no text here; \
                    ask the server for text, not binary: regclass: only its server can turn";
    assert!(told.contains(expected), "{told}");
    assert!(stdout(&run(&mut up_to_now(&cluster))).contains("VALUES ('1', NULL, 'public.t');"));
}

#[test]
fn binary_values_go_to_json_as_they_are() {
    let cluster = source();
    cluster.psql("postgres", "INSERT INTO t VALUES (258, 'null'), (2, NULL)");
    let json = stdout(&run(up_to_now(&cluster).args(["--binary", "--to", "json"])));
    let rows: Vec<_> = json
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).expect(line))
        .filter(|event| event["event"] == "insert")
        .map(|event| event["new"].clone())
        .collect();
    assert_eq!(
        rows,
        [
            serde_json::json!({"id": {"binary": "00000102"}, "body": {"binary": "6e756c6c"}}),
            serde_json::json!({"id": {"binary": "00000002"}, "body": null}),
        ]
    );
}

/// Unchanged TOAST became NULL: dbz#221, DBZ-7599, PeerDB #2092.
#[test]
fn museum_17_an_unchanged_value_is_neither_null_nor_absent() {
    for server in support::servers() {
        let cluster = server.start();
        prepare(&cluster);
        cluster.psql(
            "postgres",
            "ALTER TABLE t ADD note text; ALTER TABLE t ALTER body SET STORAGE EXTERNAL;
             INSERT INTO t VALUES (1, repeat('x', 3000), 'a'); UPDATE t SET note = 'null'",
        );
        let json = stdout(&run(up_to_now(&cluster).args(["--to", "json"])));
        let update = json.lines().find(|line| line.contains(r#""event":"update""#)).unwrap();
        let update: serde_json::Value = serde_json::from_str(update).unwrap();
        assert_eq!(
            update["new"],
            serde_json::json!({"id": "1", "body": {"unchanged": true}, "note": "null"})
        );
    }
}
