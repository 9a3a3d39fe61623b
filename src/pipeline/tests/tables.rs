//! Which tables are passed on.

use super::*;

type Name = Option<(&'static str, &'static str)>;

/// What a pipeline writes of changes of `a.b`, `a.c` and `"a.b".c`, and what it left out.
async fn passed(pipeline: impl FnOnce(Pipeline<Sink>) -> Pipeline<Sink>) -> (String, Statistics) {
    let tables = [table("a", "b"), table("a", "c"), table("a.b", "c")];
    let truncate = |tables: &[Arc<Relation>]| {
        Event::Change(Change::Truncate {
            relations: tables.to_vec(),
            cascade: false,
            restart_identity: false,
        })
    };
    let inserts = tables.iter().map(insert_into);
    let truncates = [truncate(&tables[..2]), truncate(&tables[1..])];
    let events = [begin(0x100)].into_iter().chain(inserts).chain(truncates).chain([commit(0x100)]);
    let log = Log::default();
    let source = Scripted::new(events.map(Step::Event), &log);
    let summary = pipeline(Pipeline::new(Sink::new(&log))).drive(source, pending()).await.unwrap();
    (log.only(&["write"]).concat(), summary)
}

#[tokio::test(start_paused = true)]
async fn what_is_left_out_is_counted() {
    for (passes, expected, changes, left_out) in [
        ((None, None), "write BxxxT(b,c)T(c,c)C", 5, 0),
        ((Some(("a", "b")), None), "write BxT(b)C", 2, 5),
        ((None, Some(("a", "b"))), "write BxxT(c)T(c,c)C", 4, 2),
        ((Some(("a", "c")), Some(("a", "c"))), "write BC", 0, 7),
        ((Some(("a", "nosuch")), None), "write BC", 0, 7),
        ((Some(("a.b", "c")), None), "write BxT(c)C", 2, 5),
    ] {
        let (only, except): (Name, Name) = passes;
        let (written, summary) = passed(|mut pipeline| {
            if let Some((schema, name)) = only {
                pipeline = pipeline.only(schema, name);
            }
            if let Some((schema, name)) = except {
                pipeline = pipeline.except(schema, name);
            }
            pipeline
        })
        .await;
        assert_eq!(written, expected);
        assert_eq!((summary.changes, summary.left_out), (changes, left_out), "{expected}");
        // What was left out is acknowledged with its transaction.
        assert_eq!((summary.transactions, summary.acknowledged), (1, Lsn::new(0x108)));
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_copy_holds_is_not_passed_on_again() {
    // The transaction commits at 0x100.
    for (b, c, expected, left_out) in [
        (Some(0x100), Some(0x100), "write BxxT(b,c)T(c)C", 2),
        (Some(0xff), None, "write BxT(b)C", 5),
        // Of b, the copy holds it.
        (Some(0x101), Some(0x100), "write BxT(c)T(c)C", 2),
        (Some(0x101), None, "write BC", 5),
    ] {
        let (written, summary) = passed(|mut pipeline| {
            for (table, lsn) in [("b", b), ("c", c)] {
                if let Some(lsn) = lsn {
                    pipeline = pipeline.copied("a", table, Lsn::new(lsn));
                }
            }
            pipeline
        })
        .await;
        assert_eq!((written.as_str(), summary.left_out), (expected, left_out), "{b:?} {c:?}");
    }
}

#[test]
fn a_truncate_that_lost_a_table_does_not_cascade_to_it() {
    for (except, expected) in [("nosuch", true), ("c", false)] {
        let mut tables = Tables::default();
        tables.except.insert(("a".to_owned(), except.to_owned()));
        let truncate = Change::Truncate {
            relations: vec![table("a", "b"), table("a", "c")],
            cascade: true,
            restart_identity: false,
        };
        let Some(Event::Change(Change::Truncate { cascade, .. })) =
            tables.pass(Event::Change(truncate), &mut 0)
        else {
            panic!("a truncate")
        };
        assert_eq!(cascade, expected, "{except}");
    }
}
