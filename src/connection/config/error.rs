use std::fmt;
use std::io;
use std::path::PathBuf;

/// A connection parameter that cannot be used: where it stands, what was expected, and what to write instead.
///
/// No variant holds text of the connection string, of a variable or of a file other than a parameter's own name:
/// a forgotten quote can make any part of a string a part of the password.
///
/// ```
/// use walferry::Config;
/// use walferry::connection::ConfigError;
///
/// let error = "host=db sslmod=require".parse::<Config>().unwrap_err();
/// assert!(matches!(error, ConfigError::UnknownKey { nearest: Some("sslmode"), .. }));
/// assert_eq!(error.to_string(), "connection string, byte 8: no such parameter; did you mean sslmode?");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The text breaks the rules of a connection string, or of a service file.
    #[error("{place}: expected {expected}")]
    Syntax {
        /// Where the text stops making sense.
        place: ParameterPlace,
        /// What should stand there.
        expected: &'static str,
    },
    /// libpq has no parameter of this name.
    #[error("{place}: no such parameter{}", DidYouMean(*nearest))]
    UnknownKey {
        /// Where the name stands.
        place: ParameterPlace,
        /// The parameter with the most similar name, if one is similar.
        nearest: Option<&'static str>,
    },
    /// The parameter exists, but cannot have this value.
    #[error("{place}: {key} must be {expected}")]
    Value {
        /// The parameter's name.
        key: &'static str,
        /// Where the value stands.
        place: ParameterPlace,
        /// What it may be.
        expected: &'static str,
    },
    /// libpq would honour this, and walferry would not.
    #[error("{place}: this {key} is not supported by walferry: {instead}")]
    NotSupported {
        /// The parameter's name.
        key: &'static str,
        /// Where the value stands.
        place: ParameterPlace,
        /// Why, and what to do instead.
        instead: &'static str,
    },
    /// A list goes with the list of hosts, and has another length.
    #[error("{key} lists {values} values for {hosts} hosts: give one for each host")]
    ListLength {
        /// The parameter with the list: `port` or `hostaddr`.
        key: &'static str,
        /// How many values it has.
        values: usize,
        /// How many hosts there are.
        hosts: usize,
    },
    /// Two parameters are fine alone, but not together.
    #[error("{key} contradicts {other}: {rule}")]
    Conflict {
        /// The parameter to change.
        key: &'static str,
        /// The parameter that it contradicts.
        other: &'static str,
        /// What would fit.
        rule: &'static str,
    },
    /// The service file that was named is not there.
    #[error("servicefile or PGSERVICEFILE names a file that does not exist")]
    ServiceFileMissing,
    /// The service file is there, but cannot be read.
    #[error("service file {}: {reason}", path.display())]
    ServiceFile {
        /// The file.
        path: PathBuf,
        /// What the system said.
        reason: io::ErrorKind,
    },
    /// No service file has a section for the service.
    #[error("service or PGSERVICE names a section that is in none of the service files: {}", Paths(searched))]
    UnknownService {
        /// The files that exist and were searched, in order.
        searched: Vec<PathBuf>,
    },
    /// No user was given, and the operating system has no name for the user of this process.
    #[error("no user: give user or PGUSER, for the operating system has no name for this process's user")]
    NoUser,
}

impl ConfigError {
    /// The libpq name of the parameter at fault, where it is known.
    pub fn key(&self) -> Option<&'static str> {
        match self {
            Self::Value { key, .. }
            | Self::NotSupported { key, .. }
            | Self::ListLength { key, .. }
            | Self::Conflict { key, .. } => Some(key),
            Self::ServiceFileMissing => Some("servicefile"),
            Self::ServiceFile { .. } | Self::UnknownService { .. } => Some("service"),
            Self::NoUser => Some("user"),
            Self::Syntax { .. } | Self::UnknownKey { .. } => None,
        }
    }
}

/// Where a connection parameter was written.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ParameterPlace {
    /// In the connection string.
    ConnectionString {
        /// Bytes before it.
        at: usize,
    },
    /// In an environment variable of this name.
    Variable(&'static str),
    /// In a service file.
    ServiceFile {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
    },
}

impl fmt::Display for ParameterPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ConnectionString { at } => write!(f, "connection string, byte {at}"),
            Self::Variable(name) => write!(f, "environment variable {name}"),
            Self::ServiceFile { path, line } => write!(f, "service file {}, line {line}", path.display()),
        }
    }
}

struct DidYouMean(Option<&'static str>);

impl fmt::Display for DidYouMean {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(name) => write!(f, "; did you mean {name}?"),
            None => f.write_str("; a value with spaces needs single quotes"),
        }
    }
}

struct Paths<'a>(&'a [PathBuf]);

impl fmt::Display for Paths<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str(
                "there is neither ~/.pg_service.conf nor a system-wide one; PGSERVICEFILE may name one",
            );
        }
        let paths: Vec<_> = self.0.iter().map(|path| path.display().to_string()).collect();
        f.write_str(&paths.join(", "))
    }
}
