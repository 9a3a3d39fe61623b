//! The same story with SIGKILL at random moments: each time the same command goes on.

use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use crate::program::run;
use crate::story::{Running, command, wait_until_near};
use crate::support::{Random, for_each_seed, how_many, newest, oldest};
use crate::world::{Ends, World};

/// Kills it after a while, if it hasn't ended by then. Whether it had.
fn kill_after(mut running: Running, pause: Duration) -> bool {
    let deadline = Instant::now() + pause;
    while Instant::now() < deadline {
        if running.has_ended() {
            running.wait();
            return true;
        }
        thread::sleep(Duration::from_millis(2));
    }
    running.kill();
    false
}

fn survive(seed: u64) {
    let mut random = Random::new(seed);
    let rows = u32::try_from(how_many(60_000, 400_000)).expect("few");
    let world = World::new(&oldest(), &newest(), rows, true);
    let kills = how_many(8, 30);
    thread::scope(|scope| {
        let _ends = Ends(&world);
        for writer in 1..=2 {
            let world = &world;
            scope.spawn(move || world.write(writer));
        }
        for _ in 0..kills {
            let running = Running::start(&mut command(&world, &["run"]));
            let pause = Duration::from_millis(u64::try_from(100 + random.below(1500)).expect("short"));
            assert!(!kill_after(running, pause), "run ends only when it is told to");
        }
        let mut running = Running::start(&mut command(&world, &["run"]));
        wait_until_near(&world, &mut running);
        // The cutover, too, and whoever follows beside it.
        let mut is_over = false;
        for _ in 0..kills {
            let cutover = Running::start(&mut command(&world, &["cutover"]));
            let pause = Duration::from_millis(u64::try_from(50 + random.below(1500)).expect("short"));
            if kill_after(cutover, pause) {
                is_over = true;
                break;
            }
        }
        if !is_over {
            run(&mut command(&world, &["cutover"]));
        }
        running.wait();
        world.assert_equal();
        world.switched.store(true, Ordering::Relaxed);
        thread::sleep(Duration::from_millis(500));
    });
    world.assert_nothing_is_lost(&world.target);
}

#[test]
fn a_migration_survives_being_killed_at_any_moment() {
    for_each_seed(1, 3, survive);
}
