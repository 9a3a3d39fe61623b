//! When a sink gets what: the rule of `pipeline/pace.rs`, by a clock that jumps.

use super::*;

/// Runs these steps into a mirror that takes so long, and says when it was called.
async fn mirrored(slow: Duration, delay: u32, steps: Vec<Step>) -> Vec<String> {
    let log = Log::default();
    let start = Instant::now();
    let sink = Sink { slow, kind: SinkKind::Mirror, ..Sink::new(&log) };
    let pipeline = Pipeline::new(sink).batch_delay(delay * MILLISECOND);
    pipeline.drive(Scripted::new(steps, &log), pending()).await.unwrap();
    let mut calls = log.times(start, &["write", "flush", "ack"]);
    for call in &mut calls {
        if let Some((time, letters)) = call.split_once(" write ") {
            *call = format!("{time} write {}", letters.len());
        }
    }
    calls
}

#[tokio::test(start_paused = true)]
async fn a_mirror_shows_at_once_what_comes_by_itself() {
    let mut steps = vec![Step::Wait(SECOND)];
    steps.extend(transaction(0x100, 2));
    steps.push(Step::Wait(10 * MILLISECOND));
    steps.extend(transaction(0x200, 1));
    steps.push(Step::Wait(SECOND));
    let calls = mirrored(Duration::ZERO, 100, steps).await;
    let flushed = ["1100 flush", "1100 acknowledge 0/208"];
    assert_eq!(calls, [&["1000 write 4", "1010 write 3"][..], &flushed].concat());
}

#[tokio::test(start_paused = true)]
async fn a_mirror_does_not_get_half_a_transaction_before_its_time() {
    let mut steps = transaction(0x100, 1);
    steps.insert(1, Step::Wait(50 * MILLISECOND));
    steps.push(Step::Wait(SECOND));
    let calls = mirrored(Duration::ZERO, 100, steps).await;
    assert_eq!(calls, ["50 write 3", "100 flush", "100 acknowledge 0/108"]);

    let mut steps = transaction(0x100, 1);
    steps.insert(1, Step::Wait(150 * MILLISECOND));
    steps.push(Step::Wait(SECOND));
    let calls = mirrored(Duration::ZERO, 100, steps).await;
    let expected = ["100 write 1", "100 flush", "150 write 2", "250 flush", "250 acknowledge 0/108"];
    assert_eq!(calls, expected);
}

#[tokio::test(start_paused = true)]
async fn many_events_wait_a_moment_for_more() {
    let many = |lsn| transaction(lsn, 40);
    let mut steps = many(0x100);
    steps.push(Step::Wait(MILLISECOND));
    steps.extend(many(0x200));
    steps.push(Step::Wait(SECOND));
    let calls = mirrored(Duration::ZERO, 100, steps).await;
    assert_eq!(calls, ["25 write 84", "100 flush", "100 acknowledge 0/208"]);

    // Never longer than the delay.
    let mut steps = many(0x100);
    steps.push(Step::Wait(SECOND));
    assert_eq!(mirrored(Duration::ZERO, 2, steps).await[0], "2 write 42");

    // Long ago is not now.
    let mut steps = many(0x100);
    steps.push(Step::Wait(40 * MILLISECOND));
    steps.extend(transaction(0x200, 1));
    steps.push(Step::Wait(SECOND));
    assert_eq!(mirrored(Duration::ZERO, 100, steps).await[..2], ["25 write 42", "40 write 3"]);
}

#[tokio::test(start_paused = true)]
async fn a_flush_is_for_what_was_written_before_it_began() {
    let mut steps = transaction(0x100, 1);
    steps.push(Step::Wait(120 * MILLISECOND));
    // The sink flushes from 110 on.
    steps.extend(transaction(0x200, 1));
    steps.push(Step::Wait(SECOND));
    let calls = mirrored(50 * MILLISECOND, 110, steps).await;
    let first = ["50 write 3", "160 flush", "160 acknowledge 0/108"];
    assert_eq!(calls, [&first[..], &["210 write 3", "280 flush", "280 acknowledge 0/208"]].concat());
}

#[tokio::test(start_paused = true)]
async fn what_a_mirror_was_given_is_flushed_in_time_although_more_comes() {
    let mut steps = Vec::new();
    for nth in 1..=20 {
        steps.extend(transaction(0x100 * nth, 1));
        steps.push(Step::Wait(10 * MILLISECOND));
    }
    let calls = mirrored(Duration::ZERO, 50, steps).await;
    let flushes: Vec<_> = calls.iter().filter(|call| call.ends_with("flush")).collect();
    assert_eq!(flushes, ["50 flush", "110 flush", "170 flush", "200 flush"]);
    assert_eq!(calls.last().unwrap(), "200 acknowledge 0/1408");
}

