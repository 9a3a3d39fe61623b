//! What stands between a client and a server's Unix socket, and fails on command.
//!
//! It reads the server's messages one by one, so that a connection can be cut exactly behind any of them, or inside the next
//! one. Only the replication connections are cut by plan; those for SQL alone pass.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use tempfile::TempDir;

use super::support::{self, Cluster};

/// Where a connection ends, in both directions at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    /// Behind that many messages of its beginning, from the first byte to the start of the stream.
    Beginning(usize),
    /// Behind that many messages with data, of the stream.
    Stream(usize),
    /// The same, and that many bytes of the next one.
    Inside(usize, usize),
    /// Where the client says goodbye. Nothing that it has said since the stream began has arrived.
    Goodbye,
}

/// How many messages a replication connection has passed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Passed {
    /// Before the stream.
    pub(crate) beginning: usize,
    /// Messages of the stream with data: keepalives come by the clock.
    pub(crate) data: usize,
}

pub(crate) struct Proxy {
    folder: TempDir,
    shared: Arc<Shared>,
}

struct Shared {
    server: PathBuf,
    /// What becomes of the next replication connections; those behind the last one pass.
    plan: Mutex<VecDeque<Cut>>,
    links: Mutex<Vec<Arc<Link>>>,
    /// Whether nobody gets through.
    refuses: AtomicBool,
    ended: AtomicBool,
}

/// A connection, from end to end.
struct Link {
    client: UnixStream,
    server: UnixStream,
    replicates: bool,
    streams: AtomicBool,
    /// Nothing passes any more, and nobody is told.
    swallows: AtomicBool,
    beginning: AtomicUsize,
    data: AtomicUsize,
}

const SOCKET: &str = ".s.PGSQL.5432";

impl Proxy {
    pub(crate) fn before(cluster: &Cluster, plan: &[Cut]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(folder.path().join(SOCKET)).unwrap();
        let server = cluster.socket_folder().join(format!(".s.PGSQL.{}", cluster.port()));
        let shared = Arc::new(Shared {
            server,
            plan: Mutex::new(plan.iter().copied().collect()),
            links: Mutex::default(),
            refuses: AtomicBool::new(false),
            ended: AtomicBool::new(false),
        });
        let accepting = Arc::clone(&shared);
        thread::spawn(move || accepting.accept(&listener));
        Self { folder, shared }
    }

    /// Libpq's `key=value` form.
    pub(crate) fn conninfo(&self, database: &str) -> String {
        let (folder, database) = (self.folder.path().display(), support::database(database));
        let database = database.replace('\\', r"\\").replace('\'', r"\'");
        format!("host={folder} port=5432 user=postgres dbname='{database}'")
    }

    /// What each replication connection has passed on, in their order.
    pub(crate) fn passed(&self) -> Vec<Passed> {
        let count = |link: &Arc<Link>| Passed {
            beginning: link.beginning.load(Ordering::Relaxed),
            data: link.data.load(Ordering::Relaxed),
        };
        lock(&self.shared.links).iter().filter(|link| link.replicates).map(count).collect()
    }

    /// Whether a stream has begun, and has not been cut.
    pub(crate) fn is_streaming(&self) -> bool {
        lock(&self.shared.links).iter().any(|link| link.streams.load(Ordering::Relaxed))
    }

    /// From here on, the connections that are there pass nothing, and stay open.
    pub(crate) fn swallow(&self) {
        lock(&self.shared.links).iter().for_each(|link| link.swallows.store(true, Ordering::Relaxed));
    }

    /// Cuts all connections, and lets nobody through.
    pub(crate) fn shut(&self) {
        self.shared.refuses.store(true, Ordering::Relaxed);
        lock(&self.shared.links).iter().for_each(|link| link.cut());
    }

    /// Lets everybody through again.
    pub(crate) fn open(&self) {
        self.shared.refuses.store(false, Ordering::Relaxed);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::Relaxed);
        // Wakes the thread that accepts.
        drop(UnixStream::connect(self.folder.path().join(SOCKET)));
        lock(&self.shared.links).iter().for_each(|link| link.cut());
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    fn accept(self: Arc<Self>, listener: &UnixListener) {
        for client in listener.incoming().map(Result::unwrap) {
            if self.ended.load(Ordering::Relaxed) {
                return;
            }
            let shared = Arc::clone(&self);
            // A connection that can't be made, or fails, is closed.
            thread::spawn(move || shared.serve(client));
        }
    }

