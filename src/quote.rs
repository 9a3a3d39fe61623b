//! The only place that quotes.
//!
//! Four dialects, which differ in what a backslash means: an SQL identifier and an SQL literal, a field of COPY's
//! text format, a replication command, and the list of identifiers inside a literal that names publications.
//!
//! None of them can hold a zero byte, and PostgreSQL stores none in a name or a text.

/// Writes an SQL identifier: always in double quotes, so that no list of keywords is needed and case stays.
///
/// Source: PostgreSQL manual, "Identifiers and Key Words".
///
/// ```
/// let mut sql = Vec::new();
/// walferry::quote::identifier(&mut sql, r#"a.b"c\"#);
/// assert_eq!(sql, br#""a.b""c\""#);
/// ```
pub fn identifier(out: &mut Vec<u8>, name: &str) {
    doubled(out, name.as_bytes(), b'"');
}

/// Writes an SQL literal that means the same whether `standard_conforming_strings` is on or off.
///
/// Takes bytes, because text of a database in `SQL_ASCII` need not be UTF-8: what isn't, and control characters
/// that a terminal or an editor would change, are written as escapes.
///
/// Source: PostgreSQL manual, "String Constants with C-Style Escapes".
///
/// ```
/// let quoted = |text: &str| {
///     let mut sql = Vec::new();
///     walferry::quote::literal(&mut sql, text.as_bytes());
///     String::from_utf8(sql).expect("what was UTF-8 stays it")
/// };
/// assert_eq!(quoted("it's null"), "'it''s null'");
/// assert_eq!(quoted(r"C:\temp"), r"E'C:\\temp'");
/// ```
pub fn literal(out: &mut Vec<u8>, value: &[u8]) {
    match std::str::from_utf8(value) {
        Ok(text) if !text.bytes().any(needs_escape) => doubled(out, value, b'\''),
        _ => escaped_literal(out, value),
    }
}

/// A backslash, or a control character other than tab and line feed.
fn needs_escape(byte: u8) -> bool {
    byte == b'\\' || byte.is_ascii_control() && !matches!(byte, b'\t' | b'\n')
}

fn escaped_literal(out: &mut Vec<u8>, value: &[u8]) {
    out.extend_from_slice(b"E'");
    for chunk in value.utf8_chunks() {
        for byte in chunk.valid().bytes() {
            match byte {
                b'\'' => out.extend_from_slice(b"''"),
                b'\\' => out.extend_from_slice(br"\\"),
                b'\r' => out.extend_from_slice(br"\r"),
                byte if needs_escape(byte) => hex_escape(out, byte),
                byte => out.push(byte),
            }
        }
        for &byte in chunk.invalid() {
            hex_escape(out, byte);
        }
    }
    out.push(b'\'');
}

/// Both digits, always: a third one that follows would otherwise be taken in.
fn hex_escape(out: &mut Vec<u8>, byte: u8) {
    out.extend_from_slice(format!("\\x{byte:02x}").as_bytes());
}

/// Writes a `bytea` as an SQL literal.
///
/// ```
/// let mut sql = Vec::new();
/// walferry::quote::bytea_literal(&mut sql, &[0, 255]);
/// assert_eq!(sql, br"E'\\x00ff'");
/// ```
pub fn bytea_literal(out: &mut Vec<u8>, value: &[u8]) {
    out.extend_from_slice(br"E'\\x");
    hex(out, value);
    out.push(b'\'');
}

/// Writes two digits a byte. Not a quoting rule, but what binary values need in every text.
pub(crate) fn hex(out: &mut Vec<u8>, value: &[u8]) {
    for byte in value {
        out.extend_from_slice(format!("{byte:02x}").as_bytes());
    }
}

