//! Several frames as one input: a first byte that says whether streaming is parallel, then each frame behind its
//! length in 16 bits.

use bytes::Bytes;

pub fn join(parallel: bool, frames: &[Vec<u8>]) -> Vec<u8> {
    let mut input = vec![u8::from(parallel)];
    for frame in frames {
        let length = u16::try_from(frame.len()).expect("captured frames are short");
        input.extend(length.to_be_bytes());
        input.extend(frame);
    }
    input
}

/// A length that is larger than what is left is the rest.
pub fn split(input: &[u8]) -> (bool, Vec<Bytes>) {
    let (parallel, mut rest) =
        input.split_first().map_or((false, input), |(first, rest)| (first & 1 == 1, rest));
    let mut frames = Vec::new();
    while let Some((length, behind)) = rest.split_first_chunk() {
        let length = usize::from(u16::from_be_bytes(*length)).min(behind.len());
        let (frame, behind) = behind.split_at(length);
        frames.push(Bytes::copy_from_slice(frame));
        rest = behind;
    }
    (parallel, frames)
}

/// A capture of these blocks, whatever is in them, with the checksums that a mutation would hardly hit upon.
pub fn capture(bodies: &[Bytes]) -> Vec<u8> {
    let mut file = b"\x89walferry\r\n\x1a\n\0\x01".to_vec();
    for body in bodies {
        file.extend(u32::try_from(body.len()).expect("a length of 16 bits").to_be_bytes());
        file.extend(crc32c(body).to_be_bytes());
        file.extend(body);
    }
    file
}

/// Bit by bit, so that it is no copy of the library's.
fn crc32c(bytes: &[u8]) -> u32 {
    let shift = |crc: u32, _| if crc & 1 == 1 { crc >> 1 ^ 0x82F6_3B78 } else { crc >> 1 };
    !bytes.iter().fold(!0, |crc, &byte| (0..8).fold(crc ^ u32::from(byte), shift))
}
