use std::time::Duration;

use crate::Lsn;
use crate::connection::{ServerVersion, SlotName};
use crate::error::Error;
use crate::quote;

/// What to ask of the server for a stream.
///
/// Capabilities, not protocol versions: the lowest protocol that has them is chosen.
///
/// ```
/// use walferry::stream::{StreamOptions, Streaming};
///
/// let options = StreamOptions::new("orders".parse()?).publication("all tables").streaming(Streaming::On);
/// # let _ = options;
/// # Ok::<(), walferry::connection::SlotNameError>(())
/// ```
#[derive(Debug, Clone)]
#[must_use = "options do nothing before start_replication gets them"]
pub struct StreamOptions {
    pub(super) slot: SlotName,
    pub(super) publications: Vec<String>,
    pub(super) start_lsn: Lsn,
    pub(super) streaming: Streaming,
    binary: bool,
    messages: bool,
    origin: Origin,
    pub(super) memory_limit: usize,
    pub(super) status_interval: Duration,
    pub(super) receive_timeout: Duration,
}

/// Whether the server sends large transactions before they end. They are yielded when they commit all the same.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Streaming {
    /// The server holds each transaction until it commits, on its disk if it is large.
    #[default]
    Off,
    /// What the server can't keep in `logical_decoding_work_mem` is sent, and held back here.
    On,
    /// The same; aborts say where and when. PostgreSQL 16 and later.
    Parallel,
}

/// Which changes the server sends, by where they came from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Origin {
    /// All.
    #[default]
    Any,
    /// Those that were not replicated to the source from elsewhere: what keeps two servers that follow each other
    /// from sending changes round and round. PostgreSQL 16 and later.
    None,
}

impl StreamOptions {
    /// From where the slot stands, text values, committed transactions only.
    pub fn new(slot: SlotName) -> Self {
        Self {
            slot,
            publications: Vec::new(),
            start_lsn: Lsn::ZERO,
            streaming: Streaming::default(),
            binary: false,
            messages: false,
            origin: Origin::default(),
            memory_limit: 64 << 20,
            status_interval: Duration::from_secs(10),
            receive_timeout: Duration::from_secs(60),
        }
    }

    /// Adds a publication, by its exact name. There must be at least one.
    pub fn publication(mut self, name: impl Into<String>) -> Self {
        self.publications.push(name.into());
        self
    }

    /// Where to start: the end of the last transaction that is durable, or 0/0 for where the slot stands. The server
    /// starts at the slot's own position if that is further.
    pub fn start_lsn(mut self, lsn: Lsn) -> Self {
        self.start_lsn = lsn;
        self
    }

    /// Whether large transactions are sent before they end.
    pub fn streaming(mut self, streaming: Streaming) -> Self {
        self.streaming = streaming;
        self
    }

    /// Values in binary where their type has a binary form.
    pub fn binary(mut self, binary: bool) -> Self {
        self.binary = binary;
        self
    }

    /// Also what is passed to `pg_logical_emit_message`.
    pub fn messages(mut self, messages: bool) -> Self {
        self.messages = messages;
        self
    }

    /// Which changes, by where they came from.
    pub fn origin(mut self, origin: Origin) -> Self {
        self.origin = origin;
        self
    }

    /// How many bytes of transactions in progress are held back at most; 64 MiB if not said.
    pub fn memory_limit(mut self, bytes: usize) -> Self {
        self.memory_limit = bytes;
        self
    }

    /// How long the server is left without a status update at most; 10 s if not said. A third of the server's
    /// `wal_sender_timeout`, if that is less.
    pub fn status_interval(mut self, interval: Duration) -> Self {
        self.status_interval = interval;
        self
    }

    /// How long the server may be silent before the connection counts as dead; 60 s if not said. It is asked for a
    /// sign of life at half of that. Zero waits for ever.
    pub fn receive_timeout(mut self, timeout: Duration) -> Self {
        self.receive_timeout = timeout;
        self
    }

    pub(super) fn check(&self, server: &ServerVersion) -> Result<(), Error> {
        if self.publications.is_empty() {
            return Err(Error::Misuse("a stream needs at least one publication"));
        }
        if self.streaming == Streaming::Parallel {
            server.require("streaming = parallel", 16)?;
        }
        if self.origin == Origin::None {
            server.require("origin = none", 16)?;
        }
        Ok(())
    }

    /// The lowest protocol that has what is asked for (manual, "Logical Streaming Replication Parameters").
    fn protocol(&self) -> u8 {
        match self.streaming {
            Streaming::Off => 1,
            Streaming::On => 2,
            Streaming::Parallel => 4,
        }
    }

    pub(super) fn command(&self) -> String {
        let names = quote::publication_names(self.publications.iter().map(String::as_str));
        let mut options = format!("proto_version '{}', publication_names {names}", self.protocol());
        match self.streaming {
            Streaming::Off => {}
            Streaming::On => options.push_str(", streaming 'on'"),
            Streaming::Parallel => options.push_str(", streaming 'parallel'"),
        }
        if self.binary {
            options.push_str(", binary 'true'");
        }
        if self.messages {
            options.push_str(", messages 'true'");
        }
        if self.origin == Origin::None {
            options.push_str(", origin 'none'");
        }
        let slot = quote::replication_identifier(self.slot.as_str());
        format!("START_REPLICATION SLOT {slot} LOGICAL {} ({options})", self.start_lsn)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options() -> StreamOptions {
        StreamOptions::new("s".parse().expect("a slot name")).publication(r#"It's "a", B"#)
    }

    #[test]
    fn asks_for_nothing_that_was_not_said() {
        assert_eq!(
            options().command(),
            r#"START_REPLICATION SLOT "s" LOGICAL 0/0 (proto_version '1', publication_names '"It''s ""a"", B"')"#
        );
    }

    #[test]
    fn asks_for_the_lowest_protocol_that_has_everything() {
        for (streaming, expected) in [
            (Streaming::On, "proto_version '2', publication_names '\"It''s \"\"a\"\", B\"', streaming 'on'"),
            (
                Streaming::Parallel,
                "proto_version '4', publication_names '\"It''s \"\"a\"\", B\"', streaming 'parallel'",
            ),
        ] {
            let command =
                options().streaming(streaming).binary(true).messages(true).origin(Origin::None).command();
            assert!(
                command.ends_with(&format!("({expected}, binary 'true', messages 'true', origin 'none')")),
                "{command}"
            );
        }
    }
}
