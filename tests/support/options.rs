//! What a cluster is made with.

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use super::account::{give, lower};
use super::{Cluster, Server, surroundings};

/// A cluster that is about to be made.
#[derive(Clone, Debug)]
#[must_use = "nothing is started before `start`"]
pub(crate) struct ClusterOptions {
    pub(super) server: Server,
    pub(super) tcp: bool,
    pub(super) own_identity: bool,
    settings: Vec<(String, String)>,
    hba: Vec<String>,
    files: Vec<(String, Vec<u8>)>,
    locale: Option<String>,
}

impl ClusterOptions {
    pub(super) fn new(server: Server) -> Self {
        let settings = DEFAULT_SETTINGS.into_iter().chain(surroundings::settings());
        let settings = settings.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        Self {
            server,
            tcp: false,
            own_identity: false,
            settings,
            hba: Vec::new(),
            files: Vec::new(),
            locale: None,
        }
    }

    /// A line of `postgresql.conf`; the last one for a name wins, as it does there.
    pub(crate) fn setting(mut self, name: &str, value: &str) -> Self {
        self.settings.push((name.to_owned(), value.to_owned()));
        self
    }

    /// A line of `pg_hba.conf`.
    ///
    /// Without any, everybody is trusted. The first line given takes that away from all but the superuser `postgres`
    /// on the Unix socket, by whom [`Cluster::psql`] works.
    pub(crate) fn hba(mut self, line: &str) -> Self {
        self.hba.push(line.to_owned());
        self
    }

    /// A file in the data folder, mode 0600 as the server demands of keys: `server.crt`, `server.key`, …
    pub(crate) fn file(mut self, name: &str, content: impl Into<Vec<u8>>) -> Self {
        self.files.push((name.to_owned(), content.into()));
        self
    }

    /// A further locale, such as `de_DE`, known to the server as `de_DE.UTF-8`: where this machine can make it, with
    /// `localedef` and Debian's package `locales`.
    pub(crate) fn locale(mut self, name: &str) -> Self {
        self.locale = Some(name.to_owned());
        self
    }

    /// Also listen on 127.0.0.1, at [`Cluster::tcp_port`].
    pub(crate) fn tcp(mut self) -> Self {
        self.tcp = true;
        self
    }

    /// A system identifier of its own, by an `initdb` of its own (slower).
    ///
    /// Clusters of one server otherwise share the identifier of the template they are copied from.
    pub(crate) fn own_identity(mut self) -> Self {
        self.own_identity = true;
        self
    }

    /// Makes the cluster and waits until it accepts connections.
    pub(crate) fn start(self) -> Cluster {
        Cluster::start(&self)
    }

    /// Writes the configuration and the files into a fresh data folder.
    pub(super) fn write_into(&self, data: &Path, sockets: &Path) {
        let path = data.join("postgresql.conf");
        let mut text = fs::read_to_string(&path).expect("initdb wrote postgresql.conf");
        text.push_str(&self.configuration(sockets));
        fs::write(&path, text).expect("postgresql.conf is writable");
        if !self.hba.is_empty() {
            write_private(&data.join("pg_hba.conf"), self.hba_text().as_bytes());
        }
        for (name, content) in &self.files {
            write_private(&data.join(name), content);
        }
    }

    /// Makes the locale beside the data, where the server looks for it: see `Postmaster::start`.
    pub(super) fn make_locale(&self, folder: &Path) {
        let Some(name) = &self.locale else { return };
        let locales = folder.join(LOCALES);
        fs::create_dir(&locales).expect("the cluster's folder is fresh");
        give(&locales);
        let mut command = Command::new("localedef");
        command.args(["--no-archive", "-i", name, "-f", "UTF-8"]).arg(locales.join(format!("{name}.UTF-8")));
        // A machine that can't make it has none.
        let _ = lower(&mut command).output();
    }

    fn configuration(&self, sockets: &Path) -> String {
        let sockets = sockets.to_str().expect("temporary folders have plain names");
        let listen = if self.tcp { "127.0.0.1" } else { "" };
        let places = [("unix_socket_directories", sockets), ("listen_addresses", listen)];
        let given = self.settings.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        places.into_iter().chain(given).fold(String::from("\n"), |mut text, (name, value)| {
            let value = value.replace('\\', "\\\\").replace('\'', "''");
            writeln!(text, "{name} = '{value}'").expect("a String takes all");
            text
        })
    }

    fn hba_text(&self) -> String {
        format!("local all,replication postgres trust\n{}\n", self.hba.join("\n"))
    }
}

/// Folder of locales of the cluster's own.
pub(super) const LOCALES: &str = "locales";

/// Durability is off: what these clusters hold is thrown away, and a killed *process* loses nothing, because what
/// it wrote stays in the kernel's cache; only a power cut needs `fsync`, and the torn pages of `full_page_writes`.
const DEFAULT_SETTINGS: [(&str, &str); 8] = [
    ("wal_level", "logical"),
    ("max_wal_senders", "20"),
    ("max_replication_slots", "20"),
    ("max_prepared_transactions", "20"),
    ("fsync", "off"),
    ("full_page_writes", "off"),
    // Many small clusters run side by side.
    ("shared_buffers", "32MB"),
    // The log is shown when a start fails, and is read by whoever debugs a stream.
    ("log_replication_commands", "on"),
];

fn write_private(path: &Path, content: &[u8]) {
    fs::write(path, content).expect("the data folder is writable");
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).expect("our file takes a mode");
    give(path);
}
