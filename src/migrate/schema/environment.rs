//! A configuration as libpq's variables: what a program is told without its command line.

use std::ffi::OsString;

use crate::connection::{Address, RootCert};
use crate::connection::{ChannelBinding, Config};
use crate::error::Error;

/// For one server, which we have just reached: where, as whom, and how.
///
/// A process's variables can be read by its own user alone.
pub(super) fn of(config: &Config) -> Result<Vec<(&'static str, OsString)>, Error> {
    let Some(host) = config.hosts.first() else { return Err(Error::Misuse("a configuration names a host")) };
    let mut variables: Vec<(&'static str, OsString)> = vec![
        ("PGPORT", host.port.to_string().into()),
        ("PGSSLMODE", config.ssl.mode.as_str().into()),
        ("PGSSLSNI", if config.ssl.sni { "1" } else { "0" }.into()),
        ("PGCHANNELBINDING", channel_binding(config.channel_binding).into()),
        ("PGGSSENCMODE", "disable".into()),
        // How a literal of the script is read must not be the database's choice.
        ("PGOPTIONS", options(config.options.as_deref()).into()),
    ];
    variables.push(match &host.address {
        Address::UnixFolder(folder) => ("PGHOST", folder.into()),
        Address::Tcp(_) => ("PGHOST", host.name.clone().into()),
    });
    let mut give = |name, value: Option<OsString>| variables.extend(value.map(|value| (name, value)));
    give("PGHOSTADDR", host.hostaddr.map(|address| address.to_string().into()));
    give("PGUSER", config.user.clone().map(Into::into));
    give("PGDATABASE", config.database.clone().or_else(|| config.user.clone()).map(Into::into));
    give("PGPASSWORD", config.password_for(host).map(Into::into));
    give("PGAPPNAME", config.application_name.clone().map(Into::into));
    give("PGCONNECT_TIMEOUT", config.connect_timeout.map(|time| time.as_secs().max(1).to_string().into()));
    give("PGREQUIREAUTH", config.require_auth.list().map(Into::into));
    give("PGSSLNEGOTIATION", config.ssl.direct.then(|| "direct".into()));
    give("PGSSLCERT", config.ssl.cert.clone().map(Into::into));
    give("PGSSLKEY", config.ssl.key.clone().map(Into::into));
    give(
        "PGSSLROOTCERT",
        config.ssl.root_cert.clone().map(|root| match root {
            RootCert::System => "system".into(),
            RootCert::File(file) => file.into(),
        }),
    );
    Ok(variables)
}

fn options(given: Option<&str>) -> String {
    format!("{} -c standard_conforming_strings=on", given.unwrap_or_default()).trim_start().to_owned()
}

const fn channel_binding(binding: ChannelBinding) -> &'static str {
    match binding {
        ChannelBinding::Disable => "disable",
        ChannelBinding::Prefer => "prefer",
        ChannelBinding::Require => "require",
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn a_program_is_told_all_that_leads_to_the_same_server() {
        let text = "host=db.example.com hostaddr=10.0.0.7 port=5433 user=ferry password='p w' dbname='my shop' sslmode=verify-full \
                    sslrootcert=/ca.pem sslcert=/c.pem sslkey=/k.pem sslsni=0 channel_binding=require connect_timeout=7 \
                    require_auth=scram-sha-256 application_name=a options='-c geqo=off'";
        let config: Config = text.parse().unwrap();
        let variables: BTreeMap<_, _> = of(&config).unwrap().into_iter().collect();
        let expected = [
            ("PGHOST", "db.example.com"),
            ("PGHOSTADDR", "10.0.0.7"),
            ("PGPORT", "5433"),
            ("PGUSER", "ferry"),
            ("PGPASSWORD", "p w"),
            ("PGDATABASE", "my shop"),
            ("PGSSLMODE", "verify-full"),
            ("PGSSLROOTCERT", "/ca.pem"),
            ("PGSSLCERT", "/c.pem"),
            ("PGSSLKEY", "/k.pem"),
            ("PGSSLSNI", "0"),
            ("PGCHANNELBINDING", "require"),
            ("PGCONNECT_TIMEOUT", "7"),
            ("PGREQUIREAUTH", "scram-sha-256"),
            ("PGAPPNAME", "a"),
            ("PGGSSENCMODE", "disable"),
            ("PGOPTIONS", "-c geqo=off -c standard_conforming_strings=on"),
        ];
        assert_eq!(variables, expected.map(|(name, value)| (name, OsString::from(value))).into());
    }

    #[test]
    fn a_socket_and_nothing_more_is_told_as_that() {
        let config: Config = "host=/run/postgresql user=ferry require_auth='!password,!md5'".parse().unwrap();
        let variables: BTreeMap<_, _> = of(&config).unwrap().into_iter().collect();
        assert_eq!(variables.get("PGHOST"), Some(&"/run/postgresql".into()));
        assert_eq!(variables.get("PGDATABASE"), Some(&"ferry".into()));
        assert_eq!(variables.get("PGREQUIREAUTH"), Some(&"!password,!md5".into()));
        assert!(!variables.contains_key("PGPASSWORD"));
    }
}
