use std::collections::VecDeque;
use std::io::{self, Read, Seek, SeekFrom};

use bytes::{Buf, Bytes, BytesMut};

use super::crc::crc32c;
use super::writer::Frames;
use super::{CONTEXT, CaptureError, Context, FRAMES, RESUME_POINT, SIGNATURE, TYPES, VERSION, types};
use crate::frame::XLogData;
use crate::value::Types;
use crate::wire::{DecodeError, DecodeErrorKind, Reader as Fields};
use crate::{Lsn, Timestamp};

/// Length and checksum.
const BLOCK_HEADER: u64 = 8;

/// Reads a capture, block by block.
///
/// Reads what the blocks hold; for changes, see [`Events`](super::Events).
#[derive(Debug)]
pub struct Reader<R> {
    input: R,
    /// Where the next block begins.
    offset: u64,
    torn_tail: Option<u64>,
    /// The context and the types that hold where reading goes on, until they were given.
    before: VecDeque<Record>,
    /// What is left of the block that was read last.
    frames: Bytes,
    frames_offset: u64,
}

/// What a capture holds, in the order in which it was received.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Record {
    /// A stream was started: what follows takes a new decoder.
    Context(Context),
    /// All types that are known from here on, but for the built-in ones.
    Types(Types),
    /// A frame was received.
    Frame {
        /// When; 2000-01-01 for the relations that a resume point repeats.
        received: Timestamp,
        /// The payload of one CopyData message.
        payload: Bytes,
    },
}

/// A block, as it was found.
enum Block {
    Whole(Bytes),
    /// The file ends inside it.
    Torn,
    End,
}

impl<R: Read> Reader<R> {
    /// Opens a capture.
    ///
    /// # Errors
    ///
    /// A file that is no capture, or of another version.
    pub fn new(mut input: R) -> Result<Self, CaptureError> {
        let mut signature = [0; SIGNATURE.len()];
        let mut version = [0; 2];
        input.read_exact(&mut signature).map_err(not_a_capture)?;
        if signature != *SIGNATURE {
            return Err(CaptureError::NotACapture);
        }
        input.read_exact(&mut version).map_err(not_a_capture)?;
        let found = u16::from_be_bytes(version);
        if found != VERSION {
            return Err(CaptureError::Version { found });
        }
        let offset = FIRST_BLOCK;
        Ok(Self {
            input,
            offset,
            torn_tail: None,
            before: VecDeque::new(),
            frames: Bytes::new(),
            frames_offset: offset,
        })
    }

    /// The next record; none at the end of the last whole block.
    ///
    /// # Errors
    ///
    /// A block that is damaged while others follow, or that no writer wrote.
    pub fn next_record(&mut self) -> Result<Option<Record>, CaptureError> {
        if let Some(record) = self.before.pop_front() {
            return Ok(Some(record));
        }
        while self.frames.is_empty() {
            let offset = self.offset;
            let body = match self.read_block()? {
                Block::Whole(body) => body,
                Block::Torn => {
                    self.torn_tail = Some(offset);
                    return Ok(None);
                }
                Block::End => return Ok(None),
            };
            if let Some(record) = self.open_block(offset, body)? {
                return Ok(Some(record));
            }
        }
        let record = next_frame(&mut self.frames);
        record.map(Some).map_err(|source| CaptureError::Malformed { offset: self.frames_offset, source })
    }

    /// Where the last block begins, if the file ends inside it: what a crash leaves.
    ///
    /// Known once [`next_record`](Self::next_record) has returned none.
    pub fn torn_tail(&self) -> Option<u64> {
        self.torn_tail
    }

    /// Where the first block begins of which nothing was read.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    fn open_block(&mut self, offset: u64, mut body: Bytes) -> Result<Option<Record>, CaptureError> {
        let malformed = |source| CaptureError::Malformed { offset, source };
        let (kind, mut fields) = Fields::open(&body).map_err(malformed)?;
        match kind {
            CONTEXT => {
                return Context::read(&mut fields).map(Record::Context).map(Some).map_err(malformed);
            }
            TYPES => return types::read(&mut fields).map(Record::Types).map(Some).map_err(malformed),
            FRAMES => {
                body.advance(1);
                self.frames = body;
                self.frames_offset = offset;
            }
            // Repeats what was read before, unless reading began here.
            RESUME_POINT => {}
            _ => return Err(malformed(DecodeError::new(kind, 0, DecodeErrorKind::UnknownMessage))),
        }
        Ok(None)
    }

    fn read_block(&mut self) -> Result<Block, CaptureError> {
        let header = self.read_up_to(BLOCK_HEADER)?;
        let Some((length, rest)) = header.split_first_chunk::<4>() else {
            return Ok(if header.is_empty() { Block::End } else { Block::Torn });
        };
        let Some(checksum) = rest.first_chunk::<4>() else { return Ok(Block::Torn) };
        let length = u64::from(u32::from_be_bytes(*length));
        let body = self.read_up_to(length)?;
        if (body.len() as u64) < length {
            return Ok(Block::Torn);
        }
        if length == 0 || crc32c(&body).to_be_bytes() != *checksum {
            // A crash may leave the length of the last block, and nothing or zeros for the rest.
            let damaged = CaptureError::Damaged { offset: self.offset };
            return if self.rest_is_empty()? { Ok(Block::Torn) } else { Err(damaged) };
        }
        self.offset += BLOCK_HEADER + length;
        Ok(Block::Whole(body.freeze()))
    }

    /// Reads as much as there is: memory grows with what the file holds, not with what it claims.
    fn read_up_to(&mut self, count: u64) -> io::Result<BytesMut> {
        let mut bytes = Vec::new();
        self.input.by_ref().take(count).read_to_end(&mut bytes)?;
        Ok(BytesMut::from(Bytes::from(bytes)))
    }

    fn rest_is_empty(&mut self) -> io::Result<bool> {
        let mut chunk = [0; 4096];
        loop {
            match self.input.read(&mut chunk)? {
                0 => return Ok(true),
                read if chunk.iter().take(read).all(|&byte| byte == 0) => {}
                _ => return Ok(false),
            }
        }
    }
}

