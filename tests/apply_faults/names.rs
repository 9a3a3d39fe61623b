//! The row of the progress: who may have it, and who has changed it.

use std::sync::atomic::AtomicBool;
use std::time::Duration;

use walferry::sink::ChangeSink as _;
use walferry::sink::postgres::{ApplyErrorKind, PostgresSink};

use crate::interposed::{Before, Interposed};
use crate::support::{is_long, on_each_server};
use crate::{Sides, of_sink, told};

const TABLE: &str = "CREATE TABLE t (id int PRIMARY KEY, v int)";

#[test]
fn a_second_sink_of_the_same_name_waits_for_the_first() {
    on_each_server(|server| {
        let sides = Sides::new(server, TABLE);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (mut first, mut second, mut other) = (sides.sink(true), sides.sink(true), sides.sink(true));
            first.progress().await.unwrap();
            assert!(tokio::time::timeout(Duration::from_millis(500), second.progress()).await.is_err());
            if is_long() {
                let error = other.progress().await.expect_err("the name is taken");
                assert!(error.is_retryable() && error.hint().unwrap().contains("the same name"), "{error}");
            }
            drop(first);
            tokio::time::timeout(Duration::from_secs(20), second.progress()).await.unwrap().unwrap();
        });
    });
}

/// A session that has just ended may still have it.
#[test]
fn an_origin_that_another_session_has_is_waited_for() {
    on_each_server(|server| {
        let sides = Sides::new(server, TABLE);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let sink = |name| PostgresSink::new(sides.conninfo().parse().unwrap(), name).origin("o");
            let (mut first, mut second) = (sink("first"), sink("second"));
            first.progress().await.unwrap();
            assert!(tokio::time::timeout(Duration::from_millis(500), second.progress()).await.is_err());
            drop(first);
            tokio::time::timeout(Duration::from_secs(20), second.progress()).await.unwrap().unwrap();
        });
    });
}

#[test]
fn a_progress_that_somebody_else_has_moved_stops_the_sink() {
    for gather in [true, false] {
        on_each_server(|server| {
            let sides = Sides::new(server, TABLE);
            sides.through(|| sides.sink(gather));
            for change in ["UPDATE walferry.progress SET resume_lsn = '0/1'", "DELETE FROM walferry.progress"]
            {
                sides.at_source("INSERT INTO t SELECT count(*), 0 FROM t");
                sides.at_target("CREATE TABLE kept AS SELECT * FROM walferry.progress");
                let happens = || _ = sides.at_target(change);
                let sink = Interposed {
                    sink: sides.sink(gather),
                    before: Before::Write,
                    happens: &happens,
                    happened: &AtomicBool::new(false),
                };
                let error = sides.apply(sink).expect_err("it was moved");
                assert!(matches!(of_sink(&error).kind(), ApplyErrorKind::ProgressMoved), "{}", told(&error));
                assert!(told(&error).contains("under the same name"), "{}", told(&error));
                sides.at_target(
                    "DELETE FROM walferry.progress; INSERT INTO walferry.progress SELECT * FROM kept; DROP TABLE kept",
                );
                sides.through(|| sides.sink(gather));
                sides.assert_equal(&["t"]);
            }
        });
    }
}

#[test]
fn a_progress_that_cannot_be_read_is_told() {
    on_each_server(|server| {
        let sides = Sides::new(server, TABLE);
        sides.through(|| sides.sink(true));
        for change in ["system_id = 'x'", "timeline = -1"] {
            sides.at_target(&format!("UPDATE walferry.progress SET {change}"));
            let error = sides.refused(true);
            assert!(matches!(of_sink(&error).kind(), ApplyErrorKind::ProgressUnreadable), "{}", told(&error));
            assert!(told(&error).contains("walferry.progress"), "{}", told(&error));
        }
    });
}
