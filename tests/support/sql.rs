//! SQL that shares no code with the library under test.

/// A literal that means the same under every setting.
pub(crate) fn quoted(text: &str) -> String {
    format!("E'{}'", text.replace('\\', "\\\\").replace('\'', "''").replace('\r', "\\r"))
}

/// The database that tests call so.
pub(crate) fn database(name: &str) -> String {
    identifier(&super::surroundings::database(name))
}

pub(crate) fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
