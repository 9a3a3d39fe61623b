//! Connection parameters of the command line: their passwords stay out of the process title, and out of messages.

use std::env;
use std::ffi::OsString;
use std::io;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use walferry::{Config, Error};

/// Where to connect, as it was written and as it was understood.
#[derive(Debug, Clone)]
pub(crate) struct Conninfo(pub(crate) Config);

/// An error of the parser holds no value, so that a password in what it refuses is not repeated.
pub(crate) fn conninfo(text: &str) -> Result<Conninfo, String> {
    text.parse().map(Conninfo).map_err(|error: walferry::connection::ConfigError| error.to_string())
}

/// An option whose value may hold a password.
#[derive(Clone, Copy)]
pub(crate) struct Secret {
    option: &'static str,
    /// Carries what was written on the command line across the restart.
    variable: &'static str,
}

pub(crate) const SOURCE: Secret = Secret { option: "--source", variable: "WALFERRY_SOURCE_CONNINFO" };
pub(crate) const TARGET: Secret = Secret { option: "--target", variable: "WALFERRY_TARGET_CONNINFO" };

impl Secret {
    /// What may be shown of the value, if that is less than all and all of it is shown now.
    fn replacement(self, given: Option<&Conninfo>) -> Option<(Self, String)> {
        let config = &given?.0;
        let shown = config.to_string();
        let is_all = shown.parse().is_ok_and(|shown: Config| shown == *config);
        (!is_all && self.carried(config).is_none()).then_some((self, shown))
    }

    /// Where to connect, with its password.
    pub(crate) fn whole(self, shown: &Conninfo) -> Config {
        self.carried(&shown.0).unwrap_or_else(|| shown.0.clone())
    }

    /// What came across the restart. A variable of that name that somebody else has set is none of this program's: it
    /// would be another server.
    fn carried(self, shown: &Config) -> Option<Config> {
        let written: Config = env::var(self.variable).ok()?.parse().ok()?;
        (written.to_string() == shown.to_string()).then_some(written)
    }
}

/// Starts this program again without the passwords in its arguments, if it has any there: every user of the machine
/// can read those.
pub(crate) fn hide(source: Option<&Conninfo>, target: Option<&Conninfo>) -> Result<(), Error> {
    let given = [SOURCE.replacement(source), TARGET.replacement(target)];
    let replaced: Vec<_> = given.into_iter().flatten().collect();
    if replaced.is_empty() {
        return Ok(());
    }
    let failed = |source| Error::Io { during: "starting again without the password".into(), source };
    let mut written = Vec::new();
    let mut follows = None;
    let without_passwords: Vec<OsString> = env::args_os()
        .skip(1)
        .map(|argument| {
            if let Some((secret, shown)) = follows.take() {
                written.push((secret, argument));
                return OsString::from(shown);
            }
            for (secret, shown) in &replaced {
                if argument == secret.option {
                    follows = Some((secret.variable, shown.clone()));
                } else if let Some(value) = value_of(secret.option, &argument) {
                    written.push((secret.variable, value.into()));
                    return format!("{}={shown}", secret.option).into();
                }
            }
            argument
        })
        .collect();
    if written.len() != replaced.len() {
        return Err(failed(io::ErrorKind::InvalidInput.into()));
    }
    let program = env::current_exe().map_err(failed)?;
    Err(failed(Command::new(program).args(without_passwords).envs(written).exec()))
}

/// The value in `--option=value`.
fn value_of<'a>(option: &str, argument: &'a OsString) -> Option<&'a str> {
    argument.to_str()?.strip_prefix(option)?.strip_prefix('=')
}

/// What clap would repeat may hold a password: the connection string, or a part of it that lost its quotes.
pub(crate) fn without_secrets(mut error: clap::Error) -> clap::Error {
    let of_server = matches!(
        error.get(ContextKind::InvalidArg),
        Some(ContextValue::String(argument)) if ["--source", "--target"].iter().any(|option| argument.starts_with(option))
    );
    let hidden = match error.kind() {
        ErrorKind::UnknownArgument => ContextKind::InvalidArg,
        _ => ContextKind::InvalidValue,
    };
    if let Some(ContextValue::String(text)) = error.get(hidden) {
        let is_option = text.starts_with("--") && !text.contains('=');
        // One may stand behind another option by mistake: `--to postgresql://…`.
        let is_conninfo = of_server || text.contains("://") || text.contains('=');
        if !is_option && (is_conninfo || hidden == ContextKind::InvalidArg) {
            error.insert(hidden, ContextValue::String("…".to_owned()));
        }
    }
    error
}
