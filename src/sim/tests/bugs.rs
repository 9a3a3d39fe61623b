//! A simulator that finds nothing proves nothing: each of these clients is wrong on purpose, and found.

use super::*;
use crate::sim::plan::Bug;

/// Within a thousand seeds.
fn is_found(bug: Bug) {
    let spoilt = |seed| Plan { bug: Some(bug), ..Plan::from_seed(seed) };
    let first = (0..1000).find(|seed| !run(&spoilt(*seed), false).findings.is_empty());
    let Some(seed) = first else { panic!("{bug:?} is not found") };
    let smallest = shrink(&spoilt(seed), |plan| !run(plan, false).findings.is_empty());
    eprintln!(
        "{bug:?}: seed {seed}, {} actions: {:?}",
        smallest.history.actions.len(),
        run(&smallest, false).findings
    );
    // The client is what is wrong, and not the world.
    assert!(!fails(&Plan::from_seed(seed)));
    assert!(!fails(&Plan { bug: None, ..smallest }));
}

#[test]
fn finds_who_acknowledges_at_delivery() {
    is_found(Bug::AcknowledgesAtDelivery);
}

#[test]
fn finds_who_skips_up_to_the_last_position_seen() {
    is_found(Bug::SkipsUpToTheLast);
}

#[test]
fn finds_who_confirms_keepalives_with_work_in_flight() {
    is_found(Bug::ConfirmsKeepalives);
}

#[test]
fn finds_who_forgets_to_pass_rollbacks_on() {
    is_found(Bug::ForgetsRollbacks);
}

#[test]
fn finds_who_resumes_at_the_beginning_of_a_commit() {
    is_found(Bug::ResumesAtTheCommit);
}

#[test]
fn finds_who_skips_what_commits_at_the_resume_position() {
    is_found(Bug::SkipsAtTheResumePosition);
}

#[test]
fn finds_who_trusts_a_rewound_slot() {
    is_found(Bug::TrustsARewoundSlot);
}

#[test]
fn finds_who_confirms_idle_positions_that_the_sink_has_not_kept() {
    is_found(Bug::KeepsNoIdlePosition);
}

#[test]
fn finds_who_acknowledges_what_was_written_and_not_flushed() {
    is_found(Bug::AcknowledgesWrites);
}

#[test]
fn finds_who_acknowledges_with_a_flush_what_came_meanwhile() {
    is_found(Bug::AcknowledgesMeanwhile);
}

#[test]
fn finds_who_does_not_ask_a_sink_again_whose_error_has_passed() {
    is_found(Bug::TrustsWhatItSaw);
}
