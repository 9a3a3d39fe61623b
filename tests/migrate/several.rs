//! Several at once, and in an order that nobody thought of: what one has done, another neither does again nor undoes.

use std::thread;

use crate::program::run;
use crate::steps::{refused, wait_for};
use crate::story::{Running, command};
use crate::support::newest;
use crate::world::{DATABASE, World};

const HAVE_LEAD: &str = "SELECT pg_advisory_lock(hashtext('walferry.lead'), hashtext('walferry'))";
const GIVE_LEAD: &str = "SELECT pg_advisory_unlock(hashtext('walferry.lead'), hashtext('walferry'))";

/// How many wait for the lead.
const WAITING: &str = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted";

fn followed() -> World {
    let world = World::new(&newest(), &newest(), 200, true);
    run(&mut command(&world, &["run", "--stop-at-current"]));
    world
}

/// Closed to writers, and not opened yet: the sides were found to differ, and are made equal again.
fn half_cut_over() -> World {
    let world = followed();
    world.target.psql(DATABASE, "INSERT INTO bulk VALUES (-1, 'extra')");
    refused(&world, &["cutover"], "the sides differ at the fence");
    world.target.psql(DATABASE, "DELETE FROM bulk WHERE id = -1");
    world
}

fn wait_for_waiting(world: &World, many: &str) {
    wait_for("the lead to be wanted", || world.target.psql(DATABASE, WAITING) == many);
}

/// The second would arm the stream back anew, and lose what came through the first one's.
#[test]
fn who_has_waited_for_another_cutover_does_nothing_again() {
    let world = half_cut_over();
    let mut leader = world.target.session(DATABASE);
    leader.run(HAVE_LEAD);
    let both = ["1", "2"].map(|many| {
        let one = Running::start(&mut command(&world, &["cutover", "--reverse"]));
        wait_for_waiting(&world, many);
        one
    });
    leader.run(GIVE_LEAD);
    let told = both.map(|one| String::from_utf8_lossy(&one.wait().stderr).into_owned());
    for step in ["verified", "armed", "open"] {
        let step = format!("cutover: {step}");
        assert_eq!(told.iter().filter(|told| told.contains(&step)).count(), 1, "{step}: {told:?}");
    }
    assert!(told.iter().all(|told| told.contains("the target is open")), "{told:?}");
    world.assert_equal();
}

#[test]
fn a_cutover_that_waits_while_another_cleans_up_leaves_nothing_behind() {
    let world = followed();
    let mut leader = world.target.session(DATABASE);
    leader.run(HAVE_LEAD);
    let cleaning = Running::start(&mut command(&world, &["cleanup"]));
    wait_for_waiting(&world, "1");
    thread::scope(|scope| {
        let cut = scope.spawn(|| refused(&world, &["cutover"], "has not copied everything yet"));
        wait_for_waiting(&world, "2");
        // As if it had not begun when the other looked.
        world.target.psql(DATABASE, "UPDATE walferry.migration SET phase = 'follow'");
        leader.run(GIVE_LEAD);
        cleaning.wait();
        cut.join().expect("it was refused");
    });
    assert_eq!(world.target.psql(DATABASE, "SELECT to_regnamespace('walferry') IS NULL"), "t");
    world.source.psql(DATABASE, "DELETE FROM bulk WHERE id = 1");
}

/// Nobody would know any more how the source was set before, nor that it is closed.
#[test]
fn what_is_half_cut_over_is_not_cleaned_up() {
    let world = half_cut_over();
    refused(&world, &["cleanup"], "cutover --roll-back");
    run(&mut command(&world, &["cutover", "--roll-back"]));
    run(&mut command(&world, &["cleanup"]));
    world.source.psql(DATABASE, "DELETE FROM bulk WHERE id = 1");
}
