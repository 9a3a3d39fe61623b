//! The password file: the manual's "34.16. The Password File".

use std::fmt;

/// What a password file says, line by line, in order.
#[derive(Clone, Default, PartialEq, Eq)]
pub(super) struct PasswordFile {
    entries: Vec<Entry>,
}

/// `host:port:database:user:password`, without the escapes; `None` is a `*`, which fits all.
#[derive(Clone, PartialEq, Eq)]
struct Entry {
    patterns: [Option<String>; 4],
    password: String,
}

impl PasswordFile {
    /// Reads a file, and tells which lines were ignored for not being UTF-8 (counted from 1).
    ///
    /// Comments and lines with fewer than four colons are ignored as libpq does.
    pub(super) fn parse(content: &[u8]) -> (Self, Vec<usize>) {
        let mut unreadable = Vec::new();
        let mut entries = Vec::new();
        for (line, number) in content.split(|byte| *byte == b'\n').zip(1..) {
            match str::from_utf8(line) {
                Ok(line) => entries.extend(entry(line.trim_end_matches('\r'))),
                Err(_) => unreadable.push(number),
            }
        }
        (Self { entries }, unreadable)
    }

    /// The password on the first line that fits.
    pub(super) fn password(&self, host: &str, port: u16, database: &str, user: &str) -> Option<&str> {
        let port = port.to_string();
        let wanted = [host, &port, database, user];
        let fits = |entry: &&Entry| {
            let mut pairs = entry.patterns.iter().zip(wanted);
            pairs.all(|(pattern, word)| pattern.as_deref().is_none_or(|pattern| pattern == word))
        };
        // An empty password is no password: libpq then has none to send.
        self.entries
            .iter()
            .find(fits)
            .map(|entry| entry.password.as_str())
            .filter(|password| !password.is_empty())
    }
}

impl fmt::Debug for PasswordFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{} lines>", self.entries.len())
    }
}

fn entry(line: &str) -> Option<Entry> {
    if line.starts_with('#') {
        return None;
    }
    let (host, rest) = pattern(line)?;
    let (port, rest) = pattern(rest)?;
    let (database, rest) = pattern(rest)?;
    let (user, password) = pattern(rest)?;
    // The password is the rest of the line, colons included.
    Some(Entry { patterns: [host, port, database, user], password: unescape(password) })
}

/// One field up to its colon, and what follows the colon.
fn pattern(line: &str) -> Option<(Option<String>, &str)> {
    let mut is_escaped = false;
    let ends_here = |c: char| {
        let ends = c == ':' && !is_escaped;
        is_escaped = c == '\\' && !is_escaped;
        ends
    };
    let (field, rest) = line.split_at_checked(line.find(ends_here)?)?;
    let pattern = (field != "*").then(|| unescape(field));
    Some((pattern, rest.strip_prefix(':')?))
}

/// Takes the backslash away in front of any character; one at the very end stays.
fn unescape(field: &str) -> String {
    let mut plain = String::with_capacity(field.len());
    let mut chars = field.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => plain.push(chars.next().unwrap_or('\\')),
            c => plain.push(c),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lookup(file: &str, host: &str, database: &str, user: &str) -> Option<String> {
        PasswordFile::parse(file.as_bytes()).0.password(host, 5432, database, user).map(str::to_owned)
    }

    #[test]
    fn takes_the_first_line_that_fits() {
        let file = "#db:5432:*:*:comment\n\nother:*:*:*:no\ndb:5433:*:*:no\ndb:*:shop:ann:one\r\n*:*:*:*:two";
        assert_eq!(lookup(file, "db", "shop", "ann").as_deref(), Some("one"));
        assert_eq!(lookup(file, "db", "shop", "bob").as_deref(), Some("two"));
        assert_eq!(lookup("db:5432:shop:ann", "db", "shop", "ann"), None, "a line without a password");
        assert_eq!(lookup("", "db", "shop", "ann"), None);
    }

    #[test]
    fn keeps_an_escaped_colon_in_the_password_file() {
        let file = r"::1:*:*:*:split
\:\:1:*:a\\b:*:p\:a:s\\s\";
        assert_eq!(lookup(file, "::1", r"a\b", "u").as_deref(), Some(r"p:a:s\s\"));
    }

    #[test]
    fn takes_a_star_among_other_characters_or_escaped_for_itself() {
        assert_eq!(lookup("d*:*:*:*:p", "db", "d", "u"), None);
        assert_eq!(lookup(r"\*:*:*:*:p", "db", "d", "u"), None);
        assert_eq!(lookup(r"\*:*:*:*:p", "*", "d", "u").as_deref(), Some("p"));
    }

    #[test]
    fn counts_the_lines_that_are_not_text() {
        let (file, unreadable) = PasswordFile::parse(b"a:*:*:*:x\n*:*:*:*:\xFF\n*:*:*:*:y");
        assert_eq!(unreadable, [2]);
        assert_eq!(file.password("b", 1, "d", "u"), Some("y"));
    }

    #[test]
    fn shows_no_password_when_debugged() {
        let (file, _) = PasswordFile::parse(b"a:*:*:*:hunter2");
        assert_eq!(format!("{file:?}"), "<1 lines>");
    }
}
