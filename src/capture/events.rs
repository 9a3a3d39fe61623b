use std::fs::File;
use std::io::{self, Read, Seek};
use std::sync::Arc;

use super::{CaptureError, Context, Reader, Record};
use crate::Lsn;
use crate::assemble::Assembler;
use crate::event::{Acknowledge as _, Event};
use crate::frame::Frame;
use crate::pgoutput::Decoder;
use crate::session::{Fingerprint, Redelivery, SourceState};

/// The changes of a capture: what the stream yielded while it was recorded.
///
/// A transaction whose commit is not in the capture is not yielded whole: its Begin and changes come, and then the
/// end, or what came over the next connection. That may be the same transaction again, whole: then the stream was
/// interrupted while it was recorded. What was complete by then and came again is left out.
#[derive(Debug)]
#[must_use = "events are read when they are asked for"]
pub struct Events<R> {
    reader: Reader<R>,
    context: Context,
    decoder: Decoder,
    assembler: Assembler,
    redelivery: Redelivery,
    /// The end of the last transaction that was complete.
    position: Lsn,
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
            redelivery: Redelivery::default(),
            position: Lsn::ZERO,
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

    /// Goes on where a consumer stands, by what it has kept: what it has already is left out. Comes before the first event.
    ///
    /// # Errors
    ///
    /// [`CaptureError::Source`], when the capture is of another source, or begins behind that position.
    pub fn resume(&mut self, kept: &Fingerprint) -> Result<(), CaptureError> {
        let begins = self.context.start_lsn;
        let known = |timeline: u32| if timeline == 0 { kept.timeline } else { timeline };
        kept.check(&SourceState {
            timeline: known(self.context.timeline),
            wal_end: kept.resume_lsn,
            confirmed_flush_lsn: (begins != Lsn::ZERO).then_some(begins),
            ..SourceState::of(&self.fingerprint())
        })?;
        self.redelivery.resume_from(kept.resume_lsn);
        Ok(())
    }

    /// What a consumer has to keep that begins with this capture.
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint {
            system_id: self.context.system_id.parse().unwrap_or_default(),
            timeline: self.context.timeline,
            database: self.context.database.clone(),
            slot: self.context.slot.clone(),
            resume_lsn: self.context.start_lsn,
        }
    }

    /// How many transactions and messages were left out, because they were complete before.
    pub fn skipped(&self) -> u64 {
        self.redelivery.skipped()
    }

    fn start(&mut self, context: Context) {
        self.redelivery.resume_from(self.position);
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
                if !self.redelivery.passes(&event)? {
                    continue;
                }
                self.position = event.position().unwrap_or(self.position);
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
        self.redelivery = Redelivery::default();
        self.position = position;
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
