//! What a pooler looks like from outside: sessions pass, with keys that are not the server's.

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::thread;

use tempfile::TempDir;

use crate::support::Cluster;

/// A socket beside the server's, which gives each session a key of its own.
pub(crate) struct Pooler {
    folder: TempDir,
}

impl Pooler {
    pub(crate) fn before(cluster: &Cluster) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let name = format!(".s.PGSQL.{}", cluster.port());
        let (listener, server) =
            (UnixListener::bind(folder.path().join(&name)).unwrap(), cluster.socket_folder().join(name));
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let server = server.clone();
                thread::spawn(move || serve(client, &server));
            }
        });
        Self { folder }
    }

    pub(crate) fn conninfo(&self, cluster: &Cluster, database: &str) -> String {
        let [own, servers] =
            [self.folder.path(), cluster.socket_folder()].map(|path| path.to_str().unwrap().to_owned());
        cluster.conninfo(database).replace(&servers, &own)
    }
}

fn serve(mut client: UnixStream, server: &PathBuf) {
    let mut server = UnixStream::connect(server).unwrap();
    let (mut from_client, mut to_server) = (client.try_clone().unwrap(), server.try_clone().unwrap());
    thread::spawn(move || {
        let _ = std::io::copy(&mut from_client, &mut to_server);
        let _ = to_server.shutdown(std::net::Shutdown::Write);
    });
    // Message by message, up to the key; everything behind it as it comes.
    let mut header = [0; 5];
    while server.read_exact(&mut header).is_ok() {
        let length = u32::from_be_bytes(header[1..].try_into().unwrap());
        let mut body = vec![0; length as usize - 4];
        server.read_exact(&mut body).unwrap();
        if header[0] == b'K' {
            body[3] ^= 1;
        }
        if client.write_all(&header).and_then(|()| client.write_all(&body)).is_err() {
            return;
        }
        if header[0] == b'K' {
            break;
        }
    }
    let _ = std::io::copy(&mut server, &mut client);
    let _ = client.shutdown(std::net::Shutdown::Both);
}
