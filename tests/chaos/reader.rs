//! Somebody who looks at the target all the time.

use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use tokio_postgres::SimpleQueryMessage;

use crate::World;
use crate::bank::{connect, invariant};

/// Looks until it is over, and says how often. What it sees is right, each time.
pub(crate) fn read(world: &World) -> u64 {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let (mut client, mut looks, sql) = (None, 0, invariant());
    while !world.over.load(Ordering::Relaxed) {
        thread::sleep(Duration::from_millis(20));
        let Some(connected) = client.as_ref() else {
            client = connect(&runtime, &world.target);
            continue;
        };
        match runtime.block_on(connected.simple_query(&sql)) {
            Ok(rows) => {
                let wrong = rows.iter().find_map(|row| match row {
                    SimpleQueryMessage::Row(row) => row.get(0),
                    _ => None,
                });
                assert_eq!(wrong, Some(""), "look {looks}: what the target shows was never so");
                looks += 1;
            }
            // It is down.
            Err(_) => client = None,
        }
    }
    looks
}