/// Both are due at the same time: readers wait for the one, only the source for the other.
#[tokio::test(start_paused = true)]
async fn what_is_complete_goes_before_a_flush_that_is_due() {
    let mut steps = transaction(0x100, 1);
    steps.push(Step::Wait(50 * MILLISECOND));
    steps.extend(transaction(0x200, 1));
    steps.push(Step::Wait(SECOND));
    let calls = mirrored(Duration::ZERO, 50, steps).await;
    assert_eq!(calls, ["0 write 3", "50 write 3", "50 flush", "50 acknowledge 0/208"]);
}

/// The next transaction is always there when the sink is done with one.
#[tokio::test(start_paused = true)]
async fn a_flush_that_is_due_does_not_wait_long_for_what_is_complete() {
    let mut steps = Vec::new();
    for nth in 1..=40 {
        steps.extend(transaction(0x100 * nth, 1));
        steps.push(Step::Wait(4 * MILLISECOND));
    }
    let calls = mirrored(4 * MILLISECOND, 50, steps).await;
    let flushes: Vec<_> = calls.iter().filter(|call| call.ends_with("flush")).collect();
    assert_eq!(flushes[..2], ["64 flush", "124 flush"]);
}

#[tokio::test(start_paused = true)]
async fn a_log_is_flushed_with_each_batch() {
    let log = Log::default();
    let mut steps = transaction(0x100, 1);
    steps.push(Step::Wait(SECOND));
    let start = Instant::now();
    Pipeline::new(Sink::new(&log)).drive(Scripted::new(steps, &log), pending()).await.unwrap();
    let calls = log.times(start, &["write", "flush", "ack"]);
    assert_eq!(calls, ["100 write BxC", "100 flush", "100 acknowledge 0/108"]);
}

/// What it keeps by itself must not overtake what it was given.
#[tokio::test(start_paused = true)]
async fn a_mirror_keeps_an_idle_position_only_behind_a_flush() {
    let log = Log::default();
    let mut steps = vec![Step::Wait(10 * MILLISECOND)];
    steps.extend(transaction(0x100, 1));
    steps.push(Step::Wait(10 * SECOND));
    let source = Scripted { idle: Some(0x500), ..Scripted::new(steps, &log) };
    let sink = Sink { kind: SinkKind::Mirror, progress: Progress::At(fingerprint(0x80)), ..Sink::new(&log) };
    Pipeline::new(sink).batch_delay(3 * SECOND).drive(source, pending()).await.unwrap();
    let calls = log.only(&["write", "flush", "set", "idle"]);
    assert_eq!(calls, ["write BxC", "flush", "set 0/500", "idle kept 0/500"]);
}

/// A sink that forgets the half of a transaction would forget the position, which the server has heard of by then.
#[tokio::test(start_paused = true)]
async fn no_idle_position_is_kept_inside_of_a_transaction() {
    let log = Log::default();
    let mut steps = transaction(0x100, 1);
    let end = steps.pop().unwrap();
    steps.extend([Step::Wait(5 * SECOND), end, Step::Wait(5 * SECOND)]);
    let source = Scripted { idle: Some(0x500), ..Scripted::new(steps, &log) };
    let sink = Sink { kind: SinkKind::Mirror, progress: Progress::At(fingerprint(0x80)), ..Sink::new(&log) };
    Pipeline::new(sink).batch_rows(2).drive(source, pending()).await.unwrap();
    let calls = log.only(&["write", "acknowledge", "set", "idle"]);
    assert_eq!(calls, ["write Bx", "write C", "acknowledge 0/108", "set 0/500", "idle kept 0/500"]);
}

#[tokio::test(start_paused = true)]
async fn a_delay_without_end_is_none() {
    let log = Log::default();
    let pipeline = Pipeline::new(Sink::new(&log)).batch_delay(Duration::MAX);
    let steps = transaction(0x100, 1).into_iter().chain([Step::Wait(3600 * SECOND)]);
    pipeline.drive(Scripted::new(steps, &log), pending()).await.unwrap();
    assert_eq!(log.only(&["write", "ack"]), ["write BxC", "acknowledge 0/108"]);
}
