//! Any text in place of a connection string: read or refused. What is shown is read as the same server, and neither an
//! error nor anything else that is shown tells what stood in the text, or the password.

#![no_main]

use std::fmt::{Debug, Display, Write as _};
use std::mem::discriminant;

use libfuzzer_sys::fuzz_target;
use walferry::Config;
use walferry::connection::ConfigError;
use walferry_fuzz::laws;

/// No name of a parameter, or any other word of an error, has it as a part.
const SECRET: &str = "qZx9!kW";

/// What the parameters of pairs may be called.
const KEYS: [&str; 24] = [
    "host",
    "hostaddr",
    "port",
    "dbname",
    "user",
    "password",
    "passfile",
    "require_auth",
    "channel_binding",
    "connect_timeout",
    "client_encoding",
    "options",
    "application_name",
    "keepalives",
    "keepalives_count",
    "tcp_user_timeout",
    "sslmode",
    "sslnegotiation",
    "sslrootcert",
    "target_session_attrs",
    "load_balance_hosts",
    "service",
    "replication",
    "no_such_thing",
];

fuzz_target!(|input: &[u8]| {
    let Ok(text) = std::str::from_utf8(input) else { return };
    if text.contains(SECRET) {
        // No secret any more: the fuzzer learns words from what is compared.
        return;
    }
    match read(text) {
        Ok(config) => {
            shows_the_same_server(&config);
            // A host, say, may spell the word with backslashes or as `%71`.
            if !shown(&config).contains(SECRET) {
                hides_the_password(text);
            }
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
    tells_no_part_of_the_text(text);
    has_two_forms(text);
});

fn read(text: &str) -> Result<Config, ConfigError> {
    // Of a comma becomes a host, with a name and a port.
    laws::bounded(text.len(), 512, 4096, || text.parse())
}

fn shows_the_same_server(config: &Config) {
    let shown = config.to_string();
    let again = read(&shown).expect("what is shown is a connection string");
    assert_eq!(again.to_string(), shown);
}

fn hides_the_password(text: &str) {
    let uri = ["postgres://", "postgresql://"].into_iter().find_map(|scheme| text.strip_prefix(scheme));
    let joint = match uri.map(behind_credentials) {
        None => " ",
        // There may be a `?` in the brackets, too, and that is no host of anybody's.
        Some(rest) if rest.contains('[') && rest.contains('?') => return,
        Some(rest) if rest.contains('?') => "&",
        Some(_) => "?",
    };
    // A backslash at the end makes the blank behind it a part of a value, and what follows, too.
    if !text.ends_with('\\') {
        tells_no_secret(&format!("{text}{joint}password={SECRET}"));
    }
}

/// A user's name and password end with the first `@`, if no slash comes before; there may be a `?` in them.
fn behind_credentials(uri: &str) -> &str {
    match uri.split_once(['@', '/']) {
        Some((before, rest)) if uri[before.len()..].starts_with('@') => rest,
        _ => uri,
    }
}

/// Wherever a quote was forgotten, what follows may be the password.
fn tells_no_part_of_the_text(text: &str) {
    let step = text.len() / 16 + 1;
    for place in (0..=text.len()).step_by(step).filter(|&place| text.is_char_boundary(place)) {
        let (before, behind) = text.split_at(place);
        if let Err(error) = format!("{before}{SECRET}{behind}").parse::<Config>() {
            assert!(!shown(&error).contains(SECRET), "{error}");
        }
    }
}

fn shown(told: &(impl Display + Debug)) -> String {
    format!("{told} {told:?}")
}

fn tells_no_secret(text: &str) {
    let shown = match text.parse::<Config>() {
        Ok(config) => shown(&config),
        Err(error) => shown(&error),
    };
    assert!(!shown.contains(SECRET), "{shown}");
}

/// Each line is a parameter, of which the first byte chooses the name: as words and as a URI they mean the same.
fn has_two_forms(text: &str) {
    if text.contains('\0') {
        // Refused in both, before anything else in the one, where it stands in the other.
        return;
    }
    let (mut words, mut uri) = (String::new(), "postgres://".to_owned());
    for (number, line) in text.lines().enumerate() {
        let Some(first) = line.bytes().next().filter(u8::is_ascii) else { return };
        let (key, value) = (KEYS[usize::from(first) % KEYS.len()], &line[1..]);
        let quoted = value.replace('\\', r"\\").replace('\'', r"\'");
        write!(words, "{key}='{quoted}' ").expect("a String takes all");
        write!(uri, "{}{key}=", if number == 0 { '?' } else { '&' }).expect("a String takes all");
        value.bytes().for_each(|byte| write!(uri, "%{byte:02X}").expect("a String takes all"));
    }
    match (words.parse::<Config>(), uri.parse::<Config>()) {
        (Ok(words), Ok(uri)) => assert_eq!(words, uri),
        (Err(words), Err(uri)) => {
            assert_eq!((discriminant(&words), words.key()), (discriminant(&uri), uri.key()), "{words} {uri}");
        }
        (words, uri) => panic!("{words:?} {uri:?}"),
    }
}
