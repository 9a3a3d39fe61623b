//! Keeps passwords out of the process title.

use std::env;
use std::ffi::OsString;
use std::io;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use walferry::{Config, Error};

use crate::arguments::{Arguments, Conninfo};

/// An option whose value may hold a password.
#[derive(Clone, Copy)]
pub(crate) struct Secret {
    option: &'static str,
    /// Carries what was written on the command line across the restart.
    variable: &'static str,
}

pub(crate) const SOURCE: Secret = Secret { option: "--source", variable: "WALFERRY_REPLAY_SOURCE" };
pub(crate) const TARGET: Secret = Secret { option: "--target", variable: "WALFERRY_REPLAY_TARGET" };

impl Secret {
    /// What may be shown of the value, if that is less than all and all of it is shown now.
    fn replacement(self, given: Option<&Conninfo>) -> Option<(Self, String)> {
        let config = &given?.0;
        let shown = config.to_string();
        let is_all = shown.parse().is_ok_and(|shown: Config| shown == *config);
        (!is_all && env::var_os(self.variable).is_none()).then_some((self, shown))
    }

    /// Where to connect, with its password.
    pub(crate) fn whole(self, shown: &Conninfo) -> Config {
        let written = env::var(self.variable).ok().and_then(|written| written.parse().ok());
        written.unwrap_or_else(|| shown.0.clone())
    }
}

/// Starts this program again without the passwords in its arguments, if it has any there: every user of the machine
/// can read those.
pub(crate) fn hide(arguments: &Arguments) -> Result<(), Error> {
    let given =
        [SOURCE.replacement(arguments.source.as_ref()), TARGET.replacement(arguments.target.as_ref())];
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
