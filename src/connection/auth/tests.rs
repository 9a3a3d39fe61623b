use super::*;
use crate::connection::peer::{Peer, authentication, error, message, pipe};

const PASSWORD: &str = "hunter2";
static ANY: RequireAuth = RequireAuth::Any;

fn credentials() -> Credentials<'static> {
    Credentials {
        user: "alice",
        password: Some(PASSWORD),
        channel_binding: ChannelBinding::Prefer,
        cleartext_without_tls: false,
        require_auth: &ANY,
    }
}

fn hash() -> Channel {
    Channel::Tls(EndPoint::Hash(vec![7; 32]))
}

fn unknown() -> Channel {
    Channel::Tls(EndPoint::Unknown("signed with Ed25519".to_owned()))
}

/// Lets a server say all of it at once; gives the outcome and what it heard.
async fn against(
    credentials: &Credentials<'_>,
    channel: &Channel,
    says: &[Vec<u8>],
) -> (Result<(), Error>, Peer) {
    let (mut transport, mut peer) = pipe();
    peer.say(&says.concat()).await;
    peer.0 = half_closed(peer.0).await;
    let outcome = credentials.authenticate(&mut transport, channel, &mut false).await;
    if let Err(error) = &outcome {
        assert!(
            !error.to_string().contains(PASSWORD) && !format!("{error:?}").contains(PASSWORD),
            "{error:?}"
        );
    }
    (outcome, peer)
}

/// No more will be said; what is said to us is still heard.
async fn half_closed(mut stream: tokio::io::DuplexStream) -> tokio::io::DuplexStream {
    tokio::io::AsyncWriteExt::shutdown(&mut stream).await.unwrap();
    stream
}

fn ok() -> Vec<u8> {
    authentication(0, b"")
}

fn sasl(mechanisms: &[&str]) -> Vec<u8> {
    let mut list = mechanisms.join("\0").into_bytes();
    list.extend([0, 0]);
    authentication(10, &list)
}

#[tokio::test]
async fn takes_trust_unless_proof_is_demanded() {
    against(&credentials(), &Channel::Plain, &[ok()]).await.0.unwrap();
    let binding = Credentials { channel_binding: ChannelBinding::Require, ..credentials() };
    against(&binding, &hash(), &[ok()]).await.0.unwrap_err();
    let scram_only = RequireAuth::Only(vec![AuthMethod::ScramSha256]);
    let demanding = Credentials { require_auth: &scram_only, ..credentials() };
    for says in [ok(), authentication(3, b""), authentication(5, b"salt")] {
        let error = against(&demanding, &hash(), &[says, ok()]).await.0.unwrap_err().to_string();
        assert!(error.contains("require_auth"), "{error}");
    }
}

#[tokio::test]
async fn tells_no_password_to_a_clear_network() {
    let says = [authentication(3, b""), ok()];
    let (refused, peer) = against(&credentials(), &Channel::Plain, &says).await;
    refused.unwrap_err();
    assert!(peer.heard_all().await);
    for (channel, cleartext_without_tls) in [(Channel::Plain, true), (Channel::Unix, false), (hash(), false)]
    {
        let allowing = Credentials { cleartext_without_tls, ..credentials() };
        let (outcome, mut peer) = against(&allowing, &channel, &says).await;
        outcome.unwrap();
        assert_eq!(peer.hear().await, (b'p', b"hunter2\0".to_vec()));
    }
}

#[tokio::test]
async fn hashes_for_md5() {
    let (outcome, mut peer) =
        against(&credentials(), &Channel::Plain, &[authentication(5, b"salt"), ok()]).await;
    outcome.unwrap();
    let (tag, answer) = peer.hear().await;
    assert!(tag == b'p' && answer.starts_with(b"md5") && answer.len() == 36);
}

#[tokio::test]
async fn says_what_to_do_without_a_password() {
    for password in [None, Some("")] {
        let nobody = Credentials { password, ..credentials() };
        let error = against(&nobody, &hash(), &[authentication(3, b"")]).await.0.unwrap_err().to_string();
        assert!(error.contains("PGPASSWORD") && error.contains("alice"), "{error}");
    }
}

#[tokio::test]
async fn refuses_what_it_does_not_know() {
    for code in [2, 6, 7, 9] {
        let error = against(&credentials(), &hash(), &[authentication(code, b"")]).await.0.unwrap_err();
        assert!(matches!(error, Error::Authentication(_)), "{error:?}");
    }
    for bytes in [message(b'Z', b"I"), message(b'd', b""), authentication(11, b"r="), authentication(99, b"")]
    {
        let error = against(&credentials(), &hash(), &[bytes]).await.0.unwrap_err();
        assert!(matches!(error, Error::Protocol(_) | Error::Authentication(_)), "{error:?}");
    }
}

#[tokio::test]
async fn is_asked_only_once() {
    for again in [authentication(3, b""), authentication(5, b"salt"), sasl(&["SCRAM-SHA-256"])] {
        let says = [authentication(5, b"salt"), again];
        assert!(matches!(against(&credentials(), &hash(), &says).await.0, Err(Error::Protocol(_))));
    }
}

#[tokio::test]
async fn passes_the_server_s_refusal_on() {
    let says =
        [message(b'N', b"SNOTICE\0C00000\0Mhello\0\0"), authentication(5, b"salt"), error("28P01", "no")];
    let refused = against(&credentials(), &hash(), &says).await.0.unwrap_err();
    assert_eq!(refused.to_string(), "server: FATAL 28P01: no");
}

