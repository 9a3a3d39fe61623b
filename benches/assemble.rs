//! What stands between the decoder and whoever takes events: assembling transactions, as they come or from blocks that
//! are sent before their end, and a whole session, which is all that a stream does but for the socket. In time; in
//! instructions: `.ci/instructions`.
//!
//! `cargo bench --bench assemble`
#![allow(clippy::allow_attributes, reason = "what is shared asks for it")]
#![allow(clippy::expect_used, clippy::panic, reason = "a bench that can't run must say so")]

#[path = "common/decoders.rs"]
mod decoders;
#[path = "common/frames.rs"]
mod frames;
#[path = "common/work.rs"]
mod work;

use std::time::Duration;

use criterion::{BatchSize, Criterion, Throughput};

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    for case in work::cases() {
        if ["assemble", "session"].iter().any(|stage| case.name.starts_with(stage)) {
            let mut group = criterion.benchmark_group(&case.name);
            group.warm_up_time(Duration::from_millis(200)).measurement_time(Duration::from_secs(1));
            group.throughput(Throughput::Elements(case.messages as u64));
            group.bench_function("walferry", |bencher| {
                bencher.iter_batched(|| case.prepare(), |work| work(), BatchSize::LargeInput);
            });
            group.finish();
        }
    }
    criterion.final_summary();
}
