//! Files that a crash or a disk left: what is whole is read, and what isn't is never taken for something else.

use super::*;

/// A small file of several blocks, with a resume point among them, and its records.
fn small() -> Vec<u8> {
    let mut frames = vec![frame(&Message::Relation(None, relation(1)))];
    for lsn in [0x100, 0x200, 0x300] {
        frames.extend(transaction(lsn, b"some text").map(|message| frame(&message)));
    }
    let mut file = capture(&context(), &frames, 3);
    let announced = Message::Relation(None, relation(1)).encode();
    let mut resume_point = 0x308_u64.to_be_bytes().to_vec();
    resume_point.put_u32(u32::try_from(announced.len()).unwrap());
    resume_point.extend(&announced);
    file.extend(block(b'R', &resume_point));
    file.extend(
        blocks(&capture(&context(), &frames[..2], 2))
            .into_iter()
            .skip(1)
            .flat_map(|range| capture(&context(), &frames[..2], 2)[range].to_vec()),
    );
    file
}

/// The blocks of `file` that `image` holds as they are, from the first on.
fn whole_blocks(file: &[u8], image: &[u8]) -> (usize, Vec<Record>) {
    let ends =
        blocks(file).into_iter().take_while(|block| image.get(block.clone()) == file.get(block.clone()));
    let end = ends.last().map_or(HEADER, |block| block.end);
    (end, read_whole(&file[..end]))
}

#[test]
fn a_file_cut_anywhere_is_read_up_to_its_last_whole_block() {
    let file = small();
    assert!(blocks(&file).len() >= 6);
    for cut in HEADER..=file.len() {
        let (end, records) = whole_blocks(&file, &file[..cut]);
        let (found, torn_tail) = read(&file[..cut]);
        assert_eq!(found, records, "cut at {cut}");
        assert_eq!(torn_tail.unwrap(), (end < cut).then_some(end as u64), "cut at {cut}");
    }
}

#[test]
fn events_of_a_file_cut_anywhere_are_a_prefix() {
    let file = small();
    let all = events(&file);
    for cut in HEADER..=file.len() {
        assert!(all.starts_with(&events(&file[..cut])), "cut at {cut}");
    }
}

#[test]
fn a_file_cut_in_its_signature_is_no_capture() {
    let file = small();
    for cut in 0..HEADER {
        assert!(matches!(read(&file[..cut]).1, Err(CaptureError::NotACapture)), "cut at {cut}");
    }
}

#[test]
fn a_file_cut_anywhere_and_continued_with_zeros_is_read_up_to_its_last_whole_block() {
    // A crash may leave the length of a file that was written further than its bytes.
    let file = small();
    for zeros in [1, 7, 8, 9, 5000, file.len()] {
        for cut in HEADER..=file.len() {
            let mut image = file[..cut].to_vec();
            image.resize(cut + zeros, 0);
            let (end, records) = whole_blocks(&file, &image);
            let (found, torn_tail) = read(&image);
            assert_eq!(found, records, "cut at {cut}, {zeros} zeros");
            assert_eq!(torn_tail.unwrap(), Some(end as u64), "cut at {cut}, {zeros} zeros");
        }
    }
}

#[test]
fn no_flipped_bit_is_accepted() {
    let file = small();
    let all = read_whole(&file);
    for at in 0..file.len() {
        for mask in [1, 2, 4, 8, 16, 32, 64, 128, 0xFF] {
            let mut image = file.clone();
            image[at] ^= mask;
            let (records, end) = read(&image);
            let place = format!("byte {at} ^ {mask}");
            assert!(all.starts_with(&records), "{place}: {records:?}");
            match end {
                Ok(torn_tail) => assert!(torn_tail.is_some(), "{place} is accepted"),
                Err(CaptureError::NotACapture) => assert!(at < 13, "{place}"),
                Err(CaptureError::Version { .. }) => assert!((13..HEADER).contains(&at), "{place}"),
                Err(CaptureError::Damaged { offset }) => {
                    let damaged = blocks(&file).into_iter().find(|block| block.contains(&at)).unwrap();
                    assert_eq!(offset, damaged.start as u64, "{place}");
                }
                Err(error) => panic!("{place}: {error}"),
            }
        }
    }
}

#[test]
fn a_damaged_block_with_others_behind_it_is_an_error() {
    // Not a torn tail: what follows would be dropped silently.
    let file = small();
    let blocks = blocks(&file);
    for block in &blocks[..blocks.len() - 1] {
        let mut image = file.clone();
        image[block.start + BLOCK_HEADER] ^= 1;
        let (_, end) = read(&image);
        assert!(matches!(end, Err(CaptureError::Damaged { offset }) if offset == block.start as u64));
    }
}

#[test]
fn a_block_that_is_whole_and_wrong_is_malformed() {
    for (kind, fields) in [
        (b'F', &b"\0\0\0\0\0\0\0\x07\0\0\0\x03hi"[..]),
        (b'F', b"\0\0\0\0\0\0\0\x07\xff\xff\xff\xff"),
        (b'F', b"\0\0\0"),
        (b'C', b"\0\0\0\x04slot\0\0\0\x09abc"),
        (b'C', b"\0\0\0\x04slot"),
        (b'C', b"\0\0\0\x01\xff\0\0\0\0"),
        (b'C', b"\0\0\0\x09start_lsn\0\0\0\x01x"),
        (b'C', b"\0\0\0\x12parallel_streaming\0\0\0\x01x"),
        (b'C', b"\0\0\0\x0chas_children\0\0\0\x01x"),
        (b'C', b"\0\0\0\x0fidentity_always\0\0\0\x011"),
        (b'X', b""),
        (0, b""),
    ] {
        let mut file = small();
        let offset = file.len() as u64;
        let before = read_whole(&file);
        file.extend(block(kind, fields));
        let (records, end) = read(&file);
        assert_eq!(records, before);
        let found = match end {
            Err(CaptureError::Malformed { offset, source }) => (offset, source.tag()),
            other => panic!("{other:?}"),
        };
        assert_eq!(found, (offset, kind), "{}", fields.escape_ascii());
    }
}

#[test]
fn a_file_of_another_kind_or_version_says_so() {
    assert!(matches!(read(b"PGCOPY\n\xff\r\n\0 and more").1, Err(CaptureError::NotACapture)));
    let mut file = small();
    file[HEADER - 1] = 2;
    assert!(matches!(read(&file).1, Err(CaptureError::Version { found: 2 })));
    // As a transfer in text mode would leave it: that is what the signature is for.
    let text = file.iter().copied().filter(|byte| *byte != b'\r').collect::<Vec<_>>();
    assert!(matches!(read(&text).1, Err(CaptureError::NotACapture)));
}
