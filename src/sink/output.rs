use std::fmt;
use std::io::{self, SeekFrom};
use std::path::Path;

use tokio::fs::File;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _, AsyncWrite, AsyncWriteExt};

/// What a sink that writes a file writes to.
///
/// Bytes are written as they come; a sink's flush makes them durable as far as the kind of output can.
pub struct Output(Kind);

enum Kind {
    File(File),
    Writer(Box<dyn AsyncWrite + Send + Unpin>),
}

impl Output {
    /// Creates a file, or empties the one that is there. Durable means on disk; of a named pipe or a device, as of the
    /// [standard output](Self::stdout).
    ///
    /// # Errors
    ///
    /// What the system says.
    pub async fn create(path: impl AsRef<Path> + Send) -> io::Result<Self> {
        Self::opened(File::create(path.as_ref()).await?).await
    }

    /// Adds to a file, or creates it. Durable means on disk.
    ///
    /// # Errors
    ///
    /// What the system says; also [`InvalidData`](io::ErrorKind::InvalidData) for a file that ends inside a line, as
    /// one does whose writer was killed: what is added would not be read as what it is.
    pub async fn append(path: impl AsRef<Path> + Send) -> io::Result<Self> {
        let path = path.as_ref();
        if ends_inside_a_line(path).await? {
            let problem = "the file ends inside a line, as after a crash; move it away and write to another";
            return Err(io::Error::new(io::ErrorKind::InvalidData, problem));
        }
        Self::opened(File::options().append(true).create(true).open(path).await?).await
    }

    /// What isn't a file can't be told to sync.
    async fn opened(file: File) -> io::Result<Self> {
        let is_file = file.metadata().await?.is_file();
        Ok(if is_file { Self(Kind::File(file)) } else { Self::writer(file) })
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

async fn ends_inside_a_line(path: &Path) -> io::Result<bool> {
    let is_empty = tokio::fs::metadata(path).await.map_or(true, |file| !file.is_file() || file.len() == 0);
    if is_empty {
        return Ok(false);
    }
    let mut file = File::open(path).await?;
    file.seek(SeekFrom::End(-1)).await?;
    Ok(file.read_u8().await? != b'\n')
}

impl fmt::Debug for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Kind::File(_) => "Output::File",
            Kind::Writer(_) => "Output::Writer",
        })
    }
}
