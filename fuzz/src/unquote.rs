//! Reads quoted text as the server does, after its `scan.l`, `copyfromparse.c` and `varlena.c`: none of the library's
//! own code has a part in it.

/// The bytes of an SQL literal, which must be all of `sql`. None for anything that is no literal.
///
/// `standard` is `standard_conforming_strings`.
pub fn literal(sql: &[u8], standard: bool) -> Option<Vec<u8>> {
    let (escapes, rest) = match sql {
        [b'E', b'\'', rest @ ..] => (true, rest),
        [b'\'', rest @ ..] => (!standard, rest),
        _ => return None,
    };
    let mut out = Vec::new();
    let mut rest = rest.iter().copied().peekable();
    loop {
        match rest.next()? {
            b'\'' if rest.peek() == Some(&b'\'') => out.extend(rest.next()),
            b'\'' => return rest.next().is_none().then_some(out),
            b'\\' if escapes => match rest.next()? {
                b'r' => out.push(b'\r'),
                b'x' => {
                    // One digit or two.
                    let first = digit(rest.next()?)?;
                    let value = match rest.peek().copied().and_then(digit) {
                        Some(second) => {
                            rest.next();
                            first << 4 | second
                        }
                        None => first,
                    };
                    out.push(value);
                }
                // Other letters and digits mean something, too, which nothing here should write.
                letter if letter.is_ascii_alphanumeric() => return None,
                other => out.push(other),
            },
            byte => out.push(byte),
        }
    }
}

/// The bytes that a `bytea` of this text is.
pub fn bytea(text: &[u8]) -> Option<Vec<u8>> {
    let byte = |pair: &[u8]| match pair {
        [high, low] => Some(digit(*high)? << 4 | digit(*low)?),
        _ => None,
    };
    text.strip_prefix(br"\x")?.chunks(2).map(byte).collect()
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

/// The name in double quotes at the beginning, and what follows it.
pub fn identifier(sql: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let mut rest = sql.strip_prefix(b"\"")?;
    let mut out = Vec::new();
    loop {
        rest = match rest {
            [b'"', b'"', rest @ ..] => {
                out.push(b'"');
                rest
            }
            [b'"', rest @ ..] => return Some((out, rest)),
            [byte, rest @ ..] => {
                out.push(*byte);
                rest
            }
            [] => return None,
        }
    }
}

/// The names of a list such as `publication_names`.
pub fn identifiers(mut list: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut names = Vec::new();
    loop {
        let (name, rest) = identifier(list)?;
        names.push(name);
        match rest {
            [] => return Some(names),
            [b',', rest @ ..] => list = rest,
            _ => return None,
        }
    }
}

/// A field of COPY's text format; the outer none if it isn't one field.
pub fn copy_field(field: &[u8]) -> Option<Option<Vec<u8>>> {
    if field == br"\N" {
        return Some(None);
    }
    let mut out = Vec::new();
    let mut rest = field.iter().copied();
    while let Some(byte) = rest.next() {
        match byte {
            b'\t' | b'\n' | b'\r' => return None,
            b'\\' => out.push(match rest.next()? {
                b'b' => 8,
                b't' => b'\t',
                b'n' => b'\n',
                b'v' => 11,
                b'f' => 12,
                b'r' => b'\r',
                b'\\' => b'\\',
                _ => return None,
            }),
            byte => out.push(byte),
        }
    }
    Some(Some(out))
}
