//! What is in a batch, and when it is written.

use super::*;

async fn writes(pipeline: impl FnOnce(Pipeline<Sink>) -> Pipeline<Sink>, steps: Vec<Step>) -> Vec<String> {
    let log = Log::default();
    let pipeline = pipeline(Pipeline::new(Sink::new(&log)));
    pipeline.drive(Scripted::new(steps, &log), pending()).await.unwrap();
    log.only(&["write"])
}

#[tokio::test(start_paused = true)]
async fn a_batch_ends_after_so_many_events() {
    let steps = || [transaction(0x100, 3), transaction(0x200, 1)].into_iter().flatten().collect();
    assert_eq!(writes(|p| p.batch_rows(3), steps()).await, ["write Bxx", "write xCB", "write xC"]);
    assert_eq!(writes(|p| p.batch_rows(0), steps()).await.len(), 8, "one at least");
    assert_eq!(writes(|p| p, steps()).await, ["write BxxxCBxC"]);
}

#[tokio::test(start_paused = true)]
async fn a_batch_ends_after_so_many_bytes_of_values() {
    let steps = || transaction(0x100, 3);
    let Event::Change(_) = insert() else { unreachable!() };
    let one = insert().byte_len();
    assert!(one >= 10);
    assert_eq!(writes(|p| p.batch_bytes(2 * one), steps()).await, ["write Bxx", "write xC"]);
    assert_eq!(writes(|p| p.batch_bytes(1), steps()).await, ["write Bx", "write x", "write x", "write C"]);
}

#[tokio::test(start_paused = true)]
async fn a_batch_ends_after_some_time_even_if_nothing_more_comes() {
    let log = Log::default();
    let mut steps = vec![Step::Wait(60 * SECOND)];
    for step in transaction(0x100, 2) {
        steps.extend([step, Step::Wait(2 * SECOND)]);
    }
    steps.push(Step::Hang);
    let start = Instant::now();
    let source = Scripted::new(steps, &log);
    let pipeline = Pipeline::new(Sink::new(&log)).batch_delay(3 * SECOND);
    let shutdown = sleep(100 * SECOND);
    pipeline.drive(source, shutdown).await.unwrap();
    // B at 60 s, x at 62 s: the first event waits three seconds. x at 64 s, C at 66 s.
    assert_eq!(log.only(&["write", "ack"]), ["write Bx", "write xC", "acknowledge 0/108"]);
    assert_eq!(start.elapsed(), 100 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn a_sink_is_not_asked_for_nothing() {
    let log = Log::default();
    let source = Scripted::new([Step::Wait(SECOND)], &log);
    let summary = Pipeline::new(Sink::new(&log)).drive(source, pending()).await.unwrap();
    assert_eq!(log.calls(), ["finish"]);
    assert_eq!(summary, Statistics { is_connected: true, ..Statistics::default() });
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_finishes_the_batch_in_hand() {
    let log = Log::default();
    let steps = transaction(0x100, 1).into_iter().chain([Step::Event(begin(0x200)), Step::Hang]);
    let pipeline = Pipeline::new(Sink::new(&log)).batch_delay(60 * SECOND);
    let summary = pipeline.drive(Scripted::new(steps, &log), sleep(SECOND)).await.unwrap();
    assert_eq!(log.calls(), ["write BxC", "flush", "durable", "acknowledge 0/108", "finish"]);
    assert_eq!((summary.transactions, summary.acknowledged), (1, Lsn::new(0x108)));
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_waits_for_the_sink_and_takes_nothing_new() {
    let log = Log::default();
    let mut steps: Vec<_> = [0x100, 0x200].into_iter().flat_map(|lsn| transaction(lsn, 1)).collect();
    steps.insert(3, Step::Wait(2 * SECOND));
    let sink = Sink { slow: 10 * SECOND, ..Sink::new(&log) };
    let pipeline = Pipeline::new(sink).batch_rows(3);
    pipeline.drive(Scripted::new(steps, &log), sleep(SECOND)).await.unwrap();
    assert_eq!(log.only(&["write", "ack", "finish"]), ["write BxC", "acknowledge 0/108", "finish"]);
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_before_the_start_takes_nothing() {
    let log = Log::default();
    let source = Scripted::new(transaction(0x100, 1), &log);
    Pipeline::new(Sink::new(&log)).drive(source, ready(())).await.unwrap();
    assert_eq!(log.calls(), ["finish"]);
}
