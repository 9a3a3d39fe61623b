//! Every step of input and output, and a crash at each.

use super::*;

/// The plan without any crash of its own.
fn without_crashes(seed: u64) -> Plan {
    Plan { crashes: Vec::new(), ..Plan::from_seed(seed) }
}

#[test]
fn every_crash_point() {
    let (small, count) = (200, seeds(20, 200).count());
    let plans = (0..).map(without_crashes).map(|plan| (run(&plan, false).steps, plan));
    let small: Vec<_> = plans.filter(|(steps, _)| *steps < small).take(count).collect();
    let kinds: BTreeSet<_> = small.iter().map(|(_, plan)| plan.sink.is_exactly_once).collect();
    assert_eq!(kinds.len(), 2, "both kinds of sinks");
    for (steps, plan) in small {
        for step in 1..=steps {
            let crashing = Plan { crashes: vec![step], ..plan.clone() };
            let outcome = outcome(&crashing);
            if !outcome.findings.is_empty() {
                report(&crashing, &outcome);
            }
        }
    }
}
