use super::*;
use crate::connection::Connection;
use crate::connection::peer::{authentication, error, message, pipe};

const ENOUGH: &[(&str, &str)] = &[("server_version", "18.4"), ("in_hot_standby", "off")];

fn statuses(parameters: &[(&str, &str)]) -> Vec<u8> {
    parameters
        .iter()
        .flat_map(|(name, value)| message(b'S', format!("{name}\0{value}\0").as_bytes()))
        .collect()
}

fn ready_for_query() -> Vec<u8> {
    [message(b'K', &[0; 8]), message(b'Z', b"I")].concat()
}

/// What the client said first, and what came of the server's saying all of `says`.
async fn started(says: &[Vec<u8>]) -> (String, Result<Session, Refusal>) {
    let (mut transport, mut peer) = pipe();
    peer.say(&says.concat()).await;
    tokio::io::AsyncWriteExt::shutdown(&mut peer.0).await.unwrap();
    let config: Config = "host=/tmp user=alice dbname=orders options=-cgeqo=off".parse().unwrap();
    let credentials = Credentials {
        user: "alice",
        password: None,
        channel_binding: config.channel_binding,
        cleartext_without_tls: false,
        require_auth: &config.require_auth,
    };
    let outcome =
        start(&mut transport, &config, SessionKind::Replication, &credentials, &Channel::Unix).await;
    (String::from_utf8(peer.payload().await).unwrap(), outcome)
}

#[tokio::test]
async fn asks_for_a_logical_walsender_with_exact_values() {
    let (said, session) = started(&[authentication(0, b""), statuses(ENOUGH), ready_for_query()]).await;
    assert_eq!(session.unwrap().parameter("server_version"), Some("18.4"));
    let (version, pairs) = said.split_at(4);
    assert_eq!(version, "\0\u{3}\0\0");
    let words: Vec<_> = pairs.trim_end_matches('\0').split('\0').collect();
    let pairs: Vec<_> = words.chunks(2).map(|pair| (pair[0], pair[1])).collect();
    for expected in [
        ("user", "alice"),
        ("database", "orders"),
        ("replication", "database"),
        ("application_name", "walferry"),
        ("options", "-cgeqo=off"),
    ] {
        assert!(pairs.contains(&expected), "{expected:?}");
    }
    assert!(PINNED.iter().all(|pinned| pairs.contains(pinned)));
    assert_eq!(pairs.len(), 5 + PINNED.len());
}

#[tokio::test]
async fn names_the_setting_that_is_refused() {
    for (sqlstate, text) in [
        ("42704", "unrecognized configuration parameter \"lc_monetary\""),
        ("08P01", "unsupported startup parameter: lc_monetary"),
    ] {
        let refusal = started(&[authentication(0, b""), error(sqlstate, text)]).await.1.unwrap_err();
        assert!(
            matches!(refusal.error, Error::Setting { setting: "lc_monetary", .. }),
            "{:?}",
            refusal.error
        );
        assert_eq!(refusal.error.sqlstate(), Some(sqlstate));
        assert!(!refusal.unasked);
    }
    let refusal = started(&[error("3D000", "database \"TimeZone\" does not exist")]).await.1.unwrap_err();
    assert!(matches!(refusal.error, Error::Server(_)) && refusal.unasked);
}

#[tokio::test]
async fn knows_a_refusal_before_the_question_from_one_after() {
    let before = started(&[error("28000", "no pg_hba.conf entry")]).await.1.unwrap_err();
    assert!(before.unasked);
    let after = started(&[authentication(5, b"salt"), error("28P01", "wrong")]).await.1.unwrap_err();
    assert!(!after.unasked);
    let gone = started(&[]).await.1.unwrap_err();
    assert!(!gone.unasked && matches!(gone.error, Error::Closed { .. }));
}

#[tokio::test]
async fn goes_on_after_a_harmless_negotiation_only() {
    let rest = [authentication(0, b""), statuses(ENOUGH), ready_for_query()].concat();
    for (newest, options, fine) in
        [(0x0003_0000_u32, 0_u8, true), (0, 0, true), (0x0003_0000, 1, false), (0x0002_0000, 0, false)]
    {
        let mut payload = newest.to_be_bytes().to_vec();
        payload.extend([0, 0, 0, options]);
        payload.extend(b"x\0".repeat(usize::from(options)));
        let (_, outcome) = started(&[message(b'v', &payload), rest.clone()]).await;
        assert_eq!(outcome.is_ok(), fine, "{newest:x} {options}");
    }
}

#[tokio::test]
async fn survives_a_server_that_hangs_up_at_any_byte() {
    let says =
        [authentication(0, b""), statuses(ENOUGH), message(b'N', b"SLOG\0\0"), ready_for_query()].concat();
    for end in 0..says.len() {
        let refusal = started(&[says[..end].to_vec()]).await.1.unwrap_err();
        assert!(
            matches!(refusal.error, Error::Closed { .. } | Error::Io { .. }),
            "{end}: {:?}",
            refusal.error
        );
    }
}

#[tokio::test]
async fn refuses_what_does_not_belong_before_ready_for_query() {
    for bytes in [
        message(b'd', b""),
        message(b'W', &[0; 3]),
        authentication(0, b""),
        message(b'C', b"X\0"),
        message(b'?', b""),
    ] {
        let refusal = started(&[authentication(0, b""), bytes]).await.1.unwrap_err();
        assert!(matches!(refusal.error, Error::Protocol(_)), "{:?}", refusal.error);
    }
}

#[tokio::test]
async fn needs_a_version_that_is_new_enough() {
    for (version, fine) in [("14.0", true), ("19devel", true), ("13.22", false), ("old", false)] {
        let says = [authentication(0, b""), statuses(&[("server_version", version)]), ready_for_query()];
        let session = started(&says).await.1.unwrap();
        assert_eq!(Connection::new(pipe().0, session, Config::new()).is_ok(), fine, "{version}");
    }
    assert!(Connection::new(pipe().0, Session::default(), Config::new()).is_err());
}
