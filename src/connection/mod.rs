//! A replication connection.

mod config;

pub use config::{ChannelBinding, Config, ConfigError, ParameterPlace, SslMode};
