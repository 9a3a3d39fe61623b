use std::fs::File;
use std::io;

use bytes::Bytes;

use crate::Timestamp;
use crate::capture::{CaptureError, Context, Writer};
use crate::error::Error;
use crate::value::Types;

/// A capture that is being written beside the stream.
pub(super) struct Recording {
    writer: Writer<File>,
}

impl Recording {
    pub(super) fn new(writer: Writer<File>) -> Self {
        Self { writer }
    }

    /// Frames go to memory, and a block of them to the system's cache now and then: short enough to do in place.
    pub(super) fn append(&mut self, received: Timestamp, payload: &Bytes) -> Result<(), Error> {
        self.writer.append(received, payload).map_err(failed)
    }

    /// What follows came over another connection.
    pub(super) fn restart(&mut self, context: &Context) -> Result<(), Error> {
        self.writer.restart(context).map_err(failed)
    }

    /// Rows that are taken in from here on have these types.
    pub(super) fn append_types(&mut self, types: &Types) -> Result<(), Error> {
        self.writer.append_types(types).map_err(failed)
    }

    /// Waits for the disk, on a thread that may block. Dropping the future loses nothing.
    pub(super) async fn sync(&mut self) -> Result<(), Error> {
        self.writer.flush().map_err(failed)?;
        let file = self.writer.out().try_clone().map_err(failed)?;
        let synced = tokio::task::spawn_blocking(move || file.sync_data());
        synced.await.map_err(|panicked| failed(io::Error::other(panicked)))?.map_err(failed)
    }
}

impl Drop for Recording {
    /// What came last before an error is worth the most. Nobody relies on it, and nobody is left to be told.
    fn drop(&mut self) {
        let _ = self.writer.flush();
    }
}

fn failed(source: io::Error) -> Error {
    Error::Capture(CaptureError::Io(source))
}
