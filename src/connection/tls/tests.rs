use std::io::Cursor;

use rustls::server::Acceptor;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::*;
use crate::connection::config::{RootCert, SslMode};

/// The first words of a handshake: whom it names, and which protocols it offers.
async fn hello(host: &str, sni: bool) -> (Option<String>, Vec<Vec<u8>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let tcp = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let ssl = SslConfig { mode: SslMode::Require, sni, ..SslConfig::default() };
    let connector = Connector::load(&ssl).await.unwrap().unwrap();
    let server = async {
        let mut peer = listener.accept().await.unwrap().0;
        let mut acceptor = Acceptor::default();
        loop {
            let mut bytes = [0; 4096];
            let read = peer.read(&mut bytes).await.unwrap();
            acceptor.read_tls(&mut Cursor::new(&bytes[..read])).unwrap();
            if let Some(accepted) = acceptor.accept().unwrap() {
                let hello = accepted.client_hello();
                let protocols = hello.alpn().unwrap().map(<[u8]>::to_vec).collect();
                // What follows is no handshake, and ends it.
                peer.write_all(b"ERROR: no TLS for you").await.unwrap();
                return (hello.server_name().map(str::to_owned), protocols);
            }
        }
    };
    let (outcome, said) = tokio::join!(connector.handshake(tcp, Peer { host, direct: false }), server);
    let error = outcome.unwrap_err();
    assert!(matches!(&error, Error::Tls(why) if why.starts_with("handshake: ")), "{error:?}");
    said
}

#[tokio::test]
async fn names_the_host_unless_told_not_to_or_it_is_a_number() {
    assert_eq!(hello("db.example.org", true).await, (Some("db.example.org".to_owned()), vec![ALPN.to_vec()]));
    for (host, sni) in [("db.example.org", false), ("127.0.0.1", true), ("::1", true), ("no such name", true)]
    {
        assert_eq!(hello(host, sni).await.0, None, "{host}");
    }
}

#[tokio::test]
async fn names_the_parameter_whose_file_is_of_no_use() {
    let folder = std::env::temp_dir().join(format!("walferry-unit-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let file = |name: &str, content: &str| {
        let path = folder.join(name);
        std::fs::write(&path, content).unwrap();
        path
    };
    let good = include_str!("fixtures/sha256.pem");
    let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let ssl = |root_cert, cert, key| SslConfig {
        mode: SslMode::Require,
        root_cert,
        cert,
        key,
        ..SslConfig::default()
    };
    let root = |path| ssl(Some(RootCert::File(path)), None, None);
    let cert = file("good.pem", good);
    for (ssl, expected) in [
        (root(file("empty.pem", "")), "sslrootcert"),
        (root(file("text.pem", "not a certificate")), "sslrootcert"),
        (root(file("broken.pem", broken)), "sslrootcert"),
        (ssl(None, Some(folder.join("absent.pem")), None), "sslkey"),
        (ssl(None, Some(cert.clone()), Some(folder.join("absent.key"))), "sslkey"),
        (ssl(None, Some(cert.clone()), Some(cert)), "sslkey"),
    ] {
        let Err(error) = Connector::load(&ssl).await else { panic!("{expected}") };
        assert!(error.to_string().contains(expected), "{error}");
    }
    std::fs::remove_dir_all(folder).unwrap();
}
