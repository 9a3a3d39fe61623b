//! Values of type json among those of a line.

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::friendly::raw;

/// The value as it was written, if whoever reads the line can read it, and in it no line break.
///
/// PostgreSQL keeps json that common readers refuse, and the line with it: nested deeper than they go, numbers beyond a
/// double, halves of surrogate pairs.
pub(super) fn inline(json: Cow<'_, str>, depth: usize) -> Option<Cow<'_, RawValue>> {
    let json = raw(json)?;
    if !can_be_read(json.get(), depth) {
        return None;
    }
    if json.get().contains(['\n', '\r']) {
        // Between the tokens: inside of a string there is none.
        return raw(Cow::Owned(json.get().replace(['\n', '\r'], " ")));
    }
    Some(json)
}

/// Of text that is one value of JSON.
fn can_be_read(json: &str, max_depth: usize) -> bool {
    let mut depth = 0_usize;
    let mut rest = json;
    while let Some(first) = rest.bytes().next() {
        match first {
            b'"' => {
                let Some(behind) = behind_string(rest) else { return false };
                rest = behind;
                continue;
            }
            b'[' | b'{' => {
                depth += 1;
                if depth > max_depth {
                    return false;
                }
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            b'-' | b'0'..=b'9' => {
                let end = rest.find(|c: char| !c.is_ascii_digit() && !"+-.eE".contains(c));
                let (number, behind) = rest.split_at(end.unwrap_or(rest.len()));
                if !number.parse().is_ok_and(f64::is_finite) {
                    return false;
                }
                rest = behind;
                continue;
            }
            _ => {}
        }
        rest = rest.get(1..).unwrap_or_default();
    }
    true
}

/// What follows the string that `json` begins with; `None` if it has half of a surrogate pair.
fn behind_string(json: &str) -> Option<&str> {
    let mut rest = json.get(1..)?;
    loop {
        let special = rest.find(['"', '\\'])?;
        let (_, found) = rest.split_at(special);
        match *found.as_bytes() {
            [b'"', ..] => return found.get(1..),
            [b'\\', b'u', ..] => rest = behind_code_unit(found)?,
            _ => rest = found.get(2..)?,
        }
    }
}

fn behind_code_unit(escape: &str) -> Option<&str> {
    match code_unit(escape)? {
        0xD800..=0xDBFF => {
            let low = escape.get(6..)?;
            matches!(code_unit(low)?, 0xDC00..=0xDFFF).then(|| low.get(6..)).flatten()
        }
        0xDC00..=0xDFFF => None,
        _ => escape.get(6..),
    }
}

/// What `\uXXXX` says.
fn code_unit(escape: &str) -> Option<u16> {
    u16::from_str_radix(escape.strip_prefix("\\u")?.get(..4)?, 16).ok()
}
