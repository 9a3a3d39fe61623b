//! The capture file: received frames with their times, to be replayed without a server.
//!
//! ```text
//! file    = signature "\x89walferry\r\n\x1a\n", version u16, block*
//! block   = length u32, CRC-32C u32 of the body, body of that length
//! body    = 'C' context: (key, value)*                    how the stream was started; again where it was interrupted
//!         | 'F' frames: (received i64, length u32, CopyData payload)*
//!         | 'T' types: (length u32, type)*                all that are known from here on, but for the built-in ones
//!         | 'R' resume point: position u64, (length u32, Relation or Type message)*
//! ```
//!
//! All integers are big-endian, a time is in microseconds since 2000-01-01 UTC, and a key or value is a length in 32
//! bits and as many bytes of UTF-8. A block is written whole or not at all as far as a reader is concerned: after a
//! crash, what is behind the last whole block is not there, and [`Reader::torn_tail`] says so.
//!
//! A type is written as in the context's values of the key `type`: oid, schema, name, the word for its kind and what
//! belongs to that, each as its length in bytes, a colon, and itself. So the enum `public.mood` of two labels is
//! `5:164006:public4:mood4:enum4:null2:ok`.
//!
//! A resume point stands where no transaction is open. Every transaction that ends at or before its position stands
//! before it, every other one behind it, and it repeats the relations that are known there: so reading can begin at
//! any of them. The context and the types that hold there are not repeated: they are those that precede it in the
//! file, which who seeks passes over.

mod context;
mod crc;
mod events;
mod reader;
mod types;
mod writer;

#[cfg(test)]
mod tests;

use std::io;

pub use self::context::Context;
pub use self::events::Events;
pub use self::reader::{Reader, Record};
pub use self::writer::Writer;
use crate::assemble::Violation;
use crate::pgoutput::DecodeError;
use crate::session::{SessionError, SourceChanged};

const SIGNATURE: &[u8; 13] = b"\x89walferry\r\n\x1a\n";
const VERSION: u16 = 1;

const CONTEXT: u8 = b'C';
const FRAMES: u8 = b'F';
const TYPES: u8 = b'T';
const RESUME_POINT: u8 = b'R';

/// A capture that can't be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CaptureError {
    /// The system could not read or write it.
    #[error("capture file")]
    Io(#[from] io::Error),
    /// The file doesn't begin like a capture.
    #[error("not a capture file: it doesn't begin with the signature of one")]
    NotACapture,
    /// The file was written by another version.
    #[error("capture file of version {found}; this program reads version {VERSION}")]
    Version {
        /// The version of the file.
        found: u16,
    },
    /// A block's checksum is wrong, and blocks follow it.
    #[error("capture file: the block at byte {offset} is damaged; what precedes it is whole")]
    Damaged {
        /// Where the block begins.
        offset: u64,
    },
    /// A block's checksum is right and its content is not.
    #[error("capture file: the block at byte {offset} is malformed")]
    Malformed {
        /// Where the block begins.
        offset: u64,
        /// What is wrong in it; the tag is the block's kind.
        source: DecodeError,
    },
    /// A frame of the capture is not what a server sends.
    #[error("capture file: a frame that can't be decoded")]
    Decode(#[from] DecodeError),
    /// The frames of the capture are in an order in which no server sends them.
    #[error("capture file: a frame that can't stand here")]
    Violation(#[from] Violation),
    /// The capture was to be read from a position that belongs to another history.
    #[error("capture file")]
    Position(#[from] SessionError),
    /// The capture is not of the source that the consumer has followed up to now.
    #[error("capture file")]
    Source(#[from] SourceChanged),
}
