//! What was written, read back: equal. And what a line may look like whoever wrote it.

use proptest::collection::{hash_set, vec};
use proptest::option;

use super::*;
use crate::pgoutput::tests::generate::any_relation;

/// The events of lines that are all well-formed.
pub(super) fn read(json: &[u8]) -> Vec<Event> {
    Reader::new(json).map(Result::unwrap).collect()
}

/// What is wrong with the last of these lines, none of the others being wrong.
pub(super) fn problem(lines: &[&str]) -> String {
    let text = lines.concat();
    let mut results: Vec<_> = Reader::new(text.as_bytes()).collect();
    let error = results.pop().unwrap().unwrap_err();
    assert!(results.iter().all(Result::is_ok), "an earlier line was refused, too");
    assert_eq!(error.line(), u64::try_from(text.lines().count()).unwrap());
    error.to_string().split_once(": ").unwrap().1.to_owned()
}

fn written(events: &[Event]) -> Vec<u8> {
    let (mut lines, mut json) = (Lines::default(), Vec::new());
    for event in events {
        lines.event(&mut json, event).unwrap();
    }
    json
}

fn time() -> impl Strategy<Value = Timestamp> {
    let edges = [i64::MIN, i64::MIN + 1, i64::MAX - 1, i64::MAX, 0, -1].map(Timestamp::from_micros);
    prop_oneof![any::<i64>().prop_map(Timestamp::from_micros), prop::sample::select(edges.to_vec())]
}

fn lsn() -> impl Strategy<Value = Lsn> {
    any::<u64>().prop_map(Lsn::new)
}

fn boundary() -> impl Strategy<Value = Event> {
    let xid = || any::<u32>().prop_map(Xid::new);
    let origin = (lsn(), name()).prop_map(|(commit_lsn, name)| Origin { commit_lsn, name });
    prop_oneof![
        (lsn(), time(), xid(), option::of(origin), option::of(name())).prop_map(
            |(commit_lsn, commit_time, xid, origin, gid)| {
                Event::Begin(Begin { commit_lsn, commit_time, xid, origin, gid })
            }
        ),
        (lsn(), lsn(), time(), xid(), name()).prop_map(|(prepare_lsn, end_lsn, prepare_time, xid, gid)| {
            Event::Prepare(Prepare::new(pgoutput::Prepare { prepare_lsn, end_lsn, prepare_time, xid, gid }))
        }),
        (lsn(), lsn(), time(), xid(), name()).prop_map(|(commit_lsn, end_lsn, commit_time, xid, gid)| {
            let message = pgoutput::CommitPrepared { commit_lsn, end_lsn, commit_time, xid, gid };
            Event::CommitPrepared(CommitPrepared::new(message))
        }),
        (lsn(), lsn(), time(), time(), xid(), name()).prop_map(
            |(prepare_end_lsn, rollback_end_lsn, prepare_time, rollback_time, xid, gid)| {
                Event::RollbackPrepared(RollbackPrepared::new(pgoutput::RollbackPrepared {
                    prepare_end_lsn,
                    rollback_end_lsn,
                    prepare_time,
                    rollback_time,
                    xid,
                    gid,
                }))
            }
        ),
        (lsn(), lsn(), time(), xid()).prop_map(|(commit_lsn, end_lsn, commit_time, xid)| {
            Event::Commit(Commit { commit_lsn, end_lsn, commit_time, xid })
        }),
        (any::<bool>(), lsn(), name(), vec(any::<u8>(), 0..20)).prop_map(
            |(transactional, lsn, prefix, content)| {
                let content = content.into();
                Event::Message(LogicalMessage { xid: None, transactional, lsn, prefix, content })
            }
        ),
    ]
}

/// A relation as a server can have it: no two columns of one name. Of few ids, so that they change each other.
fn relations() -> impl Strategy<Value = Vec<Arc<Relation>>> {
    let relation = (any_relation(), 0..3_u32, hash_set(name(), 5)).prop_map(|(relation, id, names)| {
        let columns = relation.columns.into_iter().zip(names);
        let columns = columns.map(|(column, name)| Column { name, ..column }).collect();
        Arc::new(Relation { id: RelationId::new(id), columns, ..relation })
    });
    vec(relation, 1..4)
}

fn row_change(relation: Arc<Relation>) -> impl Strategy<Value = Event> {
    let row = {
        let relation = Arc::clone(&relation);
        tuple(relation.columns.len()).prop_map(move |tuple| Row::new(Arc::clone(&relation), tuple).unwrap())
    }
    .boxed();
    let old = (row.clone(), any::<bool>())
        .prop_map(|(row, key)| if key { OldRow::Key(row) } else { OldRow::Full(row) })
        .boxed();
    prop_oneof![
        row.clone().prop_map(|row| Change::Snapshot { row }),
        row.clone().prop_map(|new| Change::Insert { new }),
        (option::of(old.clone()), row).prop_map(|(old, new)| Change::Update { old, new }),
        old.prop_map(|old| Change::Delete { old }),
        (any::<bool>(), any::<bool>()).prop_map(move |(cascade, restart_identity)| Change::Truncate {
            relations: vec![Arc::clone(&relation); 2],
            cascade,
            restart_identity
        }),
    ]
    .prop_map(Event::Change)
}

