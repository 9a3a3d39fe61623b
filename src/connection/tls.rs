//! TLS by rustls: whom to trust, who we are, and the handshake.
//!
//! The cryptography comes from *ring*, handed to rustls explicitly: the process-wide default belongs to the
//! application, and a library that needs it set breaks applications that set another one.

mod binding;
mod direct;
mod files;
mod names;
mod verify;

use std::fmt;
use std::sync::Arc;

use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, SupportedProtocolVersion};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use self::verify::{Trust, Verifier};
use super::auth::EndPoint;
use super::config::SslConfig;
use crate::error::Error;

pub(crate) use tokio_rustls::client::TlsStream as Stream;

/// An encrypted socket.
pub(crate) type TlsStream = Stream<TcpStream>;

/// PostgreSQL's name in the ALPN registry; direct TLS demands it, so that no other protocol can be confused with it.
const ALPN: &[u8] = b"postgresql";

const VERSIONS: &[&SupportedProtocolVersion] = &[&rustls::version::TLS13, &rustls::version::TLS12];

/// Everything of the parameters that TLS needs, read from the files once per attempt to connect.
pub(crate) struct Connector {
    trust: Arc<Trust>,
    identity: Option<Identity>,
    server_name_indication: bool,
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connector").finish_non_exhaustive()
    }
}

/// A client certificate with its chain, and its key.
struct Identity {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

/// Whom the handshake is with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer<'a> {
    /// The name that the certificate must bear.
    pub(crate) host: &'a str,
    /// TLS from the first byte: only the right ALPN answer shows that the peer meant PostgreSQL.
    pub(crate) direct: bool,
}

impl Connector {
    /// Reads certificates and keys. `None`, for a build without TLS where none is required: its twin's answer.
    pub(crate) async fn load(ssl: &SslConfig) -> Result<Option<Self>, Error> {
        let ssl = ssl.clone();
        let server_name_indication = ssl.sni;
        // Files and the system's certificate store: hundreds of small reads that must not hold up other tasks.
        let loaded = tokio::task::spawn_blocking(move || files::load(&ssl)).await;
        let (trust, identity) =
            loaded.map_err(|_| Error::Tls("reading the certificates was cut short".to_owned()))??;
        Ok(Some(Self { trust: Arc::new(trust), identity, server_name_indication }))
    }

    /// Encrypts the socket, or says why not.
    pub(crate) async fn handshake(
        &self,
        tcp: TcpStream,
        peer: Peer<'_>,
    ) -> Result<(TlsStream, EndPoint), Error> {
        let address = tcp
            .peer_addr()
            .map_err(|source| Error::Io { during: "asking for the peer".to_owned(), source })?;
        // What no certificate can bear cannot be sent as server name either. The verifier compares with the host as
        // it was given; this name only steers the indication and the session cache.
        let (name, indicated) = match ServerName::try_from(peer.host.to_owned()) {
            Ok(name) => (name, self.server_name_indication),
            Err(_) => (ServerName::from(address.ip()), false),
        };
        let config = self.config(peer.host, indicated)?;
        let stream =
            TlsConnector::from(Arc::new(config)).connect(name, tcp).await.map_err(|error| failed(&error))?;
        if peer.direct && stream.get_ref().1.alpn_protocol() != Some(ALPN) {
            return Err(Error::Tls(
                "the server did not agree to ALPN \"postgresql\", without which sslnegotiation=direct is not safe".to_owned(),
            ));
        }
        let end_point = end_point(&stream);
        Ok((stream, end_point))
    }

    fn config(&self, host: &str, indicated: bool) -> Result<ClientConfig, Error> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier =
            Verifier::new(Arc::clone(&self.trust), host, provider.signature_verification_algorithms);
        let builder = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(VERSIONS)
            .map_err(|error| Error::Tls(error.to_string()))?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier));
        let mut config = match &self.identity {
            None => builder.with_no_client_auth(),
            Some(identity) => builder
                .with_client_auth_cert(identity.chain.clone(), identity.key.clone_key())
                .map_err(|error| Error::Tls(format!("sslcert and sslkey do not go together: {error}")))?,
        };
        config.alpn_protocols = vec![ALPN.to_vec()];
        config.enable_sni = indicated;
        Ok(config)
    }
}

fn end_point(stream: &TlsStream) -> EndPoint {
    match stream.get_ref().1.peer_certificates().and_then(<[_]>::first) {
        Some(certificate) => binding::tls_server_end_point(certificate),
        None => EndPoint::Unknown("the server showed no certificate".to_owned()),
    }
}

fn failed(error: &std::io::Error) -> Error {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        Some(rustls::Error::InvalidCertificate(why)) => {
            Error::Tls(format!("the server's certificate is not accepted: {}", verify::explain(why)))
        }
        Some(other) => Error::Tls(format!("handshake: {other}")),
        None => Error::Tls(format!("handshake: {error}")),
    }
}

#[cfg(test)]
mod tests;
