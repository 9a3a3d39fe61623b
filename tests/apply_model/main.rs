//! Random tables with constraints and random transactions: after each step the target is equal to the source.
#![allow(
    clippy::allow_attributes,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "test helpers fail the test by a panic; clippy knows only #[test] functions as tests"
)]

mod changes;
mod flow;
mod kinds;
mod order;
mod pair;
mod psql;
mod refused;
mod rows;
mod schema;
mod shape;
mod sinks;
mod world;

#[path = "../support/mod.rs"]
mod support;
#[path = "../random/types.rs"]
#[allow(dead_code, reason = "another test asks whether a type can be in a key")]
mod types;

use psql::Psql;
use support::{Cluster, Server};
use walferry::{ChangeSink, ReplicationStream};
use world::World;

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
}

/// The model itself, by an applier that other tests have proven.
#[test]
fn the_model_holds_for_psql() {
    support::on_each_server(|server| {
        every_seed(server, (40, 1000), false, async |target, database, stream, _| {
            Psql::open(target, database, stream)
        });
    });
}

/// Museum 23: whatever the source does, at the end of each step both targets hold the same rows.
#[test]
fn museum_23_random_transactions_arrive_under_random_constraints() {
    support::on_each_server(|server| {
        every_seed(server, (500, 20_000), true, async |target, database, stream, chunk| {
            let gathers = database == world::TARGETS[0];
            sinks::open(target, database, gathers, stream, &format!("chunk {chunk}")).await
        });
    });
}

fn every_seed<S: ChangeSink>(
    server: &Server,
    (usually, long): (u64, u64),
    differing: bool,
    open: impl AsyncFn(&Cluster, &str, &ReplicationStream, u64) -> S,
) {
    let runtime = runtime();
    let mut world = runtime.block_on(World::new(server, differing, open));
    support::for_each_seed(usually, long, |seed| runtime.block_on(world.equals(seed)));
    runtime.block_on(world.close());
    eprintln!("{}: {:?}", server.major, world.account);
}
