//! Laws that more than one target holds.

use allocation_counter::measure;
use bytes::Bytes;
use walferry::pgoutput::{Decoder, Message};

/// Runs it. What it holds at any time is at most `fixed` bytes, and `factor` for each byte of the input, whatever
/// lengths and counts the input claims.
///
/// # Panics
///
/// If it holds more.
pub fn bounded<T>(input: usize, factor: usize, fixed: usize, run: impl FnOnce() -> T) -> T {
    let mut outcome = None;
    let held = measure(|| outcome = Some(run())).bytes_max;
    let most = u64::try_from(factor * input + fixed).expect("64 bits");
    assert!(held <= most, "{held} bytes were held for an input of {input}, at most {most} may be");
    outcome.expect("it ran")
}

/// Decodes what may be a message: memory follows what was `read` until now, an error stands inside of the message, and
/// a message has one form only, of which no part is another.
pub fn decode(decoder: &mut Decoder, bytes: &Bytes, read: usize) {
    let before = decoder.clone();
    // A column in memory is larger than on the wire, by a fixed factor.
    let outcome = bounded(read, 16, 1024, || decoder.decode(bytes.clone()));
    match outcome {
        Ok(message) => {
            // The schema that the wire leaves empty is understood by its name, too.
            let unnamed = matches!(&message, Message::Relation(..) | Message::Type(..));
            assert!(unnamed || message.encode() == bytes, "{message:?}");
            no_part_decodes(&before, bytes, &message);
        }
        Err(error) => {
            assert!(error.offset() <= bytes.len());
            assert!(!error.to_string().is_empty());
        }
    }
}

/// So that long ones don't take all the time.
const SHORT: usize = 512;

fn no_part_decodes(decoder: &Decoder, bytes: &Bytes, message: &Message) {
    for end in 0..bytes.len().min(SHORT) {
        assert!(decoder.clone().decode(bytes.slice(..end)).is_err(), "{end} bytes of {message:?}");
    }
    let longer = [&bytes[..], &[0]].concat();
    assert!(decoder.clone().decode(longer.into()).is_err(), "a byte behind {message:?}");
}
