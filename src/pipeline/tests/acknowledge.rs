//! What is acknowledged, and what never is.

use super::*;

async fn run(sink: Sink, rows: usize, steps: Vec<Step>) -> Result<Statistics, Error> {
    let source = Scripted::new(steps, &sink.log);
    Pipeline::new(sink).batch_rows(rows).drive(source, pending()).await
}

fn two() -> Vec<Step> {
    [0x100, 0x200].into_iter().flat_map(|lsn| transaction(lsn, 1)).collect()
}

#[tokio::test(start_paused = true)]
async fn only_what_was_flushed_and_complete_is_acknowledged() {
    let log = Log::default();
    let mut steps = two();
    steps.insert(4, Step::Wait(SECOND));
    let summary = run(Sink::new(&log), 4, steps).await.unwrap();
    let calls = log.only(&["write", "flush", "durable", "ack", "finish"]);
    let first = ["write BxCB", "flush", "durable", "acknowledge 0/108"];
    let second = ["write xC", "flush", "durable", "acknowledge 0/208", "finish"];
    assert_eq!(calls, [&first[..], &second].concat());
    assert_eq!((summary.transactions, summary.changes, summary.acknowledged), (2, 2, Lsn::new(0x208)));
}

#[tokio::test(start_paused = true)]
async fn a_batch_without_a_commit_acknowledges_nothing() {
    let log = Log::default();
    let summary = run(Sink::new(&log), 1, vec![Step::Event(begin(0x100)), Step::Event(insert())]).await;
    assert_eq!(log.only(&["ack"]), [""; 0]);
    let Statistics { transactions, changes, acknowledged, .. } = summary.unwrap();
    assert_eq!((transactions, changes, acknowledged), (0, 0, Lsn::ZERO));
}

/// Acknowledged before durable: pgjdbc #2941, etl #913. A sink that accepts, then fails.
#[tokio::test(start_paused = true)]
async fn museum_07_nothing_is_acknowledged_that_a_sink_failed_to_take() {
    for call in ["write", "flush"] {
        for slow in [Duration::ZERO, SECOND] {
            for nth in [0, 1] {
                let log = Log::default();
                let done = if call == "flush" { nth + 1 } else { nth };
                let sink = Sink { fails_at: Some((call, done)), slow, ..Sink::new(&log) };
                let error = run(sink, 3, two()).await.unwrap_err();
                assert!(matches!(error, Error::Sink(_)), "{error:?}");
                let acknowledged = vec!["acknowledge 0/108"; nth];
                // The server is told of what was durable before.
                assert_eq!(log.only(&["ack", "finish"]), [&acknowledged[..], &["finish"]].concat());
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_error_of_the_source_comes_after_what_was_flushed() {
    let log = Log::default();
    let steps = transaction(0x100, 1).into_iter().chain([Step::Event(begin(0x200)), Step::Fail]);
    let source = Scripted::new(steps, &log);
    let pipeline = Pipeline::new(Sink::new(&log)).batch_rows(3).reconnect(false);
    let error = pipeline.drive(source, pending()).await.unwrap_err();
    assert!(matches!(error, Error::Closed { during: "by script" }));
    assert_eq!(log.only(&["write", "ack", "finish"]), ["write BxC", "acknowledge 0/108"]);
}

/// Keepalives starved by a slow sink: Electric #4105, PeerDB #4324, Conduit #182.
#[tokio::test(start_paused = true)]
async fn museum_12_the_connection_is_kept_alive_beside_a_slow_sink() {
    let log = Log::default();
    let sink = Sink { slow: 600 * SECOND, ..Sink::new(&log) };
    run(sink, 100, transaction(0x100, 1)).await.unwrap();
    assert_eq!(log.calls()[..2], ["keep alive", "write BxC"]);
}

#[tokio::test(start_paused = true)]
async fn a_sink_ends_its_work_when_the_connection_fails_beside_it() {
    for reconnect in [false, true] {
        let log = Log::default();
        let sink = Sink { slow: 600 * SECOND, ..Sink::new(&log) };
        let source =
            Scripted { keep_alive_fails: Some(SECOND), ..Scripted::new(transaction(0x100, 1), &log) };
        let run = Pipeline::new(sink).reconnect(reconnect).drive(source, pending()).await;
        let calls = log.only(&["write", "flush", "durable", "ack", "reopen", "finish"]);
        assert_eq!(calls[..4], ["write BxC", "flush", "durable", "acknowledge 0/108"]);
        if reconnect {
            assert_eq!(run.unwrap().reconnects, 1);
            assert_eq!(calls[4..], ["reopen", "finish"]);
        } else {
            assert!(matches!(run.unwrap_err(), Error::Closed { during: "beside the sink" }));
            assert_eq!(calls.len(), 4);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_outside_of_transactions_is_acknowledged_by_itself() {
    let log = Log::default();
    let mut steps = transaction(0x100, 0);
    steps.push(Step::Event(message(0x200)));
    let summary = run(Sink::new(&log), 100, steps).await.unwrap();
    assert_eq!(log.only(&["ack"]).last().unwrap(), "acknowledge 0/200");
    assert_eq!(summary.acknowledged, Lsn::new(0x108), "the transaction before it counts all the same");
    assert_eq!((summary.transactions, summary.changes), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_commit_behind_a_message_stands_for_both() {
    let log = Log::default();
    let steps = [Step::Event(message(0x80))].into_iter().chain(transaction(0x100, 0)).collect();
    run(Sink::new(&log), 100, steps).await.unwrap();
    assert_eq!(log.only(&["ack"]).last().unwrap(), "acknowledge 0/108");
}

#[tokio::test(start_paused = true)]
async fn a_preparation_is_acknowledged_and_so_is_its_end() {
    let log = Log::default();
    let mut steps: Vec<_> =
        [begin(0x100), insert(), prepare(0x100), commit_prepared(0x200)].map(Step::Event).into();
    steps.insert(3, Step::Wait(SECOND));
    let summary = run(Sink::new(&log), 3, steps).await.unwrap();
    let calls = log.only(&["write", "ack"]);
    assert_eq!(calls, ["write BxP", "acknowledge 0/108", "write K", "acknowledge 0/208"]);
    assert_eq!((summary.transactions, summary.changes, summary.acknowledged), (2, 1, Lsn::new(0x208)));
}
