//! What becomes of a run whose connection is lost, and of the sink's part of a transaction.

use super::*;
use crate::error::ServerError;
use crate::sink::Progress;

fn events(steps: Vec<Step>, count: usize) -> impl Iterator<Item = Step> {
    steps.into_iter().take(count)
}

const CALLS: [&str; 5] = ["write", "rollback", "ack", "reopen", "finish"];

#[tokio::test(start_paused = true)]
async fn a_transaction_that_was_cut_off_leaves_no_trace_and_comes_again() {
    for rows in [1, 2, 3, 100] {
        let log = Log::default();
        let half = events(transaction(0x200, 3), 3);
        let steps = transaction(0x100, 1).into_iter().chain(half).chain([Step::Fail]);
        let source = Scripted::new(steps.chain(transaction(0x200, 3)), &log);
        let statistics =
            Pipeline::new(Sink::new(&log)).batch_rows(rows).drive(source, pending()).await.unwrap();
        assert_eq!((statistics.transactions, statistics.changes), (2, 4));
        let calls = log.only(&CALLS);
        // What a sink holds that takes back what it is told to.
        let mut held = String::new();
        let mut open = String::new();
        for call in &calls {
            match call.split_once(' ') {
                Some(("write", letters)) => open.push_str(letters),
                _ if call == "rollback" => open.clear(),
                _ => {}
            }
            if let Some(end) = open.rfind('C') {
                held.push_str(&open[..=end]);
                open.drain(..=end);
            }
        }
        assert_eq!((held.as_str(), open.as_str()), ("BxCBxxxC", ""), "{calls:?}");
        assert_eq!(calls.last().unwrap(), "finish");
    }
}

