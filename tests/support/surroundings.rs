//! The same tests where everything around the values is hostile: `WALFERRY_HOSTILE=1`.
//!
//! The servers' settings then change how values, literals and names are read and printed, and what a session may wait for; and
//! databases have names that need quotes everywhere. The tests' own psql is told the usual settings again. What the
//! library opens isn't, and neither are the scripts that it writes.

use std::borrow::Cow;
use std::process::Command;

use super::extent::is_set;

/// Each with the server's default. What a test sets itself wins over both.
const SETTINGS: [(&str, &str, &str); 20] = [
    ("standard_conforming_strings", "off", "on"),
    ("escape_string_warning", "off", "on"),
    ("backslash_quote", "off", "safe_encoding"),
    ("DateStyle", "SQL, DMY", "ISO, MDY"),
    ("IntervalStyle", "sql_standard", "postgres"),
    ("TimeZone", "Asia/Kathmandu", "Etc/UTC"),
    ("extra_float_digits", "-15", "1"),
    ("bytea_output", "escape", "hex"),
    ("xmlbinary", "hex", "base64"),
    ("xmloption", "document", "content"),
    ("array_nulls", "off", "on"),
    ("transform_null_equals", "on", "off"),
    ("quote_all_identifiers", "on", "off"),
    ("search_path", "\"$user\", pg_temp", "\"$user\", public"),
    ("default_transaction_isolation", "serializable", "read committed"),
    ("statement_timeout", "30s", "0"),
    ("lock_timeout", "10s", "0"),
    ("idle_session_timeout", "20s", "0"),
    ("idle_in_transaction_session_timeout", "20s", "0"),
    ("client_min_messages", "debug1", "notice"),
];

fn is_hostile() -> bool {
    is_set("WALFERRY_HOSTILE")
}

/// For `postgresql.conf`.
pub(super) fn settings() -> impl Iterator<Item = (&'static str, &'static str)> {
    let settings = if is_hostile() { SETTINGS.as_slice() } else { &[] };
    settings.iter().map(|(name, hostile, _)| (*name, *hostile))
}

/// What to start a cluster with whose own processes are to have the usual settings.
pub(crate) fn calm_settings() -> Vec<(&'static str, &'static str)> {
    SETTINGS.iter().map(|(name, _, usual)| (*name, *usual)).collect()
}

/// Gives a program of libpq's the usual settings.
pub(super) fn calm(command: &mut Command) -> &mut Command {
    if !is_hostile() {
        return command;
    }
    command.env("PGOPTIONS", usual())
}

/// The same for a session that a test opens itself: a connection string.
pub(crate) fn calmed(conninfo: &str) -> String {
    if is_hostile() {
        format!("{conninfo} options='{}'", usual().replace('\\', r"\\"))
    } else {
        conninfo.to_owned()
    }
}

fn usual() -> String {
    // The server splits these at blanks that have no backslash before them.
    let option = |(name, _, usual): &(&str, &str, &str)| format!("-c {name}={}", usual.replace(' ', r"\ "));
    SETTINGS.iter().map(option).collect::<Vec<_>>().join(" ")
}

/// What the database is called that a test calls so. One that is called plain is for connection strings that are written by hand.
pub(crate) fn database(name: &str) -> Cow<'_, str> {
    // Names have up to 63 bytes. One that is hostile by itself has a quote in it.
    if !is_hostile()
        || name.len() > 40
        || name.contains(['"', '\''])
        || matches!(name, "postgres" | "template0" | "template1" | "plain")
    {
        return Cow::Borrowed(name);
    }
    Cow::Owned(format!("{name} 'a\"b\\ %_ Ü表"))
}
