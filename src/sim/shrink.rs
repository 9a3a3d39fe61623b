//! A failing plan made smaller: as little as possible happens in it, and it fails still.

use super::history::Action;
use super::plan::Plan;

/// Leaves out what can be left out, one thing after the other, as long as the plan fails.
pub(crate) fn shrink(plan: &Plan, fails: impl Fn(&Plan) -> bool) -> Plan {
    let mut smallest = plan.clone();
    loop {
        let Some(smaller) = smaller(&smallest).find(&fails) else { return smallest };
        smallest = smaller;
    }
}

/// Plans with one thing less in them.
fn smaller(plan: &Plan) -> impl Iterator<Item = Plan> {
    let transactions = (0..plan.history.transactions)
        .filter(|number| plan.history.actions.iter().any(|action| action.transaction() == Some(*number)))
        .map(|number| changed(plan, |plan| plan.history = plan.history.without(|dropped| dropped == number)));
    let luck = (plan.unlucky > 0).then(|| changed(plan, |plan| plan.unlucky -= 1));
    let speed = (plan.sink.slow_one_in > 0).then(|| changed(plan, |plan| plan.sink.slow_one_in = 0));
    let crashes = each(plan, plan.crashes.len(), |plan, nth| {
        plan.crashes.remove(nth);
    });
    let failures = each(plan, plan.sink.failures.len(), |plan, nth| {
        plan.sink.failures.remove(nth);
    });
    let passing = each(plan, plan.sink.passing.len(), |plan, nth| {
        plan.sink.passing.remove(nth);
    });
    let incidents = each(plan, plan.incidents.len(), |plan, nth| {
        plan.incidents.remove(nth);
    });
    let actions =
        (0..plan.history.actions.len()).filter(|nth| may_go(plan.history.actions.get(*nth))).map(|nth| {
            changed(plan, |plan| {
                plan.history.actions.remove(nth);
            })
        });
    let most: Vec<_> = transactions.chain(luck).chain(speed).collect();
    most.into_iter()
        .chain(crashes)
        .chain(failures)
        .chain(passing)
        .chain(incidents)
        .chain(actions.collect::<Vec<_>>())
}

fn each(plan: &Plan, len: usize, without: impl Fn(&mut Plan, usize)) -> Vec<Plan> {
    (0..len).map(|nth| changed(plan, |plan| without(plan, nth))).collect()
}

fn changed(plan: &Plan, change: impl FnOnce(&mut Plan)) -> Plan {
    let mut plan = plan.clone();
    change(&mut plan);
    plan
}

/// Any action but the end of something: what was begun ends.
fn may_go(action: Option<&Action>) -> bool {
    action.is_some_and(|action| {
        !matches!(action, Action::End { .. } | Action::EndSub { .. } | Action::Sub { .. })
    })
}
