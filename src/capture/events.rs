use std::fs::File;
use std::io::{self, Read, Seek};
use std::sync::Arc;

use super::{CaptureError, Context, Reader, Record};
use crate::Lsn;
use crate::assemble::Assembler;
use crate::event::Event;
use crate::frame::Frame;
use crate::pgoutput::Decoder;

/// The changes of a capture: what the stream yielded while it was recorded.
///
/// A transaction whose commit is not in the capture is not yielded whole: its Begin and changes come, and then the
/// end.
#[derive(Debug)]
#[must_use = "events are read when they are asked for"]
pub struct Events<R> {
    reader: Reader<R>,
    context: Context,
    decoder: Decoder,
    assembler: Assembler,
    stop_at: Option<Lsn>,
    stopped: bool,
}

impl<R: Read> Events<R> {
    /// Reads the context, which stands first.
    ///
    /// # Errors
    ///
    /// As [`Reader::next_record`].
    pub fn new(reader: Reader<R>) -> Result<Self, CaptureError> {
        let mut events = Self {
            reader,
            context: Context::default(),
            decoder: Decoder::new(),
            assembler: Assembler::new(),
            stop_at: None,
            stopped: false,
        };
        events.read_first()?;
        Ok(events)
    }

    /// How many bytes of transactions in progress may be held back: see [`Assembler::memory_limit`].
    pub fn memory_limit(mut self, bytes: usize) -> Self {
        self.assembler = self.assembler.memory_limit(bytes);
        self
    }

    /// Where files come from for what exceeds the limit: see [`Assembler::spill`].
    pub fn spill(mut self, open: impl FnMut() -> io::Result<File> + Send + Sync + 'static) -> Self {
        self.assembler = self.assembler.spill(open);
        self
    }

    /// Ends behind the last transaction that committed at or before `lsn`.
    pub fn stop_at(mut self, lsn: Lsn) -> Self {
        self.stop_at = Some(lsn);
        self
    }

    /// How the stream was started that is being read. Its types are those that are known by now.
    pub fn context(&self) -> &Context {
        &self.context
    }

    /// The capture itself; to ask for its torn tail, say.
    pub fn reader(&self) -> &Reader<R> {
        &self.reader
    }

    fn start(&mut self, context: Context) {
        self.decoder = Decoder::new().parallel_streaming(context.parallel_streaming);
        self.assembler.restart();
        self.assembler.set_types(Arc::clone(context.catalog.types()));
        self.context = context;
    }

    fn read_first(&mut self) -> Result<(), CaptureError> {
        match self.reader.next_record()? {
            Some(record) => self.take_in(record),
            None => Ok(()),
        }
    }

    fn take_in(&mut self, record: Record) -> Result<(), CaptureError> {
        match record {
            Record::Context(context) => self.start(context),
            Record::Types(types) => {
                let types = Arc::new(types);
                self.assembler.set_types(Arc::clone(&types));
                self.context.catalog.set_types(types);
            }
            Record::Frame { payload, .. } => {
                if let Frame::XLogData(data) = Frame::decode(payload)? {
                    let message = self.decoder.decode(data.payload)?;
                    self.stopped |= message.commits_behind(self.stop_at);
                    if !self.stopped {
                        self.assembler.push(message)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn advance(&mut self) -> Result<Option<Event>, CaptureError> {
        loop {
            if let Some(event) = self.assembler.poll()? {
                return Ok(Some(event));
            }
            if self.stopped {
                return Ok(None);
            }
            match self.reader.next_record()? {
                Some(record) => self.take_in(record)?,
                None => return Ok(None),
            }
        }
    }
}

impl<R: Read + Seek> Events<R> {
    /// Goes on behind the last resume point at or before `lsn`: see [`Reader::seek`].
    ///
    /// # Errors
    ///
    /// As [`Reader::seek`].
    pub fn seek(&mut self, lsn: Lsn) -> Result<Lsn, CaptureError> {
        let position = self.reader.seek(lsn)?;
        self.start(self.context.clone());
        self.read_first()?;
        Ok(position)
    }
}

impl<R: Read> Iterator for Events<R> {
    type Item = Result<Event, CaptureError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.advance().transpose()
    }
}