    fn serve(&self, mut client: UnixStream) -> io::Result<()> {
        // The client speaks first: a length, and the parameters.
        let mut startup = vec![0; 4];
        client.read_exact(&mut startup)?;
        read_rest(&mut client, &mut startup, 0)?;
        if self.refuses.load(Ordering::Relaxed) {
            return Ok(());
        }
        let mut server = UnixStream::connect(&self.server)?;
        server.write_all(&startup)?;
        let replicates = startup.windows(12).any(|word| word == b"replication\0");
        let cut = if replicates { lock(&self.plan).pop_front() } else { None };
        let link = Arc::new(Link {
            client,
            server,
            replicates,
            streams: AtomicBool::new(false),
            swallows: AtomicBool::new(false),
            beginning: AtomicUsize::new(0),
            data: AtomicUsize::new(0),
        });
        lock(&self.links).push(Arc::clone(&link));
        let up = Arc::clone(&link);
        thread::spawn(move || up.ends(up.up(cut)));
        link.ends(link.down(cut));
        Ok(())
    }
}

impl Link {
    fn up(&self, cut: Option<Cut>) -> io::Result<()> {
        loop {
            let message = read_message(&self.client)?;
            let deaf = cut == Some(Cut::Goodbye) && self.streams.load(Ordering::Relaxed);
            if deaf && message[0] == b'c' {
                return Ok(());
            }
            if !deaf && !self.swallows.load(Ordering::Relaxed) {
                (&self.server).write_all(&message)?;
            }
        }
    }

    fn down(&self, cut: Option<Cut>) -> io::Result<()> {
        loop {
            let message = read_message(&self.server)?;
            if self.swallows.load(Ordering::Relaxed) {
                continue;
            }
            let is_data =
                self.streams.load(Ordering::Relaxed) && message[0] == b'd' && message.get(5) == Some(&b'w');
            if let Some(Cut::Inside(messages, bytes)) = cut
                && is_data
                && self.data.load(Ordering::Relaxed) == messages
            {
                let end = bytes.min(message.len() - 1);
                return (&self.client).write_all(&message[..end]);
            }
            (&self.client).write_all(&message)?;
            let streams = self.streams.fetch_or(message[0] == b'W', Ordering::Relaxed) || message[0] == b'W';
            if is_data {
                self.data.fetch_add(1, Ordering::Relaxed);
            } else if !streams {
                self.beginning.fetch_add(1, Ordering::Relaxed);
            }
            let here = match cut {
                Some(Cut::Beginning(messages)) => self.beginning.load(Ordering::Relaxed) == messages,
                Some(Cut::Stream(messages)) => streams && self.data.load(Ordering::Relaxed) == messages,
                _ => false,
            };
            if here {
                return Ok(());
            }
        }
    }

    /// Whoever hangs up, or is to be cut off: the other side learns of it at once, unless nothing passes.
    fn ends(&self, _: io::Result<()>) {
        if !self.swallows.load(Ordering::Relaxed) {
            self.cut();
        }
    }

    fn cut(&self) {
        self.streams.store(false, Ordering::Relaxed);
        // An error means that it is closed already.
        let _ = self.client.shutdown(Shutdown::Both);
        let _ = self.server.shutdown(Shutdown::Both);
    }
}

fn read_message(mut from: &UnixStream) -> io::Result<Vec<u8>> {
    let mut message = vec![0; 5];
    from.read_exact(&mut message)?;
    read_rest(&mut from, &mut message, 1)?;
    Ok(message)
}

/// The rest of a message, whose length stands at its end so far, and counts itself.
fn read_rest(from: &mut impl Read, message: &mut Vec<u8>, length_at: usize) -> io::Result<()> {
    let length = u32::from_be_bytes(message[length_at..].try_into().unwrap());
    let head = message.len();
    message.resize(length_at + usize::try_from(length).unwrap(), 0);
    from.read_exact(&mut message[head..])
}
