//! Lines that are no event: which error says what, and that none of them shows a value.

use std::error::Error;

use super::read::{problem, read};
use super::*;

/// Stands in every place of a line where a value does, and nowhere else.
const MARKER: &str = "hunter2";

const RELATION: &str = concat!(
    r#"{"event":"relation","id":16384,"schema":"public","name":"t","replica_identity":"default","columns":["#,
    r#"{"name":"id","type_oid":25,"type_modifier":-1,"is_key":true},"#,
    r#"{"name":"body","type_oid":25,"type_modifier":-1,"is_key":false}]}"#,
    "\n"
);

const BEGIN: &str = concat!(
    r#"{"event":"begin","xid":7,"commit_lsn":"0/10","commit_time":"2026-11-22 08:25:18.01+00","#,
    r#""origin":{"name":"o","commit_lsn":"0/10"}}"#,
    "\n"
);

const MESSAGE: &str = concat!(
    r#"{"event":"message","transactional":true,"lsn":"0/10","prefix":"p","content":"68756e74657232"}"#,
    "\n"
);

const UPDATE: &str = concat!(
    r#"{"event":"update","relation_id":16384,"schema":"public","table":"t","#,
    r#""old_key":{"id":"hunter2"},"new":{"id":{"binary":"00ff"},"body":"hunter2\thunter2"}}"#,
    "\n"
);

const DELETE: &str = concat!(
    r#"{"event":"delete","relation_id":16384,"schema":"public","table":"t","#,
    r#""old":{"id":{"unchanged":true},"body":{"text":"ff68756e74657232"}}}"#,
    "\n"
);

const TRUNCATE: &str = concat!(
    r#"{"event":"truncate","relation_ids":[16384],"tables":["public.t"],"cascade":false,"#,
    r#""restart_identity":true}"#,
    "\n"
);

const COMMIT: &str = concat!(
    r#"{"event":"commit","xid":7,"commit_lsn":"0/10","end_lsn":"0/20","#,
    r#""commit_time":"2026-11-22 08:25:18.01+00"}"#,
    "\n"
);

const ALL: [&str; 7] = [RELATION, BEGIN, MESSAGE, UPDATE, DELETE, TRUNCATE, COMMIT];

/// The problem of a line in which one thing was replaced.
fn replaced(line: &str, what: &str, by: &str) -> String {
    let changed = line.replacen(what, by, 1);
    assert_ne!(changed, line, "{what}");
    if line == RELATION { problem(&[&changed]) } else { problem(&[RELATION, &changed]) }
}

#[test]
fn the_lines_of_these_tests_are_well_formed() {
    assert_eq!(read(ALL.concat().as_bytes()).len(), 6);
}

