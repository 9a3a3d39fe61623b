//! Rows that were once not found, or found twice.

use super::*;

#[test]
fn a_key_that_is_stored_out_of_line_stays_the_key_beside_an_identity_column() {
    let relation = relation(
        ReplicaIdentity::Default,
        vec![column("k", TEXT, -1, true), column("number", INT4, -1, false), column("v", TEXT, -1, false)],
    );
    let old = Some(OldRow::Key(row(&relation, [Text(b"long"), Null, Null])));
    let change = update(&relation, old, [Unchanged, Text(b"7"), Text(b"x")]);
    let found = sql_of(facts(&["number"], false), change).unwrap();
    assert_eq!(
        found,
        "UPDATE \"public\".\"t\" SET \"v\" = 'x' WHERE \"k\" = 'long'; :walferry_one_row\n\
         WITH old AS (DELETE FROM \"public\".\"t\" WHERE \"k\" = 'long' AND \"number\" <> '7' RETURNING *) \
         INSERT INTO \"public\".\"t\" (\"k\", \"number\", \"v\") OVERRIDING SYSTEM VALUE \
         SELECT old.\"k\", '7', 'x' FROM old;\n"
    );
}
