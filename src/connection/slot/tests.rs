use super::*;

fn version(text: &str) -> ServerVersion {
    ServerVersion::read(text).unwrap()
}

#[test]
fn holds_only_what_a_slot_name_may_hold() {
    for text in ["a", "_", "0", "walferry_2", &"x".repeat(63)] {
        assert_eq!(text.parse::<SlotName>().unwrap().as_str(), text);
        assert_eq!(SlotName::try_from(text.to_owned()).unwrap().to_string(), text);
    }
    for text in ["", "A", "a-b", "a b", "a\"", "é", "a\0", &"x".repeat(64)] {
        assert!(SlotName::try_from(text).is_err(), "{text:?}");
    }
}

#[test]
fn speaks_both_syntaxes() {
    let name = "s".parse().unwrap();
    let command = |options: SlotOptions, server| options.command(&name, &version(server));
    for (snapshot, old, new) in [
        (Snapshot::Export, "EXPORT_SNAPSHOT", "(SNAPSHOT 'export')"),
        (Snapshot::Use, "USE_SNAPSHOT", "(SNAPSHOT 'use')"),
        (Snapshot::Nothing, "NOEXPORT_SNAPSHOT", "(SNAPSHOT 'nothing')"),
    ] {
        let options = SlotOptions::new().snapshot(snapshot);
        let begin = "CREATE_REPLICATION_SLOT \"s\"";
        assert_eq!(command(options.clone(), "14.23"), format!("{begin} LOGICAL pgoutput {old}"));
        assert_eq!(command(options.clone(), "15.18"), format!("{begin} LOGICAL pgoutput {new}"));
        let temporary = options.temporary(true);
        assert_eq!(command(temporary, "18.4"), format!("{begin} TEMPORARY LOGICAL pgoutput {new}"));
    }
    let options = SlotOptions::new().two_phase(true).failover(true);
    assert!(command(options, "17.10").ends_with("(SNAPSHOT 'nothing', TWO_PHASE true, FAILOVER true)"));
}

#[test]
fn asks_no_server_for_what_it_lacks() {
    for (options, server, fine) in [
        (SlotOptions::new().two_phase(true), "14.23", false),
        (SlotOptions::new().two_phase(true), "15.18", true),
        (SlotOptions::new().failover(true), "16.14", false),
        (SlotOptions::new().failover(true), "17.10", true),
        (SlotOptions::new().failover(true).temporary(true), "18.4", false),
    ] {
        assert_eq!(options.check(&version(server)).is_ok(), fine, "{options:?} {server}");
    }
}

#[tokio::test(start_paused = true)]
async fn gives_the_connection_up_if_the_server_does_not_stop() {
    let (mut connection, _silent) = crate::connection::command::tests::connected();
    let options = SlotOptions::new().timeout(Duration::from_secs(60));
    let error = connection.create_slot(&"s".parse().unwrap(), options).await.unwrap_err();
    assert!(matches!(error, Error::Timeout { after, .. } if after == Duration::from_secs(60)), "{error:?}");
    assert!(matches!(connection.identify_system().await, Err(Error::Unusable { .. })));
}

#[tokio::test(start_paused = true)]
async fn keeps_a_slot_that_was_made_at_the_last_moment() {
    use crate::connection::peer::{message, row};
    let (mut connection, mut peer) = crate::connection::command::tests::connected();
    let name = "s".parse().unwrap();
    let options = SlotOptions::new().timeout(Duration::from_secs(60));
    let script = async {
        peer.say(&message(b'Z', b"I")).await;
        tokio::time::sleep(Duration::from_secs(61)).await;
        peer.say(&[row(&[Some("s"), Some("0/15"), None, Some("pgoutput")]), message(b'Z', b"I")].concat())
            .await;
    };
    let (created, ()) = tokio::join!(connection.create_slot(&name, options), script);
    assert_eq!(created.unwrap().consistent_point(), Lsn::new(0x15));
}
