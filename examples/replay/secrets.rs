//! Keeps passwords out of the process title.

use std::env;
use std::ffi::OsString;
use std::io;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use walferry::{Config, Error};

use crate::arguments::Arguments;

/// Carries what was written on the command line across the restart.
const SOURCE: &str = "WALFERRY_REPLAY_SOURCE";

/// Starts this program again without the password in its arguments, if it has one there: every user of the machine
/// can read those.
pub(crate) fn hide(arguments: &Arguments) -> Result<(), Error> {
    let Some(source) = &arguments.source else { return Ok(()) };
    let shown = source.0.to_string();
    if env::var_os(SOURCE).is_some() || shown.parse().is_ok_and(|config: Config| config == source.0) {
        return Ok(());
    }
    let failed = |source| Error::Io { during: "starting again without the password".into(), source };
    let mut written = None;
    let mut follows = false;
    let without_password: Vec<OsString> = env::args_os()
        .skip(1)
        .map(|argument| {
            if std::mem::take(&mut follows) {
                written = Some(argument);
                return shown.clone().into();
            }
            follows = argument == "--source";
            match argument.to_str().and_then(|argument| argument.strip_prefix("--source=")) {
                Some(conninfo) => {
                    written = Some(conninfo.into());
                    format!("--source={shown}").into()
                }
                None => argument,
            }
        })
        .collect();
    let Some(written) = written else { return Err(failed(io::ErrorKind::InvalidInput.into())) };
    let program = env::current_exe().map_err(failed)?;
    Err(failed(Command::new(program).args(without_password).env(SOURCE, written).exec()))
}

/// Where to connect, with its password.
pub(crate) fn source(shown: &Config) -> Config {
    let written = env::var(SOURCE).ok().and_then(|written| written.parse().ok());
    written.unwrap_or_else(|| shown.clone())
}
