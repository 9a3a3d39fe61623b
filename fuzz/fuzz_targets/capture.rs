//! Any bytes in place of a capture: read to an end or an error, from the beginning and from anywhere, in memory that the
//! file's length bounds.

#![no_main]

use std::io::Cursor;

use libfuzzer_sys::fuzz_target;
use walferry::Lsn;
use walferry::capture::{Events, Reader};
use walferry_fuzz::{frames, laws};

fuzz_target!(|input: &[u8]| {
    let (lsn, file) =
        input.split_first_chunk().map_or((0, input), |(lsn, file)| (u64::from_be_bytes(*lsn), file));
    let (_, bodies) = frames::split(file);
    for file in [file, &frames::capture(&bodies)] {
        laws::bounded(file.len(), 64, 64 * 1024, || read(file, lsn));
    }
});

fn read(file: &[u8], lsn: u64) {
    let Ok(mut reader) = Reader::new(Cursor::new(file)) else { return };
    let mut read = 0;
    while let Ok(Some(_)) = reader.next_record() {
        read += 1;
        assert!(read <= file.len(), "more records than bytes");
    }
    if let Some(torn) = reader.torn_tail() {
        assert!(torn < file.len() as u64);
    }
    let Ok(mut events) = Reader::new(Cursor::new(file)).and_then(Events::new) else { return };
    let _ = events.by_ref().take_while(Result::is_ok).count();
    if let Ok(position) = events.seek(Lsn::new(lsn)) {
        assert!(position <= Lsn::new(lsn));
        let _ = events.take_while(Result::is_ok).count();
    }
}