pub(super) fn events() -> impl Strategy<Value = Vec<Event>> {
    relations().prop_flat_map(|relations| {
        let change = prop::sample::select(relations).prop_flat_map(row_change);
        vec(prop_oneof![boundary(), change], 0..12)
    })
}

/// The same JSON as another writer may write it: members in another order, more space, and everything escaped.
fn restyled(value: &Json) -> String {
    let text = |text: &str| {
        let units: Vec<_> = text.encode_utf16().map(|unit| format!("\\u{unit:04X}")).collect();
        format!("\"{}\"", units.concat())
    };
    match value {
        Json::String(string) => text(string),
        Json::Array(elements) => {
            format!("[ {}\t]", elements.iter().map(restyled).collect::<Vec<_>>().join(" ,"))
        }
        Json::Object(members) => {
            let member = |(name, value): (&String, &Json)| format!("{} :\t{}", text(name), restyled(value));
            format!("{{ {} }}", members.iter().rev().map(member).collect::<Vec<_>>().join(", "))
        }
        other => other.to_string(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_events_are_the_same_when_they_are_read_back(events in events()) {
        let json = written(&events);
        let read = read(&json);
        prop_assert_eq!(&read, &events);
        // Debug shows no values, so that this tells a difference where the line above doesn't.
        prop_assert_eq!(written(&read).len(), json.len());
    }

    #[test]
    fn members_may_stand_in_any_order(events in events()) {
        let json = String::from_utf8(written(&events)).unwrap();
        let json: Vec<_> =
            json.lines().map(|line| restyled(&serde_json::from_str(line).unwrap()) + "\r\n").collect();
        let json = json.concat();
        prop_assert_eq!(read(json.as_bytes()), events);
    }

    #[test]
    fn however_the_input_is_cut_into_pieces(events in events(), capacity in 1_usize..50) {
        let json = written(&events);
        let input = io::BufReader::with_capacity(capacity, json.as_slice());
        prop_assert_eq!(Reader::new(input).map(Result::unwrap).collect::<Vec<_>>(), events);
    }
}

#[test]
fn rows_share_a_relation_until_it_changes() {
    let insert = |relation: &Arc<Relation>| {
        let nulls = relation.columns.iter().map(|_| Datum::Null);
        Event::Change(Change::Insert { new: row(relation, nulls) })
    };
    let first = keyed();
    let changed = Arc::new(Relation { replica_identity: ReplicaIdentity::Full, ..Relation::clone(&first) });
    // The second run of a program announces again what the first had announced.
    let json = [written(&[insert(&first)]), written(&[insert(&first), insert(&changed)])].concat();
    let read = read(&json);
    let relations: Vec<_> = read
        .iter()
        .map(|event| match event {
            Event::Change(change) => Arc::clone(change.relations().next().unwrap()),
            _ => unreachable!(),
        })
        .collect();
    assert!(Arc::ptr_eq(&relations[0], &relations[1]));
    assert_eq!(relations[2], changed);
}

#[test]
fn nothing_is_no_events() {
    assert_eq!(read(b""), []);
}

#[test]
fn further_members_are_ignored() {
    let later = concat!(
        r#"{"event":"relation","id":1,"schema":"s","name":"t","kind":["r"],"kind":0,"replica_identity":"full","#,
        r#""columns":[{"name":"a","type_oid":25,"type_modifier":-1,"is_key":true,"collation":1e999}]}"#,
        "\n",
        r#"{"event":"insert","relation_id":1,"schema":"s","table":"t","ordinal":7,"old":5,"new":{"a":"1"}}"#,
        "\n",
    );
    let read = read(later.as_bytes());
    let [Event::Change(Change::Insert { new })] = read.as_slice() else { unreachable!() };
    assert_eq!(new.get("a"), Some(Datum::Text(b"1")));
}

#[test]
fn an_old_key_may_say_more_than_it_has_to() {
    let json = written(&[Event::Change(Change::Delete {
        old: OldRow::Key(row(&keyed(), [Datum::Text(b"1"), Datum::Null])),
    })]);
    let longer =
        String::from_utf8(json.clone()).unwrap().replace(r#"{"id":"1"}"#, r#"{"body":null,"id":"1"}"#);
    assert_ne!(longer.as_bytes(), json);
    assert_eq!(read(longer.as_bytes()), read(&json));
}

#[test]
fn a_line_may_be_as_long_as_the_limit() {
    let message = r#"{"event":"message","transactional":true,"lsn":"0/0","prefix":"","content":"00"}"#;
    let line = format!("{message}\n");
    let read = |limit| Reader::new(line.as_bytes()).line_limit(limit).collect::<Result<Vec<_>, _>>();
    assert_eq!(read(message.len()).unwrap().len(), 1);
    let error = read(message.len() - 1).unwrap_err();
    assert!(matches!(error.kind(), JsonErrorKind::TooLong { limit } if *limit == message.len() - 1));
}

#[test]
fn a_line_that_is_too_long_is_not_read_to_its_end() {
    let mut endless = io::BufReader::new(io::repeat(b' '));
    let mut reader = Reader::new(&mut endless).line_limit(1000);
    assert_eq!(
        reader.next().unwrap().unwrap_err().to_string(),
        "line 1: longer than 1000 bytes; Reader::line_limit allows longer ones"
    );
    assert!(reader.next().is_none());
}
