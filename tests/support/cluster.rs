//! A running cluster in a folder of its own.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::folder::Folder;
use super::options::ClusterOptions;
use super::postmaster::{self, Postmaster, Stop};
use super::{Server, surroundings, template};

/// A running cluster. Dropping it stops the server and removes its folder.
///
/// All methods take `&self`, so that a cluster can sit in a `static`; one there is cleared up after the process ends.
#[derive(Debug)]
pub(crate) struct Cluster {
    server: Server,
    port: u16,
    tcp: bool,
    // Dropped in this order: the server is stopped, then its folder is removed.
    postmaster: Mutex<Postmaster>,
    folder: Folder,
}

impl Cluster {
    pub(super) fn start(options: &ClusterOptions) -> Self {
        let folder = Folder::fresh();
        let data = folder.path().join("data");
        if options.own_identity {
            template::initdb(&options.server, &data);
        } else {
            template::copy_to(&options.server, &data);
        }
        options.write_into(&data, folder.path());
        options.make_locale(folder.path());
        let (postmaster, port) = launch(options, folder.path());
        let (server, tcp) = (options.server.clone(), options.tcp);
        Self { server, port, tcp, postmaster: Mutex::new(postmaster), folder }
    }

    pub(crate) fn major(&self) -> u32 {
        self.server.major
    }

    pub(crate) fn server(&self) -> &Server {
        &self.server
    }

    /// Libpq's `key=value` form: the superuser `postgres` on the Unix socket.
    pub(crate) fn conninfo(&self, database: &str) -> String {
        let quoted = |value: &str| format!("'{}'", value.replace('\\', r"\\").replace('\'', r"\'"));
        let (host, database) =
            (quoted(&self.folder.path().to_string_lossy()), quoted(&surroundings::database(database)));
        format!("host={host} port={} user=postgres dbname={database}", self.port)
    }

    /// The folder with the Unix socket.
    pub(crate) fn socket_folder(&self) -> &Path {
        self.folder.path()
    }

    /// The port in the Unix socket's name; the same as [`Cluster::tcp_port`] where there is one.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// The port on 127.0.0.1 of a cluster made with [`ClusterOptions::tcp`].
    pub(crate) fn tcp_port(&self) -> u16 {
        assert!(
            self.tcp,
            "this cluster doesn't listen on TCP: make it with `server.options().tcp().start()`"
        );
        self.port
    }

    pub(crate) fn data_folder(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// What the server has logged since it was made.
    pub(crate) fn log(&self) -> String {
        let log = fs::read(postmaster::log_path(self.folder.path())).expect("a server writes a log");
        String::from_utf8_lossy(&log).into_owned()
    }

    /// The pid of the postmaster, the running one's or the last one's.
    pub(crate) fn pid(&self) -> u32 {
        self.postmaster().pid()
    }

    /// Stops the server as a crash would; [`Cluster::restart`] then recovers.
    pub(crate) fn stop_immediately(&self) {
        self.postmaster().stop(Stop::Immediately);
    }

    /// Stops the server in order: sessions are ended and a checkpoint is written.
    pub(crate) fn stop_fast(&self) {
        self.postmaster().stop(Stop::Fast);
    }

    /// Starts the server again, after a fast stop where it still runs. The port stays.
    pub(crate) fn restart(&self) {
        let mut postmaster = self.postmaster();
        postmaster.stop(Stop::Fast);
        let next = Postmaster::start(&self.server, self.folder.path(), self.port);
        let next = next.unwrap_or_else(|log| panic!("{} doesn't start again:\n{log}", self.server.version));
        *postmaster = next;
    }

    fn postmaster(&self) -> MutexGuard<'_, Postmaster> {
        // A panic of another test says nothing about the server.
        self.postmaster.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Starts the server; a free TCP port can be taken by another between our look and the server's, so a few are tried.
fn launch(options: &ClusterOptions, folder: &Path) -> (Postmaster, u16) {
    for _ in 0..5 {
        let port = if options.tcp { free_port() } else { 5432 };
        match Postmaster::start(&options.server, folder, port) {
            Ok(postmaster) => return (postmaster, port),
            Err(log) if options.tcp && log.contains("Address already in use") => {
                fs::remove_file(postmaster::log_path(folder)).expect("our own log can be removed");
            }
            Err(log) => panic!("{} doesn't start:\n{log}", options.server.version),
        }
    }
    panic!("five free TCP ports in a row were taken by others");
}

fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("the loopback has a free port");
    listener.local_addr().expect("a bound socket has an address").port()
}
