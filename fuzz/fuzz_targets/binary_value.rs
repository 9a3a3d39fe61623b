//! Any bytes in place of a value in binary form: read or refused, and the text that they are is read as what it was.
//!
//! What is allocated is bounded by the input: `.ci/fuzz` limits memory far below what a claimed size could ask for.

#![no_main]

use libfuzzer_sys::fuzz_target;
use walferry::pgoutput::Datum;
use walferry_fuzz::value::{read, split, value};

fuzz_target!(|input: &[u8]| {
    let Some((oid, bytes)) = split(input) else { return };
    read(oid, Datum::Binary(bytes));
    let Ok(text) = value(oid, Datum::Binary(bytes)).to_text() else { return };
    read(oid, Datum::Text(text.as_bytes()));
    // A record's text no longer says which types its fields have.
    let Ok(again) = value(oid, Datum::Text(text.as_bytes())).to_binary() else { return };
    assert_eq!(value(oid, Datum::Binary(&again)).to_text().expect("what was written is read"), text);
});
