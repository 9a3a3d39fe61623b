//! The sinks' laws: ours keep them, and for each there is a sink that breaks it and is found out.
#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a helper of a test fails the test"
)]

#[path = "testkit/exact.rs"]
mod exact;
#[path = "testkit/files.rs"]
mod files;
#[path = "testkit/script.rs"]
mod script;
mod support;
#[path = "testkit/target.rs"]
mod target;

use exact::{Flaw, Store};
use files::{Folder, Json, Paper, Sql};
use walferry::sink::testkit::{self, BoxError, Broken, Law, Report, Storage, Visible};
use walferry::sink::{Memory, SinkKind};

use target::Target;

#[derive(Default)]
struct Kept(Memory, Vec<walferry::Event>);

impl Storage for Kept {
    type Sink = Memory;

    async fn open(&mut self) -> Result<Memory, BoxError> {
        Ok(self.0.clone())
    }

    async fn visible(&mut self) -> Result<Visible, BoxError> {
        self.1.extend(self.0.take());
        Ok(Visible::Log(testkit::transactions(self.1.iter().cloned())))
    }
}

#[tokio::test]
async fn memory_keeps_the_laws() {
    let report = testkit::check(Kept::default).await.unwrap();
    assert_eq!((report.failures, report.refusals), (0, 0));
    assert_eq!(report.not_concerned, [Law::Progress, Law::Failure]);
}

#[tokio::test]
async fn json_keeps_the_laws_where_every_write_waits_and_may_fail() {
    let report = testkit::check(Paper::<Json>::default).await.unwrap();
    assert!(report.crashes > 900 && report.cancellations > 10 && report.failures > 10, "{report:?}");
    assert_eq!(report.refusals, 0, "JSON carries any bytes");
    assert_eq!(report.not_concerned, [Law::Progress]);
}

#[tokio::test]
async fn a_script_keeps_the_laws_where_every_write_waits_and_may_fail() {
    let report = testkit::check(Paper::<Sql>::default).await.unwrap();
    assert!(report.crashes > 900 && report.cancellations > 10 && report.failures > 10, "{report:?}");
    assert_eq!(report.refusals, 0, "SQL carries any bytes but zero");
    assert_eq!(report.not_concerned, [Law::Progress]);
}

#[tokio::test]
async fn json_keeps_the_laws_in_files() {
    let report = testkit::check(Folder::<Json>::default).await.unwrap();
    assert_eq!(report.not_concerned, [Law::Progress, Law::Failure]);
}

#[tokio::test]
async fn a_script_keeps_the_laws_in_files() {
    let report = testkit::check(Folder::<Sql>::default).await.unwrap();
    assert_eq!(report.not_concerned, [Law::Progress, Law::Failure]);
}

