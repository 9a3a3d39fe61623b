use std::path::PathBuf;
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
#[expect(clippy::struct_excessive_bools, reason = "each is an option by itself, and is given by its name")]
#[must_use = "options do nothing before start_replication gets them"]
pub struct StreamOptions {
    pub(super) slot: SlotName,
    pub(super) publications: Vec<String>,
    pub(super) start_lsn: Lsn,
    pub(super) stop_at: Option<Lsn>,
    pub(super) streaming: Streaming,
    binary: bool,
    messages: bool,
    two_phase: bool,
    origin: Origin,
    pub(super) memory_limit: usize,
    pub(super) spill_folder: Option<PathBuf>,
    pub(super) status_interval: Duration,
    pub(super) receive_timeout: Duration,
    pub(super) gulps: bool,
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
            stop_at: None,
            streaming: Streaming::default(),
            binary: false,
            messages: false,
            two_phase: false,
            origin: Origin::default(),
            memory_limit: 64 << 20,
            spill_folder: None,
            status_interval: Duration::from_secs(10),
            receive_timeout: Duration::from_secs(60),
            gulps: false,
        }
    }

    /// Adds a publication, by its exact name. There must be at least one.
    ///
    /// From a server of version 14, don't publish partitions as their root (`publish_via_partition_root`) if their columns have
    /// other places: it sends some of their rows with the values in the wrong columns, and nothing tells which. A migration's
    /// doctor finds such partitions, and the stream tells of them in its log when it begins.
    pub fn publication(mut self, name: impl Into<String>) -> Self {
        self.publications.push(name.into());
        self
    }

    /// Where to start: the end of the last transaction that is durable, or 0/0 for where the slot stands. What the server
    /// sends from before it, as one does that has forgotten the last acknowledgement in a crash, is left out.
    ///
    /// The server starts at the slot's own position if that is further, and says nothing: who has kept a position gives it to
    /// [`ReplicationStream::resume`](crate::ReplicationStream::resume), which looks whether there is a gap, and says how to keep one.
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

    /// Transactions that are prepared come when they are prepared, and their end by itself: see
    /// [`Event::Prepare`](crate::Event::Prepare). PostgreSQL 15 and later.
    ///
    /// It is the slot that remembers this, from the first stream that asks for it on: whoever reads from it later gets
    /// them so too, whether asking or not.
    pub fn two_phase(mut self, two_phase: bool) -> Self {
        self.two_phase = two_phase;
        self
    }

    /// Which changes, by where they came from.
    pub fn origin(mut self, origin: Origin) -> Self {
        self.origin = origin;
        self
    }

    /// How many bytes of transactions in progress are held back in memory at most; 64 MiB if not said. What exceeds it
    /// goes to files: see [`Assembler::spill`](crate::assemble::Assembler::spill).
    pub fn memory_limit(mut self, bytes: usize) -> Self {
        self.memory_limit = bytes;
        self
    }

    /// The folder for those files, which have no name there and need room for whatever is in progress; the system's
    /// temporary folder if not said.
    pub fn spill_folder(mut self, folder: impl Into<PathBuf>) -> Self {
        self.spill_folder = Some(folder.into());
        self
    }

    /// How long the server is left without a status update at most; 10 s if not said. A third of the server's
    /// `wal_sender_timeout`, if that is less.
    pub fn status_interval(mut self, interval: Duration) -> Self {
        self.status_interval = interval;
        self
    }

    /// How long the server may be silent before the connection counts as dead, and how long the stream may take to start;
    /// 60 s if not said. The server is asked for a sign of life at half of that. Zero waits for ever.
    pub fn receive_timeout(mut self, timeout: Duration) -> Self {
        self.receive_timeout = timeout;
        self
    }

    /// Whether changes that come fast are received in gulps: then the thread sleeps for a quarter of a millisecond whenever the
    /// stream has taken in what there was. Not done if not said. A change that comes by itself comes at once all the same.
    ///
    /// Over a Unix socket the server sends each change by itself, and wakes whoever waits for it: with an eager receiver, that is
    /// most of the work on both sides. For a runtime of one thread that has nothing else to do, since whatever else runs
    /// there sleeps, too.
    pub fn gulps(mut self, gulps: bool) -> Self {
        self.gulps = gulps;
        self
    }

    /// The slot that it is of.
    #[cfg(feature = "postgres")]
    pub(crate) fn slot(&self) -> &SlotName {
        &self.slot
    }

    #[cfg(feature = "postgres")]
    pub(crate) fn publications(&self) -> &[String] {
        &self.publications
    }

    #[cfg(feature = "postgres")]
    pub(crate) fn stop_at(&mut self, lsn: Lsn) {
        self.stop_at = Some(lsn);
    }

    pub(crate) fn check(&self, server: &ServerVersion) -> Result<(), Error> {
        if self.publications.is_empty() {
            return Err(Error::Misuse("a stream needs at least one publication"));
        }
        if self.streaming == Streaming::Parallel {
            server.require("streaming = parallel", 16)?;
        }
        if self.two_phase {
            server.require("two_phase", 15)?;
        }
        if self.origin == Origin::None {
            server.require("origin = none", 16)?;
        }
        Ok(())
    }

    /// The lowest protocol that has what is asked for (manual, "Logical Streaming Replication Parameters").
    fn protocol(&self) -> u8 {
        match self.streaming {
            Streaming::Parallel => 4,
            _ if self.two_phase => 3,
            Streaming::On => 2,
            Streaming::Off => 1,
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
        if self.two_phase {
            options.push_str(", two_phase 'true'");
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
        for (streaming, two_phase, protocol, expected) in [
            (Streaming::Off, false, 1, ""),
            (Streaming::Off, true, 3, ", two_phase 'true'"),
            (Streaming::On, false, 2, ", streaming 'on'"),
            (Streaming::On, true, 3, ", streaming 'on', two_phase 'true'"),
            (Streaming::Parallel, false, 4, ", streaming 'parallel'"),
            (Streaming::Parallel, true, 4, ", streaming 'parallel', two_phase 'true'"),
        ] {
            let command = options().streaming(streaming).two_phase(two_phase).command();
            assert!(command.contains(&format!("(proto_version '{protocol}', ")), "{command}");
            assert!(command.ends_with(&format!(r#"a"", B"'{expected})"#)), "{command}");
        }
    }

    #[test]
    fn asks_for_all_that_was_said() {
        let all = options().streaming(Streaming::On).binary(true).messages(true).two_phase(true);
        let command = all.origin(Origin::None).command();
        let expected = "streaming 'on', binary 'true', messages 'true', two_phase 'true', origin 'none')";
        assert!(command.ends_with(expected), "{command}");
    }

    #[test]
    fn two_phase_is_refused_where_there_is_none() {
        let check = |version: &str| {
            options().two_phase(true).check(&ServerVersion::read(version).expect("a version"))
        };
        assert!(matches!(check("14.23"), Err(Error::Unsupported { .. })));
        assert!(check("15.0").is_ok());
    }
}
