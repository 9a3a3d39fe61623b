//! One way to a server: an address, and whether to encrypt. Gone once to connect, and again to cancel.

use std::ffi::OsStr;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use postgres_protocol::message::frontend;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, UnixStream};

use super::auth::Channel;
use super::config::Keepalive;
use super::keepalive;
use super::negotiate::{Answer, Encryption, Failure, ask_for_tls};
use super::socket::Socket;
use super::startup::CancelKey;
use super::tls::{Connector, Peer};
use crate::error::Error;

/// Where to open a socket.
#[derive(Debug, Clone)]
pub(super) enum Place {
    Unix(PathBuf),
    Tcp(SocketAddr),
}

impl Place {
    /// The number of the machine, over a network.
    pub(super) fn address(&self) -> Option<IpAddr> {
        match self {
            Self::Unix(_) => None,
            Self::Tcp(address) => Some(address.ip()),
        }
    }
}

/// An address, and how to go there.
#[derive(Debug, Clone)]
pub(super) struct Route {
    pub(super) place: Place,
    /// The name that the certificate must bear.
    pub(super) host: String,
    pub(super) way: Encryption,
    /// `sslnegotiation=direct`.
    pub(super) direct: bool,
    pub(super) connector: Option<Arc<Connector>>,
    pub(super) keepalive: Keepalive,
    pub(super) user_timeout: Option<Duration>,
}

impl Route {
    /// Opens a socket, encrypted if that is the way.
    pub(super) async fn open(&self) -> Result<(Socket, Channel), Failure> {
        match &self.place {
            Place::Unix(path) => Ok((Socket::Unix(open_unix(path).await?), Channel::Unix)),
            Place::Tcp(address) => self.encrypt(self.open_tcp(*address).await?).await,
        }
    }

    async fn open_tcp(&self, address: SocketAddr) -> Result<TcpStream, Failure> {
        let tcp = TcpStream::connect(address).await.map_err(unopened)?;
        keepalive::set(&tcp, &self.keepalive, self.user_timeout).map_err(unopened)?;
        Ok(tcp)
    }

    async fn encrypt(&self, mut tcp: TcpStream) -> Result<(Socket, Channel), Failure> {
        let connector = match (&self.connector, self.way) {
            (Some(connector), Encryption::Offered | Encryption::Required) => connector,
            (_, Encryption::Plain) | (None, Encryption::Offered) => {
                return Ok((Socket::Tcp(tcp), Channel::Plain));
            }
            (None, Encryption::Required) => {
                let why =
                    "the server wants TLS, and this build of walferry has none: enable its feature \"tls\"";
                return Err(Failure::final_one(Error::Tls(why.to_owned())));
            }
        };
        if !self.direct && ask_for_tls(&mut tcp).await? == Answer::Plain {
            return self.without(tcp);
        }
        let peer = Peer { host: &self.host, direct: self.direct };
        let (stream, end_point) = connector.handshake(tcp, peer).await.map_err(Failure::of_tls)?;
        Ok((Socket::Tls(Box::new(stream)), Channel::Tls(end_point)))
    }

    /// The server has no TLS.
    fn without(&self, tcp: TcpStream) -> Result<(Socket, Channel), Failure> {
        if self.way == Encryption::Offered {
            return Ok((Socket::Tcp(tcp), Channel::Plain));
        }
        let why = "the server has none (ssl = off), and sslmode does not allow to go on without";
        Err(Failure::final_one(Error::Tls(why.to_owned())))
    }
}

async fn open_unix(path: &Path) -> Result<UnixStream, Failure> {
    // libpq writes the NUL that begins a name in Linux' abstract namespace as `@`.
    let bytes = path.as_os_str().as_bytes();
    let name = bytes.strip_prefix(b"@").map(|name| [b"\0", name].concat());
    UnixStream::connect(OsStr::from_bytes(name.as_deref().unwrap_or(bytes))).await.map_err(unopened)
}

fn unopened(source: io::Error) -> Failure {
    Failure::final_one(Error::Io { during: "opening a socket".to_owned(), source })
}

/// What it takes to stop a command that runs: the way to the server, and the key that it gave out for this.
#[derive(Debug, Clone)]
pub(crate) struct Canceller {
    route: Route,
    key: CancelKey,
}

impl Canceller {
    /// The key is a secret: it goes encrypted if the connection is.
    pub(super) fn new(mut route: Route, key: CancelKey, channel: &Channel) -> Self {
        let encrypted = matches!(channel, Channel::Tls(_));
        route.way = if encrypted { Encryption::Required } else { Encryption::Plain };
        Self { route, key }
    }

    /// Asks the server, by a second connection, to stop what the first one's command does. The answer, if it
    /// has an effect, comes to the command: this connection is only ever closed, so there is nothing to report.
    pub(crate) async fn cancel(&self) {
        let Ok((mut socket, _)) = self.route.open().await else { return };
        let mut request = BytesMut::new();
        frontend::cancel_request(self.key.process_id, self.key.secret, &mut request);
        if socket.write_all(&request).await.is_ok() && socket.flush().await.is_ok() {
            // The server closes once it has sent the signal.
            let _ = socket.read(&mut [0]).await;
        }
    }
}