impl<R: Read + Seek> Reader<R> {
    /// Moves to the last resume point at or before `lsn`: every transaction that ends behind `lsn` follows whole, and
    /// perhaps some that end before. The context that holds there comes first, then the types, if others were learned
    /// since, then the relations that are known.
    ///
    /// Returns the position of the resume point; 0/0 for the beginning of the capture.
    ///
    /// # Errors
    ///
    /// As [`next_record`](Self::next_record). Of the blocks in between only resume points are checked, and what holds at the one found.
    pub fn seek(&mut self, lsn: Lsn) -> Result<Lsn, CaptureError> {
        let ResumePoint { position, before, block, behind, announcements } = self.find_resume_point(lsn)?;
        self.before.clear();
        for offset in before.into_iter().flatten() {
            let record = self.record_at(offset)?;
            self.before.extend(record);
        }
        self.move_to(behind)?;
        self.torn_tail = None;
        self.frames = announcements;
        self.frames_offset = block;
        Ok(position)
    }

    fn find_resume_point(&mut self, lsn: Lsn) -> Result<ResumePoint, CaptureError> {
        let mut best = ResumePoint::beginning();
        let mut before = [None; 2];
        let mut offset = FIRST_BLOCK;
        loop {
            self.move_to(offset)?;
            let head = self.read_up_to(BLOCK_HEADER + 1)?;
            let Some((length, &[_, _, _, _, kind])) = head.split_first_chunk() else { return Ok(best) };
            let length = u64::from(u32::from_be_bytes(*length));
            match kind {
                // A tail of zeros.
                _ if length == 0 => return Ok(best),
                CONTEXT => before = [Some(offset), None],
                TYPES => before = [before[0], Some(offset)],
                RESUME_POINT => {
                    self.move_to(offset)?;
                    // One that a crash cut short is where reading ends, not where it can begin.
                    let Block::Whole(body) = self.read_block()? else { return Ok(best) };
                    let (position, announcements) = read_resume_point(&body)
                        .map_err(|source| CaptureError::Malformed { offset, source })?;
                    if position > lsn {
                        return Ok(best);
                    }
                    let behind = self.offset;
                    best = ResumePoint { position, before, block: offset, behind, announcements };
                }
                _ => {}
            }
            offset += BLOCK_HEADER + length;
        }
    }

    fn record_at(&mut self, offset: u64) -> Result<Option<Record>, CaptureError> {
        self.move_to(offset)?;
        match self.read_block()? {
            Block::Whole(body) => self.open_block(offset, body),
            Block::Torn | Block::End => Ok(None),
        }
    }

    fn move_to(&mut self, offset: u64) -> io::Result<()> {
        self.offset = offset;
        self.input.seek(SeekFrom::Start(offset)).map(drop)
    }
}

/// Where reading can begin.
struct ResumePoint {
    position: Lsn,
    /// Where the block of the context that holds there begins, unless it follows; and that of the types learned since.
    before: [Option<u64>; 2],
    /// Where its own block begins, and where it ends.
    block: u64,
    behind: u64,
    /// What is known there, in the form of a block of frames.
    announcements: Bytes,
}

impl ResumePoint {
    fn beginning() -> Self {
        let (block, behind) = (FIRST_BLOCK, FIRST_BLOCK);
        Self { position: Lsn::ZERO, before: [None; 2], block, behind, announcements: Bytes::new() }
    }
}

const FIRST_BLOCK: u64 = SIGNATURE.len() as u64 + size_of::<u16>() as u64;

fn not_a_capture(error: io::Error) -> CaptureError {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => CaptureError::NotACapture,
        _ => CaptureError::Io(error),
    }
}

fn next_frame(frames: &mut Bytes) -> Result<Record, DecodeError> {
    let mut fields = Fields::within(FRAMES, frames);
    let received = Timestamp::from_micros(fields.i64()?);
    let length = fields.length("frame length")?;
    let payload = frames.slice_ref(fields.take(length)?);
    let read = frames.len() - fields.left();
    frames.advance(read);
    Ok(Record::Frame { received, payload })
}

/// The position of a resume point, and its messages in the form of a block of frames.
fn read_resume_point(body: &Bytes) -> Result<(Lsn, Bytes), DecodeError> {
    let (_, mut fields) = Fields::open(body)?;
    let position = Lsn::new(fields.u64()?);
    let mut frames = Frames::default();
    while fields.left() > 0 {
        let length = fields.length("message length")?;
        let payload = body.slice_ref(fields.take(length)?);
        let clock = Timestamp::from_micros(0);
        frames.push(clock, &XLogData { start: Lsn::ZERO, end: Lsn::ZERO, clock, payload }.encode());
    }
    let mut frames = frames.into_body();
    frames.advance(frames.len().min(1));
    Ok((position, frames))
}
