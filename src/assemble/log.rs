//! What a transaction in progress has sent so far: in memory, and what has no room there in a file.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
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
        Ok(Messages { file, left: self.spilled, chunk: BytesMut::new(), chunks: self.chunks })
    }
}

/// A log that is being read back, a message at a time.
#[derive(Debug)]
pub(super) struct Messages {
    file: Option<File>,
    /// Bytes that are left in the file.
    left: u64,
    /// What is being taken apart.
    chunk: BytesMut,
    /// What follows the file.
    chunks: VecDeque<BytesMut>,
}

impl Messages {
    /// The payload of the next message.
    pub(super) fn next(&mut self) -> io::Result<Option<Bytes>> {
        loop {
            let record = self.chunk.first_chunk().map_or(LENGTH, |length| {
                LENGTH.saturating_add(usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX))
            });
            match record.checked_sub(self.chunk.len()) {
                None | Some(0) => {
                    self.chunk.advance(LENGTH);
                    return Ok(Some(self.chunk.split_to(record - LENGTH).freeze()));
                }
                Some(missing) if self.left > 0 => self.read(missing)?,
                Some(_) if !self.chunk.is_empty() => return Err(damaged()),
                Some(_) => match self.chunks.pop_front() {
                    Some(chunk) => self.chunk = chunk,
                    None => return Ok(None),
                },
            }
        }
    }

    /// Reads more of the file, at least as many bytes as are missing.
    fn read(&mut self, missing: usize) -> io::Result<()> {
        let left = usize::try_from(self.left).unwrap_or(usize::MAX);
        let (have, more) = (self.chunk.len(), left.min(CHUNK.max(missing)));
        let Some(file) = self.file.as_mut().filter(|_| missing <= left) else { return Err(damaged()) };
        self.chunk.resize(have + more, 0);
        file.read_exact(self.chunk.get_mut(have..).unwrap_or_default())?;
        self.left -= more as u64;
        if self.left == 0 {
            self.file = None;
        }
        Ok(())
    }
}

/// The file is this process's own: somebody else wrote to it, or the disk lost what it held.
fn damaged() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "a spill file doesn't hold what was written to it")
}

#[cfg(test)]
mod tests;