/// Writes one field of COPY's text format; `None` is NULL. See [`copy_row`] for fields beside each other.
///
/// Source: PostgreSQL manual, COPY, "Text Format".
///
/// ```
/// let mut line = Vec::new();
/// walferry::quote::copy_text(&mut line, Some(b"a\tb\\N"));
/// line.push(b'\t');
/// walferry::quote::copy_text(&mut line, None);
/// assert_eq!(line, b"a\\tb\\\\N\t\\N");
/// ```
pub fn copy_text(out: &mut Vec<u8>, field: Option<&[u8]>) {
    let Some(field) = field else { return out.extend_from_slice(br"\N") };
    let mut rest = field;
    loop {
        let (plain, special) = rest.split_at(plain_run(rest, |byte| byte < b' ' || byte == b'\\'));
        out.extend_from_slice(plain);
        let Some((&byte, behind)) = special.split_first() else { return };
        match copy_escape(byte) {
            Some(escape) => out.extend_from_slice(&[b'\\', escape]),
            None => out.push(byte),
        }
        rest = behind;
    }
}

/// How many bytes at the front are not special. Looks at many at a time: most values hold nothing that is.
#[inline]
pub(crate) fn plain_run(bytes: &[u8], is_special: impl Fn(u8) -> bool) -> usize {
    let mut plain = 0;
    for chunk in bytes.chunks(32) {
        // No way out of the fold, so that it becomes a few instructions for the whole chunk.
        if chunk.iter().fold(false, |found, byte| found | is_special(*byte)) {
            return plain + chunk.iter().position(|byte| is_special(*byte)).unwrap_or_default();
        }
        plain += chunk.len();
    }
    plain
}

/// What stands behind a backslash for a byte that may not stand by itself.
#[inline]
fn copy_escape(byte: u8) -> Option<u8> {
    match byte {
        b'\\' => Some(b'\\'),
        b'\t' => Some(b't'),
        b'\n' => Some(b'n'),
        b'\r' => Some(b'r'),
        b'\x08' => Some(b'b'),
        b'\x0b' => Some(b'v'),
        b'\x0c' => Some(b'f'),
        _ => None,
    }
}

/// The byte that what stands behind a backslash is for: the other way round.
pub(crate) fn copy_unescape(escape: u8) -> Option<u8> {
    match escape {
        b'\\' => Some(b'\\'),
        b't' => Some(b'\t'),
        b'n' => Some(b'\n'),
        b'r' => Some(b'\r'),
        b'b' => Some(b'\x08'),
        b'v' => Some(b'\x0b'),
        b'f' => Some(b'\x0c'),
        _ => None,
    }
}

/// Writes one row of COPY's text format, with the line feed that ends it.
///
/// ```
/// let mut lines = Vec::new();
/// walferry::quote::copy_row(&mut lines, [Some(b"1".as_slice()), Some(b"it's"), None]);
/// assert_eq!(lines, b"1\tit's\t\\N\n");
/// ```
pub fn copy_row<'a>(out: &mut Vec<u8>, fields: impl IntoIterator<Item = Option<&'a [u8]>>) {
    for (index, field) in fields.into_iter().enumerate() {
        if index > 0 {
            out.push(b'\t');
        }
        copy_text(out, field);
    }
    out.push(b'\n');
}

/// A literal of a replication command, where a backslash is an ordinary character.
///
/// Source: the server's `repl_scanner.l`.
///
/// ```
/// assert_eq!(walferry::quote::replication_literal(r"it's \"), r"'it''s \'");
/// ```
pub fn replication_literal(value: &str) -> String {
    into_string(|out| doubled(out, value.as_bytes(), b'\''))
}

/// An identifier of a replication command.
///
/// ```
/// assert_eq!(walferry::quote::replication_identifier("slot_1"), r#""slot_1""#);
/// ```
pub fn replication_identifier(name: &str) -> String {
    into_string(|out| doubled(out, name.as_bytes(), b'"'))
}

/// The value of `publication_names`: each name an SQL identifier, the list of them a replication literal.
///
/// The server splits the literal at commas and folds what isn't quoted to lower case.
///
/// ```
/// use walferry::quote::publication_names;
///
/// assert_eq!(publication_names(["all", r#"It's "a", b"#]), r#"'"all","It''s ""a"", b"'"#);
/// ```
pub fn publication_names<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let mut list = Vec::new();
    for name in names {
        if !list.is_empty() {
            list.push(b',');
        }
        identifier(&mut list, name);
    }
    into_string(|out| doubled(out, &list, b'\''))
}

