//! Any text in place of a value: read or refused, and what has a binary form is the same when it is read from it.

#![no_main]

use libfuzzer_sys::fuzz_target;
use walferry::pgoutput::Datum;
use walferry_fuzz::laws;
use walferry_fuzz::value::{read, split, value};

fuzz_target!(|input: &[u8]| {
    let Some((oid, text)) = split(input) else { return };
    laws::bounded(text.len(), 256, 64 * 1024, || read(oid, Datum::Text(text)));
    let Ok(binary) = value(oid, Datum::Text(text)).to_binary() else { return };
    // Text that no server prints may be read, and is printed as a server does from then on.
    let Ok(printed) = value(oid, Datum::Binary(&binary)).to_text() else { return };
    let again = value(oid, Datum::Text(printed.as_bytes())).to_binary().expect("what was printed is read");
    let last = value(oid, Datum::Binary(&again)).to_text().expect("what was written is read");
    assert_eq!(last, printed);
});
