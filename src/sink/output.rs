use std::fmt;
use std::io;
use std::path::Path;

use tokio::fs::File;
use tokio::io::{AsyncWrite, AsyncWriteExt};

/// What a sink that writes a file writes to.
///
/// Bytes are written as they come; a sink's flush makes them durable as far as the kind of output can.
pub struct Output(Kind);

enum Kind {
    File(File),
    Writer(Box<dyn AsyncWrite + Send + Unpin>),
}

impl Output {
    /// Creates a file, or empties the one that is there. Durable means on disk.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub async fn create(path: impl AsRef<Path> + Send) -> io::Result<Self> {
        File::create(path.as_ref()).await.map(|file| Self(Kind::File(file)))
    }

    /// The process's standard output. Durable means taken over by the system: whoever reads at the other end of a
    /// pipe has to care for the rest.
    pub fn stdout() -> Self {
        Self::writer(tokio::io::stdout())
    }

    /// Anything else. Durable means flushed.
    pub fn writer(writer: impl AsyncWrite + Send + Unpin + 'static) -> Self {
        Self(Kind::Writer(Box::new(writer)))
    }

    pub(crate) async fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.0 {
            Kind::File(file) => file.write_all(bytes).await,
            Kind::Writer(writer) => writer.write_all(bytes).await,
        }
    }

    pub(crate) async fn sync(&mut self) -> io::Result<()> {
        match &mut self.0 {
            Kind::File(file) => {
                file.flush().await?;
                file.sync_data().await
            }
            Kind::Writer(writer) => writer.flush().await,
        }
    }
}

impl fmt::Debug for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Kind::File(_) => "Output::File",
            Kind::Writer(_) => "Output::Writer",
        })
    }
}