#[test]
fn an_error_says_which_member_and_what_was_expected() {
    let time = "commit_time: expected a time in UTC, as in 2026-11-22 08:25:18.01+00, or an infinity";
    let lsn = "expected a WAL position, as in 16/B374D848";
    let value =
        "expected null, a string, or an object of one member: unchanged (true), binary or text (hexadecimal)";
    for (line, what, by, expected) in [
        (BEGIN, r#""begin""#, "7", "event: expected the kind of an event".into()),
        (BEGIN, "begin", "start", "event: expected a kind of event that this version knows".into()),
        (BEGIN, "7", "-1", "xid: expected a transaction id".into()),
        (BEGIN, "7", "7.0", "xid: expected a transaction id".into()),
        (BEGIN, "7", "4294967296", "xid: expected a transaction id".into()),
        (BEGIN, "0/10", "10", format!("commit_lsn: {lsn}")),
        (BEGIN, ".01+00", "+01", time.into()),
        (BEGIN, "11-22", "02-30", time.into()),
        (BEGIN, r#"{"name":"o","commit_lsn":"0/10"}"#, "null", "origin: expected an object".into()),
        (BEGIN, r#""o""#, "[]", "origin.name: expected a name".into()),
        (BEGIN, r#"lsn":"0/10"}"#, r#"lsn":0}"#, format!("origin.commit_lsn: {lsn}")),
        (COMMIT, "0/20", "x", format!("end_lsn: {lsn}")),
        (MESSAGE, "true", "1", "transactional: expected true or false".into()),
        (MESSAGE, "6875", "687", "content: expected bytes in hexadecimal".into()),
        (MESSAGE, "6875", "+875", "content: expected bytes in hexadecimal".into()),
        (MESSAGE, r#""p""#, "null", "prefix: expected a string".into()),
        (RELATION, "default", "some", "replica_identity: expected default, nothing, full or index".into()),
        (RELATION, "[{", "[0,{", "columns[0]: expected an object".into()),
        (RELATION, "false}]", "0}]", "columns[1].is_key: expected true or false".into()),
        (RELATION, "-1", "2147483648", "columns[0].type_modifier: expected an integer of 32 bits".into()),
        (RELATION, r#""body""#, r#""id""#, "columns: expected columns of different names".into()),
        (UPDATE, "16384", "1", "no line before this one announced relation 1".into()),
        (UPDATE, "public", "p", "schema: expected the name that was announced for relation_id".into()),
        (UPDATE, r#""t""#, r#""u""#, "table: expected the name that was announced for relation_id".into()),
        (UPDATE, "00ff", "00f", format!("new.id: {value}")),
        (UPDATE, "00ff", "00é", format!("new.id: {value}")),
        (UPDATE, r#""00ff""#, "0", format!("new.id: {value}")),
        (UPDATE, r#""binary""#, r#""bytes""#, format!("new.id: {value}")),
        (UPDATE, r#"{"binary":"00ff"}"#, "{}", format!("new.id: {value}")),
        (UPDATE, r#"{"binary":"00ff"}"#, "1", format!("new.id: {value}")),
        (UPDATE, r#"{"binary":"00ff"}"#, "true", format!("new.id: {value}")),
        (UPDATE, r#"{"binary":"00ff"}"#, r#"{"binary":"","text":""}"#, format!("new.id: {value}")),
        (UPDATE, r#"{"binary":"00ff"}"#, r#"{"binary":"","binary":""}"#, format!("new.id: {value}")),
        (UPDATE, r#""hunter2\"#, r#""\ud800"#, format!("new.body: {value}")),
        (DELETE, "true", "false", format!("old.id: {value}")),
        (TRUNCATE, "[16384]", "16384", "relation_ids: expected an array of relations' oids".into()),
        (TRUNCATE, "public.t", "t", "tables: expected the names that were announced for relation_ids".into()),
        (
            TRUNCATE,
            r#"["public.t"]"#,
            "[]",
            "tables: expected the names that were announced for relation_ids".into(),
        ),
    ] {
        assert_eq!(replaced(line, what, by), expected, "{what} → {by}");
    }
}

#[test]
fn a_row_has_the_columns_of_its_relation() {
    let columns = "expected the columns of relation 16384, found one more";
    for (line, what, by, expected) in [
        (UPDATE, r#","body":"hunter2\thunter2""#, "", "new.body: expected, but not there".to_owned()),
        (UPDATE, r#""id":"hunter2""#, r#""body":"hunter2""#, "old_key.id: expected, but not there".into()),
        (UPDATE, r#"{"id":"hunter2""#, r#"{"hunter2":null,"id":null"#, format!("old_key: {columns}")),
        (UPDATE, r#""new":{"#, r#""new":{"hunter2":null,"#, format!("new: {columns}")),
        (
            UPDATE,
            r#""new":{"#,
            r#""new":{"body":null,"#,
            "new.body: expected once, but there more than once".into(),
        ),
        (DELETE, r#""id":{"unchanged":true},"#, "", "old.id: expected, but not there".into()),
        (DELETE, r#""old":"#, r#""x":"#, "old: expected, but not there".into()),
        (
            DELETE,
            r#""old":"#,
            r#""old_key":{"id":""},"old":"#,
            "old_key: expected no old row beside it".into(),
        ),
    ] {
        assert_eq!(replaced(line, what, by), expected, "{what} → {by}");
    }
}

/// Each member of each kind of line, except of the origin, which is itself optional.
#[test]
fn every_member_has_to_be_there_and_only_once() {
    let mut checked = 0;
    for line in ALL {
        let members: serde_json::Map<String, Json> = serde_json::from_str(line).unwrap();
        for (name, value) in &members {
            let twice = line.replacen('{', &format!(r#"{{"{name}":{value},"#), 1);
            let twice = problem(&[if line == RELATION { "" } else { RELATION }, &twice]);
            assert_eq!(twice, format!("{name}: expected once, but there more than once"));
            checked += 1;

            let mut without = members.clone();
            without.shift_remove(name);
            let without = format!("{}\n", Json::Object(without));
            if ["origin", "old_key"].contains(&name.as_str()) {
                assert_eq!(read([RELATION, &without].concat().as_bytes()).len(), 1);
            } else {
                let without = problem(&[if line == RELATION { "" } else { RELATION }, &without]);
                assert_eq!(without, format!("{name}: expected, but not there"));
            }
        }
    }
    assert_eq!(checked, 37);
}

#[test]
fn a_row_needs_its_relation() {
    for line in [UPDATE, DELETE, TRUNCATE] {
        assert_eq!(problem(&[line]), "no line before this one announced relation 16384");
    }
}

#[test]
fn what_is_no_object_is_refused() {
    for line in [
        "\n",
        " \n",
        "null\n",
        "[]\n",
        "\"hunter2\"\n",
        "{\n",
        "{}{}\n",
        "{} x\n",
        "{\"a\":}\n",
        "\u{feff}{}\n",
    ] {
        let problem = problem(&[line]);
        assert!(
            problem.starts_with("expected one JSON object, found something else at byte "),
            "{line}: {problem}"
        );
    }
    let not_utf8 = Reader::new(b"{\"a\":\"\xff\"}\n".as_slice()).next().unwrap().unwrap_err();
    assert!(matches!(not_utf8.kind(), JsonErrorKind::NotAnObject { column: 7 }));
}

#[test]
fn deep_nesting_is_no_danger() {
    let deep = format!("{}{}", "[".repeat(1 << 20), "]".repeat(1 << 20));
    let line = MESSAGE.replacen('{', &format!(r#"{{"later":{deep},"#), 1);
    assert_eq!(read(line.as_bytes()).len(), 1);
    let line = UPDATE.replacen(r#"{"binary":"00ff"}"#, &deep, 1);
    assert!(problem(&[RELATION, &line]).starts_with("new.id: expected null"));
}

#[test]
fn a_last_line_that_was_cut_short_is_an_error_that_says_so() {
    for line in ALL {
        for end in 1..line.len() {
            let text = [RELATION, &line[..end]].concat();
            let error = Reader::new(text.as_bytes()).last().unwrap().unwrap_err();
            assert!(matches!(error.kind(), JsonErrorKind::CutShort), "{end} bytes: {error}");
            assert_eq!(error.line(), 2);
        }
    }
}

#[test]
fn nothing_comes_after_an_error() {
    let text = [MESSAGE, "{}\n", MESSAGE].concat();
    let mut reader = Reader::new(text.as_bytes());
    assert!(reader.next().unwrap().is_ok());
    assert!(reader.next().unwrap().is_err());
    assert!(reader.next().is_none());
}

#[test]
fn what_the_system_could_not_read_is_the_source() {
    struct Broken;
    impl io::Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("the disk is gone"))
        }
    }
    let mut reader = Reader::new(io::BufReader::new(io::Read::chain(MESSAGE.as_bytes(), Broken)));
    assert!(reader.next().unwrap().is_ok());
    let error = reader.next().unwrap().unwrap_err();
    assert_eq!(error.to_string(), "line 2: could not be read");
    assert_eq!(error.source().unwrap().to_string(), "the disk is gone");
}

/// All that a program could print of an error or of the reader.
fn shown(input: &[u8]) -> String {
    let mut reader = Reader::new(input);
    let results: Vec<_> = reader.by_ref().collect();
    let (last, events) = results.split_last().map_or((None, &[][..]), |(last, events)| (Some(last), events));
    assert!(events.iter().all(Result::is_ok), "an event behind an error");
    match last {
        Some(Err(error)) => format!("{error} {error:?} {:?} {reader:?}", error.source()),
        _ => String::new(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn no_mutation_panics_or_shows_a_value(
        line in prop::sample::select(ALL.to_vec()),
        edits in prop::collection::vec((any::<prop::sample::Index>(), 0..4_u8, any::<u8>()), 1..4),
        structural in prop::collection::vec(prop::sample::select(br#"{}[]:,"0\tn-"#.to_vec()), 4),
    ) {
        let mut line = line.as_bytes().to_vec();
        for ((place, kind, byte), structural) in edits.into_iter().zip(structural) {
            if line.is_empty() {
                break;
            }
            let place = place.index(line.len());
            match kind {
                0 => line[place] = byte,
                1 => line[place] = structural,
                2 => line.insert(place, structural),
                _ => drop(line.remove(place)),
            }
        }
        let shown = shown(&[RELATION.as_bytes(), &line].concat());
        prop_assert!(!shown.contains(MARKER) && !shown.contains("68756e74657232"), "{}", shown);
    }

    #[test]
    fn no_garbage_panics(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        shown(&bytes);
    }
}
