use std::collections::{BTreeMap, HashSet};
use std::io::{self, Write};

use bytes::{BufMut, Bytes, BytesMut};

use super::crc::crc32c;
use super::{CONTEXT, Context, FRAMES, RESUME_POINT, SIGNATURE, TYPES, VERSION, types};
use crate::frame::Frame;
use crate::pgoutput::{Decoder, Message};
use crate::value::Types;
use crate::wire::Write as _;
use crate::{Lsn, Timestamp, Xid};

/// Frames are gathered up to this many bytes before they are written as one block.
const BLOCK: usize = 128 << 10;
/// At least this many bytes lie between two resume points.
const BETWEEN_RESUME_POINTS: usize = 1 << 20;

/// Writes a capture.
///
/// Frames reach the file a block at a time: [`flush`](Self::flush) before relying on them.
///
/// ```
/// use walferry::Timestamp;
/// use walferry::capture::{Context, Reader, Record, Writer};
/// use walferry::frame::PrimaryKeepalive;
///
/// let clock = Timestamp::from_micros(0);
/// let frame = PrimaryKeepalive { wal_end: "0/100".parse()?, clock, reply_requested: false }.encode();
/// let mut writer = Writer::new(Vec::new(), &Context::default())?;
/// writer.append(clock, &frame)?;
/// let file = writer.finish()?;
///
/// let mut reader = Reader::new(file.as_slice())?;
/// assert_eq!(reader.next_record()?, Some(Record::Context(Context::default())));
/// assert_eq!(reader.next_record()?, Some(Record::Frame { received: clock, payload: frame }));
/// assert_eq!(reader.next_record()?, None);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
#[must_use = "frames that were not flushed are lost"]
pub struct Writer<W: Write> {
    out: W,
    frames: Frames,
    progress: Option<Progress>,
    since_resume_point: usize,
}

impl<W: Write> Writer<W> {
    /// Begins a capture.
    ///
    /// # Errors
    ///
    /// What `out` says.
    pub fn new(mut out: W, context: &Context) -> io::Result<Self> {
        out.write_all(SIGNATURE)?;
        out.write_all(&VERSION.to_be_bytes())?;
        write_context(&mut out, context)?;
        let progress = Some(Progress::new(context));
        Ok(Self { out, frames: Frames::default(), progress, since_resume_point: 0 })
    }

    /// Goes on with a capture that is there: `out` stands behind its last whole block, which ends a transaction at
    /// `position`. What follows is as behind a [`restart`](Self::restart).
    ///
    /// # Errors
    ///
    /// What `out` says.
    pub fn resume(mut out: W, context: &Context, position: Lsn) -> io::Result<Self> {
        write_context(&mut out, context)?;
        let progress = Some(Progress { position, ..Progress::new(context) });
        Ok(Self { out, frames: Frames::default(), progress, since_resume_point: 0 })
    }

    /// Says that the frames from here on came over another connection, whose stream was started so: what is not complete
    /// comes again, and what is may.
    ///
    /// # Errors
    ///
    /// What `out` says.
    pub fn restart(&mut self, context: &Context) -> io::Result<()> {
        self.write_frames()?;
        write_context(&mut self.out, context)?;
        let position = self.progress.as_ref().map_or(Lsn::ZERO, |progress| progress.position);
        self.progress = Some(Progress { position, ..Progress::new(context) });
        Ok(())
    }

    /// Adds a frame: the payload of one CopyData message, whatever it holds.
    ///
    /// # Errors
    ///
    /// What `out` says. The file is whole up to the last block.
    pub fn append(&mut self, received: Timestamp, payload: &Bytes) -> io::Result<()> {
        self.frames.push(received, payload);
        self.since_resume_point += payload.len();
        if let Some(mut progress) = self.progress.take() {
            // Frames that make no sense are kept for whoever wants to see them, but can't be resumed behind.
            self.progress = progress.follow(payload).map(|()| progress);
        }
        if self.frames.0.len() >= BLOCK {
            self.write_frames()?;
        }
        self.write_resume_point()
    }

    /// Says what the types are from here on, in place of all that were known before: rows of the frames that follow
    /// have these.
    ///
    /// # Errors
    ///
    /// What `out` says.
    pub fn append_types(&mut self, types: &Types) -> io::Result<()> {
        let mut body = BytesMut::from([TYPES].as_slice());
        types::write(types, &mut body);
        self.write_frames()?;
        write_block(&mut self.out, &body)
    }

    /// Hands everything to `out`, and flushes that.
    ///
    /// # Errors
    ///
    /// What `out` says.
    pub fn flush(&mut self) -> io::Result<()> {
        self.write_frames()?;
        self.out.flush()
    }

    /// Flushes, and gives `out` back.
    ///
    /// # Errors
    ///
    /// What `out` says.
    pub fn finish(mut self) -> io::Result<W> {
        self.flush()?;
        Ok(self.out)
    }

