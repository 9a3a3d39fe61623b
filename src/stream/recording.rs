use std::fs::File;
use std::io;

use bytes::Bytes;

use crate::Timestamp;
use crate::capture::{CaptureError, Context, Writer};
use crate::error::Error;
use crate::value::Types;

/// A capture that is being written beside the stream.
pub(super) struct Recording {
    /// Absent while another thread makes it durable.
    writer: Option<Writer<File>>,
}

impl Recording {
    pub(super) fn new(writer: Writer<File>) -> Self {
        Self { writer: Some(writer) }
    }

    /// Frames go to memory, and a block of them to the system's cache now and then: short enough to do in place.
    pub(super) fn append(&mut self, received: Timestamp, payload: &Bytes) -> Result<(), Error> {
        self.writer()?.append(received, payload).map_err(failed)
    }

    /// What follows came over another connection.
    pub(super) fn restart(&mut self, context: &Context) -> Result<(), Error> {
        self.writer()?.restart(context).map_err(failed)
    }

    /// Rows that are taken in from here on have these types.
    pub(super) fn append_types(&mut self, types: &Types) -> Result<(), Error> {
        self.writer()?.append_types(types).map_err(failed)
    }

    fn writer(&mut self) -> Result<&mut Writer<File>, Error> {
        self.writer.as_mut().ok_or_else(|| failed(io::ErrorKind::BrokenPipe.into()))
    }

    /// Waits for the disk, on a thread that may block.
    pub(super) async fn sync(&mut self) -> Result<(), Error> {
        let Some(mut writer) = self.writer.take() else {
            return Err(failed(io::ErrorKind::BrokenPipe.into()));
        };
        let synced = tokio::task::spawn_blocking(move || {
            writer.flush()?;
            writer.out().sync_data()?;
            Ok(writer)
        });
        let writer = synced.await.map_err(|panicked| failed(io::Error::other(panicked)))?.map_err(failed)?;
        self.writer = Some(writer);
        Ok(())
    }
}

fn failed(source: io::Error) -> Error {
    Error::Capture(CaptureError::Io(source))
}