async fn applying_keeps_the_laws(gather: bool) {
    let conninfo = target::database(if gather { "gathered" } else { "in_order" });
    let report = testkit::check(|| Target::new(&conninfo, gather))
        .await
        .unwrap_or_else(|broken| panic!("{broken}: {broken:?}"));
    assert!(report.crashes > 500 && report.cancellations > 4, "{report:?}");
    assert!(report.refusals > 3, "the target takes UTF-8 only: {report:?}");
    assert_eq!(report.not_concerned, [Law::Redelivery, Law::Failure]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_keeps_the_laws_where_changes_are_gathered() {
    applying_keeps_the_laws(true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_keeps_the_laws_where_changes_go_in_order() {
    // Takes a minute and a half, as the other way does.
    if support::is_long() {
        applying_keeps_the_laws(false).await;
    }
}

async fn examine(kind: SinkKind, tracked: bool, flaw: Flaw) -> Result<Report, Broken> {
    testkit::check(|| Store::new(kind, tracked, flaw)).await
}

#[tokio::test]
async fn a_sink_without_a_flaw_keeps_the_laws_whatever_its_kind() {
    for kind in [SinkKind::Mirror, SinkKind::Append] {
        for tracked in [true, false] {
            let report = examine(kind, tracked, Flaw::None).await.unwrap_or_else(|broken| panic!("{broken}"));
            assert!(report.crashes > 900 && report.cancellations > 10 && report.failures > 10, "{report:?}");
            let other = if tracked { Law::Redelivery } else { Law::Progress };
            assert_eq!(report.not_concerned, [other]);
            assert_eq!(report.refusals, 0);
        }
    }
}

#[tokio::test]
async fn a_sink_may_refuse_what_it_cannot_hold() {
    for kind in [SinkKind::Mirror, SinkKind::Append] {
        for tracked in [true, false] {
            let report =
                examine(kind, tracked, Flaw::Refuses).await.unwrap_or_else(|broken| panic!("{broken}"));
            assert!(report.refusals > 3, "{report:?}");
        }
    }
}

/// A kind of sink, whether it keeps its progress, what is wrong with it, and the law that it breaks.
const WRONG: &[(SinkKind, bool, Flaw, Law)] = &[
    (SinkKind::Mirror, true, Flaw::ShowsEarly, Law::Order),
    (SinkKind::Mirror, false, Flaw::ShowsEarly, Law::Order),
    (SinkKind::Append, true, Flaw::EndsWithBatch, Law::Order),
    (SinkKind::Append, false, Flaw::LosesWhatABatchBegan, Law::Order),
    (SinkKind::Append, true, Flaw::OrdersByTime, Law::Order),
    (SinkKind::Append, false, Flaw::OrdersByTime, Law::Order),
    (SinkKind::Append, false, Flaw::SkipsByPosition, Law::Order),
    (SinkKind::Mirror, true, Flaw::KeepsHalf, Law::Rollback),
    (SinkKind::Append, false, Flaw::KeepsHalf, Law::Rollback),
    (SinkKind::Mirror, true, Flaw::RollsBackTooMuch, Law::Rollback),
    (SinkKind::Append, false, Flaw::RollsBackTooMuch, Law::Rollback),
    (SinkKind::Append, true, Flaw::KeepsHalfWithProgress, Law::Rollback),
    (SinkKind::Mirror, true, Flaw::ForgetsFlush, Law::Durable),
    (SinkKind::Append, false, Flaw::ForgetsFlush, Law::Durable),
    (SinkKind::Append, false, Flaw::FlushesLateByOne, Law::Durable),
    (SinkKind::Mirror, false, Flaw::StartsAnew, Law::Durable),
    (SinkKind::Mirror, true, Flaw::ProgressFirst, Law::Progress),
    (SinkKind::Append, true, Flaw::ProgressFirst, Law::Progress),
    (SinkKind::Append, true, Flaw::ProgressLater, Law::Progress),
    (SinkKind::Mirror, true, Flaw::ProgressLater, Law::Progress),
    (SinkKind::Mirror, true, Flaw::GoesBack, Law::Progress),
    (SinkKind::Append, true, Flaw::LosesProgress, Law::Progress),
    (SinkKind::Mirror, true, Flaw::ForgetsTimeline, Law::Progress),
    (SinkKind::Append, true, Flaw::ForgetsIdle, Law::Progress),
    (SinkKind::Append, true, Flaw::SignedSystem, Law::Progress),
    (SinkKind::Append, true, Flaw::LatestByText, Law::Progress),
    (SinkKind::Mirror, false, Flaw::InsertsOnce, Law::Redelivery),
    (SinkKind::Append, false, Flaw::HidesPositions, Law::Redelivery),
    (SinkKind::Append, false, Flaw::GroupsByPosition, Law::Redelivery),
    (SinkKind::Mirror, true, Flaw::TwoSteps, Law::Cancellation),
    (SinkKind::Append, true, Flaw::TwoSteps, Law::Cancellation),
    (SinkKind::Mirror, false, Flaw::RowByRow, Law::Failure),
    (SinkKind::Append, true, Flaw::SwallowsFailure, Law::Failure),
    (SinkKind::Mirror, false, Flaw::SwallowsFailure, Law::Failure),
    (SinkKind::Append, false, Flaw::TellsRowOnFailure, Law::Failure),
    (SinkKind::Mirror, true, Flaw::NullText, Law::Values),
    (SinkKind::Append, false, Flaw::NullText, Law::Values),
    (SinkKind::Append, true, Flaw::EmptyIsNull, Law::Values),
    (SinkKind::Mirror, true, Flaw::Trims, Law::Values),
    (SinkKind::Append, true, Flaw::Lossy, Law::Values),
    (SinkKind::Mirror, true, Flaw::TellsValue, Law::Values),
    (SinkKind::Append, false, Flaw::TellsBytesInTheSource, Law::Values),
    (SinkKind::Append, false, Flaw::RefusesHalf, Law::Values),
    (SinkKind::Mirror, true, Flaw::CutsAtOneMegabyte, Law::Size),
    (SinkKind::Append, false, Flaw::SplitsAtOneMegabyte, Law::Size),
];

#[tokio::test]
async fn each_wrong_sink_breaks_the_law_that_it_should() {
    for &(kind, tracked, flaw, law) in WRONG {
        let broken = examine(kind, tracked, flaw).await.expect_err(&format!("{flaw:?} {kind:?} {tracked}"));
        assert_eq!(broken.law, law, "{flaw:?} {kind:?} {tracked}: {broken}");
    }
    for law in Law::ALL {
        assert!(WRONG.iter().any(|(.., broken)| *broken == law), "no sink breaks the law of {law}");
    }
}

/// What an UPDATE left alone is part of any history: losing it can't wait for hostile values.
#[tokio::test]
async fn losing_what_an_update_left_alone_is_found_at_once() {
    for kind in [SinkKind::Mirror, SinkKind::Append] {
        let broken = examine(kind, true, Flaw::UnchangedIsNull).await.unwrap_err();
        assert_eq!(broken.law, Law::Order, "{broken}");
        assert!(broken.found.contains("NULL"), "{broken}");
    }
}

#[tokio::test]
async fn a_broken_law_says_what_was_done_expected_and_found() {
    let broken = examine(SinkKind::Append, false, Flaw::ForgetsFlush).await.unwrap_err();
    assert_eq!(
        broken.to_string(),
        "the sink breaks the law of durability: after open, write 1, flush, write 1, flush, write 1, flush, write 1, \
         flush, crash, open: expected the transaction that ends at F/FFFFFF60 [insert testkit(\"a\", \"1\", \
         \"kZ7vQxkZ7vQxkZ7vQxkZ7vQxkZ7vQxkZ7vQxkZ7v…\" of 6000 bytes), insert testkit(\"b\", NULL, NULL)], found nothing more"
    );
    let broken = examine(SinkKind::Mirror, true, Flaw::NullText).await.unwrap_err();
    assert!(broken.expected.contains("\"null\"") && broken.found.contains("NULL"), "{broken}");
}

#[tokio::test]
async fn a_law_can_be_checked_alone() {
    let forgets = || Store::new(SinkKind::Append, false, Flaw::ForgetsFlush);
    Law::Order.check(forgets).await.expect("what is not flushed is visible in order, too");
    assert_eq!(Law::Durable.check(forgets).await.unwrap_err().law, Law::Durable);
    let report = Law::Progress.check(forgets).await.unwrap();
    assert_eq!(report.not_concerned, [Law::Progress]);
}

#[tokio::test]
async fn a_sink_must_show_what_its_kind_says() {
    let log_shown_as_rows = || {
        let mut store = Store::new(SinkKind::Append, false, Flaw::None);
        store.shows = SinkKind::Mirror;
        store
    };
    let broken = testkit::check(log_shown_as_rows).await.unwrap_err();
    assert!(broken.expected.contains("Append") && broken.found == "rows", "{broken}");
}
