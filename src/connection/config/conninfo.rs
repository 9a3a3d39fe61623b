//! The two forms of a connection string: `key=value` words, and a URI.
//!
//! The rules are those of the manual, "34.1.1. Connection Strings". Where the manual is silent, libpq's behaviour was
//! observed: a backslash at the very end is dropped, a word may follow a closing quote at once, the last of equal
//! keys counts, and percent-decoding comes after every split but that of hosts, so `%2C` in a host separates two.

use super::ConfigError;
use super::ParameterPlace;
use super::parameter::{self, Setting};

/// Reads either form. Keys may come twice: the last one counts.
pub(super) fn parse(text: &str) -> Result<Vec<Setting>, ConfigError> {
    if let Some(at) = text.find('\0') {
        // A startup message ends every value with NUL; what follows one would pass for another parameter.
        return Err(syntax(at, "no NUL character"));
    }
    let scheme = ["postgresql://", "postgres://"].into_iter().find(|scheme| text.starts_with(scheme));
    match scheme {
        Some(scheme) => parse_uri(Piece { text, at: 0 }.skip(scheme.len())),
        None => parse_words(Piece { text, at: 0 }),
    }
}

/// C's `isspace`.
pub(super) fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t'..='\r')
}

/// A part of the connection string that knows where it was.
#[derive(Clone, Copy)]
struct Piece<'a> {
    text: &'a str,
    at: usize,
}

impl Piece<'_> {
    fn skip(self, bytes: usize) -> Self {
        Self { text: self.text.get(bytes..).unwrap_or_default(), at: self.at + bytes }
    }

    /// What comes before the first of `stops`, and the rest from there on.
    fn until(self, stops: impl Fn(char) -> bool) -> (Self, Self) {
        let end = self.text.find(stops).unwrap_or(self.text.len());
        (Self { text: self.text.get(..end).unwrap_or_default(), at: self.at }, self.skip(end))
    }

    /// What follows `first`, if the piece begins with it.
    fn after(self, first: char) -> Option<Self> {
        self.text.starts_with(first).then(|| self.skip(first.len_utf8()))
    }

    fn without_leading_space(self) -> Self {
        self.until(|c| !is_space(c)).1
    }

    fn is_empty(self) -> bool {
        self.text.is_empty()
    }

    fn place(self) -> ParameterPlace {
        ParameterPlace::ConnectionString { at: self.at }
    }
}

fn syntax(at: usize, expected: &'static str) -> ConfigError {
    ConfigError::Syntax { place: ParameterPlace::ConnectionString { at }, expected }
}

fn parse_words(text: Piece<'_>) -> Result<Vec<Setting>, ConfigError> {
    let mut settings = Vec::new();
    let mut rest = text.without_leading_space();
    while !rest.is_empty() {
        let (key, after_key) = rest.until(|c| c == '=' || is_space(c));
        let Some(value) = after_key.without_leading_space().after('=') else {
            return Err(syntax(key.at, "key=value; a value with spaces needs single quotes"));
        };
        let place = key.place();
        let parameter = parameter::named(key.text, &place)?;
        let (value, after_value) = word(without_space(value)?)?;
        settings.push(Setting { parameter, value, place });
        rest = after_value.without_leading_space();
    }
    Ok(settings)
}

/// Skips to the value. In `user= password=x` libpq finds the user `password=x`, and shows it to anybody.
fn without_space(after_equals: Piece<'_>) -> Result<Piece<'_>, ConfigError> {
    let value = after_equals.without_leading_space();
    let (key, rest) = value.until(|c| c == '=' || is_space(c));
    let is_parameter = rest.after('=').is_some() && parameter::named(key.text, &key.place()).is_ok();
    if is_parameter && value.at > after_equals.at {
        return Err(syntax(value.at, "a value before the next parameter; write '' for an empty one"));
    }
    Ok(value)
}

/// One value, bare up to a space or in single quotes, without its backslashes.
fn word(piece: Piece<'_>) -> Result<(String, Piece<'_>), ConfigError> {
    let quoted = piece.after('\'');
    let body = quoted.unwrap_or(piece);
    let mut value = String::new();
    let mut chars = body.text.char_indices();
    while let Some((index, c)) = chars.next() {
        match c {
            '\'' if quoted.is_some() => return Ok((value, body.skip(index + 1))),
            c if quoted.is_none() && is_space(c) => return Ok((value, body.skip(index))),
            '\\' => value.extend(chars.next().map(|(_, escaped)| escaped)),
            c => value.push(c),
        }
    }
    match quoted {
        Some(_) => {
            Err(syntax(piece.at, "a closing single quote for the one here; write \\' for a quote in a value"))
        }
        None => Ok((value, body.skip(body.text.len()))),
    }
}

fn parse_uri(rest: Piece<'_>) -> Result<Vec<Setting>, ConfigError> {
    let mut settings = Settings(Vec::new());
    let rest = user_and_password(rest, &mut settings)?;
    let rest = hosts_and_ports(rest, &mut settings)?;
    let (path, query) = rest.until(|c| c == '?');
    if let Some(database) = path.after('/') {
        settings.push_decoded("dbname", database)?;
    }
    if let Some(query) = query.after('?') {
        parse_query(query, &mut settings)?;
    }
    Ok(settings.0)
}

struct Settings(Vec<Setting>);

impl Settings {
    /// A part of a URI that is empty was not given, unlike an empty value in its query.
    fn push_decoded(&mut self, name: &str, piece: Piece<'_>) -> Result<(), ConfigError> {
        let value = decode(piece)?;
        self.push(name, value, piece)
    }

    fn push(&mut self, name: &str, value: String, piece: Piece<'_>) -> Result<(), ConfigError> {
        if !value.is_empty() {
            let place = piece.place();
            self.0.push(Setting { parameter: parameter::named(name, &place)?, value, place });
        }
        Ok(())
    }
}

/// `user:password@`, if an `@` comes before the first slash.
fn user_and_password<'a>(rest: Piece<'a>, settings: &mut Settings) -> Result<Piece<'a>, ConfigError> {
    let (credentials, after) = rest.until(|c| c == '@' || c == '/');
    let Some(hosts) = after.after('@') else { return Ok(rest) };
    let (user, password) = credentials.until(|c| c == ':');
    settings.push_decoded("user", user)?;
    if let Some(password) = password.after(':') {
        settings.push_decoded("password", password)?;
    }
    Ok(hosts)
}

