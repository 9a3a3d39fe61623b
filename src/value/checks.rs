//! What every type's tests ask.

use bytes::BytesMut;
use proptest::prelude::*;

use super::Wire;

pub(super) fn binary<'a>(value: &impl Wire<'a>) -> Vec<u8> {
    let mut out = BytesMut::new();
    value.write_binary(&mut out);
    out.to_vec()
}

/// What is read prints the same.
pub(super) fn keeps_text<'a, T: Wire<'a>>(text: &'a str) {
    let value = T::from_text(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    assert_eq!(value.to_string(), text);
}

/// What is read writes the same, no proper prefix is read, and nothing that goes on.
pub(super) fn keeps_bytes<'a, T: Wire<'a>>(bytes: &'a [u8]) {
    assert_eq!(binary(&T::from_binary(bytes).unwrap()), bytes);
    for end in 0..bytes.len() {
        assert!(T::from_binary(&bytes[..end]).is_err(), "a prefix of {end} bytes");
    }
}

/// Any bytes are refused or written again.
pub(super) fn takes_bytes<'a, T: Wire<'a>>(bytes: &'a [u8]) -> Result<(), TestCaseError> {
    if let Ok(value) = T::from_binary(bytes) {
        prop_assert_eq!(binary(&value), bytes);
        let _ = value.to_string();
    }
    Ok(())
}

/// Any text is refused or printed again.
pub(super) fn takes_text<'a, T: Wire<'a>>(text: &'a str) -> Result<(), TestCaseError> {
    if let Ok(value) = T::from_text(text) {
        prop_assert_eq!(value.to_string(), text);
    }
    Ok(())
}