/// Encloses in `quote`, with each one inside doubled: the rule that all dialects but COPY share.
fn doubled(out: &mut Vec<u8>, value: &[u8], quote: u8) {
    out.push(quote);
    for &byte in value {
        if byte == quote {
            out.push(quote);
        }
        out.push(byte);
    }
    out.push(quote);
}

/// Doubling an ASCII quote leaves UTF-8 what it was.
fn into_string(write: impl FnOnce(&mut Vec<u8>)) -> String {
    let mut out = Vec::new();
    write(&mut out);
    String::from_utf8_lossy(&out).into_owned()
}

/// The same as text, for statements that are made of it: quoting leaves UTF-8 what it was.
#[cfg(feature = "postgres")]
pub(crate) mod text {
    use super::into_string;

    /// A name.
    pub(crate) fn identifier(name: &str) -> String {
        into_string(|out| super::identifier(out, name))
    }

    /// A name with its schema.
    pub(crate) fn qualified(schema: &str, name: &str) -> String {
        format!("{}.{}", identifier(schema), identifier(name))
    }

    /// A value.
    pub(crate) fn literal(text: &str) -> String {
        into_string(|out| super::literal(out, text.as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quoted(value: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        literal(&mut out, value);
        out
    }

    #[test]
    fn keeps_the_text_null_apart_from_the_keyword() {
        assert_eq!(quoted(b"null"), b"'null'");
        assert_eq!(quoted(b"NULL"), b"'NULL'");
        assert_eq!(quoted(b""), b"''");
    }

    #[test]
    fn escapes_what_a_file_or_a_terminal_would_change() {
        assert_eq!(
            quoted(b"a\r\nb\0"),
            br"E'a\r
b\x00'"
        );
        assert_eq!(quoted(b"\x1b[2J"), br"E'\x1b[2J'");
        assert_eq!(quoted(b"tab\tand line\n"), b"'tab\tand line\n'");
    }

    #[test]
    fn writes_bytes_that_are_no_utf8_as_two_digits_each() {
        assert_eq!(quoted(b"\xe9t\xc3\xa9'1"), b"E'\\xe9t\xc3\xa9''1'");
        assert_eq!(quoted(b"\xff0"), br"E'\xff0'");
    }

    #[test]
    fn each_dialect_doubles_its_own_quote_and_leaves_the_other_one_alone() {
        let name = r#"It's "a", b\"#;
        let mut sql = Vec::new();
        identifier(&mut sql, name);
        assert_eq!(sql, br#""It's ""a"", b\""#);
        assert_eq!(replication_identifier(name), r#""It's ""a"", b\""#);
        assert_eq!(replication_literal(name), r#"'It''s "a", b\'"#);
        assert_eq!(publication_names([name, "c"]), r#"'"It''s ""a"", b\","c"'"#);
        assert_eq!(publication_names(["c", name]), r#"'"c","It''s ""a"", b\"'"#);
    }

    #[cfg(feature = "postgres")]
    #[test]
    fn a_statement_that_is_text_is_quoted_the_same() {
        assert_eq!(text::qualified("It's", r#"a"b"#), r#""It's"."a""b""#);
        assert_eq!(text::literal(r"it's \"), r"E'it''s \\'");
    }

    #[test]
    fn bytes_are_two_digits_each_behind_an_escaped_backslash() {
        let mut sql = Vec::new();
        bytea_literal(&mut sql, &[0, 0x0f, 255]);
        assert_eq!(sql, br"E'\\x000fff'");
    }

    #[test]
    fn each_escape_of_copy_is_read_as_the_byte_that_it_is_written_for() {
        for byte in 0..=u8::MAX {
            let read = copy_escape(byte).and_then(copy_unescape);
            assert!(read.is_none_or(|read| read == byte), "{byte}");
            assert!(copy_unescape(byte).is_none_or(|read| copy_escape(read) == Some(byte)), "{byte}");
        }
    }

    #[test]
    fn a_copy_field_that_looks_like_the_end_of_data_is_escaped() {
        let mut out = Vec::new();
        copy_text(&mut out, Some(br"\."));
        assert_eq!(out, br"\\.");
    }
}