/// `host:port`, as often as a comma follows.
fn hosts_and_ports<'a>(start: Piece<'a>, settings: &mut Settings) -> Result<Piece<'a>, ConfigError> {
    let (mut hosts, mut ports) = (String::new(), String::new());
    let mut rest = start;
    loop {
        let (host, after_host) = host(rest)?;
        hosts.push_str(&decode(host)?);
        rest = after_host;
        if let Some(port) = rest.after(':') {
            let (port, after_port) = port.until(|c| matches!(c, '/' | '?' | ','));
            ports.push_str(&decode(port)?);
            rest = after_port;
        }
        let Some(next) = rest.after(',') else { break };
        hosts.push(',');
        ports.push(',');
        rest = next;
    }
    settings.push("host", hosts, start)?;
    settings.push("port", ports, start)?;
    Ok(rest)
}

fn host(piece: Piece<'_>) -> Result<(Piece<'_>, Piece<'_>), ConfigError> {
    let Some(bracketed) = piece.after('[') else { return bare_host(piece) };
    let (address, closing) = bracketed.until(|c| c == ']');
    let after = closing.after(']').ok_or(syntax(piece.at, "a closing ] for the [ of an IPv6 address"))?;
    if address.is_empty() {
        return Err(syntax(address.at, "an IPv6 address between [ and ]"));
    }
    if !after.is_empty() && !after.text.starts_with([':', '/', '?', ',']) {
        return Err(syntax(after.at, "a colon with a port, a comma, a slash or a question mark after ]"));
    }
    Ok((address, after))
}

fn bare_host(piece: Piece<'_>) -> Result<(Piece<'_>, Piece<'_>), ConfigError> {
    let (host, after) = piece.until(|c| matches!(c, ':' | '/' | '?' | ','));
    // No host has an @ but an abstract socket's, in front. libpq takes it for a part of the name, and so hands the
    // end of a password with an unescaped @ to the resolver, and to its error message.
    match host.text.char_indices().find(|(index, c)| *c == '@' && *index > 0) {
        Some((index, _)) => {
            Err(syntax(host.at + index, "no second @; write %40 for one in a user name or password"))
        }
        None => Ok((host, after)),
    }
}

fn parse_query(mut rest: Piece<'_>, settings: &mut Settings) -> Result<(), ConfigError> {
    while !rest.is_empty() {
        let (pair, after) = rest.until(|c| c == '&');
        settings.0.push(query_setting(pair)?);
        rest = after.after('&').unwrap_or(after);
    }
    Ok(())
}

fn query_setting(pair: Piece<'_>) -> Result<Setting, ConfigError> {
    let (raw_key, value) = pair.until(|c| c == '=');
    let Some(value) = value.after('=') else {
        return Err(syntax(pair.at, "key=value; write %26 for an & in a value"));
    };
    let (_, extra) = value.until(|c| c == '=');
    if !extra.is_empty() {
        return Err(syntax(extra.at, "one = in key=value; write %3D for one in a value"));
    }
    let place = pair.place();
    let (key, value) = (decode(raw_key)?, decode(value)?);
    // JDBC's word for the same.
    if (key.as_str(), value.as_str()) == ("ssl", "true") {
        return Ok(Setting {
            parameter: parameter::named("sslmode", &place)?,
            value: "require".to_owned(),
            place,
        });
    }
    Ok(Setting { parameter: parameter::named(&key, &place)?, value, place })
}

/// Takes percent-encoding away. Spaces around a token do not count since PostgreSQL 18; inside one they are refused.
fn decode(piece: Piece<'_>) -> Result<String, ConfigError> {
    let leading = piece.text.len() - piece.text.trim_start_matches(' ').len();
    let token = Piece { text: piece.text.trim_matches(' '), at: piece.at + leading };
    let mut decoded = Vec::with_capacity(token.text.len());
    let mut bytes = token.text.bytes().zip(token.at..);
    while let Some((byte, at)) = bytes.next() {
        decoded.push(match byte {
            b' ' => return Err(syntax(at, "no space; write %20")),
            b'%' => escaped(bytes.next(), bytes.next()).ok_or_else(|| bad_escape(at))?,
            plain => plain,
        });
    }
    String::from_utf8(decoded).map_err(|_| syntax(token.at, "UTF-8 after percent-decoding"))
}

/// The byte that two hexadecimal digits stand for, unless it is NUL, which no value can hold.
fn escaped(high: Option<(u8, usize)>, low: Option<(u8, usize)>) -> Option<u8> {
    let digit = |byte: Option<(u8, usize)>| char::from(byte?.0).to_digit(16);
    let byte = u8::try_from(digit(high)? * 16 + digit(low)?).ok()?;
    (byte != 0).then_some(byte)
}

fn bad_escape(at: usize) -> ConfigError {
    syntax(at, "% and two hexadecimal digits other than 00; write %25 for a percent sign")
}
