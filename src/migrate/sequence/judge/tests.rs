use super::*;

fn sequence(increment: i64, min: i64, max: i64, cycle: bool) -> Sequence {
    Sequence {
        schema: "s".to_owned(),
        name: "n".to_owned(),
        owner: None,
        data_type: "bigint".to_owned(),
        start: if increment > 0 { min } else { max },
        increment,
        min,
        max,
        cache: 1,
        cycle,
        oid: 0,
    }
}

const fn called(last_value: i64) -> Position {
    Position { last_value, is_called: true }
}

const fn before(last_value: i64) -> Position {
    Position { last_value, is_called: false }
}

fn both(sequence: &Sequence, source: Position, target: Position, margin: u64) -> Verdict {
    judge((sequence, source), (sequence, target), margin)
}

#[test]
fn a_target_goes_forward_in_the_direction_of_the_increment_and_never_back() {
    let up = sequence(3, 1, 1000, false);
    assert_eq!(both(&up, called(10), called(7), 0), Verdict::Behind(called(10)));
    assert_eq!(both(&up, called(10), called(10), 0), Verdict::Level);
    assert_eq!(both(&up, called(10), called(13), 0), Verdict::Ahead);
    let down = sequence(-3, -1000, -1, false);
    assert_eq!(both(&down, called(-10), called(-7), 0), Verdict::Behind(called(-10)));
    assert_eq!(both(&down, called(-10), called(-10), 0), Verdict::Level);
    assert_eq!(both(&down, called(-10), called(-13), 0), Verdict::Ahead);
}

#[test]
fn a_value_that_is_still_to_be_handed_out_is_told_apart_from_one_that_was() {
    let up = sequence(1, 1, 1000, false);
    assert_eq!(both(&up, before(1), before(1), 0), Verdict::Level);
    assert_eq!(both(&up, called(1), before(1), 0), Verdict::Behind(called(1)));
    assert_eq!(both(&up, before(1), called(1), 0), Verdict::Ahead);
    // Both next hand out 11.
    assert_eq!(both(&up, called(10), before(11), 0), Verdict::Ahead);
    assert_eq!(both(&up, before(11), called(10), 0), Verdict::Ahead);
}

#[test]
fn a_margin_is_counted_in_calls_and_takes_at_most_half_of_what_is_left() {
    let up = sequence(10, 1, 1001, false);
    assert_eq!(both(&up, called(1), called(1), 5), Verdict::Behind(called(51)));
    assert_eq!(both(&up, before(1), before(1), 5), Verdict::Behind(before(51)));
    assert_eq!(both(&up, called(981), called(1), 5), Verdict::Behind(called(991)));
    assert_eq!(both(&up, called(991), called(1), 5), Verdict::Behind(called(991)));
    assert_eq!(both(&up, called(1001), called(1), 5), Verdict::Behind(called(1001)));
    assert_eq!(both(&up, before(1001), called(1), 5), Verdict::Behind(before(1001)));
    let down = sequence(-10, -1001, -1, false);
    assert_eq!(both(&down, called(-1), called(-1), 5), Verdict::Behind(called(-51)));
    assert_eq!(both(&down, called(-981), called(-1), u64::MAX), Verdict::Behind(called(-991)));
}

#[test]
fn no_number_overflows() {
    for (increment, last) in [(i64::MAX, i64::MAX), (i64::MIN, i64::MIN), (1, i64::MAX), (-1, i64::MIN)] {
        let all = sequence(increment, i64::MIN, i64::MAX, false);
        assert_eq!(both(&all, called(last), before(0), u64::MAX), Verdict::Behind(called(last)));
        assert_eq!(both(&all, before(0), called(last), u64::MAX), Verdict::Ahead);
    }
}

#[test]
fn a_cycle_takes_the_exact_position() {
    let round = sequence(1, 1, 100, true);
    assert_eq!(both(&round, called(3), called(98), 0), Verdict::Behind(called(3)));
    assert_eq!(both(&round, called(99), called(98), 50), Verdict::Behind(called(99)), "not across its end");
    assert_eq!(both(&round, called(3), called(98), 32), Verdict::Behind(called(3)), "no margin");
    assert_eq!(both(&round, called(3), called(3), 32), Verdict::Level, "so that it is level ever after");
    let straight = sequence(1, 1, 100, false);
    assert_eq!(judge((&round, called(3)), (&straight, called(98)), 0), Verdict::Ahead);
}

#[test]
fn what_the_target_can_not_count_to_is_told_unless_it_is_past_it() {
    let (far, near) = (sequence(1, 1, 100_000, false), sequence(1, 1, 100, false));
    assert_eq!(judge((&far, called(101)), (&near, called(1)), 0), Verdict::OutOfRange);
    assert_eq!(judge((&far, called(101)), (&near, called(100)), 0), Verdict::OutOfRange);
    assert_eq!(judge((&near, called(50)), (&sequence(1, 60, 90, false), before(60)), 0), Verdict::Ahead);
    let back = sequence(-1, 1, 100, false);
    assert_eq!(judge((&near, before(1)), (&back, before(100)), 0), Verdict::Opposite);
}

#[test]
fn another_increment_of_the_target_is_reckoned_with() {
    let (by_ten, by_one) = (sequence(10, 1, 1000, false), sequence(1, 1, 1000, false));
    assert_eq!(judge((&by_ten, called(101)), (&by_one, called(101)), 0), Verdict::Level);
    assert_eq!(judge((&by_ten, called(101)), (&by_one, called(100)), 0), Verdict::Behind(called(101)));
    assert_eq!(judge((&by_one, called(101)), (&by_ten, called(92)), 0), Verdict::Ahead);
}

#[test]
fn the_further_of_two_positions_is_further_in_the_direction_of_the_increment() {
    assert_eq!(furthest(1, called(5), called(7)), called(7));
    assert_eq!(furthest(1, called(7), called(5)), called(7));
    assert_eq!(furthest(-1, called(7), called(5)), called(5));
    assert_eq!(furthest(1, before(5), called(5)), called(5));
}
