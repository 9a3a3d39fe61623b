use std::net::IpAddr;
use std::path::PathBuf;

use super::ConfigError;

/// PostgreSQL's port when none is given.
pub(super) const DEFAULT_PORT: u16 = 5432;

/// One server to try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HostConfig {
    /// What to connect to; with a `hostaddr`, that number.
    pub(crate) address: Address,
    /// The name to verify and to look up in the password file.
    pub(crate) name: String,
    pub(crate) port: u16,
    /// The address to connect to, where it was given as a number, so that no name is looked up.
    pub(crate) hostaddr: Option<IpAddr>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Address {
    /// A name or an address, to be resolved.
    Tcp(String),
    /// The folder of the socket `.s.PGSQL.PORT`; with `@` in front, a name in Linux' abstract namespace.
    UnixFolder(PathBuf),
}

/// The three lists that belong together, as they were given. An empty list was not given.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct HostLists {
    pub(super) names: Vec<String>,
    pub(super) addresses: Vec<Option<IpAddr>>,
    pub(super) ports: Vec<u16>,
}

impl HostLists {
    /// Every host to try, in order, and at least one: `default_host` stands where none is named.
    pub(super) fn hosts(&self, default_host: &str) -> Result<Vec<HostConfig>, ConfigError> {
        let hosts = self.count()?;
        let nth = |index: usize| {
            let name = self.names.get(index).map_or("", String::as_str);
            let hostaddr = self.addresses.get(index).copied().flatten();
            // One port holds for every host.
            let port = self.ports.get(index).or(self.ports.first()).copied().unwrap_or(DEFAULT_PORT);
            host(name, hostaddr, port, default_host)
        };
        Ok((0..hosts).map(nth).collect())
    }

    /// Whether some host is known by its number alone.
    pub(super) fn has_nameless_address(&self) -> bool {
        let name = |index| self.names.get(index).is_some_and(|name: &String| !name.is_empty());
        self.addresses.iter().enumerate().any(|(index, address)| address.is_some() && !name(index))
    }

    fn count(&self) -> Result<usize, ConfigError> {
        let (names, addresses, ports) = (self.names.len(), self.addresses.len(), self.ports.len());
        if names > 0 && addresses > 0 && names != addresses {
            return Err(ConfigError::ListLength { key: "hostaddr", values: addresses, hosts: names });
        }
        let hosts = names.max(addresses).max(1);
        if ports > 1 && ports != hosts {
            return Err(ConfigError::ListLength { key: "port", values: ports, hosts });
        }
        Ok(hosts)
    }
}

fn host(name: &str, hostaddr: Option<IpAddr>, port: u16, default_host: &str) -> HostConfig {
    let number = hostaddr.map(|number| number.to_string());
    let name = match &number {
        _ if !name.is_empty() => name.to_owned(),
        Some(number) => number.clone(),
        None => default_host.to_owned(),
    };
    let address = match number {
        Some(number) => Address::Tcp(number),
        None if name.starts_with(['/', '@']) => Address::UnixFolder(PathBuf::from(&name)),
        None => Address::Tcp(name.clone()),
    };
    HostConfig { address, name, port, hostaddr }
}
