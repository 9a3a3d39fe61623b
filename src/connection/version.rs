use std::fmt;

use crate::error::Error;

/// What the server says its version is.
///
/// Compares by number; prints as the server wrote it.
///
/// ```no_run
/// # async fn example(connection: &walferry::Connection) {
/// if connection.server_version().major() >= 17 {
///     println!("{} has failover slots", connection.server_version());
/// }
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerVersion {
    major: u32,
    minor: u32,
    text: String,
}

impl ServerVersion {
    /// Reads `server_version`: `15.18 (Debian 15.18-0+deb12u1)`, `18beta1`, `17devel`, `16rc1`.
    pub(crate) fn read(text: &str) -> Result<Self, Error> {
        let (major, rest) = leading_number(text);
        let (minor, _) = leading_number(rest.strip_prefix('.').unwrap_or_default());
        match major {
            Some(major) => Ok(Self { major, minor: minor.unwrap_or(0), text: text.to_owned() }),
            None => Err(Error::Protocol(format!(
                "server_version is \"{text}\", which does not begin with a number"
            ))),
        }
    }

    /// The major version, as in 18.
    pub const fn major(&self) -> u32 {
        self.major
    }

    /// The minor version: 0 for beta versions and release candidates.
    pub const fn minor(&self) -> u32 {
        self.minor
    }

    /// An error unless the server is at least that major version.
    pub(crate) fn require(&self, what: &'static str, needs: u32) -> Result<(), Error> {
        if self.major < needs {
            return Err(Error::Unsupported { what, needs, server: self.text.clone() });
        }
        Ok(())
    }
}

impl fmt::Display for ServerVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn leading_number(text: &str) -> (Option<u32>, &str) {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, rest) = text.split_at_checked(end).unwrap_or((text, ""));
    (digits.parse().ok(), rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_packagers_and_developers_write() {
        for (text, major, minor) in [
            ("15.18 (Debian 15.18-0+deb12u1)", 15, 18),
            ("18beta1", 18, 0),
            ("17devel", 17, 0),
            ("16rc1", 16, 0),
            ("18.4", 18, 4),
            ("14.23.5 (vendor)", 14, 23),
            ("9.6.24", 9, 6),
        ] {
            let version = ServerVersion::read(text).unwrap();
            assert_eq!((version.major(), version.minor()), (major, minor), "{text}");
            assert_eq!(version.to_string(), text);
        }
        for text in ["", "beta", "99999999999", ".1"] {
            assert!(ServerVersion::read(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn refuses_what_the_server_is_too_old_for() {
        let version = ServerVersion::read("16.14").unwrap();
        assert!(version.require("a thing", 16).is_ok());
        let error = version.require("a failover slot", 17).unwrap_err();
        assert_eq!(error.to_string(), "a failover slot needs PostgreSQL 17 or later; this server is 16.14");
    }
}
