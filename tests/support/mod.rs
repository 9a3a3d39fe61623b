//! Throwaway PostgreSQL clusters for the integration tests.
//!
//! ```ignore
//! mod support;
//!
//! #[test]
//! fn answers() {
//!     for server in support::servers() {
//!         let cluster = server.start();
//!         assert_eq!(cluster.psql("postgres", "SELECT 1"), "1");
//!     } // stopped and removed here; also after a panic, also when this process is killed
//! }
//! ```
//!
//! More by [`Server::options`]: settings, TCP, `pg_hba.conf`, files such as the server's key. Clusters of one server share
//! their system identifier unless [`ClusterOptions::own_identity`] is asked for.
//!
//! `WALFERRY_LONG=1` and `WALFERRY_SEED=17` say how much is generated: see `extent.rs`. `WALFERRY_HOSTILE=1` makes the servers'
//! settings and the databases' names hostile: see `surroundings.rs`.
//!
//! [`servers`] finds what is installed; `.ci/servers` installs what is missing.
#![allow(
    clippy::allow_attributes,
    reason = "`expect` would fail in a test binary that happens to use everything, or to panic nowhere"
)]
#![allow(dead_code, unused_imports, reason = "each test binary compiles this module and uses a part of it")]
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "test helpers fail the test by a panic; clippy knows only #[test] functions as tests"
)]

mod account;
mod cluster;
mod extent;
mod folder;
pub(crate) mod hostile;
mod lifeline;
mod options;
mod postmaster;
mod psql;
mod random;
mod servers;
mod session;
mod surroundings;
pub(crate) mod sql;
mod template;
mod types;

pub(crate) use cluster::Cluster;
pub(crate) use extent::{for_each_seed, how_many, is_long, on_each_server, servers_to_try};
pub(crate) use options::ClusterOptions;
pub(crate) use random::Random;
pub(crate) use servers::{Server, newest, newest_pg_dump, oldest, server, servers};
pub(crate) use session::Session;
pub(crate) use surroundings::{calm_settings, calmed, database};
pub(crate) use types::user_types;
