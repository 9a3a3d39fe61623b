//! Where the changes come from.

use std::fs::File;
use std::io::{self, BufReader, ErrorKind, Read};
use std::path::Path;

use walferry::capture::{Events, Reader, Writer};
use walferry::catalog::Catalog;
use walferry::snapshot::SnapshotStream;
use walferry::{Config, Connection, Error, Lsn, ReplicationStream, SlotName, SlotOptions, StreamOptions};

use crate::arguments::Arguments;
use crate::common::secrets;

/// The bundled capture: a small story on a table of notes.
const STORY: &[u8] = include_bytes!("../../tests/captures/story.walferry");

pub(crate) enum Source {
    Stream(Box<ReplicationStream>),
    Snapshot(Box<SnapshotStream>),
    Capture(Box<Events<Box<dyn Read>>>),
}

impl Source {
    pub(crate) async fn open(arguments: &Arguments) -> Result<Self, Error> {
        if let (Some(source), Some(slot)) = (&arguments.source, &arguments.slot) {
            let config = secrets::SOURCE.whole(source).complete_from_environment()?;
            if arguments.copy {
                return open_snapshot(arguments, &config, slot)
                    .await
                    .map(|stream| Self::Snapshot(Box::new(stream)));
            }
            return open_stream(arguments, &config, slot).await.map(|stream| Self::Stream(Box::new(stream)));
        }
        let events = open_capture(arguments).map_err(|error| locate(arguments, error))?;
        Ok(Self::Capture(Box::new(events)))
    }

    pub(crate) fn catalog(&self) -> &Catalog {
        match self {
            Self::Stream(stream) => &stream.context().catalog,
            Self::Snapshot(stream) => stream.catalog(),
            Self::Capture(events) => &events.context().catalog,
        }
    }

    /// The slot whose stream it is, where the source itself says so.
    pub(crate) fn slot(&self) -> Option<&str> {
        match self {
            Self::Stream(stream) => Some(&stream.context().slot),
            Self::Snapshot(_) => None,
            Self::Capture(events) => Some(&events.context().slot),
        }
    }
}

fn open_capture(arguments: &Arguments) -> Result<Events<Box<dyn Read>>, Error> {
    let input: Box<dyn Read> = match &arguments.from_capture {
        Some(path) => Box::new(BufReader::new(File::open(path).map_err(|source| opening(path, source))?)),
        None => Box::new(STORY),
    };
    let mut events = Events::new(Reader::new(input)?)?.memory_limit(arguments.memory_limit);
    events = events.spill(tempfile::tempfile);
    if let Some(lsn) = arguments.stop_at {
        events = events.stop_at(lsn);
    }
    Ok(events)
}

async fn open_stream(
    arguments: &Arguments,
    config: &Config,
    slot: &SlotName,
) -> Result<ReplicationStream, Error> {
    // Before a slot is made that nobody would read.
    if let Some(path) = arguments.capture.as_ref().filter(|path| path.exists()) {
        return Err(opening(path, ErrorKind::AlreadyExists.into()));
    }
    let mut connection = connect(config).await?;
    let stop_at = stop_at(arguments, &mut connection).await?;
    if arguments.create_slot && connection.slot(slot).await?.is_none() {
        let options = SlotOptions::new().temporary(arguments.temporary).two_phase(arguments.two_phase);
        let created = connection.create_slot(slot, options).await?;
        eprintln!("created slot {slot} at {}", created.consistent_point());
    }
    let mut stream = connection.start_replication(stream_options(arguments, slot)).await?;
    if let Some(lsn) = stop_at {
        stream.stop_at(lsn);
    }
    if let Some(path) = &arguments.capture {
        record(&mut stream, path)?;
    }
    Ok(stream)
}

/// The slot that stays is made behind the copy.
async fn open_snapshot(
    arguments: &Arguments,
    config: &Config,
    slot: &SlotName,
) -> Result<SnapshotStream, Error> {
    let mut connection = connect(config).await?;
    let stop_at = stop_at(arguments, &mut connection).await?;
    connection.close().await;
    let options = SlotOptions::new().temporary(arguments.temporary);
    let mut stream = SnapshotStream::open(config, options, stream_options(arguments, slot)).await?;
    if let Some(point) = stream.consistent_point() {
        eprintln!("copying the tables as of {point}, from where slot {slot} will go on");
    }
    if let Some(lsn) = stop_at {
        stream.stop_at(lsn);
    }
    Ok(stream)
}

async fn connect(config: &Config) -> Result<Connection, Error> {
    for warning in config.warnings() {
        eprintln!("warning: {warning}");
    }
    Connection::connect(config).await
}

async fn stop_at(arguments: &Arguments, connection: &mut Connection) -> Result<Option<Lsn>, Error> {
    if arguments.stop_at_current {
        return connection.committed_position().await.map(Some);
    }
    Ok(arguments.stop_at)
}

fn stream_options(arguments: &Arguments, slot: &SlotName) -> StreamOptions {
    let options = StreamOptions::new(slot.clone())
        .start_lsn(Lsn::ZERO)
        .streaming(arguments.streaming.into())
        .binary(arguments.binary)
        .messages(arguments.messages)
        .two_phase(arguments.two_phase)
        .origin(arguments.origin.into())
        .memory_limit(arguments.memory_limit)
        .gulps(true);
    arguments.publication.iter().fold(options, StreamOptions::publication)
}

fn record(stream: &mut ReplicationStream, path: &Path) -> Result<(), Error> {
    let file = File::create_new(path).map_err(|source| opening(path, source))?;
    let capture = Writer::new(file, stream.context()).map_err(|source| opening(path, source))?;
    stream.record(capture);
    Ok(())
}

/// Says which file, where the error is one of a capture.
pub(crate) fn locate(arguments: &Arguments, error: Error) -> Error {
    match (&arguments.from_capture, error) {
        (Some(path), Error::Capture(source)) => {
            Error::Io { during: format!("reading {}", path.display()), source: io::Error::other(source) }
        }
        (_, error) => error,
    }
}

fn opening(path: &Path, source: io::Error) -> Error {
    Error::Io { during: format!("opening {}", path.display()), source }
}
