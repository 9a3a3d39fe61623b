//! Sinks that write files: a new one whenever they are opened.

use std::io::{self, Error};
use std::marker::PhantomData;
use std::ops::Range;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use tempfile::TempDir;
use tokio::io::AsyncWrite;
use walferry::Event;
use walferry::catalog::Catalog;
use walferry::sink::json::{JsonSink, Reader};
use walferry::sink::sql::SqlSink;
use walferry::sink::testkit::{self, BoxError, Storage, Transaction, Visible};
use walferry::sink::{ChangeSink, Output};

use crate::script;

/// What is written to a file, and how it is read.
pub(crate) trait Format: Send + 'static {
    type Sink: ChangeSink;

    fn sink(output: Output) -> Self::Sink;

    /// What files hold, one behind the other; each may be cut short.
    fn read(files: &[Vec<u8>]) -> Result<Vec<Transaction>, BoxError>;
}

pub(crate) struct Json;

impl Format for Json {
    type Sink = JsonSink;

    fn sink(output: Output) -> JsonSink {
        JsonSink::new(output)
    }

    fn read(files: &[Vec<u8>]) -> Result<Vec<Transaction>, BoxError> {
        let mut events: Vec<Event> = Vec::new();
        for file in files {
            let whole = file.iter().rposition(|&byte| byte == b'\n').map_or(0, |last| last + 1);
            for event in Reader::new(&file[..whole]) {
                events.push(event?);
            }
        }
        Ok(testkit::transactions(events))
    }
}

pub(crate) struct Sql;

impl Format for Sql {
    type Sink = SqlSink;

    fn sink(output: Output) -> SqlSink {
        SqlSink::new(output, Catalog::default())
    }

    fn read(files: &[Vec<u8>]) -> Result<Vec<Transaction>, BoxError> {
        Ok(files.iter().flat_map(|file| script::transactions(file)).collect())
    }
}

/// Files in a folder.
pub(crate) struct Folder<F> {
    place: TempDir,
    files: usize,
    format: PhantomData<F>,
}

impl<F> Default for Folder<F> {
    fn default() -> Self {
        Self { place: tempfile::tempdir().expect("a folder"), files: 0, format: PhantomData }
    }
}

impl<F> Folder<F> {
    fn path(&self, file: usize) -> std::path::PathBuf {
        self.place.path().join(file.to_string())
    }
}

impl<F: Format> Storage for Folder<F> {
    type Sink = F::Sink;

    async fn open(&mut self) -> Result<F::Sink, BoxError> {
        self.files += 1;
        Ok(F::sink(Output::append(self.path(self.files)).await?))
    }

    async fn visible(&mut self) -> Result<Visible, BoxError> {
        let files = (1..=self.files).map(|file| std::fs::read(self.path(file)));
        Ok(Visible::Log(F::read(&files.collect::<Result<Vec<_>, _>>()?)?))
    }
}

/// Files in memory that wait at each write, take part of what is written, may fail, and lose part of what was not flushed.
pub(crate) struct Paper<F> {
    sheets: Arc<Mutex<Sheets>>,
    format: PhantomData<F>,
}

#[derive(Default)]
struct Sheets {
    files: Vec<File>,
    fails: Range<u64>,
    operations: u64,
}

#[derive(Default)]
struct File {
    text: Vec<u8>,
    durable: usize,
}

impl<F> Default for Paper<F> {
    fn default() -> Self {
        Self { sheets: Arc::default(), format: PhantomData }
    }
}

impl<F: Format> Storage for Paper<F> {
    type Sink = F::Sink;

    async fn open(&mut self) -> Result<F::Sink, BoxError> {
        let mut sheets = self.sheets.lock().unwrap();
        for File { text, durable } in &mut sheets.files {
            text.truncate(*durable + (text.len() - *durable) / 2);
            *durable = text.len();
        }
        sheets.files.push(File::default());
        let (sheets, file) = (Arc::clone(&self.sheets), sheets.files.len() - 1);
        Ok(F::sink(Output::writer(Pen { sheets, file, waits: false })))
    }

    async fn visible(&mut self) -> Result<Visible, BoxError> {
        let files: Vec<_> = self.sheets.lock().unwrap().files.iter().map(|file| file.text.clone()).collect();
        Ok(Visible::Log(F::read(&files)?))
    }

    fn fail(&mut self, operations: Range<u64>) -> bool {
        let mut sheets = self.sheets.lock().unwrap();
        sheets.fails = operations;
        sheets.operations = 0;
        true
    }
}

struct Pen {
    sheets: Arc<Mutex<Sheets>>,
    file: usize,
    waits: bool,
}

impl Pen {
    /// Every other time it waits.
    fn operate<T>(
        &mut self,
        cx: &mut Context<'_>,
        operation: impl FnOnce(&mut File) -> T,
    ) -> Poll<io::Result<T>> {
        self.waits = !self.waits;
        if self.waits {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let sheets = &mut *self.sheets.lock().unwrap();
        sheets.operations += 1;
        if sheets.fails.contains(&(sheets.operations - 1)) {
            return Poll::Ready(Err(Error::other("no more paper")));
        }
        Poll::Ready(Ok(operation(&mut sheets.files[self.file])))
    }
}

impl AsyncWrite for Pen {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let some = bytes.len().min(bytes.len() / 3 + 100);
        self.operate(cx, |file| {
            file.text.extend_from_slice(&bytes[..some]);
            some
        })
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.operate(cx, |file| file.durable = file.text.len())
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_flush(cx)
    }
}