#[tokio::test(start_paused = true)]
async fn a_sink_is_told_to_forget_only_what_it_has() {
    let log = Log::default();
    let steps = events(transaction(0x100, 3), 3).chain([Step::Fail]).chain(transaction(0x100, 3));
    let source = Scripted::new(steps, &log);
    let statistics = Pipeline::new(Sink::new(&log)).drive(source, pending()).await.unwrap();
    assert_eq!(log.only(&CALLS), ["reopen", "write BxxxC", "acknowledge 0/108", "finish"]);
    assert_eq!((statistics.rollbacks, statistics.reconnects), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn the_sink_forgets_before_the_connection_is_made_again() {
    let log = Log::default();
    let half = events(transaction(0x100, 3), 2);
    let steps = half.chain([Step::Wait(SECOND), Step::Fail]).chain(transaction(0x100, 0));
    let source = Scripted::new(steps, &log);
    let statistics = Pipeline::new(Sink::new(&log)).drive(source, pending()).await.unwrap();
    let expected = ["write Bx", "rollback", "reopen", "write BC", "acknowledge 0/108", "finish"];
    assert_eq!(log.only(&CALLS), expected);
    assert_eq!(statistics.rollbacks, 1);
}

#[tokio::test(start_paused = true)]
async fn the_sink_forgets_half_a_transaction_also_when_the_connection_is_lost_beside_its_work() {
    for (away, end) in [(0, &["reopen", "write BC", "acknowledge 0/108", "finish"][..]), (100, &[])] {
        let log = Log::default();
        // The next batch is full beside the sink: from there on, the source is only kept alive.
        let steps = events(transaction(0x100, 4), 4);
        let mut source = Scripted { keep_alive_fails: Some(5 * SECOND), ..Scripted::new(steps, &log) };
        source.reopens =
            std::iter::repeat_with(|| Err(Error::Closed { during: "away" })).take(away).collect();
        if away == 0 {
            source.steps.extend(transaction(0x100, 0));
        }
        let sink = Sink { slow: 10 * SECOND, ..Sink::new(&log) };
        let run = Pipeline::new(sink).batch_rows(2).drive(source, sleep(100 * SECOND)).await;
        assert_eq!(run.unwrap().rollbacks, 1);
        let calls = log.only(&CALLS);
        assert_eq!(calls[..2], ["write Bx", "rollback"]);
        let tries = if away == 0 { 2 } else { calls.len() };
        assert_eq!(calls[tries..], *end, "{calls:?}");
    }
}

/// Else the server would never hear what was acknowledged last, and the next run would get it again.
#[tokio::test(start_paused = true)]
async fn a_goodbye_that_is_cut_off_is_said_over_another_connection() {
    let log = Log::default();
    let finishes = [Err(Error::Closed { during: "at the end" })].into();
    let source = Scripted { finishes, ..Scripted::new(transaction(0x100, 1), &log) };
    let statistics = Pipeline::new(Sink::new(&log)).drive(source, pending()).await.unwrap();
    assert_eq!(log.only(&CALLS), ["write BxC", "acknowledge 0/108", "finish", "reopen", "finish"]);
    assert!(statistics.is_connected && statistics.reconnects == 1);
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_says_goodbye_once() {
    let log = Log::default();
    let finishes = [Err(Error::Closed { during: "at the end" })].into();
    let source = Scripted { finishes, ..Scripted::new([Step::Hang], &log) };
    let run = Pipeline::new(Sink::new(&log)).drive(source, sleep(SECOND)).await;
    assert!(run.is_ok_and(|statistics| !statistics.is_connected));
    assert_eq!(log.only(&CALLS), ["finish"]);
}

/// As a capture does that was recorded over two connections.
#[tokio::test(start_paused = true)]
async fn whatever_stands_behind_half_a_transaction_ends_it() {
    for (next, letter) in [(begin(0x200), "B"), (commit_prepared(0x200), "K"), (message(0x200), "m")] {
        let log = Log::default();
        let steps = events(transaction(0x100, 3), 2).chain([Step::Event(next)]);
        let source = Scripted::new(steps, &log);
        let run = Pipeline::new(Sink::new(&log)).batch_rows(1).drive(source, pending()).await;
        assert_eq!(run.unwrap().rollbacks, if letter == "B" { 2 } else { 1 });
        let calls = log.only(&["write", "rollback"]);
        assert_eq!(calls[..4], ["write B", "write x", "rollback", &format!("write {letter}")]);
    }
}

#[tokio::test(start_paused = true)]
async fn half_a_transaction_at_the_end_is_taken_back() {
    let log = Log::default();
    let source = Scripted::new(events(transaction(0x100, 3), 2), &log);
    Pipeline::new(Sink::new(&log)).batch_rows(1).drive(source, pending()).await.unwrap();
    assert_eq!(log.only(&["write", "rollback", "flush", "finish"]).last().unwrap(), "finish");
    assert_eq!(log.only(&["write", "rollback"]), ["write B", "write x", "rollback"]);
}

#[tokio::test(start_paused = true)]
async fn what_does_not_pass_by_itself_ends_the_run() {
    let log = Log::default();
    let gone = ServerError {
        severity: "ERROR".into(),
        sqlstate: "42704".into(),
        message: "replication slot \"s\" does not exist".into(),
        detail: None,
        hint: None,
    };
    let source = Scripted {
        reopens: [Err(Error::Closed { during: "once more" }), Err(Error::Server(Box::new(gone)))].into(),
        ..Scripted::new([Step::Fail], &log)
    };
    let error = Pipeline::new(Sink::new(&log)).drive(source, pending()).await.unwrap_err();
    assert_eq!(error.sqlstate(), Some("42704"));
    assert_eq!(log.only(&CALLS), ["reopen", "reopen"]);
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_does_not_wait_for_a_source_that_is_away() {
    let log = Log::default();
    let away = std::iter::repeat_with(|| Err(Error::Closed { during: "away" })).take(100);
    let steps = transaction(0x100, 1).into_iter().chain([Step::Fail]);
    let source = Scripted { reopens: away.collect(), ..Scripted::new(steps, &log) };
    let start = Instant::now();
    let run = Pipeline::new(Sink::new(&log)).drive(source, sleep(600 * SECOND)).await;
    assert_eq!(start.elapsed(), 600 * SECOND);
    let statistics = run.unwrap();
    assert!(!statistics.is_connected && statistics.acknowledged == Lsn::new(0x108));
    let tries = log.only(&["reopen"]).len();
    assert!((20..60).contains(&tries), "{tries} tries in ten minutes");
    assert_eq!(log.only(&["finish"]), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_beside_a_lost_connection_ends_the_run() {
    let log = Log::default();
    let sink = Sink { slow: 10 * SECOND, ..Sink::new(&log) };
    let mut steps = transaction(0x100, 1);
    steps.push(Step::Hang);
    let source = Scripted { keep_alive_fails: Some(5 * SECOND), ..Scripted::new(steps, &log) };
    let run = Pipeline::new(sink).batch_rows(100).drive(source, sleep(Duration::from_millis(50))).await;
    assert_eq!(run.unwrap().acknowledged, Lsn::new(0x108));
    assert_eq!(log.only(&CALLS), ["write BxC", "acknowledge 0/108"]);
}

#[tokio::test(start_paused = true)]
async fn a_sink_that_keeps_its_progress_is_asked_first_and_keeps_the_idle_one() {
    for (progress, first) in [
        (Progress::None, ["resume None", "set 0/10"]),
        (Progress::At(fingerprint(0x80)), ["resume Some(0/80)", ""]),
    ] {
        let log = Log::default();
        let mut steps = transaction(0x100, 1);
        steps.push(Step::Wait(10 * SECOND));
        let source = Scripted { idle: Some(0x500), ..Scripted::new(steps, &log) };
        let sink = Sink { progress, ..Sink::new(&log) };
        Pipeline::new(sink).drive(source, pending()).await.unwrap();
        let calls = log.only(&["resume", "set", "write", "ack", "idle"]);
        let rest = ["write BxC", "acknowledge 0/108", "set 0/500", "idle kept 0/500"];
        let expected: Vec<_> = first.into_iter().filter(|call| !call.is_empty()).chain(rest).collect();
        assert_eq!(calls, expected);
    }
}

/// The source may be on another timeline by then.
#[tokio::test(start_paused = true)]
async fn a_sink_that_keeps_its_progress_keeps_that_of_each_connection() {
    let log = Log::default();
    let source = Scripted::new([Step::Fail].into_iter().chain(transaction(0x100, 0)), &log);
    let sink = Sink { progress: Progress::At(fingerprint(0x18)), ..Sink::new(&log) };
    Pipeline::new(sink).drive(source, pending()).await.unwrap();
    assert_eq!(log.only(&["reopen", "set", "write"]), ["reopen", "set 0/18", "write BC"]);
}

#[tokio::test(start_paused = true)]
async fn a_sink_that_keeps_no_progress_is_asked_for_none() {
    let log = Log::default();
    let source = Scripted { idle: Some(0x500), ..Scripted::new([Step::Wait(10 * SECOND)], &log) };
    Pipeline::new(Sink::new(&log)).drive(source, pending()).await.unwrap();
    assert_eq!(log.only(&["resume", "set", "idle"]), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_heartbeat_goes_out_only_when_nothing_comes() {
    let log = Log::default();
    let steps =
        [Step::Wait(25 * SECOND)].into_iter().chain(transaction(0x100, 1)).chain([Step::Wait(15 * SECOND)]);
    let source = Scripted::new(steps, &log);
    Pipeline::new(Sink::new(&log)).heartbeat(10 * SECOND).drive(source, pending()).await.unwrap();
    assert_eq!(log.only(&["beat", "write"]), ["beat", "beat", "write BxC", "beat"]);

    let log = Log::default();
    let source = Scripted::new([Step::Wait(100 * SECOND)], &log);
    Pipeline::new(Sink::new(&log)).drive(source, pending()).await.unwrap();
    assert_eq!(log.only(&["beat"]), [""; 0], "nobody asked for one");
}

#[tokio::test(start_paused = true)]
async fn a_monitor_sees_the_run() {
    let log = Log::default();
    let mut steps = transaction(0x100, 2);
    steps.extend([Step::Wait(5 * SECOND), Step::Fail]);
    let away = std::iter::repeat_with(|| Err(Error::Closed { during: "away" })).take(1000);
    let source = Scripted { reopens: away.collect(), ..Scripted::new(steps, &log) };
    let pipeline = Pipeline::new(Sink::new(&log));
    let monitor = pipeline.monitor();
    let run = pipeline.drive(source, sleep(20 * SECOND));
    let watch = async {
        sleep(SECOND).await;
        let early = monitor.statistics();
        assert!(early.is_connected && early.transactions == 1 && early.changes == 2);
        sleep(10 * SECOND).await;
        assert!(!monitor.statistics().is_connected);
    };
    let (run, ()) = tokio::join!(run, watch);
    assert_eq!(run.unwrap(), monitor.statistics());
}

#[tokio::test(start_paused = true)]
async fn museum_12_a_source_is_kept_alive_while_the_sink_looks_where_it_stands() {
    let at = Progress::At(fingerprint(0x80));
    for (progress, slow_start, slow) in [(at, 10, 0), (Progress::Untracked, 10, 0), (Progress::None, 0, 10)] {
        let log = Log::default();
        let mut source = Scripted::new(transaction(0x100, 1), &log);
        source.keep_alive_fails = Some(SECOND);
        let sink = Sink { progress, slow_start: slow_start * SECOND, slow: slow * SECOND, ..Sink::new(&log) };
        let statistics = Pipeline::new(sink).drive(source, pending()).await.unwrap();
        // That the source is lost meanwhile, too, is noticed then.
        assert_eq!((statistics.reconnects, statistics.transactions), (1, 1));
        assert!(log.calls()[..2].contains(&"keep alive".to_owned()));
    }
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_ends_well_although_the_server_can_t_be_told() {
    for (reconnect, ends_well) in [(true, true), (false, false)] {
        let log = Log::default();
        let mut source = Scripted::new(transaction(0x100, 1), &log);
        source.finishes = [Err(Error::Closed { during: "by script" })].into();
        let ended = Pipeline::new(Sink::new(&log)).reconnect(reconnect).drive(source, pending()).await;
        assert_eq!(ended.is_ok(), ends_well);
    }
}

#[test]
fn a_run_can_be_spawned() {
    fn spawnable(_: impl Send) {}
    fn is_spawnable(stream: ReplicationStream, sink: crate::sink::Memory) {
        spawnable(Pipeline::new(sink).run(stream, pending()));
    }
    _ = is_spawnable;
}
