//! Texts that are hard to carry across.

use super::Random;

/// Pieces that are special to some reader on the way: SQL, COPY, arrays, composites, psql's variables and commands,
/// terminals.
pub(crate) const PIECES: &[&str] = &[
    "null",
    "NULL",
    "'",
    "''",
    "\"",
    "\\",
    "\\\\",
    "E'",
    "U&'\\0061'",
    "$$",
    "$a$",
    ",",
    "{",
    "}",
    "{}",
    "(",
    ")",
    ";",
    "--",
    "/*",
    "*/",
    "\r",
    "\n",
    "\r\n",
    "\t",
    "\x08",
    "\x0b",
    "\x0c",
    "\x1a",
    "\x1b[2J",
    "\x01",
    "\x7f",
    "%s",
    "%",
    ":s",
    ":'x'",
    ":\"x\"",
    ":{?x}",
    "`id`",
    "\\x00",
    "\\N",
    "\\.",
    "\n\\.\n",
    "\\q",
    "\\gset",
    "\\'",
    "0",
    "f",
    "x",
    " ",
    "é",
    "e\u{301}",
    "表",
    "😀",
    "\u{85}",
    "\u{a0}",
    "\u{2028}",
    "\u{202e}",
    "\u{feff}",
    "nUlL",
    "[",
    "]",
    "\"\"",
    "=",
    "\u{3000}",
    "empty",
    "infinity",
];

/// Of everything that may be empty: a table `t`.
pub(crate) const EMPTY: &str = "CREATE TYPE bare AS (); CREATE TYPE pair AS (a text, b text);
    CREATE TABLE t (id int PRIMARY KEY, v text, c varchar, f bpchar, n name, b bytea, vb varbit, ml xml, tv tsvector,
      a text[], o int2vector, e bare, p pair, pa pair[])";

/// A row of NULL, one of what is empty, and one of a blank or what comes next to nothing.
pub(crate) const NOTHING_EMPTY_AND_BLANK: &str = r#"INSERT INTO t (id) VALUES (1);
    INSERT INTO t VALUES (2, '', '', '', '', '', '', '', '', '{}', '', '()', '("","")', '{}'),
      (3, ' ', ' ', ' ', ' ', ' ', B'0', ' ', $$' '$$, '{" "}', '0', '()', '(" "," ")', '{"(,)"}'),
      (4, 'NULL', 'NULL', 'NULL', 'NULL', 'NULL', B'00', 'NULL', 'null', '{NULL}', '0 0', '()', '(,)', '{NULL}'),
      (5, '\N', '\N', '\N', '\N', '\x5c4e', B'1', '\N', '\\N', '{""}', '1', '()', '(,"")', '{"(\"\",)"}')"#;

/// How many values of that table are there, of each column.
pub(crate) const THERE: &str =
    "SELECT count(v), count(c), count(f), count(n), count(b), count(vb), count(ml), count(tv), count(a), count(o),
       count(*) FILTER (WHERE e IS DISTINCT FROM NULL), count(*) FILTER (WHERE p IS DISTINCT FROM NULL), count(pa) FROM t";

/// A text of a few such pieces, and of any characters but NUL. Often short, seldom long.
pub(crate) fn text(random: &mut Random) -> String {
    let pieces = match random.below(16) {
        0 => 0,
        1 => random.below(200),
        _ => 1 + random.below(6),
    };
    let mut text = String::new();
    for _ in 0..pieces {
        match random.below(4) {
            0 => text.push(character(random)),
            _ => text.push_str(random.pick(PIECES)),
        }
    }
    text
}

/// Any but NUL: of ASCII, of what takes two bytes, of the rest.
fn character(random: &mut Random) -> char {
    let end = [0x80, 0x80, 0x800, 0x1_0000, 0x11_0000][random.below(5)];
    let code = 1 + u32::try_from(random.below(end - 1)).expect("small");
    char::from_u32(code).unwrap_or('\u{fffd}')
}

/// The beginning of a text that is no longer than that, in bytes.
pub(crate) fn cut(text: &str, bytes: usize) -> &str {
    let end = (0..=bytes.min(text.len())).rev().find(|&end| text.is_char_boundary(end));
    &text[..end.unwrap_or(0)]
}

/// A name that an object may have: not empty, and no longer than a server keeps.
pub(crate) fn name(random: &mut Random) -> String {
    loop {
        let text = if random.one_in(8) { text(random).repeat(9) } else { text(random) };
        let name = cut(&text, 63);
        if !name.is_empty() {
            return name.to_owned();
        }
    }
}
