//! The codec as a fuzz target drives it: the bytes of a connection, in whatever pieces they come.

use bytes::{Bytes, BytesMut};
use tokio_util::codec::Decoder as _;

use super::{BackendMessage, Codec};

/// A message that was cut out.
#[derive(Debug, PartialEq, Eq)]
pub struct Frame {
    /// The protocol's name for it.
    pub name: &'static str,
    /// How many of the connection's bytes had been used up behind it.
    pub end: usize,
    /// What was copied, if that is what it is.
    pub copied: Option<Bytes>,
}

/// The messages that the pieces are, and the error that ended them.
///
/// # Panics
///
/// If a message is not as long as was foretold.
pub fn decode<'a>(
    pieces: impl IntoIterator<Item = &'a [u8]>,
    authenticated: bool,
) -> (Vec<Frame>, Option<String>) {
    let mut codec = Codec::new();
    if authenticated {
        codec.authenticated();
    }
    let (mut buffer, mut frames, mut end) = (BytesMut::new(), Vec::new(), 0);
    for piece in pieces {
        buffer.extend_from_slice(piece);
        loop {
            let (foretold, before) = (codec.next_len(&buffer), buffer.len());
            match codec.decode(&mut buffer) {
                Ok(Some(message)) => {
                    let used = before - buffer.len();
                    assert_eq!(foretold, used.checked_sub(1), "the length counts all but the tag");
                    end += used;
                    frames.push(Frame { name: message.name(), end, copied: copied(message) });
                }
                Ok(None) => break,
                Err(error) => return (frames, Some(error.to_string())),
            }
        }
    }
    (frames, None)
}

fn copied(message: BackendMessage) -> Option<Bytes> {
    match message {
        BackendMessage::CopyData(payload) => Some(payload),
        _ => None,
    }
}