    /// What the capture is written to; to make a file durable, say.
    pub fn out(&self) -> &W {
        &self.out
    }

    fn write_frames(&mut self) -> io::Result<()> {
        if self.frames.0.is_empty() {
            return Ok(());
        }
        write_block(&mut self.out, &self.frames.0)?;
        self.frames.0.clear();
        Ok(())
    }

    fn write_resume_point(&mut self) -> io::Result<()> {
        let Some(progress) = &self.progress else { return Ok(()) };
        if self.since_resume_point < BETWEEN_RESUME_POINTS || !progress.is_resumable() {
            return Ok(());
        }
        let body = progress.resume_point();
        self.write_frames()?;
        self.since_resume_point = 0;
        write_block(&mut self.out, &body)
    }
}

fn write_context(out: &mut impl Write, context: &Context) -> io::Result<()> {
    let mut body = BytesMut::from([CONTEXT].as_slice());
    context.write(&mut body);
    write_block(out, &body)
}

fn write_block(out: &mut impl Write, body: &[u8]) -> io::Result<()> {
    let length = u32::try_from(body.len()).map_err(|_| io::Error::from(io::ErrorKind::FileTooLarge))?;
    out.write_all(&length.to_be_bytes())?;
    out.write_all(&crc32c(body).to_be_bytes())?;
    out.write_all(body)
}

/// The body of a block of frames.
#[derive(Debug, Default)]
pub(super) struct Frames(BytesMut);

impl Frames {
    pub(super) fn push(&mut self, received: Timestamp, payload: &[u8]) {
        if self.0.is_empty() {
            self.0.put_u8(FRAMES);
        }
        self.0.put_i64(received.as_micros());
        self.0.put_length(payload.len());
        self.0.put_slice(payload);
    }

    pub(super) fn into_body(self) -> Bytes {
        self.0.freeze()
    }
}

/// Where the frames written so far stand: what a resume point needs.
#[derive(Debug, Default)]
struct Progress {
    decoder: Decoder,
    /// The latest announcement of each type, then of each relation.
    announced: BTreeMap<(bool, u32), Bytes>,
    in_transaction: bool,
    unfinished: HashSet<Xid>,
    position: Lsn,
}

impl Progress {
    fn new(context: &Context) -> Self {
        let decoder = Decoder::new().parallel_streaming(context.parallel_streaming);
        Self { decoder, ..Self::default() }
    }

    /// Takes in a frame; none if it can't be followed.
    fn follow(&mut self, payload: &Bytes) -> Option<()> {
        let Ok(Frame::XLogData(data)) = Frame::decode(payload.clone()) else { return Some(()) };
        if matches!(data.payload.first(), Some(b'I' | b'U' | b'D' | b'T' | b'M' | b'O')) {
            return Some(());
        }
        match self.decoder.decode(data.payload).ok()? {
            Message::Type(_, announced) => {
                let key = (false, announced.id.into());
                self.announced.insert(key, Message::Type(None, announced).encode());
            }
            Message::Relation(_, announced) => {
                let key = (true, announced.id.into());
                self.announced.insert(key, Message::Relation(None, announced).encode());
            }
            Message::Begin(_) | Message::BeginPrepare(_) => self.in_transaction = true,
            Message::StreamStop => self.in_transaction = false,
            Message::StreamStart(start) => {
                self.in_transaction = true;
                self.unfinished.insert(start.xid);
            }
            Message::StreamAbort(abort) if abort.subxid == abort.xid => {
                self.unfinished.remove(&abort.xid);
            }
            Message::StreamCommit(commit) => self.finish(Some(commit.xid), commit.end_lsn),
            Message::StreamPrepare(prepare) => self.finish(Some(prepare.xid), prepare.end_lsn),
            Message::Commit(commit) => self.finish(None, commit.end_lsn),
            Message::Prepare(prepare) => self.finish(None, prepare.end_lsn),
            Message::CommitPrepared(commit) => self.finish(None, commit.end_lsn),
            Message::RollbackPrepared(rollback) => self.finish(None, rollback.rollback_end_lsn),
            _ => {}
        }
        Some(())
    }

    fn finish(&mut self, streamed: Option<Xid>, end_lsn: Lsn) {
        self.in_transaction = false;
        // What comes again behind a restart stands before what was complete.
        self.position = self.position.max(end_lsn);
        if let Some(xid) = streamed {
            self.unfinished.remove(&xid);
        }
    }

    fn is_resumable(&self) -> bool {
        !self.in_transaction && self.unfinished.is_empty()
    }

    fn resume_point(&self) -> BytesMut {
        let mut body = BytesMut::from([RESUME_POINT].as_slice());
        body.put_u64(self.position.into());
        for message in self.announced.values() {
            body.put_length(message.len());
            body.put_slice(message);
        }
        body
    }
}
