//! Rows that were once not found, or found twice.

use super::*;

#[test]
fn an_index_other_than_the_primary_keys_also_compares_the_text() {
    // `code text COLLATE ci NOT NULL`, whose index has another collation and holds both 'a' and 'A'.
    let relation = relation(
        ReplicaIdentity::Index,
        vec![column("code", TEXT, -1, true), column("n", INT4, -1, true), column("v", TEXT, -1, false)],
    );
    let old = OldRow::Key(row(&relation, [Text(b"a"), Text(b"1"), Null]));
    assert_eq!(
        sql(Change::Delete { old }),
        "DELETE FROM :walferry_only_16384 \"public\".\"t\" WHERE \"code\" = 'a' AND \"code\" COLLATE \"C\" = 'a' AND \"n\" = '1'; :walferry_one_row\n"
    );
}

#[test]
fn values_that_may_hold_names_of_objects_are_printed_by_the_target() {
    const REGCLASS_ARRAY: u32 = 2210;
    for type_oid in [REGCLASS_ARRAY, 16_500] {
        let relation = relation(ReplicaIdentity::Full, vec![column("c", type_oid, -1, true)]);
        let old = OldRow::Full(row(&relation, [Text(b"{public.t}")]));
        let typed = r#"(SELECT "c" FROM :walferry_only_16384 "public"."t" WHERE false UNION ALL SELECT '{public.t}')"#;
        let found = sql(Change::Delete { old });
        let expected = format!(r#"WHERE format('%s', "c") COLLATE "C" = format('%s', {typed}) LIMIT 1)"#);
        assert!(found.contains(&expected), "{found}");
    }
}

#[test]
fn a_key_that_is_stored_out_of_line_stays_the_key_beside_an_identity_column() {
    let relation = relation(
        ReplicaIdentity::Default,
        vec![column("k", TEXT, -1, true), column("number", INT4, -1, false), column("v", TEXT, -1, false)],
    );
    let old = Some(OldRow::Key(row(&relation, [Text(b"long"), Null, Null])));
    let change = update(&relation, old, [Unchanged, Text(b"7"), Text(b"x")]);
    let found = sql_of(facts(&["number"]), change).unwrap();
    assert_eq!(
        found,
        "UPDATE :walferry_only_16384 \"public\".\"t\" SET \"v\" = 'x' WHERE \"k\" = 'long'; :walferry_one_row\n\
         WITH old AS (DELETE FROM :walferry_only_16384 \"public\".\"t\" WHERE \"k\" = 'long' AND \"number\" <> '7' RETURNING *) \
         INSERT INTO \"public\".\"t\" (\"k\", \"number\", \"v\") OVERRIDING SYSTEM VALUE \
         SELECT old.\"k\", '7', 'x' FROM old;\n"
    );
}

#[test]
fn a_char_that_is_no_ascii_is_written_as_its_number() {
    let char = |name, is_key| column(name, 18, -1, is_key);
    let relation = relation(ReplicaIdentity::Default, vec![char("k", true), char("v", false)]);
    assert_eq!(
        sql(update(&relation, None, [Text(b"\xff"), Text(b"\x80")])),
        "UPDATE :walferry_only_16384 \"public\".\"t\" SET \"v\" = (-128)::\"char\" WHERE \"k\" = (-1)::\"char\"; :walferry_one_row\n"
    );
    // As newer servers print it, which older ones would take for a backslash. ASCII stays text.
    let insert = Change::Insert { new: row(&relation, [Text(br"\351"), Text(br"\")]) };
    assert!(sql(insert).contains(r#"((-23)::"char", E'\\')"#));
}
