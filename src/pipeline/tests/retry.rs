//! Errors of a sink that pass: what was not flushed comes again.

use super::*;
use crate::session::SourceChanged;

const CALLS: [&str; 8] = ["write", "flush", "rollback", "set", "resume", "ack", "reopen", "finish"];

fn passing(log: &Log, calls: impl IntoIterator<Item = &'static str>) -> Sink {
    Sink { passing: calls.into_iter().collect(), ..Sink::new(log) }
}

/// A transaction, and what comes when the source is opened again.
fn twice() -> Vec<Step> {
    let mut steps = transaction(0x100, 2);
    steps.push(Step::Wait(5 * SECOND));
    steps.extend(transaction(0x100, 2));
    steps
}

#[tokio::test(start_paused = true)]
async fn what_was_not_flushed_comes_again() {
    for (call, first) in [("write", &["write BxxC"][..]), ("flush", &["write BxxC", "flush"])] {
        for kind in [SinkKind::Append, SinkKind::Mirror] {
            let log = Log::default();
            let sink = Sink { kind, ..passing(&log, [call]) };
            let source = Scripted::new(twice(), &log);
            let statistics = Pipeline::new(sink).drive(source, pending()).await.unwrap();
            let rest = ["reopen", "write BxxC", "flush", "acknowledge 0/108", "finish"];
            assert_eq!(log.only(&CALLS), [first, &rest].concat());
            assert_eq!((statistics.sink_retries, statistics.reconnects), (1, 0));
            assert_eq!((statistics.transactions, statistics.changes), (1, 2), "each is counted once");
            assert!(statistics.is_connected);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_gathered_beside_the_failing_sink_comes_again_too() {
    let log = Log::default();
    let mut steps = transaction(0x100, 1);
    steps.extend(transaction(0x200, 1));
    steps.push(Step::Wait(20 * SECOND));
    steps.extend(transaction(0x100, 1));
    steps.extend(transaction(0x200, 1));
    let sink = Sink { slow: SECOND, ..passing(&log, ["write"]) };
    let pipeline = Pipeline::new(sink).batch_rows(3);
    let statistics = pipeline.drive(Scripted::new(steps, &log), pending()).await.unwrap();
    let calls = log.only(&["write", "ack", "reopen"]);
    let again = ["reopen", "write BxC", "acknowledge 0/108", "write BxC", "acknowledge 0/208"];
    assert_eq!(calls, [&["write BxC"][..], &again].concat());
    assert_eq!((statistics.transactions, statistics.changes), (2, 2));
}

#[tokio::test(start_paused = true)]
async fn a_sink_that_keeps_its_progress_is_asked_again_and_may_be_further() {
    for (kept, counted) in [(0x80, (1, 2)), (0x108, (2, 4))] {
        let log = Log::default();
        let sink = Sink {
            progress: Progress::At(fingerprint(0x80)),
            progress_again: Some(Progress::At(fingerprint(kept))),
            ..passing(&log, ["flush", "progress"])
        };
        let mut steps = transaction(0x100, 2);
        steps.push(Step::Wait(5 * SECOND));
        // What the sink has is left out by the source.
        steps.extend(transaction(if kept == 0x80 { 0x100 } else { 0x200 }, 2));
        let source = Scripted { reopened_at: 0x80, ..Scripted::new(steps, &log) };
        let statistics = Pipeline::new(sink).drive(source, pending()).await.unwrap();
        let calls = log.only(&CALLS);
        let first = ["resume Some(0/80)", "write BxxC", "flush", "reopen"];
        assert_eq!(calls[..4], first);
        let resumed = format!("resume Some({})", Lsn::new(kept));
        assert_eq!(calls[4..7], [resumed.as_str(), "write BxxC", "flush"]);
        assert_eq!((statistics.transactions, statistics.changes), counted);
        assert_eq!(statistics.sink_retries, 1, "however often it was tried");
    }
}

#[tokio::test(start_paused = true)]
async fn the_first_position_is_kept_although_the_sink_fails_at_it() {
    let log = Log::default();
    let sink = Sink { progress: Progress::None, ..passing(&log, ["set"]) };
    let mut steps = vec![Step::Wait(SECOND)];
    steps.extend(transaction(0x100, 1));
    Pipeline::new(sink).drive(Scripted::new(steps, &log), pending()).await.unwrap();
    let calls = log.only(&["resume", "set", "reopen", "write"]);
    assert_eq!(calls, ["resume None", "set 0/10", "reopen", "resume None", "set 0/10", "write BxC"]);
}

#[tokio::test(start_paused = true)]
async fn half_a_transaction_that_may_be_durable_is_forgotten_first() {
    let log = Log::default();
    let mut steps = transaction(0x100, 3);
    steps.insert(2, Step::Wait(SECOND));
    steps.push(Step::Wait(10 * SECOND));
    steps.extend(transaction(0x100, 3));
    let sink = Sink { fails_second_write: true, ..Sink::new(&log) };
    let statistics = Pipeline::new(sink).drive(Scripted::new(steps, &log), pending()).await.unwrap();
    let calls = log.only(&CALLS);
    let first = ["write Bx", "flush", "write xxC", "reopen", "rollback", "flush", "write BxxxC", "flush"];
    assert_eq!(calls, [&first[..], &["acknowledge 0/108", "finish"]].concat());
    assert_eq!((statistics.rollbacks, statistics.changes), (1, 3));
}

/// Whoever says that something is durable, and has it no more, must not go on as if nothing was.
#[tokio::test(start_paused = true)]
async fn a_sink_that_stands_further_back_than_what_it_has_flushed_ends_the_run() {
    for again in [Progress::None, Progress::At(fingerprint(0x80))] {
        let log = Log::default();
        let sink = Sink {
            progress: Progress::At(fingerprint(0x80)),
            progress_again: Some(again),
            ..passing(&log, ["flush"])
        };
        let source = Scripted { reopened_at: 0x108, ..Scripted::new(twice(), &log) };
        let error = Pipeline::new(sink).drive(source, pending()).await.unwrap_err();
        assert!(matches!(error, Error::Source(SourceChanged::SlotAhead { .. })), "{error:?}");
        assert_eq!(log.only(&["ack"]), [""; 0]);
    }
}

#[tokio::test(start_paused = true)]
async fn nobody_tries_again_who_was_told_not_to() {
    for (reconnect, can_reopen) in [(false, true), (true, false)] {
        let log = Log::default();
        let source = Scripted { can_reopen, ..Scripted::new(twice(), &log) };
        let pipeline = Pipeline::new(passing(&log, ["flush"])).reconnect(reconnect);
        let error = pipeline.drive(source, pending()).await.unwrap_err();
        assert!(matches!(error, Error::Sink(_)), "{error:?}");
        assert_eq!(log.only(&["reopen", "ack", "finish"]), ["finish"]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_sink_that_stays_away_is_tried_again_and_again_until_the_shutdown() {
    let log = Log::default();
    let calls = std::iter::once("flush").chain(std::iter::repeat_n("progress", 1000));
    let source = Scripted::new(twice(), &log);
    let start = Instant::now();
    let run = Pipeline::new(passing(&log, calls)).drive(source, sleep(600 * SECOND)).await;
    assert_eq!(start.elapsed(), 600 * SECOND);
    assert!(matches!(run.unwrap_err(), Error::Sink(_)), "what was gathered is not in the sink");
    assert_eq!(log.only(&["reopen", "ack", "finish"]), ["finish"]);
    assert_eq!(log.only(&["keep"]).len(), log.only(&["keep"]).len().clamp(20, 60), "alive all the while");
}

#[tokio::test(start_paused = true)]
async fn a_source_that_is_lost_beside_a_failing_sink_is_opened_once() {
    let log = Log::default();
    let mut steps = transaction(0x100, 1);
    steps.extend([Step::Wait(SECOND), Step::Fail]);
    steps.extend(transaction(0x100, 1));
    let sink = Sink { slow: 10 * SECOND, ..passing(&log, ["write"]) };
    let statistics = Pipeline::new(sink).drive(Scripted::new(steps, &log), pending()).await.unwrap();
    assert_eq!(log.only(&["write", "reopen"]), ["write BxC", "reopen", "write BxC"]);
    assert_eq!((statistics.transactions, statistics.sink_retries), (1, 1));
}
