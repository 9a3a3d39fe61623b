//! The service file: the manual's "34.17. The Connection Service File".

use std::path::Path;

use super::parameter::{self, Setting};
use super::{ConfigError, ParameterPlace};

/// The settings in the section called `service`, in order; `None` if there is no such section.
pub(super) fn section(text: &str, service: &str, path: &Path) -> Result<Option<Vec<Setting>>, ConfigError> {
    let mut lines = text.lines().map(|line| line.trim_matches(super::conninfo::is_space)).zip(1..);
    // libpq reads up to the closing bracket and no further.
    let header = format!("[{service}]");
    if !lines.any(|(line, _)| line.starts_with(&header)) {
        return Ok(None);
    }
    lines
        .take_while(|(line, _)| !line.starts_with('['))
        .filter(|(line, _)| !line.is_empty() && !line.starts_with('#'))
        .map(|(line, number)| {
            setting(line, ParameterPlace::ServiceFile { path: path.to_owned(), line: number })
        })
        .collect::<Result<_, _>>()
        .map(Some)
}

/// `key=value`, with nothing quoted and no space that does not count.
fn setting(line: &str, place: ParameterPlace) -> Result<Setting, ConfigError> {
    if line.starts_with("ldap") {
        let instead = "it does not ask LDAP; write the parameters into the file";
        return Err(ConfigError::NotSupported { key: "service", place, instead });
    }
    let Some((key, value)) = line.split_once('=') else {
        return Err(ConfigError::Syntax { place, expected: "key=value" });
    };
    let parameter = parameter::named(key, &place)?;
    if matches!(parameter.name, "service" | "servicefile") {
        return Err(ConfigError::Syntax { place, expected: "no service within a service" });
    }
    Ok(Setting { parameter, value: value.to_owned(), place })
}
