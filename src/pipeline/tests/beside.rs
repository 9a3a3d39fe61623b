//! A flush beside what is written.

use super::*;

const CALLS: [&str; 3] = ["write", "flush", "ack"];

/// A mirror whose flushes take so long beside what is written.
fn mirror(log: &Log, beside: impl IntoIterator<Item = (u32, bool)>) -> Sink {
    let beside = beside.into_iter().map(|(time, succeeds)| (time * MILLISECOND, succeeds)).collect();
    Sink { kind: SinkKind::Mirror, beside, ..Sink::new(log) }
}

/// Transactions at 0 and 120 ms, and then so long nothing.
fn two(rest: u32) -> Vec<Step> {
    let mut steps = transaction(0x100, 1);
    steps.push(Step::Wait(120 * MILLISECOND));
    steps.extend(transaction(0x200, 1));
    steps.push(Step::Wait(rest * MILLISECOND));
    steps
}

#[tokio::test(start_paused = true)]
async fn what_comes_while_a_flush_goes_on_is_written_and_waits_for_the_next_flush() {
    let (log, start) = (Log::default(), Instant::now());
    let pipeline = Pipeline::new(mirror(&log, [(50, true), (10, true)]));
    let statistics = pipeline.drive(Scripted::new(two(1000), &log), pending()).await.unwrap();
    let first = ["0 write BxC", "100 flush begins", "120 write BxC", "150 acknowledge 0/108"];
    let second = ["220 flush begins", "230 acknowledge 0/208"];
    assert_eq!(log.times(start, &CALLS), [&first[..], &second].concat());
    assert_eq!((statistics.transactions, statistics.changes), (2, 2), "each is counted once");
}

#[tokio::test(start_paused = true)]
async fn a_flush_beside_that_fails_is_asked_for_again_and_waited_for() {
    let (log, start) = (Log::default(), Instant::now());
    let pipeline = Pipeline::new(mirror(&log, [(50, false)]));
    let statistics = pipeline.drive(Scripted::new(two(1000), &log), pending()).await.unwrap();
    let first = ["0 write BxC", "100 flush begins", "120 write BxC"];
    assert_eq!(log.times(start, &CALLS), [&first[..], &["150 flush", "150 acknowledge 0/208"]].concat());
    assert_eq!((statistics.transactions, statistics.changes), (2, 2));
}

#[tokio::test(start_paused = true)]
async fn the_next_flush_does_not_begin_before_the_one_that_goes_on_has_ended() {
    let (log, start) = (Log::default(), Instant::now());
    let pipeline = Pipeline::new(mirror(&log, [(400, true), (10, true)]));
    pipeline.drive(Scripted::new(two(1000), &log), pending()).await.unwrap();
    let first = ["0 write BxC", "100 flush begins", "120 write BxC", "500 acknowledge 0/108"];
    let second = ["500 flush begins", "510 acknowledge 0/208"];
    assert_eq!(log.times(start, &CALLS), [&first[..], &second].concat());
}

#[tokio::test(start_paused = true)]
async fn an_end_while_a_flush_goes_on_leaves_nothing_that_is_not_flushed() {
    for steps in [two(10), transaction(0x100, 1).into_iter().chain([Step::Wait(110 * MILLISECOND)]).collect()]
    {
        let log = Log::default();
        let transactions = steps.iter().filter(|step| matches!(step, Step::Event(Event::Commit(_)))).count();
        let pipeline = Pipeline::new(mirror(&log, [(50, true)]));
        let statistics = pipeline.drive(Scripted::new(steps, &log), pending()).await.unwrap();
        let calls = log.only(&["flush", "ack", "finish"]);
        let end = format!("acknowledge 0/{transactions}08");
        assert_eq!(calls, ["flush begins", "flush", &end, "finish"]);
        assert_eq!(statistics.transactions, transactions as u64);
    }
}

/// What it was to make durable may be gone with the sink's session.
#[tokio::test(start_paused = true)]
async fn a_flush_beside_counts_for_nothing_when_the_sink_fails_meanwhile() {
    let log = Log::default();
    let mut steps = two(5000);
    steps.extend(transaction(0x100, 1));
    steps.extend(transaction(0x200, 1));
    steps.push(Step::Wait(SECOND));
    let sink = Sink { fails_second_write: true, ..mirror(&log, [(50, true)]) };
    let statistics = Pipeline::new(sink).drive(Scripted::new(steps, &log), pending()).await.unwrap();
    let first = ["write BxC", "flush begins", "write BxC", "reopen"];
    let calls = log.only(&["write", "flush", "ack", "reopen"]);
    assert_eq!(calls, [&first[..], &["write BxCBxC", "flush", "acknowledge 0/208"]].concat());
    assert_eq!((statistics.transactions, statistics.sink_retries), (2, 1));
}
