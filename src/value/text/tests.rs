use super::super::checks::{keeps_bytes, keeps_text};
use super::*;

#[test]
fn text_is_the_same_in_both_forms() {
    for text in ["", "null", "NULL", " ", "''", "\\", "\r\n", "é😀"] {
        keeps_text::<Text<'_>>(text);
        keeps_text::<Jsonb<'_>>(text);
        assert_eq!(Text::from_binary(text.as_bytes()), Text::from_text(text));
    }
}

#[test]
fn a_version_stands_before_json() {
    assert_eq!(Jsonb::from_binary(b"\x01null"), Ok(Jsonb("null")));
    assert_eq!(Jsonpath::from_binary(b"\x01$"), Ok(Jsonpath("$")));
    keeps_bytes::<Jsonb<'_>>(b"\x01");
    Jsonb::from_binary(b"\x02null").expect_err("another version");
    Jsonb::from_binary(b"null").expect_err("no version");
}

#[test]
fn says_where_text_is_not_utf8() {
    let at = |error: ValueError| error.to_string();
    assert_eq!(at(Text::from_binary(b"ab\xff").unwrap_err()), "text at byte 2: expected UTF-8");
    assert_eq!(at(Jsonb::from_binary(b"\x01a\xff").unwrap_err()), "jsonb at byte 2: expected UTF-8");
}
