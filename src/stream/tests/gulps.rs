//! When the thread sleeps for more to come: by a clock that jumps, and the machine's own, which the sleep is of.

use std::time::Instant as Clock;

use super::*;

const GULP: Duration = Duration::from_micros(250);

/// How long it really takes until nothing more is at hand.
async fn takes(stream: &mut ReplicationStream) -> Duration {
    let start = Clock::now();
    let polled = poll_fn(|cx| {
        let polled = Pin::new(&mut *stream).poll_next(cx);
        Poll::Ready(polled.is_ready())
    });
    let was_ready = polled.await;
    assert!(!was_ready, "all was taken");
    start.elapsed()
}

async fn follow(gulps: bool) -> (ReplicationStream, Walsender) {
    let (mut stream, mut walsender) = streaming(options().gulps(gulps)).await;
    walsender.send(transaction(0x100)).await;
    assert_eq!(committed(&mut stream).await.0, 1);
    tokio::time::sleep(SECOND).await;
    idle(&mut stream, false, SECOND).await;
    (stream, walsender)
}

/// A transaction with so many changes, taken to its end.
async fn take(stream: &mut ReplicationStream, walsender: &mut Walsender, commit_lsn: u64, changes: usize) {
    let inserts = std::iter::repeat_n(insert("x"), changes);
    walsender.send([begin(commit_lsn)].into_iter().chain(inserts).chain([commit(commit_lsn)])).await;
    assert_eq!(committed(stream).await.0, changes);
}

#[tokio::test(start_paused = true)]
async fn many_changes_are_followed_by_a_wait_for_more() {
    let (mut stream, mut walsender) = follow(true).await;
    take(&mut stream, &mut walsender, 0x200, 40).await;
    assert!(takes(&mut stream).await >= GULP);

    // Nothing has come of it, so nothing more is waited for.
    let mut again = Duration::MAX;
    for _ in 0..20 {
        again = again.min(takes(&mut stream).await);
    }
    assert!(again < GULP);
}

#[tokio::test(start_paused = true)]
async fn a_change_that_comes_by_itself_is_not_waited_behind() {
    let (mut stream, mut walsender) = follow(true).await;
    let mut least = Duration::MAX;
    for nth in 2..22 {
        tokio::time::advance(SECOND).await;
        take(&mut stream, &mut walsender, nth * 0x100, 1).await;
        least = least.min(takes(&mut stream).await);
    }
    assert!(least < GULP);
}

#[tokio::test(start_paused = true)]
async fn who_has_not_asked_for_gulps_never_sleeps() {
    let (mut stream, mut walsender) = follow(false).await;
    let mut least = Duration::MAX;
    for nth in 2..22 {
        take(&mut stream, &mut walsender, nth * 0x100, 40).await;
        least = least.min(takes(&mut stream).await);
    }
    assert!(least < GULP);
}

#[tokio::test(start_paused = true)]
async fn an_acknowledgement_goes_out_though_more_is_waited_for() {
    let (mut stream, mut walsender) = streaming(options().gulps(true)).await;
    let inserts = std::iter::repeat_n(insert("x"), 40);
    walsender.send([begin(0x100), announce()].into_iter().chain(inserts).chain([commit(0x100)])).await;
    let (_, commit) = committed(&mut stream).await;
    stream.acknowledge(&commit);
    takes(&mut stream).await;
    assert_eq!(walsender.status().await.flushed, Lsn::new(0x108));
}
