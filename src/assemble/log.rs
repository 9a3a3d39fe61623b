//! What a transaction in progress has sent so far: in memory, and what has no room there in a file.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufReader, Read as _, Seek as _, SeekFrom, Write as _};
use std::mem;

use bytes::{Buf as _, Bytes, BytesMut};

use crate::pgoutput::Message;

/// Messages, each behind its length in four bytes: so the log can be cut off behind any of them.
#[derive(Debug, Default)]
pub(super) struct Log {
    file: Option<File>,
    /// Bytes in the file.
    spilled: u64,
    /// What follows them. A message is whole in one of them.
    chunks: VecDeque<BytesMut>,
    /// Bytes in the chunks.
    held: usize,
    /// Bytes that the chunks have room for.
    memory: usize,
}

/// Memory is taken in pieces that double up to this size: what is counted is what is taken.
const CHUNK: usize = 256 << 10;
const FIRST_CHUNK: usize = 1 << 10;
const LENGTH: usize = size_of::<u32>();

impl Log {
    /// Bytes in it, which is also the position of what is appended next.
    pub(super) fn len(&self) -> u64 {
        self.spilled + self.held as u64
    }

    /// Bytes of memory that it takes.
    pub(super) fn memory(&self) -> usize {
        self.memory
    }

    pub(super) fn append(&mut self, message: &Message) -> io::Result<()> {
        let mut record = self.room_for(message.byte_len());
        let start = record.len();
        record.extend_from_slice(&[0; LENGTH]);
        message.write(&mut record);
        let length = record.len() - start - LENGTH;
        let length = u32::try_from(length).map_err(|_| io::Error::from(io::ErrorKind::FileTooLarge))?;
        if let Some(prefix) = record.get_mut(start..start + LENGTH) {
            prefix.copy_from_slice(&length.to_be_bytes());
        }
        self.held += record.len() - start;
        self.push(record);
        Ok(())
    }

    fn push(&mut self, chunk: BytesMut) {
        self.memory += chunk.capacity();
        self.chunks.push_back(chunk);
    }

    fn pop(&mut self) -> Option<BytesMut> {
        let chunk = self.chunks.pop_back()?;
        self.memory -= chunk.capacity();
        Some(chunk)
    }

    /// The last chunk if there is room in it, or a new one.
    fn room_for(&mut self, about: usize) -> BytesMut {
        let mut size = FIRST_CHUNK;
        if let Some(last) = self.pop() {
            if last.capacity() - last.len() >= about {
                return last;
            }
            size = last.capacity().saturating_mul(2).min(CHUNK);
            self.push(last);
        }
        BytesMut::with_capacity(size.max(about))
    }

    /// Forgets everything from `position` on, where a message began.
    pub(super) fn truncate(&mut self, position: u64) -> io::Result<()> {
        if let (Some(file), true) = (&mut self.file, position < self.spilled) {
            file.set_len(position)?;
            file.seek(SeekFrom::Start(position))?;
            self.spilled = position;
        }
        let keep = usize::try_from(position - self.spilled).unwrap_or(usize::MAX);
        while self.held > keep
            && let Some(mut last) = self.pop()
        {
            self.held -= last.len();
            if self.held < keep {
                last.truncate(keep - self.held);
                self.held += last.len();
                self.push(last);
            }
        }
        Ok(())
    }

    /// Moves what is in memory to a file, a new one if there is none yet.
    pub(super) fn spill(&mut self, open: &mut dyn FnMut() -> io::Result<File>) -> io::Result<()> {
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(open()?),
        };
        for chunk in mem::take(&mut self.chunks) {
            file.write_all(&chunk)?;
            self.spilled += chunk.len() as u64;
        }
        (self.held, self.memory) = (0, 0);
        Ok(())
    }

    /// The messages, first to last.
    pub(super) fn into_messages(self) -> io::Result<Messages> {
        let file = self.file.map(|mut file| file.seek(SeekFrom::Start(0)).map(|_| file)).transpose()?;
        let file = file.map(|file| BufReader::with_capacity(CHUNK, file));
        Ok(Messages { file, left: self.spilled, chunks: self.chunks })
    }
}

/// A log that is being read back, a message at a time.
#[derive(Debug)]
pub(super) struct Messages {
    file: Option<BufReader<File>>,
    /// Bytes that are left in the file.
    left: u64,
    chunks: VecDeque<BytesMut>,
}

impl Messages {
    /// The payload of the next message.
    pub(super) fn next(&mut self) -> io::Result<Option<Bytes>> {
        if self.left > 0
            && let Some(file) = &mut self.file
        {
            let mut length = [0; LENGTH];
            file.read_exact(&mut length)?;
            let length = u32::from_be_bytes(length);
            self.left = self.left.checked_sub(LENGTH as u64 + u64::from(length)).ok_or_else(damaged)?;
            let mut payload = Vec::with_capacity(CHUNK.min(length as usize));
            file.take(length.into()).read_to_end(&mut payload)?;
            return if payload.len() == length as usize { Ok(Some(payload.into())) } else { Err(damaged()) };
        }
        self.file = None;
        while self.chunks.front().is_some_and(BytesMut::is_empty) {
            self.chunks.pop_front();
        }
        let Some(chunk) = self.chunks.front_mut() else { return Ok(None) };
        let length = chunk.try_get_u32().map_err(|_| damaged())? as usize;
        if length > chunk.len() {
            return Err(damaged());
        }
        Ok(Some(chunk.split_to(length).freeze()))
    }
}

/// The file is this process's own: somebody else wrote to it, or the disk lost what it held.
fn damaged() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "a spill file doesn't hold what was written to it")
}

#[cfg(test)]
mod tests;
