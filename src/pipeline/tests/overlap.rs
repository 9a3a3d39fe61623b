//! The next batch is gathered while the sink works.

use super::*;

fn three() -> Vec<Step> {
    [0x100, 0x200, 0x300].into_iter().flat_map(|lsn| transaction(lsn, 1)).collect()
}

#[tokio::test(start_paused = true)]
async fn the_next_batch_is_gathered_while_the_sink_works() {
    for kind in [SinkKind::Append, SinkKind::Mirror] {
        let log = Log::default();
        let mut steps = three();
        for at in [7, 6, 5, 4, 3] {
            steps.insert(at, Step::Wait(SECOND));
        }
        let start = Instant::now();
        let sink = Sink { slow: 10 * SECOND, kind, ..Sink::new(&log) };
        let pipeline = Pipeline::new(sink).batch_rows(3).batch_delay(60 * SECOND);
        pipeline.drive(Scripted::new(steps, &log), pending()).await.unwrap();
        // One at the sink, one that waits, and the source is only kept alive from there on.
        let calls = log.times(start, &["write", "keep"]);
        assert_eq!(calls[..2], ["3000 keep alive", "10000 write BxC"], "{kind:?}");
        assert_eq!(log.only(&["write"]), ["write BxC"; 3]);
    }
}

#[tokio::test(start_paused = true)]
async fn what_comes_beside_the_sink_goes_into_one_batch() {
    let log = Log::default();
    let mut steps = three();
    steps.insert(3, Step::Wait(SECOND));
    steps.extend([Step::Wait(100 * SECOND)]);
    let start = Instant::now();
    let sink = Sink { slow: 10 * SECOND, kind: SinkKind::Mirror, ..Sink::new(&log) };
    Pipeline::new(sink).batch_delay(60 * SECOND).drive(Scripted::new(steps, &log), pending()).await.unwrap();
    assert_eq!(log.times(start, &["write"]), ["10000 write BxC", "20000 write BxCBxC"]);
}

#[tokio::test(start_paused = true)]
async fn an_end_beside_the_sink_is_not_overtaken() {
    let log = Log::default();
    let mut steps = three();
    steps.pop();
    steps.insert(3, Step::Wait(SECOND));
    let sink = Sink { slow: 10 * SECOND, ..Sink::new(&log) };
    let pipeline = Pipeline::new(sink).batch_rows(3);
    let statistics = pipeline.drive(Scripted::new(steps, &log), pending()).await.unwrap();
    let calls = log.only(&["write", "flush", "ack", "rollback", "finish"]);
    let first = ["write BxC", "flush", "acknowledge 0/108", "write BxC", "flush", "acknowledge 0/208"];
    assert_eq!(calls, [&first[..], &["finish"]].concat());
    assert_eq!((statistics.transactions, statistics.rollbacks), (2, 0));
}

#[tokio::test(start_paused = true)]
async fn beside_a_batch_above_its_share_nothing_is_gathered() {
    let log = Log::default();
    let mut steps = three();
    steps.insert(2, Step::Wait(SECOND));
    let start = Instant::now();
    let sink = Sink { slow: 10 * SECOND, ..Sink::new(&log) };
    let pipeline = Pipeline::new(sink).batch_bytes(1).batch_delay(60 * SECOND);
    pipeline.drive(Scripted::new(steps, &log), pending()).await.unwrap();
    assert_eq!(log.times(start, &["write", "keep"])[..2], ["0 keep alive", "10000 write Bx"]);
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_waits_for_a_sink_that_keeps_its_progress_but_not_for_ever() {
    for (slow, ended, acknowledged) in [(4, 8, &["acknowledge 0/108"][..]), (3600, 11, &[])] {
        for kind in [SinkKind::Append, SinkKind::Mirror] {
            let log = Log::default();
            let mut steps = transaction(0x100, 1);
            steps.push(Step::Hang);
            let start = Instant::now();
            let progress = Progress::At(fingerprint(0x10));
            let sink = Sink { slow: slow * SECOND, kind, progress, ..Sink::new(&log) };
            let pipeline = Pipeline::new(sink).batch_delay(Duration::ZERO);
            let ran = pipeline.drive(Scripted::new(steps, &log), sleep(SECOND)).await;
            assert_eq!(start.elapsed(), ended * SECOND, "{kind:?}");
            assert_eq!(ran.unwrap().transactions, acknowledged.len() as u64);
            assert_eq!(log.only(&["ack", "rollback", "finish"]), [acknowledged, &["finish"]].concat());
        }
    }
}

/// Between two stretches of a source that always has more, the sink goes on.
#[tokio::test(start_paused = true)]
async fn a_source_that_never_waits_does_not_starve_the_sink() {
    struct Busy(u32, Log);

    impl ChangeSink for Busy {
        type Error = io::Error;

        async fn write(&mut self, _: Batch) -> io::Result<()> {
            for _ in 0..self.0 {
                tokio::task::yield_now().await;
            }
            self.1.add("written");
            Ok(())
        }

        async fn flush(&mut self) -> io::Result<()> {
            self.1.add("flushed");
            Ok(())
        }

        async fn rollback(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    let log = Log::default();
    let mut steps = transaction(0x100, 1);
    steps.extend(transaction(0x200, 10_000));
    let source = Scripted::new(steps, &log);
    let pipeline = Pipeline::new(Busy(3, log.clone())).batch_rows(3);
    pipeline.batch_rows(100_000).batch_delay(Duration::ZERO).drive(source, pending()).await.unwrap();
    assert!(log.only(&["written"]).len() > 2, "{:?}", log.calls());
}
