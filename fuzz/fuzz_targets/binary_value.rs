//! Any bytes in place of a value in binary form: read or refused, and the text that they are is read as what it was.

#![no_main]

use libfuzzer_sys::fuzz_target;
use walferry::Oid;
use walferry::pgoutput::Datum;
use walferry::value::Types;
use walferry_fuzz::laws;
use walferry_fuzz::value::{read, split, value};

fuzz_target!(|input: &[u8]| {
    let Some((oid, bytes)) = split(input) else { return };
    let factor = if may_hold_numeric(oid, bytes) { NUMERIC } else { 256 };
    laws::bounded(bytes.len(), factor, 64 * 1024, || read(oid, Datum::Binary(bytes)));
    let Ok(text) = value(oid, Datum::Binary(bytes)).to_text() else { return };
    read(oid, Datum::Text(text.as_bytes()));
    // A record's text no longer says which types its fields have.
    let Ok(again) = value(oid, Datum::Text(text.as_bytes())).to_binary() else { return };
    assert_eq!(value(oid, Datum::Binary(&again)).to_text().expect("what was written is read"), text);
});

/// What a byte of a numeric may become as text: eight of them are up to 131,072 digits before the point.
const NUMERIC: usize = 4 * 131_072 / 8;

/// Whether it is a type of numerics, or holds the number of one.
fn may_hold_numeric(oid: Oid, bytes: &[u8]) -> bool {
    let mut numeric = Types::built_in().iter().filter(|known| known.name.contains("num"));
    numeric.any(|known| {
        known.oid == oid || bytes.windows(4).any(|part| part == u32::from(known.oid).to_be_bytes())
    })
}