/// What follows the client's first SCRAM message: `continue_with` gets the client's nonce.
async fn scram(then: impl Fn(&str) -> Vec<Vec<u8>>) -> Result<(), Error> {
    let (mut transport, mut peer) = pipe();
    let server = async {
        peer.say(&sasl(&["SCRAM-SHA-256"])).await;
        let (_, first) = peer.hear().await;
        let first = String::from_utf8_lossy(&first).into_owned();
        let nonce = first.rsplit("r=").next().unwrap().to_owned();
        peer.say(&then(&nonce).concat()).await;
        peer.0 = half_closed(peer.0).await;
        peer
    };
    let credentials = credentials();
    let mut asked = false;
    let client = credentials.authenticate(&mut transport, &Channel::Plain, &mut asked);
    let (outcome, _peer) = tokio::join!(client, server);
    assert!(asked);
    outcome
}

fn challenge(nonce: &str, iterations: &str) -> Vec<u8> {
    authentication(11, format!("r={nonce},s=c2FsdHNhbHRzYWx0,i={iterations}").as_bytes())
}

#[tokio::test]
async fn believes_no_server_that_does_not_know_the_password() {
    let signature = "v=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    for last in [
        vec![authentication(12, signature.as_bytes()), ok()],
        vec![authentication(12, b"e=other-error"), ok()],
        vec![authentication(12, b"v="), ok()],
        vec![authentication(12, b""), ok()],
        vec![ok()],
        vec![],
        vec![authentication(11, b"again")],
    ] {
        let outcome =
            scram(|nonce| [vec![challenge(&format!("{nonce}more"), "4096")], last.clone()].concat()).await;
        outcome.unwrap_err();
    }
}

#[tokio::test]
async fn refuses_a_challenge_that_is_not_its_own() {
    scram(|_| vec![ok()]).await.unwrap_err();
    scram(|_| vec![authentication(12, b"v=AA==")]).await.unwrap_err();
    scram(|_| vec![challenge("another nonce", "4096")]).await.unwrap_err();
    for iterations in ["0x10", "-1", "2147483647", ""] {
        scram(|nonce| vec![challenge(nonce, iterations)]).await.unwrap_err();
    }
}

async fn first_words(
    channel: &Channel,
    channel_binding: ChannelBinding,
    offer: &[&str],
) -> Result<String, Error> {
    let credentials = Credentials { channel_binding, ..credentials() };
    let (outcome, mut peer) = against(&credentials, channel, &[sasl(offer)]).await;
    match outcome {
        // The script ends after the offer: what was refused was refused before anything was sent.
        Err(Error::Closed { .. }) => {
            let words = String::from_utf8(peer.hear().await.1).unwrap();
            Ok(words.split(",,").next().unwrap().replace(['\0', '\u{1}'], " "))
        }
        Err(error) => {
            assert!(matches!(error, Error::Authentication(_)), "{error:?}");
            Err(error)
        }
        Ok(()) => panic!("nobody has been authenticated"),
    }
}

#[tokio::test]
async fn museum_27_binds_by_the_table_of_rfc_5802_and_fails_closed() {
    use ChannelBinding::{Disable, Prefer, Require};
    const PLUS: &str = "SCRAM-SHA-256-PLUS";
    const PLAIN: &str = "SCRAM-SHA-256";
    let both = &[PLUS, PLAIN][..];
    for (channel, binding, offer, mechanism, flag) in [
        (hash(), Prefer, both, PLUS, "p=tls-server-end-point"),
        (hash(), Require, both, PLUS, "p=tls-server-end-point"),
        (hash(), Require, &[PLUS], PLUS, "p=tls-server-end-point"),
        (hash(), Prefer, &[PLAIN], PLAIN, "y"),
        (hash(), Disable, both, PLAIN, "n"),
        (unknown(), Prefer, both, PLAIN, "n"),
        (Channel::Plain, Prefer, &[PLAIN], PLAIN, "n"),
        (Channel::Unix, Prefer, &["SCRAM-SHA-512", PLAIN], PLAIN, "n"),
    ] {
        let words = first_words(&channel, binding, offer).await.unwrap();
        assert!(
            words.starts_with(&format!("{mechanism} ")) && words.ends_with(flag),
            "{words:?} {mechanism} {flag}"
        );
    }
    for (channel, binding, offer) in [
        (hash(), Require, &[PLAIN][..]),
        (unknown(), Require, both),
        (Channel::Plain, Require, &[PLAIN]),
        (Channel::Unix, Require, &[PLAIN]),
        (Channel::Plain, Prefer, both),
        (Channel::Plain, Disable, both),
        (hash(), Prefer, &["SCRAM-SHA-1", "PLAIN"]),
        (hash(), Disable, &[PLUS]),
        (unknown(), Prefer, &[PLUS]),
    ] {
        first_words(&channel, binding, offer).await.unwrap_err();
    }
    let error = first_words(&unknown(), Require, both).await.unwrap_err().to_string();
    assert!(error.contains("Ed25519"), "{error}");
}

#[tokio::test]
async fn survives_a_server_that_hangs_up_at_any_byte() {
    let says = [authentication(5, b"salt"), ok()].concat();
    for end in 0..says.len() {
        let (outcome, _) = against(&credentials(), &Channel::Plain, &[says[..end].to_vec()]).await;
        let error = outcome.unwrap_err();
        assert!(matches!(error, Error::Closed { .. } | Error::Io { .. }), "{end}: {error:?}");
        assert!(error.is_retryable());
    }
}

#[tokio::test]
async fn refuses_an_unreadable_list_of_mechanisms() {
    for list in [&b"SCRAM-SHA-256"[..], b"SCRAM-SHA-256\0", b"\0more\0", b"\xFF\0\0"] {
        let outcome = against(&credentials(), &hash(), &[authentication(10, list)]).await.0;
        assert!(matches!(outcome, Err(Error::Protocol(_))), "{list:?}");
    }
}
